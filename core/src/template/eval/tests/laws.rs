//! What holds for any expression.

use proptest::prelude::*;

use super::*;

/// Texts that look like expressions, most of which can be read.
fn expression() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        Just("1".to_owned()),
        Just("-2.5".to_owned()),
        Just("1e30".to_owned()),
        Just("\"\"".to_owned()),
        Just("\"a,b\"".to_owned()),
        Just("\"10.0.0.0/8\"".to_owned()),
        Just("\"2020-01-02T03:04:05Z\"".to_owned()),
        Just("[]".to_owned()),
        Just("{}".to_owned()),
        Just("var.unknown".to_owned()),
        Just("var.open".to_owned()),
        Just("var.unknown_list".to_owned()),
        Just("var.secret".to_owned()),
        Just("var.secrets".to_owned()),
        Just("var.zones".to_owned()),
        Just("var.tags".to_owned()),
        Just("var.users".to_owned()),
        Just("var.nope".to_owned()),
        Just("local.pending".to_owned()),
        Just("acme_a.b".to_owned()),
        Just("x".to_owned()),
    ];
    let names: Vec<String> = Functions::standard().iter().map(|function| function.name().to_owned()).collect();
    leaf.prop_recursive(5, 40, 4, move |inner| {
        let names = names.clone();
        let two = || (inner.clone(), inner.clone());
        prop_oneof![
            (two(), prop::sample::select(vec!["+", "-", "*", "/", "%", "==", "!=", "<", ">=", "&&", "||"]))
                .prop_map(|((a, b), op)| format!("({a} {op} {b})")),
            (two(), inner.clone()).prop_map(|((a, b), c)| format!("({a} ? {b} : {c})")),
            two().prop_map(|(a, b)| format!("{a}[{b}]")),
            inner.clone().prop_map(|a| format!("{a}[*].name")),
            inner.clone().prop_map(|a| format!("{a}.a.*.b[0]")),
            inner.clone().prop_map(|a| format!("!{a}")),
            inner.clone().prop_map(|a| format!("-({a})")),
            two().prop_map(|(a, b)| format!("\"a${{{a}}}b%{{ if {b} }}c%{{ else }}d%{{ endif }}\"")),
            two().prop_map(|(a, b)| format!("\"%{{ for x in {a} ~}} ${{{b}}} %{{ endfor }}\"")),
            two().prop_map(|(a, b)| format!("[for x in {a} : {b}]")),
            (two(), inner.clone()).prop_map(|((a, b), c)| format!("{{for k, x in {a} : {b} => {c} if x != null}}")),
            (two(), inner.clone()).prop_map(|((a, b), c)| format!("{{for k, x in {a} : {b} => {c}...}}")),
            prop::collection::vec(inner.clone(), 0..4).prop_map(|items| format!("[{}]", items.join(", "))),
            two().prop_map(|(a, b)| format!("{{a = {a}, ({b}) = 1}}")),
            (prop::sample::select(names), prop::collection::vec(inner.clone(), 0..4), any::<bool>()).prop_map(
                |(name, items, expand)| {
                    let dots = if expand && !items.is_empty() { "..." } else { "" };
                    format!("{name}({}{dots})", items.join(", "))
                }
            ),
        ]
    })
}

/// Expressions of arrays of bytes, most of which cannot be read.
fn noise() -> impl Strategy<Value = String> {
    prop::collection::vec(
        prop::sample::select(vec![
            "var", ".", "x", "[", "]", "{", "}", "(", ")", "*", "${", "%{", "\"", "for", "in", ":", "=>", "if", "?",
            "...", "1", "é", "\\", "\n", "<<-E\n", "E", ",", "=", "-", "try", "format",
        ]),
        0..30,
    )
    .prop_map(|parts| parts.concat())
}

