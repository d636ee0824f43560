//! `random_port`.

use std::{
    collections::BTreeSet,
    net::{Ipv4Addr, TcpListener},
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use async_trait::async_trait;
use stackwright::{
    error::{Error, ErrorKind, Result, Retry},
    resource::{Context, Evidence, Object, Outcome, Recovery, Resource, Traits},
    schema::{Attribute, Schema},
    value::{Type, Value},
};

use crate::attributes::{number, with};

/// A TCP port that nobody listens on when it is chosen.
#[derive(Clone, Debug, Default)]
pub(crate) struct Port {
    /// Chosen by this engine and perhaps not listened on yet.
    taken: Arc<Mutex<BTreeSet<u16>>>,
}

fn schema() -> Arc<Schema> {
    static SCHEMA: OnceLock<Arc<Schema>> = OnceLock::new();
    Arc::clone(SCHEMA.get_or_init(|| {
        Arc::new(
            Schema::new(1)
                .describe("A TCP port on 127.0.0.1 that nobody listens on when it is chosen.")
                .attribute("id", Attribute::computed(Type::String).describe("The port as text."))
                .attribute("min", Attribute::optional(Type::Number).default(20_000).between(1, 65_535).forces_replacement().describe("The lowest port."))
                .attribute("max", Attribute::optional(Type::Number).default(29_999).between(1, 65_535).forces_replacement().describe("The highest port. The default range lies outside those that systems use for outgoing connections."))
                .attribute("keepers", Attribute::optional(Type::map(Type::String)).forces_replacement().describe("Any values; when one changes another port is chosen."))
                .attribute("port", Attribute::computed(Type::Number).describe("The port.")),
        )
    }))
}

impl Port {
    fn choose(&self, min: u16, max: u16) -> Result<u16> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let count = u32::from(max - min) + 1;
        let mut bytes = [0_u8; 4];
        getrandom::fill(&mut bytes).map_err(|error| Error::bug("no random bytes from the system").because(error))?;
        let first = u32::from_le_bytes(bytes) % count;
        for offset in 0..count {
            let port = min + u16::try_from((first + offset) % count).unwrap_or(0);
            if !taken.contains(&port) && TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
                taken.insert(port);
                return Ok(port);
            }
        }
        Err(Error::new(
            ErrorKind::Unavailable,
            "local.no_port",
            format!("every port from {min} to {max} is taken; widen the range or stop what listens there"),
        )
        .retry(Retry::WithBackoff))
    }
}

fn object(attributes: &Value, port: u16) -> Object {
    let set = [("id", Value::string(port.to_string())), ("port", Value::number(u64::from(port)))];
    Object::new(port.to_string(), with(attributes, set))
}

fn bounds(config: &Value) -> Option<(u16, u16)> {
    let bound = |name| number(config, name).and_then(|number| u16::try_from(number).ok());
    bound("min").zip(bound("max"))
}

#[async_trait]
impl Resource for Port {
    fn schema(&self) -> Arc<Schema> {
        schema()
    }

    fn traits(&self) -> Traits {
        Traits { idempotent_create: true, ..Traits::default() }
    }

    fn validate(&self, config: &Value) -> Result<()> {
        match bounds(config) {
            Some((min, max)) if min > max => Err(Error::new(
                ErrorKind::InvalidInput,
                "local.range",
                format!("`min` ({min}) is larger than `max` ({max})"),
            )),
            _ => Ok(()),
        }
    }

    async fn create(&self, _ctx: &Context, planned: Value) -> Outcome {
        let chosen = bounds(&planned).ok_or_else(|| Error::bug("the range of ports is not set"));
        chosen.and_then(|(min, max)| self.choose(min, max)).map(|port| object(&planned, port)).into()
    }

    async fn read(&self, _ctx: &Context, object: &Object) -> Result<Option<Object>> {
        Ok(Some(object.clone()))
    }

    async fn update(&self, _ctx: &Context, prior: &Object, planned: Value) -> Outcome {
        Outcome::complete(Object::new(prior.id.clone(), planned))
    }

    async fn delete(&self, _ctx: &Context, prior: &Object) -> Outcome {
        if let Ok(port) = prior.id.parse() {
            self.taken.lock().unwrap_or_else(PoisonError::into_inner).remove(&port);
        }
        Outcome::gone()
    }

    async fn import(&self, _ctx: &Context, id: &str) -> Result<Option<Object>> {
        let port = id.parse::<u16>().ok().filter(|port| *port > 0).ok_or_else(|| {
            Error::new(
                ErrorKind::InvalidInput,
                "resource.import_id",
                format!("`{id}` is not a port; write a number from 1 to 65535"),
            )
        })?;
        let empty = schema().block.empty_value();
        let range = [("min", Value::number(20_000_u64)), ("max", Value::number(29_999_u64))];
        Ok(Some(object(&with(&empty, range), port)))
    }

    async fn recover(&self, _ctx: &Context, evidence: &Evidence) -> Result<Recovery> {
        // A choice that nobody learnt of never happened.
        Ok(evidence.prior.clone().map_or(Recovery::Absent, Recovery::Found))
    }
}
