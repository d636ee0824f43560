//! Installations that go from one tenant or platform to another: owned by exactly one at every moment.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use serde_json::json;
use stackwright::{
    Result,
    application::{Actor, Applications, Installation, ProposeOptions, Receipt, Recovered, Standing, Transfer, Verb},
    form::Inputs,
    state::{
        MemoryStore, Store,
        cipher::{AesGcmCipher, Cipher, Key},
        testing::{Faults, FaultyStore},
    },
};
use stackwright_tests::{
    apps::{SECRET, Stage, carry, code, facts, inputs, install, parcel, parcel_of},
    thing::Made,
};

fn key() -> Arc<dyn Cipher> {
    Arc::new(AesGcmCipher::new(Key::from_bytes(b"another key: exactly 32 bytes!!!").expect("32 bytes")))
}

/// Another platform, with a disk of its own and the same cloud.
fn elsewhere(stage: &Stage) -> Stage {
    Stage { disk: Arc::new(MemoryStore::new()), ..stage.clone() }
}

async fn installed(stage: &Stage) -> Installation {
    let shop = stage.shop();
    assert!(install(&shop, &parcel("1.0.0"), &inputs("gz", 2)).await.is_success());
    stage.told.all();
    shop
}

fn open(bytes: &[u8]) -> Transfer {
    Transfer::open(bytes, &key()).expect("a transfer")
}

/// What there is, by key: nothing of it may be made anew by a transfer.
fn things(stage: &Stage) -> BTreeMap<String, Made> {
    stage.world.things()
}

async fn standing(one: &Installation) -> Standing {
    one.view().await.map_or(Standing::Removed, |view| view.standing)
}

#[tokio::test]
async fn what_is_handed_over_goes_on_as_it_is() {
    for other in [false, true] {
        let stage = Stage::default();
        let shop = installed(&stage).await;
        let (before, was) = (things(&stage), shop.view().await.expect("a view"));
        let bytes = shop.export(&key(), "sold").await.expect("a document");
        assert!(!String::from_utf8_lossy(&bytes).contains(SECRET));
        let transfer = open(&bytes);
        assert_eq!((transfer.from().to_string().as_str(), transfer.object_count()), ("acme/shop", 2));
        assert_eq!(transfer.package().to_string(), "coding 1.0.0");

        let there = if other { elsewhere(&stage) } else { stage.clone() };
        let mine = there.apps("globex", "bob").installation("site");
        let receipt = mine.import(&transfer, "bought").await.expect("a receipt");
        assert_eq!(mine.import(&transfer, "bought").await.expect("again"), receipt);
        assert_eq!(there.told.all(), ["register site true", "register site true"]);
        let receipt = Receipt::open(&receipt.seal(&key()).expect("bytes"), &key()).expect("a receipt");
        assert_eq!(standing(&shop).await, Standing::Leaving);
        shop.hand_over(&receipt).await.expect("handed over");
        shop.hand_over(&receipt).await.expect("again");
        assert_eq!((standing(&shop).await, standing(&mine).await), (Standing::Removed, Standing::Installed));
        assert_eq!(shop.recover().await.expect("nothing"), Recovered::Nothing);
        assert_eq!(things(&stage), before);
        assert_eq!(
            facts(&shop.audit().await.expect("an audit"))[2..],
            ["departing by alice", "departed to globex/site"]
        );
        assert_eq!(facts(&mine.audit().await.expect("an audit")), ["coding 1.0.0 arrived from acme/shop by bob"]);
        assert!(!there.ledger_text().await.contains(SECRET));

        // It has its name in tags, what was filled in and what it says of itself.
        let now = mine.view().await.expect("a view");
        assert_eq!((&now.app_id, &now.package), (&was.app_id, &was.package));
        let context = mine.context(&parcel("1.0.0").package().form, stackwright::form::Phase::Upgrade).await;
        assert_eq!(context.expect("a context").existing["note"].as_str(), Some(SECRET));
        assert!(mine.outputs().await.expect("outputs").contains_key("url"));
        assert_eq!(mine.views("en").await.expect("views").len(), 1);

        // Nothing is left where it was, and the name is free.
        assert!(shop.outputs().await.expect("outputs").is_empty());
        assert!(install(&shop, &parcel("1.0.0"), &inputs("bj", 1)).await.is_success());
        assert_ne!(shop.view().await.expect("a view").app_id, now.app_id);
        assert_eq!(things(&stage).len(), 4);

        // A change that fails there is undone with the template that came along, and everything is removed.
        let options = ProposeOptions::default();
        let broken = Inputs::of([("size", json!(5)), ("fault", json!("refuse update"))]);
        let proposal = mine.propose_upgrade(&parcel("1.0.0"), &broken, &options).await.expect("a proposal");
        assert!(!carry(&mine, proposal).await.is_success());
        let undo = mine.propose_undo(&options).await.expect("a proposal");
        assert!(carry(&mine, undo).await.is_success());
        let gone = mine.propose_uninstall(&options).await.expect("a proposal");
        assert!(carry(&mine, gone).await.is_success());
        assert!(things(&stage).keys().all(|id| !before.contains_key(id)));
    }
}

