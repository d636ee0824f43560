use std::{
    fmt,
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use tokio::sync::watch;

use crate::{
    error::{Effect, Error, Result},
    event::Timestamp,
    state::{
        Commit, EntryRecord, Lease, LedgerKey, LedgerRecord, RowRecord, RunId, RunRecord, SegmentRecord, StackKey,
        StackRecord, Store, failure,
    },
};

/// What a write is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WriteKind {
    /// [`Store::acquire`].
    Acquire,
    /// [`Store::commit`].
    Commit,
    /// [`Store::release`].
    Release,
    /// [`Store::break_lease`].
    BreakLease,
    /// [`Store::append`].
    Append,
    /// [`Store::forget_stack`].
    ForgetStack,
}

/// A write that is about to happen.
#[derive(Clone, Copy, Debug)]
pub struct WritePoint<'a> {
    /// How many writes came before it, of any kind. Renewals do not count: how many there are depends on time.
    pub number: u64,
    /// What it is.
    pub kind: WriteKind,
    /// What is committed, for [`WriteKind::Commit`].
    pub commit: Option<&'a Commit>,
}

/// What becomes of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It happens.
    Proceed,
    /// It does not happen; the caller is told so, and that repeating may help.
    Refuse,
    /// It happens, but the caller is told that the store was not reachable.
    LoseReply,
    /// The process dies right before it.
    DieBefore,
    /// The process dies right after it became durable.
    DieAfter,
}

type Judge = dyn Fn(&WritePoint<'_>) -> Verdict + Send + Sync;

/// Which writes fail, and how.
pub struct Faults(Box<Judge>);

impl Faults {
    /// Nothing fails.
    pub fn none() -> Self {
        Self::when(|_| Verdict::Proceed)
    }

    /// Asks `judge` about every write, in order; concurrent writes may ask at the same time.
    pub fn when(judge: impl Fn(&WritePoint<'_>) -> Verdict + Send + Sync + 'static) -> Self {
        Self(Box::new(judge))
    }

    /// The process dies before write `number` (from 0) is durable.
    pub fn die_before(number: u64) -> Self {
        Self::at(number, Verdict::DieBefore)
    }

    /// The process dies after write `number` (from 0) became durable, before anybody hears of it.
    pub fn die_after(number: u64) -> Self {
        Self::at(number, Verdict::DieAfter)
    }

    /// Write `number` (from 0) becomes durable and its acknowledgement is lost.
    pub fn lose_reply(number: u64) -> Self {
        Self::at(number, Verdict::LoseReply)
    }

    /// `times` writes from `number` (from 0) on do not happen and say that repeating may help.
    pub fn transient(number: u64, times: u64) -> Self {
        Self::when(move |point| {
            let hit = (number..number.saturating_add(times)).contains(&point.number);
            if hit { Verdict::Refuse } else { Verdict::Proceed }
        })
    }

    fn at(number: u64, verdict: Verdict) -> Self {
        Self::when(move |point| if point.number == number { verdict } else { Verdict::Proceed })
    }
}

impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Faults")
    }
}

/// A store that passes everything on to another, except what [`Faults`] take away.
///
/// Once dead, every call fails with `store.unavailable` (not worth repeating), reads too; or never returns, after
/// [`hang_when_dead`](Self::hang_when_dead). The inner store stays as it was at that moment.
#[derive(Debug)]
pub struct FaultyStore {
    inner: Arc<dyn Store>,
    faults: Faults,
    writes: AtomicU64,
    dead: watch::Sender<bool>,
    hang: bool,
}

impl FaultyStore {
    /// Returns a store that writes to `inner` as far as `faults` allow.
    pub fn new(inner: Arc<dyn Store>, faults: Faults) -> Self {
        Self { inner, faults, writes: AtomicU64::new(0), dead: watch::Sender::new(false), hang: false }
    }

    /// Lets calls hang for ever once the process is dead: the caller sees no error that a dead process would not see.
    /// Wait for [`died`](Self::died), then drop the caller.
    pub fn hang_when_dead(mut self) -> Self {
        self.hang = true;
        self
    }

    /// Returns how many writes were asked for, those that failed included.
    pub fn write_count(&self) -> u64 {
        self.writes.load(Ordering::SeqCst)
    }

