use std::{collections::BTreeMap, sync::Arc};

use crate::{
    error::Diagnostic,
    template::{
        load::{is_local, module_folder},
        model::{ModuleCall, VersionConstraint},
        syntax::Block,
    },
};

use super::{
    Problems, Reader,
    body::{labels, text},
    constant, dependency, provider,
    resource::repetition,
    settings,
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
    let version = reader.attribute("version");
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
    if let Some(version) = version.as_ref().filter(|_| is_local(&source)) {
        problems.push(
            Diagnostic::error("template.version", "a module beside its caller has no version")
                .at(version.name.span)
                .help("remove `version`; it is for modules that come from a registry"),
        );
    }
    let version = settings::version(version, problems);
    let Some(dir) = module_folder(dir, &source, version.as_ref().map(VersionConstraint::as_str)) else {
        problems.push(
            Diagnostic::error("template.source", format!("`{source}` leads out of the package"))
                .at(source_span)
                .help("a module that was fetched calls modules of its own package, or others by their own source"),
        );
        return None;
    };
    let dir = dir.into();
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
