use std::{collections::HashSet, pin::pin, sync::Arc, task::Poll, time::Duration};

use futures_util::poll;
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
///
/// One commit is under way at a time. What comes meanwhile is encoded and waits, so that the store has the next commit
/// as soon as it is done with one.
pub(super) struct Writer {
    pub(super) encoder: Encoder,
    pub(super) sink: Sink,
    pub(super) bus: Bus,
}

/// Encodes facts in their order.
pub(super) struct Encoder {
    pub(super) run: RunId,
    pub(super) sealer: Sealer,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) next_seq: u64,
}

/// Where commits go.
pub(super) struct Sink {
    pub(super) store: Arc<dyn Store>,
    pub(super) lease: Lease,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) patience: Duration,
}

/// What becomes durable in one transaction, and what is to be told then.
#[derive(Default)]
struct Batch {
    commit: Commit,
    told: Vec<Told>,
}

type Told = (Vec<Event>, Option<oneshot::Sender<()>>);

impl Writer {
    /// Works until the channel closes or a commit fails for good.
    pub(super) async fn run(self, mut queue: mpsc::UnboundedReceiver<Vec<Write>>) -> Result<()> {
        const MOST: usize = 1024;
        let Self { mut encoder, sink, bus } = self;
        let mut bursts = Vec::new();
        let mut next = Batch::default();
        let mut durable = Vec::new();
        let mut result = Ok(());
        let mut is_open = true;
        loop {
            if next.told.is_empty() {
                tell(&bus, std::mem::take(&mut durable));
                if !is_open || result.is_err() {
                    return result;
                }
                is_open = queue.recv_many(&mut bursts, MOST).await > 0;
                result = encoder.encode(bursts.drain(..).flatten(), &mut next);
                continue;
            }
            let Batch { commit, told } = std::mem::take(&mut next);
            let mut committed = pin!(sink.commit(commit));
            // The store has it before anybody is told of the one before: what that sets off can wait, the store need not.
            let mut answer = poll!(committed.as_mut());
            tell(&bus, std::mem::replace(&mut durable, told));
            while answer.is_pending() {
                tokio::select! {
                    biased;
                    committed = committed.as_mut() => answer = Poll::Ready(committed),
                    count = queue.recv_many(&mut bursts, MOST), if is_open && result.is_ok() => {
                        is_open = count > 0;
                        result = encoder.encode(bursts.drain(..).flatten(), &mut next);
                    }
                }
            }
            if let Poll::Ready(Err(error)) = answer {
                return Err(error);
            }
        }
    }

    /// Makes one thing durable, then tells.
    pub(super) async fn write(&mut self, write: Write) -> Result<()> {
        let mut batch = Batch::default();
        self.encoder.encode([write], &mut batch)?;
        self.sink.commit(batch.commit).await?;
        tell(&self.bus, batch.told);
        Ok(())
    }
}

fn tell(bus: &Bus, durable: Vec<Told>) {
    for (events, ack) in durable {
        for event in events {
            bus.send(event);
        }
        if let Some(ack) = ack {
            // Nobody waits any more: the step's task was dropped with the run.
            let _ = ack.send(());
        }
    }
}

impl Encoder {
    /// Adds `writes` to a batch; all of it is thrown away where one cannot be encoded, so that no half of one is kept.
    fn encode(&mut self, writes: impl IntoIterator<Item = Write>, batch: &mut Batch) -> Result<()> {
        let result = self.add(writes, batch);
        if result.is_err() {
            *batch = Batch::default();
        }
        result
    }

    fn add(&mut self, writes: impl IntoIterator<Item = Write>, batch: &mut Batch) -> Result<()> {
        let mut rows = Vec::new();
        for write in writes {
            for fact in write.facts {
                let entry = Entry { seq: self.next_seq, at: self.clock.now(), fact };
                batch.commit.entries.push(encode_entry(self.run, entry, &self.sealer)?);
                self.next_seq += 1;
            }
            rows.extend(write.rows);
            batch.commit.segments.extend(write.segment);
            batch.commit.run = write.run.or(batch.commit.run.take());
            batch.commit.stack = write.stack.or(batch.commit.stack.take());
            batch.told.push((write.events, write.ack));
        }
        let rows = self.last_of_each(rows)?;
        if !rows.is_empty() && !batch.commit.rows.is_empty() {
            let newer: HashSet<ObjectId> = rows.iter().map(object_of).collect();
            batch.commit.rows.retain(|row| !newer.contains(&object_of(row)));
        }
        batch.commit.rows.extend(rows);
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
}

fn object_of(write: &RowWrite) -> ObjectId {
    match write {
        RowWrite::Put(row) => row.object_id,
        RowWrite::Delete(object_id) => *object_id,
    }
}

impl Sink {
    /// Commits, again and again while the store might answer.
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
