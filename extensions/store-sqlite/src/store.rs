use std::{fmt, path::Path, sync::Arc, time::Duration};

use async_trait::async_trait;
use stackwright::{
    Result,
    event::Timestamp,
    state::{
        Commit, EntryRecord, Lease, LedgerKey, LedgerRecord, RowRecord, RowWrite, RunId, RunRecord, SegmentRecord,
        StackKey, StackRecord, Store,
    },
};

use crate::{SqliteOptions, read, reader::Readers, writer::Writer};

/// A [`Store`] in one SQLite file. Cheap to clone; all clones are the same store.
///
/// When the last clone is dropped, what was already asked for is still made durable, in the background; [`close`] waits
/// for it.
///
/// # Cancellation
/// A call whose future is dropped may or may not happen; commits may be repeated.
///
/// # Complexity
/// One flush to disk per group of commits that wait at the same time. Writing a row is O(log n), n rows of all stacks;
/// loading is linear in what is loaded.
///
/// [`close`]: Self::close
#[derive(Clone)]
pub struct SqliteStore {
    inner: Arc<Inner>,
}

struct Inner {
    options: SqliteOptions,
    writer: Writer,
    readers: Readers,
}

impl SqliteStore {
    /// Opens the database in `path`, or makes it; its directory has to exist.
    ///
    /// # Errors
    /// * `store.unavailable` where the file cannot be made, read or written, with the path and a way out.
    /// * `store.corrupt` where it is damaged or not one of ours; it is left as it is.
    /// * `store.version` where a newer program wrote it.
    pub async fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::open_with(SqliteOptions::new(path)).await
    }

    /// Opens the database as `options` say.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub async fn open_with(options: SqliteOptions) -> Result<Self> {
        let writer = Writer::start(options.clone()).await?;
        let readers = Readers::start(&options).await?;
        Ok(Self { inner: Arc::new(Inner { options, writer, readers }) })
    }

    /// Returns where the database is.
    pub fn path(&self) -> &Path {
        &self.inner.options.path
    }

    /// Makes durable what was asked for, then closes the file; all clones are closed. Closing twice is fine.
    ///
    /// # Errors
    /// `store.unavailable` where the file cannot be closed in order; what was acknowledged before is durable all the
    /// same.
    pub async fn close(&self) -> Result<()> {
        // Readers first: the connection that is closed last folds the log into the file.
        self.inner.readers.close().await;
        self.inner.writer.close().await
    }
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore").field("path", &self.inner.options.path).finish_non_exhaustive()
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn load_stack(&self, stack: &StackKey) -> Result<Option<StackRecord>> {
        let stack = stack.clone();
        self.inner.readers.call(move |connection| read::stack(connection, &stack)).await
    }

    async fn list_stacks(&self, tenant: Option<&str>) -> Result<Vec<StackRecord>> {
        let tenant = tenant.map(ToOwned::to_owned);
        self.inner.readers.call(move |connection| read::stacks(connection, tenant.as_deref())).await
    }

    async fn load_rows(&self, stack: &StackKey) -> Result<Vec<RowRecord>> {
        let stack = stack.clone();
        self.inner.readers.call(move |connection| read::rows(connection, &stack)).await
    }

    async fn acquire(&self, stack: &StackKey, holder: &str, now: Timestamp, ttl: Duration) -> Result<Lease> {
        let (stack, holder) = (stack.clone(), holder.to_owned());
        self.inner.writer.call(0, move |work| work.acquire(&stack, &holder, now, ttl)).await
    }

    async fn renew(&self, lease: &Lease, now: Timestamp, ttl: Duration) -> Result<Lease> {
        let lease = lease.clone();
        self.inner.writer.call(0, move |work| work.renew(&lease, now, ttl)).await
    }

    async fn release(&self, lease: &Lease) -> Result<()> {
        let lease = lease.clone();
        self.inner.writer.call(0, move |work| work.release(&lease)).await
    }

    async fn break_lease(&self, stack: &StackKey) -> Result<()> {
        let stack = stack.clone();
        self.inner.writer.call(0, move |work| work.break_lease(&stack)).await
    }

    async fn lease_of(&self, stack: &StackKey) -> Result<Option<Lease>> {
        let stack = stack.clone();
        self.inner.readers.call(move |connection| read::lease(connection, &stack)).await
    }

    async fn commit(&self, lease: &Lease, commit: Commit) -> Result<()> {
        let lease = lease.clone();
        self.inner.writer.call(size(&commit), move |work| work.commit(&lease, &commit)).await
    }

    async fn load_run(&self, run: RunId) -> Result<Option<RunRecord>> {
        self.inner.readers.call(move |connection| read::run(connection, run)).await
    }

    async fn list_runs(&self, stack: &StackKey, limit: u32) -> Result<Vec<RunRecord>> {
        let stack = stack.clone();
        self.inner.readers.call(move |connection| read::runs(connection, &stack, limit)).await
    }

    async fn load_segments(&self, run: RunId) -> Result<Vec<SegmentRecord>> {
        self.inner.readers.call(move |connection| read::segments(connection, run)).await
    }

    async fn load_journal(&self, run: RunId) -> Result<Vec<EntryRecord>> {
        self.inner.readers.call(move |connection| read::journal(connection, run)).await
    }

    async fn append(&self, ledger: &LedgerKey, records: Vec<LedgerRecord>) -> Result<()> {
        let ledger = ledger.clone();
        let size = records.iter().map(|record| record.body.len()).sum();
        self.inner.writer.call(size, move |work| work.append_records(&ledger, &records)).await
    }

    async fn load_ledger(&self, ledger: &LedgerKey, from: u64) -> Result<Vec<LedgerRecord>> {
        let ledger = ledger.clone();
        self.inner.readers.call(move |connection| read::ledger(connection, &ledger, from)).await
    }

    async fn list_ledgers(&self, tenant: Option<&str>, kind: &str) -> Result<Vec<LedgerKey>> {
        let (tenant, kind) = (tenant.map(ToOwned::to_owned), kind.to_owned());
        self.inner.readers.call(move |connection| read::ledgers(connection, tenant.as_deref(), &kind)).await
    }

    async fn forget_stack(&self, lease: &Lease) -> Result<()> {
        let lease = lease.clone();
        self.inner.writer.call(0, move |work| work.forget(&lease)).await
    }
}

