//! Texts that mean something to a function: dates, prefixes, patterns, documents. Valid ones, and some that are not.

use super::{Grammar, Ty};

/// What a text is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Absolute,
    Base64,
    Charset,
    Cipher,
    Csv,
    Date,
    DateFormat,
    Digits,
    Duration,
    File,
    Folder,
    Format,
    FormatList,
    Glob,
    Json,
    Key,
    ListMap,
    Namespace,
    Path,
    Pattern,
    Prefix,
    PrivateKey,
    Replacement,
    Search,
    TemplateFile,
    TemplateName,
    TemplateVariables,
    Variables,
    Yaml,
}

/// Makes one, as it is written in an expression.
pub(super) fn text(kind: Kind, grammar: &mut Grammar, depth: usize) -> String {
    match kind {
        Kind::DateFormat => quoted(&date_format(grammar)),
        Kind::Date => quoted(&date(grammar)),
        Kind::Duration => quoted(&duration(grammar)),
        Kind::Format => format(grammar, depth, false),
        Kind::FormatList => format(grammar, depth, true),
        Kind::Json => quoted(&json(grammar, 2)),
        Kind::Prefix => quoted(&prefix(grammar)),
        Kind::Digits => quoted(&digits(grammar)),
        Kind::Yaml if grammar.random.chance(30) => quoted(&json(grammar, 2)),
        Kind::Search if grammar.random.chance(50) => {
            let pattern = grammar.random.of(PATTERNS).to_owned();
            quoted(&format!("/{pattern}/"))
        }
        kind => quoted_of(kind, grammar),
    }
}

const PATTERNS: &[&str] = &[
    "[a-z]+",
    "(\\d+)",
    "(?P<first>\\w)(?P<rest>\\w*)",
    "^h",
    "l+o?",
    "(a)|(b)",
    "(",
    "[[:alpha:]]+",
    "\\s+",
    "",
    "(?i)HELLO",
    "a*",
    "(?:x|y)z?",
    "(\\w+)\\s(\\w+)",
    "[^a-c]",
    "\\bw",
    ".",
    "(?P<a>x)(y)",
    "(?m)^t",
    "\\p{L}+",
    "(?s).+",
    "x{2,3}",
    "a{1001}",
    "(?=a)",
    "\\d",
    "(h)(e)?(z)?",
    "(?U)l+",
    "[\\w-]+",
    "$",
    "\\x41|é",
    "(?P<n>z)?",
];

