use std::collections::BTreeMap;

use super::{OpenCall, RunView, Stack};
use crate::{
    error::{Error, ErrorKind, Result},
    plan::{Plan, Step, StepAction, codec},
    run::{Entry, Fact, decode_entry, decode_summary},
    state::{Commit, RunId, RunRecord, RunStatus},
};

impl Stack {
    /// Returns the runs of the stack, newest first, at most `limit`.
    ///
    /// # Errors
    /// Those of [`Store`](crate::state::Store).
    pub async fn runs(&self, limit: u32) -> Result<Vec<RunView>> {
        self.store().list_runs(&self.key, limit).await?.iter().map(view).collect()
    }

    /// Returns the run that was begun and not ended, if there is one: its process died, or works on it right now.
    ///
    /// # Errors
    /// Those of [`Store`](crate::state::Store).
    pub async fn unfinished_run(&self) -> Result<Option<RunView>> {
        // A run begins only after the one before ended, so that only the newest can be unfinished.
        let newest = self.store().list_runs(&self.key, 1).await?;
        newest.first().filter(|run| run.status == RunStatus::Running).map(view).transpose()
    }

    /// Returns everything that happened in a run, in order. Sensitive values are opened and marked.
    ///
    /// # Errors
    /// `run.unknown` (`NotFound`); those of [`Store`](crate::state::Store); `cipher.open_failed`.
    pub async fn journal(&self, run: RunId) -> Result<Vec<Entry>> {
        self.load_run(run).await?;
        let sealer = self.sealer();
        self.store().load_journal(run).await?.iter().map(|entry| decode_entry(entry, &sealer)).collect()
    }

    /// Returns the plans that a run carries out, one for each of its segments, in order. Sensitive values are opened and
    /// marked.
    ///
    /// # Errors
    /// `run.unknown` (`NotFound`); those of [`Store`](crate::state::Store); `cipher.open_failed`.
    pub async fn segments(&self, run: RunId) -> Result<Vec<Plan>> {
        self.load_run(run).await?;
        let sealer = self.sealer();
        self.store().load_segments(run).await?.iter().map(|segment| codec::decode(&segment.body, &sealer)).collect()
    }

    /// Returns the calls of a run that had begun and whose end nobody noted, in the order of their steps: what may be in the
    /// world without state knowing, should the run be given up. Calls that only read are left out.
    ///
    /// # Errors
    /// As [`Stack::segments`].
    pub async fn open_calls(&self, run: RunId) -> Result<Vec<OpenCall>> {
        let segments = self.segments(run).await?;
        let mut plan = segments.first();
        let mut open = BTreeMap::new();
        for entry in self.journal(run).await? {
            let Some(id) = entry.fact.step() else {
                if matches!(entry.fact, Fact::RollbackStarted { .. }) {
                    plan = segments.get(1);
                    open.clear();
                }
                continue;
            };
            let changes =
                |step: &&Step| matches!(step.action, StepAction::Create | StepAction::Update | StepAction::Delete);
            let step = plan.and_then(|plan| plan.step(id)).filter(changes);
            match entry.fact {
                Fact::Started { attempt, .. } => {
                    let call = step.map(|step| OpenCall {
                        address: step.address.clone(),
                        action: step.action,
                        object_id: step.object_id,
                        attempt,
                        began: entry.at,
                    });
                    open.extend(call.map(|call| (id, call)));
                }
                Fact::Remembered { .. } | Fact::Checkpointed { .. } | Fact::Interrupted { .. } => {}
                _ => drop(open.remove(&id)),
            }
        }
        Ok(open.into_values().collect())
    }

    /// Gives a run up: it will not be resumed, its rows stay as they are.
    ///
    /// What was under way when it stopped may exist without a row. Resuming finds that out; abandoning does not, so
    /// resume first if you can.
    ///
    /// # Errors
    /// `run.unknown`, `run.ended` (`Conflict`), `lease.held`, and those of [`Store`](crate::state::Store).
    pub async fn abandon(&self, run: RunId) -> Result<()> {
        let lease = self.acquire("abandon").await?;
        let result = async {
            let record = self.load_run(run).await?;
            if record.status != RunStatus::Running {
                return Err(Error::new(
                    ErrorKind::Conflict,
                    "run.ended",
                    format!("run {run} is {} already", record.status.as_str()),
                ));
            }
            let finished = Some(self.engine.inner.clock.now());
            let record = RunRecord { status: RunStatus::Abandoned, finished, ..record };
            self.store().commit(&lease, Commit { run: Some(record), ..Commit::default() }).await?;
            // Whoever needs the room finds out, too.
            let _ = self.settle_quota(Some(run)).await;
            Ok(())
        }
        .await;
        let released = self.store().release(&lease).await;
        result.and(released)
    }

    pub(super) async fn load_run(&self, run: RunId) -> Result<RunRecord> {
        let record = self.store().load_run(run).await?.filter(|record| record.stack == self.key);
        record.ok_or_else(|| Error::new(ErrorKind::NotFound, "run.unknown", format!("`{}` has no run {run}", self.key)))
    }
}

fn view(record: &RunRecord) -> Result<RunView> {
    let summary = decode_summary(record)?;
    Ok(RunView {
        id: record.id,
        status: record.status,
        started: record.started,
        finished: record.finished,
        who: summary.who,
        why: summary.why,
        step_count: summary.step_count,
        done_count: summary.done_count,
        failed_count: summary.failed_count,
        skipped_count: summary.skipped_count,
    })
}
