use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;

use super::{
    Context, EphemeralResource, Evidence, Object, Outcome, PlanRequest, PlanResponse, QuoteItem, Readiness, Recovery,
};
use crate::{
    error::{Error, ErrorKind, Result},
    pricing::Prices,
    schema::Schema,
    state::Amount,
    template::eval::Function,
    value::Value,
};

/// What a resource type promises beyond the contract, as data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Traits {
    /// Repeating `create` with the same key never makes a second object, whatever happened to the first call; the
    /// engine then simply repeats it instead of asking [`Resource::recover`].
    pub idempotent_create: bool,
    /// How long a created object may stay invisible to reads (eventual consistency). `recover` may answer "absent"
    /// only after it; the engine waits.
    pub settle: Duration,
    /// Whether an object works as soon as `create` or `update` returned it: [`Resource::ready`] is not asked then, and
    /// a change becomes durable in one write instead of two.
    pub ready_at_once: bool,
    /// How long the engine waits for [`Resource::ready`] before the step fails (the row stays).
    pub ready_timeout: Duration,
    /// How often the engine asks [`Resource::ready`].
    pub ready_interval: Duration,
    /// How long one call of create, update or delete may take.
    pub call_timeout: Duration,
    /// A hint of how long making one takes, in any unit; the critical path is started first.
    pub cost: u64,
    /// Whether its objects cost no money: [`Resource::quote`] then need not say so.
    pub free: bool,
    /// Whether each of its objects is ordered by itself, right before it is made, and not together with everything else that
    /// a run orders.
    pub ordered_apart: bool,
}

impl Default for Traits {
    fn default() -> Self {
        Self {
            idempotent_create: false,
            settle: Duration::ZERO,
            ready_at_once: false,
            ready_timeout: Duration::from_secs(600),
            ready_interval: Duration::from_millis(200),
            call_timeout: Duration::from_secs(1200),
            cost: 1,
            free: false,
            ordered_apart: false,
        }
    }
}

