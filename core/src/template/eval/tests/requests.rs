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
    assert_eq!(asked("acme_a.b[var.pending].id"), ["var.pending", "acme_a.b"]);
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
    assert_eq!(host.asked.borrow().len(), 10, "{:?}", host.asked.borrow());
    let (_, findings) = run(&Host::new(), "var.name");
    assert!(!findings.pending);
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
