use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use serde_json::{Map, Value, json};
use tokio::sync::watch;

/// How far a change got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Point {
    /// The cloud has taken the request, and done nothing yet.
    Taken,
    /// It is done, and not answered.
    Done,
    /// It is answered, or the answer was lost.
    Answered,
}

impl Point {
    pub(crate) const ALL: [Self; 3] = [Self::Taken, Self::Done, Self::Answered];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Taken => "taken",
            Self::Done => "done",
            Self::Answered => "answered",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|point| point.name() == name)
    }
}

/// How many changes got how far since the start. Tests wait for a number, so that they need no clock.
#[derive(Debug)]
pub(crate) struct Progress {
    counts: watch::Sender<[u64; 3]>,
    /// Changes that were taken and not answered yet, by verb and kind.
    open: Mutex<BTreeMap<String, u64>>,
}

impl Progress {
    pub(crate) fn new() -> Self {
        Self { counts: watch::Sender::new([0; 3]), open: Mutex::default() }
    }

    fn open(&self) -> MutexGuard<'_, BTreeMap<String, u64>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that a change got so far.
    pub(crate) fn reached(&self, point: Point, what: &str) {
        match point {
            Point::Taken => *self.open().entry(what.to_owned()).or_default() += 1,
            Point::Done => {}
            Point::Answered => {
                let mut open = self.open();
                if let Some(count) = open.get_mut(what) {
                    *count -= 1;
                }
                open.retain(|_, count| *count > 0);
            }
        }
        self.counts.send_modify(|counts| counts[point as usize] += 1);
    }

    /// Waits until so many changes got so far.
    pub(crate) async fn wait(&self, point: Point, count: u64) {
        let mut counts = self.counts.subscribe();
        // It ends with the server only.
        let _ = counts.wait_for(|counts| counts[point as usize] >= count).await;
    }

    pub(crate) fn view(&self) -> Value {
        let counts = *self.counts.borrow();
        let mut view: Map<String, Value> =
            Point::ALL.into_iter().map(|point| (point.name().to_owned(), json!(counts[point as usize]))).collect();
        view.insert("open".to_owned(), json!(*self.open()));
        Value::Object(view)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_open_was_taken_and_not_answered() {
        let progress = Progress::new();
        let expected = json!({ "taken": 0, "done": 0, "answered": 0, "open": {} });
        assert_eq!(progress.view(), expected);
        for what in ["create bucket", "create bucket", "delete bucket"] {
            progress.reached(Point::Taken, what);
        }
        progress.reached(Point::Done, "create bucket");
        progress.reached(Point::Answered, "create bucket");
        progress.reached(Point::Answered, "delete bucket");
        let expected = json!({ "taken": 3, "done": 1, "answered": 2, "open": { "create bucket": 1 } });
        assert_eq!(progress.view(), expected);
        progress.wait(Point::Taken, 3).await;
        let more = progress.wait(Point::Done, 2);
        tokio::pin!(more);
        assert!(futures_are_pending(&mut more).await, "one is done");
        progress.reached(Point::Done, "create bucket");
        more.await;
    }

    /// Returns whether a future has to wait.
    async fn futures_are_pending(future: &mut (impl Future<Output = ()> + Unpin)) -> bool {
        tokio::select! {
            biased;
            () = future => false,
            () = std::future::ready(()) => true,
        }
    }
}
