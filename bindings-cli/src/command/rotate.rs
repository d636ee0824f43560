use stackwright::error::{Error, ErrorKind, Result};

use super::Failure;
use crate::{
    arguments::RotateKey,
    exit::Exit,
    lock,
    session::{KeySource, Session},
    terminal::Style,
};

pub(super) async fn run(session: &Session, arguments: &RotateKey, style: Style) -> Result<Exit, Failure> {
    match session.key_source()? {
        KeySource::Environment { older: 0 } => {
            let message = "the key is in the variable STACKWRIGHT_KEY, which this program cannot change; put the new key \
                           there, the old one into STACKWRIGHT_OLD_KEYS, and run `stackwright rotate-key` again";
            return Err(Error::new(ErrorKind::InvalidInput, "cli.usage", message).into());
        }
        KeySource::Environment { .. } => {}
        KeySource::File(path) if !arguments.no_new_key => {
            let ring = stackwright::state::cipher::KeyFile::rotate(&path)?;
            say!("Made key {}. {} older, kept beside it.", ring.newest.id(), ring.older.len());
        }
        KeySource::File(_) => {}
    }
    let engine = session.stack().await?.engine().clone();
    let mut left = Vec::new();
    for stack in engine.stacks(None).await? {
        lock::wait(&stack, arguments.locking.lock_timeout, |text| {
            if style != Style::Json {
                say_error!("{text}");
            }
        })
        .await?;
        match stack.reseal().await {
            Ok(count) => say!("{}: sealed again, {count} {}.", stack.key(), if count == 1 { "row" } else { "rows" }),
            Err(error) if matches!(error.code(), "lease.held" | "run.unfinished") => {
                say_error!("{}: {error}", stack.key());
                left.push(stack.key().to_string());
            }
            Err(error) => return Err(error.into()),
        }
    }
    if left.is_empty() {
        say!("Older keys are needed only to read the histories of earlier runs. Saved plans have to be made again.");
        return Ok(Exit::Success);
    }
    let message = format!(
        "still sealed with an older key: {}; nothing is lost, and all keys are kept; \
         when these stacks are free, run `stackwright rotate-key -no-new-key`",
        left.join(", ")
    );
    Err(Error::new(ErrorKind::Conflict, "lease.held", message).into())
}
