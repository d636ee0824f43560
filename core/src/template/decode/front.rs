use crate::{
    error::{Diagnostic, SourceId},
    template::{Notation, load::FileKind, syntax::Body},
};

use super::call::is_local;

/// Reads a text with the front end for the name of its file.
pub(super) fn parse(path: &str, source: SourceId, text: &str) -> (Body, Vec<Diagnostic>) {
    Notation::of(path).parse(source, text)
}

/// Returns the sources of the modules that the file at `path` calls by a local path.
pub(in crate::template) fn local_sources(path: &str, text: &str) -> Vec<String> {
    if !FileKind::of(path).is_part() || !text.contains("module") {
        return Vec::new();
    }
    let (body, _) = parse(path, SourceId::default(), text);
    let sources = body.blocks_of("module").filter_map(|block| block.body.attribute("source")?.expr.as_string());
    sources.filter(|source| is_local(source)).map(str::to_owned).collect()
}
