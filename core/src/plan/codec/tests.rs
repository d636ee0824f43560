use std::{collections::BTreeMap, sync::Arc};

use super::{decode, encode, hash};
use crate::{
    plan::{RowUpdate, testing::World},
    state::{
        StackKey,
        cipher::{AesGcmCipher, Key},
        codec::Sealer,
    },
    value::Value,
};

fn sealer() -> Sealer {
    let key = Key::generate().expect("random bytes");
    Sealer::new(Arc::new(AesGcmCipher::new(key)), StackKey::new("acme", "shop"))
}

const TEXT: &str = r#"
variable "v" {
  sensitive = true
}
resource "thing" "a" {
  count  = 2
  name   = "n ${var.v}"
  secret = "s3cret"
  tags   = { object = "x", dependencies = "y" }
}
resource "thing" "b" {
  name = join(",", thing.a[*].id)
}
data "lookup" "d" {
  query = thing.b.id
}
output "o" {
  value     = data.lookup.d.answer
  sensitive = true
}
"#;

fn world() -> World {
    let mut world = World::default();
    world.variables.insert("v".to_owned(), Value::string("hunter2"));
    world
}

#[test]
fn plans_come_back_as_they_were() {
    let sealer = sealer();
    let mut world = world();
    let first = world.plan(TEXT);
    world.run(&first);
    world.drift("thing.a[0]", "size", Value::number(5));
    let gone = world.object("thing.a[1]");
    world.objects.remove(&gone);
    world.options.imports.insert("thing.c".parse().expect("an address"), "abc".to_owned());
    let second = world.plan(&format!("{TEXT}resource \"thing\" \"c\" {{\n}}\n"));
    for plan in [first, second] {
        let bytes = encode(&plan, &sealer).expect("bytes");
        assert_eq!(decode(&bytes, &sealer).expect("a plan"), plan);
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains("hunter2") && !text.contains("s3cret"), "{text}");
        let mut bad = bytes.to_vec();
        bad[200] ^= 1;
        assert_eq!(decode(&bad, &sealer).expect_err("changed").code(), "store.corrupt");
        let other = Sealer::new(
            Arc::new(AesGcmCipher::new(Key::generate().expect("random bytes"))),
            StackKey::new("acme", "shop"),
        );
        assert_eq!(decode(&bytes, &other).expect_err("another key").code(), "cipher.open_failed");
    }
}

#[test]
fn the_hash_does_not_hang_on_ids_order_or_time() {
    let mut world = world();
    let plan = world.plan(TEXT);
    let expect = hash(&plan).expect("a hash");
    world.next_id = 0xffff_0000;
    world.reverse = true;
    let mut again = world.plan(TEXT);
    assert_ne!(again.changes[0].object, plan.changes[0].object);
    again.inputs.timestamp.0 += 1000;
    assert_eq!(hash(&again).expect("a hash"), expect);
    // Ids that sort the other way round.
    let ids: Vec<_> = again.changes.iter().filter_map(|change| change.object).collect();
    let turned: BTreeMap<_, _> = ids.iter().zip(ids.iter().rev()).collect();
    let turn = |id: &mut crate::state::ObjectId| *id = turned.get(id).map_or(*id, |other| **other);
    let mut again = again.clone();
    again.changes.iter_mut().for_each(|change| change.object.iter_mut().for_each(turn));
    for step in &mut again.steps {
        step.object_id.iter_mut().for_each(turn);
        step.dependencies.iter_mut().for_each(turn);
        step.dependencies.sort_unstable();
    }
    assert_eq!(hash(&again).expect("a hash"), expect);
}

#[test]
fn the_hash_hangs_on_what_is_done() {
    let mut world = world();
    let plan = world.plan(TEXT);
    let expect = hash(&plan).expect("a hash");
    for text in [
        TEXT.replace("\"x\"", "\"z\""),
        TEXT.replace("count  = 2", "count  = 3"),
        TEXT.replace("s3cret", "s3cr3t"),
        TEXT.replace("\"y\"", "\"w\""),
    ] {
        assert_ne!(hash(&world.plan(&text)).expect("a hash"), expect, "{text}");
    }
    world.variables.insert("v".to_owned(), Value::string("other"));
    assert_ne!(hash(&world.plan(TEXT)).expect("a hash"), expect);
    let mut other = plan.clone();
    other.steps[0].create_before_destroy = true;
    assert_ne!(hash(&other).expect("a hash"), expect);
    let mut other = plan;
    other.row_updates.push(RowUpdate::Remove(crate::state::ObjectId::from_u128(7)));
    assert_ne!(hash(&other).expect("a hash"), expect);
}
