//! What is said when something is wrong, and what is not.

use super::*;

#[test]
fn every_problem_once() {
    check(
        "[1 + \"a\", var.nope, upper(), { a = 1 }.b, null + 1]",
        "eval.operand: `+` takes a number, not a string\n\
         template.reference: `var.nope` is not declared\n\
         eval.function: `upper`: it takes 1 argument, not 0: `str` is missing\n\
         eval.part: this object does not have an attribute named \"b\"\n\
         eval.null: an operand of `+` must not be null",
    );
}

#[test]
fn no_problem_makes_another() {
    check(
        "upper(var.nope.x[1].y + 1) == nosuch(2) ? 1 : 2",
        "template.reference: `var.nope` is not declared\neval.function_unknown: there is no function `nosuch`",
    );
    check("[for x in [1, 2, 3] : x.a]", "eval.part: can't access attributes on a primitive-typed value (number)");
}

#[test]
fn ways_out_are_shown() {
    let help = |text: &str| {
        let (_, findings) = run(&Host::new(), text);
        findings.diagnostics.into_iter().next().and_then(|problem| problem.help).unwrap_or_default()
    };
    assert_eq!(help("{ name = 1 }.nmae"), "did you mean `name`?");
    assert_eq!(help("uppr(1)"), "did you mean `upper`?");
    assert_eq!(
        help("var.users.name"),
        "choose an element first, as in `[0].name`, or take all of them with `[*].name`"
    );
    assert_eq!(help("var.zones[3]"), "indexes go from 0 to 2");
    assert_eq!(help("\"a\" + 1"), "texts are joined in a template: `\"${a}${b}\"`");
    assert_eq!(
        help("{ for u in [1, 1] : u => u }"),
        "write `...` after the value to collect the values of each key in a list"
    );
    assert_eq!(help("upper([])"), "it is called as `upper(str: string) -> string`");
}

#[test]
fn functions_name_what_is_wrong_with_them() {
    check(
        "cidrsubnet(\"x\", 1, 1)",
        "eval.function: `cidrsubnet`, argument `prefix`: `x` is not a network prefix in CIDR notation, such as 10.0.0.0/16",
    );
    check(
        "rsadecrypt(\"x\", \"y\")",
        "eval.function: `rsadecrypt`, argument `ciphertext`: it is not Base64: Invalid input length: 1",
    );
    check("provider::a::b(1)", "eval.function_unknown: the provider `a` has no function `b`");
    check(
        "cidrcontains(\"10.0.0.0/8\", \"10.0.0.1\")",
        "eval.function_unsupported: `cidrcontains` came with edition `stackwright` of the language",
    );
    check(
        "list(1)",
        "eval.function_unsupported: `list` was removed from the language: write `[a, b]` or `tolist([a, b])`",
    );
    check("core::upper(\"a\")", "\"A\"");
    check("type(1)", "eval.function_unsupported: `type` can only be called in a console");
    check("max([\"x\"]...)", "eval.function: `max`, argument `numbers`: a number is required");
    check("file(\"x\")", "eval.file: `file`, argument `path`: no file can be read here");
}

/// A secret is in every expression; whatever is wrong, it is not told.
#[test]
fn secrets_are_not_told() {
    for text in [
        "cidrhost(var.secret, 1)",
        "tonumber(var.secret)",
        "var.secret + 1",
        "var.secret ? 1 : 2",
        "{ a = 1 }[var.secret]",
        "var.tags[var.secret]",
        "[1][var.secret]",
        "sensitive({ hunter2 = 1 }).hunter3",
        "lookup({ a = 1 }, var.secret)",
        "{ for x in [var.secret, var.secret] : x => 1 }",
        "regex(var.secret, \"a\")",
        "regex(\"(\", var.secret)",
        "jsondecode(var.secret).x",
        "formatdate(var.secret, \"x\")",
        "format(\"%d\", var.secret)",
        "timeadd(var.secret, var.secret)",
        "parseint(var.secret, 10)",
        "file(var.secret)",
        "templatefile(var.secret, {})",
        "templatestring(var.secret, { (var.secret) = 1 })",
        "base64decode(var.secret)",
        "yamldecode(\"*${var.secret}\")",
        "csvdecode(\"a\\n${var.secret},\")",
        "uuidv5(var.secret, \"x\")",
        "textencodebase64(\"a\", var.secret)",
        "index([\"a\"], var.secret)",
        "\"${var.secret}${[]}\"",
        "acme_a.b[var.secret].nope",
        "one([var.secret, var.secret])",
        "var.secrets.nope",
        "0 / (length(var.secret) - 7)",
        "element([1], length(var.secret) - 8)",
        "range(0, 5, length(var.secret) - 7)",
        "zipmap([var.secret], [])",
        "transpose({ (var.secret) = [null] })",
        "setsubtract([var.secret], [{}])",
        "try(tonumber(var.secret))",
    ] {
        let (value, findings) = run(&Host::new(), text);
        let told = format!("{value:?} {:?} {}", findings.diagnostics, console_print(&value));
        // What the template itself says is no secret.
        let told = told.replace("hunter3", "");
        assert!(!told.contains("hunter2"), "{text}: {told}");
    }
}

#[test]
fn budgets_end_what_is_too_much() {
    let run = |text: &str, budget: Budget| {
        let host = Host::new();
        let functions = Functions::standard();
        let mut evaluator = Evaluator::new(&host, &functions, Options { budget, ..Options::default() });
        evaluator.eval(&parsed(text));
        evaluator.finish().diagnostics.iter().map(|problem| problem.code.to_string()).collect::<Vec<_>>()
    };
    let small = Budget { depth: 20, elements: 100, text_bytes: 1000, range: 50, pattern_bytes: 10_000, hash_cost: 4 };
    let deep = format!("{}1{}", "[".repeat(30), "]".repeat(30));
    for text in [
        &deep,
        "range(51)",
        "[for a in range(20) : [for b in range(20) : b]]",
        "setproduct(range(20), range(20))",
        "join(\"\", [for a in range(40) : format(\"%100d\", a)])",
        "replace(\"aaaaaaaaaa\", \"a\", \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\")",
        "indent(2000, \"a\\nb\")",
        "regex(\"\\\\pL{1000}\", \"a\")",
        "try(range(51), 1)",
        "can(range(51))",
        "split(\"\", join(\"\", [for a in range(20) : \"aaaaaaaaaa\"]))",
        "yamldecode(\"a: &a [1,2,3,4,5,6,7]\\nb: &b [*a,*a,*a,*a]\\nc: [*b,*b,*b,*b]\")",
    ] {
        assert_eq!(run(text, small), ["eval.budget"], "{text}");
    }
    assert_eq!(run("[for a in range(20) : a]", small), Vec::<String>::new());
}
