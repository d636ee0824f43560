use std::{collections::HashMap, sync::Arc};

use stackwright::{
    Result,
    state::{Commit, Lease, ObjectId, RowWrite, RunId},
};
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use crate::{
    convert::{signed, text},
    error::foreign_run,
};

/// At most so many commits go into one transaction, and at most so many bytes (one commit may have more).
const MOST_COMMITS: usize = 512;
const MOST_BYTES: usize = 8 << 20;

/// How much one transaction takes.
///
/// Only commits that append entries and change rows share one. Others are alone in theirs, so that nothing that one of
/// them brings (a run, a stack's record) can help another.
#[derive(Debug, Default)]
pub(crate) struct Room {
    commit_count: usize,
    bytes: usize,
    is_closed: bool,
}

impl Room {
    /// Makes room for a commit; false where it has to wait for the next transaction.
    pub(crate) fn take(&mut self, commit: &Commit) -> bool {
        let bytes = size(commit);
        let is_plain = commit.run.is_none() && commit.stack.is_none() && commit.segments.is_empty();
        let fits = is_plain && self.commit_count < MOST_COMMITS && self.bytes + bytes <= MOST_BYTES;
        if self.commit_count > 0 && (self.is_closed || !fits) {
            return false;
        }
        self.commit_count += 1;
        self.bytes += bytes;
        self.is_closed = !is_plain;
        true
    }
}

/// Commits of one lease that become durable together, as the arrays that one call of `commit_1` takes.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    run: Option<Run>,
    record: Option<(Uuid, Arc<[u8]>)>,
    segments: Segments,
    entries: Entries,
    rows: Rows,
}

#[derive(Debug)]
struct Run {
    id: Uuid,
    status: &'static str,
    started: i64,
    finished: Option<i64>,
    body: Arc<[u8]>,
}

#[derive(Debug, Default)]
struct Segments {
    runs: Vec<Uuid>,
    numbers: Vec<i64>,
    bodies: Vec<Arc<[u8]>>,
}

#[derive(Debug, Default)]
struct Entries {
    waves: Vec<i32>,
    runs: Vec<Uuid>,
    seqs: Vec<i64>,
    bodies: Vec<Arc<[u8]>>,
    /// For each run the wave that its last entry is in, and the number that would go on.
    ends: HashMap<RunId, (i32, u64)>,
}

#[derive(Debug, Default)]
struct Rows {
    waves: Vec<i32>,
    commits: Vec<i32>,
    objects: Vec<Uuid>,
    addresses: Vec<Option<Arc<str>>>,
    versions: Vec<Option<i64>>,
    bodies: Vec<Option<Arc<[u8]>>>,
    /// For each object the wave of its next write.
    next: HashMap<ObjectId, i32>,
}

impl Batch {
    /// Returns what makes these commits of one lease durable.
    ///
    /// # Errors
    /// Where one of them cannot be stored whatever is there.
    pub(crate) fn new(lease: &Lease, commits: &[&Commit]) -> Result<Self> {
        let mut batch = Self::default();
        for (commit, number) in commits.iter().zip(0..) {
            batch.add(lease, number, commit)?;
        }
        batch.entries.sort();
        batch.rows.sort();
        Ok(batch)
    }

    fn add(&mut self, lease: &Lease, number: i32, commit: &Commit) -> Result<()> {
        if let Some(run) = &commit.run {
            if run.stack != lease.stack {
                return Err(foreign_run(&lease.stack, run.id));
            }
            self.run = Some(Run {
                id: uuid(run.id.as_u128()),
                status: run.status.as_str(),
                started: signed(run.started.0)?,
                finished: run.finished.map(|finished| signed(finished.0)).transpose()?,
                body: Arc::clone(&run.body),
            });
        }
        if let Some(record) = &commit.stack {
            self.record = Some((uuid(record.lineage.as_u128()), Arc::clone(&record.body)));
        }
        for segment in &commit.segments {
            self.segments.runs.push(uuid(segment.run.as_u128()));
            self.segments.numbers.push(segment.number.into());
            self.segments.bodies.push(Arc::clone(&segment.body));
        }
        for entry in &commit.entries {
            self.entries.add(entry.run, entry.seq, Arc::clone(&entry.body))?;
        }
        for write in &commit.rows {
            self.rows.add(number, write)?;
        }
        Ok(())
    }

    /// Returns the parameters that come after the stack, the token, the writer and the number.
    pub(crate) fn parameters(&self) -> Parameters<'_> {
        Parameters {
            run: self.run.as_ref().map(|run| run.id),
            status: self.run.as_ref().map(|run| run.status),
            started: self.run.as_ref().map(|run| run.started),
            finished: self.run.as_ref().and_then(|run| run.finished),
            run_body: self.run.as_ref().map(|run| &*run.body),
            lineage: self.record.as_ref().map(|record| record.0),
            outputs: self.record.as_ref().map(|record| &*record.1),
            segment_bodies: self.segments.bodies.iter().map(|body| &**body).collect(),
            entry_bodies: self.entries.bodies.iter().map(|body| &**body).collect(),
            addresses: self.rows.addresses.iter().map(Option::as_deref).collect(),
            row_bodies: self.rows.bodies.iter().map(Option::as_deref).collect(),
            batch: self,
        }
    }
}

