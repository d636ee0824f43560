//! Packages that are installed, upgraded, operated and uninstalled; in order, amid failures, crashes and strangers.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use serde_json::json;
use stackwright::{
    Result,
    application::{
        Actor, CarryOptions, Fact, Fate, Installation, Item, ManyOptions, OperationKind, OperationReport, Outcome,
        OutputRef, Parcel, Proposal, ProposeOptions, Recovered, Standing, Transfer, Verb,
    },
    catalog::Content,
    event::Clock,
    form::{Inputs, Phase},
    run::OnFailure,
    state::{
        Store,
        cipher::{AesGcmCipher, Cipher, Key},
        testing::{Faults, FaultyStore},
    },
    value::Value,
};
use stackwright_tests::{
    apps::{SECRET, Stage, carry, code, facts, inputs, install, parcel, parcel_of},
    calls::public_calls,
};

#[tokio::test]
async fn a_life() {
    let stage = Stage::default();
    let shop = stage.shop();
    assert_eq!(code(shop.view().await), "installation.unknown");
    assert!(stage.apps("acme", "alice").list().await.expect("a list").is_empty());

    assert!(install(&shop, &parcel("1.0.0"), &inputs("gz", 2)).await.is_success());
    let first = shop.view().await.expect("a view");
    assert_eq!(first.standing, Standing::Installed);
    assert_eq!(first.package.as_ref().map(ToString::to_string).as_deref(), Some("coding 1.0.0"));
    assert_eq!(stage.world.things().len(), 2);
    assert!(stage.world.things().values().all(|made| made.name.contains(&*first.app_id)));
    assert_eq!(stage.told.all(), ["register shop true"]);

    // The form knows what there is; what is not filled in anew stays, and the region cannot change.
    let next = parcel("1.1.0");
    let context = shop.context(&next.package().form, Phase::Upgrade).await.expect("a context");
    assert_eq!(context.existing["region"], Value::string("gz"));
    assert_eq!(context.existing["note"], Value::string(SECRET));
    let changed = Inputs::of([("size", json!(5)), ("region", json!("bj"))]);
    let moved = shop.propose_upgrade(&next, &changed, &ProposeOptions::default()).await.expect_err("it cannot move");
    assert!(moved.code() == "installation.form" && moved.message().contains("region"), "{moved}");
    let changed = Inputs::of([("size", json!(5))]);
    let kept = shop.propose_upgrade(&next, &changed, &ProposeOptions::default()).await.expect("a proposal");
    assert!(carry(&shop, kept).await.is_success());
    let names: Vec<(String, i64)> = stage.world.things().into_values().map(|made| (made.name, made.size)).collect();
    assert!(names.iter().any(|(name, size)| name.ends_with("-gz") && *size == 5), "{names:?}");
    assert!(names.iter().any(|(name, _)| name.ends_with("-b")), "{names:?}");
    assert_eq!(shop.view().await.expect("a view").package.expect("one").version.to_string(), "1.1.0");

    // Nothing else fits how it stands.
    let options = ProposeOptions::default();
    assert_eq!(code(shop.propose_install(&next, &inputs("gz", 1), &options).await), "installation.standing");
    assert_eq!(code(shop.propose_retry(&options).await), "installation.standing");
    assert_eq!(code(shop.propose_undo(&options).await), "installation.standing");
    assert_eq!(code(shop.resume(&CarryOptions::default()).await), "installation.standing");

    stage.told.all();
    let removal = shop.propose_uninstall(&options).await.expect("a proposal");
    assert!(carry(&shop, removal).await.is_success());
    assert!(stage.world.things().is_empty());
    assert_eq!(shop.view().await.expect("a view").standing, Standing::Removed);
    assert_eq!(stage.told.all(), ["withdraw acme/shop"]);
    assert_eq!(code(shop.propose_upgrade(&next, &inputs("gz", 1), &options).await), "installation.standing");

    // Again under the same name: another installation, one history.
    assert!(install(&shop, &next, &inputs("bj", 1)).await.is_success());
    let again = shop.view().await.expect("a view");
    assert_ne!(again.app_id, first.app_id);
    assert_eq!(again.operations.len(), 4);
    let audit = shop.audit().await.expect("an audit");
    assert_eq!(
        facts(&audit),
        [
            "install coding 1.0.0 by alice",
            "succeeded",
            "upgrade coding 1.1.0 by alice",
            "succeeded",
            "uninstall coding 1.1.0 by alice",
            "succeeded",
            "install coding 1.1.0 by alice",
            "succeeded",
        ]
    );
    assert_eq!(audit.iter().map(|record| record.hash).collect::<BTreeSet<_>>().len(), audit.len());
    let listed = stage.apps("acme", "alice").list().await.expect("a list");
    assert_eq!(listed.iter().map(|one| one.key().to_string()).collect::<Vec<_>>(), ["acme/shop"]);
    assert!(!stage.ledger_text().await.contains(SECRET));
    assert!(!format!("{audit:?}{again:?}").contains(SECRET));
}