/// Returns about how many bytes a commit writes.
fn size(commit: &Commit) -> usize {
    let rows = commit.rows.iter().map(|write| match write {
        RowWrite::Put(row) => row.body.len() + row.address.len(),
        RowWrite::Delete(_) => 0,
    });
    let segments = commit.segments.iter().map(|segment| segment.body.len());
    let entries = commit.entries.iter().map(|entry| entry.body.len());
    let stack = commit.stack.iter().map(|stack| stack.body.len());
    let run = commit.run.iter().map(|run| run.body.len());
    rows.chain(segments).chain(entries).chain(stack).chain(run).sum()
}

#[cfg(test)]
mod tests {
    use futures_util::future::join_all;
    use stackwright::{
        error::Retry,
        state::{Lineage, ObjectId, StackWrite},
    };

    use super::*;

    const TTL: Duration = Duration::from_secs(9);

    fn put(number: u128, size: usize) -> Commit {
        let object_id = ObjectId::from_u128(number);
        let row = RowRecord { object_id, address: "a.b".into(), version: 1, body: vec![7; size].into() };
        Commit { rows: vec![RowWrite::Put(row)], ..Commit::default() }
    }

    #[tokio::test]
    async fn a_full_disk_loses_nothing_and_passes() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("state.db");
        let store = SqliteStore::open(&path).await.expect("a new file");
        let key = StackKey::new("acme", "shop");
        let lease = store.acquire(&key, "test", Timestamp(0), TTL).await.expect("free");
        let stack = StackWrite { lineage: Lineage::from_u128(1), body: b"{}"[..].into() };
        store.commit(&lease, Commit { stack: Some(stack), ..Commit::default() }).await.expect("a first commit");

        let used = store.inner.writer.call(0, |work| work.limit_pages(1)).await.expect("the present size");
        store.inner.writer.call(0, move |work| work.limit_pages(used + 40)).await.expect("a limit");
        let mut durable = Vec::new();
        // A few at a time: what shares a transaction with the one that fills the disk is refused with it.
        for first in (0..100).step_by(5) {
            let results = join_all((first..first + 5).map(|number| store.commit(&lease, put(number, 3_000)))).await;
            for (number, result) in (first..).zip(results) {
                match result {
                    Ok(()) => durable.push(ObjectId::from_u128(number)),
                    Err(error) => {
                        assert_eq!(error.code(), "store.unavailable", "{error:?}");
                        assert_eq!(error.retry_advice(), Retry::WithBackoff, "{error:?}");
                    }
                }
            }
        }
        assert!((1..100).contains(&durable.len()), "the limit is reached half-way: {}", durable.len());
        let there = || async {
            let rows = store.load_rows(&key).await.expect("reads go on");
            rows.into_iter().map(|row| row.object_id).collect::<Vec<_>>()
        };
        assert_eq!(there().await, durable, "what was acknowledged is there, and nothing else");

        store.inner.writer.call(0, |work| work.limit_pages(u32::MAX)).await.expect("no limit");
        for result in join_all((0..100).map(|number| store.commit(&lease, put(number, 3_000)))).await {
            result.expect("there is room again");
        }
        assert_eq!(there().await.len(), 100);
    }
}
