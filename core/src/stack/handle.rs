use std::{collections::BTreeMap, fmt, sync::Arc};

use super::{Engine, StateView};
use crate::{
    error::{Error, ErrorKind, Result},
    plan::Plan,
    state::{
        Lease, Row, RowRecord, StackKey, Store,
        codec::{Output, Sealer, decode_checks, decode_outputs, decode_row},
    },
};

/// One deployment of a template: a tenant, a name, and everything that is remembered of it.
///
/// Cheap to clone. It need not exist yet: the first apply makes it.
#[derive(Clone)]
pub struct Stack {
    pub(super) engine: Engine,
    pub(super) key: StackKey,
}

impl Stack {
    pub(super) fn new(engine: Engine, key: StackKey) -> Self {
        Self { engine, key }
    }

    /// Returns whose it is and what it is called.
    pub fn key(&self) -> &StackKey {
        &self.key
    }

    /// Returns the engine that it belongs to.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Returns what exists: history, rows and outputs. Sensitive leaves are opened and marked.
    ///
    /// # Errors
    /// Those of [`Store`]; `cipher.open_failed` with another key than the one that sealed.
    ///
    /// # Complexity
    /// O(rows).
    pub async fn state(&self) -> Result<StateView> {
        let record = self.store().load_stack(&self.key).await?;
        let sealer = self.sealer();
        let rows = self.rows(&sealer).await?;
        Ok(match record {
            Some(record) => StateView {
                lineage: Some(record.lineage),
                serial: record.serial,
                outputs: decode_outputs(&record.body, &sealer)?,
                checks: decode_checks(&record.body, &sealer)?,
                rows,
            },
            None => StateView { lineage: None, serial: 0, outputs: BTreeMap::new(), checks: Vec::new(), rows },
        })
    }

    /// Returns the root outputs as the last apply left them. Sensitive ones are marked.
    ///
    /// # Errors
    /// As [`Stack::state`].
    pub async fn outputs(&self) -> Result<BTreeMap<String, Output>> {
        match self.store().load_stack(&self.key).await? {
            Some(record) => decode_outputs(&record.body, &self.sealer()),
            None => Ok(BTreeMap::new()),
        }
    }

    /// Takes the lease away from whoever holds it, so that somebody else can go on.
    ///
    /// The old holder's writes are refused from then on. Needed only when its process is dead and the lease has not
    /// run out yet.
    ///
    /// # Errors
    /// Those of [`Store`].
    pub async fn break_lease(&self) -> Result<()> {
        self.store().break_lease(&self.key).await
    }

    /// Returns who holds the stack's lease; an expired one counts as nobody's.
    ///
    /// # Errors
    /// Those of [`Store`].
    pub async fn lease(&self) -> Result<Option<Lease>> {
        let now = self.engine.inner.clock.now();
        Ok(self.store().lease_of(&self.key).await?.filter(|lease| lease.expires > now))
    }

    /// Removes what is remembered of a stack without objects: its record, its runs and its journals.
    ///
    /// # Errors
    /// `store.conflict` while it has rows; `lease.held` while somebody works on it.
    pub async fn forget(&self) -> Result<()> {
        let lease = self.acquire("forget").await?;
        let result = self.store().forget_stack(&lease).await;
        if result.is_ok() {
            // Whoever needs the room finds out, too.
            let _ = self.settle_quota(None).await;
        }
        let released = self.store().release(&lease).await;
        result.and(released)
    }

    pub(super) fn store(&self) -> &dyn Store {
        &*self.engine.inner.store
    }

    pub(super) fn sealer(&self) -> Sealer {
        Sealer::new(Arc::clone(&self.engine.inner.cipher), self.key.clone())
    }

    pub(super) async fn rows(&self, sealer: &Sealer) -> Result<Vec<Row>> {
        let records: Vec<RowRecord> = self.store().load_rows(&self.key).await?;
        records.iter().map(|record| decode_row(record, sealer)).collect()
    }

    /// Takes the lease for an operation that people recognise.
    pub(super) async fn acquire(&self, operation: &str) -> Result<Lease> {
        let inner = &self.engine.inner;
        let holder = format!("{} ({operation})", inner.holder);
        self.store().acquire(&self.key, &holder, inner.clock.now(), inner.lease_ttl).await
    }

    /// Refuses a plan that was made for another stack. Whose it is is not said.
    pub(super) fn refuse_foreign(&self, plan: &Plan) -> Result<()> {
        if plan.stack == self.key {
            return Ok(());
        }
        let message = format!("the plan was made for another stack than `{}`", self.key);
        Err(Error::new(ErrorKind::InvalidInput, "plan.stale", message))
    }

    /// Refuses to go on while a run of this stack was begun and not ended.
    pub(super) async fn refuse_unfinished(&self) -> Result<()> {
        match self.unfinished_run().await? {
            None => Ok(()),
            Some(run) => Err(Error::new(
                ErrorKind::Conflict,
                "run.unfinished",
                format!("run {} of `{}` was begun and never ended; resume or abandon it first", run.id, self.key),
            )
            .context("run", run.id)),
        }
    }
}

impl fmt::Debug for Stack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stack").field("key", &self.key).finish_non_exhaustive()
    }
}
