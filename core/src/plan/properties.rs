//! What holds for every template: random blocks that refer to earlier ones, changed and planned again.

use std::{collections::BTreeMap, fmt::Write as _};

use proptest::prelude::*;

use super::{testing::*, *};
use crate::{address::Address, state::ObjectId};

#[derive(Clone, Debug)]
struct Spec {
    is_thing: bool,
    in_module: bool,
    count: Option<u8>,
    /// Earlier blocks that it refers to.
    uses: Vec<(prop::sample::Index, bool)>,
    kind: u8,
    size: u8,
    create_first: bool,
    present: bool,
}

fn spec() -> impl Strategy<Value = Spec> {
    (
        any::<bool>(),
        prop::bool::weighted(0.3),
        prop::option::weighted(0.4, 0_u8..3),
        prop::collection::vec((any::<prop::sample::Index>(), any::<bool>()), 0..3),
        0_u8..2,
        0_u8..3,
        prop::bool::weighted(0.25),
        prop::bool::weighted(0.85),
    )
        .prop_map(|(is_thing, in_module, count, uses, kind, size, create_first, present)| Spec {
            is_thing,
            in_module,
            count,
            uses,
            kind,
            size,
            create_first,
            present,
        })
}

/// Two versions of one template: the blocks of the second are those of the first with other contents.
fn versions() -> impl Strategy<Value = (Vec<Spec>, Vec<Spec>)> {
    prop::collection::vec((spec(), spec(), any::<bool>()), 1..9).prop_map(|list| {
        let second = |(first, second, same): &(Spec, Spec, bool)| {
            if *same {
                first.clone()
            } else {
                Spec { is_thing: first.is_thing, in_module: first.in_module, ..second.clone() }
            }
        };
        (list.iter().map(|(first, ..)| first.clone()).collect(), list.iter().map(second).collect())
    })
}

/// Writes the template; a block in a module gets what it refers to through a variable.
fn write(specs: &[Spec]) -> String {
    let (mut text, mut modules) = (String::new(), String::new());
    let type_of = |spec: &Spec| if spec.is_thing { "thing" } else { "free" };
    for (at, spec) in specs.iter().enumerate().filter(|(_, spec)| spec.present) {
        let mut inputs = Vec::new();
        let mut waits = Vec::new();
        for (index, by_value) in &spec.uses {
            if at == 0 {
                continue;
            }
            let other = index.index(at);
            let used = &specs[other];
            if !used.present {
                continue;
            }
            let name = format!("{}.n{other}", type_of(used));
            let (value, whole) = match (used.in_module, used.count) {
                (true, _) => (format!("module.m{other}.ids"), format!("module.m{other}")),
                (false, Some(_)) => (format!("join(\",\", {name}[*].id)"), name),
                (false, None) => (format!("{name}.id"), name),
            };
            if *by_value {
                inputs.push(value);
            } else {
                waits.push(whole);
            }
        }
        let mut body = String::new();
        if let Some(count) = spec.count {
            let _ = writeln!(body, "count = {count}");
        }
        let joined = format!("join(\"-\", [{}])", inputs.join(", "));
        let value = if spec.in_module { "var.in".to_owned() } else { joined.clone() };
        if spec.is_thing {
            let _ = writeln!(body, "name = {value}\nkind = \"k{}\"\nsize = {}", spec.kind, spec.size);
        } else {
            let _ = writeln!(body, "input = {value}\nreplace = {}", spec.kind);
        }
        if !waits.is_empty() && !spec.in_module {
            let _ = writeln!(body, "depends_on = [{}]", waits.join(", "));
        }
        if spec.create_first {
            body.push_str("lifecycle {\n create_before_destroy = true\n}\n");
        }
        let block = format!("resource \"{}\" \"n{at}\" {{\n{body}}}\n", type_of(spec));
        if spec.in_module {
            let waits = if waits.is_empty() { String::new() } else { format!("depends_on = [{}]\n", waits.join(", ")) };
            let _ = writeln!(text, "module \"m{at}\" {{\nsource = \"./m{at}\"\nin = {joined}\n{waits}}}");
            let name = format!("{}.n{at}", type_of(spec));
            let ids = if spec.count.is_some() { format!("join(\",\", {name}[*].id)") } else { format!("{name}.id") };
            let _ = write!(
                modules,
                "# file: m{at}/main.tf\nvariable \"in\" {{\n}}\n{block}output \"ids\" {{\nvalue = {ids}\n}}\n"
            );
        } else {
            text.push_str(&block);
        }
    }
    text + &modules
}