fn quoted_of(kind: Kind, grammar: &mut Grammar) -> String {
    let random = &mut grammar.random;
    let text = match kind {
        Kind::Base64 => random.of(&[
            "",
            "aGVsbG8=",
            "aGVsbG8",
            "YQ==",
            "/////w==",
            "aGVs\nbG8=",
            "not base64!",
            "w6k=",
            "aABpAA==",
            "AGgAaQ==",
            "//5oAGkA",
            "6Q==",
            "4pyT",
            "aGVsbG8=aGVsbG8=",
            "Y Q==",
            "gA==",
        ]),
        Kind::Charset => random.of(&[
            "UTF-8",
            "UTF-16LE",
            "UTF-16BE",
            "UTF-16",
            "ISO-8859-1",
            "US-ASCII",
            "windows-1252",
            "utf8",
            "latin1",
            "nope",
            "Windows-1252",
            "utf-16le",
            "",
        ]),
        Kind::Cipher => return random.of(&["file(\"cipher.b64\")", "\"aGVsbG8=\"", "\"!\"", "\"\""]).to_owned(),
        Kind::PrivateKey => {
            return random
                .of(&[
                    "file(\"pkcs1.pem\")",
                    "file(\"pkcs8.pem\")",
                    "file(\"openssh.pem\")",
                    "file(\"ec.pem\")",
                    "file(\"locked.pem\")",
                    "\"x\"",
                    "\"# a key\\n${file(\"pkcs1.pem\")}\"",
                    "sensitive(file(\"pkcs1.pem\"))",
                ])
                .to_owned();
        }
        Kind::Csv => random.of(&[
            "a,b\n1,2\n",
            "a,b\n",
            "",
            "a,a\n1,2\n",
            "a,b\n1\n",
            "a,b\n\"x,y\",\"q\"\"q\"\n",
            "a\r\n1\r\n",
            "a,b\n1,\"x",
            "a b,c\n 1 , 2\n\n3,4",
            "\n\na,b\n1,2",
            "a,b\n1,x\"y",
            "a;b\n1;2",
            "a,\n1,2",
            "\"a\nb\",c\n1,2",
        ]),
        Kind::File => random.of(&[
            "hello.txt",
            "./hello.txt",
            "data/one.json",
            "data/two.csv",
            "none.txt",
            "data",
            "greet.tftpl",
            "binary.dat",
            "data/../hello.txt",
            "",
            "data/none/x",
        ]),
        // Not `/`: Terraform would look at every file of the machine.
        Kind::Absolute => random.of(&["/", "/a/b", "/a/../b", "//a", "/a/./b/", "/é", "/a/b/../../.."]),
        Kind::Folder => random.of(&[".", "data", "none", "./data/", "data/..", "", "hello.txt"]),
        Kind::Glob => random.of(&[
            "*.txt",
            "**",
            "**/*.json",
            "data/*",
            "*",
            "{hello,greet}*",
            "[a-h]*.t?t",
            "none",
            "**/*",
            "data/**",
            "[",
            "*.{json,csv}",
            "hello.txt",
            "",
            "[!a]*",
            "?ello.txt",
            "**/t*",
        ]),
        Kind::Key => random.of(&["a", "b", "x", "name", "size", "zz", "", "k", "a b", "p"]),
        Kind::ListMap => {
            return random
                .of(&[
                    "local.ml",
                    "{ a = [\"x\", \"y\"], b = [\"x\"] }",
                    "{}",
                    "{ a = [] }",
                    "{ a = [\"p\", \"p\"] }",
                    "local.ms",
                    "{ a = local.ul }",
                    "{ a = [local.us] }",
                    "{ a = null }",
                    "{ a = [1, 2] }",
                    "{ a = local.pl }",
                    "null",
                    "{ a = [null] }",
                    "{ for k, v in local.ms : k => [v, k] }",
                    "{ a = [\"x\"], b = toset([\"x\"]) }",
                ])
                .to_owned();
        }
        Kind::Namespace => random.of(&[
            "dns",
            "url",
            "oid",
            "x500",
            "6ba7b810-9dad-11d1-80b4-00c04fd430c8",
            "nope",
            "",
            "DNS",
            "6BA7B8109DAD11D180B400C04FD430C8",
            "{6ba7b810-9dad-11d1-80b4-00c04fd430c8}",
            "urn:uuid:6ba7b810-9dad-11d1-80b4-00c04fd430c8",
        ]),
        Kind::Path => random.of(&[
            "/",
            "a",
            "/a/b",
            "a/b/",
            "./a",
            "../a",
            "a//b",
            ".",
            "..",
            "/a/../b",
            "a/./b/..",
            "~",
            "~x/y",
            "/a b/é.txt",
            "data",
            "a.tar.gz",
            "///",
            "a/..",
        ]),
        Kind::Pattern => grammar.random.of(PATTERNS),
        Kind::Replacement => {
            random.of(&["", "X", "$0", "<$1>", "${1}0", "$first", "$$", "\\1", "$2-$1", "$x", "é", "$"])
        }
        Kind::Search => random.of(&["", "l", "a", "lo", "/", "//", "/[/", "é", ".", "/l", "world"]),
        Kind::TemplateFile => random.of(&["greet.tftpl", "hello.txt", "broken.tftpl", "none.tftpl", "data"]),
        Kind::TemplateName => {
            return random
                .of(&[
                    "local.tpl",
                    "local.s",
                    "local.bad",
                    "local.empty",
                    "local.us",
                    "local.pw",
                    "\"x\"",
                    "local.obj.name",
                    "local.n",
                ])
                .to_owned();
        }
        Kind::TemplateVariables => {
            return random
                .of(&[
                    "{ name = \"Ann\", polite = true, names = [\"a\", \"b\"] }",
                    "{ name = local.us, polite = false, names = [] }",
                    "{}",
                    "{ name = local.pw, polite = local.pb, names = local.pl }",
                    "{ name = 1, polite = local.ub, names = local.ul }",
                    "local.obj",
                    "{ \"a b\" = 1 }",
                    "{ name = null, polite = true, names = local.lu }",
                    "local.ua",
                    "null",
                    "{ name = \"<\", polite = \"true\", names = toset([\"z\", \"y\"]), more = 1 }",
                    "tomap({ name = \"m\", polite = \"true\" })",
                    "[1]",
                ])
                .to_owned();
        }
        Kind::Variables => random.of(&[
            "a = 1\nb = \"x\"\n",
            "",
            "a = [1, 2]\nc = { d = null }\n",
            "a = 1 + 2",
            "a = upper(\"x\")",
            "a = b",
            "a {}",
            "a = 1\na = 2",
            "a = \"${1}\"",
            "a =",
            "# nothing\n",
            "a = <<E\nx\nE\n",
            "a = true ? 1 : 2",
            "a = { \"x y\" = 1, (\"z\") = 2 }",
            "a = [for x in [1] : x]",
            "a = -1.5e3",
            "1a = 2",
            "\"a\" = 1",
        ]),
        Kind::Yaml => random.of(&[
            "a: 1\nb: [x, 2, true, null]\n",
            "- 1\n- 0x1F\n- 0o17\n- 017\n- 1e3\n- .5\n- 1_000\n",
            "yes",
            "a: yes\nb: Off\nc: ~\nd:\n",
            "\"quoted\"",
            "'it''s'",
            "|\n  two\n  lines\n",
            ">\n  folded\n  text\n",
            "a: &x 1\nb: *x\n",
            "<<: {a: 1}\nb: 2\n",
            "2001-12-14",
            "2001-12-14t21:59:43.10-05:00",
            "!!str 1",
            "!!int \"3\"",
            "!!float 1",
            "!!set {a, b}",
            "!foo x",
            "a: {",
            "- .inf\n",
            "- .nan\n",
            "? a\n: b\n",
            "1: x\n2: y\n",
            "true: x\n",
            "a: 1\na: 2\n",
            "---\na: 1\n---\nb: 2\n",
            "",
            "# only\n",
            "null",
            "--- x\n...\n",
            "- - 1\n  - 2\n- {a: [b]}\n",
            "a: \"\\u00e9\\n\"\n",
            "!!binary aGVsbG8=",
            "[1, 2",
            "a:\n  - x\n  -\n",
            "x: !!null \"\"\n",
            "~",
            "- +12\n- -0\n- 12e03\n- 0b101\n- 1.\n- 190:20:30\n",
            "- null\n- Null\n- NULL\n- n\n- N\n- on\n",
            "key: |-\n  a\n\n",
            "\"a\tb\"",
            "- 0.1\n- 1.0\n- 12345678901234567890\n- -1.5e-3\n",
            "a: [1, 2]: x",
            "- 1:30\n- 2001-01-01 10:00:00\n",
            "*x",
            "@a",
            "a: b: c",
        ]),
        _ => "",
    };
    quoted(text)
}

fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '$' | '%' if chars.peek() == Some(&'{') => out.extend([c, c]),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

fn date(grammar: &mut Grammar) -> String {
    let random = &mut grammar.random;
    if random.chance(25) {
        return random
            .of(&[
                "2020-02-30T00:00:00Z",
                "2020-01-01",
                "2020-1-1T00:00:00Z",
                "",
                "2020-01-01T24:00:00Z",
                "2020-01-01T00:60:00Z",
                "2020-01-01 00:00:00Z",
                "2020-01-01T00:00:00",
                "2020-01-01t00:00:00z",
                "2020-01-01T00:00:60Z",
                "0000-01-01T00:00:00Z",
                "2020-01-01T00:00:00+25:00",
                "2020-01-01T00:00:00.Z",
                "2020-13-01T00:00:00Z",
                "20200101T000000Z",
                "2020-01-01T1:00:00Z",
                "2020-01-01T00:00:00,5Z",
                "2020-01-01T00:00:00+0100",
                "2020-01-01T00:00:00-00:00",
            ])
            .to_owned();
    }
    let (year, month, day) = (random.below(30) * 71 + 1, random.below(12) + 1, random.below(28) + 1);
    let (hour, minute, second) = (random.below(24), random.below(60), random.below(60));
    let fraction = random.of(&["", "", "", ".5", ".123456789", ".000", ".1234567891"]);
    let zone = random.of(&["Z", "Z", "+01:00", "-05:30", "+00:00", "+14:00", "-12:00"]);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}{zone}")
}