#[tokio::test]
async fn what_is_not_filled_in_is_told_all_at_once() {
    let shop = Stage::default().shop();
    let wrong = Inputs::of([("size", json!(99)), ("password", json!(SECRET))]);
    let error = shop.propose_install(&parcel("1.0.0"), &wrong, &ProposeOptions::default()).await.expect_err("wrong");
    assert_eq!(error.code(), "installation.form");
    assert!(error.message().contains("region") && error.message().contains("from one to nine"), "{error}");
    assert!(!error.report().contains(SECRET));
    let named = Stage::default().apps("acme", "alice").installation("My Shop");
    let proposal = named.propose_install(&parcel("1.0.0"), &inputs("gz", 1), &ProposeOptions::default()).await;
    assert_eq!(code(proposal), "installation.name");
}

#[tokio::test]
async fn an_install_that_failed_is_tried_again_changed_or_undone() {
    let failing = || {
        let mut inputs = inputs("gz", 2);
        inputs.values.insert("fault".into(), Value::string("refuse create"));
        inputs
    };
    let options = ProposeOptions::default();
    for end in ["changed", "undone"] {
        let stage = Stage::default();
        let shop = stage.shop();
        let report = install(&shop, &parcel("1.0.0"), &failing()).await;
        assert_eq!(report.outcome, Outcome::Failed);
        let view = shop.view().await.expect("a view");
        assert_eq!((view.standing, view.package), (Standing::Broken(OperationKind::Install), None));
        assert_eq!(stage.world.things().len(), 1, "half of it is there");
        // The same again: the half that is there stays, the other fails as before.
        let retry = shop.propose_retry(&options).await.expect("a proposal");
        assert_eq!(carry(&shop, retry).await.outcome, Outcome::Failed);
        assert_eq!(stage.world.things().len(), 1);
        if end == "changed" {
            assert!(install(&shop, &parcel("1.0.0"), &inputs("gz", 3)).await.is_success());
            assert_eq!(stage.world.things().len(), 2);
            assert_eq!(shop.view().await.expect("a view").app_id, view.app_id);
        } else {
            let undo = shop.propose_undo(&options).await.expect("a proposal");
            assert!(carry(&shop, undo).await.is_success());
            assert!(stage.world.things().is_empty());
            assert_eq!(shop.view().await.expect("a view").standing, Standing::Removed);
        }
        assert!(!stage.ledger_text().await.contains(SECRET));
    }
}

#[tokio::test]
async fn an_upgrade_that_failed_goes_back_to_what_was_there() {
    for is_automatic in [false, true] {
        let stage = Stage::default();
        let shop = stage.shop();
        install(&shop, &parcel("1.0.0"), &inputs("gz", 2)).await;
        let before = stage.world.things().into_values().map(|made| (made.name, made.size)).collect::<BTreeSet<_>>();
        let worse = Inputs::of([("size", json!(7)), ("fault", json!("refuse create"))]);
        let options = ProposeOptions::default();
        let proposal = shop.propose_upgrade(&parcel("1.1.0"), &worse, &options).await.expect("a proposal");
        let on_failure = if is_automatic { OnFailure::Rollback } else { OnFailure::Stop };
        let carry_options = CarryOptions { on_failure, why: "more room".into(), ..CarryOptions::default() };
        let report = shop.carry_out(proposal, &carry_options).await.expect("begins").finish().await.expect("ends");
        if is_automatic {
            assert_eq!(report.outcome, Outcome::Undone);
        } else {
            assert_eq!(report.outcome, Outcome::Failed);
            assert_eq!(shop.view().await.expect("a view").standing, Standing::Broken(OperationKind::Upgrade));
            let undo = shop.propose_undo(&options).await.expect("a proposal");
            assert_eq!(undo.kind, OperationKind::Undo);
            assert!(carry(&shop, undo).await.is_success());
        }
        let view = shop.view().await.expect("a view");
        assert_eq!(view.standing, Standing::Installed);
        assert_eq!(view.package.expect("one").version.to_string(), "1.0.0");
        let after = stage.world.things().into_values().map(|made| (made.name, made.size)).collect::<BTreeSet<_>>();
        assert_eq!(after, before);
        // And forward again, with better inputs.
        let better = Inputs::of([("size", json!(7))]);
        let proposal = shop.propose_upgrade(&parcel("1.1.0"), &better, &options).await.expect("a proposal");
        assert!(carry(&shop, proposal).await.is_success());
    }
}

#[tokio::test]
async fn what_never_began_leaves_it_as_broken_as_it_was() {
    let stage = Stage::default();
    let shop = stage.shop();
    install(&shop, &parcel("1.0.0"), &inputs("gz", 2)).await;
    let broken = Inputs::of([("size", json!(5)), ("fault", json!("refuse update"))]);
    let options = ProposeOptions::default();
    let proposal = shop.propose_upgrade(&parcel("1.0.0"), &broken, &options).await.expect("a proposal");
    assert!(!carry(&shop, proposal).await.is_success());
    let retry = shop.propose_retry(&options).await.expect("a proposal");
    let held =
        stage.disk.acquire(shop.key(), "somebody", stage.clock.now(), Duration::from_secs(9)).await.expect("held");
    assert_eq!(code(shop.carry_out(retry, &CarryOptions::default()).await), "lease.held");
    stage.disk.release(&held).await.expect("given back");
    assert_eq!(shop.view().await.expect("a view").standing, Standing::Broken(OperationKind::Upgrade));
}

