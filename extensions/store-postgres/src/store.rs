use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use stackwright::{
    Result,
    event::Timestamp,
    state::{
        Commit, EntryRecord, Lease, LedgerKey, LedgerRecord, RowRecord, RunId, RunRecord, SegmentRecord, StackKey,
        StackRecord, Store,
    },
};
use tokio::runtime::Handle;
use tokio_postgres::{Row, types::ToSql};
use uuid::Uuid;

use crate::{
    PostgresOptions,
    link::{Failed, Link},
    queue::{Order, Queues},
    read::{self, Reads},
    write::Writes,
};

/// A [`Store`] in one schema of a PostgreSQL database (12 or newer). Cheap to clone; all clones are the same store.
///
/// It belongs to the tokio runtime that it was opened on: its connections and the tasks that write live there.
///
/// # Leases
/// The database's clock decides when a lease has expired, whatever the clocks of the machines say that ask for it. The
/// `expires` that [`acquire`](Store::acquire) and [`renew`](Store::renew) return is by the caller's clock, counted from
/// the moment that it gave, so it is never later than what the database means. [`lease_of`](Store::lease_of) tells it by
/// the database's clock.
///
/// # Cancellation
/// A call whose future is dropped may or may not happen; commits may be repeated.
///
/// # Idempotency
/// An answer that is lost is asked for again before anything is said: each commit bears a number that the database
/// remembers. `store.unavailable` comes with [`Effect::Unknown`](stackwright::error::Effect) only when the database could
/// not be asked in time (see [`PostgresOptions::patience`]).
///
/// # Complexity
/// A commit is one round trip and one transaction, however many rows it has; commits of one stack that wait at the same
/// time share one. Writing a row is O(log n), n rows of all stacks; loading is linear in what is loaded.
#[derive(Clone)]
pub struct PostgresStore {
    inner: Arc<Inner>,
}

struct Inner {
    link: Arc<Link>,
    reads: Reads,
    writes: Arc<Writes>,
    queues: Arc<Queues>,
}

impl PostgresStore {
    /// Opens the database that a connection string names; see [`PostgresOptions::parse`].
    ///
    /// # Errors
    /// As [`PostgresOptions::parse`] and [`open_with`](Self::open_with).
    pub async fn open(connection_string: &str) -> Result<Self> {
        Self::open_with(PostgresOptions::parse(connection_string)?).await
    }

    /// Opens the database as `options` say, and brings its schema up to date (unless these say otherwise). Any number
    /// of processes may do so at once.
    ///
    /// # Errors
    /// * `store.options` where the options do not go together, or a file that they name cannot be used.
    /// * `store.unavailable` where the database does not answer or does not let this user in or do what is needed.
    /// * `store.corrupt` where the schema is somebody else's; it is left as it is.
    /// * `store.version` where a newer program made it.
    pub async fn open_with(options: PostgresOptions) -> Result<Self> {
        let link = Arc::new(Link::new(options)?);
        link.prepare().await?;
        let reads = Reads::new(&link.options().schema);
        let writes = Arc::new(Writes::new(Arc::clone(&link)));
        let queues = Arc::new(Queues::new(Handle::current()));
        Ok(Self { inner: Arc::new(Inner { link, reads, writes, queues }) })
    }

    /// Makes durable what was asked for, then closes all connections; all clones are closed. Closing twice is fine.
    pub async fn close(&self) {
        self.inner.queues.close().await;
        self.inner.link.close();
    }

    async fn ask<T>(
        &self,
        sql: &str,
        parameters: &[&(dyn ToSql + Sync)],
        read: impl Fn(&Row) -> Result<T>,
    ) -> Result<Vec<T>> {
        match self.inner.link.query(sql, parameters).await {
            Ok(rows) => rows.iter().map(read).collect(),
            // Reading changes nothing, answered or not.
            Err(Failed::Because(error)) => Err(error.effect(stackwright::error::Effect::None)),
            Err(Failed::Refused(error)) => Err(stackwright::Error::bug(error.message())),
        }
    }

    async fn order(&self, lease: &Lease, order: Order) -> Result<()> {
        self.inner.queues.call(&self.inner.writes, lease, order).await
    }
}

impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresStore").field("options", self.inner.link.options()).finish_non_exhaustive()
    }
}

#[async_trait]
impl Store for PostgresStore {
    async fn load_stack(&self, stack: &StackKey) -> Result<Option<StackRecord>> {
        let sql = &self.inner.reads.stack;
        Ok(self.ask(sql, &[&&*stack.tenant, &&*stack.name], read::stack_record).await?.pop())
    }

    async fn list_stacks(&self, tenant: Option<&str>) -> Result<Vec<StackRecord>> {
        self.ask(&self.inner.reads.stacks, &[&tenant], read::stack_record).await
    }

    async fn load_rows(&self, stack: &StackKey) -> Result<Vec<RowRecord>> {
        self.ask(&self.inner.reads.rows, &[&&*stack.tenant, &&*stack.name], read::row_record).await
    }

    async fn acquire(&self, stack: &StackKey, holder: &str, now: Timestamp, ttl: Duration) -> Result<Lease> {
        self.inner.writes.acquire(stack, holder, now, ttl).await
    }

    async fn renew(&self, lease: &Lease, now: Timestamp, ttl: Duration) -> Result<Lease> {
        self.inner.writes.renew(lease, now, ttl).await
    }

    async fn release(&self, lease: &Lease) -> Result<()> {
        self.order(lease, Order::Release).await
    }

    async fn break_lease(&self, stack: &StackKey) -> Result<()> {
        // By its token: should this arrive once more, later, it does not hit whoever comes next.
        match self.lease_of(stack).await? {
            Some(lease) => self.inner.writes.free(&lease).await,
            None => Ok(()),
        }
    }

    async fn lease_of(&self, stack: &StackKey) -> Result<Option<Lease>> {
        let read = |row: &Row| read::lease(stack, row);
        Ok(self.ask(&self.inner.reads.lease, &[&&*stack.tenant, &&*stack.name], read).await?.pop())
    }

    async fn commit(&self, lease: &Lease, commit: Commit) -> Result<()> {
        self.order(lease, Order::Commit(commit)).await
    }

    async fn load_run(&self, run: RunId) -> Result<Option<RunRecord>> {
        Ok(self.ask(&self.inner.reads.run, &[&uuid(run)], read::run_record).await?.pop())
    }

    async fn list_runs(&self, stack: &StackKey, limit: u32) -> Result<Vec<RunRecord>> {
        let parameters: [&(dyn ToSql + Sync); 3] = [&&*stack.tenant, &&*stack.name, &i64::from(limit)];
        self.ask(&self.inner.reads.runs, &parameters, read::run_record).await
    }

    async fn load_segments(&self, run: RunId) -> Result<Vec<SegmentRecord>> {
        self.ask(&self.inner.reads.segments, &[&uuid(run)], |row| read::segment_record(run, row)).await
    }

    async fn load_journal(&self, run: RunId) -> Result<Vec<EntryRecord>> {
        self.ask(&self.inner.reads.journal, &[&uuid(run)], |row| read::entry_record(run, row)).await
    }

    async fn append(&self, ledger: &LedgerKey, records: Vec<LedgerRecord>) -> Result<()> {
        self.inner.writes.append(ledger, &records).await
    }

    async fn load_ledger(&self, ledger: &LedgerKey, from: u64) -> Result<Vec<LedgerRecord>> {
        // Beyond what a number of the database can be, there is nothing.
        let Ok(from) = i64::try_from(from) else { return Ok(Vec::new()) };
        let parameters: [&(dyn ToSql + Sync); 4] = [&&*ledger.kind, &&*ledger.tenant, &&*ledger.name, &from];
        self.ask(&self.inner.reads.ledger, &parameters, read::ledger_record).await
    }

    async fn list_ledgers(&self, tenant: Option<&str>, kind: &str) -> Result<Vec<LedgerKey>> {
        self.ask(&self.inner.reads.ledgers, &[&kind, &tenant], read::ledger_key).await
    }

    async fn forget_stack(&self, lease: &Lease) -> Result<()> {
        self.order(lease, Order::Forget).await
    }
}

fn uuid(run: RunId) -> Uuid {
    Uuid::from_u128(run.as_u128())
}
