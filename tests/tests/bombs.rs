//! Templates that are small and ask for much: each ends in a coded error, none takes the machine along. What the limits
//! are is written down in `docs/design/limits.md`.

use std::fmt::Write as _;

use stackwright::{
    Error,
    stack::{Engine, PlanOptions},
    state::{
        MemoryStore,
        cipher::{AesGcmCipher, Key},
    },
    template::{Files, Options, Template},
};

/// Returns the codes of everything that is wrong with a template, without repetition.
async fn codes(files: &[(&str, String)]) -> Vec<String> {
    let engine = Engine::builder()
        .store(MemoryStore::new())
        .cipher(AesGcmCipher::new(Key::generate().expect("random bytes")))
        .build()
        .expect("an engine");
    let folder = std::env::temp_dir();
    let files = Files::from_texts(files.iter().map(|(path, text)| (*path, text.clone())));
    let (template, problems) = Template::parse(&files, &Options::default());
    let mut codes: Vec<String> = problems.iter().map(|problem| problem.code.to_string()).collect();
    if codes.is_empty() {
        let options = PlanOptions { root: Some(folder), ..PlanOptions::default() };
        let found = engine.stack("acme", "bomb").plan(&template, options).await.err();
        codes.extend(found.iter().flat_map(Error::diagnostics).map(|problem| problem.code.to_string()));
        codes.extend(found.iter().filter(|error| error.diagnostics().is_empty()).map(|error| error.code().to_owned()));
    }
    codes.sort();
    codes.dedup();
    codes
}

fn output(expression: &str) -> String {
    format!("output \"o\" {{\n  value = {expression}\n}}\n")
}

#[track_caller]
fn check(name: &str, files: &[(&str, String)], expected: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let found = runtime.block_on(codes(files));
    assert_eq!(found, [expected], "{name}");
}

#[test]
fn text_that_nests() {
    for (open, close) in
        [("[", "]"), ("(", ")"), ("{a=", "}"), ("-", ""), ("\"${", "}\""), ("f(", ")"), ("true ? 1 : ", "")]
    {
        let deep = format!("{}1{}", open.repeat(20_000), close.repeat(20_000));
        check(open, &[("main.tf", output(&deep))], "syntax.nesting");
    }
    let blocks =
        format!("resource \"terraform_data\" \"a\" {{\n{}{}}}\n", "b {\n".repeat(20_000), "}\n".repeat(20_000));
    check("blocks", &[("main.tf", blocks)], "syntax.nesting");
    check("operators", &[("main.tf", output("1+".repeat(20_000).trim_end_matches('+')))], "syntax.nesting");
    check("json", &[("main.tf.json", "{\"a\":".repeat(20_000))], "syntax.nesting");
    check("yaml", &[("main.tf.yaml", format!("a: {}", "[".repeat(20_000)))], "syntax.yaml");
}

#[test]
fn aliases_that_multiply() {
    let mut yaml = "locals:\n  a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let before = format!("*a{}, ", level - 1).repeat(10);
        let _ = writeln!(yaml, "  a{level}: &a{level} [{}]", before.trim_end_matches(", "));
    }
    check("in a template", &[("main.tf.yaml", yaml.clone())], "syntax.size");
    let text = yaml.replace('\n', "\\n").replace('"', "\\\"");
    check("in yamldecode", &[("main.tf", output(&format!("yamldecode(\"{text}\")")))], "eval.budget");
}

#[test]
fn values_that_grow() {
    let mut doubling = "locals {\n  a0 = \"0123456789abcdef\"\n".to_owned();
    let mut lists = "locals {\n  l0 = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]\n".to_owned();
    for level in 1..40 {
        let _ = writeln!(doubling, "  a{level} = \"${{local.a{0}}}${{local.a{0}}}\"", level - 1);
        let _ = writeln!(lists, "  l{level} = concat(local.l{0}, local.l{0})", level - 1);
    }
    for (name, expected, text) in [
        ("text that doubles", "eval.budget", format!("{doubling}}}\n{}", output("length(local.a39)"))),
        ("lists that double", "eval.budget", format!("{lists}}}\n{}", output("length(local.l39)"))),
        ("a range", "eval.budget", output("range(1000000000)")),
        (
            "loops in loops",
            "eval.budget",
            output("[for a in range(1000) : [for b in range(1000) : [for c in range(1000) : c]]]"),
        ),
        ("a product", "eval.budget", output("setproduct(range(1000), range(1000), range(1000))")),
        ("padding", "eval.function", output("format(\"%999999999d\", 1)")),
        ("an exponent", "syntax.number", output("1e999999999")),
        (
            "replacing",
            "eval.budget",
            output(
                "replace(replace(replace(join(\"\", [for a in range(1000) : \"aaaaaaaaaa\"]), \"a\", join(\"\", range(1000))), \"1\", join(\"\", range(1000))), \"2\", join(\"\", range(1000)))",
            ),
        ),
        ("a pattern", "eval.function", output("regex(\"((a{1000}){1000}){1000}\", \"a\")")),
        (
            "subnets",
            "eval.budget",
            output(
                "[for a in range(1000) : [for b in range(1000) : cidrsubnets(\"10.0.0.0/8\", [for c in range(1000) : 16]...)]]",
            ),
        ),
        ("deep json", "eval.function", output(&format!("jsondecode(\"{}\")", "[".repeat(5_000)))),
        ("deep yaml", "eval.function", output(&format!("yamldecode(\"{}\")", "[".repeat(5_000)))),
    ] {
        check(name, &[("main.tf", text)], expected);
    }
}

#[test]
fn instances_without_end() {
    let resource = |count: u32| format!("resource \"terraform_data\" \"r\" {{\n  count = {count}\n}}\n");
    let module = |count: u32| format!("module \"m\" {{\n  source = \"./m\"\n  count  = {count}\n}}\n");
    check("instances", &[("main.tf", resource(1_000_000_000))], "plan.budget");
    check("modules", &[("main.tf", module(1_000_000_000)), ("m/main.tf", resource(1))], "plan.budget");
    check("instances in modules", &[("main.tf", module(2)), ("m/main.tf", resource(1_000_001))], "plan.budget");
    let itself = "module \"m\" {\n  source = \"./\"\n}\n".to_owned();
    check("a module of itself", &[("main.tf", itself)], "template.source");
}

#[test]
fn paths_that_lead_out() {
    for path in ["../secret", "/etc/passwd", "a/../../secret", "./../secret"] {
        check(path, &[("main.tf", output(&format!("file(\"{path}\")")))], "eval.path_escape");
        check(path, &[("main.tf", output(&format!("templatefile(\"{path}\", {{}})")))], "eval.path_escape");
        check(path, &[("main.tf", output(&format!("filebase64sha256(\"{path}\")")))], "eval.path_escape");
    }
    check("fileset", &[("main.tf", output("fileset(\"..\", \"*\")"))], "eval.path_escape");
    for source in ["../../outside", "./m/../../outside"] {
        let text = format!("module \"m\" {{\n  source = \"{source}\"\n}}\n");
        check(source, &[("main.tf", text)], "template.source");
    }
}
