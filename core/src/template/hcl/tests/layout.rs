use proptest::prelude::*;

use crate::{
    error::SourceId,
    template::{
        hcl::{format, parse, parse_expression, print, print_expression},
        syntax::{Body, Expr},
    },
};

use super::sketch::sketch_quoted;

const SAMPLE: &str = include_str!("../testdata/sample.tf");

fn check(text: &str, expected: &str) {
    let formatted = format(text).expect("it is well-formed");
    assert_eq!(formatted, expected, "{text}");
    assert_eq!(format(&formatted).as_deref(), Ok(expected), "twice: {text}");
}

fn shape(text: &str) -> Body {
    let (body, problems) = parse(SourceId(0), text);
    assert_eq!(problems, [], "{text}");
    body.without_spans()
}

/// All expected texts are what `terraform fmt` of 1.11.4 makes of them.
#[test]
fn formats_as_the_peer_does() {
    check("a=1", "a = 1\n");
    check("\u{feff}a=1\n", "a = 1\n");
    check("a=1\r\nb  = 2 # x\r\n", "a = 1\r\nb = 2 # x\r\n");
    check("foo {a=1}\nbar{\n}\n", "foo { a = 1 }\nbar {\n}\n");
    check("a = [\n1,\n2, # x\n3333 # y\n]\n", "a = [\n  1,\n  2,   # x\n  3333 # y\n]\n");
    check("a = f({\nb=1\nccc=2\n})\n", "a = f({\n  b   = 1\n  ccc = 2\n})\n");
    check(
        "x = -1 - -2 + !a\n y = a[0][ \"x\" ] . b.*.c [*]\n z= { a:1, \"b\" = 2 }\n",
        "x = -1 - -2 + !a\ny = a[0][\"x\"].b.*.c[*]\nz = { a : 1, \"b\" = 2 }\n",
    );
    check("  # c1\n  a = 1 # c\n\n  # c2\n", "# c1\na = 1 # c\n\n# c2\n");
    check("a = <<EOT\n  ${ x }\n  EOT\nbcd = 1\n", "a   = <<EOT\n  ${x}\n  EOT\nbcd = 1\n");
    check("\n\na = 1\n\n\nb = 2\n\n", "\n\na = 1\n\n\nb = 2\n\n");
    check("locals {\na = 1\n\n bbb = 2\n# c\ncccc = 3\n}\n", "locals {\n  a = 1\n\n  bbb = 2\n  # c\n  cccc = 3\n}\n");
    check("a = 1 # x\nb = {\n} # y\nccc = 3 # z\n", "a = 1 # x\nb = {\n}       # y\nccc = 3 # z\n");
    check("名前 = 1\na = 2 # 日本\n", "名前 = 1\na  = 2 # 日本\n");
    check("a = provider :: x :: f(1 , 2 ...)\n", "a = provider::x::f(1, 2...)\n");
    check(
        "a = [for x in [1]: x]\nb={for k,v in x: k=>v... if v>1}\n",
        "a = [for x in [1] : x]\nb = { for k, v in x : k => v... if v > 1 }\n",
    );
}

#[test]
fn old_spellings_become_modern_ones() {
    check("foo bar \"b\\u00e9\" /* c */ baz { # x\n}\n", "foo \"bar\" \"bé\" \"baz\" { # x\n}\n");
    check(
        "variable \"x\" {\n type=\"string\"\n}\nvariable y {\ntype = list\n}\n",
        "variable \"x\" {\n  type = string\n}\nvariable \"y\" {\n  type = list(any)\n}\n",
    );
    check("a = \"${\n foo(\n1)\n}\"\nc = \"${~ x ~}\"\nd=\"${ x }y\"\n", "a = (foo(\n1))\nc = x\nd = \"${x}y\"\n");
    check("a = \"${(x)}\"\nb = [\"${x}\"]\n", "a = (x)\nb = [\"${x}\"]\n");
}

/// The peer needs a second run for this one, and makes a line of nothing.
#[test]
fn one_run_is_enough() {
    check("a = \"${\"${x}\"}\"\n", "a = x\n");
    check("", "");
}

#[test]
fn broken_text_is_refused() {
    assert_eq!(format("a = 'x'\nb = 1 +\n").map_err(|problems| problems.len()), Err(2));
}

#[test]
fn formatting_keeps_what_is_said() {
    let formatted = format(SAMPLE).expect("it is well-formed");
    assert_eq!(shape(&formatted), shape(SAMPLE));
    assert_eq!(format(&formatted).as_deref(), Ok(formatted.as_str()));
    for comment in ["# A shop: network", "// a comment", "/* why not */"] {
        assert!(formatted.contains(comment), "{comment}");
    }
}

fn reads_back(text: &str) {
    let (expr, problems) = parse_expression(SourceId(0), text);
    assert_eq!(problems, [], "{text}");
    let printed = print_expression(&expr);
    let (again, problems) = parse_expression(SourceId(0), &format!("{printed}\n"));
    assert_eq!(problems, [], "{text} is printed as {printed}");
    assert_eq!(sketch_quoted(&again), sketch_quoted(&expr), "{text} is printed as {printed}");
}

