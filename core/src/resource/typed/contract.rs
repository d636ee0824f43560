use std::{fmt, sync::Arc};

use async_trait::async_trait;
use serde::{Serialize, de::DeserializeOwned};

use super::{
    Attributes, Failed, TypedChange, TypedEvidence, TypedObject, TypedOutcome, TypedPlan, TypedReadiness, TypedRecovery,
};
use crate::{
    error::{Error, ErrorKind, Result},
    pricing::Prices,
    resource::{Context, QuoteItem, Traits, unquoted, upgrade_unsupported},
    state::Amount,
    value::Value,
};

/// A type of thing that the engine can manage, in terms of structs.
///
/// The contract is that of [`Resource`](crate::resource::Resource), whose words on idempotency and cancellation hold
/// here too; the [module](super) has an example. Register [`typed(it)`](super::typed).
///
/// A verb is called with inputs that are wholly known. An input that the template does not set and the resource decides
/// is `None`, unless it is known from before.
#[async_trait]
pub trait TypedResource: fmt::Debug + Sized + Send + Sync + 'static {
    /// What the template sets. Serde's names are those of the schema.
    type Inputs: Attributes + Serialize + DeserializeOwned + Send + Sync + 'static;

    /// What the resource decides; [`Nothing`](super::Nothing) if that is nothing.
    type Outputs: Attributes + Serialize + DeserializeOwned + Send + Sync + 'static;

    /// Returns the version of what is stored. Another one needs an [`upgrade`](Self::upgrade).
    fn version(&self) -> u64 {
        0
    }

    /// Returns what the type is, in sentences. By default what the inputs say.
    fn description(&self) -> String {
        Self::Inputs::description().to_owned()
    }

    /// Returns what the type promises beyond the contract.
    fn traits(&self) -> Traits {
        Traits::default()
    }

    /// Checks inputs beyond what the schema can say. Called once all of them are known.
    ///
    /// # Errors
    /// An `InvalidInput` error, whose message quotes no secrets.
    async fn validate(&self, ctx: &Context, inputs: &Self::Inputs) -> Result<()> {
        let _ = (ctx, inputs);
        Ok(())
    }

    /// Says what is known about a change beforehand. Must not change anything, and must say the same when it is called
    /// again with more inputs known.
    async fn plan(&self, ctx: &Context, change: TypedChange<Self>) -> Result<TypedPlan> {
        let _ = (ctx, change);
        Ok(TypedPlan::new())
    }

    /// Makes the object.
    ///
    /// # Idempotency
    /// Called again with the same [`Context::idempotency_key`] it returns the object made the first time.
    async fn create(&self, ctx: &Context, inputs: Self::Inputs) -> TypedOutcome<Self>;

    /// Reads the object as it is now. `None` means that it is gone; that is not an error.
    ///
    /// What cannot be read back (write-only fields, say) is returned as it came.
    async fn read(&self, ctx: &Context, object: TypedObject<Self>) -> Result<Option<TypedObject<Self>>>;

    /// Changes the object in place.
    async fn update(&self, ctx: &Context, prior: TypedObject<Self>, inputs: Self::Inputs) -> TypedOutcome<Self>;

    /// Removes the object, which may be half made. What is gone already is removed well.
    async fn delete(&self, ctx: &Context, prior: TypedObject<Self>) -> Result<(), Failed<Self>>;

    /// Finds an object that the engine did not make, by the id that people use for it. `None`: there is none.
    ///
    /// # Errors
    /// `resource.import_unsupported` unless the type overrides it.
    async fn import(&self, ctx: &Context, id: &str) -> Result<Option<TypedObject<Self>>> {
        let _ = id;
        Err(Error::new(
            ErrorKind::Unsupported,
            "resource.import_unsupported",
            format!("`{}` objects cannot be imported", ctx.info().type_name),
        ))
    }

    /// Says whether the object really works. A create or update is done when this says so.
    async fn ready(&self, ctx: &Context, object: TypedObject<Self>) -> Result<TypedReadiness<Self::Outputs>> {
        let _ = (ctx, object);
        Ok(TypedReadiness::Ready)
    }

    /// Finds out what became of a call whose outcome was lost.
    ///
    /// The default reads by id where one is known, and otherwise cannot tell.
    async fn recover(&self, ctx: &Context, evidence: TypedEvidence<Self>) -> Result<TypedRecovery<Self>> {
        let Some(object) = evidence.object else {
            return Ok(TypedRecovery::CannotTell { reason: "no id was recorded before the call was lost".to_owned() });
        };
        Ok(self.read(ctx, object).await?.map_or(TypedRecovery::Absent, TypedRecovery::Found))
    }

    /// Brings attributes that an older [`version`](Self::version) stored into today's structs. Outputs are `None` where
    /// the object was left half made.
    ///
    /// # Errors
    /// `resource.upgrade_unsupported` unless the type overrides it.
    async fn upgrade(
        &self,
        ctx: &Context,
        version: u64,
        attributes: serde_json::Value,
    ) -> Result<(Self::Inputs, Option<Self::Outputs>)> {
        let _ = (ctx, attributes);
        Err(upgrade_unsupported(version))
    }

    /// Says what objects cost, many at a time: see [`Resource::quote`](crate::resource::Resource::quote).
    ///
    /// Objects are values and not structs, since what is planned may not be known yet.
    async fn quote(&self, ctx: &Context, items: &[QuoteItem]) -> Result<Vec<Prices>> {
        let _ = ctx;
        Ok(unquoted(self.traits(), items))
    }

    /// Says what an object uses of what tenants have quotas of: see
    /// [`Resource::consumes`](crate::resource::Resource::consumes). Attributes are a value and not structs, since what is
    /// planned may not be known yet.
    fn consumes(&self, attributes: &Value) -> Vec<(Arc<str>, Amount)> {
        let _ = attributes;
        Vec::new()
    }
}

/// Something that can be looked up and is never changed, in terms of structs.
///
/// Register [`typed_data(it)`](super::typed_data). Names in both structs work as they do for a [`TypedResource`].
///
/// # Examples
/// ```
/// use async_trait::async_trait;
/// use serde::{Deserialize, Serialize};
/// use stackwright::{Result, resource::{Context, DataSource, typed::*}};
///
/// #[derive(Serialize, Deserialize, Attributes)]
/// struct ZoneInputs { name: String }
///
/// #[derive(Serialize, Deserialize, Attributes)]
/// struct ZoneOutputs { servers: Vec<String> }
///
/// #[derive(Debug)]
/// struct Zone;
///
/// #[async_trait]
/// impl TypedDataSource for Zone {
///     type Inputs = ZoneInputs;
///     type Outputs = ZoneOutputs;
///
///     async fn read(&self, _: &Context, inputs: ZoneInputs) -> Result<ZoneOutputs> {
///         Ok(ZoneOutputs { servers: vec![format!("ns1.{}", inputs.name)] })
///     }
/// }
///
/// assert!(typed_data(Zone).schema().block.attributes["servers"].computed);
/// ```
#[async_trait]
pub trait TypedDataSource: fmt::Debug + Sized + Send + Sync + 'static {
    /// What the template sets.
    type Inputs: Attributes + Serialize + DeserializeOwned + Send + Sync + 'static;

    /// What is found.
    type Outputs: Attributes + Serialize + DeserializeOwned + Send + Sync + 'static;

    /// Returns what the source is, in sentences. By default what the inputs say.
    fn description(&self) -> String {
        Self::Inputs::description().to_owned()
    }

    /// Looks it up.
    async fn read(&self, ctx: &Context, inputs: Self::Inputs) -> Result<Self::Outputs>;
}