#[tokio::test]
async fn people_see_what_the_package_lets_them_see() {
    let stage = Stage::default();
    let shop = stage.shop();
    assert_eq!(code(shop.views("en").await), "installation.unknown");
    install(&shop, &parcel("1.0.0"), &inputs("gz", 2)).await;
    let url = shop.outputs().await.expect("outputs")["url"].as_str().expect("a text").to_owned();
    let views = shop.views("zh").await.expect("views");
    assert_eq!((views.len(), &*views[0].title), (1, "在哪"));
    assert_eq!(views[0].content, Content::Text(format!("At {url}").into()));
    // They are those of what is there, without its package, and go where it goes.
    let options = ProposeOptions::default();
    let gone = shop.propose_uninstall(&options).await.expect("a proposal");
    assert!(carry(&shop, gone).await.is_success());
    assert!(shop.views("en").await.expect("none").is_empty());
}

#[tokio::test]
async fn of_two_changes_one_comes_first() {
    let stage = Stage::default();
    let (shop, other) = (stage.shop(), stage.shop());
    let options = ProposeOptions::default();
    let mine = shop.propose_install(&parcel("1.0.0"), &inputs("gz", 2), &options).await.expect("a proposal");
    let theirs = other.propose_install(&parcel("1.0.0"), &inputs("bj", 3), &options).await.expect("a proposal");
    let carry_options = CarryOptions::default();
    let (one, two) = tokio::join!(shop.carry_out(mine, &carry_options), other.carry_out(theirs, &carry_options));
    let (won, lost) = if one.is_ok() { (one, two) } else { (two, one) };
    let refused = code(lost);
    assert!(["installation.changed", "installation.busy"].contains(&&*refused), "{refused}");
    assert!(won.expect("begins").finish().await.expect("ends").is_success());
    assert_eq!(stage.world.things().len(), 2);
    // A quote that is over is no quote.
    let late = shop.propose_uninstall(&options).await.expect("a proposal");
    stage.clock.skip(Duration::from_secs(3600));
    assert_eq!(code(shop.carry_out(late, &carry_options).await), "pricing.expired");
    // A proposal is for one installation.
    let blog = stage.apps("acme", "alice").installation("blog");
    let strange = shop.propose_uninstall(&options).await.expect("a proposal");
    assert_eq!(code(blog.carry_out(strange, &carry_options).await), "installation.changed");
}

#[tokio::test]
async fn the_policy_is_asked_first_and_refusals_are_written_down() {
    let stage = Stage::default();
    let shop = stage.shop();
    for verb in [Verb::Propose, Verb::Install, Verb::View] {
        stage.rules.forbid("eve", verb);
    }
    let eve = stage.apps("acme", "eve").installation("shop");
    let options = ProposeOptions::default();
    assert_eq!(code(eve.propose_install(&parcel("1.0.0"), &inputs("gz", 1), &options).await), "installation.denied");
    assert!(stage.ledger_text().await.is_empty(), "a stranger begins no ledger");
    install(&shop, &parcel("1.0.0"), &inputs("gz", 1)).await;
    for verb in [Verb::Uninstall, Verb::Upgrade, Verb::Act, Verb::Grant, Verb::Recover] {
        stage.rules.forbid("eve", verb);
    }
    let removal = shop.propose_uninstall(&options).await.expect("a proposal");
    assert_eq!(code(eve.carry_out(removal, &CarryOptions::default()).await), "installation.denied");
    assert_eq!(code(eve.act(&parcel("1.0.0"), "restart", &Inputs::default(), "").await), "installation.denied");
    assert_eq!(code(eve.grant("vendor", ["restart"], Duration::from_secs(9), "").await), "installation.denied");
    assert_eq!(code(eve.recover().await), "installation.denied");
    assert_eq!(code(eve.view().await), "installation.denied");
    assert!(stage.apps("acme", "eve").list().await.expect("a list").is_empty());
    let audit = facts(&shop.audit().await.expect("an audit"));
    assert_eq!(
        &audit[2..],
        ["uninstall denied to eve", "act denied to eve", "grant denied to eve", "recover denied to eve"]
    );
    assert_eq!(stage.world.things().len(), 2);
}

#[tokio::test]
async fn actions_have_forms_credentials_and_records() {
    let stage = Stage::default();
    let shop = stage.shop();
    let package = parcel("1.0.0");
    assert_eq!(code(shop.act(&package, "grow", &Inputs::default(), "").await), "installation.standing");
    install(&shop, &package, &inputs("gz", 1)).await;
    stage.told.all();
    let report = shop.act(&package, "grow", &Inputs::default(), "it is slow").await.expect("done");
    assert_eq!(report.answer, Value::string("done"));
    let first = stage.world.things().into_iter().find(|(_, made)| made.name.ends_with("-gz")).expect("it is there").0;
    assert_eq!(
        stage.told.all(),
        [
            format!("may {{\"in\": \"gz\", \"of\": [\"{first}\"]}}"),
            format!("alice of acme grow on {first} with lease-grow"),
            "back lease-grow".to_owned()
        ]
    );
    assert!(shop.act(&package, "restart", &Inputs::default(), "").await.is_ok());
    assert_eq!(code(shop.act(&package, "lost", &Inputs::default(), "").await), "installation.action");
    assert_eq!(code(shop.act(&package, "restrat", &Inputs::default(), "").await), "installation.action");
    assert_eq!(code(shop.act(&parcel("1.1.0"), "grow", &Inputs::default(), "").await), "installation.package");
    let wrong = Inputs::of([("after", json!("soon"))]);
    assert_eq!(code(shop.act(&package, "restart", &wrong, "").await), "installation.form");
    let audit = facts(&shop.audit().await.expect("an audit"));
    assert_eq!(&audit[2..], ["grow by alice of acme", "succeeded", "restart by alice of acme", "succeeded"]);
    assert!(!stage.ledger_text().await.contains(SECRET));
}

