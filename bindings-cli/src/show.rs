//! State and outputs as text.

use std::collections::BTreeMap;

use stackwright::{
    error::{Error, Result},
    state::{Row, RowStatus, codec::Output},
    value::{Marks, repl, to_json_value},
};

/// Returns outputs as text, one a line (or more); sensitive ones are not shown.
pub(crate) fn outputs(outputs: &BTreeMap<String, Output>) -> String {
    let lines = outputs.iter().map(|(name, output)| match output.sensitive {
        true => format!("{name} = <sensitive>"),
        false => format!("{name} = {}", repl(&output.value)),
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Returns outputs as JSON by name; of sensitive ones only that they are.
pub(crate) fn outputs_json(outputs: &BTreeMap<String, Output>) -> Result<serde_json::Value> {
    let mut document = serde_json::Map::new();
    for (name, output) in outputs {
        let entry = match output.sensitive {
            true => serde_json::json!({ "sensitive": true }),
            false => {
                let value = to_json_value(&output.value).map_err(Error::from)?;
                serde_json::json!({ "sensitive": false, "type": output.value.ty(), "value": value })
            }
        };
        document.insert(name.clone(), entry);
    }
    Ok(document.into())
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
        let shown = match (value.marks_deep().contains(Marks::SENSITIVE), value.as_str()) {
            (true, _) => "(sensitive value)".to_owned(),
            (false, Some(text)) if text.contains('\n') => lines(text),
            (false, _) => repl(value).replace('\n', "\n    "),
        };
        text.push_str(&format!("    {name:width$} = {shown}\n"));
    }
    text.push_str("}\n");
    text
}

/// Returns a text of several lines as a heredoc that is set in. One whose last line does not end is wrapped in `chomp`,
/// as a template would have to.
fn lines(text: &str) -> String {
    let inner: String = text.lines().map(|line| format!("        {line}\n")).collect();
    match text.ends_with('\n') {
        true => format!("<<-EOT\n{inner}    EOT"),
        false => format!("chomp(<<-EOT\n{inner}    EOT\n    )"),
    }
}
