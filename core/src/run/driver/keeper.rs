use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio_util::sync::CancellationToken;

use crate::{
    error::{Error, ErrorKind},
    event::Clock,
    state::{Lease, Store},
};

/// What the driver knows of its lease, by its own clock.
///
/// The store fences writes; nothing fences the cloud. So each call is made only while this clock says that nobody
/// else can hold the stack yet.
#[derive(Debug)]
pub(super) struct Guard {
    clock: Arc<dyn Clock>,
    /// On the monotonic clock, in milliseconds.
    valid_until_ms: AtomicU64,
    /// Cancelled once the lease is lost.
    pub(super) lost: CancellationToken,
    why: Mutex<Option<Error>>,
}

impl Guard {
    pub(super) fn new(clock: Arc<dyn Clock>, lease: &Lease, ttl: Duration) -> Self {
        // The lease may have been taken a while ago.
        let left = lease.expires.since(clock.now()).min(ttl);
        let valid_until_ms = AtomicU64::new(millis(clock.monotonic() + left));
        Self { clock, valid_until_ms, lost: CancellationToken::new(), why: Mutex::default() }
    }

    /// Returns whether a call may be made now.
    pub(super) fn holds(&self) -> bool {
        !self.lost.is_cancelled() && millis(self.clock.monotonic()) < self.valid_until_ms.load(Ordering::Acquire)
    }

    /// Waits until a call may be made; false once the lease is lost.
    pub(super) async fn ensure(&self) -> bool {
        while !self.lost.is_cancelled() {
            if self.holds() {
                return true;
            }
            // The keeper is renewing it, or about to give up.
            tokio::select! {
                () = self.lost.cancelled() => {}
                () = self.clock.sleep(Duration::from_millis(20)) => {}
            }
        }
        false
    }

    /// Returns why the lease was lost.
    pub(super) fn reason(&self) -> Error {
        let why = self.why.lock().unwrap_or_else(PoisonError::into_inner).take();
        why.unwrap_or_else(|| Error::new(ErrorKind::Conflict, "lease.lost", "the lease on the stack was lost"))
    }

    fn lose(&self, error: Error) {
        *self.why.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
        self.lost.cancel();
    }
}

/// Renews the lease until it is dropped or the lease is lost.
pub(super) async fn keep(guard: Arc<Guard>, store: Arc<dyn Store>, lease: Lease, ttl: Duration) {
    let clock = Arc::clone(&guard.clock);
    let mut pause = ttl / 3;
    loop {
        let until = Duration::from_millis(guard.valid_until_ms.load(Ordering::Acquire));
        let left = until.saturating_sub(clock.monotonic());
        clock.sleep(pause.min(left.max(Duration::from_millis(1)))).await;
        let asked = clock.monotonic();
        match store.renew(&lease, clock.now(), ttl).await {
            Ok(_) => {
                guard.valid_until_ms.store(millis(asked + ttl), Ordering::Release);
                pause = ttl / 3;
            }
            Err(error) if error.kind() == ErrorKind::Conflict => return guard.lose(error),
            Err(error) => {
                if !guard.holds() {
                    let lost = Error::new(ErrorKind::Conflict, "lease.lost", "the lease could not be renewed in time");
                    return guard.lose(lost.context("stack", &lease.stack).because(error));
                }
                pause = ttl / 12;
            }
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;

    use super::*;
    use crate::{
        event::Timestamp,
        state::{
            MemoryStore, StackKey,
            testing::{Faults, FaultyStore},
        },
    };

    const TTL: Duration = Duration::from_secs(9);

    /// Tokio's time, which stands still until everybody waits.
    #[derive(Debug)]
    struct Paused(tokio::time::Instant);

    #[async_trait]
    impl Clock for Paused {
        fn now(&self) -> Timestamp {
            Timestamp(0).plus(self.0.elapsed())
        }

        fn monotonic(&self) -> Duration {
            self.0.elapsed()
        }

        async fn sleep(&self, duration: Duration) {
            tokio::time::sleep(duration).await;
        }
    }

    async fn scene() -> (Arc<FaultyStore>, Arc<Guard>, Lease) {
        let clock: Arc<dyn Clock> = Arc::new(Paused(tokio::time::Instant::now()));
        let store = Arc::new(FaultyStore::new(Arc::new(MemoryStore::new()), Faults::none()));
        let lease = store.acquire(&StackKey::new("acme", "shop"), "me", clock.now(), TTL).await.expect("free");
        let guard = Arc::new(Guard::new(clock, &lease, TTL));
        tokio::spawn(keep(Arc::clone(&guard), Arc::clone(&store) as _, lease.clone(), TTL));
        (store, guard, lease)
    }

    #[tokio::test(start_paused = true)]
    async fn a_renewed_lease_holds() {
        let (_store, guard, _) = scene().await;
        for _ in 0..20 {
            tokio::time::sleep(TTL / 2).await;
            assert!(guard.holds() && guard.ensure().await);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn without_renewals_no_call_is_made_after_the_lease_ran_out() {
        let (store, guard, _) = scene().await;
        store.die();
        tokio::time::sleep(TTL.saturating_sub(Duration::from_millis(10))).await;
        assert!(guard.holds(), "nobody else can have it yet");
        tokio::time::sleep(Duration::from_millis(11)).await;
        assert!(!guard.holds(), "its own clock says so, whatever the store would");
        assert!(!guard.ensure().await);
        assert_eq!(guard.reason().code(), "lease.lost");
    }

    #[tokio::test(start_paused = true)]
    async fn a_lease_that_was_taken_is_lost_at_the_next_renewal() {
        let (store, guard, lease) = scene().await;
        store.break_lease(&lease.stack).await.expect("the store works");
        tokio::time::sleep(TTL / 2).await;
        assert!(guard.lost.is_cancelled() && !guard.holds());
        assert_eq!(guard.reason().code(), "lease.lost");
    }

    #[tokio::test(start_paused = true)]
    async fn a_lease_that_was_taken_a_while_ago_is_not_believed_for_its_whole_time() {
        let clock: Arc<dyn Clock> = Arc::new(Paused(tokio::time::Instant::now()));
        let store = MemoryStore::new();
        let lease = store.acquire(&StackKey::new("acme", "shop"), "me", clock.now(), TTL).await.expect("free");
        tokio::time::sleep(TTL * 2 / 3).await;
        let guard = Guard::new(Arc::clone(&clock), &lease, TTL);
        assert!(guard.holds());
        tokio::time::sleep(TTL / 3).await;
        assert!(!guard.holds());
    }
}