#[tokio::test]
async fn a_grant_is_for_some_actions_for_a_while() {
    let stage = Stage::default();
    let shop = stage.shop();
    let package = parcel("1.0.0");
    let vendor = stage.apps("vendor", "victor").granted("acme", "shop");
    let nothing = Inputs::default();
    assert_eq!(code(vendor.act(&package, "grow", &nothing, "").await), "grant.unknown");
    install(&shop, &package, &inputs("gz", 1)).await;
    assert_eq!(code(vendor.act(&package, "grow", &nothing, "").await), "grant.unknown");
    let day = Duration::from_secs(86_400);
    assert_eq!(code(shop.grant("vendor", Vec::<Arc<str>>::new(), day, "").await), "grant.invalid");
    assert_eq!(code(shop.grant("vendor", ["grow"], Duration::ZERO, "").await), "grant.invalid");
    assert_eq!(code(shop.grant("acme", ["grow"], day, "").await), "grant.invalid");
    let grant = shop.grant("vendor", ["grow"], day, "ticket 7").await.expect("granted");

    assert!(vendor.act(&package, "grow", &nothing, "ticket 7").await.is_ok());
    assert_eq!(code(vendor.act(&package, "restart", &nothing, "").await), "grant.action");
    // Others have nothing from it, and the vendor nothing else.
    let stranger = stage.apps("mallory", "victor").granted("acme", "shop");
    assert_eq!(code(stranger.act(&package, "grow", &nothing, "").await), "grant.unknown");
    assert_eq!(code(stage.apps("vendor", "victor").installation("shop").view().await), "installation.unknown");
    stage.clock.skip(Duration::from_secs(86_400));
    assert_eq!(code(vendor.act(&package, "grow", &nothing, "").await), "grant.expired");
    let second = shop.grant("vendor", ["grow"], day, "").await.expect("granted");
    shop.revoke(second).await.expect("revoked");
    shop.revoke(second).await.expect("twice is fine");
    assert_eq!(code(vendor.act(&package, "grow", &nothing, "").await), "grant.expired");
    let third = shop.grant("vendor", ["grow"], day, "").await.expect("granted");
    stage.rules.forbid("victor", Verb::Act);
    assert_eq!(code(vendor.act(&package, "grow", &nothing, "").await), "installation.denied");
    let audit = facts(&shop.audit().await.expect("an audit"));
    assert_eq!(
        &audit[2..],
        [
            "granted to vendor",
            "grow by victor of vendor as granted",
            "succeeded",
            "act denied to victor",
            "act denied to victor",
            "granted to vendor",
            "revoked",
            "act denied to victor",
            "granted to vendor",
            "act denied to victor",
        ]
    );
    assert_ne!(grant, third);
    // What was granted ends with what it was granted of.
    let removal = shop.propose_uninstall(&ProposeOptions::default()).await.expect("a proposal");
    carry(&shop, removal).await;
    assert!(shop.view().await.expect("a view").grants.iter().all(|grant| grant.is_revoked));
}

#[tokio::test]
async fn a_role_is_made_of_what_was_filled_in() {
    let manifest = "format: 1\nname: app\nversion: 1.0.0\nrole: role.json\n";
    let template = "variable \"region\" {}\nvariable \"key\" {\n  sensitive = true\n}\n\
                    variable \"stackwright_app_role\" {}\nresource \"thing\" \"a\" {\n  name = var.stackwright_app_role\n}\n";
    let with =
        |role: &str| parcel_of(&[("package.yaml", manifest), ("role.json", role), ("template/main.tf", template)]);
    let filled = Inputs::of([("region", json!("gz")), ("key", json!(SECRET))]);
    let stage = Stage::default();
    install(&stage.shop(), &with("{\"resource\": \"${region}/*\"}"), &filled).await;
    assert_eq!(stage.told.all(), ["role for {\"resource\": \"gz/*\"}"]);
    assert_eq!(stage.world.things().into_values().next().expect("made").name, "role-7");
    let stage = Stage::default();
    for bad in ["${key}", "${nothing}"] {
        let proposal = stage.shop().propose_install(&with(bad), &filled, &ProposeOptions::default()).await;
        assert_eq!(code(proposal), "installation.role", "{bad}");
    }
    assert!(stage.told.all().is_empty());
}

/// A package whose only thing is named as it is told, and says so.
fn link() -> Parcel {
    parcel_of(&[
        ("package.yaml", "format: 1\nname: link\nversion: 1.0.0\n"),
        (
            "template/main.tf",
            "variable \"from\" {}\nvariable \"fault\" {\n  default = \"none\"\n}\nresource \"thing\" \"a\" {\n  name  = var.from\n  \
             fault = var.fault\n}\noutput \"url\" {\n  value = thing.a.url\n}\n",
        ),
    ])
}