#[tokio::test]
async fn what_leaves_does_not_change() {
    let stage = Stage::default();
    let shop = installed(&stage).await;
    let options = ProposeOptions::default();
    let (early, package) = (shop.propose_uninstall(&options).await.expect("a proposal"), parcel("1.0.0"));
    let bytes = shop.export(&key(), "").await.expect("a document");
    let again = shop.export(&key(), "").await.expect("the same");
    assert_eq!(open(&bytes).id(), open(&again).id());
    assert_eq!(code(shop.propose_upgrade(&package, &Inputs::default(), &options).await), "installation.standing");
    assert_eq!(code(shop.propose_uninstall(&options).await), "installation.standing");
    assert_eq!(code(shop.propose_install(&package, &inputs("gz", 2), &options).await), "installation.standing");
    assert_eq!(code(shop.act(&package, "grow", &Inputs::default(), "").await), "installation.standing");
    let refused = shop.carry_out(early.clone(), &stackwright::application::CarryOptions::default()).await;
    assert_eq!(code(refused), "installation.standing");
    // Kept, it is as it was; what was proposed before is proposed anew.
    shop.keep().await.expect("kept");
    assert_eq!(code(shop.keep().await), "installation.standing");
    assert_eq!(standing(&shop).await, Standing::Installed);
    let refused = shop.carry_out(early, &stackwright::application::CarryOptions::default()).await;
    assert_eq!(code(refused), "installation.changed");
    let mine = stage.apps("globex", "bob").installation("site");
    assert_eq!(code(mine.import(&open(&bytes), "").await), "transfer.withdrawn");
    // The next way is another one.
    let next = open(&shop.export(&key(), "").await.expect("a document"));
    assert_ne!(next.id(), open(&bytes).id());
    let receipt = mine.import(&next, "").await.expect("a receipt");
    assert_eq!(code(shop.keep().await), "transfer.taken");
    let third = stage.apps("initech", "eve").installation("site");
    assert_eq!(code(third.import(&next, "").await), "transfer.taken");
    shop.hand_over(&receipt).await.expect("handed over");
    assert_eq!(code(shop.keep().await), "installation.standing");
    assert_eq!(code(shop.hand_over(&mine_receipt(&mine, &stage).await).await), "installation.standing");
}

/// Returns the receipt of another transfer, from one that has something.
async fn mine_receipt(mine: &Installation, stage: &Stage) -> Receipt {
    let bytes = mine.export(&key(), "").await.expect("a document");
    stage.apps("hooli", "gavin").installation("site").import(&open(&bytes), "").await.expect("a receipt")
}

#[tokio::test]
async fn what_cannot_be_is_refused_and_touches_nothing() {
    let stage = Stage::default();
    let shop = installed(&stage).await;
    let before = things(&stage);
    assert_eq!(
        code(stage.apps("acme", "alice").installation("none").export(&key(), "").await),
        "installation.standing"
    );
    stage.rules.forbid("carol", Verb::Transfer);
    let carols = stage.apps("acme", "carol").installation("shop");
    assert_eq!(code(carols.export(&key(), "").await), "installation.denied");
    assert_eq!(standing(&shop).await, Standing::Installed);
    let bytes = shop.export(&key(), "").await.expect("a document");
    // Another key, another document, not all of it, not it at all.
    let other: Arc<dyn Cipher> = Arc::new(AesGcmCipher::new(Key::generate().expect("a key")));
    assert_eq!(code(Transfer::open(&bytes, &other)), "cipher.open_failed");
    assert_eq!(code(Receipt::open(&bytes, &key())), "transfer.document");
    for bad in [&bytes[..bytes.len() / 2], &bytes[1..], b"", b"{}", SECRET.as_bytes()] {
        assert_eq!(code(Transfer::open(bad, &key())), "transfer.document");
    }
    let mut flipped = bytes.to_vec();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 1;
    assert_eq!(code(Transfer::open(&flipped, &key())), "transfer.document");
    // The name has to be free, and a name.
    let apps = stage.apps("globex", "bob");
    let taken = apps.installation("taken");
    let transfer = open(&bytes);
    assert!(install(&taken, &parcel("1.0.0"), &inputs("gz", 1)).await.is_success());
    assert_eq!(code(taken.import(&transfer, "").await), "installation.standing");
    assert_eq!(code(apps.installation("No Name").import(&transfer, "").await), "installation.name");
    stage.rules.forbid("dave", Verb::Install);
    assert_eq!(
        code(stage.apps("globex", "dave").installation("site").import(&transfer, "").await),
        "installation.denied"
    );
    assert_eq!(standing(&shop).await, Standing::Leaving);
    // Another's receipt lets nothing go.
    let blog = stage.apps("acme", "alice").installation("blog");
    assert!(install(&blog, &parcel("1.0.0"), &inputs("gz", 1)).await.is_success());
    let theirs = open(&blog.export(&key(), "").await.expect("a document"));
    let receipt = apps.installation("blog").import(&theirs, "").await.expect("a receipt");
    assert_eq!(code(shop.hand_over(&receipt).await), "transfer.receipt");
    assert_eq!(standing(&shop).await, Standing::Leaving);
    assert!(before.iter().all(|(id, made)| things(&stage).get(id) == Some(made)));
}

