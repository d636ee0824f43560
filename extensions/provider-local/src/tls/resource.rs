use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use async_trait::async_trait;
use stackwright::{
    error::Result,
    event::Timestamp,
    resource::{Context, Evidence, Object, Outcome, Recovery, Resource, Traits},
    schema::{Attribute, Schema},
    value::{Type, Value},
};

use super::{adopt, make};
use crate::{
    attributes::{blocking, number},
    import::ImportId,
};

pub(super) const DAY: Duration = Duration::from_secs(24 * 3600);
pub(super) const MOST_DAYS: u64 = 36_500;

/// A key pair and a certificate that it signed itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SelfSignedCert;

pub(super) fn schema() -> Arc<Schema> {
    static SCHEMA: OnceLock<Arc<Schema>> = OnceLock::new();
    Arc::clone(SCHEMA.get_or_init(|| Arc::new(build())))
}

fn build() -> Schema {
    let names = || Attribute::optional(Type::list(Type::String)).forces_replacement();
    Schema::new(1)
        .describe("An ECDSA P-256 key and a certificate that it signed itself.")
        .attribute("id", Attribute::computed(Type::String).describe("The certificate's fingerprint."))
        .attribute(
            "common_name",
            Attribute::required(Type::String).forces_replacement().describe("Whose certificate it is."),
        )
        .attribute(
            "organization",
            Attribute::optional(Type::String).forces_replacement().describe("Of which organization."),
        )
        .attribute("dns_names", names().describe("Host names that it is good for."))
        .attribute("ip_addresses", names().describe("Addresses that it is good for."))
        .attribute(
            "validity_days",
            Attribute::optional(Type::Number)
                .default(365)
                .between(1, MOST_DAYS)
                .forces_replacement()
                .describe("How many days it is good for."),
        )
        .attribute(
            "early_renewal_days",
            Attribute::optional(Type::Number)
                .default(0)
                .between(0, MOST_DAYS)
                .describe("How many days before its end it counts as gone, so that the next plan makes a new one."),
        )
        .attribute(
            "is_ca",
            Attribute::optional(Type::Bool)
                .default(false)
                .forces_replacement()
                .describe("Whether it may sign other certificates."),
        )
        .attribute(
            "private_key_pem",
            Attribute::computed(Type::String).sensitive().describe("The key, PKCS #8 in PEM."),
        )
        .attribute("public_key_pem", Attribute::computed(Type::String).describe("The public key in PEM."))
        .attribute("cert_pem", Attribute::computed(Type::String).describe("The certificate in PEM."))
        .attribute(
            "fingerprint",
            Attribute::computed(Type::String).describe("SHA-256 of the certificate, hexadecimal."),
        )
        .attribute("not_before", Attribute::computed(Type::String).describe("From when it is good (RFC 3339)."))
        .attribute("not_after", Attribute::computed(Type::String).describe("Until when it is good (RFC 3339)."))
        .attribute(
            "not_after_ms",
            Attribute::computed(Type::Number).describe("The same in milliseconds since the Unix epoch."),
        )
}

#[async_trait]
impl Resource for SelfSignedCert {
    fn schema(&self) -> Arc<Schema> {
        schema()
    }

    fn traits(&self) -> Traits {
        Traits { idempotent_create: true, free: true, ..Traits::default() }
    }

    async fn validate(&self, _ctx: &Context, config: &Value) -> Result<()> {
        make::check(config)
    }

    async fn create(&self, ctx: &Context, planned: Value) -> Outcome {
        let now = ctx.clock().now();
        blocking(move || make::make(&planned, now)).await.into()
    }

    /// One that is due for renewal counts as gone.
    async fn read(&self, ctx: &Context, object: &Object) -> Result<Option<Object>> {
        let until = Timestamp(number(&object.attributes, "not_after_ms").unwrap_or(u64::MAX));
        let early = number(&object.attributes, "early_renewal_days").and_then(|days| u32::try_from(days).ok());
        let early = DAY.saturating_mul(early.unwrap_or(0));
        Ok((ctx.clock().now().plus(early) < until).then(|| object.clone()))
    }

    async fn update(&self, _ctx: &Context, prior: &Object, planned: Value) -> Outcome {
        Outcome::complete(Object::new(prior.id.clone(), planned))
    }

    async fn delete(&self, _ctx: &Context, _prior: &Object) -> Outcome {
        Outcome::gone()
    }

    /// The id is the path of a PEM file with certificate and key, or the paths of both, joined by a comma.
    async fn import(&self, _ctx: &Context, id: &str) -> Result<Option<Object>> {
        let id = ImportId::parse(id)?;
        let paths = id.id.clone();
        let Some((name, found)) = blocking(move || adopt::read(&paths)).await? else { return Ok(None) };
        Ok(Some(Object::new(name, id.set(&schema(), &found, &["early_renewal_days"])?)))
    }

    async fn recover(&self, _ctx: &Context, evidence: &Evidence) -> Result<Recovery> {
        // What was made and not written down is nowhere.
        Ok(evidence.prior.clone().map_or(Recovery::Absent, Recovery::Found))
    }
}
