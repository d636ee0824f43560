use super::super::tests::problems;

fn vpc(name: &str, body: &str) -> String {
    format!("resource \"acme_vpc\" \"{name}\" {{\n{body}\n}}\n")
}

fn moved(from: &str, to: &str) -> String {
    format!("moved {{\n from = {from}\n to = {to}\n}}\n")
}

fn removed(from: &str, rest: &str) -> String {
    format!("removed {{\n from = {from}\n{rest}\n}}\n")
}

fn import(to: &str, id: &str) -> String {
    format!("import {{\n to = {to}\n id = {id}\n}}\n")
}

/// Compares all that is wrong with a template whose module `m` is called as `net`.
#[track_caller]
fn check(text: &str, expect: &[&str]) {
    let main = text.to_owned() + "module \"net\" {\n source = \"./m\"\n}\n";
    assert_eq!(problems(&[("main.tf", &main), ("m/main.tf", &vpc("inner", ""))]), expect, "{text}");
}

#[test]
fn sound_blocks_have_no_problem() {
    check(
        &(vpc("b", "count = 2")
            + &moved("acme_vpc.a", "acme_vpc.b[1]")
            + &moved("module.old[\"x\"]", "module.net")
            + &moved("module.gone", "module.net.module.deep[0]")
            + &moved("resource.acme_vpc.q", "module.net.acme_vpc.inner")
            + &moved("acme_vpc.b[7]", "acme_vpc.b[0]")
            + &removed("acme_vpc.x", "lifecycle {\n destroy = !true\n}")
            + &removed("module.gone.acme_vpc.x", "")
            + &removed("module.lost", "")
            + &import("acme_vpc.b[0]", "\"a\"")
            + &import("module.net.acme_vpc.inner", "var.id")
            + "variable \"id\" {}\nimport {\n for_each = { k = 1 }\n to = acme_vpc.b[each.value]\n id = \"${each.key}-x\"\n}\n"),
        &[],
    );
}

#[test]
fn moves_that_cannot_be_followed() {
    let b = vpc("b", "");
    check(
        &(b.clone() + &moved("acme_vpc.b", "acme_vpc.c")),
        &["5 template.moved <acme_vpc.b> `acme_vpc.b` is said to have moved, but it is still declared"],
    );
    check(
        &moved("module.net", "module.b"),
        &["2 template.moved <module.net> `module.net` is said to have moved, but it is still declared"],
    );
    check(
        &(b.clone() + &moved("acme_vpc.b", "acme_vpc.c[0]")),
        &["5 template.moved <acme_vpc.b> `acme_vpc.b` is said to have moved, but it is still declared"],
    );
    check(&moved("acme_vpc.a", "acme_vpc.a"), &["1 template.moved <moved> `acme_vpc.a` moves to where it is"]);
    check(
        &(moved("acme_vpc.a", "acme_vpc.b") + &moved("acme_vpc.a", "acme_vpc.c") + &moved("acme_vpc.a", "acme_vpc.b")),
        &["7 template.moved <acme_vpc.c> `acme_vpc.a` moves to `acme_vpc.b` and to `acme_vpc.c`"],
    );
    check(
        &(moved("acme_vpc.a", "acme_vpc.c") + &moved("acme_vpc.b", "acme_vpc.c")),
        &["6 template.moved <acme_vpc.b> `acme_vpc.a` and `acme_vpc.b` both move to `acme_vpc.c`"],
    );
    check(
        &(moved("acme_vpc.a", "acme_vpc.b") + &moved("acme_vpc.b", "acme_vpc.c") + &moved("acme_vpc.c", "acme_vpc.a")),
        &[
            "5 template.moved <moved> these moves lead in a circle: `acme_vpc.b` moves to `acme_vpc.c`, `acme_vpc.c` moves to `acme_vpc.a`, `acme_vpc.a` moves to `acme_vpc.b`",
        ],
    );
    check(
        &moved("data.acme_zone.a", "data.acme_zone.b"),
        &["2 template.moved <data.acme_zone.a> a data source has no object that could move"],
    );
}

