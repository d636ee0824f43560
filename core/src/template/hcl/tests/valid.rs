use crate::{
    error::SourceId,
    template::{
        hcl::{parse, parse_expression, parse_template, parse_traversal},
        syntax::{ExprKind, Tail},
    },
};

use super::sketch::sketch;

fn check(text: &str, expected: &str) {
    let (expr, problems) = parse_expression(SourceId(0), text);
    assert_eq!(problems, [], "{text}");
    assert_eq!(sketch(&expr), expected, "{text}");
}

#[test]
fn operators_bind_as_they_should() {
    check("1 + 2 * 3 - 4", "(- (+ 1 (* 2 3)) 4)");
    check("a || b && c == d < e + f * g", "(|| a (&& b (== c (< d (+ e (* f g))))))");
    check("10 - 4 - 3", "(- (- 10 4) 3)");
    check("-a.b + !c", "(+ (- a.b) (! c))");
    check("!!a", "(! (! a))");
    check("-46+5", "(+ (- 46) 5)");
    check("a ? b : c ? d : e", "(? a b (? c d e))");
    check("a == b ? 1 : 2", "(? (== a b) 1 2)");
    check("(1 + 2) * 3", "(* (paren (+ 1 2)) 3)");
    check("foo-bar - 1", "(- foo-bar 1)");
    check("1 <= 2 != 3 >= 4 % 5", "(!= (<= 1 2) (>= 3 (% 4 5)))");
}

