use std::{collections::BTreeMap, sync::Arc, time::Duration};

use serde::{Deserialize, de::DeserializeOwned};

use super::{Host, HostResource, TypeDescriptor};
use crate::{
    error::{Diagnostics as _, Error, Result},
    plan::{Mode, Plan},
    run::OnFailure,
    stack::{ApplyOptions, Engine, EngineBuilder, PlanOptions, Stack},
    template::{Files, Options, Template},
};

/// What an engine knows: the types of a host, and how long its leases last.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EngineQuery {
    /// Resource types by name.
    pub types: BTreeMap<String, TypeDescriptor>,
    /// How long a lease lasts when its holder dies, in milliseconds; the engine's default where it is left out.
    #[serde(default)]
    pub lease_ttl_ms: Option<u64>,
}

impl EngineQuery {
    /// Reads JSON text.
    ///
    /// # Errors
    /// `engine.bug`: the package that wrote it does not fit this engine.
    pub fn from_json(text: &str) -> Result<Self> {
        read(text)
    }

    /// Returns a builder with these types, all performed by `host`; store and cipher are the bridge's to add.
    pub fn builder(self, host: &Arc<dyn Host>) -> EngineBuilder {
        let mut builder = Engine::builder();
        if let Some(lease_ttl_ms) = self.lease_ttl_ms {
            builder = builder.lease_ttl(Duration::from_millis(lease_ttl_ms));
        }
        self.types.into_iter().fold(builder, |builder, (name, descriptor)| {
            builder.resource(name, HostResource::new(descriptor, Arc::clone(host)))
        })
    }
}

/// A template and what is to be worked out from it.
///
/// # Examples
/// ```
/// use stackwright::{ffi::PlanQuery, plan::Mode};
///
/// let query = PlanQuery::from_json(r#"{"files": {"main.tf": "locals {}"}, "mode": "destroy"}"#)?;
/// assert_eq!(query.mode, Mode::Destroy);
/// # Ok::<(), stackwright::Error>(())
/// ```
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanQuery {
    /// The template's files: name (`main.tf`) and text.
    pub files: BTreeMap<String, String>,
    /// What the plan is for.
    #[serde(default)]
    pub mode: Mode,
}

impl PlanQuery {
    /// Reads JSON text.
    ///
    /// # Errors
    /// `engine.bug`: the package that wrote it does not fit this engine.
    pub fn from_json(text: &str) -> Result<Self> {
        read(text)
    }

    /// Works the plan out; see [`Stack::plan`].
    ///
    /// # Errors
    /// `template.invalid` with every diagnostic; those of [`Stack::plan`].
    pub async fn plan(self, stack: &Stack) -> Result<Plan> {
        let (template, problems) = Template::parse(&Files::from_texts(self.files), &Options::default());
        if problems.has_errors() {
            return Err(Error::from_diagnostics("template.invalid", problems));
        }
        stack.plan(&template, PlanOptions::default().mode(self.mode)).await
    }
}

/// How a plan is to be carried out; see [`ApplyOptions`].
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ApplyQuery {
    /// How many calls run at once; the engine's default where it is left out.
    pub parallelism: Option<usize>,
    /// What to do about the rest when a step fails.
    pub on_failure: Option<OnFailure>,
    /// Who starts it, for the history.
    pub who: String,
    /// Why, for the history.
    pub why: String,
}

impl ApplyQuery {
    /// Reads JSON text.
    ///
    /// # Errors
    /// `engine.bug`: the package that wrote it does not fit this engine.
    pub fn from_json(text: &str) -> Result<Self> {
        read(text)
    }
}

impl From<ApplyQuery> for ApplyOptions {
    fn from(query: ApplyQuery) -> Self {
        let options = Self::default();
        Self {
            parallelism: query.parallelism.unwrap_or(options.parallelism),
            on_failure: query.on_failure.unwrap_or(options.on_failure),
            who: query.who,
            why: query.why,
            ..options
        }
    }
}

/// Reads arguments that a binding's package wrote; not repeated, since a template may hold a secret.
fn read<T: DeserializeOwned>(text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|error| {
        let place = format!("at line {}, column {}", error.line(), error.column());
        Error::bug(format!("the arguments of a call have another shape, {place}"))
    })
}