/// Every recorded edge, as addresses: the left was made with the right.
fn edges(world: &World) -> Vec<(Address, Address)> {
    let addresses: BTreeMap<ObjectId, Address> =
        world.rows.values().map(|row| (row.object_id, row.address.clone())).collect();
    let of = |row: &crate::state::Row| {
        let mut needed: Vec<_> = row.dependencies.iter().filter_map(|object| addresses.get(object)).cloned().collect();
        needed.extend(addresses.values().filter(|other| row.wholes.iter().any(|whole| whole.contains(other))).cloned());
        needed.into_iter().map(|needed| (row.address.clone(), needed)).collect::<Vec<_>>()
    };
    world.rows.values().flat_map(of).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    /// Invariants (a), (c), (g): running a plan keeps to its order, hands over nothing unknown (both checked while it
    /// runs), and leaves nothing to do.
    #[test]
    fn applying_leaves_nothing_to_do((first, second) in versions()) {
        let mut world = World::default();
        world.settle(&write(&first));
        world.settle(&write(&second));
        let rows = world.rows.values().filter(|row| row.status != crate::state::RowStatus::Current).count();
        prop_assert_eq!(rows, 0);
    }

    /// Invariant (b): neither the order of answers nor the ids of new objects matter.
    #[test]
    fn the_same_input_gives_the_same_plan((first, second) in versions()) {
        let mut world = World::default();
        world.apply(&write(&first));
        let text = write(&second);
        let plan = world.plan(&text);
        world.reverse = true;
        let turned = world.plan(&text);
        prop_assert_eq!(&plan, &turned);
        world.next_id += 12345;
        let other = world.plan(&text);
        prop_assert_eq!(codec::hash(&plan).expect("a hash"), codec::hash(&other).expect("a hash"));
        prop_assert_eq!(plan.to_string(), other.to_string());
    }

    /// Invariant (e): destroying goes backwards along recorded edges, without the template.
    #[test]
    fn destroying_goes_backwards((first, second) in versions()) {
        let mut world = World::default();
        world.apply(&write(&first));
        world.apply(&write(&second));
        let edges = edges(&world);
        world.options.mode = Mode::Destroy;
        world.apply("");
        prop_assert!(world.rows.is_empty());
        let place = |address: &Address| world.done.iter().position(|done| *done == format!("delete {address}"));
        for (user, used) in edges {
            prop_assert!(place(&user) < place(&used), "{} {} {:?}", user, used, world.done);
        }
    }

    /// Invariant (f): removing a block deletes exactly its instances.
    #[test]
    fn removing_a_block_deletes_exactly_its_instances((first, _) in versions(), pick in any::<prop::sample::Index>()) {
        let mut world = World::default();
        world.settle(&write(&first));
        let mut rest = first.clone();
        let at = pick.index(first.len());
        rest[at].present = false;
        let gone: Vec<String> = world.rows.values().map(|row| row.address.to_string()).filter(|address| {
            let name = format!(".n{at}");
            address.ends_with(&name) || address.contains(&format!("{name}["))
        }).collect();
        let plan = world.plan(&write(&rest));
        let mut deleted: Vec<String> = plan.changes.iter().filter(|change| change.action == Action::Delete).map(|change| change.address.to_string()).collect();
        deleted.sort();
        let mut expect = gone;
        expect.sort();
        prop_assert_eq!(deleted, expect);
    }

    /// An object goes only when nothing that exists was made with it, but for what is made anew with it or updated
    /// right after: a delete waits for every delete of its users.
    #[test]
    fn users_go_before_what_they_use((first, second) in versions()) {
        let mut world = World::default();
        world.apply(&write(&first));
        let before = edges(&world);
        world.apply(&write(&second));
        let place = |what: &str, address: &Address| world.done.iter().position(|done| *done == format!("{what} {address}"));
        for (user, used) in before {
            if let (Some(user_goes), Some(used_goes)) = (place("delete", &user), place("delete", &used)) {
                prop_assert!(user_goes < used_goes, "{} {} {:?}", user, used, world.done);
            }
        }
        for (user, used) in edges(&world) {
            let made = |address: &Address| place("create", address).or_else(|| place("update", address));
            if let (Some(user_made), Some(used_made)) = (made(&user), made(&used)) {
                prop_assert!(used_made < user_made, "{} {} {:?}", user, used, world.done);
            }
        }
    }
}