#[test]
fn literals() {
    check("null", "null");
    check("1e400", "1e400");
    check("1.50", "1.50");
    check(r#""a\tb\n\"\\\u00e9\U0001F600""#, "\"a\\tb\\n\\\"\\\\é😀\"");
    check(r#""""#, "\"\"");
    check(r#""$${x} %%{y} $$ %% $5 100%""#, "\"$${x} %%{y} $$ %% $5 100%\"");
    check(r#""$$$${x}""#, "\"$$$${x}\"");
}

#[test]
fn steps_and_splats() {
    check("a.b[0].c[\"x\"].d", "a.b[0].c[\"x\"].d");
    check("a.0.b", "a.0.b");
    check("a[i].b[0]", "(of (at a i) .b[0])");
    check("a[\"${b}\"]", "(at a (template b))");
    check("a[-1]", "(at a (- 1))");
    check("f(x).b", "(of (call f x) .b)");
    check("a.*.b.0[1]", "(of (Attribute a (of it .b.0)) [1])");
    check("a.*", "(Attribute a it)");
    check("a[*].b[0].c", "(Full a (of it .b[0].c))");
    check("a[*].b[i]", "(Full a (at (of it .b) i))");
    check("a[*].b[*].c", "(Full a (Full (of it .b) (of it .c)))");
    check("a.*.b[*].c", "(Full (Attribute a (of it .b)) (of it .c))");
    check("null[*]", "(Full null it)");
    check("[1][0]", "(of [1] [0])");
    check("{a=1}.a", "(of {a=1} .a)");
    check("true.x", "(of true .x)");
}

#[test]
fn collections() {
    check("[1, 2,]", "[1 2]");
    check("[\n1\n,\n2\n]", "[1 2]");
    check(
        "{a = 1, b : 2, \"c\" = 3, (d) = 4, 1 = 5, true = 6, null=7}",
        "{a=1 b=2 <\"c\">=3 <(paren d)>=4 <1>=5 true=6 null=7}",
    );
    check("{\n\n  a = 1\n  b = 2,\n  c = 3 # x\n}", "{a=1 b=2 c=3}");
    check("{\"${a}\" = 1}", "{<(template a)>=1}");
    check("{a.b = c.d}", "{<a.b>=c.d}");
    check("{}", "{}");
    check("f({\n a = 1\n}, [\n])", "(call f {a=1} [])");
    check("[for v in m : v]", "[for _ v m v _]");
    check("[for k, v in m : v if k != \"x\"]", "[for k v m v (!= k \"x\")]");
    check("{for k, v in m : k => v... if v}", "{for k v m k v... v}");
    check("{\nfor v in m :\n v.id => v\n}", "{for _ v m v.id v _}");
    check("provider::x::f(1, a...)", "(call provider::x::f 1 a...)");
    check("f()", "(call f )");
    check("f(1,)", "(call f 1)");
}

#[test]
fn templates() {
    check("\"a${b}c\"", "(template \"a\" b \"c\")");
    check("\"${b}\"", "(template b)");
    check("\" ${~ b}\"", "(template \"\" b)");
    check("\"x  ${~ b ~}  y\"", "(template \"x\" b \"y\")");
    check("\"${\"${\"deep ${1 + 1}\"}\"}\"", "(template (template (template \"deep \" (+ 1 1))))");
    check("\"${ {a = 1}.a }\"", "(template (of {a=1} .a))");
    check("\"${\n a\n}\"", "(template a)");
    check("\"%{ if a }x%{ else }y%{ endif }\"", "(template (if a \"x\" else \"y\"))");
    check("\"%{ if a ~} x %{~ endif }z\"", "(template (if a \"x\" else) \"z\")");
    check("\"%{ for i, z in l }${i}=${z};%{ endfor }\"", "(template (for i z l i \"=\" z \";\"))");
    check(
        "\"%{ for z in l }%{ if z }a%{ else }%{ if y }b%{ endif }%{ endif }%{ endfor }\"",
        "(template (for _ z l (if z \"a\" else (if y \"b\" else))))",
    );
    check("\"%{ if true }%{ endif }\"", "(template (if true else))");
}

#[test]
fn heredocs() {
    check("<<EOT\n  a\n b ${c} d\nEOT\n", "(heredoc \"  a\\n b \" c \" d\\n\")");
    check("<<-EOT\n    a\n\n      b\n    EOT\n", "(heredoc \"a\\n\\n  b\\n\")");
    check("<<-EOT\n    ${a}\n  b\n    EOT\n", "(heredoc \"  \" a \"\\nb\\n\")");
    check("<<-EOT\n${a}\n  b\nEOT\n", "(heredoc a \"\\n  b\\n\")");
    check("<<-EOT\n    a\n   \n    b\nEOT\n", "(heredoc \"a\\n   \\nb\\n\")");
    check("<<EOT\nEOT\n", "(heredoc)");
    check("<<EOT\n${~ a ~}\nEOT\n", "(heredoc \"\" a)");
    check("<<EOT\na \\n $${x} \"q\"\nEOT\n", "(heredoc \"a \\\\n $${x} \\\"q\\\"\\n\")");
    check("<<EOT\r\na\r\nEOT\r\n", "(heredoc \"a\\r\\n\")");
    check("<<EOT\nnot EOT\nEOTX\nEOT\n", "(heredoc \"not EOT\\nEOTX\\n\")");
    check("<<EOT\n${a} EOT\nEOT\n", "(heredoc a \" EOT\\n\")");
    check("[<<A\nx\nA\n, <<B\ny\nB\n]", "[(heredoc \"x\\n\") (heredoc \"y\\n\")]");
    check("<<A\n${<<A\nx\nA\n}\nA\n", "(heredoc (heredoc \"x\\n\") \"\\n\")");
}

/// `~` eats what is left of its own line in a heredoc, unlike in quotes.
#[test]
fn trimming_stops_at_a_line_of_a_heredoc() {
    check("<<EOT\na\n  %{~ if b ~}\n  c\n%{ endif }\nEOT\n", "(heredoc \"a\\n\" (if b \"  c\\n\" else) \"\\n\")");
    check("<<EOT\na\n%{~ if b }c%{ endif }\nEOT\n", "(heredoc \"a\" (if b \"c\" else) \"\\n\")");
    check("\"a\\n  %{~ if b ~}\\n  c%{ endif }\"", "(template \"a\" (if b \"c\" else))");
}

#[test]
fn bare_templates() {
    let check = |text: &str, expected: &str| {
        let (expr, problems) = parse_template(SourceId(0), text);
        assert_eq!(problems, [], "{text}");
        assert_eq!(sketch(&expr), expected, "{text}");
    };
    check("", "(template)");
    check("a \"b\" \\n ${c}\n", "(template \"a \\\"b\\\" \\\\n \" c \"\\n\")");
    check("${c}", "(template c)");
    check("$${x} $", "(template \"$${x} $\")");
    check("%{ for x in y ~}\n  ${x}\n%{ endfor ~}\nend", "(template (for _ x y \"  \" x \"\\n\") \"end\")");
}

#[test]
fn bodies() {
    let text = "\u{feff}# head\r\na = 1 // x\r\nblock l \"m n\" {\r\n  b = 2 /* y */\r\n  inner {}\r\n  one { c = 3 }\r\n}\r\nlast = [\r\n]";
    let (body, problems) = parse(SourceId(7), text);
    assert_eq!(problems, []);
    assert_eq!(body.attributes.len(), 2);
    let block = &body.blocks[0];
    assert_eq!((block.label(0), block.label(1), block.label(2)), (Some("l"), Some("m n"), None));
    assert_eq!((block.labels[0].quoted, block.labels[1].quoted), (false, true));
    assert_eq!(block.body.blocks.len(), 2);
    let slice = |span: crate::error::Span| &text[span.start as usize..span.end as usize];
    assert_eq!(slice(block.header_span()), "block l \"m n\"");
    assert_eq!(slice(block.body.blocks[1].span), "one { c = 3 }");
    assert_eq!(slice(block.body.blocks[1].body.span), " c = 3 ");
    assert_eq!((slice(block.open), slice(block.close)), ("{", "}"));
    assert_eq!(slice(body.attributes[1].expr.span), "[\r\n]");
    assert_eq!(body.attributes[1].span.source, SourceId(7));
    assert_eq!(slice(body.span), text);
}

#[test]
fn words_of_expressions_are_names_elsewhere() {
    let text = "for = 1\nif in { true = null }\nnull { for = 2 }\n";
    let (body, problems) = parse(SourceId(0), text);
    assert_eq!(problems, []);
    assert_eq!((body.attributes.len(), body.blocks.len()), (1, 2));
}

#[test]
fn every_expression_covers_its_text() {
    let text = "[\"a${b}\", f(x)[0].y, a.*.b[1], -(1 + 2), <<E\nx\nE\n, {k = v}, c ? d : e.f]";
    let (expr, _) = parse_expression(SourceId(0), text);
    let ExprKind::Tuple(items) = &expr.kind else { panic!("a tuple") };
    let slices: Vec<&str> = items.iter().map(|item| &text[item.span.start as usize..item.span.end as usize]).collect();
    assert_eq!(slices, ["\"a${b}\"", "f(x)[0].y", "a.*.b[1]", "-(1 + 2)", "<<E\nx\nE", "{k = v}", "c ? d : e.f"]);
}

#[test]
fn references_know_their_scope() {
    let refs = |text: &str| -> Vec<String> {
        let (expr, problems) = parse_expression(SourceId(0), text);
        assert_eq!(problems, []);
        expr.references()
            .iter()
            .map(|reference| {
                let mut name = text[reference.span.start as usize..reference.span.end as usize].to_owned();
                match reference.tail {
                    Tail::None => {}
                    Tail::Index(key, steps) => name.push_str(&format!("[{}]+{}", sketch(key), steps.len())),
                    Tail::Splat(_, each) => name.push_str(&format!("*{}", sketch(each))),
                }
                name
            })
            .collect()
    };
    assert_eq!(refs("a.b + [for k, v in c.d : k + v + e if f]"), ["a.b", "c.d", "e", "f"]);
    assert_eq!(refs("[for a in a : a]"), ["a"]);
    assert_eq!(refs("x[count.index].id"), ["x[count.index]+1", "count.index"]);
    assert_eq!(refs("x[*].id[y]"), ["x*(at (of it .id) y)", "y"]);
    assert_eq!(
        refs("\"${a}%{ for b in c }${b}%{ for d in b }${d}${b}${e}%{ endfor }%{ endfor }${b}\""),
        ["a", "c", "e", "b"]
    );
    assert_eq!(refs("{ (a) = b, c = d }"), ["a", "b", "d"]);
}

#[test]
fn forms_are_read_without_evaluation() {
    let (expr, _) = parse_expression(SourceId(0), "[a.b[\"c\"], all, \"x.y.0\"]");
    let list = expr.static_list().expect("a list");
    assert_eq!(list[0].as_traversal().map(|it| it.steps.len()), Some(2));
    assert_eq!(list[1].as_keyword(), Some("all"));
    assert_eq!(list[2].quoted_traversal().map(|it| it.steps.len()), Some(2));
    assert!(list[2].as_traversal().is_none());
    let (expr, _) = parse_expression(SourceId(0), "{ acme.a = acme.b, c = d }");
    let map = expr.static_map().expect("a map");
    assert_eq!(map[0].key.as_traversal().and_then(|it| it.attr(0).map(str::to_owned)), Some("a".to_owned()));
    assert_eq!(map[1].key.as_str(), Some("c"));
    let (expr, _) = parse_expression(SourceId(0), "optional(string, \"x\")");
    let call = expr.static_call().expect("a call");
    assert_eq!((call.name.as_str(), call.args.len()), ("optional", 2));
    assert_eq!(parse_traversal(SourceId(0), "module.x[\"a\"].b").0.map(|it| it.steps.len()), Some(3));
    assert_eq!(parse_traversal(SourceId(0), "a[b]").1.len(), 1);
}

#[test]
fn an_expression_may_span_lines_and_ends_with_the_text() {
    check("a +\n  b\n", "(+ a b)");
    let (_, problems) = parse_expression(SourceId(0), "a b");
    assert_eq!(problems.len(), 1);
    let (expr, problems) = parse_expression(SourceId(0), "");
    assert!(expr.is_invalid() && problems.len() == 1);
}
