use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use super::{Layer, Limit, Retry, Scope, Timeout};
use crate::{
    error::{Effect, Error, ErrorKind, Result, Retry as Advice},
    event::{Clock, Timestamp},
    resource::{CallInfo, Context, Object, ObjectState, Outcome, Resource, TerraformData, Traits},
    schema::Schema,
    state::{Amount, ObjectId},
    value::Value,
};

/// Time that passes only when everything waits.
#[derive(Debug)]
struct PausedClock(tokio::time::Instant);

#[async_trait]
impl Clock for PausedClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.monotonic().as_millis() as u64)
    }

    fn monotonic(&self) -> Duration {
        self.0.elapsed()
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

/// Answers `create` with what it was told, and counts.
#[derive(Debug, Default)]
struct Scripted {
    answers: Mutex<VecDeque<Error>>,
    takes: Duration,
    traits: Traits,
    calls: AtomicUsize,
    running: AtomicUsize,
    most_running: AtomicUsize,
    starts: Mutex<Vec<Duration>>,
    attempts: Mutex<Vec<u32>>,
}

#[async_trait]
impl Resource for Scripted {
    fn schema(&self) -> Arc<Schema> {
        TerraformData.schema()
    }

    fn traits(&self) -> Traits {
        self.traits
    }

    async fn create(&self, ctx: &Context, _: Value) -> Outcome {
        self.calls.fetch_add(1, Ordering::SeqCst);
        self.starts.lock().expect("no panics").push(ctx.clock().monotonic());
        self.attempts.lock().expect("no panics").push(ctx.info().attempt);
        let running = self.running.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_running.fetch_max(running, Ordering::SeqCst);
        ctx.clock().sleep(self.takes).await;
        self.running.fetch_sub(1, Ordering::SeqCst);
        match self.answers.lock().expect("no panics").pop_front() {
            Some(error) => Outcome::failed(error),
            None => Outcome::complete(Object::new("made", Value::empty_object())),
        }
    }

    async fn read(&self, _: &Context, object: &Object) -> Result<Option<Object>> {
        Ok(Some(object.clone()))
    }

    async fn update(&self, _: &Context, prior: &Object, _: Value) -> Outcome {
        Outcome::complete(prior.clone())
    }

    async fn delete(&self, _: &Context, _: &Object) -> Outcome {
        Outcome::gone()
    }

    fn consumes(&self, attributes: &Value) -> Vec<(Arc<str>, Amount)> {
        vec![("size".into(), Amount::of(attributes.attribute("size").unwrap_or(attributes)))]
    }
}

fn context() -> Context {
    let info = CallInfo {
        object_id: Some(ObjectId::from_u128(7)),
        attempt: 1,
        tenant: Arc::from("acme"),
        ..CallInfo::default()
    };
    Context::new(info, Arc::new(PausedClock(tokio::time::Instant::now())), CancellationToken::new())
}

fn failure(effect: Effect, advice: Advice) -> Error {
    Error::new(ErrorKind::Unavailable, "resource.failed", "it did not answer").effect(effect).retry(advice)
}

fn scripted(answers: impl IntoIterator<Item = Error>) -> Arc<Scripted> {
    Arc::new(Scripted { answers: Mutex::new(answers.into_iter().collect()), ..Scripted::default() })
}

async fn create(layer: &dyn Layer, inner: &Arc<Scripted>, ctx: &Context) -> Outcome {
    layer.resource("acme_thing", "acme", Arc::clone(inner) as _).create(ctx, Value::empty_object()).await
}

#[test]
fn what_objects_use_passes_through() {
    let inner: Arc<dyn Resource> = scripted([]);
    let layers: [Arc<dyn Layer>; 4] = [
        Arc::new(Retry::up_to(2)),
        Arc::new(Timeout::after(Duration::from_secs(9))),
        Arc::new(Limit::per_type("thing", 1)),
        Arc::new(super::Trace),
    ];
    let wrapped = layers.iter().fold(inner, |inner, layer| layer.resource("thing", "acme", inner));
    let object = Value::object([("size", Value::number(7))]);
    assert_eq!(wrapped.consumes(&object), [(Arc::from("size"), Amount::Known(7))]);
}

#[tokio::test(start_paused = true)]
async fn retry_repeats_what_left_nothing_behind() {
    let inner = scripted([failure(Effect::None, Advice::WithBackoff), failure(Effect::None, Advice::WithBackoff)]);
    let outcome = create(&Retry::up_to(3), &inner, &context()).await;
    assert!(outcome.is_ok());
    assert_eq!(*inner.attempts.lock().expect("no panics"), [1, 2, 3]);
}

#[tokio::test(start_paused = true)]
async fn retry_gives_up_after_its_attempts() {
    let inner = scripted((0..9).map(|_| failure(Effect::None, Advice::WithBackoff)));
    let outcome = create(&Retry::up_to(3), &inner, &context()).await;
    assert_eq!(outcome.problems.len(), 1);
    assert_eq!(inner.calls.load(Ordering::SeqCst), 3);
}

#[tokio::test(start_paused = true)]
async fn retry_never_repeats_a_lost_create() {
    let inner = scripted([failure(Effect::Unknown, Advice::WithBackoff)]);
    create(&Retry::up_to(3), &inner, &context()).await;
    assert_eq!(inner.calls.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn retry_repeats_a_lost_create_that_is_idempotent() {
    let traits = Traits { idempotent_create: true, ..Traits::default() };
    let answers = Mutex::new(VecDeque::from([failure(Effect::Unknown, Advice::WithBackoff)]));
    let inner = Arc::new(Scripted { answers, traits, ..Scripted::default() });
    assert!(create(&Retry::up_to(3), &inner, &context()).await.is_ok());
}

/// The first call may have made the object; that the second was refused says nothing of it.
#[tokio::test(start_paused = true)]
async fn retry_does_not_forget_a_lost_create_when_its_repeat_is_refused() {
    let traits = Traits { idempotent_create: true, ..Traits::default() };
    for refusal in [failure(Effect::None, Advice::No), failure(Effect::None, Advice::WithBackoff)] {
        let answers = [failure(Effect::Unknown, Advice::WithBackoff), refusal];
        let inner = Arc::new(Scripted { answers: Mutex::new(answers.into()), traits, ..Scripted::default() });
        let outcome = create(&Retry::up_to(2), &inner, &context()).await;
        assert_eq!(outcome.object, ObjectState::Unchanged);
        assert_eq!(outcome.problems[0].effect_on_world(), Effect::Unknown);
        assert_eq!(inner.calls.load(Ordering::SeqCst), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn retry_takes_no_for_an_answer() {
    let inner = scripted([failure(Effect::None, Advice::No)]);
    create(&Retry::up_to(3), &inner, &context()).await;
    assert_eq!(inner.calls.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn retry_waits_as_long_as_it_was_told_and_longer_each_time() {
    let told = Duration::from_secs(90);
    let backoff = || failure(Effect::None, Advice::WithBackoff);
    let inner = scripted([failure(Effect::None, Advice::After(told)), backoff(), backoff()]);
    create(&Retry::up_to(4).pauses(Duration::from_secs(1), Duration::from_secs(60)), &inner, &context()).await;
    let starts = inner.starts.lock().expect("no panics").clone();
    let pauses: Vec<_> = starts.windows(2).map(|pair| pair[1].saturating_sub(pair[0])).collect();
    assert_eq!(pauses[0].as_secs(), 90);
    // The second pause is 2 s and the third 4 s, each shortened by at most half.
    assert!((1.0..=2.01).contains(&pauses[1].as_secs_f64()), "{pauses:?}");
    assert!((2.0..=4.01).contains(&pauses[2].as_secs_f64()), "{pauses:?}");
}

#[tokio::test(start_paused = true)]
async fn retry_stops_when_cancelled() {
    let inner = scripted((0..9).map(|_| failure(Effect::None, Advice::WithBackoff)));
    let ctx = context();
    ctx.cancellation().cancel();
    create(&Retry::up_to(9), &inner, &ctx).await;
    assert_eq!(inner.calls.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn timeout_says_that_the_effect_is_unknown() {
    let inner = Arc::new(Scripted { takes: Duration::from_secs(60), ..Scripted::default() });
    let outcome =
        create(&Timeout::after(Duration::from_secs(10)).grace(Duration::from_secs(2)), &inner, &context()).await;
    let error = outcome.problems.first().expect("it took too long");
    assert_eq!((error.code(), error.effect_on_world()), ("resource.timeout", Effect::Unknown));
    assert_eq!(outcome.object, ObjectState::Unchanged);
}

#[tokio::test(start_paused = true)]
async fn timeout_takes_an_answer_within_the_grace() {
    let inner = Arc::new(Scripted { takes: Duration::from_secs(11), ..Scripted::default() });
    let outcome = create(&Timeout::after(Duration::from_secs(10)), &inner, &context()).await;
    assert!(outcome.is_ok());
}

#[tokio::test(start_paused = true)]
async fn limit_bounds_how_many_run_at_once() {
    let inner = Arc::new(Scripted { takes: Duration::from_secs(1), ..Scripted::default() });
    let limited = Limit::per_type("acme_thing", 3).resource("acme_thing", "acme", Arc::clone(&inner) as _);
    let ctx = context();
    let calls = (0..10).map(|_| limited.create(&ctx, Value::empty_object()));
    futures_util::future::join_all(calls).await;
    assert_eq!(inner.most_running.load(Ordering::SeqCst), 3);
    assert_eq!(ctx.clock().monotonic().as_secs(), 4);
}

#[tokio::test(start_paused = true)]
async fn limit_leaves_other_types_alone() {
    let inner = Arc::new(Scripted { takes: Duration::from_secs(1), ..Scripted::default() });
    let free = Limit::per_type("acme_other", 1).resource("acme_thing", "acme", Arc::clone(&inner) as _);
    let ctx = context();
    futures_util::future::join_all((0..5).map(|_| free.create(&ctx, Value::empty_object()))).await;
    assert_eq!(inner.most_running.load(Ordering::SeqCst), 5);
}

#[tokio::test(start_paused = true)]
async fn limit_bounds_how_often_calls_start() {
    let inner = Arc::new(Scripted::default());
    let limited = Limit::new(Scope::All).rate(2.0, 3).resource("acme_thing", "acme", Arc::clone(&inner) as _);
    let ctx = context();
    futures_util::future::join_all((0..7).map(|_| limited.create(&ctx, Value::empty_object()))).await;
    let mut starts: Vec<_> =
        inner.starts.lock().expect("no panics").iter().map(|at| at.as_millis() / 10 * 10).collect();
    starts.sort_unstable();
    assert_eq!(starts, [0, 0, 0, 500, 1000, 1500, 2000]);
}

#[tokio::test(start_paused = true)]
async fn limit_counts_every_tenant_for_itself() {
    let inner = Arc::new(Scripted { takes: Duration::from_secs(1), ..Scripted::default() });
    let limited = Limit::new(Scope::Tenant).concurrency(1).resource("acme_thing", "acme", Arc::clone(&inner) as _);
    let ctx = context();
    let other = ctx.with_info(|info| info.tenant = Arc::from("other"));
    futures_util::future::join_all([&ctx, &ctx, &other, &other].map(|ctx| limited.create(ctx, Value::empty_object())))
        .await;
    assert_eq!(inner.most_running.load(Ordering::SeqCst), 2);
}
