use crate::{
    error::{Diagnostic, SourceId},
    template::{
        Notation,
        load::{CalledModule, FileKind},
        syntax::Body,
    },
};

/// Reads a text with the front end for the name of its file.
pub(super) fn parse(path: &str, source: SourceId, text: &str) -> (Body, Vec<Diagnostic>) {
    Notation::of(path).parse(source, text)
}

/// Returns the modules that the file at `path` calls.
pub(in crate::template) fn called_modules(path: &str, text: &str) -> Vec<CalledModule> {
    if !FileKind::of(path).is_part() || !text.contains("module") {
        return Vec::new();
    }
    let (body, _) = parse(path, SourceId::default(), text);
    let called = body.blocks_of("module").filter_map(|block| {
        let text = |name: &str| block.body.attribute(name)?.expr.as_string().map(str::to_owned);
        Some(CalledModule {
            name: block.labels.first().map(|label| std::sync::Arc::clone(&label.text)).unwrap_or_default(),
            source: text("source")?,
            version: text("version"),
        })
    });
    called.collect()
}
