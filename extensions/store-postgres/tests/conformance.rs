//! The contract that every store keeps, on a real server.
#![cfg(unix)]

mod common;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use common::client;
use stackwright::{
    Result,
    event::Timestamp,
    state::{
        Store,
        conformance::{Harness, assert_conforms},
        testing::{Faults, FaultyStore},
    },
};
use stackwright_store_postgres::PostgresStore;
use stackwright_tests::postgres::{Server, fresh_schema, shared};

/// The moment at which the cases of the suite begin.
const BEGINNING: Timestamp = Timestamp(1_800_000_000_000);

/// Makes stores in schemas of their own, whose clock stands where the suite wants it.
struct Schemas {
    server: &'static Server,
    open: Mutex<HashMap<usize, (String, PostgresStore)>>,
    wrapped: bool,
}

impl Schemas {
    fn new(server: &'static Server, wrapped: bool) -> Self {
        Self { server, open: Mutex::default(), wrapped }
    }

    async fn open_in(&self, schema: String) -> Result<Arc<dyn Store>> {
        let store = PostgresStore::open(&self.server.url(&schema)).await?;
        let shared: Arc<dyn Store> = if self.wrapped {
            Arc::new(FaultyStore::new(Arc::new(store.clone()), Faults::none()))
        } else {
            Arc::new(store.clone())
        };
        self.open.lock().expect("no panics").insert(address(&shared), (schema, store));
        Ok(shared)
    }

    fn find(&self, store: &Arc<dyn Store>) -> (String, PostgresStore) {
        self.open.lock().expect("no panics").get(&address(store)).expect("a store of this harness").clone()
    }

    async fn set_clock(&self, schema: &str, now: Timestamp) {
        let sql = format!(
            "CREATE OR REPLACE FUNCTION {schema}.now_ms() RETURNS bigint LANGUAGE sql AS 'SELECT {}::bigint'",
            now.0
        );
        client(&self.server.url(schema)).await.batch_execute(&sql).await.expect("the database's clock is set");
    }
}

fn address(store: &Arc<dyn Store>) -> usize {
    Arc::as_ptr(store).cast::<()>() as usize
}

#[async_trait]
impl Harness for Schemas {
    async fn open(&self) -> Result<Arc<dyn Store>> {
        let schema = fresh_schema();
        let store = self.open_in(schema.clone()).await?;
        self.set_clock(&schema, BEGINNING).await;
        Ok(store)
    }

    async fn reopen(&self, store: Arc<dyn Store>) -> Result<Option<Arc<dyn Store>>> {
        let (schema, own) = self.find(&store);
        own.close().await;
        self.open_in(schema).await.map(Some)
    }

    async fn set_time(&self, store: &Arc<dyn Store>, now: Timestamp) -> Result<()> {
        self.set_clock(&self.find(store).0, now).await;
        Ok(())
    }

    async fn share(&self, store: &Arc<dyn Store>) -> Result<Option<Arc<dyn Store>>> {
        let (schema, _) = self.find(store);
        self.open_in(schema).await.map(Some)
    }
}

#[tokio::test]
async fn conforms() {
    let Some(server) = shared() else { return };
    assert_conforms(&Schemas::new(server, false)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn conforms_on_many_threads() {
    let Some(server) = shared() else { return };
    assert_conforms(&Schemas::new(server, true)).await;
}
