use std::sync::Arc;

use crate::{
    error::Diagnostic,
    schema::Schema,
    template::ResourceBlock,
    value::{Marks, Path, Step, Value},
};

/// Takes the configuration of a block as it may be kept: without ephemeral marks, which only write-only attributes may
/// have. Each other one is a problem.
pub(super) fn admitted(config: &Value, schema: &Schema, block: &ResourceBlock) -> Result<Value, Vec<Diagnostic>> {
    if !config.marks_deep().contains(Marks::EPHEMERAL) {
        return Ok(config.clone());
    }
    let kept = schema.strip_write_only(config);
    let (_, marks) = kept.unmark_deep_with_paths();
    let mut problems: Vec<Diagnostic> = Vec::new();
    for (path, _) in marks.iter().filter(|(_, marks)| marks.contains(Marks::EPHEMERAL)) {
        let problem = refuse(path, block);
        if !problems.contains(&problem) {
            problems.push(problem);
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let (plain, marks) = config.unmark_deep_with_paths();
    let marks: Vec<(Path, Marks)> =
        marks.into_iter().map(|(path, marks)| (path, marks.without(Marks::EPHEMERAL))).collect();
    Ok(plain.mark_with_paths(&marks))
}

fn refuse(path: &Path, block: &ResourceBlock) -> Diagnostic {
    let name: Arc<str> = match path.steps().first() {
        Some(Step::Attr(name)) => Arc::clone(name),
        _ => Arc::from(""),
    };
    let span = block.body.attribute(&name).map_or(block.span, |attribute| attribute.expr.span);
    Diagnostic::error("plan.ephemeral", format!("`{name}` cannot take an ephemeral value: what it is set to is stored"))
        .label(span, "ephemeral")
        .help("only write-only attributes and the configurations of providers take what must not be stored")
}