fn item(name: &str, from: &str) -> Item {
    let (links, inputs) = match from.strip_prefix('@') {
        Some(other) => {
            let link = OutputRef { installation: other.into(), output: "url".into() };
            (BTreeMap::from([(Arc::from("from"), link)]), Inputs::default())
        }
        None => (BTreeMap::new(), Inputs::of([("from", json!(from))])),
    };
    Item { name: name.into(), parcel: link(), inputs, links }
}

#[tokio::test]
async fn many_are_made_in_order_and_fail_each_for_itself() {
    let stage = Stage::default();
    let apps = stage.apps("acme", "alice");
    let options = ManyOptions { parallelism: 2, ..ManyOptions::default() };
    for (items, circle) in [
        (vec![item("a", "@b"), item("b", "@a"), item("c", "x")], "a -> b -> a"),
        (vec![item("a", "@a")], "a -> a"),
        (vec![item("z", "@b"), item("b", "@c"), item("c", "@b")], "b -> c -> b"),
    ] {
        let error = apps.install_all(items, &options).await.expect_err("a circle");
        assert_eq!(error.code(), "installation.cycle");
        assert!(error.message().ends_with(circle), "{error}");
    }
    assert_eq!(code(apps.install_all(vec![item("a", "x"), item("a", "y")], &options).await), "installation.name");
    assert!(stage.world.things().is_empty() && stage.ledger_text().await.is_empty(), "nothing began");

    let mut broken = item("broken", "x");
    broken.inputs.values.insert("fault".into(), Value::string("refuse create"));
    let mut items = vec![item("d", "@c"), item("c", "@b"), item("b", "@a"), item("a", "root")];
    items.extend([broken, item("after", "@broken"), item("later", "@after"), item("lost", "@nowhere")]);
    items.extend((0..6).map(|number| item(&format!("n{number}"), &format!("n{number}"))));
    let report = apps.install_all(items, &options).await.expect("a report");
    assert!(!report.is_success());
    let mut ends: Vec<String> = Vec::new();
    for (name, fate) in &report.fates {
        ends.push(match fate {
            Fate::Ended(report) => format!("{name} {}", report.outcome.as_str()),
            Fate::Failed(error) => format!("{name} {}", error.code()),
            Fate::Skipped { needs } => format!("{name} needs {needs}"),
        });
    }
    let good = ["a", "b", "c", "d", "n0", "n1", "n2", "n3", "n4", "n5"].map(|name| format!("{name} succeeded"));
    let mut expected = vec!["after needs broken", "broken failed", "later needs after", "lost installation.unknown"];
    expected.extend(good.iter().map(String::as_str));
    expected.sort_unstable();
    assert_eq!(ends, expected);
    let names: BTreeSet<String> = stage.world.things().into_values().map(|made| made.name).collect();
    assert!(names.contains("thing://thing://thing://root"), "{names:?}");
    let view = apps.installation("d").view().await.expect("a view");
    assert_eq!(view.operations[0].part_of, Some(report.operation));
    // What is there already may be linked to.
    let more = apps.install_all(vec![item("e", "@d")], &options).await.expect("a report");
    assert!(more.is_success(), "{more:?}");
}

/// What one process does; it may die at any write.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Act {
    Install,
    Upgrade,
    Uninstall,
}

impl Act {
    async fn propose(self, shop: &Installation) -> Result<Proposal> {
        let options = ProposeOptions::default();
        match self {
            Self::Install => shop.propose_install(&parcel("1.0.0"), &inputs("gz", 2), &options).await,
            Self::Upgrade => shop.propose_upgrade(&parcel("1.1.0"), &Inputs::of([("size", json!(4))]), &options).await,
            Self::Uninstall => shop.propose_uninstall(&options).await,
        }
    }

