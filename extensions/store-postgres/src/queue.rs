use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use stackwright::{
    Error, Result,
    error::{Effect, Retry},
    state::{Commit, Lease, StackKey},
};
use tokio::{runtime::Handle, sync::oneshot};
use tokio_util::task::TaskTracker;

use crate::{batch::Room, error::closed, write::Writes};

/// One call that changes a stack under its lease, and who waits for it.
struct Job {
    lease: Lease,
    order: Order,
    reply: oneshot::Sender<Result<()>>,
}

/// What is to be done.
pub(crate) enum Order {
    Commit(Commit),
    Forget,
    Release,
}

/// Calls that change stacks, in the order in which they were made; those of different stacks run side by side.
///
/// A stack that has something to do has a task, which takes all that waits and makes it durable together.
pub(crate) struct Queues {
    stacks: Mutex<HashMap<StackKey, VecDeque<Job>>>,
    tasks: TaskTracker,
    runtime: Handle,
}

/// What waits, as far as it goes into one transaction.
enum Group {
    /// Commits of one lease.
    Commits(Vec<Job>),
    One(Job),
}

impl Queues {
    /// Runs its tasks on `runtime`.
    pub(crate) fn new(runtime: Handle) -> Self {
        Self { stacks: Mutex::default(), tasks: TaskTracker::new(), runtime }
    }

    /// Does what was ordered after everything that was ordered for this stack before; it is done even if nobody waits.
    pub(crate) async fn call(self: &Arc<Self>, writes: &Arc<Writes>, lease: &Lease, order: Order) -> Result<()> {
        let (reply, answer) = oneshot::channel();
        let job = Job { lease: lease.clone(), order, reply };
        {
            let mut stacks = self.stacks();
            // Under the lock: what comes before closing is waited for, what comes later is refused.
            if self.tasks.is_closed() {
                return Err(closed());
            }
            match stacks.get_mut(&lease.stack) {
                Some(queue) => queue.push_back(job),
                None => {
                    stacks.insert(lease.stack.clone(), VecDeque::from([job]));
                    let (queues, writes, key) = (Arc::clone(self), Arc::clone(writes), lease.stack.clone());
                    self.tasks.spawn_on(async move { queues.work(&writes, &key).await }, &self.runtime);
                }
            }
        }
        answer.await.map_err(|_| closed())?
    }

    /// Refuses what comes from now on, and waits for what was ordered before.
    pub(crate) async fn close(&self) {
        {
            let _stacks = self.stacks();
            self.tasks.close();
        }
        self.tasks.wait().await;
    }

    fn stacks(&self) -> MutexGuard<'_, HashMap<StackKey, VecDeque<Job>>> {
        self.stacks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn work(&self, writes: &Writes, key: &StackKey) {
        while let Some(group) = self.next(key) {
            match group {
                Group::Commits(jobs) => commit(writes, jobs).await,
                Group::One(Job { lease, order, reply }) => {
                    let result = match order {
                        Order::Commit(commit) => writes.commit(&lease, &[&commit]).await,
                        Order::Forget => writes.forget(&lease).await,
                        Order::Release => writes.free(&lease).await,
                    };
                    // Nobody may be waiting any more; what is durable stays so.
                    let _ = reply.send(result);
                }
            }
        }
    }

    /// Takes the next group; where there is none, the stack has no task any more.
    fn next(&self, key: &StackKey) -> Option<Group> {
        let mut stacks = self.stacks();
        let queue = stacks.get_mut(key)?;
        let Some(first) = queue.pop_front() else {
            stacks.remove(key);
            return None;
        };
        let Order::Commit(commit) = &first.order else { return Some(Group::One(first)) };
        let token = first.lease.token;
        let mut room = Room::default();
        room.take(commit);
        let mut jobs = vec![first];
        while let Some(Job { lease, order: Order::Commit(commit), .. }) = queue.front()
            && lease.token == token
            && room.take(commit)
        {
            jobs.extend(queue.pop_front());
        }
        Some(Group::Commits(jobs))
    }
}

impl Job {
    fn commit(&self) -> Option<&Commit> {
        match &self.order {
            Order::Commit(commit) => Some(commit),
            Order::Forget | Order::Release => None,
        }
    }
}

/// Makes commits durable together; where that is refused, each by itself, so that a bad one fails alone.
async fn commit(writes: &Writes, jobs: Vec<Job>) {
    let Some(lease) = jobs.first().map(|job| job.lease.clone()) else { return };
    let commits: Vec<&Commit> = jobs.iter().filter_map(Job::commit).collect();
    let together = writes.commit(&lease, &commits).await;
    let is_refused = |error: &Error| error.retry_advice() == Retry::No && error.effect_on_world() == Effect::None;
    match together {
        Ok(()) => {
            for job in jobs {
                // Nobody may be waiting any more; what is durable stays so.
                let _ = job.reply.send(Ok(()));
            }
        }
        Err(error) if jobs.len() > 1 && is_refused(&error) => {
            for job in jobs {
                let result = match job.commit() {
                    Some(commit) => writes.commit(&lease, &[commit]).await,
                    None => Ok(()),
                };
                let _ = job.reply.send(result);
            }
        }
        Err(error) => {
            for job in jobs {
                let _ = job.reply.send(Err(same(&error)));
            }
        }
    }
}

/// Returns the error once more, for another who waits.
fn same(error: &Error) -> Error {
    let copy = Error::new(error.kind(), error.code().to_owned(), error.message())
        .retry(error.retry_advice())
        .effect(error.effect_on_world());
    let copy = error.facts().fold(copy, |copy, (key, value)| copy.context(key.to_owned(), value));
    match std::error::Error::source(error) {
        Some(source) => copy.because(source.to_string()),
        None => copy,
    }
}
