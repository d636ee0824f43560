use super::Calls;
use crate::{
    state::{Row, RowStatus, Uses},
    value::Value,
};

/// Returns what an object of a type uses, as the type says; nothing where nobody knows the type. What the engine counts
/// itself is left out.
pub(crate) fn uses_of(calls: &dyn Calls, type_name: &str, provider: &str, attributes: &Value) -> Uses {
    let Ok(resource) = calls.resource(type_name, provider) else { return Uses::default() };
    let mut uses = Uses::default();
    for (dimension, amount) in resource.consumes(&attributes.unmark_deep().0) {
        let is_own = &*dimension == "stacks" || &*dimension == "resources" || dimension.starts_with("resources.");
        if !is_own {
            // What is beyond counting stays the most that can be counted.
            let _ = uses.add(&dimension, amount);
        }
    }
    uses
}

/// Returns the row with what its object uses, as its type says now; as it was told before where nobody knows the type.
pub(crate) fn counted(calls: &dyn Calls, row: Row) -> Row {
    match calls.resource(&row.type_name, &row.provider) {
        // What is uncertain has fewer attributes than it may have.
        Ok(_) if row.status != RowStatus::Uncertain => {
            Row { uses: uses_of(calls, &row.type_name, &row.provider, &row.attributes), ..row }
        }
        _ => row,
    }
}
