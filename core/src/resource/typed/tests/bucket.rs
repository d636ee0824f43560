use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::{
    error::{Effect, Error, ErrorKind, Result},
    event::SystemClock,
    resource::{CallInfo, Context, typed::*},
    state::ObjectId,
    value::{Type, Value},
};

/// A bucket.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Attributes)]
#[serde(deny_unknown_fields)]
pub(super) struct BucketInputs {
    /// The name.
    #[attribute(force_new, pattern = "^[a-z]+$", max_length = 9)]
    pub(super) name: String,
    #[attribute(default = false)]
    pub(super) versioned: bool,
    #[attribute(default = 1.5, min = 0, max = 100)]
    pub(super) price: f64,
    #[attribute(default)]
    pub(super) tags: BTreeMap<String, String>,
    #[attribute(write_only, sensitive)]
    pub(super) token: Option<String>,
    pub(super) region: Option<String>,
    pub(super) tier: Option<Tier>,
    #[serde(rename = "rule")]
    #[attribute(block, max_items = 2)]
    pub(super) rules: Vec<Rule>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, Attributes)]
#[serde(rename_all = "snake_case")]
pub(super) enum Tier {
    Hot,
    VeryCold,
}

/// What may come in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Attributes)]
pub(super) struct Rule {
    #[attribute(max = 1024)]
    pub(super) port: u16,
    #[attribute(default = "tcp", one_of = ["tcp", "udp"])]
    pub(super) protocol: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) from: Option<Range>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Attributes)]
pub(super) struct Range {
    pub(super) first: u8,
    pub(super) last: Option<u8>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Attributes)]
pub(super) struct BucketOutputs {
    pub(super) region: Option<String>,
    /// Where it is reached.
    #[attribute(stable)]
    pub(super) url: String,
    pub(super) revision: u64,
    #[attribute(sensitive)]
    pub(super) secret: String,
}

/// What the cloud does next instead of what it should.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) enum Mood {
    #[default]
    Well,
    /// It refuses.
    Refuses,
    /// It stops half-way.
    Stops,
    /// It loses the answer.
    Loses,
    /// Its object is gone.
    Empty,
}

/// A cloud of one bucket.
#[derive(Debug, Default)]
pub(super) struct Bucket {
    pub(super) mood: Mutex<Mood>,
    pub(super) calls: Mutex<Vec<String>>,
    pub(super) plan: Mutex<TypedPlan>,
}

impl Bucket {
    pub(super) fn feels(&self, mood: Mood) {
        *self.mood.lock().expect("no panics") = mood;
    }

    fn call(&self, what: String) -> Mood {
        self.calls.lock().expect("no panics").push(what);
        *self.mood.lock().expect("no panics")
    }

    pub(super) fn calls(&self) -> Vec<String> {
        std::mem::take(&mut *self.calls.lock().expect("no panics"))
    }
}

pub(super) fn outputs(inputs: &BucketInputs, revision: u64) -> BucketOutputs {
    BucketOutputs {
        region: Some(inputs.region.clone().unwrap_or_else(|| "eu".to_owned())),
        url: format!("https://{}", inputs.name),
        revision,
        secret: "hunter2".to_owned(),
    }
}

fn down() -> Error {
    Error::new(ErrorKind::Unavailable, "resource.timeout", "the cloud is down")
}

#[async_trait]
impl TypedResource for Bucket {
    type Inputs = BucketInputs;
    type Outputs = BucketOutputs;

    fn version(&self) -> u64 {
        2
    }

    async fn validate(&self, _: &Context, inputs: &BucketInputs) -> Result<()> {
        if inputs.tier == Some(Tier::VeryCold) && inputs.versioned {
            return Err(Error::new(ErrorKind::InvalidInput, "resource.input", "very cold buckets keep no versions"));
        }
        Ok(())
    }

    async fn plan(&self, _: &Context, change: TypedChange<Self>) -> Result<TypedPlan> {
        let known = if change.inputs.is_some() { "known" } else { "unknown" };
        let prior = if change.prior.is_some() { "old" } else { "new" };
        self.call(format!("plan {prior} {known} change={} replaces={}", change.is_change, change.replaces));
        Ok(self.plan.lock().expect("no panics").clone())
    }

