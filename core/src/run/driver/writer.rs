use std::{collections::HashSet, sync::Arc, time::Duration};

use tokio::sync::{mpsc, oneshot};

use crate::{
    error::{Error, Result, Retry},
    event::{Bus, Clock, Event},
    run::{Entry, Fact, encode_entry},
    state::{
        Commit, Lease, ObjectId, Row, RowWrite, RunId, RunRecord, SegmentRecord, StackWrite, Store,
        codec::{Sealer, encode_row},
    },
};

/// A change to a row, not encoded yet.
#[derive(Clone, Debug)]
pub(super) enum RowChange {
    Put(Row),
    Delete(ObjectId),
}

impl RowChange {
    fn object_id(&self) -> ObjectId {
        match self {
            Self::Put(row) => row.object_id,
            Self::Delete(object_id) => *object_id,
        }
    }
}

/// Facts that become durable together, and what is to be told then.
#[derive(Debug, Default)]
pub(super) struct Write {
    pub(super) facts: Vec<Fact>,
    pub(super) rows: Vec<RowChange>,
    pub(super) run: Option<RunRecord>,
    pub(super) segment: Option<SegmentRecord>,
    pub(super) stack: Option<StackWrite>,
    /// Sent once the facts are durable.
    pub(super) events: Vec<Event>,
    /// Told once the facts are durable; dropped if they never become so.
    pub(super) ack: Option<oneshot::Sender<()>>,
}

/// Turns facts into commits, many into one.
pub(super) struct Writer {
    pub(super) run: RunId,
    pub(super) store: Arc<dyn Store>,
    pub(super) lease: Lease,
    pub(super) sealer: Sealer,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) bus: Bus,
    pub(super) patience: Duration,
    pub(super) next_seq: u64,
}

impl Writer {
    /// Works until the channel closes or a commit fails for good; what is queued while a commit runs goes into the
    /// next one.
    pub(super) async fn run(mut self, mut queue: mpsc::UnboundedReceiver<Vec<Write>>) -> Result<()> {
        const MOST: usize = 1024;
        let mut bursts = Vec::new();
        while queue.recv_many(&mut bursts, MOST).await > 0 {
            self.write(bursts.drain(..).flatten().collect()).await?;
        }
        Ok(())
    }

    /// Makes everything in `writes` durable in one transaction, then tells.
    pub(super) async fn write(&mut self, writes: Vec<Write>) -> Result<()> {
        let mut commit = Commit::default();
        let mut rows = Vec::new();
        let mut told = Vec::new();
        for write in writes {
            for fact in write.facts {
                let entry = Entry { seq: self.next_seq, at: self.clock.now(), fact };
                commit.entries.push(encode_entry(self.run, entry, &self.sealer)?);
                self.next_seq += 1;
            }
            rows.extend(write.rows);
            commit.segments.extend(write.segment);
            commit.run = write.run.or(commit.run);
            commit.stack = write.stack.or(commit.stack);
            told.push((write.events, write.ack));
        }
        commit.rows = self.last_of_each(rows)?;
        self.commit(commit).await?;
        for (events, ack) in told {
            for event in events {
                self.bus.send(event);
            }
            if let Some(ack) = ack {
                // Nobody waits any more: the step's task was dropped with the run.
                let _ = ack.send(());
            }
        }
        Ok(())
    }

    /// Keeps only the last change of each object: the earlier ones would never be seen.
    fn last_of_each(&self, rows: Vec<RowChange>) -> Result<Vec<RowWrite>> {
        let mut seen = HashSet::with_capacity(rows.len());
        let mut writes = Vec::with_capacity(rows.len());
        for change in rows.into_iter().rev() {
            if seen.insert(change.object_id()) {
                writes.push(match change {
                    RowChange::Put(row) => RowWrite::Put(encode_row(&row, &self.sealer)?),
                    RowChange::Delete(object_id) => RowWrite::Delete(object_id),
                });
            }
        }
        writes.reverse();
        Ok(writes)
    }

    async fn commit(&self, commit: Commit) -> Result<()> {
        let begun = self.clock.monotonic();
        let mut pause = Duration::from_millis(50);
        loop {
            let Err(error) = self.store.commit(&self.lease, commit.clone()).await else { return Ok(()) };
            let wait = match error.retry_advice() {
                Retry::No => return Err(error),
                Retry::After(least) => pause.max(least),
                Retry::WithBackoff => pause,
            };
            if self.clock.monotonic().saturating_sub(begun) + wait > self.patience {
                return Err(paused(error));
            }
            self.clock.sleep(wait).await;
            pause = (pause * 2).min(Duration::from_secs(5));
        }
    }
}

fn paused(error: Error) -> Error {
    error.context("run", "paused; resume it when the store answers again")
}
