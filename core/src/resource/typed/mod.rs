//! Resource types, data sources and ephemeral resource types written with structs instead of values.
//!
//! An implementor writes what the template sets and what the resource decides as two structs with serde, and derives
//! [`Attributes`](derive@Attributes) for both: the schema follows. [`typed`] makes a [`Resource`](super::Resource) of a
//! [`TypedResource`], [`typed_data`] a [`DataSource`](super::DataSource) of a [`TypedDataSource`],
//! [`typed_ephemeral`] an [`EphemeralResource`](super::EphemeralResource) of a [`TypedEphemeral`].
//!
//! ```text
//! engine ──Value──▶ Typed<R>: schema, decode ──Inputs──▶ R: TypedResource
//!        ◀─Value──            encode, overlay ◀─Outputs──
//! ```
//!
//! **Names.** A field of the inputs is required unless it is an `Option` or has a default; a field of the outputs alone
//! is computed. A name in both is an input that the resource may decide too: optional and computed where the input is an
//! `Option` without default (then the input is `None` as long as the template says nothing), otherwise an echo of the
//! input. Its type must be the same in both; that of the input counts.
//!
//! **Planning.** An update may change every output, so a plan shows outputs as "known after apply" as soon as an input
//! changes, except those marked `stable`. [`TypedResource::plan`] may say more: predict a value, keep one, ask for a
//! replacement.
//!
//! **What it deliberately is not.** There is no typed unknown: a verb is called with known inputs only, and `plan` gets
//! none while they are not known. There are no computed attributes within nested structs. Who needs either implements
//! [`Resource`](super::Resource).
//!
//! Invariants: what the implementor leaves as it was is stored exactly as it was (a number with 100 digits survives a
//! `f64`); an object that was made is never lost because its outputs cannot be written down; errors name places, never
//! contents; `Debug` of inputs, outputs and objects prints no field.
//!
//! # Examples
//! ```
//! use async_trait::async_trait;
//! use serde::{Deserialize, Serialize};
//! use stackwright::resource::{Context, Resource, typed::*};
//! use stackwright::Result;
//!
//! /// What the template says about a bucket.
//! #[derive(Serialize, Deserialize, Attributes)]
//! struct BucketInputs {
//!     /// The name, unique in its region.
//!     #[attribute(force_new, pattern = "^[a-z][a-z0-9-]*$", max_length = 63)]
//!     name: String,
//!     /// Whether old contents are kept.
//!     #[attribute(default = false)]
//!     versioned: bool,
//!     /// Where it stands; the service chooses if nothing is said.
//!     region: Option<String>,
//! }
//!
//! #[derive(Serialize, Deserialize, Attributes)]
//! struct BucketOutputs {
//!     region: Option<String>,
//!     /// Where it is reached.
//!     #[attribute(stable)]
//!     url: String,
//!     #[attribute(sensitive)]
//!     access_key: String,
//! }
//!
//! #[derive(Debug)]
//! struct Bucket;
//!
//! #[async_trait]
//! impl TypedResource for Bucket {
//!     type Inputs = BucketInputs;
//!     type Outputs = BucketOutputs;
//!
//!     async fn create(&self, ctx: &Context, inputs: BucketInputs) -> TypedOutcome<Self> {
//!         // A call of the service would stand here; the same key gives the same bucket.
//!         let access_key = format!("key-{}", ctx.idempotency_key());
//!         let region = inputs.region.unwrap_or_else(|| "eu-1".to_owned());
//!         let url = format!("https://{}.{region}.example.com", inputs.name);
//!         Ok(Made::new(inputs.name, BucketOutputs { region: Some(region), url, access_key }))
//!     }
//!
//!     async fn read(&self, _: &Context, _: TypedObject<Self>) -> Result<Option<TypedObject<Self>>> {
//!         Ok(None)
//!     }
//!
//!     async fn update(&self, _: &Context, prior: TypedObject<Self>, _: BucketInputs) -> TypedOutcome<Self> {
//!         // The name forces a new one, so that only `versioned` or `region` differ.
//!         Ok(Made::new(prior.id.clone(), prior.into_outputs()?))
//!     }
//!
//!     async fn delete(&self, _: &Context, _: TypedObject<Self>) -> Result<(), Failed<Self>> {
//!         Ok(())
//!     }
//! }
//!
//! let schema = typed(Bucket).schema();
//! assert_eq!(schema.check(), Ok(()));
//! assert_eq!(schema.block.description, "What the template says about a bucket.");
//! let region = &schema.block.attributes["region"];
//! assert!(region.optional && region.computed);
//! assert!(schema.block.attributes["name"].forces_replacement);
//! assert!(schema.block.attributes["access_key"].sensitive);
//! ```

mod adapter;
mod attributes;
mod change;
mod contract;
mod data_source;
mod ephemeral;
mod failure;
mod field;
mod kinds;
mod object;
mod planning;
mod shape;
#[cfg(test)]
mod tests;

pub use adapter::{Typed, typed};
pub use attributes::{AttributeType, Attributes, BlockType, Nothing, object_type};
pub use change::{TypedChange, TypedPlan};
pub use contract::{TypedDataSource, TypedResource};
pub use data_source::{TypedData, typed_data};
pub use ephemeral::{TypedEphemeral, TypedOpened, TypedOpening, typed_ephemeral};
pub use failure::{Failed, Half, TypedOutcome};
pub use field::{Field, FieldShape};
pub use object::{Made, TypedEvidence, TypedObject, TypedReadiness, TypedRecovery};
pub use stackwright_derive::Attributes;