    async fn create(&self, _: &Context, inputs: BucketInputs) -> TypedOutcome<Self> {
        match self.call(format!("create {inputs:?}")) {
            Mood::Well => Ok(Made::new(inputs.name.clone(), outputs(&inputs, 1)).private(*b"made")),
            Mood::Stops => Err(Failed::partial(Half::new(inputs.name), down())),
            Mood::Loses => Err(down().effect(Effect::Unknown).into()),
            Mood::Refuses => Err(down())?,
            Mood::Empty => Err(Failed::gone(down())),
        }
    }

    async fn read(&self, _: &Context, mut object: TypedObject<Self>) -> Result<Option<TypedObject<Self>>> {
        match self.call(format!("read {}", object.id)) {
            Mood::Empty => Ok(None),
            Mood::Refuses => Err(down()),
            _ => {
                object.outputs = Some(outputs(&object.inputs, 7));
                object.inputs.versioned = true;
                Ok(Some(object))
            }
        }
    }

    async fn update(&self, _: &Context, prior: TypedObject<Self>, inputs: BucketInputs) -> TypedOutcome<Self> {
        let id = prior.id.clone();
        match self.call(format!("update {id} versioned={}", inputs.versioned)) {
            Mood::Stops => Err(Failed::partial(Half::new(id), down())),
            Mood::Refuses => Err(down())?,
            _ => Ok(Made::new(id, outputs(&inputs, prior.outputs()?.revision + 1))),
        }
    }

    async fn delete(&self, _: &Context, prior: TypedObject<Self>) -> Result<(), Failed<Self>> {
        let knows = prior.outputs.is_some();
        match self.call(format!("delete {} outputs={knows}", prior.id)) {
            Mood::Refuses => Err(down())?,
            _ => Ok(()),
        }
    }

    async fn import(&self, _: &Context, id: &str) -> Result<Option<TypedObject<Self>>> {
        let inputs = inputs(id);
        let outputs = outputs(&inputs, 3);
        Ok((id != "nobody").then(|| TypedObject::new(id, inputs, outputs)))
    }

    async fn ready(&self, _: &Context, object: TypedObject<Self>) -> Result<TypedReadiness<BucketOutputs>> {
        Ok(match self.call("ready".to_owned()) {
            Mood::Well => TypedReadiness::ReadyWith(outputs(&object.inputs, 9)),
            Mood::Refuses => TypedReadiness::Failed { reason: "broken".to_owned() },
            Mood::Stops => TypedReadiness::NotYet { reason: "warming up".to_owned() },
            _ => TypedReadiness::Ready,
        })
    }

    async fn upgrade(
        &self,
        _: &Context,
        version: u64,
        attributes: serde_json::Value,
    ) -> Result<(BucketInputs, Option<BucketOutputs>)> {
        let name = attributes.get("title").and_then(|title| title.as_str()).unwrap_or_default();
        Ok((BucketInputs { versioned: version == 1, ..inputs(name) }, None))
    }
}

pub(super) fn inputs(name: &str) -> BucketInputs {
    BucketInputs {
        name: name.to_owned(),
        versioned: false,
        price: 1.5,
        tags: BTreeMap::new(),
        token: None,
        region: None,
        tier: None,
        rules: Vec::new(),
    }
}

pub(super) fn context() -> Context {
    let info =
        CallInfo { object_id: Some(ObjectId::from_u128(7)), type_name: "acme_bucket".into(), ..CallInfo::default() };
    Context::new(info, Arc::new(SystemClock::default()), CancellationToken::new())
}

/// Returns what a template says, as the engine makes it of a few attributes.
pub(super) fn config<const N: usize>(bucket: &Typed<Bucket>, attributes: [(&str, Value); N]) -> Value {
    bucket.shape.schema.coerce(&Value::object(attributes)).expect("it follows the schema")
}

/// Returns what is asked for when the template says it and nothing is there yet.
pub(super) fn planned<const N: usize>(bucket: &Typed<Bucket>, attributes: [(&str, Value); N]) -> Value {
    bucket.shape.schema.planned_new(None, &config(bucket, attributes))
}

pub(super) fn s(text: &str) -> Value {
    Value::string(text)
}

pub(super) fn unknown() -> Value {
    Value::unknown(Type::String)
}
