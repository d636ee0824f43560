use std::sync::Arc;

use crate::{
    address::Mode,
    error::Diagnostic,
    template::{
        model::{Check, ResourceBlock},
        syntax::Block,
    },
};

use super::{
    Problems, Reader,
    body::{labels, text},
    resource::resource,
    variable::condition,
};

/// Reads a `check` block, and the data source in it.
pub(super) fn check(block: Block, problems: &mut Problems) -> Option<(Check, Option<ResourceBlock>)> {
    let [label] = labels(&block, ["name"], problems)?;
    let name = text(&label);
    let mut reader = Reader::new("a `check` block", block, problems);
    let span = reader.header();
    let data = reader.block("data").and_then(|block| scoped(block, &name, reader.problems));
    let blocks = reader.blocks("assert");
    if blocks.is_empty() && !reader.problems.is_damaged(span) {
        reader.problems.push(
            Diagnostic::error("template.missing", "a `check` block needs at least one `assert` block")
                .at(span)
                .help("write `assert { condition = …  error_message = … }`, or take the block away"),
        );
    }
    let asserts = blocks.into_iter().filter_map(|block| condition(block, reader.problems)).collect();
    reader.finish();
    Some((Check { name, data: data.as_ref().map(|data| data.key.clone()), asserts, span }, data))
}

/// Reads the data source of a `check` block, which is one and has no life of its own.
fn scoped(mut block: Block, check: &Arc<str>, problems: &mut Problems) -> Option<ResourceBlock> {
    for name in ["count", "for_each"] {
        if let Some(at) = block.body.attributes.iter().position(|attribute| attribute.name.as_str() == name) {
            let attribute = block.body.attributes.remove(at);
            problems.push(
                Diagnostic::error(
                    "template.argument",
                    format!("a data source inside of a `check` block has no `{name}`"),
                )
                .at(attribute.name.span)
                .help("put it outside of the block, and refer to it"),
            );
        }
    }
    if let Some(at) = block.body.blocks.iter().position(|block| block.kind.as_str() == "lifecycle") {
        let lifecycle = block.body.blocks.remove(at);
        problems.push(
            Diagnostic::error("template.block", "a data source inside of a `check` block has no `lifecycle`")
                .at(lifecycle.header_span())
                .help("say what must hold in an `assert` block"),
        );
    }
    let data = resource(block, Mode::Data, problems)?;
    Some(ResourceBlock { check: Some(Arc::clone(check)), ..data })
}
