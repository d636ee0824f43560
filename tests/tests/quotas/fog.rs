//! What counts while nobody can tell what became of a call.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use stackwright::{
    Error, ErrorKind, Result,
    error::Effect,
    resource::{Context, Object, Outcome, Resource},
    schema::{Attribute, Schema},
    stack::{Engine, Settlement},
    state::{
        Amount, LedgerKey, MemoryStore, RunStatus, Store,
        cipher::{AesGcmCipher, Key},
    },
    tenant::{FixedQuotas, Limit},
    value::{Type, Value},
};

use super::{apply, code, template};

/// Nobody can ever tell what became of it.
#[derive(Debug)]
struct Fog;

#[async_trait]
impl Resource for Fog {
    fn schema(&self) -> Arc<Schema> {
        Arc::new(
            Schema::new(0)
                .attribute("size", Attribute::required(Type::Number))
                .attribute("id", Attribute::computed(Type::String)),
        )
    }

    async fn create(&self, _: &Context, _: Value) -> Outcome {
        let lost = Error::new(ErrorKind::Unavailable, "fog.lost", "lost in the fog");
        Outcome::failed(lost.effect(Effect::Unknown))
    }

    async fn read(&self, _: &Context, object: &Object) -> Result<Option<Object>> {
        Ok(Some(object.clone()))
    }

    async fn update(&self, _: &Context, prior: &Object, _: Value) -> Outcome {
        Outcome::complete(prior.clone())
    }

    async fn delete(&self, _: &Context, _: &Object) -> Outcome {
        Outcome::gone()
    }

    fn consumes(&self, attributes: &Value) -> Vec<(Arc<str>, Amount)> {
        let size = Amount::of(attributes.attribute("size").unwrap_or(&Value::null(Type::Number)));
        let id = attributes.attribute("id").unwrap_or(attributes);
        let ids = if id.is_null() { Amount::NONE } else { Amount::Unknown };
        // What the engine counts by itself no type has a say in.
        vec![
            ("size".into(), size),
            ("ids".into(), ids),
            ("resources".into(), Amount::Known(90)),
            ("stacks".into(), Amount::Unknown),
        ]
    }
}

#[tokio::test]
async fn what_nobody_can_tell_about_counts_until_it_is_settled() {
    let disk = Arc::new(MemoryStore::new());
    let key = Key::from_bytes(b"a key for tests: 32 known bytes!").expect("the text has 32 bytes");
    let engine = Engine::builder().shared_store(disk.clone()).cipher(AesGcmCipher::new(key)).resource("fog", Fog);
    let engine = engine.quotas(FixedQuotas::new([Limit::hard("size", 9)])).build().expect("an engine");
    let (tenant, shop) = (engine.tenant("acme"), engine.stack("acme", "shop"));
    let fog = template("resource \"fog\" \"a\" {\n  size = 7\n}\n");
    let report = apply(&shop, &fog).await.expect("a report");
    assert_eq!(report.status, RunStatus::Stuck);
    let used = async || -> BTreeMap<String, Amount> {
        let uses = tenant.quotas().await.expect("quotas");
        uses.into_iter().map(|one| (one.dimension.to_string(), one.used)).collect()
    };
    let one = ["resources", "resources.fog", "stacks"].map(|dimension| (dimension.to_owned(), Amount::Known(1)));
    let expected: BTreeMap<String, Amount> =
        one.into_iter().chain([("size".to_owned(), Amount::Known(7)), ("ids".to_owned(), Amount::Unknown)]).collect();
    assert_eq!(used().await, expected);
    assert_eq!(code(apply(&engine.stack("acme", "blog"), &fog).await), "quota.exceeded");
    shop.settle(&"fog.a".parse().expect("an address"), Settlement::Absent).await.expect("settled");
    assert_eq!(used().await, BTreeMap::from([("size".to_owned(), Amount::NONE)]));
    // An entry that says so was written with the edit: nobody had to find it out.
    let ledger = disk.load_ledger(&LedgerKey::new("acme", "quota", "0"), 0).await.expect("a ledger");
    assert_eq!(ledger.len(), 3);
}