fn date_format(grammar: &mut Grammar) -> String {
    let random = &mut grammar.random;
    let mut out = String::new();
    for _ in 0..=random.below(5) {
        out.push_str(random.of(&[
            "YYYY",
            "YY",
            "MMMM",
            "MMM",
            "MM",
            "M",
            "DD",
            "D",
            "EEEE",
            "EEE",
            "hh",
            "h",
            "HH",
            "H",
            "AA",
            "aa",
            "mm",
            "m",
            "ss",
            "s",
            "ZZZZZ",
            "ZZZZ",
            "ZZZ",
            "Z",
            "-",
            ":",
            " ",
            "'T'",
            "'o''clock'",
            ", ",
            "/",
            "Y",
            "YYYYY",
            "A",
            "'",
            "é",
            "x",
            "MMMMM",
            "EE",
            "ZZ",
            "hhh",
            "''",
        ]));
    }
    out
}

fn duration(grammar: &mut Grammar) -> String {
    let random = &mut grammar.random;
    random
        .of(&[
            "1h",
            "-1h",
            "10m30s",
            "1.5h",
            "24h",
            "-720h",
            "1ns",
            "5us",
            "3ms",
            "1h1m1s",
            "",
            "1",
            "h",
            "1d",
            "1h-1m",
            "+5s",
            "0",
            "100000h",
            ".5s",
            "1.s",
            "99999999999999h",
            "2562047h47m16s",
            "1µs",
            "1 h",
            "-0.25s",
        ])
        .to_owned()
}

fn prefix(grammar: &mut Grammar) -> String {
    let random = &mut grammar.random;
    random
        .of(&[
            "10.0.0.0/8",
            "192.168.1.0/24",
            "10.1.2.3/16",
            "0.0.0.0/0",
            "fd00:fd12:3456:7890::/56",
            "::/0",
            "2001:db8::/32",
            "10.0.0.0/32",
            "10.0.0.0/33",
            "10.0.0.0",
            "300.0.0.0/8",
            "::1/128",
            "10.0.0/8",
            "",
            "x/8",
            "010.0.0.0/8",
            "10.0.0.0/08",
            "172.16.0.0/12",
            "2001:db8::/129",
            "10.0.0.0/-1",
            "fe80::1%eth0/64",
            "192.168.0.0/30",
        ])
        .to_owned()
}

fn digits(grammar: &mut Grammar) -> String {
    let random = &mut grammar.random;
    random
        .of(&[
            "100",
            "ff",
            "FF",
            "-7f",
            "zz",
            "1010",
            "",
            "0x1f",
            "+5",
            "12.5",
            "777",
            "Zz9",
            "1e3",
            "1E-2",
            " 1",
            "1 ",
            "1_000",
            "0b1",
            "-",
            "99999999999999999999999999",
            "-0",
            "007",
            ".5",
            "5.",
            "1e",
            "inf",
            "NaN",
            "0x1p4",
            "٣",
            "1e400",
            "-1.50",
            "1.0",
        ])
        .to_owned()
}

