use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use super::{
    super::{FindingData, Host},
    HostStore, StoreCall,
};
use crate::{
    error::{Error, Result},
    state::{
        Store,
        conformance::{Harness, cases},
    },
};

/// Runs all cases against stores that a host makes, and returns what became of each.
pub(in crate::ffi) async fn conform(host: Arc<dyn Host>) -> Vec<FindingData> {
    let kept = Kept { host, opened: Mutex::default() };
    let mut findings = Vec::new();
    for case in cases() {
        let message = case.run(&kept).await.err().map(|failure| failure.message);
        let verdict = if message.is_some() { "failed" } else { "passed" };
        findings.push(FindingData { case: case.name, verdict, message });
    }
    findings
}

/// The stores of a host, which makes one for each case.
struct Kept {
    host: Arc<dyn Host>,
    /// A store's number is its place, from 1.
    opened: Mutex<Vec<Arc<dyn Store>>>,
}

impl Kept {
    fn opened(&self) -> MutexGuard<'_, Vec<Arc<dyn Store>>> {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn number(&self, store: &Arc<dyn Store>) -> Result<u64> {
        let found = self.opened().iter().position(|other| Arc::ptr_eq(other, store));
        found.map(|place| place as u64 + 1).ok_or_else(|| Error::bug("a store that nobody opened"))
    }

    /// Numbers are given before the host is asked, so that cases which open several at once get several.
    fn next(&self) -> (Arc<HostStore>, Arc<dyn Store>) {
        let mut opened = self.opened();
        let kept = Arc::new(HostStore::new(opened.len() as u64 + 1, Arc::clone(&self.host)));
        let store: Arc<dyn Store> = Arc::clone(&kept) as _;
        opened.push(Arc::clone(&store));
        (kept, store)
    }

    async fn again(&self, store: &Arc<dyn Store>, closes: bool) -> Result<Option<Arc<dyn Store>>> {
        let from = self.number(store)?;
        let (kept, store) = self.next();
        let is_there: bool = kept.ask(StoreCall::Reopen { from, closes }).await?;
        Ok(is_there.then_some(store))
    }
}

#[async_trait]
impl Harness for Kept {
    async fn open(&self) -> Result<Arc<dyn Store>> {
        let (kept, store) = self.next();
        kept.ask::<()>(StoreCall::Open {}).await?;
        Ok(store)
    }

    async fn reopen(&self, store: Arc<dyn Store>) -> Result<Option<Arc<dyn Store>>> {
        self.again(&store, true).await
    }

    async fn share(&self, store: &Arc<dyn Store>) -> Result<Option<Arc<dyn Store>>> {
        self.again(store, false).await
    }
}
