//! What the host is asked for: exactly what is used, once per place.

use super::*;

fn asked(text: &str) -> Vec<String> {
    let host = Host::new();
    run(&host, text);
    host.asked.into_inner()
}

#[test]
fn one_instance_and_no_other() {
    assert_eq!(asked("acme_a.b[count.index].id"), ["count.index", "acme_a.b[2]"]);
    assert_eq!(asked("acme_a.b[each.key].id"), ["each.key", "acme_a.b[\"k\"]"]);
    assert_eq!(asked("acme_a.b[0].id"), ["acme_a.b[0]"]);
    assert_eq!(asked("acme_a.b.0.id"), ["acme_a.b[0]"]);
    assert_eq!(asked("acme_a.b[\"x\"].id"), ["acme_a.b[\"x\"]"]);
    assert_eq!(asked("acme_a.b[\"${each.key}-1\"]"), ["each.key", "acme_a.b[\"k-1\"]"]);
    assert_eq!(asked("[for z in [1, 2] : acme_a.b[z].id]"), ["acme_a.b[1]", "acme_a.b[2]"]);
    assert_eq!(asked("data.acme_a.b[count.index + 1].id"), ["count.index", "data.acme_a.b[3]"]);
    assert_eq!(asked("resource.acme_a.b[1].id"), ["acme_a.b[1]"]);
}

#[test]
fn the_whole_where_the_whole_is_used() {
    assert_eq!(asked("acme_a.b.id"), ["acme_a.b"]);
    assert_eq!(asked("acme_a.b[*].id"), ["acme_a.b"]);
    assert_eq!(asked("values(acme_a.b)"), ["acme_a.b"]);
    assert_eq!(asked("acme_a.b[var.unknown].id"), ["var.unknown", "acme_a.b"]);
    assert_eq!(asked("acme_a.b[-1].id"), ["acme_a.b"]);
    assert_eq!(asked("acme_a.b[var.pending].id"), ["var.pending"], "which one is meant decides");
    assert_eq!(asked("local.typed_list[var.pending]"), ["var.pending", "local.typed_list"]);
    assert_eq!(asked("data.acme_a.b"), ["data.acme_a.b"]);
}

#[test]
fn outputs_of_modules() {
    assert_eq!(asked("module.m.out.x"), ["module.m.out"]);
    assert_eq!(asked("module.m[\"k\"].out"), ["module.m[\"k\"].out"]);
    assert_eq!(asked("module.m[each.key].out.x"), ["each.key", "module.m[\"k\"].out"]);
    assert_eq!(asked("module.m[count.index]"), ["count.index", "module.m[2]"]);
    assert_eq!(asked("module.m[*].out"), ["module.m"]);
    assert_eq!(asked("module.m"), ["module.m"]);
}

#[test]
fn of_an_arm_that_is_not_taken_only_the_type() {
    assert_eq!(asked("true ? acme_a.b.id : local.typed_text"), ["acme_a.b", "type typed_text"]);
    assert_eq!(asked("var.name == \"x\" ? local.typed_text : 1"), ["var.name", "type typed_text"]);
    check("true ? 1 : local.typed_text", "\"1\"");
    check("false ? [for x in local.typed_list : x] : [\"a\"]", "[\n  \"a\",\n]");
    check("false ? local.typed_list : [\"a\"]", "tolist([\n  \"a\",\n])");
    // Where types do not tell the arm's own, its values do.
    assert_eq!(asked("true ? 1 : local.typed_any"), ["type typed_any", "local.typed_any"]);
    check("true ? 1 : local.typed_any", "\"1\"");
    assert_eq!(
        asked("true ? [] : [for x in local.typed_list : x]"),
        ["type typed_list", "local.typed_list"],
        "how many elements there are is part of the type"
    );
    // Inside of it, nothing is taken.
    assert_eq!(
        asked("true ? \"\" : local.typed_text_a == \"x\" ? local.typed_text_b : local.typed_text_c"),
        ["type typed_text_a", "type typed_text_b", "type typed_text_c"]
    );
    // Both where nobody knows which.
    assert_eq!(asked("var.unknown == \"a\" ? acme_a.b.id : acme_a.c.id"), ["var.unknown", "acme_a.b", "acme_a.c"]);
    // It leaves no trace: neither in what `try` decides by, nor in what was drawn.
    check("try(true ? var.name : local.typed_text, \"other\")", "\"app\"");
    check("true ? \"a\" : local.typed_text.x", "\"a\"");
}