#[test]
fn moves_that_cannot_be_read() {
    for (from, to, expect) in [
        (
            "acme_vpc.a",
            "module.b",
            "3 template.moved <module.b> a module becomes no resource, and a resource no module",
        ),
        ("acme_vpc", "acme_vpc.b", "2 template.moved <acme_vpc> `acme_vpc` is followed by the name of a resource"),
        ("module", "acme_vpc.b", "2 template.moved <module> `module` is followed by the name of a call"),
        ("data", "acme_vpc.b", "2 template.moved <data> a type and a name are missing here"),
        (
            "acme_vpc.a.id",
            "acme_vpc.b",
            "2 template.moved <.id> nothing follows the name of a resource but a key in brackets",
        ),
        ("acme_vpc.a.0", "acme_vpc.b", "2 template.moved <.0> a key stands in brackets"),
        ("acme_vpc.a[1.5]", "acme_vpc.b", "2 template.moved <acme_vpc.a[1.5]> a key is a whole number or a text"),
        ("acme_vpc.a[null]", "acme_vpc.b", "2 template.moved <acme_vpc.a[null]> a key is a whole number or a text"),
        (
            "acme_vpc.a[var.x]",
            "acme_vpc.b",
            "2 template.static <acme_vpc.a[var.x]> `from` takes an address that is written out",
        ),
        (
            "acme_vpc.a[*]",
            "acme_vpc.b",
            "2 template.static <acme_vpc.a[*]> `from` takes an address that is written out",
        ),
        (
            "acme_vpc.a",
            "\"acme_vpc.b\"",
            "3 template.static <\"acme_vpc.b\"> `to` takes an address that is written out",
        ),
    ] {
        check(&moved(from, to), &[expect]);
    }
    check("moved {\n from = a.b\n}\n", &["1 template.missing <moved> the argument `to` is missing in a `moved` block"]);
    check(
        "moved \"x\" {\n from = a.b\n to = a.c\n}\n",
        &["1 template.label <moved \"x\"> a `moved` block has no label"],
    );
    check(
        "moved {\n from = a.b\n to = a.c\n why = 1\n}\n",
        &["4 template.argument <why> there is no argument `why` in a `moved` block"],
    );
}

#[test]
fn removals_that_cannot_be_followed() {
    check(
        &(vpc("b", "") + &removed("acme_vpc.b", "")),
        &["5 template.removed <acme_vpc.b> `acme_vpc.b` is said to be removed, but it is still declared"],
    );
    check(
        &removed("module.net", ""),
        &["2 template.removed <module.net> `module.net` is said to be removed, but it is still declared"],
    );
    check(
        &removed("module.net.acme_vpc.inner", ""),
        &[
            "2 template.removed <module.net.acme_vpc.inner> `module.net.acme_vpc.inner` is said to be removed, but it is still declared",
        ],
    );
    for from in ["acme_vpc.a[0]", "module.x[\"k\"]", "module.x[0].acme_vpc.a"] {
        check(
            &removed(from, ""),
            &[&format!("2 template.removed <{from}> `removed` names blocks, not single instances of them")],
        );
    }
    check(
        &removed("data.acme_zone.a", ""),
        &["2 template.removed <data.acme_zone.a> a data source has no object that could be removed"],
    );
    check(
        &(removed("acme_vpc.a", "lifecycle {\n destroy = false\n}") + &removed("acme_vpc.a", "")),
        &["7 template.removed <removed> two blocks say different things about `acme_vpc.a`"],
    );
    check(
        &removed("acme_vpc.a", "lifecycle {\n destroy = var.x\n}\nprovisioner \"local-exec\" {}\n"),
        &[
            "4 template.static <var.x> nothing can be referred to here",
            "6 template.unsupported <provisioner \"local-exec\"> `provisioner` in a `removed` block is not supported yet",
        ],
    );
    check(
        &removed("acme_vpc.a", "lifecycle {\n destroy = null\n prevent_destroy = true\n}\n"),
        &[
            "4 template.static <null> `destroy` cannot be null",
            "5 template.argument <prevent_destroy> there is no argument `prevent_destroy` in the `lifecycle` block of a `removed` block",
        ],
    );
    check(&removed("acme_vpc.a", "lifecycle {\n}\n"), &[]);
}

