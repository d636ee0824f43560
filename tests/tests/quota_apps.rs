//! Installations of tenants that may not use everything.

use std::{collections::BTreeMap, sync::Arc};

use stackwright::{
    application::{CarryOptions, Fate, Installation, Item, ManyOptions, ProposeOptions, Standing, Transfer},
    state::{
        Amount,
        cipher::{AesGcmCipher, Cipher, Key},
    },
    tenant::{FixedQuotas, Limit},
};
use stackwright_tests::apps::{Stage, carry, code, facts, inputs, install, parcel};

fn stage(limits: impl IntoIterator<Item = Limit>) -> Stage {
    Stage { quotas: Some(FixedQuotas::new(limits)), ..Stage::default() }
}

async fn used(one: &Installation, stage: &Stage, dimension: &str) -> (Amount, Amount) {
    let platform = stage.platform(stage.disk.clone());
    let uses = platform.engine().tenant(Arc::clone(&one.key().tenant)).quotas().await.expect("quotas");
    uses.iter()
        .find(|one| &*one.dimension == dimension)
        .map_or((Amount::NONE, Amount::NONE), |one| (one.used, one.reserved))
}

#[tokio::test]
async fn a_proposal_shows_what_it_uses_and_what_has_no_room_does_not_begin() {
    let stage = stage([Limit::hard("resources", 3).warning_at(1), Limit::hard("size", 3)]);
    let shop = stage.shop();
    let options = ProposeOptions::default();
    let large = shop.propose_install(&parcel("1.0.0"), &inputs("gz", 9), &options).await.expect("a proposal");
    assert!(large.quota.is_refused());
    assert!(
        large.quota.to_string().contains("`size`: 0 used, 0 reserved by other runs, 10 more wanted"),
        "{}",
        large.quota
    );
    assert_eq!(code(shop.carry_out(large, &CarryOptions::default()).await), "quota.exceeded");
    // Nothing was begun and nothing noted.
    assert_eq!(code(shop.view().await), "installation.unknown");
    assert!(stage.world.things().is_empty());
    let small = shop.propose_install(&parcel("1.0.0"), &inputs("gz", 2), &options).await.expect("a proposal");
    assert_eq!((small.quota.is_refused(), small.quota.warnings().len()), (false, 1));
    assert!(carry(&shop, small).await.is_success());
    assert_eq!(used(&shop, &stage, "size").await, (Amount::Known(3), Amount::NONE));
    // What was proposed while there was room, and is carried out when there is none.
    let blog = stage.apps("acme", "alice").installation("blog");
    assert_eq!(
        code(
            blog.carry_out(
                blog.propose_install(&parcel("1.0.0"), &inputs("gz", 1), &options).await.expect("a proposal"),
                &CarryOptions::default()
            )
            .await
        ),
        "quota.exceeded"
    );
    let uninstall = shop.propose_uninstall(&options).await.expect("a proposal");
    assert!(!uninstall.quota.is_refused());
    assert!(carry(&shop, uninstall).await.is_success());
    assert_eq!(
        facts(&shop.audit().await.expect("an audit")),
        ["install coding 1.0.0 by alice", "succeeded", "uninstall coding 1.0.0 by alice", "succeeded"]
    );
    assert_eq!(used(&shop, &stage, "size").await, (Amount::NONE, Amount::NONE));
    assert!(install(&blog, &parcel("1.0.0"), &inputs("gz", 1)).await.is_success());
}

#[tokio::test]
async fn of_many_installed_at_once_as_many_succeed_as_there_is_room_for() {
    let stage = stage([Limit::hard("resources", 6)]);
    let apps = stage.apps("acme", "alice");
    let item = |number: usize| Item {
        name: format!("i{number}").into(),
        parcel: parcel("1.0.0"),
        inputs: inputs("gz", 1),
        links: BTreeMap::new(),
    };
    let report = apps.install_all((0..5).map(item).collect(), &ManyOptions::default()).await.expect("a report");
    let fates: Vec<&Fate> = report.fates.values().collect();
    let done = fates.iter().filter(|fate| matches!(fate, Fate::Ended(report) if report.is_success())).count();
    let refused = fates.iter().filter(|fate| matches!(fate, Fate::Failed(error) if error.code() == "quota.exceeded"));
    assert_eq!(refused.count(), 2);
    assert_eq!((done, stage.world.things().len()), (3, 6), "{fates:?}");
}

#[tokio::test]
async fn what_is_taken_over_counts_for_its_new_owner_and_needs_room_there() {
    let key: Arc<dyn Cipher> =
        Arc::new(AesGcmCipher::new(Key::from_bytes(b"another key: exactly 32 bytes!!!").expect("32 bytes")));
    let quotas = FixedQuotas::new([Limit::hard("resources", 2)]).tenant("poor", [Limit::hard("resources", 1)]);
    let stage = Stage { quotas: Some(quotas), ..Stage::default() };
    let shop = stage.shop();
    assert!(install(&shop, &parcel("1.0.0"), &inputs("gz", 2)).await.is_success());
    let bytes = shop.export(&key, "sold").await.expect("a document");
    let transfer = Transfer::open(&bytes, &key).expect("a transfer");
    let poor = stage.apps("poor", "paul").installation("shop");
    assert_eq!(code(poor.import(&transfer, "").await), "quota.exceeded");
    assert_eq!(used(&poor, &stage, "resources").await, (Amount::NONE, Amount::NONE));
    // It may go elsewhere.
    let theirs = stage.apps("globex", "bob").installation("shop");
    let receipt = theirs.import(&transfer, "").await.expect("a receipt");
    assert_eq!(theirs.import(&transfer, "").await.expect("again"), receipt);
    assert_eq!(used(&theirs, &stage, "resources").await, (Amount::Known(2), Amount::NONE));
    shop.hand_over(&receipt).await.expect("handed over");
    assert_eq!(used(&shop, &stage, "resources").await, (Amount::NONE, Amount::NONE));
    assert_eq!(theirs.view().await.expect("a view").standing, Standing::Installed);
    assert!(install(&shop, &parcel("1.0.0"), &inputs("gz", 2)).await.is_success());
}
