use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value as Json;
use tokio_util::sync::CancellationToken;

use super::{
    DataDescriptor, FunctionDescriptor, Host, HostDataSource, HostResource, TypeDescriptor, document::read_json,
};
use crate::{
    address::{Address, Target},
    error::{Diagnostics as _, Error, ErrorKind, Result},
    event::Bus,
    plan::{Mode, Plan},
    run::OnFailure,
    stack::{ApplyOptions, Engine, EngineBuilder, Import, PlanOptions, Stack},
    template::{Edition, Files, Options, RawVariables, Template, VariableSources, gather_variables},
    value::{Type, Value},
};

/// What an engine knows: the types of a host, and how long its leases last.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EngineQuery {
    /// Resource types by name.
    #[serde(default)]
    pub types: BTreeMap<String, TypeDescriptor>,
    /// Data sources by name.
    #[serde(default)]
    pub data_sources: BTreeMap<String, DataDescriptor>,
    /// Functions.
    #[serde(default)]
    pub functions: Vec<FunctionDescriptor>,
    /// How long a lease lasts when its holder dies, in milliseconds; the engine's default where it is left out.
    #[serde(default)]
    pub lease_ttl_ms: Option<u64>,
    /// What the host wants on every object.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// Who holds leases, for people who wait for one; the process id where it is left out.
    #[serde(default)]
    pub holder: Option<String>,
    /// The edition of the language (`1.11`, `1.12`, `stackwright`) of templates that do not say which they are in.
    #[serde(default)]
    pub edition: Option<String>,
    /// The folder below which the functions of templates may read files, beside the template's own.
    #[serde(default)]
    pub files_within: Option<PathBuf>,
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
    ///
    /// An edition that there is not counts as none.
    pub fn builder(self, host: &Arc<dyn Host>) -> EngineBuilder {
        let mut builder = Engine::builder();
        if let Some(lease_ttl_ms) = self.lease_ttl_ms {
            builder = builder.lease_ttl(Duration::from_millis(lease_ttl_ms));
        }
        if let Some(holder) = self.holder {
            builder = builder.holder(holder);
        }
        if let Some(edition) = self.edition.as_deref().and_then(|name| name.parse::<Edition>().ok()) {
            builder = builder.edition(edition);
        }
        if let Some(boundary) = self.files_within {
            builder = builder.files_within(boundary);
        }
        for (key, value) in self.tags {
            builder = builder.tag(key, value);
        }
        for function in self.functions {
            builder = builder.function(function.provider.clone(), function.function(Arc::clone(host)));
        }
        for (name, descriptor) in self.data_sources {
            builder = builder.data_source(name, HostDataSource::new(descriptor, Arc::clone(host)));
        }
        self.types.into_iter().fold(builder, |builder, (name, descriptor)| {
            builder.resource(name, HostResource::new(descriptor, Arc::clone(host)))
        })
    }
}

/// An object that exists and is to be taken into state.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImportQuery {
    /// The instance that it becomes.
    pub address: String,
    /// The id that people use for it.
    pub id: String,
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
#[serde(deny_unknown_fields, default)]
pub struct PlanQuery {
    /// The template's files: name (`main.tf`) and text. Added to those of `folder`, which they replace.
    pub files: BTreeMap<String, String>,
    /// The folder that the template lies in, and that its functions may read files from.
    pub folder: Option<PathBuf>,
    /// What the plan is for.
    pub mode: Mode,
    /// The root module's variables by name, as plain JSON.
    pub variables: BTreeMap<String, Json>,
    /// Only these addresses and what they need; empty: everything.
    pub targets: Vec<String>,
    /// Addresses of instances to be made anew.
    pub replace: Vec<String>,
    /// Whether real objects are read first; they are where it is left out.
    pub refresh: Option<bool>,
    /// Objects to be taken into state.
    pub imports: Vec<ImportQuery>,
    /// How many requests are under way at once; the engine's default where it is left out.
    pub parallelism: Option<usize>,
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
        let (template, problems) = Template::parse(&self.texts()?, &Options::default());
        if problems.has_errors() {
            return Err(Error::from_diagnostics("template.invalid", problems));
        }
        let (template, options) = self.options(template)?;
        stack.plan(&template, options).await
    }

    /// Returns the template's files.
    pub(super) fn texts(&self) -> Result<Files> {
        let mut files = match &self.folder {
            Some(folder) => Files::from_dir(folder)?,
            None => Files::new(),
        };
        for (name, text) in &self.files {
            files.insert(name, text.as_str());
        }
        Ok(files)
    }

    /// Returns the template, into whose texts files of variables are added, and the options.
    pub(super) fn options(self, mut template: Template) -> Result<(Template, PlanOptions)> {
        let sources = VariableSources { values: values(&self.variables)?, ..VariableSources::default() };
        let files = template.files().clone();
        let (variables, problems) = gather_variables(&sources, &files, template.sources_mut());
        if problems.has_errors() {
            return Err(Error::from_diagnostics("template.invalid", problems));
        }
        let default = PlanOptions::default();
        let import = |import: &ImportQuery| Ok(Import { address: address(&import.address)?, id: import.id.clone() });
        let options = PlanOptions {
            mode: self.mode,
            variables,
            targets: self.targets.iter().map(|text| target(text)).collect::<Result<_>>()?,
            replace: self.replace.iter().map(|text| address(text)).collect::<Result<_>>()?,
            refresh: self.refresh.unwrap_or(default.refresh),
            imports: self.imports.iter().map(import).collect::<Result<_>>()?,
            root: self.folder,
            parallelism: self.parallelism.unwrap_or(default.parallelism),
            ..default
        };
        Ok((template, options))
    }
}

/// Says of an operation how it is known and who watches.
pub(super) fn attached(options: PlanOptions, operation: &str, bus: Bus, stop: CancellationToken) -> PlanOptions {
    PlanOptions { operation: Some(operation.into()), events: Some(bus), cancellation: stop, ..options }
}

pub(super) fn address(text: &str) -> Result<Address> {
    text.parse().map_err(|error| no_address(text, error))
}

pub(super) fn target(text: &str) -> Result<Target> {
    text.parse().map_err(|error| no_address(text, error))
}

fn no_address(text: &str, error: crate::address::Error) -> Error {
    Error::new(ErrorKind::InvalidInput, "address.invalid", format!("`{text}` is no address")).because(error)
}

/// Returns values of a host's, each of the type that its JSON has by itself.
fn values(variables: &BTreeMap<String, Json>) -> Result<BTreeMap<String, Value>> {
    variables.iter().map(|(name, json)| Ok((name.clone(), read_json(json, &Type::Any)?))).collect()
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
    /// The ephemeral variables of a plan that was stored, or of a run that is resumed, as plain JSON.
    pub variables: BTreeMap<String, Json>,
}

impl ApplyQuery {
    /// Reads JSON text.
    ///
    /// # Errors
    /// `engine.bug`: the package that wrote it does not fit this engine.
    pub fn from_json(text: &str) -> Result<Self> {
        read(text)
    }

    /// Returns the options, with the variables read.
    pub(super) fn options(mut self) -> Result<ApplyOptions> {
        let variables = values(&std::mem::take(&mut self.variables))?;
        Ok(ApplyOptions { variables: RawVariables::from_values(variables), ..self.into() })
    }
}

impl From<ApplyQuery> for ApplyOptions {
    /// Leaves the variables out.
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
pub(super) fn read<T: DeserializeOwned>(text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|error| {
        let place = format!("at line {}, column {}", error.line(), error.column());
        Error::bug(format!("the arguments of a call have another shape, {place}"))
    })
}
