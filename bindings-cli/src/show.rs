//! State and outputs as text.

use std::collections::BTreeMap;

use stackwright::{
    state::{Row, RowStatus, codec::Output},
    value::{Marks, repl},
};

/// Returns outputs as text, one a line (or more); sensitive ones are not shown.
pub(crate) fn outputs(outputs: &BTreeMap<String, Output>) -> String {
    let lines = outputs.iter().map(|(name, output)| match output.sensitive {
        true => format!("{name} = <sensitive>"),
        false => format!("{name} = {}", repl(&output.value)),
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Returns a row as a block of the template language; sensitive values are not shown.
pub(crate) fn row(row: &Row) -> String {
    let note = match row.status {
        RowStatus::Current => "",
        RowStatus::Deposed => " (deposed)",
        RowStatus::Tainted => " (tainted)",
        RowStatus::Uncertain => " (uncertain)",
        _ => " (?)",
    };
    let resource = &row.address.resource;
    let mut text = format!("# {}{note}:\nresource \"{}\" \"{}\" {{\n", row.address, resource.type_name, resource.name);
    let width = row.attributes.entries().map(|(name, _)| name.len()).max().unwrap_or(0);
    for (name, value) in row.attributes.entries().filter(|(_, value)| !value.is_null()) {
        let shown = match value.marks_deep().contains(Marks::SENSITIVE) {
            true => "(sensitive value)".to_owned(),
            false => repl(value).replace('\n', "\n    "),
        };
        text.push_str(&format!("    {name:width$} = {shown}\n"));
    }
    text.push_str("}\n");
    text
}
