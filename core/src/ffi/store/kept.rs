use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use serde::de::DeserializeOwned;

use super::{
    super::{Host, document::misshapen},
    EntryData, LeaseData, LedgerRecordData, RowRecordData, RunRecordData, SegmentData, StackRecordData, StoreCall,
    StoreRequest,
};
use crate::{
    error::Result,
    event::Timestamp,
    state::{
        Commit, EntryRecord, Lease, LedgerKey, LedgerRecord, RowRecord, RunId, RunRecord, SegmentRecord, StackKey,
        StackRecord, Store,
    },
};

/// A store that a host keeps.
///
/// Costs a call of the host's for each method, and the bodies as Base64 twice.
pub struct HostStore {
    host: Arc<dyn Host>,
    number: u64,
}

impl HostStore {
    /// Returns the store that the host knows by this number; 0 is the one that it opens an engine with.
    pub fn new(number: u64, host: Arc<dyn Host>) -> Self {
        Self { host, number }
    }

    /// Asks, and reads an answer of the shape that the call names.
    pub(super) async fn ask<T: DeserializeOwned>(&self, call: StoreCall) -> Result<T> {
        let name = call.name();
        let answer = self.host.store(StoreRequest { store: self.number, call }).await;
        let answer = answer.map_err(|error| error.context("store", name))?;
        serde_json::from_value(answer).map_err(|error| misshapen(&error).context("store", name))
    }

    async fn one<D: DeserializeOwned, T: From<D>>(&self, call: StoreCall) -> Result<Option<T>> {
        Ok(self.ask::<Option<D>>(call).await?.map(T::from))
    }

    async fn list<D: DeserializeOwned, T: From<D>>(&self, call: StoreCall) -> Result<Vec<T>> {
        Ok(self.ask::<Vec<D>>(call).await?.into_iter().map(T::from).collect())
    }
}

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[async_trait]
impl Store for HostStore {
    async fn load_stack(&self, stack: &StackKey) -> Result<Option<StackRecord>> {
        self.one::<StackRecordData, _>(StoreCall::LoadStack { stack: stack.clone() }).await
    }

    async fn list_stacks(&self, tenant: Option<&str>) -> Result<Vec<StackRecord>> {
        self.list::<StackRecordData, _>(StoreCall::ListStacks { tenant: tenant.map(str::to_owned) }).await
    }

    async fn load_rows(&self, stack: &StackKey) -> Result<Vec<RowRecord>> {
        self.list::<RowRecordData, _>(StoreCall::LoadRows { stack: stack.clone() }).await
    }

    async fn acquire(&self, stack: &StackKey, holder: &str, now: Timestamp, ttl: Duration) -> Result<Lease> {
        let (stack, holder) = (stack.clone(), holder.to_owned());
        let call = StoreCall::Acquire { stack, holder, now_ms: now.0, ttl_ms: ms(ttl) };
        self.ask::<LeaseData>(call).await.map(Lease::from)
    }

    async fn renew(&self, lease: &Lease, now: Timestamp, ttl: Duration) -> Result<Lease> {
        let call = StoreCall::Renew { lease: lease.into(), now_ms: now.0, ttl_ms: ms(ttl) };
        self.ask::<LeaseData>(call).await.map(Lease::from)
    }

    async fn release(&self, lease: &Lease) -> Result<()> {
        self.ask(StoreCall::Release { lease: lease.into() }).await
    }

    async fn break_lease(&self, stack: &StackKey) -> Result<()> {
        self.ask(StoreCall::BreakLease { stack: stack.clone() }).await
    }

    async fn lease_of(&self, stack: &StackKey) -> Result<Option<Lease>> {
        self.one::<LeaseData, _>(StoreCall::LeaseOf { stack: stack.clone() }).await
    }

    async fn commit(&self, lease: &Lease, commit: Commit) -> Result<()> {
        self.ask(StoreCall::Commit { lease: lease.into(), commit: commit.into() }).await
    }

    async fn load_run(&self, run: RunId) -> Result<Option<RunRecord>> {
        self.one::<RunRecordData, _>(StoreCall::LoadRun { run }).await
    }