#[tokio::test]
async fn what_was_filled_in_makes_another_one_elsewhere() {
    let stage = Stage::default();
    let shop = installed(&stage).await;
    let transfer = open(&shop.export(&key(), "").await.expect("a document"));
    shop.keep().await.expect("kept");
    let mine = elsewhere(&stage).apps("globex", "bob").installation("site");
    assert!(install(&mine, &parcel("1.0.0"), &transfer.inputs()).await.is_success());
    assert_eq!(things(&stage).len(), 4);
    assert!(things(&stage).values().any(|made| made.name.starts_with("site-") && made.name.ends_with("-gz")));
}

#[tokio::test]
async fn objects_that_no_package_made_are_in_the_way() {
    let stage = Stage::default();
    let shop = installed(&stage).await;
    let transfer = open(&shop.export(&key(), "").await.expect("a document"));
    // A stack of that name has something already.
    let there = elsewhere(&stage);
    let engine = there.platform(there.disk.clone()).engine().clone();
    let stack = engine.stack("globex", "site");
    let mut files = stackwright::template::Files::new();
    files.insert("main.tf", "resource \"thing\" \"mine\" {\n  name = \"mine\"\n}\n");
    let (template, _) = engine.read(&files);
    let plan = stack.plan(&template, stackwright::stack::PlanOptions::default()).await.expect("a plan");
    let run = stack.apply(plan, stackwright::stack::ApplyOptions::default()).await.expect("begins");
    run.finish().await.expect("ends");
    let mine = there.apps("globex", "bob").installation("site");
    assert_eq!(code(mine.import(&transfer, "").await), "installation.occupied");
    assert_eq!(code(mine.view().await), "installation.unknown");
    assert_eq!(stack.state().await.expect("a state").rows.len(), 1);
}

#[tokio::test]
async fn packages_without_resources_are_handed_over_too() {
    let stage = Stage::default();
    let plain = parcel_of(&[
        ("package.yaml", "format: 1\nname: plain\nversion: 1.0.0\n"),
        ("template/main.tf", "variable \"name\" { type = string }\noutput \"name\" { value = var.name }\n"),
    ]);
    let shop = stage.shop();
    assert!(install(&shop, &plain, &Inputs::of([("name", json!("a"))])).await.is_success());
    let transfer = open(&shop.export(&key(), "").await.expect("a document"));
    let mine = stage.apps("globex", "bob").installation("site");
    // Whoever proposed an install of that name before is told that there is something now.
    let options = ProposeOptions::default();
    let early = mine.propose_install(&plain, &Inputs::of([("name", json!("b"))]), &options).await.expect("a proposal");
    shop.hand_over(&mine.import(&transfer, "").await.expect("a receipt")).await.expect("handed over");
    let refused = mine.carry_out(early, &stackwright::application::CarryOptions::default()).await;
    assert_eq!(code(refused), "installation.changed");
    assert_eq!(mine.outputs().await.expect("outputs")["name"].as_str(), Some("a"));
    // A change that never began leaves it installed.
    let upgrade =
        mine.propose_upgrade(&plain, &Inputs::of([("name", json!("c"))]), &options).await.expect("a proposal");
    let lease = stage
        .disk
        .acquire(mine.key(), "somebody", stackwright::event::Clock::now(&stage.clock), Duration::from_secs(9))
        .await
        .expect("held");
    let refused = mine.carry_out(upgrade, &stackwright::application::CarryOptions::default()).await;
    assert_eq!(code(refused), "lease.held");
    stage.disk.release(&lease).await.expect("given back");
    assert_eq!(standing(&mine).await, Standing::Installed);
}

/// What one process does to a transfer; it may die at any write.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Act {
    Export,
    Import,
    HandOver,
    Keep,
}