#[test]
fn words_of_references_are_no_types() {
    for word in ["var", "local", "each", "self"] {
        let b = vpc("b", "");
        check(
            &(b + &moved(&format!("{word}.x"), "acme_vpc.b")),
            &[&format!("5 template.moved <{word}> `{word}` is no resource type")],
        );
    }
}

#[test]
fn imports_are_evaluated_as_far_as_can_be_told() {
    let b = vpc("b", "");
    let check = |text: String, expect: &[&str]| check(&(b.clone() + &text), expect);
    check(import("acme_vpc.b", "null"), &["6 template.value <null> `id` cannot be null"]);
    check(import("acme_vpc.b", "[1]"), &["6 template.value <[1]> `id` does not fit: string required"]);
    check(
        import("acme_vpc.b", "\"a\".x"),
        &["6 eval.part <.x> can't access attributes on a primitive-typed value (string)"],
    );
    check(
        "import {\n for_each = sensitive(1)\n to = acme_vpc.b\n id = each.key\n}\n".to_owned(),
        &["5 template.value <sensitive(1)> `for_each` of an `import` block takes a collection"],
    );
    check("import {\n for_each = [\"x\"]\n to = acme_vpc.b\n id = each.value\n}\n".to_owned(), &[]);
}

#[test]
fn imports_that_cannot_be_followed() {
    let b = vpc("b", "count = 2");
    check(
        &import("acme_vpc.a", "\"x\""),
        &["2 template.import <acme_vpc.a> the template does not declare `acme_vpc.a`"],
    );
    check(
        &import("module.net.acme_vpc.other", "\"x\""),
        &["2 template.import <module.net.acme_vpc.other> the template does not declare `module.net.acme_vpc.other`"],
    );
    for to in ["module.net", "data.acme_zone.a"] {
        check(&import(to, "\"x\""), &[&format!("2 template.import <{to}> only a managed resource can be adopted")]);
    }
    check(
        &(b.clone()
            + &import("acme_vpc.b[0]", "\"x\"")
            + &import("acme_vpc.b[1]", "\"y\"")
            + &import("acme_vpc.b[0]", "\"z\"")),
        &["13 template.import <acme_vpc.b[0]> `acme_vpc.b` is adopted twice"],
    );
    check(
        &(b.clone() + &import("acme_vpc.b[local.i]", "\"x\"") + "locals {\n i = 1\n}\n"),
        &["5 template.static <local.i> nothing can be referred to here"],
    );
    check(
        &(b.clone() + "import {\n for_each = toset([\"0\"])\n to = acme_vpc.b[tonumber(each.key)]\n id = \"x\"\n}\n"),
        &["6 template.import <tonumber> a key here is made of `each.key` and `each.value` only"],
    );
    check(
        &(b.clone() + &import("acme_vpc.b[0]", "acme_vpc.b[1].id")),
        &["6 template.import <acme_vpc.b[1].id> the id cannot come from what is being adopted"],
    );
    check(
        &(b.clone() + &import("acme_vpc.b[0]", "each.key")),
        &["6 template.context <each.key> `each.key` means nothing here"],
    );
    check(
        &(b.clone() + &import("acme_vpc.b[0]", "var.nothing")),
        &["6 template.reference <var.nothing> there is no variable `nothing`"],
    );
    check(
        &(b.clone() + "import {\n to = acme_vpc.b[0]\n id = \"x\"\n provider = acme\n}\n"),
        &["7 template.import <provider = acme> what is adopted belongs to the provider that its own block names"],
    );
    check(
        &(b + "import {\n to = acme_vpc.b[0]\n}\n"),
        &["4 template.missing <import> the argument `id` is missing in an `import` block"],
    );
    let inner = vpc("inner", "") + &import("acme_vpc.inner", "\"x\"");
    assert_eq!(
        problems(&[("main.tf", "module \"net\" {\n source = \"./m\"\n}\n"), ("m/main.tf", &inner)]),
        ["4 template.import <import> only the root module can adopt objects"]
    );
}

