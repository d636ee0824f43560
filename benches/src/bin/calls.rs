//! The floor of a call of a resource type that is written in another language: what it costs before any language is involved.
//! `cargo run --release -p stackwright-benches --bin calls`, the first lines of `make soak`.
//!
//! * `none`: the type is Rust, and nothing crosses a boundary.
//! * `text`: the call becomes JSON text, is read again, and so is its answer; all on the thread of the engine.
//! * `thread`: the same, answered by another thread, as every language with a thread of its own has to: two wake-ups.
//! * `batch`: the same, but that thread takes all calls that wait at once, and wakes the engine once for each.
//!
//! Reads while planning are measured, since there is little of the engine around them: what is left of a plan without reads is
//! taken off. Medians, in µs for each call.

use std::{
    sync::{Arc, mpsc},
    thread,
    time::Instant,
};

use async_trait::async_trait;
use stackwright::{
    Error, Result,
    ffi::{Call, CallContext, Host, HostResource, ObjectState, Outcome, Reply, Request, TraitsData, TypeDescriptor},
    resource::{self, Context, Resource, Traits},
    schema::{Attribute, Schema},
    stack::{ApplyOptions, Engine, PlanOptions, Stack},
    state::{
        MemoryStore,
        cipher::{AesGcmCipher, Key},
    },
    value::{Type, Value},
};
use stackwright_benches::read;
use tokio::sync::oneshot;

const OBJECTS: usize = 250;
const ROUNDS: usize = 40;

fn schema() -> Schema {
    let schema = Schema::new(0).attribute("name", Attribute::required(Type::String));
    schema.attribute("size", Attribute::optional(Type::Number)).attribute("id", Attribute::computed(Type::String))
}

/// A type that is Rust.
#[derive(Debug)]
struct Native;

#[async_trait]
impl Resource for Native {
    fn schema(&self) -> Arc<Schema> {
        Arc::new(schema())
    }

    fn traits(&self) -> Traits {
        Traits { ready_at_once: true, ..Traits::default() }
    }

    async fn create(&self, _: &Context, planned: Value) -> resource::Outcome {
        let kept = |name: &str| planned.attribute(name).cloned().unwrap_or_else(|| Value::null(Type::Number));
        let id = kept("name");
        let attributes = Value::object([("name", id.clone()), ("size", kept("size")), ("id", id.clone())]);
        resource::Outcome::complete(resource::Object::new(id.as_str().unwrap_or_default(), attributes))
    }

    async fn read(&self, _: &Context, object: &resource::Object) -> Result<Option<resource::Object>> {
        Ok(Some(object.clone()))
    }

    async fn update(&self, _: &Context, prior: &resource::Object, _: Value) -> resource::Outcome {
        resource::Outcome::complete(prior.clone())
    }

    async fn delete(&self, _: &Context, _: &resource::Object) -> resource::Outcome {
        resource::Outcome::gone()
    }
}

/// What the other side does with a call: reads it, and writes an answer.
fn answer(text: &str) -> String {
    let request: Request = serde_json::from_str(text).expect("a request");
    let reply = match request.call {
        Call::Read { object } => Reply::Object(Some(object)),
        Call::Create { mut planned } => {
            let id = planned.value["name"].as_str().unwrap_or_default().to_owned();
            planned.value["id"] = id.clone().into();
            let object = stackwright::ffi::Object { id, attributes: planned.value, private: None };
            Reply::Outcome(Outcome { object: ObjectState::Complete(object), problems: Vec::new() })
        }
        call => panic!("nobody asks for {:?}", call.verb()),
    };
    serde_json::to_string(&reply).expect("a text")
}

type Letter = (String, oneshot::Sender<String>);

#[derive(Debug)]
enum Floor {
    Text,
    Thread(mpsc::Sender<Letter>),
}

impl Floor {
    /// Returns one with a thread that answers; it takes all that wait at once where `batches`.
    fn with_thread(batches: bool) -> Self {
        let (sender, letters) = mpsc::channel::<Letter>();
        thread::spawn(move || {
            let mut waiting = Vec::new();
            while let Ok(first) = letters.recv() {
                waiting.push(first);
                if batches {
                    waiting.extend(letters.try_iter());
                }
                let answers: Vec<_> = waiting.drain(..).map(|(text, reply)| (answer(&text), reply)).collect();
                for (text, reply) in answers {
                    // Nobody waits any more where the plan was ended.
                    let _ = reply.send(text);
                }
            }
        });
        Self::Thread(sender)
    }
}

#[async_trait]
impl Host for Floor {
    async fn call(&self, _: CallContext, request: Request) -> Result<Reply> {
        let text = request.to_json()?;
        let text = match self {
            Self::Text => answer(&text),
            Self::Thread(letters) => {
                let (reply, answered) = oneshot::channel();
                letters.send((text, reply)).map_err(|_| Error::bug("the thread is gone"))?;
                answered.await.map_err(|_| Error::bug("the thread is gone"))?
            }
        };
        Reply::from_json(&text)
    }
}

fn engine(floor: Option<Floor>) -> Engine {
    let builder = Engine::builder().store(MemoryStore::new());
    let builder = builder.cipher(AesGcmCipher::new(Key::generate().expect("randomness")));
    let traits = TraitsData { ready_at_once: true, ..TraitsData::default() };
    let descriptor = TypeDescriptor { schema: schema(), traits, verbs: Default::default() };
    let builder = match floor {
        None => builder.resource("soak", Native),
        Some(floor) => builder.resource("soak", HostResource::new(descriptor, Arc::new(floor))),
    };
    builder.build().expect("an engine")
}

/// Returns the median time of a call in µs, with so many in flight.
async fn cost(stack: &Stack, parallelism: usize) -> f64 {
    let template =
        read(&format!("resource \"soak\" \"a\" {{\n  count = {OBJECTS}\n  name = \"n${{count.index}}\"\n}}\n"));
    let plan = async |refresh| {
        let began = Instant::now();
        let options = PlanOptions { refresh, parallelism, ..PlanOptions::default() };
        let plan = stack.plan(&template, options).await.expect("a plan");
        (plan, began.elapsed().as_secs_f64() * 1e6)
    };
    let (first, _) = plan(false).await;
    if !first.is_empty() {
        stack.apply(first, ApplyOptions::default()).await.expect("a run").finish().await.expect("a report");
    }
    let (planned, _) = plan(true).await;
    assert!(planned.is_empty(), "nothing is left to do");
    let mut alone = f64::INFINITY;
    for _ in 0..10 {
        alone = alone.min(plan(false).await.1);
    }
    let mut times = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        times.push(plan(true).await.1 - alone);
    }
    times.sort_by(f64::total_cmp);
    times[ROUNDS / 2] / OBJECTS as f64
}

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let floors = [
        ("none", None),
        ("text", Some(Floor::Text)),
        ("thread", Some(Floor::with_thread(false))),
        ("batch", Some(Floor::with_thread(true))),
    ];
    for (name, floor) in floors {
        let stack = engine(floor).stack("soak", name);
        print!("{name:<12}");
        for parallelism in [1, 16, 256] {
            print!("{:>12.1}", runtime.block_on(cost(&stack, parallelism)));
        }
        println!();
    }
}