fn evaluate(text: &str) -> Option<(Value, Findings)> {
    let (expr, _) = hcl::parse_expression(SourceId(0), text);
    let host = Host::new();
    let functions = Functions::standard();
    let budget = Budget { elements: 20_000, text_bytes: 200_000, ..Budget::default() };
    let mut evaluator = Evaluator::new(&host, &functions, Options { budget, ..Options::default() });
    let value = evaluator.eval(&expr);
    Some((value, evaluator.finish()))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    /// Nothing panics, nothing hangs, nothing secret is told, and the same text gives the same result.
    #[test]
    fn any_expression_ends(text in expression()) {
        let first = evaluate(&text);
        let second = evaluate(&text);
        let (Some((value, findings)), Some((again, found))) = (first, second) else { return Ok(()) };
        prop_assert_eq!(&value, &again);
        prop_assert_eq!(&findings.diagnostics, &found.diagnostics);
        let told = format!("{value:?} {:?}", findings.diagnostics);
        prop_assert!(!told.contains("hunter2") || text.contains("nonsensitive"), "{}: {}", text, told);
        let _ = console_print(&value);
    }

    #[test]
    fn any_noise_ends(text in noise()) {
        evaluate(&text);
    }

    /// Any text whatever, given to functions that read texts.
    #[test]
    fn any_text_is_read_or_refused(text in ".{0,60}", pattern in "[\\[\\](){}|*+?.^$\\\\a-d0-3,&~:-]{0,12}") {
        let host = Host::new();
        let functions = Functions::standard();
        let given = [("t", Value::string(text)), ("p", Value::string(pattern))];
        for call in [
            "yamldecode(t)", "jsondecode(t)", "csvdecode(t)", "yamldecode(yamlencode(t))", "regexall(p, t)", "replace(t, \"/${p}/\", p)",
            "format(t, 1, 2)", "formatdate(t, \"2020-01-02T03:04:05Z\")", "timeadd(\"2020-01-02T03:04:05Z\", t)", "timecmp(t, t)",
            "cidrhost(t, 1)", "base64decode(t)", "title(t)", "strrev(t)", "substr(t, -3, 2)", "urlencode(t)", "uuidv5(t, t)",
            "parseint(t, 36)", "split(p, t)", "indent(2, t)", "textencodebase64(t, \"utf-16\")", "dirname(t)", "tonumber(t)",
            "templatestring(p, { a = t })", "fileset(t, p)",
        ] {
            let mut evaluator = Evaluator::new(&host, &functions, Options::default());
            evaluator.eval_with(&parsed(call), &given);
        }
        let mut evaluator = Evaluator::new(&host, &functions, Options::default());
        let round = evaluator.eval_with(&parsed("yamldecode(yamlencode([t, { (t) = t }])) == [t, { (t) = t }]"), &given);
        prop_assert_eq!(round, Value::bool(true));
    }
}

/// In normal form C the letter of an escape and a mark behind it would become one.
#[test]
fn marks_do_not_swallow_escapes() {
    let host = Host::new();
    let functions = Functions::standard();
    for text in [
        "\u{7}\u{300}",
        "a\n\u{300}",
        "\r\u{327}\u{301}",
        "\u{1e}\u{301}",
        "\u{1b}\u{301} b\u{301}",
        ">\u{301}",
        "\n \u{300}",
    ] {
        let given = [("t", Value::string(text))];
        for law in
            ["yamldecode(yamlencode({ (t) = t })) == { (t) = t }", "jsondecode(jsonencode({ (t) = t })) == { (t) = t }"]
        {
            let mut evaluator = Evaluator::new(&host, &functions, Options::default());
            assert_eq!(evaluator.eval_with(&parsed(law), &given), Value::bool(true), "{text:?}: {law}");
        }
    }
}

#[test]
fn the_deepest_tree_fits_a_small_stack() {
    let run = || {
        for (open, close) in [
            ("[", "]"),
            ("(", ")"),
            ("!", ""),
            ("upper(", ")"),
            ("\"${", "}\""),
            ("{a=", "}"),
            ("[for x in [1]:", "]"),
            ("true?1:", ""),
        ] {
            let text = format!("{}1{}", open.repeat(490), close.repeat(490));
            let (expr, _) = hcl::parse_expression(SourceId(0), &text);
            let host = Host::new();
            let functions = Functions::standard();
            let mut evaluator = Evaluator::new(&host, &functions, Options::default());
            evaluator.eval(&expr);
        }
    };
    // What worker threads have, with frames as large as they are without optimisation.
    let bytes = 2 << 20;
    std::thread::Builder::new().stack_size(bytes).spawn(run).expect("a thread").join().expect("no overflow");
}
