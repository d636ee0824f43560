//! `local_process`.

mod adoption;
mod ending;
mod life;
mod number;
mod readiness;
mod recovery;
mod start;

use std::sync::Arc;

use stackwright::{resource::Object, value::Value};

use crate::support::{Driven, Wire, Yard};

fn process() -> Driven {
    Driven::new("local_process")
}

/// A process that says that it is up and then waits for ever.
fn calm(yard: &Yard, wire: &Wire) -> Value {
    yard.script(&format!("{}; echo up >&3; exec sleep 1000", wire.open()))
}

/// Changes what only the type reads of an object.
fn tamper(object: &Object, change: impl FnOnce(&mut serde_json::Map<String, serde_json::Value>)) -> Object {
    let mut private: serde_json::Value =
        serde_json::from_slice(object.private.as_deref().expect("private bytes")).expect("JSON");
    change(private.as_object_mut().expect("an object"));
    Object { private: Some(Arc::from(private.to_string().into_bytes())), ..object.clone() }
}
