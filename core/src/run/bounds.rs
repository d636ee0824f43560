use std::{future::Future, panic::AssertUnwindSafe, pin::pin, sync::Arc, task::Poll, time::Duration};

use futures_util::FutureExt as _;
use tokio_util::sync::CancellationToken;

use crate::{
    error::{Effect, Error, ErrorKind},
    event::Clock,
};

/// What surrounds a call of a resource type.
#[derive(Clone, Debug)]
pub(in crate::run) struct Bounds {
    pub(in crate::run) clock: Arc<dyn Clock>,
    /// How long the call may take.
    pub(in crate::run) limit: Duration,
    /// How long it may go on once it was told to end.
    pub(in crate::run) grace: Duration,
    /// The call's own token.
    pub(in crate::run) token: CancellationToken,
    /// Cancelled when the run does not wait any longer.
    pub(in crate::run) hurry: CancellationToken,
}

impl Bounds {
    /// Runs a call on its own task, so that one that panics or blocks harms nothing but itself.
    ///
    /// # Errors
    /// `resource.panicked`, `resource.timeout`; the effect of both is unknown.
    pub(in crate::run) async fn run<T: Send + 'static>(
        &self,
        call: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, Error> {
        let mut task = tokio::spawn(call);
        let error = tokio::select! {
            biased;
            done = &mut task => return done.map_err(|_| panicked()),
            () = self.hurry.cancelled() => timeout("did not end when it was told to"),
            () = self.clock.sleep(self.limit) => timeout("did not answer in time").context("limit", seconds(self.limit)),
        };
        self.token.cancel();
        tokio::select! {
            biased;
            done = &mut task => done.map_err(|_| panicked()),
            () = self.clock.sleep(self.grace) => {
                // Drops the call's future where it waits; one that blocks its thread goes on and is not heard.
                task.abort();
                Err(error)
            }
        }
    }
}

/// Runs a call that changes nothing where it stands: one that panics or does not come back harms nothing but itself.
///
/// Cheaper than [`Bounds::run`], which a planner could not afford for every instance: no task, and no timer for a call
/// that answers at once. A call that blocks its thread blocks the caller.
///
/// # Errors
/// `resource.panicked`, `resource.timeout`; what the call says.
pub(crate) async fn guarded<T>(
    clock: &Arc<dyn Clock>,
    limit: Duration,
    call: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let mut call = pin!(AssertUnwindSafe(call).catch_unwind());
    if let Poll::Ready(done) = futures_util::poll!(call.as_mut()) {
        return done.map_err(|_| panicked())?;
    }
    tokio::select! {
        biased;
        done = call => done.map_err(|_| panicked())?,
        () = clock.sleep(limit) => Err(timeout("did not answer in time").context("limit", seconds(limit))),
    }
}

/// The payload of the panic is not passed on: it may quote a secret.
fn panicked() -> Error {
    Error::new(ErrorKind::Bug, "resource.panicked", "the resource type panicked").effect(Effect::Unknown)
}

fn timeout(what: &str) -> Error {
    Error::new(ErrorKind::Unavailable, "resource.timeout", format!("the resource type {what}")).effect(Effect::Unknown)
}

fn seconds(duration: Duration) -> String {
    format!("{} s", duration.as_secs_f64())
}
