use crate::{
    address::Address,
    error::{Error, ErrorKind, Result},
    schema::Schema,
    value::{Marks, Value},
};

/// Returns what an ephemeral resource holds, marked: what its configuration marks, what the schema calls sensitive, and
/// the whole as ephemeral.
///
/// # Errors
/// `resource.inconsistent` for what does not follow the schema, or is not known.
pub(in crate::plan) fn held(
    schema: &Schema,
    config: &Value,
    found: &Value,
    address: &Address,
    type_name: &str,
) -> Result<Value> {
    let refuse = |what: &str| {
        let message = format!("the ephemeral resource type `{type_name}` broke its contract in open: {what}");
        Error::new(ErrorKind::Bug, "resource.inconsistent", message).context("address", address)
    };
    let shaped =
        schema.conform(&found.unmark_deep().0).map_err(|_| refuse("what it holds does not follow its schema"))?;
    if !shaped.is_wholly_known() {
        return Err(refuse("it holds something that is not known"));
    }
    let marks = config.unmark_deep_with_paths().1;
    Ok(schema.mark_sensitive(&shaped.mark_with_paths(&marks)).with_marks(Marks::EPHEMERAL))
}

/// Returns what is known of an ephemeral resource that cannot be opened yet: what its configuration says.
pub(in crate::plan) fn held_later(schema: &Schema, config: &Value) -> Value {
    let (plain, marks) = config.unmark_deep_with_paths();
    let open = schema.set_unknowns_for_computed(&plain).mark_with_paths(&marks);
    schema.mark_sensitive(&open).with_marks(Marks::EPHEMERAL)
}