/// A type of thing that the engine can manage.
///
/// Values passed in and out are objects of the schema's implied type. Values passed in to `create`, `update` and
/// `delete` are wholly known and unmarked; `plan` also sees unknowns. What the engine shows or stores is marked by
/// the schema's sensitive attributes again.
///
/// # Cancellation
/// A call is never dropped. When [`Context::is_cancelled`] turns true the verb should finish soon: complete, undo or
/// leave half done and say so.
#[async_trait]
pub trait Resource: fmt::Debug + Send + Sync + 'static {
    /// Returns the schema. Cheap, always the same.
    fn schema(&self) -> Arc<Schema>;

    /// Returns what the type promises beyond the contract.
    fn traits(&self) -> Traits {
        Traits::default()
    }

    /// Checks a configuration beyond what the schema can say, with unknowns allowed.
    ///
    /// Called before every [`plan`](Self::plan): while planning, and once more right before the change where something
    /// became known in between. Must not change anything, and need not look at the world.
    ///
    /// # Errors
    /// An `InvalidInput` error with diagnostics (their spans are set by the engine) or a message.
    async fn validate(&self, ctx: &Context, config: &Value) -> Result<()> {
        let _ = (ctx, config);
        Ok(())
    }

    /// Adjusts a proposed change: fills in computed values that are known already, says what forces replacement.
    ///
    /// Called while planning and once more right before the change, with everything known; both answers have to
    /// agree on what was known the first time. Must not change anything.
    async fn plan(&self, ctx: &Context, request: PlanRequest) -> Result<PlanResponse> {
        let _ = ctx;
        Ok(PlanResponse { planned: request.proposed, requires_replace: Vec::new(), private: None })
    }

    /// Makes the object. `planned` has unknowns only where the type computes values.
    ///
    /// # Idempotency
    /// Called again with the same [`Context::idempotency_key`] it returns the object made the first time.
    async fn create(&self, ctx: &Context, planned: Value) -> Outcome;

    /// Reads the object as it is now. `None` means that it is gone; that is not an error.
    async fn read(&self, ctx: &Context, object: &Object) -> Result<Option<Object>>;

    /// Changes the object in place.
    async fn update(&self, ctx: &Context, prior: &Object, planned: Value) -> Outcome;

    /// Removes the object. What is gone already is removed well: [`Outcome::gone`].
    async fn delete(&self, ctx: &Context, prior: &Object) -> Outcome;

    /// Finds an object that the engine did not make, by the id that people use for it. `None`: there is none.
    ///
    /// # Errors
    /// `resource.import_unsupported` unless the type overrides it.
    async fn import(&self, ctx: &Context, id: &str) -> Result<Option<Object>> {
        let _ = id;
        Err(import_unsupported(ctx))
    }

    /// Says whether the object really works. A create or update is done when this says so.
    ///
    /// Called until it does, fails, or [`Traits::ready_timeout`] is over; not at all with [`Traits::ready_at_once`].
    async fn ready(&self, ctx: &Context, object: &Object) -> Result<Readiness> {
        let _ = ctx;
        Ok(Readiness::Ready(object.clone()))
    }

    /// Finds out what became of a call whose outcome was lost.
    ///
    /// The default reads by id where one is known, says "absent" nowhere, and otherwise cannot tell.
    async fn recover(&self, ctx: &Context, evidence: &Evidence) -> Result<Recovery> {
        recover_by_reading(self, ctx, evidence).await
    }

    /// Brings attributes that an older schema version stored into today's shape.
    ///
    /// Called while planning, before the object is read. The provider's configuration may be missing or partly unknown:
    /// everything that is needed has to be in the attributes.
    ///
    /// # Errors
    /// `resource.upgrade_unsupported` unless the type overrides it.
    async fn upgrade(&self, ctx: &Context, version: u64, attributes: serde_json::Value) -> Result<Value> {
        let _ = (ctx, attributes);
        Err(upgrade_unsupported(version))
    }

    /// Says what objects cost, many at a time: one answer for each, in their order. Must not change anything.
    ///
    /// What nobody can say is [`Prices::Unknown`], never nothing. By default that is everything, unless
    /// [`Traits::free`] says that there is nothing to pay.
    ///
    /// # Errors
    /// Whatever kept the type from asking; the prices of all items are unknown then.
    async fn quote(&self, ctx: &Context, items: &[QuoteItem]) -> Result<Vec<Prices>> {
        let _ = ctx;
        Ok(unquoted(self.traits(), items))
    }

    /// Says what an object with these attributes uses of what tenants have quotas of, by dimension: `vcpu`, `disk_gib`.
    ///
    /// Pure and cheap: asked for every object that a plan makes or changes, and for every one that was made. Attributes are
    /// unmarked, and unknown where they are not known yet; an amount that depends on those is
    /// [`Amount::Unknown`], and a plan with it is refused where a hard limit stands. So amounts are best told from what the
    /// template sets. How many resources there are is counted anyway: dimensions called `stacks`, `resources` and
    /// `resources.…` are the engine's own, and left out of what a type says. Nothing by default.
    fn consumes(&self, attributes: &Value) -> Vec<(Arc<str>, Amount)> {
        let _ = attributes;
        Vec::new()
    }
}

/// Returns what [`Resource::quote`] answers by default.
pub fn unquoted(traits: Traits, items: &[QuoteItem]) -> Vec<Prices> {
    let each = |_| if traits.free { Prices::Free } else { Prices::unknown("its type names no prices") };
    items.iter().map(each).collect()
}

/// Checks a configuration, then plans: the two are always asked together.
pub(crate) async fn checked_plan(resource: &dyn Resource, ctx: &Context, request: PlanRequest) -> Result<PlanResponse> {
    resource.validate(ctx, &request.config).await?;
    resource.plan(ctx, request).await
}