/// The parameters of a batch, borrowed from it.
#[derive(Debug)]
pub(crate) struct Parameters<'a> {
    run: Option<Uuid>,
    status: Option<&'static str>,
    started: Option<i64>,
    finished: Option<i64>,
    run_body: Option<&'a [u8]>,
    lineage: Option<Uuid>,
    outputs: Option<&'a [u8]>,
    segment_bodies: Vec<&'a [u8]>,
    entry_bodies: Vec<&'a [u8]>,
    addresses: Vec<Option<&'a str>>,
    row_bodies: Vec<Option<&'a [u8]>>,
    batch: &'a Batch,
}

impl Parameters<'_> {
    /// Returns them in the order of `commit_1`.
    pub(crate) fn list(&self) -> [&(dyn ToSql + Sync); 20] {
        let Batch { segments, entries, rows, .. } = self.batch;
        [
            &self.run,
            &self.status,
            &self.started,
            &self.finished,
            &self.run_body,
            &self.lineage,
            &self.outputs,
            &segments.runs,
            &segments.numbers,
            &self.segment_bodies,
            &entries.waves,
            &entries.runs,
            &entries.seqs,
            &self.entry_bodies,
            &rows.waves,
            &rows.commits,
            &rows.objects,
            &self.addresses,
            &rows.versions,
            &self.row_bodies,
        ]
    }
}

impl Entries {
    fn add(&mut self, run: RunId, seq: u64, body: Arc<[u8]>) -> Result<()> {
        let wave = match self.ends.get(&run) {
            Some((wave, end)) if *end == seq => *wave,
            Some((wave, _)) => wave + 1,
            None => 0,
        };
        self.ends.insert(run, (wave, seq.saturating_add(1)));
        self.waves.push(wave);
        self.runs.push(uuid(run.as_u128()));
        self.seqs.push(signed(seq)?);
        self.bodies.push(body);
        Ok(())
    }

    fn sort(&mut self) {
        if !self.waves.is_sorted() {
            let order = order_of(&self.waves);
            arrange(&mut self.waves, &order);
            arrange(&mut self.runs, &order);
            arrange(&mut self.seqs, &order);
            arrange(&mut self.bodies, &order);
        }
    }
}

impl Rows {
    fn add(&mut self, commit: i32, write: &RowWrite) -> Result<()> {
        let object = match write {
            RowWrite::Put(row) => row.object_id,
            RowWrite::Delete(object) => *object,
        };
        let next = self.next.entry(object).or_default();
        self.waves.push(*next);
        *next += 1;
        self.commits.push(commit);
        self.objects.push(uuid(object.as_u128()));
        match write {
            RowWrite::Put(row) => {
                text("an address", &row.address)?;
                self.addresses.push(Some(Arc::clone(&row.address)));
                self.versions.push(Some(signed(row.version)?));
                self.bodies.push(Some(Arc::clone(&row.body)));
            }
            RowWrite::Delete(_) => {
                self.addresses.push(None);
                self.versions.push(None);
                self.bodies.push(None);
            }
        }
        Ok(())
    }

    fn sort(&mut self) {
        if !self.waves.is_sorted() {
            let order = order_of(&self.waves);
            arrange(&mut self.waves, &order);
            arrange(&mut self.commits, &order);
            arrange(&mut self.objects, &order);
            arrange(&mut self.addresses, &order);
            arrange(&mut self.versions, &order);
            arrange(&mut self.bodies, &order);
        }
    }
}

/// Returns the places in the order of their waves; what is in the same wave keeps its order.
fn order_of(waves: &[i32]) -> Vec<usize> {
    let mut order: Vec<(i32, usize)> = waves.iter().copied().zip(0..).collect();
    order.sort_unstable();
    order.into_iter().map(|(_, place)| place).collect()
}

fn arrange<T: Clone>(list: &mut Vec<T>, order: &[usize]) {
    *list = order.iter().filter_map(|place| list.get(*place).cloned()).collect();
}

/// Returns about how many bytes a commit writes.
fn size(commit: &Commit) -> usize {
    let rows = commit.rows.iter().map(|write| match write {
        RowWrite::Put(row) => row.body.len() + row.address.len(),
        RowWrite::Delete(_) => 0,
    });
    let segments = commit.segments.iter().map(|segment| segment.body.len());
    let entries = commit.entries.iter().map(|entry| entry.body.len());
    rows.chain(segments).chain(entries).sum()
}

