use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::Form;
use crate::value::Value;

/// What the variables of an installation say about a form.
#[derive(Clone, Debug, Default)]
pub struct Unbound {
    /// Values by name of the field: for [`Inputs::values`](super::Inputs::values), or for
    /// [`Context::existing`](super::Context::existing).
    pub values: BTreeMap<Arc<str>, Value>,
    /// Values of variables that no field sets, by name of the variable.
    pub rest: BTreeMap<Arc<str>, Value>,
}

/// Takes the values of variables apart into what would have been filled in: the way back from an existing installation.
///
/// Objects may have fewer attributes than the widget gives; where the options are known, they are made whole again.
///
/// # Complexity
/// O((fields + variables) · log variables).
pub fn unbind(form: &Form, variables: &Value) -> Unbound {
    let mut unbound = Unbound::default();
    let mut used: BTreeSet<&Arc<str>> = BTreeSet::new();
    for field in &form.fields.list {
        let Some(name) = &field.variable else { continue };
        used.insert(name);
        if let Some(value) = variables.attribute(name) {
            unbound.values.insert(Arc::clone(&field.name), value.clone());
        }
    }
    let rest = variables.entries().filter(|(name, _)| !used.contains(name));
    unbound.rest = rest.map(|(name, value)| (Arc::clone(name), value.clone())).collect();
    unbound
}
