use std::sync::Arc;

use crate::{
    address::is_identifier,
    error::{Diagnostic, Span, suggest},
    template::syntax::{Attribute, Block, Body, Label},
};

/// The problems found so far, and where the text itself is broken.
#[derive(Debug, Default)]
pub(in crate::template) struct Problems {
    pub(in crate::template) list: Vec<Diagnostic>,
    /// Places of syntax errors: what is missing around them is probably not missing.
    pub(in crate::template) damage: Vec<Span>,
}

impl Problems {
    pub(in crate::template) fn push(&mut self, problem: Diagnostic) {
        self.list.push(problem);
    }

    /// Reports what a later version will understand.
    pub(in crate::template) fn unsupported(&mut self, what: &str, span: Span) {
        self.push(Diagnostic::error("template.unsupported", format!("{what} is not supported yet")).at(span));
    }

    /// Returns whether something inside `span` could not be read.
    pub(in crate::template) fn is_damaged(&self, span: Span) -> bool {
        is_damaged(&self.damage, span)
    }
}

/// Returns whether one of the damaged places touches `span`.
pub(in crate::template) fn is_damaged(damage: &[Span], span: Span) -> bool {
    damage.iter().any(|place| place.source == span.source && place.start <= span.end && place.end >= span.start)
}

/// Takes a body apart, one known name after the other; what is left over in the end is reported.
pub(super) struct Reader<'p> {
    /// What is read, such as `` a `variable` block ``.
    what: &'static str,
    /// What messages about something missing point at.
    header: Span,
    /// Everything from the kind to the closing brace.
    extent: Span,
    attributes: Vec<Attribute>,
    blocks: Vec<Block>,
    body_span: Span,
    is_json: bool,
    known_attributes: Vec<&'static str>,
    known_blocks: Vec<&'static str>,
    pub(super) problems: &'p mut Problems,
}

impl<'p> Reader<'p> {
    pub(super) fn new(what: &'static str, block: Block, problems: &'p mut Problems) -> Self {
        let (header, extent) = (block.header_span(), block.span);
        Self {
            what,
            header,
            extent,
            body_span: block.body.span,
            is_json: block.body.is_json,
            attributes: block.body.attributes,
            blocks: block.body.blocks,
            known_attributes: Vec::new(),
            known_blocks: Vec::new(),
            problems,
        }
    }

    pub(super) fn header(&self) -> Span {
        self.header
    }

    /// Takes an argument.
    pub(super) fn attribute(&mut self, name: &'static str) -> Option<Attribute> {
        self.known_attributes.push(name);
        let idx = self.attributes.iter().position(|attribute| attribute.name.as_str() == name)?;
        Some(self.attributes.remove(idx))
    }

    /// Takes an argument that must be there.
    pub(super) fn required(&mut self, name: &'static str) -> Option<Attribute> {
        let found = self.attribute(name);
        if found.is_none() && !self.problems.is_damaged(self.extent) {
            let message = format!("the argument `{name}` is missing in {}", self.what);
            self.problems.push(Diagnostic::error("template.missing", message).at(self.header));
        }
        found
    }

    /// Takes the blocks of one kind.
    pub(super) fn blocks(&mut self, kind: &'static str) -> Vec<Block> {
        self.known_blocks.push(kind);
        if let Some(idx) = self.attributes.iter().position(|attribute| attribute.name.as_str() == kind) {
            let attribute = self.attributes.remove(idx);
            self.problems.push(
                Diagnostic::error("template.block", format!("`{kind}` is a block, not an argument"))
                    .at(attribute.name.span)
                    .help(format!("write `{kind} {{ … }}`, without `=`")),
            );
        }
        let (taken, rest) = std::mem::take(&mut self.blocks).into_iter().partition(|block| block.kind.as_str() == kind);
        self.blocks = rest;
        taken
    }

    /// Takes the block of one kind, of which there may be one.
    pub(super) fn block(&mut self, kind: &'static str) -> Option<Block> {
        let mut blocks = self.blocks(kind).into_iter();
        let first = blocks.next()?;
        for other in blocks {
            self.problems.push(
                Diagnostic::error("template.duplicate", format!("a second `{kind}` block in {}", self.what))
                    .label(other.kind.span, "again here")
                    .label(first.kind.span, "first here"),
            );
        }
        Some(first)
    }

