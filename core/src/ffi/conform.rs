use std::{sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::document::read_json;
use crate::{
    error::Result,
    resource::{
        Registry, Resource,
        conformance::{Fault, Finding, Harness, Verdict, suite},
        layer::Verb,
    },
    value::{Type, Value},
};

/// How the things of a type are described, so that the [conformance suite](crate::resource::conformance) can make some.
///
/// In texts of `config` and `changed`, `{n}` stands for the number of a thing.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ConformQuery {
    /// The registered name of the type.
    pub type_name: String,
    /// What a template says of one thing, as plain JSON.
    pub config: Json,
    /// The same after a change that is made in place; left out where there is none.
    pub changed: Option<Json>,
    /// An id that nothing has, written as one.
    pub missing_id: Option<String>,
    /// The attribute, a text, that makes verbs misbehave ([`Fault::of`]), as an id that is such a text does; left out where there
    /// is none.
    pub fault: Option<String>,
    /// Whether nothing in the world says whether a thing exists; see [`Harness::is_value`].
    pub is_value: bool,
    /// How long a call may take before a case gives it up, in milliseconds.
    pub patience_ms: Option<u64>,
}

/// What became of a case; see [`Finding`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FindingData {
    /// The case, such as `life/create`.
    pub case: &'static str,
    /// `passed`, `skipped` or `failed`.
    pub verdict: &'static str,
    /// Why it was skipped, or what the type did wrong.
    pub message: Option<String>,
}

impl From<Finding> for FindingData {
    fn from(finding: Finding) -> Self {
        let (verdict, message) = match finding.verdict {
            Verdict::Passed => ("passed", None),
            Verdict::Skipped(reason) => ("skipped", Some(reason.to_owned())),
            Verdict::Failed(message) => ("failed", Some(message)),
        };
        Self { case: finding.case, verdict, message }
    }
}

impl ConformQuery {
    /// Runs all cases against the type of this name.
    ///
    /// # Errors
    /// That of a type that is not registered; `host.reply` where an example is no JSON of a value.
    pub(super) async fn run(self, registry: &Registry) -> Result<Vec<FindingData>> {
        let resource = registry.resource(&self.type_name).ok_or_else(|| registry.unknown_resource(&self.type_name))?;
        let value = |json: &Json| read_json(json, &Type::Any);
        let described = Described {
            resource,
            config: value(&self.config)?,
            changed: self.changed.as_ref().map(value).transpose()?,
            query: self,
        };
        Ok(suite(&described).await.into_iter().map(FindingData::from).collect())
    }
}

/// A type and examples of what it makes.
struct Described {
    resource: Arc<dyn Resource>,
    config: Value,
    changed: Option<Value>,
    query: ConformQuery,
}

impl Harness for Described {
    fn resource(&self) -> Arc<dyn Resource> {
        Arc::clone(&self.resource)
    }

    fn type_name(&self) -> &str {
        &self.query.type_name
    }

    fn config(&self, number: u64) -> Value {
        numbered(&self.config, number)
    }

    fn changed(&self, number: u64) -> Option<Value> {
        self.changed.as_ref().map(|changed| numbered(changed, number))
    }

    fn missing_id(&self) -> Option<String> {
        self.query.missing_id.clone()
    }

    fn is_value(&self) -> bool {
        self.query.is_value
    }

    fn faulty(&self, number: u64, fault: Fault, verb: Verb) -> Option<Value> {
        let attribute = self.query.fault.as_deref()?;
        let config = self.config(number);
        let told = (Arc::from(attribute), Value::string(fault.of(verb)));
        let others = config.entries().filter(|(name, _)| &***name != attribute);
        Some(Value::object(others.map(|(name, value)| (Arc::clone(name), value.clone())).chain([told])))
    }

    fn faulty_id(&self, fault: Fault) -> Option<String> {
        self.query.fault.as_ref().map(|_| fault.of(Verb::Import))
    }

    fn patience(&self) -> Duration {
        Duration::from_millis(self.query.patience_ms.unwrap_or(30_000))
    }
}

/// Puts the number of a thing into its texts.
fn numbered(value: &Value, number: u64) -> Value {
    let Ok(numbered) = value.transform(|_, part| {
        Ok::<_, std::convert::Infallible>(match part.as_str() {
            Some(text) if text.contains("{n}") => Value::string(text.replace("{n}", &number.to_string())),
            _ => part,
        })
    });
    numbered
}