#[test]
fn printed_expressions_read_back() {
    for text in [
        "1 + 2 * 3 - (4 - 5)",
        "-a.b + !c",
        "- -a",
        "a ? b : c ? d : e",
        "(a ? b : c) ? d : e",
        "a.b[0].c[\"x\"][y].z",
        "a.*.b.0[1]",
        "a[*].b[0][i].c",
        "a[*].b[*].c",
        "(a.*).b",
        "\"a${b}c\"",
        "\"${b}\"",
        "\" ${~ b}\"",
        "\"$\\u0024${b}%\\u0025%{ if a }%\\u0025%{ endif }\"",
        "\"$${x} %%{y} \\n\\t\\\"\\\\\\u0001\"",
        "[for k, v in m : v if k]",
        "{for k, v in m : k => v... if x}",
        "provider::x::f(1, a...)",
        "{a = 1, b : 2, \"c\" = 3, (d) = 4, 1 = 5, true = 6, e.f = 7}",
        "\"%{ if a ~} x %{ else }y%{ endif }%{ for k, v in l }${v}%{ endfor }\"",
        "<<EOT\n  a ${b} $${c}\nEOT\n",
        "<<-EOT\n    a\n      b\n   EOT\n",
        "<<E\nE\n",
        "<<E\n${a ~}\nE\n",
        "f(<<A\nx\nA\n, [<<B\n y\nB\n, 1], {a = <<C\nz\nC\n})",
        "{}",
        "[]",
        "f()",
        "[[1, 2], [{}]]",
        "null.x",
        "1e400",
        "a[\"${b}\"]",
        "\"${ {a = 1}.a }\"",
        "{\"for\" = 1}",
        "a[-1]",
        "f(aaaaaaaaaaaaaaaaaaaaaaaa, [bbbbbbbbbbbbbbbbbbbbbbbbbb, ccccccccccccccccccccccc], {ddddddddddd = eeeeeeeeeee, f = g})",
    ] {
        reads_back(text);
    }
}

#[test]
fn a_printed_body_reads_back_and_is_in_canonical_layout() {
    let (body, _) = parse(SourceId(0), SAMPLE);
    let printed = print(&body);
    assert_eq!(shape(&printed), body.without_spans());
    assert_eq!(format(&printed).as_deref(), Ok(printed.as_str()));
    insta::assert_snapshot!(printed);
}

/// Well-formed expressions of every form, as text.
fn expressions() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        Just("a".to_owned()),
        Just("var.b-c".to_owned()),
        Just("\"x\\n$${y}\"".to_owned()),
        (0..2000_u32).prop_map(|number| format!("{number}.5e1")),
        Just("<<-E\n   x ${a}\n  y\n  E\n".to_owned()),
    ];
    leaf.prop_recursive(4, 40, 3, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone(), proptest::sample::select(vec!["+", "-", "*", "%", "==", "<=", "&&", "||"]))
                .prop_map(|(a, b, op)| format!("({a} {op} {b})")),
            (inner.clone(), inner.clone(), inner.clone()).prop_map(|(a, b, c)| format!("({a}?{b}:{c})")),
            inner.clone().prop_map(|a| format!("(!{a})")),
            inner.clone().prop_map(|a| format!("-({a})")),
            proptest::collection::vec(inner.clone(), 0..3).prop_map(|items| format!("[ {}]", items.join(","))),
            proptest::collection::vec(inner.clone(), 0..3).prop_map(|items| format!("f ({} )", items.join(" , "))),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{{\n k={a}\n (\"l\"): ({b})\n}}")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("[for v in ({a}):{b} if v]")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{{for k,v in {a} : k=>({b})...}}")),
            inner.clone().prop_map(|a| format!("({a})[*].b[0]")),
            inner.clone().prop_map(|a| format!("a.*.b[({a})].c")),
            inner.clone().prop_map(|a| format!("\"t ${{~ {a} }} u$\"")),
            inner.clone().prop_map(|a| format!("\"${{{a}}}\"")),
            (inner.clone(), inner).prop_map(|(a, b)| format!("\"%{{if {a}~}} x %{{else}}${{ {b}}}%{{endif}}\"")),
        ]
    })
}

fn parsed(text: &str) -> Expr {
    let (expr, problems) = parse_expression(SourceId(0), text);
    assert_eq!(problems, [], "{text}");
    expr.without_spans()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_expression_is_printed_and_formatted_faithfully(text in expressions()) {
        let expr = parsed(&text);
        let printed = print_expression(&expr);
        let again = parsed(&format!("{printed}\n"));
        prop_assert_eq!(sketch_quoted(&again), sketch_quoted(&expr), "{} is printed as {}", text, printed);
        // In a call, so that nothing is unwrapped.
        let line = format!("x   =g( ({text}) )# c\ny=1\n");
        let formatted = format(&line).expect("it is well-formed");
        prop_assert_eq!(shape(&formatted), shape(&line), "{} is formatted as {}", line, formatted);
        prop_assert_eq!(format(&formatted).expect("it is well-formed"), formatted);
    }
}
