//! What packages let people see of an installation.

use serde_json::{Value as Json, json};
use stackwright::{
    catalog::{Content, Shown},
    value::{Value, to_json_value},
};

/// Shows a view to people.
pub(super) fn say(view: &Shown) {
    match &view.content {
        Content::Text(text) if text.trim_end().contains('\n') => {
            say!("{}:", view.title);
            text.trim_end().lines().for_each(|line| say!("  {line}"));
        }
        Content::Text(text) => say!("{}: {}", view.title, text.trim_end()),
        Content::Link(address) => say!("{}: {address}", view.title),
        Content::Nothing { reason } => say!("{}: - ({reason})", view.title),
        Content::Table { columns, rows, more } => {
            say!("{}:", view.title);
            let mut lines: Vec<Vec<String>> = vec![columns.iter().map(|name| name.to_string()).collect()];
            lines.extend(rows.iter().map(|row| row.iter().map(cell).collect()));
            let widths: Vec<usize> = (0..columns.len())
                .map(|at| {
                    lines.iter().filter_map(|line| line.get(at)).map(|cell| cell.chars().count()).max().unwrap_or(0)
                })
                .collect();
            for line in &lines {
                let cells = line.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
                say!("  {}", cells.collect::<Vec<_>>().join("  ").trim_end());
            }
            if *more > 0 {
                say!("  and {more} more");
            }
        }
    }
}

fn cell(value: &Value) -> String {
    match (value.marks_deep().is_empty(), to_json_value(value)) {
        (true, Ok(Json::Null)) => "-".to_owned(),
        // One cell is one line, whatever is in it.
        (true, Ok(Json::String(text))) => text.escape_debug().to_string(),
        (true, Ok(json)) => json.to_string(),
        _ => "(sensitive value)".to_owned(),
    }
}

/// Returns a view for programs; what is secret is null.
pub(super) fn document(view: &Shown) -> Json {
    let plain = |value: &Value| match value.marks_deep().is_empty() {
        true => to_json_value(value).unwrap_or(Json::Null),
        false => Json::Null,
    };
    let content = match &view.content {
        Content::Text(text) => json!({ "text": text }),
        Content::Link(address) => json!({ "link": address }),
        Content::Nothing { reason } => json!({ "nothing": reason }),
        Content::Table { columns, rows, more } => {
            let rows: Vec<Json> = rows.iter().map(|row| row.iter().map(plain).collect()).collect();
            json!({ "columns": columns, "rows": rows, "more": more })
        }
    };
    let mut shown = json!({ "name": view.name, "title": view.title });
    if let (Some(parts), Json::Object(content)) = (shown.as_object_mut(), content) {
        parts.extend(content);
    }
    shown
}
