use crate::{
    error::{Diagnostic, SourceId},
    template::{hcl, json, load::FileKind, syntax::Body},
};

use super::call::is_local;

/// Reads a text with the front end for its kind of file.
pub(super) fn parse(kind: FileKind, source: SourceId, text: &str) -> (Body, Vec<Diagnostic>) {
    match kind {
        FileKind::Json => json::parse_body(source, text),
        _ => hcl::parse(source, text),
    }
}

/// Returns the sources of the modules that the file at `path` calls by a local path.
pub(in crate::template) fn local_sources(path: &str, text: &str) -> Vec<String> {
    let kind = FileKind::of(path);
    if !matches!(kind, FileKind::Native | FileKind::Json) || !text.contains("module") {
        return Vec::new();
    }
    let (body, _) = parse(kind, SourceId::default(), text);
    let sources = body.blocks_of("module").filter_map(|block| block.body.attribute("source")?.expr.as_string());
    sources.filter(|source| is_local(source)).map(str::to_owned).collect()
}