    /// Returns whether the process is dead.
    pub fn is_dead(&self) -> bool {
        *self.dead.borrow()
    }

    /// Returns when the process dies; never if it does not.
    pub async fn died(&self) {
        let mut dead = self.dead.subscribe();
        if dead.wait_for(|dead| *dead).await.is_err() {
            pending::<()>().await;
        }
    }

    /// Kills the process now.
    pub fn die(&self) {
        self.dead.send_replace(true);
    }

    async fn alive(&self) -> Result<()> {
        if self.is_dead() { self.lifeless().await } else { Ok(()) }
    }

    async fn lifeless<T>(&self) -> Result<T> {
        if self.hang { pending().await } else { Err(failure::unavailable("this process is dead, on purpose")) }
    }

    async fn read<T>(&self, call: impl Future<Output = Result<T>> + Send) -> Result<T> {
        self.alive().await?;
        let result = call.await;
        // It may have died while this waited.
        self.alive().await?;
        result
    }

    async fn write<T>(
        &self,
        kind: WriteKind,
        commit: Option<&Commit>,
        call: impl Future<Output = Result<T>> + Send,
    ) -> Result<T> {
        self.alive().await?;
        let number = self.writes.fetch_add(1, Ordering::SeqCst);
        match (self.faults.0)(&WritePoint { number, kind, commit }) {
            Verdict::Proceed => {
                let result = call.await;
                self.alive().await?;
                result
            }
            Verdict::Refuse => Err(refused("the store was not reachable, on purpose")),
            Verdict::LoseReply => {
                // An error of the call itself is an answer that got through.
                call.await?;
                Err(refused("the store's answer was lost, on purpose").effect(Effect::Unknown))
            }
            Verdict::DieBefore => {
                self.die();
                self.lifeless().await
            }
            Verdict::DieAfter => {
                let _ = call.await;
                self.die();
                self.lifeless().await
            }
        }
    }
}

fn refused(message: &str) -> Error {
    failure::unavailable_for_now(message)
}

#[async_trait]
impl Store for FaultyStore {
    async fn load_stack(&self, stack: &StackKey) -> Result<Option<StackRecord>> {
        self.read(self.inner.load_stack(stack)).await
    }

    async fn list_stacks(&self, tenant: Option<&str>) -> Result<Vec<StackRecord>> {
        self.read(self.inner.list_stacks(tenant)).await
    }

    async fn load_rows(&self, stack: &StackKey) -> Result<Vec<RowRecord>> {
        self.read(self.inner.load_rows(stack)).await
    }

    async fn acquire(&self, stack: &StackKey, holder: &str, now: Timestamp, ttl: Duration) -> Result<Lease> {
        self.write(WriteKind::Acquire, None, self.inner.acquire(stack, holder, now, ttl)).await
    }

    async fn renew(&self, lease: &Lease, now: Timestamp, ttl: Duration) -> Result<Lease> {
        self.read(self.inner.renew(lease, now, ttl)).await
    }

    async fn release(&self, lease: &Lease) -> Result<()> {
        self.write(WriteKind::Release, None, self.inner.release(lease)).await
    }

    async fn break_lease(&self, stack: &StackKey) -> Result<()> {
        self.write(WriteKind::BreakLease, None, self.inner.break_lease(stack)).await
    }

    async fn lease_of(&self, stack: &StackKey) -> Result<Option<Lease>> {
        self.read(self.inner.lease_of(stack)).await
    }

    async fn commit(&self, lease: &Lease, commit: Commit) -> Result<()> {
        let call = self.inner.commit(lease, commit.clone());
        self.write(WriteKind::Commit, Some(&commit), call).await
    }

    async fn load_run(&self, run: RunId) -> Result<Option<RunRecord>> {
        self.read(self.inner.load_run(run)).await
    }

    async fn list_runs(&self, stack: &StackKey, limit: u32) -> Result<Vec<RunRecord>> {
        self.read(self.inner.list_runs(stack, limit)).await
    }

    async fn load_segments(&self, run: RunId) -> Result<Vec<SegmentRecord>> {
        self.read(self.inner.load_segments(run)).await
    }

    async fn load_journal(&self, run: RunId) -> Result<Vec<EntryRecord>> {
        self.read(self.inner.load_journal(run)).await
    }

