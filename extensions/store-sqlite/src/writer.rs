use std::{
    path::{Path, PathBuf},
    thread,
};

use rusqlite::Connection;
use stackwright::{Error, Result, state::failure};
use tokio::sync::{mpsc, oneshot};

use crate::{
    SqliteOptions,
    error::{closed, storage},
    open,
    write::Work,
};

/// At most so many calls go into one transaction, and at most so many bytes (one call may have more).
const GROUP_CALLS: usize = 4_096;
const GROUP_BYTES: usize = 8 << 20;

/// One call and who waits for it.
trait Task: Send {
    /// Runs it, inside a transaction that is not durable yet, so that it changes everything or nothing.
    fn run(&mut self, work: &mut Work<'_>);

    /// Runs it as the only one of its transaction; returns whether that is to be kept.
    fn run_alone(&mut self, work: &mut Work<'_>) -> bool;

    /// Tells the caller how it ended: as it ran, unless the transaction `failed`.
    fn finish(self: Box<Self>, failed: Option<Error>);
}

struct Waiting<T, F> {
    call: Option<F>,
    result: Option<Result<T>>,
    reply: oneshot::Sender<Result<T>>,
}

impl<T, F> Task for Waiting<T, F>
where
    T: Send,
    F: FnOnce(&mut Work<'_>) -> Result<T> + Send,
{
    fn run(&mut self, work: &mut Work<'_>) {
        if let Some(call) = self.call.take() {
            self.result = Some(work.attempt(call));
        }
    }

    fn run_alone(&mut self, work: &mut Work<'_>) -> bool {
        if let Some(call) = self.call.take() {
            self.result = Some(call(work));
        }
        matches!(self.result, Some(Ok(_)))
    }

    fn finish(self: Box<Self>, failed: Option<Error>) {
        let result = match (failed, self.result) {
            (Some(error), _) => Err(error),
            (None, Some(result)) => result,
            (None, None) => Err(Error::bug("a call to the store was left out of its transaction")),
        };
        // Nobody may be waiting any more; what is durable stays so.
        let _ = self.reply.send(result);
    }
}

struct Call {
    bytes: usize,
    task: Box<dyn Task>,
}

enum Message {
    Call(Call),
    Close(oneshot::Sender<Result<()>>),
}

/// The handle of the thread that owns the connection which writes. When all handles are gone it ends by itself, after
/// everything that was sent to it.
#[derive(Debug)]
pub(crate) struct Writer {
    queue: mpsc::UnboundedSender<Message>,
    path: PathBuf,
}

impl Writer {
    /// Opens the database on its own thread; returns when that is done.
    pub(crate) async fn start(options: SqliteOptions) -> Result<Self> {
        let (queue, inbox) = mpsc::unbounded_channel();
        let (opened, opening) = oneshot::channel();
        let path = options.path.clone();
        let start = move || match open::writer(&options) {
            Ok(connection) => {
                // A caller that lost interest drops its handle, and the loop ends.
                let _ = opened.send(Ok(()));
                serve(connection, inbox, Place::new(options.path));
            }
            Err(error) => drop(opened.send(Err(error))),
        };
        thread::Builder::new()
            .name("sqlite-writer".to_owned())
            .spawn(start)
            .map_err(|error| failure::unavailable_for_now("no thread can be started").because(error))?;
        opening.await.map_err(|_| closed(&path))??;
        Ok(Self { queue, path })
    }

    /// Runs `call` in the next transaction; returns when that is durable. It runs even if nobody waits for it any more.
    pub(crate) async fn call<T: Send + 'static>(
        &self,
        bytes: usize,
        call: impl FnOnce(&mut Work<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (reply, answer) = oneshot::channel();
        let task = Box::new(Waiting { call: Some(call), result: None, reply });
        let message = Message::Call(Call { bytes, task });
        self.queue.send(message).map_err(|_| closed(&self.path))?;
        answer.await.map_err(|_| closed(&self.path))?
    }

    /// Ends the thread after everything that was sent before; returns when the file is closed. Closing twice is fine.
    pub(crate) async fn close(&self) -> Result<()> {
        let (reply, answer) = oneshot::channel();
        if self.queue.send(Message::Close(reply)).is_err() {
            return Ok(());
        }
        answer.await.unwrap_or(Ok(()))
    }
}

/// Takes what waits, makes it durable together, answers, and again.
fn serve(connection: Connection, mut inbox: mpsc::UnboundedReceiver<Message>, place: Place) {
    let mut closing = Vec::new();
    let mut kept = None;
    while let Some(message) = kept.take().or_else(|| inbox.blocking_recv()) {
        let mut group = Vec::new();
        let mut bytes = 0;
        let mut next = Some(message);
        while let Some(message) = next.take() {
            match message {
                Message::Call(call) if !group.is_empty() && bytes + call.bytes > GROUP_BYTES => {
                    kept = Some(Message::Call(call));
                    break;
                }
                Message::Call(call) => {
                    bytes += call.bytes;
                    group.push(call);
                }
                Message::Close(reply) => {
                    // What is still in the queue is done; what comes later is refused.
                    inbox.close();
                    closing.push(reply);
                }
            }
            if group.len() >= GROUP_CALLS {
                break;
            }
            next = inbox.try_recv().ok();
        }
        if !group.is_empty() {
            perform(&connection, group, &place);
        }
    }
    let mut result = connection.close().map_err(|(_, error)| storage(&place.path, &error));
    for reply in closing {
        let _ = reply.send(std::mem::replace(&mut result, Ok(())));
    }
}

/// Runs a group in one transaction and tells every caller how it ended.
fn perform(connection: &Connection, mut group: Vec<Call>, place: &Place) {
    let outcome = transact(connection, &mut group, place);
    if outcome.is_err() && !connection.is_autocommit() {
        // If this fails too, the next transaction cannot begin and says so.
        let _ = connection.execute_batch("ROLLBACK");
    }
    for call in group {
        call.task.finish(outcome.as_ref().err().map(|failed| failed.to_error(place)));
    }
}

fn transact(connection: &Connection, group: &mut [Call], place: &Place) -> Result<(), Failed> {
    connection.execute_batch("BEGIN IMMEDIATE").map_err(Failed::Sql)?;
    if place.moved() {
        return Err(Failed::Moved);
    }
    let mut work = Work::new(connection, &place.path);
    if let [only] = group {
        // The transaction itself is what can be taken back; a savepoint would copy every page that is changed.
        let keeps = only.task.run_alone(&mut work);
        if connection.is_autocommit() {
            return Err(Failed::Ended);
        }
        return connection.execute_batch(if keeps { "COMMIT" } else { "ROLLBACK" }).map_err(Failed::Sql);
    }
    for call in group {
        call.task.run(&mut work);
        if connection.is_autocommit() {
            return Err(Failed::Ended);
        }
    }
    connection.execute_batch("COMMIT").map_err(Failed::Sql)
}

/// Why nothing of a group became durable.
enum Failed {
    /// SQLite refused to begin or to end the transaction.
    Sql(rusqlite::Error),
    /// SQLite gave the transaction up in the middle: the disk is full or broken.
    Ended,
    /// The file is not where it was.
    Moved,
}

impl Failed {
    fn to_error(&self, place: &Place) -> Error {
        match self {
            Self::Sql(error) => storage(&place.path, error),
            Self::Ended => failure::unavailable_for_now("the disk is full or broken; nothing was written")
                .context("path", place.path.display()),
            Self::Moved => failure::unavailable(
                "the database was deleted, moved or replaced while it was open; put it back, or open the store again",
            )
            .context("path", place.path.display()),
        }
    }
}

/// Where the file is, and which file it was when it was opened.
struct Place {
    path: PathBuf,
    file: Option<(u64, u64)>,
}

impl Place {
    fn new(path: PathBuf) -> Self {
        let file = identity(&path);
        Self { path, file }
    }

    /// Returns whether another file, or none, has the path now: SQLite would go on writing to one that nobody finds.
    fn moved(&self) -> bool {
        self.file.is_some() && identity(&self.path) != self.file
    }
}

#[cfg(unix)]
fn identity(path: &Path) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt as _;

    std::fs::metadata(path).ok().map(|metadata| (metadata.dev(), metadata.ino()))
}

#[cfg(not(unix))]
fn identity(_path: &Path) -> Option<(u64, u64)> {
    None
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::{future::join_all, poll};
    use stackwright::{event::Timestamp, state::StackKey};

    use super::*;

    /// While the writer waits for another process, calls and the wish to close queue up behind each other.
    #[tokio::test]
    async fn closing_waits_for_what_was_asked_before() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("state.db");
        let writer = Writer::start(SqliteOptions::new(&path)).await.expect("a new file");
        let other = Connection::open(&path).expect("opens");
        other.execute_batch("BEGIN IMMEDIATE").expect("locks");

        let acquire = |number: u32| {
            let stack = StackKey::new("acme", number.to_string());
            writer.call(0, move |work| work.acquire(&stack, "test", Timestamp(0), Duration::from_secs(9)))
        };
        let mut before: Vec<_> = (0..100).map(|number| Box::pin(acquire(number))).collect();
        for call in &mut before {
            assert!(poll!(call.as_mut()).is_pending());
        }
        let mut closing = Box::pin(writer.close());
        assert!(poll!(closing.as_mut()).is_pending());
        let after = Box::pin(acquire(1_000));
        other.execute_batch("COMMIT").expect("unlocks");

        for result in join_all(before).await {
            result.expect("asked for before closing");
        }
        closing.await.expect("closes");
        assert_eq!(after.await.expect_err("asked for after closing").code(), "store.unavailable");
    }
}