#[test]
fn json_says_the_same() {
    let text = r#"{
      "resource": { "acme_vpc": { "b": { "count": 2 } } },
      "moved": [{ "from": "acme_vpc.a", "to": "acme_vpc.b[1]" }],
      "removed": { "from": "acme_vpc.x", "lifecycle": { "destroy": false } },
      "import": [{ "for_each": { "k": 0 }, "to": "acme_vpc.b[each.value]", "id": "${each.key}-x" }]
    }"#;
    assert_eq!(problems(&[("main.tf.json", text)]), Vec::<String>::new());
    let (template, _) = crate::template::testing::parse_files(&[("main.tf.json", text)]);
    let root = template.root();
    assert_eq!(root.moved[0].to.to_string(), "acme_vpc.b[1]");
    assert_eq!((root.removed[0].from.to_string(), root.removed[0].destroy), ("acme_vpc.x".to_owned(), false));
    assert_eq!(root.imports[0].target.path().to_string(), "acme_vpc.b");
    let broken = text.replace("\"acme_vpc.x\"", "\"acme_vpc.b\"");
    assert_eq!(problems(&[("main.tf.json", &broken)]).len(), 1);
}

#[test]
fn checks_that_are_none() {
    let assert = |condition: &str| format!("assert {{\n condition = {condition}\n error_message = \"m\"\n}}\n");
    let with = |body: &str| format!("check \"c\" {{\n{body}}}\n");
    let data = "data \"acme_zone\" \"z\" {\n name = \"z\"\n}\n";
    let vpc = vpc("b", "");
    check(&(with(&(data.to_owned() + &assert("data.acme_zone.z.id != acme_vpc.b.id"))) + &vpc), &[]);
    check(&with(""), &["1 template.missing <check \"c\"> a `check` block needs at least one `assert` block"]);
    check(&with(&assert("1 == 2")), &["3 template.condition <1 == 2> the condition always has the same result"]);
    check(&with(&assert("self.id == 1")), &["3 template.context <self.id> `self` means nothing here"]);
    check(
        &(with(&assert("acme_vpc.b.id == 1")) + &vpc + &with(&assert("acme_vpc.b.id == 2"))),
        &["10 template.duplicate <check \"c\"> the check `c` is declared twice"],
    );
    let twice = with(&(data.to_owned() + data + &assert("data.acme_zone.z.id == 1")));
    check(&twice, &["5 template.duplicate <data> a second `data` block in a `check` block"]);
    let odd = data.replace("name =", "count = 2\n lifecycle {}\n name =");
    check(
        &with(&(odd + &assert("data.acme_zone.z.id == 1"))),
        &[
            "3 template.argument <count> a data source inside of a `check` block has no `count`",
            "4 template.block <lifecycle> a data source inside of a `check` block has no `lifecycle`",
        ],
    );
    let scoped = with(&(data.to_owned() + &assert("data.acme_zone.z.id == 1")));
    check(
        &(scoped.clone() + "output \"o\" {\n value = data.acme_zone.z.id\n depends_on = [data.acme_zone.z]\n}\n"),
        &[
            "11 template.reference <data.acme_zone.z.id> `data.acme_zone.z` is there for the check `c` alone",
            "12 template.reference <data.acme_zone.z> `data.acme_zone.z` is there for the check `c` alone",
        ],
    );
    check(
        &(scoped + "check \"d\" {\n" + &assert("data.acme_zone.z.id == 1") + "}\n"),
        &["12 template.reference <data.acme_zone.z.id> `data.acme_zone.z` is there for the check `c` alone"],
    );
    let json = r#"{ "resource": { "acme_vpc": { "b": {} } }, "check": { "c": {
      "data": { "acme_zone": { "z": { "name": "z" } } },
      "assert": [{ "condition": "${data.acme_zone.z.id != acme_vpc.b.id}", "error_message": "m" }]
    } } }"#;
    assert_eq!(problems(&[("main.tf.json", json)]), Vec::<String>::new());
}
