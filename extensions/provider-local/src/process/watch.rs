//! What this engine saw of processes itself. It is lost with the engine; nothing but messages and patience hangs on it.

use std::{
    collections::HashMap,
    process::ExitStatus,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::watch;

use super::{identity::Identity, launch::Started};

#[derive(Debug, Default)]
struct Seen {
    exit: Option<watch::Receiver<Option<ExitStatus>>>,
    awaited_since: Option<Duration>,
}

/// Notes about processes.
#[derive(Clone, Debug, Default)]
pub(super) struct Watch {
    seen: Arc<Mutex<HashMap<(u32, String), Seen>>>,
}

fn key(identity: &Identity) -> (u32, String) {
    (identity.pid, identity.start.clone())
}

impl Watch {
    fn lock(&self) -> MutexGuard<'_, HashMap<(u32, String), Seen>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a process that was just started.
    pub(super) fn started(&self, started: &Started) {
        let seen = Seen { exit: Some(started.exit.clone()), awaited_since: None };
        self.lock().insert(key(&started.identity), seen);
    }

    /// Returns for how long it has been waited for, since the first call; `now` is a reading of a clock that never goes
    /// back.
    pub(super) fn awaited(&self, identity: &Identity, now: Duration) -> Duration {
        let since = *self.lock().entry(key(identity)).or_default().awaited_since.get_or_insert(now);
        now.saturating_sub(since)
    }

    /// Notes that it is not waited for any more.
    pub(super) fn answered(&self, identity: &Identity) {
        if let Some(seen) = self.lock().get_mut(&key(identity)) {
            seen.awaited_since = None;
        }
    }

    /// Forgets a process that is known to have ended. Returns how it ended, where this engine started it.
    pub(super) async fn ended(&self, identity: &Identity) -> Option<ExitStatus> {
        let seen = self.lock().remove(&key(identity));
        let mut exit = seen?.exit?;
        // It ended, so whoever waits for it learns of it right now. The bound is for a process that only seems to have
        // ended, since it hides who it is.
        let told = tokio::time::timeout(Duration::from_secs(1), exit.wait_for(Option::is_some)).await;
        *told.ok()?.ok()?
    }
}
