use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
};

use rusqlite::Connection;
use stackwright::{Result, state::failure};
use tokio::sync::oneshot;

use crate::{
    SqliteOptions,
    error::{closed, storage},
    open,
};

type Call = Box<dyn FnOnce(&Connection) + Send>;

/// The handle of the threads that read, each with its own connection. When it is gone they end by themselves.
#[derive(Debug)]
pub(crate) struct Readers {
    queue: Mutex<Option<mpsc::Sender<Call>>>,
    ended: Mutex<Vec<oneshot::Receiver<()>>>,
    path: PathBuf,
}

impl Readers {
    /// Opens the connections on their threads; returns when that is done.
    pub(crate) async fn start(options: &SqliteOptions) -> Result<Self> {
        let (queue, inbox) = mpsc::channel();
        let inbox = Arc::new(Mutex::new(inbox));
        let mut ended = Vec::new();
        for number in 0..options.readers {
            let (opened, opening) = oneshot::channel();
            let (end, ending) = oneshot::channel();
            let (options, inbox) = (options.clone(), Arc::clone(&inbox));
            let path = options.path.clone();
            let start = move || {
                match open::reader(&options) {
                    Ok(connection) => {
                        let _ = opened.send(Ok(()));
                        serve(connection, &inbox);
                    }
                    Err(error) => drop(opened.send(Err(error))),
                }
                let _ = end.send(());
            };
            thread::Builder::new()
                .name(format!("sqlite-reader-{number}"))
                .spawn(start)
                .map_err(|error| failure::unavailable_for_now("no thread can be started").because(error))?;
            opening.await.map_err(|_| closed(&path))??;
            ended.push(ending);
        }
        Ok(Self { queue: Mutex::new(Some(queue)), ended: Mutex::new(ended), path: options.path.clone() })
    }

    /// Runs `call` on the next free connection.
    pub(crate) async fn call<T: Send + 'static>(
        &self,
        call: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T> {
        let (reply, answer) = oneshot::channel();
        let path = self.path.clone();
        let run = move |connection: &Connection| {
            // Whoever stopped waiting needs no answer.
            if !reply.is_closed() {
                let _ = reply.send(call(connection).map_err(|error| storage(&path, &error)));
            }
        };
        let sent = {
            let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
            queue.as_ref().is_some_and(|queue| queue.send(Box::new(run)).is_ok())
        };
        if !sent {
            return Err(closed(&self.path));
        }
        answer.await.map_err(|_| closed(&self.path))?
    }

    /// Answers what was asked before, then closes the connections.
    pub(crate) async fn close(&self) {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).take();
        let ended = std::mem::take(&mut *self.ended.lock().unwrap_or_else(PoisonError::into_inner));
        for end in ended {
            // A thread that died has ended too.
            let _ = end.await;
        }
    }
}

fn serve(connection: Connection, inbox: &Mutex<mpsc::Receiver<Call>>) {
    loop {
        // Only one thread waits for the next call; the others wait for their turn to wait.
        let next = inbox.lock().unwrap_or_else(PoisonError::into_inner).recv();
        match next {
            Ok(call) => call(&connection),
            Err(mpsc::RecvError) => break,
        }
    }
    drop(connection);
}
