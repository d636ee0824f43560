use std::{collections::HashMap, sync::Arc};

use saphyr_parser::{Event, Parser, ScalarStyle, Span as Marks, StrInput, Tag};

use super::{place, scalar};
use crate::{
    error::{Diagnostic, SourceId, Span},
    template::{
        json::{Kind, Node, Text, body_of},
        syntax::Body,
    },
};

/// How deep sequences and mappings may lie in each other.
const MAX_DEPTH: u32 = 200;
/// The most values, what aliases repeat counted each time.
const MAX_NODES: usize = 1_000_000;

/// Reads a part of a module: one mapping, whose keys are the kinds of blocks.
pub(in crate::template) fn parse_body(source: SourceId, text: &str) -> (Body, Vec<Diagnostic>) {
    match read(source, text) {
        Err(problem) => {
            let span = Span::new(source, 0, u32::try_from(text.len()).unwrap_or(u32::MAX));
            (Body { span, is_json: true, ..Body::default() }, vec![*problem])
        }
        Ok(node) => body_of(source, text, node),
    }
}

/// Reads a YAML text of one document. Reading stops at the first mistake, as what follows it could mean anything.
pub(in crate::template) fn read(source: SourceId, text: &str) -> Result<Node, Box<Diagnostic>> {
    if u32::try_from(text.len()).is_err() {
        let message = format!("the text has {} bytes; {} are allowed", text.len(), u32::MAX);
        return Err(Diagnostic::error("syntax.size", message).at(Span::new(source, 0, 0)).into());
    }
    // Control characters mean an end to some YAML parsers and nothing to others.
    if let Some(at) =
        text.bytes().position(|byte| byte < 0x20 && !matches!(byte, b'\t' | b'\n' | b'\r') || byte == 0x7f)
    {
        let span = Span::new(source, at as u32, at as u32 + 1);
        return Err(Diagnostic::error("syntax.yaml", "a control character, which YAML does not allow")
            .at(span)
            .help("write it as an escape in double quotes, such as `\"\\x07\"`")
            .into());
    }
    let mut reader = Reader {
        source,
        text,
        offsets: place::Offsets::new(text),
        parser: Parser::new_from_str(text),
        anchors: HashMap::new(),
        open: Vec::new(),
        count: 0,
    };
    reader.document()
}

struct Reader<'t> {
    source: SourceId,
    text: &'t str,
    offsets: place::Offsets,
    parser: Parser<'t, StrInput<'t>>,
    /// Values that have an anchor, and how many nodes each has.
    anchors: HashMap<usize, (Node, usize)>,
    /// Anchors whose values are being read.
    open: Vec<usize>,
    count: usize,
}

type Read<T> = Result<T, Box<Diagnostic>>;

impl<'t> Reader<'t> {
    fn document(&mut self) -> Read<Node> {
        loop {
            match self.next()? {
                (Event::StreamStart | Event::Nothing, _) => {}
                (Event::DocumentStart(_), _) => break,
                // A file of nothing but comments says nothing.
                (_, span) => return Ok(Node { kind: Kind::Object(Vec::new()), span }),
            }
        }
        let (first, span) = self.next()?;
        let node = self.node(first, span, 0)?;
        loop {
            match self.next()? {
                (Event::DocumentEnd | Event::Nothing, _) => {}
                (Event::StreamEnd, _) => break,
                (_, span) => {
                    return Err(Diagnostic::error("syntax.yaml", "a second document in one file")
                        .at(span)
                        .help("put each document into a file of its own")
                        .into());
                }
            }
        }
        Ok(match node.kind {
            Kind::Null => Node { kind: Kind::Object(Vec::new()), ..node },
            _ => node,
        })
    }

    fn next(&mut self) -> Read<(Event<'t>, Span)> {
        match self.parser.next_event() {
            Some(Ok((event, marks))) => Ok((event, self.span(&marks))),
            Some(Err(error)) => {
                let at = self.offsets.byte(error.marker().index());
                let span = Span::new(self.source, at, at);
                Err(Diagnostic::error("syntax.yaml", format!("this is not YAML: {}", error.info())).at(span).into())
            }
            None => Ok((Event::StreamEnd, Span::new(self.source, self.text.len() as u32, self.text.len() as u32))),
        }
    }