    async fn list_runs(&self, stack: &StackKey, limit: u32) -> Result<Vec<RunRecord>> {
        self.list::<RunRecordData, _>(StoreCall::ListRuns { stack: stack.clone(), limit }).await
    }

    async fn load_segments(&self, run: RunId) -> Result<Vec<SegmentRecord>> {
        self.list::<SegmentData, _>(StoreCall::LoadSegments { run }).await
    }

    async fn load_journal(&self, run: RunId) -> Result<Vec<EntryRecord>> {
        self.list::<EntryData, _>(StoreCall::LoadJournal { run }).await
    }

    async fn append(&self, ledger: &LedgerKey, records: Vec<LedgerRecord>) -> Result<()> {
        let records = records.into_iter().map(LedgerRecordData::from).collect();
        self.ask(StoreCall::Append { ledger: ledger.clone(), records }).await
    }

    async fn load_ledger(&self, ledger: &LedgerKey, from: u64) -> Result<Vec<LedgerRecord>> {
        self.list::<LedgerRecordData, _>(StoreCall::LoadLedger { ledger: ledger.clone(), from }).await
    }

    async fn list_ledgers(&self, tenant: Option<&str>, kind: &str) -> Result<Vec<LedgerKey>> {
        self.ask(StoreCall::ListLedgers { tenant: tenant.map(str::to_owned), kind: kind.to_owned() }).await
    }

    async fn forget_stack(&self, lease: &Lease) -> Result<()> {
        self.ask(StoreCall::ForgetStack { lease: lease.into() }).await
    }
}

impl fmt::Debug for HostStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HostStore({})", self.number)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Mutex, PoisonError};

    use serde_json::{Value as Json, json};

    use super::*;
    use crate::{
        error::ErrorKind,
        ffi::{CallContext, Reply, Request, host_failed},
    };

    /// Answers everything the same, and keeps what it was asked.
    #[derive(Debug, Default)]
    struct Parrot(Json, Mutex<Vec<Json>>);

    #[async_trait]
    impl Host for Parrot {
        async fn call(&self, _: CallContext, _: Request) -> Result<Reply> {
            Err(host_failed("KeyError"))
        }

        async fn store(&self, request: StoreRequest) -> Result<Json> {
            let request = serde_json::to_value(request).expect("a request is JSON");
            self.1.lock().unwrap_or_else(PoisonError::into_inner).push(request);
            Ok(self.0.clone())
        }
    }

    fn row() -> RowRecord {
        let id = "00000000-0000-0000-0000-000000000007".parse().expect("an id");
        RowRecord { object_id: id, address: "a.b".into(), version: 2, body: Arc::new([0, 255]) }
    }

    #[tokio::test]
    async fn records_cross_as_they_are() {
        let wire = json!({
            "object_id": "00000000-0000-0000-0000-000000000007", "address": "a.b", "version": 2, "body": "AP8="
        });
        let host = Arc::new(Parrot(json!([wire]), Mutex::default()));
        let store = HostStore::new(3, Arc::clone(&host) as _);
        assert_eq!(store.load_rows(&StackKey::new("acme", "shop")).await.expect("rows"), [row()]);
        let asked = host.1.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let stack = json!({ "tenant": "acme", "name": "shop" });
        assert_eq!(asked, Some(json!({ "store": 3, "call": { "load_rows": { "stack": stack } } })));
    }

    #[tokio::test]
    async fn other_shapes_are_refused_without_quoting_them() {
        let stack = StackKey::new("acme", "shop");
        for answer in [json!("hunter2"), json!([{ "body": "hunter2" }]), json!({ "rows": [] })] {
            let store = HostStore::new(0, Arc::new(Parrot(answer, Mutex::default())));
            let error = store.load_rows(&stack).await.expect_err("another shape");
            assert_eq!((error.kind(), error.code()), (ErrorKind::Bug, "host.reply"));
            assert!(!error.report().contains("hunter2") && error.report().contains("load_rows"), "{}", error.report());
            assert_eq!(store.break_lease(&stack).await.expect_err("not null").code(), "host.reply");
        }
    }
}