    async fn append(&self, ledger: &LedgerKey, records: Vec<LedgerRecord>) -> Result<()> {
        self.write(WriteKind::Append, None, self.inner.append(ledger, records)).await
    }

    async fn load_ledger(&self, ledger: &LedgerKey, from: u64) -> Result<Vec<LedgerRecord>> {
        self.read(self.inner.load_ledger(ledger, from)).await
    }

    async fn list_ledgers(&self, tenant: Option<&str>, kind: &str) -> Result<Vec<LedgerKey>> {
        self.read(self.inner.list_ledgers(tenant, kind)).await
    }

    async fn forget_stack(&self, lease: &Lease) -> Result<()> {
        self.write(WriteKind::ForgetStack, None, self.inner.forget_stack(lease)).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        error::Retry,
        state::{Lineage, MemoryStore, StackWrite},
    };

    const TTL: Duration = Duration::from_secs(9);

    fn stack() -> StackKey {
        StackKey::new("acme", "shop")
    }

    fn begin() -> Commit {
        let write = StackWrite { lineage: Lineage::from_u128(1), body: b"{}"[..].into() };
        Commit { stack: Some(write), ..Commit::default() }
    }

    /// Acquires (write 0) and commits (write 1); returns the wrapper, what is durable, and how the commit ended.
    async fn scene(faults: Faults) -> (FaultyStore, Arc<MemoryStore>, Result<()>) {
        let disk = Arc::new(MemoryStore::new());
        let store = FaultyStore::new(disk.clone(), faults);
        let result = match store.acquire(&stack(), "me", Timestamp(0), TTL).await {
            Ok(lease) => store.commit(&lease, begin()).await,
            Err(error) => Err(error),
        };
        (store, disk, result)
    }

    #[tokio::test]
    async fn dies_before_or_after_it_is_durable() {
        for (faults, durable) in [(Faults::die_before(1), false), (Faults::die_after(1), true)] {
            let (store, disk, result) = scene(faults).await;
            let error = result.expect_err("dead");
            assert_eq!((error.code(), error.retry_advice()), ("store.unavailable", Retry::No));
            assert!(store.is_dead());
            assert_eq!(disk.load_stack(&stack()).await.expect("alive").is_some(), durable);
            let lease = disk.lease_of(&stack()).await.expect("alive").expect("still held: nobody released it");
            for error in [
                store.load_stack(&stack()).await.map(drop),
                store.renew(&lease, Timestamp(5), TTL).await.map(drop),
                store.release(&lease).await,
            ] {
                assert_eq!(error.expect_err("dead").code(), "store.unavailable");
            }
            assert_eq!(disk.lease_of(&stack()).await.expect("alive"), Some(lease));
        }
    }

    #[tokio::test]
    async fn loses_a_reply_once() {
        let (store, disk, result) = scene(Faults::lose_reply(1)).await;
        let error = result.expect_err("no reply");
        assert_eq!((error.code(), error.retry_advice()), ("store.unavailable", Retry::WithBackoff));
        assert!(disk.load_stack(&stack()).await.expect("alive").is_some());
        let lease = store.lease_of(&stack()).await.expect("alive").expect("held");
        store.commit(&lease, begin()).await.expect("the repeat gets through");
        assert_eq!(store.write_count(), 3);
    }

    #[tokio::test]
    async fn refuses_some_times() {
        let (store, disk, result) = scene(Faults::transient(1, 2)).await;
        assert_eq!(result.expect_err("refused").retry_advice(), Retry::WithBackoff);
        let lease = store.lease_of(&stack()).await.expect("alive").expect("held");
        assert!(store.commit(&lease, begin()).await.is_err());
        assert!(disk.load_stack(&stack()).await.expect("alive").is_none());
        store.commit(&lease, begin()).await.expect("the third one gets through");
    }

    #[tokio::test]
    async fn hangs_when_dead() {
        let disk = Arc::new(MemoryStore::new());
        let store = FaultyStore::new(disk, Faults::die_before(0)).hang_when_dead();
        let key = stack();
        let alive = tokio::select! {
            biased;
            _ = store.acquire(&key, "me", Timestamp(0), TTL) => true,
            () = store.died() => false,
        };
        assert!(!alive);
    }
}