    fn span(&self, marks: &Marks) -> Span {
        let start = self.offsets.byte(marks.start.index());
        Span::new(self.source, start, self.offsets.byte(marks.end.index()).max(start))
    }

    fn spend(&mut self, nodes: usize, span: Span) -> Read<()> {
        self.count = self.count.saturating_add(nodes);
        if self.count <= MAX_NODES {
            return Ok(());
        }
        let message = format!("the text has more than {MAX_NODES} values, counting what aliases repeat");
        Err(Diagnostic::error("syntax.size", message).at(span).into())
    }

    fn node(&mut self, event: Event<'t>, span: Span, depth: u32) -> Read<Node> {
        if depth > MAX_DEPTH {
            let message = format!("more than {MAX_DEPTH} sequences and mappings inside one another");
            return Err(Diagnostic::error("syntax.nesting", message).at(span).into());
        }
        let before = self.count;
        self.spend(1, span)?;
        let (anchor, node) = match event {
            Event::Scalar(text, style, anchor, tag) => (anchor, self.scalar(&text, style, tag.as_deref(), span)?),
            Event::SequenceStart(anchor, tag) => {
                self.collection_tag(tag.as_deref(), "seq", span)?;
                self.open.push(anchor);
                let node = self.sequence(span, depth)?;
                self.open.pop();
                (anchor, node)
            }
            Event::MappingStart(anchor, tag) => {
                self.collection_tag(tag.as_deref(), "map", span)?;
                self.open.push(anchor);
                let node = self.mapping(span, depth)?;
                self.open.pop();
                (anchor, node)
            }
            Event::Alias(anchor) => return self.alias(anchor, span),
            _ => return Err(Diagnostic::error("syntax.yaml", "the text ends too early").at(span).into()),
        };
        if anchor > 0 {
            self.anchors.insert(anchor, (node.clone(), self.count - before));
        }
        Ok(node)
    }

    fn alias(&mut self, anchor: usize, span: Span) -> Read<Node> {
        if self.open.contains(&anchor) {
            return Err(Diagnostic::error("syntax.yaml", "an alias stands inside of what it repeats").at(span).into());
        }
        let Some((node, size)) = self.anchors.get(&anchor) else {
            return Err(Diagnostic::error("syntax.yaml", "an alias repeats what is not there").at(span).into());
        };
        let (node, size) = (node.clone(), *size);
        self.spend(size, span)?;
        Ok(node)
    }