/// Everything that is to be done up to an act.
async fn until(act: Act, stage: &Stage) -> (Option<Transfer>, Option<Receipt>) {
    let shop = installed(stage).await;
    if act == Act::Export {
        return (None, None);
    }
    let transfer = open(&shop.export(&key(), "").await.expect("a document"));
    if act != Act::HandOver {
        return (Some(transfer), None);
    }
    let receipt = stage.apps("globex", "bob").installation("site").import(&transfer, "").await.expect("a receipt");
    (Some(transfer), Some(receipt))
}

async fn perform(
    act: Act,
    apps: &dyn Fn(&str) -> Applications,
    so_far: &(Option<Transfer>, Option<Receipt>),
) -> Result<()> {
    let shop = apps("acme").installation("shop");
    match (act, so_far) {
        (Act::Export, _) => shop.export(&key(), "").await.map(drop),
        (Act::Import, (Some(transfer), _)) => apps("globex").installation("site").import(transfer, "").await.map(drop),
        (Act::HandOver, (_, Some(receipt))) => shop.hand_over(receipt).await,
        (Act::Keep, _) => shop.keep().await,
        (Act::Import | Act::HandOver, _) => panic!("nothing was prepared"),
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

/// Lets one process try, and a later one do it again; returns how many writes the first came to.
fn attempt(act: Act, faults: Faults, what: &str) -> u64 {
    let stage = Stage::default();
    let so_far = runtime().block_on(until(act, &stage));
    let before = things(&stage);
    let store = Arc::new(FaultyStore::new(stage.disk.clone(), faults).hang_when_dead());
    let first = runtime();
    first.block_on(async {
        let apps = |tenant: &str| stage.platform(store.clone()).applications(Actor::new(tenant, "alice"));
        tokio::select! {
            biased;
            () = store.died() => {}
            done = perform(act, &apps, &so_far) => if let Err(error) = done {
                // It may say so where an answer was lost.
                assert_eq!(error.code(), "store.unavailable", "{what}");
            },
        }
    });
    drop(first);
    stage.clock.skip(Duration::from_secs(120));
    runtime().block_on(async {
        let apps = |tenant: &str| stage.apps(tenant, "alice");
        let (shop, mine) = (stage.shop(), apps("globex").installation("site"));
        shop.recover().await.unwrap_or_else(|error| panic!("{what}: {error:?}"));
        // What is somebody else's by now is forgotten without anybody who does it again.
        let left =
            stage.platform(stage.disk.clone()).engine().stack("acme", "shop").state().await.expect("a state").rows;
        assert_eq!(left.is_empty(), standing(&shop).await == Standing::Removed, "{what}");
        // Never two owners who may change it, whenever it died.
        let owners = [standing(&shop).await, standing(&mine).await];
        assert!(owners.iter().filter(|standing| **standing == Standing::Installed).count() <= 1, "{what}: {owners:?}");
        if !(act == Act::Keep && owners[0] == Standing::Installed) {
            perform(act, &apps, &so_far).await.unwrap_or_else(|error| panic!("{what}, again: {error:?}"));
        }
        let expected = match act {
            Act::Export => [Standing::Leaving, Standing::Removed],
            Act::Import => [Standing::Leaving, Standing::Installed],
            Act::HandOver => [Standing::Removed, Standing::Installed],
            Act::Keep => [Standing::Installed, Standing::Removed],
        };
        assert_eq!([standing(&shop).await, standing(&mine).await], expected, "{what}");
        assert_eq!(things(&stage), before, "{what}");
        let rows = |tenant: &str, name: &str| {
            let stack = stage.platform(stage.disk.clone()).engine().stack(tenant, name);
            async move { stack.state().await.expect("a state").rows.len() }
        };
        let counts = match act {
            Act::Export | Act::Keep => (2, 0),
            Act::Import => (2, 2),
            Act::HandOver => (0, 2),
        };
        assert_eq!((rows("acme", "shop").await, rows("globex", "site").await), counts, "{what}");
        // Each thing is said once.
        for one in [&shop, &mine] {
            if let Ok(audit) = one.audit().await {
                let said = facts(&audit);
                let mut once = said.clone();
                once.dedup();
                assert_eq!(said, once, "{what}");
            }
        }
    });
    store.write_count()
}

#[test]
fn a_crash_at_any_write_is_mended_by_doing_it_again() {
    for act in [Act::Export, Act::Import, Act::HandOver, Act::Keep] {
        let count = attempt(act, Faults::none(), "no fault");
        assert!(count >= 1, "{act:?} writes nothing");
        for number in 0..count {
            for (how, faults) in [
                ("died before", Faults::die_before(number)),
                ("died after", Faults::die_after(number)),
                ("lost the reply to", Faults::lose_reply(number)),
            ] {
                attempt(act, faults, &format!("{act:?} {how} write {number} of {count}"));
            }
        }
    }
}