/// Does what [`Resource::recover`] does by default, for types that override it only sometimes.
///
/// Reads by id where one is known: the object's own before an update or a delete, else what a create checkpointed.
///
/// # Errors
/// Those of [`Resource::read`].
pub async fn recover_by_reading<R: Resource + ?Sized>(
    resource: &R,
    ctx: &Context,
    evidence: &Evidence,
) -> Result<Recovery> {
    let known = evidence.prior.clone().or_else(|| {
        let id = evidence.id.clone()?;
        let attributes = evidence.partial.clone().or_else(|| evidence.planned.clone())?;
        Some(Object::new(id, attributes))
    });
    let Some(object) = known else {
        return Ok(Recovery::CannotTell { reason: "no id was recorded before the call was lost".to_owned() });
    };
    Ok(match resource.read(ctx, &object).await? {
        Some(found) => Recovery::Found(found),
        None => Recovery::Absent,
    })
}

/// Returns the error of [`Resource::import`] by default.
pub fn import_unsupported(ctx: &Context) -> Error {
    Error::new(
        ErrorKind::Unsupported,
        "resource.import_unsupported",
        format!("`{}` objects cannot be imported", ctx.info().type_name),
    )
}

/// Returns the error of [`Resource::upgrade`] by default.
pub fn upgrade_unsupported(version: u64) -> Error {
    Error::new(
        ErrorKind::Unsupported,
        "resource.upgrade_unsupported",
        format!("state was written with schema version {version}, which this type cannot read"),
    )
}

/// Something that can be looked up and is never changed.
#[async_trait]
pub trait DataSource: fmt::Debug + Send + Sync + 'static {
    /// Returns the schema of configuration and result together.
    fn schema(&self) -> Arc<Schema>;

    /// Looks it up; `config` is wholly known and the result conforms to the schema.
    async fn read(&self, ctx: &Context, config: Value) -> Result<Value>;
}

/// A group of types with one configuration.
#[derive(Clone, Debug, Default)]
pub struct Provider {
    /// The name that `provider "name" {}` blocks use; type names start with it and an underscore.
    pub name: Arc<str>,
    /// The schema of the `provider` block; `None` where there is nothing to configure.
    pub schema: Option<Arc<Schema>>,
    /// Resource types by name.
    pub resources: Vec<(Arc<str>, Arc<dyn Resource>)>,
    /// Data sources by name.
    pub data_sources: Vec<(Arc<str>, Arc<dyn DataSource>)>,
    /// Ephemeral resource types by name.
    pub ephemerals: Vec<(Arc<str>, Arc<dyn EphemeralResource>)>,
    /// Functions, which templates call as `provider::<provider>::<name>`.
    pub functions: Vec<Function>,
}

impl Provider {
    /// Returns an empty provider.
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }

    /// Adds a resource type.
    pub fn resource(mut self, name: impl Into<Arc<str>>, resource: impl Resource) -> Self {
        self.resources.push((name.into(), Arc::new(resource)));
        self
    }

    /// Adds a data source.
    pub fn data_source(mut self, name: impl Into<Arc<str>>, source: impl DataSource) -> Self {
        self.data_sources.push((name.into(), Arc::new(source)));
        self
    }

    /// Adds an ephemeral resource type.
    pub fn ephemeral(mut self, name: impl Into<Arc<str>>, resource: impl EphemeralResource) -> Self {
        self.ephemerals.push((name.into(), Arc::new(resource)));
        self
    }

    /// Adds a function, which templates call as `provider::<provider>::<name>`.
    ///
    /// It must be pure: planning and applying call it again and expect the same result.
    ///
    /// # Examples
    /// ```
    /// use stackwright::{
    ///     resource::Provider,
    ///     template::eval::{Function, Parameter},
    ///     value::{Type, Value},
    /// };
    ///
    /// let shout = Function::new("shout", "Returns a text in capitals with an exclamation mark.")
    ///     .takes([Parameter::new("text", Type::String)])
    ///     .returns(Type::String)
    ///     .computes(|call| Ok(Value::string(format!("{}!", call.text(0).to_uppercase()))));
    /// let provider = Provider::new("acme").function(shout);
    /// assert_eq!(provider.functions.len(), 1);
    /// ```
    pub fn function(mut self, function: Function) -> Self {
        self.functions.push(function);
        self
    }
}
