use std::{collections::BTreeMap, sync::Arc};

use crate::{
    error::Diagnostic,
    template::{load::join, model::ModuleCall, syntax::Block},
};

use super::{
    Problems, Reader,
    body::{labels, text},
    constant, dependency, provider,
    resource::repetition,
};

/// Reads a `module` block. `dir` is the folder of the module that it stands in.
pub(super) fn call(block: Block, dir: &str, problems: &mut Problems) -> Option<ModuleCall> {
    let [label] = labels(&block, ["name"], problems)?;
    let extent = block.span;
    let mut reader = Reader::new("a `module` block", block, problems);
    let span = reader.header();
    let source = reader.required("source");
    let repetition = repetition(&mut reader);
    let depends_on = dependency::depends_on(reader.attribute("depends_on"), reader.problems);
    let providers = reader.attribute("providers");
    let providers = providers.map(|attribute| provider::passed(&attribute, reader.problems)).unwrap_or_default();
    let escaped = reader.escaped();
    reader.not_yet(&["version"]);
    reader.reserved(&["lifecycle", "locals", "provider"]);
    let mut inputs = BTreeMap::new();
    let mut input_spans = BTreeMap::new();
    let given = reader.remaining_attributes().into_iter();
    for attribute in given.chain(escaped.into_iter().flat_map(|body| body.attributes)) {
        input_spans.insert(Arc::clone(&attribute.name.name), attribute.name.span);
        inputs.insert(attribute.name.name, attribute.expr);
    }
    let source_span = source.as_ref().map_or(span, |source| source.expr.span);
    let source = constant::text(source, reader.problems);
    reader.finish();
    let source = source?;
    if !is_local(&source) {
        problems.push(
            Diagnostic::error("template.unsupported", "a module source other than a local path is not supported yet")
                .at(source_span)
                .help("a local path starts with `./` or `../`"),
        );
        return None;
    }
    let dir = join(dir, &source).into();
    let name = text(&label);
    Some(ModuleCall {
        name,
        source,
        dir,
        repetition,
        depends_on,
        inputs,
        providers,
        input_spans,
        span,
        source_span,
        extent,
    })
}

/// Returns whether a module source is a path beside the calling module.
pub(super) fn is_local(source: &str) -> bool {
    source == "." || source == ".." || source.starts_with("./") || source.starts_with("../")
}
