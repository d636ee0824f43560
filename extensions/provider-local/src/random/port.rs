use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
};

use async_trait::async_trait;
use rustix::{
    io::Errno,
    net::{AddressFamily, SocketType, bind, socket, sockopt::set_socket_reuseaddr},
};
use stackwright::{
    error::{Error, ErrorKind, Result, Retry},
    resource::{Context, Evidence, Object, Outcome, Recovery, Resource, Traits},
    schema::{Attribute, Schema},
    value::{Type, Value},
};

use super::draw;
use crate::{
    attributes::{blocking, number, with},
    import::{ImportId, refuse},
};

const LOWEST: u16 = 20_000;
const HIGHEST: u16 = 29_999;

/// A TCP port that nobody listens on when it is chosen.
#[derive(Clone, Debug, Default)]
pub(crate) struct Port {
    /// Known to be somebody's, though perhaps not listened on at the moment: chosen, read or imported by this engine.
    taken: Arc<Mutex<BTreeSet<u16>>>,
}

fn schema() -> Arc<Schema> {
    static SCHEMA: OnceLock<Arc<Schema>> = OnceLock::new();
    Arc::clone(SCHEMA.get_or_init(|| Arc::new(build())))
}

fn build() -> Schema {
    Schema::new(1)
        .describe("A TCP port of this machine that nobody listens on when it is chosen.")
        .attribute("id", Attribute::computed(Type::String).describe("The port as text."))
        .attribute(
            "min",
            Attribute::optional(Type::Number)
                .default(i64::from(LOWEST))
                .between(1, 65_535)
                .forces_replacement()
                .describe("The lowest port."),
        )
        .attribute(
            "max",
            Attribute::optional(Type::Number)
                .default(i64::from(HIGHEST))
                .between(1, 65_535)
                .forces_replacement()
                .describe(
                    "The highest port. The default range lies outside those that systems use for outgoing connections.",
                ),
        )
        .attribute("keepers", super::keepers())
        .attribute("port", Attribute::computed(Type::Number).describe("The port."))
}

/// Whether a port can be listened on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Free {
    Yes,
    No,
    NotPermitted,
}

/// Tries a port on every address at once: who listens on one of them is in the way of a server on all of them.
fn try_port(port: u16) -> Free {
    let addresses = [IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V6(Ipv6Addr::UNSPECIFIED)];
    for address in addresses {
        match try_address(SocketAddr::new(address, port)) {
            Ok(()) => {}
            Err(Errno::ACCESS | Errno::PERM) => return Free::NotPermitted,
            // A machine may have one of the two families only.
            Err(Errno::AFNOSUPPORT | Errno::ADDRNOTAVAIL) => {}
            Err(_) => return Free::No,
        }
    }
    Free::Yes
}

/// Takes an address for a moment, without listening: nobody sees it, and nobody who listens next is in its way.
fn try_address(address: SocketAddr) -> rustix::io::Result<()> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = socket(family, SocketType::STREAM, None)?;
    // What was closed a moment ago is free for whoever asks so.
    set_socket_reuseaddr(&socket, true)?;
    bind(&socket, &address)
}

impl Port {
    fn taken(&self) -> MutexGuard<'_, BTreeSet<u16>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn choose(&self, min: u16, max: u16) -> Result<u16> {
        check(min, max)?;
        // Held all the while, so that two who choose at once choose differently.
        let mut taken = self.taken();
        let count = usize::from(max - min) + 1;
        let first = draw::below(count)?;
        let mut is_forbidden = false;
        for offset in 0..count {
            let port = min + u16::try_from((first + offset) % count).unwrap_or(0);
            if taken.contains(&port) {
                continue;
            }
            match try_port(port) {
                Free::Yes => {
                    taken.insert(port);
                    return Ok(port);
                }
                Free::No => {}
                Free::NotPermitted => is_forbidden = true,
            }
        }
        if is_forbidden {
            let message = format!("no port from {min} to {max} may be listened on; low ones are the system's");
            return Err(Error::new(ErrorKind::Denied, "local.denied", message));
        }
        let message = format!("every port from {min} to {max} is taken; widen the range or stop what listens there");
        Err(Error::new(ErrorKind::Unavailable, "local.no_port", message).retry(Retry::WithBackoff))
    }
}

fn check(min: u16, max: u16) -> Result<()> {
    if min > max {
        let message = format!("`min` ({min}) is larger than `max` ({max})");
        return Err(Error::new(ErrorKind::InvalidInput, "local.range", message));
    }
    Ok(())
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
        Traits { idempotent_create: true, free: true, ..Traits::default() }
    }

    async fn validate(&self, _ctx: &Context, config: &Value) -> Result<()> {
        bounds(config).map_or(Ok(()), |(min, max)| check(min, max))
    }

    async fn create(&self, _ctx: &Context, planned: Value) -> Outcome {
        let Some((min, max)) = bounds(&planned) else {
            return Outcome::failed(Error::bug("the range of ports is not set"));
        };
        let chooser = self.clone();
        blocking(move || chooser.choose(min, max)).await.map(|port| object(&planned, port)).into()
    }

    async fn read(&self, _ctx: &Context, object: &Object) -> Result<Option<Object>> {
        // Nobody may listen on it right now, and it is somebody's all the same.
        self.taken().extend(object.id.parse::<u16>());
        Ok(Some(object.clone()))
    }

    async fn update(&self, _ctx: &Context, prior: &Object, planned: Value) -> Outcome {
        Outcome::complete(Object::new(prior.id.clone(), planned))
    }

    async fn delete(&self, _ctx: &Context, prior: &Object) -> Outcome {
        if let Ok(port) = prior.id.parse() {
            self.taken().remove(&port);
        }
        Outcome::gone()
    }

    /// The id is the port.
    async fn import(&self, _ctx: &Context, id: &str) -> Result<Option<Object>> {
        let id = ImportId::parse(id)?;
        let port = id.id.parse::<u16>().ok().filter(|port| *port > 0);
        let port = port.ok_or_else(|| refuse(format!("`{}` is not a port; write a number from 1 to 65535", id.id)))?;
        let range = [("min", Value::number(u64::from(LOWEST))), ("max", Value::number(u64::from(HIGHEST)))];
        let start = with(&schema().block.empty_value(), range);
        let start = id.set(&schema(), &start, &["min", "max", "keepers"])?;
        self.taken().insert(port);
        Ok(Some(object(&start, port)))
    }

    async fn recover(&self, _ctx: &Context, evidence: &Evidence) -> Result<Recovery> {
        Ok(super::recover(evidence))
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn who_listens_anywhere_is_in_the_way() {
        for address in ["127.0.0.1:0", "0.0.0.0:0", "[::1]:0", "[::]:0"] {
            let Ok(listener) = TcpListener::bind(address) else { continue };
            let port = listener.local_addr().expect("an address").port();
            assert_eq!(try_port(port), Free::No, "{address}");
            assert_eq!(
                Port::default().choose(port, port).map_err(|error| error.code().to_owned()),
                Err("local.no_port".to_owned()),
                "{address}"
            );
        }
    }

    #[test]
    fn what_was_chosen_can_be_listened_on_at_once() {
        let port = Port::default().choose(LOWEST, HIGHEST).expect("a port");
        assert!((LOWEST..=HIGHEST).contains(&port));
        TcpListener::bind((Ipv4Addr::LOCALHOST, port)).expect("nobody else");
    }

    #[test]
    fn a_range_that_is_empty_is_refused_also_late() {
        let error = Port::default().choose(5, 4).expect_err("empty");
        assert_eq!(error.code(), "local.range");
    }
}
