//! The contract that every store keeps, on real files.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use stackwright::{
    Result,
    state::{
        Store,
        conformance::{Harness, assert_conforms},
        testing::{Faults, FaultyStore},
    },
};
use stackwright_store_sqlite::SqliteStore;
use tempfile::TempDir;

/// Makes stores in directories of their own and remembers which is where.
#[derive(Default)]
struct Files {
    open: Mutex<HashMap<usize, (Arc<TempDir>, SqliteStore)>>,
    wrapped: bool,
}

impl Files {
    async fn open_in(&self, directory: Arc<TempDir>) -> Result<Arc<dyn Store>> {
        let store = SqliteStore::open(directory.path().join("state.db")).await?;
        let shared: Arc<dyn Store> = if self.wrapped {
            Arc::new(FaultyStore::new(Arc::new(store.clone()), Faults::none()))
        } else {
            Arc::new(store.clone())
        };
        self.open.lock().expect("no panics").insert(address(&shared), (directory, store));
        Ok(shared)
    }

    fn find(&self, store: &Arc<dyn Store>) -> (Arc<TempDir>, SqliteStore) {
        self.open.lock().expect("no panics").get(&address(store)).expect("a store of this harness").clone()
    }
}

fn address(store: &Arc<dyn Store>) -> usize {
    Arc::as_ptr(store).cast::<()>() as usize
}

#[async_trait]
impl Harness for Files {
    async fn open(&self) -> Result<Arc<dyn Store>> {
        self.open_in(Arc::new(TempDir::new().expect("a directory"))).await
    }

    async fn reopen(&self, store: Arc<dyn Store>) -> Result<Option<Arc<dyn Store>>> {
        let (directory, own) = self.find(&store);
        own.close().await?;
        self.open_in(directory).await.map(Some)
    }

    async fn share(&self, store: &Arc<dyn Store>) -> Result<Option<Arc<dyn Store>>> {
        let (directory, _) = self.find(store);
        self.open_in(directory).await.map(Some)
    }
}

#[tokio::test]
async fn conforms() {
    assert_conforms(&Files::default()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn conforms_on_many_threads() {
    assert_conforms(&Files { wrapped: true, ..Files::default() }).await;
}