#[test]
fn bound_names_ask_for_nothing() {
    assert_eq!(asked("[for acme_a in [{ b = 1 }] : acme_a.b]"), Vec::<String>::new());
}

#[test]
fn everything_pending_is_asked_for_in_one_pass() {
    let host = Host::new();
    let text = "[local.pending_a, upper(local.pending_b), local.pending_c.x[local.pending_d], local.pending_e ? 1 : local.pending_f, \
        [for x in local.pending_g : x], \"${local.pending_h}-${local.pending_i}\", try(local.pending_j, 1)]";
    let (value, findings) = run(&host, text);
    assert_eq!(findings.diagnostics, []);
    assert!(findings.pending && !value.is_wholly_known());
    // But for what stands behind a condition: it may not be wanted.
    assert_eq!(host.asked.borrow().len(), 9, "{:?}", host.asked.borrow());
    let (_, findings) = run(&Host::new(), "var.name");
    assert!(!findings.pending);
}

#[test]
fn what_may_be_wanted_once_more_is_known_is_asked_for() {
    let whole = ["var.unknown_list", "acme_a.b"];
    assert_eq!(asked("[for x in var.unknown_list : acme_a.b[x].id]"), whole);
    assert_eq!(asked("{ for k, v in var.unknown_list : acme_a.b[k].id => v }"), whole);
    assert_eq!(asked("\"%{ for x in var.unknown_list }${acme_a.b[x].id}%{ endfor }\""), whole);
    assert_eq!(asked("var.open[*].x[acme_a.b.n]"), ["var.open", "acme_a.b"]);
    // A condition is asked whether it can be one before the elements are known.
    let behind = ["var.unknown", "var.unknown", "acme_a.b[1]"];
    assert_eq!(asked("[for x in [1] : acme_a.b[x].id if var.unknown == \"a\"]"), behind);
    assert_eq!(asked("{ for x in [1] : acme_a.b[x].id => x if var.unknown == \"a\" }"), behind);
    assert_eq!(asked("try(var.unknown, acme_a.b.id, acme_a.c.id)"), ["var.unknown", "acme_a.b", "acme_a.c"]);
    // Its problems are nobody's yet.
    assert!(!shown("[for x in var.unknown_list : acme_a.b.nope]").contains("eval."));
    assert!(!shown("try(var.unknown, acme_a.b.nope)").contains("eval."));
    // Behind what the host does not have yet nothing is asked for.
    for text in [
        "[for x in local.pending : acme_a.b[x].id]",
        "[for x in [1] : acme_a.b[x].id if local.pending]",
        "local.pending ? acme_a.b.id : acme_a.c.id",
        "\"%{ if local.pending }${acme_a.b.id}%{ endif }\"",
        "try(local.pending, acme_a.b.id)",
    ] {
        assert_eq!(asked(text), ["local.pending"], "{text}");
    }
}

#[test]
fn malformed_references_are_not_asked_for() {
    for text in ["var", "local", "each.nope", "count", "path.nope", "terraform.nope", "data.x", "lonely", "module"] {
        assert_eq!(asked(text), Vec::<String>::new(), "{text}");
        assert!(shown(text).starts_with("template.reference"), "{text}: {}", shown(text));
        // No other value mends that, so `try` does not hide it.
        assert!(shown(&format!("try({text}, 1)")).contains("template.reference"), "{text}");
    }
}