    fn is_done(self, standing: Standing, stage: &Stage) -> bool {
        let sizes: Vec<i64> = stage.world.things().into_values().map(|made| made.size).collect();
        match self {
            Self::Install => standing == Standing::Installed && sizes.contains(&2) && sizes.len() == 2,
            Self::Upgrade => standing == Standing::Installed && sizes.contains(&4) && sizes.len() == 2,
            Self::Uninstall => standing == Standing::Removed && sizes.is_empty(),
        }
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

/// A stage on which everything before `act` was done well.
fn prepared(act: Act) -> Stage {
    let stage = Stage::default();
    runtime().block_on(async {
        for earlier in [Act::Install, Act::Upgrade] {
            if earlier == act || (act == Act::Install) {
                break;
            }
            let shop = stage.shop();
            let proposal = earlier.propose(&shop).await.expect("a proposal");
            assert!(carry(&shop, proposal).await.is_success());
        }
    });
    stage
}

/// Lets one process try; returns how many writes it came to, and what it was told.
fn attempt(stage: &Stage, act: Act, faults: Faults) -> (u64, Option<Result<OperationReport>>) {
    let store = Arc::new(FaultyStore::new(stage.disk.clone(), faults).hang_when_dead());
    let runtime = runtime();
    let answer = runtime.block_on(async {
        let shop = stage.platform(store.clone()).applications(Actor::new("acme", "alice")).installation("shop");
        let work = async {
            let proposal = act.propose(&shop).await?;
            shop.carry_out(proposal, &CarryOptions::default()).await?.finish().await
        };
        tokio::select! {
            biased;
            () = store.died() => None,
            answer = work => Some(answer),
        }
    });
    // Dropped with everything that still runs: so a process ends.
    drop(runtime);
    (store.write_count(), answer)
}

/// Lets a later process find out what became of it, and bring it to its end.
fn mend(stage: &Stage, act: Act, what: &str) {
    // The lease of the dead has run out.
    stage.clock.skip(Duration::from_secs(120));
    runtime().block_on(async {
        let shop = stage.shop();
        let found = shop.recover().await.unwrap_or_else(|error| panic!("{what}: {error:?}"));
        if matches!(found, Recovered::Interrupted(..)) {
            let report = shop.resume(&CarryOptions::default()).await.expect("resumes").finish().await.expect("ends");
            assert!(report.is_success(), "{what}: {report:?}");
        }
        assert_eq!(shop.recover().await.expect("recovers"), Recovered::Nothing, "{what}");
        let standing = match shop.view().await {
            Ok(view) => view.standing,
            Err(error) if error.code() == "installation.unknown" => Standing::Removed,
            Err(error) => panic!("{what}: {error:?}"),
        };
        let before = match act {
            Act::Install => Standing::Removed,
            _ => Standing::Installed,
        };
        if !act.is_done(standing, stage) {
            assert_eq!(standing, before, "{what}: neither before nor after");
            let proposal = act.propose(&shop).await.unwrap_or_else(|error| panic!("{what}: {error:?}"));
            assert!(carry(&shop, proposal).await.is_success(), "{what}");
        }
        let standing = shop.view().await.expect("a view").standing;
        assert!(act.is_done(standing, stage), "{what}: {standing:?} {:?}", stage.world.things());
        // Each that began ended exactly once, and nothing was made twice.
        let audit = shop.audit().await.expect("an audit");
        let mut open = BTreeMap::new();
        for record in &audit {
            match &record.fact {
                Fact::Intended { operation, .. } => drop(open.insert(*operation, 0)),
                Fact::Ended { operation, .. } => *open.get_mut(operation).expect("it began") += 1,
                _ => {}
            }
        }
        assert!(open.values().all(|count| *count == 1), "{what}: {:?}", facts(&audit));
        let keys: Vec<String> = stage.world.things().into_values().map(|made| made.key).collect();
        assert_eq!(keys.iter().collect::<BTreeSet<_>>().len(), keys.len(), "{what}: made twice");
        assert!(!stage.ledger_text().await.contains(SECRET), "{what}");
    });
}

#[test]
fn a_crash_at_any_write_is_mended() {
    for act in [Act::Install, Act::Upgrade, Act::Uninstall] {
        let (count, answer) = attempt(&prepared(act), act, Faults::none());
        assert!(answer.expect("it lives").expect("ends").is_success());
        assert!(count > 5, "{act:?} has {count} writes");
        for number in 0..count {
            for (how, faults) in [
                ("died before", Faults::die_before(number)),
                ("died after", Faults::die_after(number)),
                ("lost the reply to", Faults::lose_reply(number)),
            ] {
                let stage = prepared(act);
                let what = format!("{act:?} {how} write {number} of {count}");
                attempt(&stage, act, faults);
                mend(&stage, act, &what);
            }
        }
    }
}

#[test]
fn what_was_interrupted_blocks_changes_until_it_is_resumed_or_given_up() {
    // The commit that says that the first thing is there.
    let stage = prepared(Act::Install);
    let (_, answer) = attempt(&stage, Act::Install, Faults::die_before(4));
    assert!(answer.is_none());
    let held = runtime().block_on(async { code(stage.shop().propose_uninstall(&ProposeOptions::default()).await) });
    assert_eq!(held, "installation.busy", "its lease still runs");
    stage.clock.skip(Duration::from_secs(120));
    runtime().block_on(async {
        let shop = stage.shop();
        assert_eq!(shop.view().await.expect("a view").standing, Standing::Interrupted(OperationKind::Install));
        let options = ProposeOptions::default();
        assert_eq!(code(shop.propose_uninstall(&options).await), "installation.interrupted");
        shop.give_up().await.expect("given up");
        assert_eq!(shop.view().await.expect("a view").standing, Standing::Broken(OperationKind::Install));
        assert_eq!(code(shop.give_up().await), "installation.standing");
        let retry = shop.propose_retry(&options).await.expect("a proposal");
        assert!(carry(&shop, retry).await.is_success());
    });
}

#[tokio::test]
async fn a_copy_is_filled_in_as_the_other_is() {
    let stage = Stage::default();
    let (shop, twin) = (stage.shop(), stage.apps("acme", "alice").installation("twin"));
    let options = ProposeOptions::default();
    let changes = Inputs::of([("size", json!(3))]);
    let nothing = twin.propose_copy(&shop, &parcel("1.0.0"), &changes, &options).await;
    assert_eq!(code(nothing), "installation.standing");
    assert!(install(&shop, &parcel("1.0.0"), &inputs("gz", 2)).await.is_success());
    let proposal = twin.propose_copy(&shop, &parcel("1.0.0"), &changes, &options).await.expect("a proposal");
    assert!(carry(&twin, proposal).await.is_success());
    let mut sizes: Vec<i64> = stage.world.things().into_values().map(|made| made.size).collect();
    sizes.sort_unstable();
    assert_eq!(sizes, [1, 1, 2, 3], "each has what it had, and the size is another");
    // The secret went along, and is nowhere to be read.
    assert!(twin.propose_retry(&options).await.is_err(), "it did not fail");
    assert!(!stage.ledger_text().await.contains(SECRET));
    assert_eq!(shop.audit().await.expect("an audit").len(), 2, "nothing was done with the other");
    // Another tenant's is as unknown as one that never was.
    let stranger = stage.apps("zenith", "zoe").installation("twin");
    let answer = stranger.propose_copy(&shop, &parcel("1.0.0"), &changes, &options).await;
    assert_eq!(code(answer), "installation.unknown");
}

/// Whoever is slow to begin what it wrote down may be taken for dead, and begin all the same; the record is right in the end.
#[tokio::test]
async fn what_begins_late_is_written_down() {
    let stage = Stage::default();
    let shop = stage.shop();
    assert!(install(&shop, &parcel("1.0.0"), &inputs("gz", 1)).await.is_success());
    stage.told.all();
    let proposal = shop.propose_uninstall(&ProposeOptions::default()).await.expect("a proposal");
    stage.told.show_to(stage.shop());
    assert!(carry(&shop, proposal).await.is_success());
    assert_eq!(stage.told.all(), ["withdraw acme/shop", "true"], "it was taken for one that never began");
    let view = shop.view().await.expect("a view");
    assert_eq!((view.standing, view.package), (Standing::Removed, None));
    let records = facts(&shop.audit().await.expect("an audit"));
    assert_eq!(records[records.len() - 2..], ["not_begun", "succeeded"], "{records:?}");
    // Another one may follow.
    assert!(install(&shop, &parcel("1.0.0"), &inputs("sh", 1)).await.is_success());
}

/// The same, and it dies: whoever comes next sees a run that nobody goes on with, and not an installation as it was.
#[test]
fn what_begins_late_and_dies_is_gone_on_with() {
    let stage = prepared(Act::Uninstall);
    stage.told.show_to(stage.shop());
    let (_, answer) = attempt(&stage, Act::Uninstall, Faults::die_before(4));
    assert!(answer.is_none(), "it dies");
    stage.clock.skip(Duration::from_secs(120));
    runtime().block_on(async {
        let shop = stage.shop();
        assert_eq!(shop.view().await.expect("a view").standing, Standing::Interrupted(OperationKind::Uninstall));
        let options = ProposeOptions::default();
        assert_eq!(code(shop.propose_uninstall(&options).await), "installation.interrupted");
        assert!(matches!(shop.recover().await, Ok(Recovered::Interrupted(_, OperationKind::Uninstall))));
        let resumed = shop.resume(&CarryOptions::default()).await.expect("resumed");
        assert!(resumed.finish().await.expect("ends").is_success());
        assert_eq!(shop.view().await.expect("a view").standing, Standing::Removed);
        assert!(matches!(shop.recover().await, Ok(Recovered::Nothing)));
    });
}

/// Whoever knows the name of another tenant's installation reaches nothing of it by any call.
#[tokio::test]
async fn no_call_reaches_an_installation_of_another_tenant() {
    let stage = Stage::default();
    let shop = stage.shop();
    install(&shop, &parcel("1.0.0"), &inputs("gz", 2)).await;
    let grant = shop.grant("vendor", ["grow"], Duration::from_secs(99), "").await.expect("granted");
    let (before, things) = (stage.ledger_text().await, stage.world.things());
    let apps = stage.apps("mallory", "alice");
    let mine = apps.installation("shop");
    let options = ProposeOptions::default();
    let carry_options = CarryOptions::default();
    let package = parcel("1.0.0");
    let mut tried: BTreeSet<&str> = BTreeSet::new();
    let mut refused = |call: &'static str, code: String, expected: &str| {
        assert_eq!(code, expected, "`{call}`");
        tried.insert(call);
    };
    assert_eq!(mine.key().to_string(), "mallory/shop");
    refused("key", String::new(), "");
    refused("view", code(mine.view().await), "installation.unknown");
    refused("audit", code(mine.audit().await), "installation.unknown");
    refused("outputs", code(mine.outputs().await), "installation.unknown");
    let context = mine.context(&package.package().form, Phase::Upgrade).await.expect("of nothing");
    assert!(context.existing.is_empty());
    refused("context", String::new(), "");
    refused("views", code(mine.views("en").await), "installation.unknown");
    let upgrade = mine.propose_upgrade(&package, &inputs("gz", 1), &options).await;
    refused("propose_upgrade", code(upgrade), "installation.standing");
    let copy = mine.propose_copy(&shop, &package, &Inputs::default(), &options).await;
    refused("propose_copy", code(copy), "installation.unknown");
    refused("propose_retry", code(mine.propose_retry(&options).await), "installation.standing");
    refused("propose_undo", code(mine.propose_undo(&options).await), "installation.standing");
    refused("propose_uninstall", code(mine.propose_uninstall(&options).await), "installation.standing");
    let foreign = shop.propose_uninstall(&options).await.expect("a proposal");
    refused("carry_out", code(mine.carry_out(foreign, &carry_options).await), "installation.changed");
    refused("resume", code(mine.resume(&carry_options).await), "installation.standing");
    refused("give_up", code(mine.give_up().await), "installation.standing");
    assert_eq!(mine.recover().await.expect("nothing"), Recovered::Nothing);
    refused("recover", String::new(), "");
    refused("act", code(mine.act(&package, "grow", &Inputs::default(), "").await), "installation.standing");
    refused("grant", code(mine.grant("mallory2", ["grow"], Duration::from_secs(9), "").await), "installation.standing");
    refused("revoke", code(mine.revoke(grant).await), "grant.unknown");
    let sealed: Arc<dyn Cipher> = Arc::new(AesGcmCipher::new(Key::generate().expect("a key")));
    refused("export", code(mine.export(&sealed, "").await), "installation.standing");
    refused("keep", code(mine.keep().await), "installation.standing");
    let granted = apps.granted("acme", "shop");
    assert_eq!(code(granted.act(&package, "grow", &Inputs::default(), "").await), "grant.unknown");
    assert!(apps.list().await.expect("a list").is_empty());
    assert_eq!(stage.ledger_text().await, before);
    assert_eq!(stage.world.things(), things);
    assert!(install(&mine, &package, &inputs("gz", 2)).await.is_success());
    refused("propose_install", String::new(), "");
    // Another's document, once it is somebody's, is nobody else's; and whoever lets its own go lets go of no other's.
    let document = Transfer::open(&shop.export(&sealed, "").await.expect("a document"), &sealed).expect("a transfer");
    let receipt = stage.apps("globex", "bob").installation("site").import(&document, "").await.expect("a receipt");
    refused("import", code(apps.installation("mine").import(&document, "").await), "transfer.taken");
    refused("hand_over", code(mine.hand_over(&receipt).await), "installation.standing");
    assert_eq!(
        tried,
        public_calls("application", "Installation").iter().map(String::as_str).collect(),
        "a call was not tried"
    );
    assert_eq!(stage.world.things().len(), 4);
    assert_eq!(shop.view().await.expect("a view").standing, Standing::Leaving);
}

const READER: &str = r#"
variable "region" { type = string }
variable "fault" {
  type    = string
  default = null
}

module "sub" { source = "./sub" }

resource "thing" "each" {
  for_each = fileset(path.module, "names/*.txt")
  name     = "${file("${path.module}/${each.key}")} ${templatefile("${path.module}/../charts/values.tftpl", { region = var.region })} ${module.sub.text}"
  fault    = var.fault
}
"#;

#[tokio::test]
async fn templates_read_files_of_their_package() {
    let files = |greeting: &str| {
        parcel_of(&[
            ("package.yaml", "format: 1\nname: reader\nversion: 1.0.0\n"),
            ("template/main.tf", READER),
            ("template/names/a.txt", greeting),
            ("template/names/b.txt", "bo"),
            ("template/sub/main.tf", "output \"text\" { value = file(\"${path.module}/own.txt\") }\n"),
            ("template/sub/own.txt", "mine"),
            ("charts/values.tftpl", "at ${region}"),
        ])
    };
    let stage = Stage::default();
    let shop = stage.shop();
    let region = |region: &str| Inputs::of([("region", json!(region))]);
    let outside = parcel_of(&[
        ("package.yaml", "format: 1\nname: reader\nversion: 1.0.0\n"),
        ("template/main.tf", "output \"x\" { value = file(\"../../etc/passwd\") }\n"),
    ]);
    let options = ProposeOptions::default();
    let refused = shop.propose_install(&outside, &Inputs::default(), &options).await.expect_err("outside");
    assert!(refused.message().contains("is outside"), "{refused:?}");
    assert!(install(&shop, &files("al"), &region("gz")).await.is_success());
    let names = |stage: &Stage| stage.world.things().into_values().map(|made| made.name).collect::<Vec<_>>();
    assert_eq!(names(&stage), ["al at gz mine", "bo at gz mine"]);
    // Trying again and undoing need no package, and see the files as they were: all that were listed, too.
    let broken = Inputs::of([("region", json!("bj")), ("fault", json!("refuse create"))]);
    let proposal = shop.propose_upgrade(&files("eve"), &broken, &options).await.expect("a proposal");
    assert!(!carry(&shop, proposal).await.is_success());
    let undo = shop.propose_undo(&options).await.expect("a proposal");
    assert!(carry(&shop, undo).await.is_success());
    assert_eq!(names(&stage).len(), 2);
    assert!(names(&stage).iter().all(|name| name.ends_with(" at gz mine") && !name.starts_with("eve")));
    let again = shop.propose_upgrade(&files("al"), &Inputs::default(), &options).await.expect("a proposal");
    assert!(again.is_empty(), "{}", again.plan);
    let gone = shop.propose_uninstall(&options).await.expect("a proposal");
    assert!(carry(&shop, gone).await.is_success());
    assert!(names(&stage).is_empty());
}
