//! Resource types of a pretend cloud, for tests, demonstrations and whoever learns to write a provider.
//!
//! The cloud is a process of its own, `stackwright-sandbox`, with its own memory and the manners of a real one: it is slow,
//! limits rates, loses replies, and shows what it made only later. `docs/providers/sandbox.md` says how to start it, what
//! each type takes, and which knobs the cloud has.
//!
//! ```text
//! engine ─▶ Typed<Managed<K>> ─▶ Managed: one way to make, find and await things ─▶ Api ─▶ HTTP/JSON ─▶ cloud
//!                                   K: Kind: the structs of one type, and how its objects are found again
//! ```
//!
//! | type | how a lost create is found again |
//! |---|---|
//! | `sandbox_network`, `sandbox_instance`, `sandbox_volume`, `sandbox_database` | by idempotency token, which is the object id |
//! | `sandbox_subnet`, `sandbox_security_group`, `sandbox_bucket`, `sandbox_dns_record` | by its names, and its mark of ownership |
//! | `sandbox_cluster` | by the id that was checkpointed, else by its name and mark |
//!
//! Data sources: `sandbox_instance_type`, `sandbox_network`.
//!
//! ```
//! let engine = stackwright::stack::Engine::builder().provider(stackwright_provider_sandbox::provider());
//! # let _ = engine;
//! ```
//!
//! Invariants: a create that may have reached the cloud is never repeated with another token; whatever was made bears the
//! mark of its object, so that nothing of somebody else is adopted; no secret comes back from the cloud.

mod api;
mod error;
mod kind;
mod look;
mod machine;
mod managed;
mod naming;
mod network;
mod price;
mod seller;
mod storage;

use std::sync::Arc;

use stackwright::{
    resource::{
        Provider,
        typed::{typed, typed_data},
    },
    schema::{Attribute, Schema},
    value::Type,
};

pub use crate::seller::Shop;
use crate::{api::Api, kind::Kind, managed::Managed};

/// Returns the schema of the `provider "sandbox"` block.
fn schema() -> Schema {
    Schema::new(1)
        .describe("Where the cloud is, and how to speak with it.")
        .attribute(
            "endpoint",
            Attribute::required(Type::String).describe("Where it listens, such as `http://127.0.0.1:7070`."),
        )
        .attribute(
            "token",
            Attribute::optional(Type::String).sensitive().describe("The token to bear, if it asks for one."),
        )
        .attribute(
            "request_timeout",
            Attribute::optional(Type::Number)
                .default(30)
                .between(1, 600)
                .describe("How long one request may take, in seconds."),
        )
}

/// Returns the provider `sandbox` with all types.
pub fn provider() -> Provider {
    let api = Api::default();
    let mut provider = Provider::new("sandbox");
    provider.schema = Some(Arc::new(schema()));
    let provider = with::<network::Network>(provider, &api);
    let provider = with::<network::Subnet>(provider, &api);
    let provider = with::<network::SecurityGroup>(provider, &api);
    let provider = with::<machine::Instance>(provider, &api);
    let provider = with::<storage::Volume>(provider, &api);
    let provider = with::<storage::Bucket>(provider, &api);
    let provider = with::<machine::Database>(provider, &api);
    let provider = with::<machine::Cluster>(provider, &api);
    let provider = with::<naming::DnsRecord>(provider, &api);
    provider
        .data_source("sandbox_instance_type", typed_data(look::InstanceType::new(api.clone())))
        .data_source("sandbox_network", typed_data(look::Network::new(api)))
}

fn with<K: Kind>(provider: Provider, api: &Api) -> Provider {
    provider.resource(K::TYPE_NAME, typed(Managed::<K>::new(api.clone())))
}