    fn sequence(&mut self, start: Span, depth: u32) -> Read<Node> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, end) => {
                    let span = self.around(start, end, items.last().map(|item: &Node| item.span));
                    return Ok(Node { kind: Kind::Array(items), span });
                }
                (event, span) => items.push(self.node(event, span, depth + 1)?),
            }
        }
    }

    fn mapping(&mut self, start: Span, depth: u32) -> Read<Node> {
        let mut entries: Vec<(Text, Node)> = Vec::new();
        let mut merged: Vec<(Text, Node)> = Vec::new();
        loop {
            let (name, is_merge) = match self.next()? {
                (Event::MappingEnd, end) => {
                    // What is written here counts, then what was merged first.
                    for (name, value) in merged {
                        if !entries.iter().any(|(known, _)| known.decoded == name.decoded) {
                            entries.push((name, value));
                        }
                    }
                    let span = self.around(start, end, entries.last().map(|(_, value)| value.span));
                    return Ok(Node { kind: Kind::Object(entries), span });
                }
                (event, span) => self.key(event, span)?,
            };
            let (event, span) = self.next()?;
            let value = self.node(event, span, depth + 1)?;
            if !is_merge {
                entries.push((name, value));
                continue;
            }
            let sources = match value.kind {
                Kind::Array(items) => items,
                kind => vec![Node { kind, span: value.span }],
            };
            for source in sources {
                let Kind::Object(parts) = source.kind else {
                    let message = format!("`<<` takes a mapping, or a list of mappings, not {}", source.kind_name());
                    return Err(Diagnostic::error("syntax.yaml", message).at(source.span).into());
                };
                merged.extend(parts);
            }
        }
    }

    /// Reads a key; returns whether it is the merge key.
    fn key(&mut self, event: Event<'t>, span: Span) -> Read<(Text, bool)> {
        self.spend(1, span)?;
        let refuse = |what: &str| {
            let problem = Diagnostic::error("syntax.yaml", format!("{what} cannot be a key")).at(span);
            Err(problem.help("a key is a text").into())
        };
        let (text, is_merge) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                let is_plain = style == ScalarStyle::Plain && tag.is_none();
                if is_plain && matches!(scalar::plain(&text), Ok(Some(Kind::Null))) {
                    return refuse("null");
                }
                if tag.is_some_and(|tag| !tag.is_yaml_core_schema()) {
                    return refuse("a value with a tag");
                }
                let key = self.text(&text, style, span);
                if anchor > 0 {
                    self.anchors.insert(anchor, (Node { kind: Kind::String(key.clone()), span }, 1));
                }
                (key, is_plain && text == "<<")
            }
            Event::Alias(anchor) => match self.alias(anchor, span)?.kind {
                Kind::String(text) => (text, false),
                _ => return refuse("what is no text"),
            },
            Event::SequenceStart(..) => return refuse("a sequence"),
            Event::MappingStart(..) => return refuse("a mapping"),
            _ => return Err(Diagnostic::error("syntax.yaml", "the text ends too early").at(span).into()),
        };
        Ok((text, is_merge))
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, tag: Option<&Tag>, span: Span) -> Read<Node> {
        let string = |this: &Self| Kind::String(this.text(text, style, span));
        let plain = |this: &Self| match scalar::plain(text) {
            Ok(kind) => Ok(kind.unwrap_or_else(|| string(this))),
            Err((message, help)) => {
                let problem: Box<Diagnostic> = Diagnostic::error("syntax.yaml", message).at(span).help(help).into();
                Err(problem)
            }
        };
        let kind = match tag {
            None if style == ScalarStyle::Plain => plain(self)?,
            None => string(self),
            Some(tag) if tag.handle == "!" && tag.suffix == "expr" => Kind::Code(self.text(text, style, span)),
            Some(tag) if tag.handle.is_empty() && tag.suffix == "!" => string(self),
            Some(tag) if tag.is_yaml_core_schema() => {
                let kind = if tag.suffix == "str" { string(self) } else { plain(self)? };
                let fits = match (&*tag.suffix, &kind) {
                    ("str", _) | ("float", Kind::Number(_)) | ("bool", Kind::Bool(_)) | ("null", Kind::Null) => true,
                    ("int", Kind::Number(number)) => !number.contains(['.', 'e', 'E']),
                    _ => false,
                };
                if !fits {
                    let message = format!("this does not fit its tag `!!{}`", tag.suffix);
                    return Err(Diagnostic::error("syntax.yaml", message).at(span).into());
                }
                kind
            }
            Some(tag) => {
                let problem = Diagnostic::error("syntax.yaml", format!("there is no tag `{tag}`")).at(span);
                return Err(problem.help("the tag for an expression is `!expr`").into());
            }
        };
        Ok(Node { kind, span })
    }

    fn collection_tag(&self, tag: Option<&Tag>, expected: &str, span: Span) -> Read<()> {
        match tag {
            None => Ok(()),
            Some(tag) if tag.is_yaml_core_schema() && tag.suffix == expected => Ok(()),
            Some(tag) => {
                let problem =
                    Diagnostic::error("syntax.yaml", format!("the tag `{tag}` does not fit what it stands at"));
                Err(problem.at(span).into())
            }
        }
    }

    fn text(&self, decoded: &str, style: ScalarStyle, span: Span) -> Text {
        let written = self.text.get(span.start as usize..span.end as usize).unwrap_or_default();
        Text { decoded: Arc::from(decoded), span, runs: place::runs(written, span.start, decoded, style) }
    }

    /// Returns the span of a collection: to its bracket, or to the end of its last value.
    fn around(&self, start: Span, end: Span, last: Option<Span>) -> Span {
        let is_flow = self.text.get(start.start as usize..).is_some_and(|rest| rest.starts_with(['[', '{']));
        match last {
            Some(last) if !is_flow && last.end >= start.start => Span::new(self.source, start.start, last.end),
            _ => Span::new(self.source, start.start, end.end.max(start.start)),
        }
    }
}