    /// Reports arguments and blocks of these names as not supported yet.
    pub(super) fn not_yet(&mut self, names: &[&'static str]) {
        for &name in names {
            self.known_attributes.push(name);
            self.known_blocks.push(name);
            let (taken, rest): (Vec<_>, Vec<_>) =
                std::mem::take(&mut self.attributes).into_iter().partition(|found| found.name.as_str() == name);
            self.attributes = rest;
            let (taken_blocks, rest): (Vec<_>, Vec<_>) =
                std::mem::take(&mut self.blocks).into_iter().partition(|found| found.kind.as_str() == name);
            self.blocks = rest;
            let spans = taken.iter().map(|found| found.name.span);
            for span in spans.chain(taken_blocks.iter().map(Block::header_span)).collect::<Vec<_>>() {
                self.problems.unsupported(&format!("`{name}` in {}", self.what), span);
            }
        }
    }

    /// Reports arguments and blocks of these names, which mean nothing here and are kept for later.
    pub(super) fn reserved(&mut self, names: &[&'static str]) {
        let what = self.what;
        let is_reserved = |name: &str| names.contains(&name);
        let (taken, rest): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.attributes).into_iter().partition(|found| is_reserved(found.name.as_str()));
        self.attributes = rest;
        let (taken_blocks, rest): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.blocks).into_iter().partition(|found| is_reserved(found.kind.as_str()));
        self.blocks = rest;
        for ident in taken.iter().map(|found| &found.name).chain(taken_blocks.iter().map(|found| &found.kind)) {
            let message = format!("the name `{ident}` is reserved in {what}", ident = ident.as_str());
            self.problems.push(Diagnostic::error("template.name", message).at(ident.span));
        }
    }

    /// Takes the `_` block: arguments and blocks of the schema whose names mean something else outside of it.
    pub(super) fn escaped(&mut self) -> Option<Body> {
        self.block("_").map(|block| block.body)
    }

    /// Takes what is left, for a schema to judge, and what stood in the `_` block with it.
    pub(super) fn rest_with(self, escaped: Option<Body>) -> Body {
        let mut body =
            Body { attributes: self.attributes, blocks: self.blocks, span: self.body_span, is_json: self.is_json };
        if let Some(escaped) = escaped {
            for attribute in escaped.attributes {
                match body.attribute(attribute.name.as_str()) {
                    Some(first) => self.problems.push(
                        Diagnostic::error(
                            "syntax.duplicate_attribute",
                            format!("`{}` is set twice", attribute.name.as_str()),
                        )
                        .label(attribute.name.span, "again here")
                        .label(first.name.span, "first here"),
                    ),
                    None => body.attributes.push(attribute),
                }
            }
            body.blocks.extend(escaped.blocks);
        }
        body
    }

    /// Takes all arguments that are left; blocks that are left are reported.
    pub(super) fn remaining_attributes(&mut self) -> Vec<Attribute> {
        std::mem::take(&mut self.attributes)
    }

    /// Reports what is left.
    pub(super) fn finish(self) {
        let Self { what, attributes, blocks, known_attributes, known_blocks, problems, .. } = self;
        for attribute in attributes {
            let name = attribute.name.as_str();
            problems.push(if known_blocks.contains(&name) {
                Diagnostic::error("template.block", format!("`{name}` is a block, not an argument"))
                    .at(attribute.name.span)
                    .help(format!("write `{name} {{ … }}`, without `=`"))
            } else {
                let known = known_attributes.iter().chain(&known_blocks).copied();
                unknown("template.argument", "argument", name, attribute.name.span, what, known)
            });
        }
        for block in blocks {
            let kind = block.kind.as_str();
            problems.push(if known_attributes.contains(&kind) {
                Diagnostic::error("template.argument", format!("`{kind}` is an argument, not a block"))
                    .at(block.header_span())
                    .help(format!("write `{kind} = …`"))
            } else {
                let known = known_blocks.iter().chain(&known_attributes).copied();
                unknown("template.block", "block", kind, block.header_span(), what, known)
            });
        }
    }
}

/// Returns the problem that a name is not known in some place, with the one that was probably meant.
pub(in crate::template) fn unknown<'a>(
    code: &'static str,
    sort: &str,
    name: &str,
    span: Span,
    place: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Diagnostic {
    let problem = Diagnostic::error(code, format!("there is no {sort} `{name}` in {place}")).at(span);
    match suggest(name, known) {
        Some(near) => problem.help(format!("did you mean `{near}`?")),
        None => problem,
    }
}

/// Returns the labels of a block, if it has as many as it should.
pub(super) fn labels<const N: usize>(
    block: &Block,
    names: [&'static str; N],
    problems: &mut Problems,
) -> Option<[Label; N]> {
    let kind = block.kind.as_str();
    if let Ok(labels) = <[Label; N]>::try_from(block.labels.clone()) {
        let mut valid = true;
        for (label, name) in labels.iter().zip(names) {
            if !is_identifier(&label.text) {
                valid = false;
                problems.push(
                    Diagnostic::error("template.name", format!("`{}` is not a valid {name}", label.text))
                        .at(label.span)
                        .help("a name starts with a letter or `_`, and goes on with letters, digits, `_` and `-`"),
                );
            }
        }
        return valid.then_some(labels);
    }
    if !problems.is_damaged(block.header_span()) {
        let form = names.map(|name| format!(" \"{name}\"")).concat();
        let message = match N {
            0 => format!("a `{kind}` block has no label"),
            1 => format!("a `{kind}` block has 1 label, not {}", block.labels.len()),
            _ => format!("a `{kind}` block has {N} labels, not {}", block.labels.len()),
        };
        problems.push(
            Diagnostic::error("template.label", message)
                .at(block.header_span())
                .help(format!("write `{kind}{form} {{ … }}`")),
        );
    }
    None
}

/// Returns the shared text of a label.
pub(super) fn text(label: &Label) -> Arc<str> {
    Arc::clone(&label.text)
}