fn uuid(bits: u128) -> Uuid {
    Uuid::from_u128(bits)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use stackwright::{
        event::Timestamp,
        state::{EntryRecord, LeaseToken, Lineage, RowRecord, SegmentRecord, StackKey, StackWrite},
    };

    use super::*;

    fn lease() -> Lease {
        let expires = Timestamp(0).plus(Duration::from_secs(9));
        Lease { stack: StackKey::new("acme", "shop"), token: LeaseToken(1), holder: "test".into(), expires }
    }

    fn put(object: u128, version: u64) -> RowWrite {
        let object_id = ObjectId::from_u128(object);
        RowWrite::Put(RowRecord { object_id, address: "a.b".into(), version, body: b"x"[..].into() })
    }

    fn entry(run: u128, seq: u64) -> EntryRecord {
        EntryRecord { run: RunId::from_u128(run), seq, body: b"x"[..].into() }
    }

    fn sealed(commits: &[Commit]) -> Batch {
        Batch::new(&lease(), &commits.iter().collect::<Vec<_>>()).expect("can be stored")
    }

    fn rows(rows: Vec<RowWrite>) -> Commit {
        Commit { rows, ..Commit::default() }
    }

    fn entries(entries: Vec<EntryRecord>) -> Commit {
        Commit { entries, ..Commit::default() }
    }

    #[test]
    fn rows_of_one_object_are_written_in_their_order() {
        let id = ObjectId::from_u128(1);
        let batch = sealed(&[rows(vec![put(1, 1), put(2, 1), RowWrite::Delete(id)]), rows(vec![put(1, 7), put(3, 1)])]);
        let shown: Vec<_> = (0..batch.rows.waves.len())
            .map(|idx| {
                let Rows { waves, commits, objects, versions, .. } = &batch.rows;
                (waves[idx], commits[idx], objects[idx].as_u128(), versions[idx])
            })
            .collect();
        let expected =
            [(0, 0, 1, Some(1)), (0, 0, 2, Some(1)), (0, 1, 3, Some(1)), (1, 0, 1, None), (2, 1, 1, Some(7))];
        assert_eq!(shown, expected);
    }

    #[test]
    fn entries_that_follow_on_each_other_are_written_at_once() {
        let batch = sealed(&[
            entries(vec![entry(1, 4), entry(1, 5), entry(2, 0)]),
            entries(vec![entry(1, 6), entry(2, 1)]),
            entries(vec![entry(1, 4), entry(1, 5)]),
            entries(vec![entry(2, 3)]),
        ]);
        let Entries { waves, runs, seqs, .. } = &batch.entries;
        let shown: Vec<_> = (0..waves.len()).map(|idx| (waves[idx], runs[idx].as_u128(), seqs[idx])).collect();
        let expected = [(0, 1, 4), (0, 1, 5), (0, 2, 0), (0, 1, 6), (0, 2, 1), (1, 1, 4), (1, 1, 5), (1, 2, 3)];
        assert_eq!(shown, expected);
    }

    /// Returns how many of these go into the first transaction.
    fn together(commits: &[Commit]) -> usize {
        let mut room = Room::default();
        commits.iter().take_while(|commit| room.take(commit)).count()
    }

    #[test]
    fn what_may_help_others_is_alone() {
        let plain = rows(vec![put(1, 1)]);
        let record = StackWrite { lineage: Lineage::from_u128(1), body: b"{}"[..].into() };
        let segment = SegmentRecord { run: RunId::from_u128(1), number: 0, body: b"plan"[..].into() };
        for special in
            [Commit { stack: Some(record), ..plain.clone() }, Commit { segments: vec![segment], ..plain.clone() }]
        {
            assert_eq!(together(&[plain.clone(), special.clone(), plain.clone()]), 1, "{special:?}");
            assert_eq!(together(&[special.clone(), plain.clone()]), 1, "{special:?}");
        }
        assert_eq!(together(&[plain.clone(), plain]), 2);
    }

    #[test]
    fn a_transaction_has_an_end() {
        let large = rows(vec![RowWrite::Put(RowRecord {
            object_id: ObjectId::from_u128(1),
            address: "a.b".into(),
            version: 1,
            body: vec![0; MOST_BYTES].into(),
        })]);
        let small = rows(vec![put(1, 1)]);
        assert_eq!(together(&[small.clone(), large.clone()]), 1);
        assert_eq!(together(&[large, small.clone()]), 1);
        assert_eq!(together(&vec![small; MOST_COMMITS + 1]), MOST_COMMITS);
    }

    #[test]
    fn what_cannot_be_stored_is_refused() {
        for write in [
            RowWrite::Put(RowRecord {
                object_id: ObjectId::from_u128(1),
                address: "a\0b".into(),
                version: 1,
                body: b"x"[..].into(),
            }),
            put(1, u64::MAX),
        ] {
            Batch::new(&lease(), &[&rows(vec![write])]).expect_err("refused");
        }
    }
}