fn json(grammar: &mut Grammar, depth: usize) -> String {
    let random = &mut grammar.random;
    if random.chance(6) {
        return random
            .of(&[
                "",
                "{",
                "[1,]",
                "{\"a\":1,}",
                "nul",
                "'x'",
                "1 2",
                "{\"a\":1,\"a\":2}",
                "01",
                "\"\\x\"",
                "+1",
                "[1",
                "// c\n1",
                "{a:1}",
                "\"\\ud83d\"",
                "1.",
                ".5",
                "-",
                "\u{feff}1",
                "tru",
            ])
            .to_owned();
    }
    let pick = if depth == 0 { random.below(7) } else { random.below(11) };
    match pick {
        0 => "null".to_owned(),
        1 => random.of(&["true", "false"]).to_owned(),
        2 | 3 => random
            .of(&[
                "0",
                "1",
                "-1.5",
                "1e3",
                "12345678901234567890",
                "0.1",
                "1E+2",
                "1.0",
                "-0",
                "123456789.123456789",
                "1e-7",
                "3e400",
            ])
            .to_owned(),
        4..7 => random
            .of(&[
                "\"\"",
                "\"a\"",
                "\"é\\n\"",
                "\"\\u00e9\"",
                "\"<&>\"",
                "\"\\ud83d\\ude00\"",
                "\" x \"",
                "\"${a}\"",
                "\"\\/\"",
            ])
            .to_owned(),
        7 | 8 => {
            let count = grammar.random.below(4);
            let items: Vec<String> = (0..count).map(|_| json(grammar, depth - 1)).collect();
            format!("[{}]", items.join(", "))
        }
        _ => {
            let count = grammar.random.below(4);
            let mut items = Vec::new();
            for idx in 0..count {
                let name = ["a", "b", "c d", "é"][idx];
                items.push(format!("\"{name}\": {}", json(grammar, depth - 1)));
            }
            format!("{{{}}}", items.join(", "))
        }
    }
}

/// A format and what it wants, mostly.
fn format(grammar: &mut Grammar, depth: usize, lists: bool) -> String {
    let mut pattern = String::new();
    let mut arguments = Vec::new();
    for _ in 0..grammar.random.below(4) {
        pattern.push_str(grammar.random.of(&["", "", "a", " ", "é-", "%%", "x=", "\n"]));
        if grammar.random.chance(4) {
            pattern
                .push_str(grammar.random.of(&["%", "%!", "%y", "%-", "%1", "%[", "%[0]s", "%[x]s", "%*d", "%.", "% "]));
            continue;
        }
        let verb = grammar.random.of(&[
            "s", "s", "d", "d", "v", "q", "f", "g", "e", "x", "X", "o", "b", "t", "#v", "E", "G", "+d", "c", "U",
        ]);
        let plain = verb.trim_start_matches(['#', '+']);
        pattern.push('%');
        pattern.push_str(&verb[..verb.len() - plain.len()]);
        if grammar.random.chance(25) {
            pattern.push_str(grammar.random.of(&["-", "+", "0", " ", "#", "-0", "+0", "0-"]));
        }
        if grammar.random.chance(30) {
            pattern.push_str(grammar.random.of(&["1", "5", "10", "03", "20"]));
        }
        if grammar.random.chance(25) {
            pattern.push_str(grammar.random.of(&[".0", ".1", ".2", ".10", "."]));
        }
        if grammar.random.chance(5) {
            pattern.push_str(grammar.random.of(&["[1]", "[2]", "[3]"]));
        }
        pattern.push_str(plain);
        let ty = match plain {
            "s" | "q" | "x" | "X" => Ty::Str,
            "d" | "f" | "g" | "e" | "o" | "b" | "E" | "G" | "c" | "U" => Ty::Num,
            "t" => Ty::Bool,
            _ => Ty::Any,
        };
        let ty = if lists && grammar.random.chance(60) {
            match ty {
                Ty::Str => Ty::Strs,
                Ty::Num => Ty::Nums,
                Ty::Bool => Ty::Bools,
                _ => Ty::Seq,
            }
        } else {
            ty
        };
        if !grammar.random.chance(3) {
            arguments.push(grammar.expr(ty, depth));
        }
    }
    pattern.push_str(grammar.random.of(&["", "", "!", " end"]));
    if grammar.random.chance(3) {
        arguments.push(grammar.expr(Ty::Any, 0));
    }
    let mut all = vec![quoted(&pattern)];
    all.append(&mut arguments);
    all.join(", ")
}
