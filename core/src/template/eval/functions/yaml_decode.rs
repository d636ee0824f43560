//! Reads YAML as Terraform does: the core schema with the words of YAML 1.1.

use std::{borrow::Cow, collections::HashMap, sync::Arc};

use saphyr_parser::{Event, Parser, ScalarStyle, Tag};

use super::clock::Timestamp;
use crate::{
    template::eval::{Context, Problem},
    value::{Number, Type, Value, convert},
};

/// Sequences and mappings inside one another.
const DEEPEST: usize = 200;

/// How many single `-` are texts, at most: the parser starts anew for each.
const MOST_DASHES: usize = 32;

/// Returns the value of the only document of a YAML text: sequences become tuples, mappings objects.
pub(super) fn decode(text: &str, context: &Context<'_>) -> Result<Value, Problem> {
    let mut text = Cow::Borrowed(text);
    for _ in 0..MOST_DASHES {
        let mut dash = None;
        let result = read(&text, context, &mut dash);
        // In `[-, a]` it is a text to Terraform's reader, and a mistake to ours.
        let at = dash.and_then(|idx| text.char_indices().nth(idx)).filter(|(_, c)| *c == '-').map(|(at, _)| at);
        let is_whole = |at: &usize| text.get(..*at).is_some_and(|t| t.trim_end().ends_with(['[', '{', ',', ':']));
        let Some(at) = at.filter(is_whole) else { return result };
        text.to_mut().replace_range(at..=at, "\"-\"");
    }
    read(&text, context, &mut None)
}

/// `dash` becomes the place of a `-` where a text should begin, counted in characters, if that is what is wrong.
fn read(text: &str, context: &Context<'_>, dash: &mut Option<usize>) -> Result<Value, Problem> {
    let mut reader = Reader {
        parser: Parser::new_from_str(text),
        ends_openly: !text.ends_with('\n'),
        slashes: if text.contains("\\/") { text } else { "" },
        length: text.chars().count(),
        anchors: HashMap::new(),
        open: Vec::new(),
        context,
        dash,
    };
    loop {
        match reader.next()? {
            Event::StreamStart | Event::Nothing => {}
            Event::DocumentStart(_) => break,
            _ => return Err(Problem::argument(0, "the text holds no document")),
        }
    }
    let first = reader.next()?;
    let node = reader.node(first, 0)?;
    loop {
        match reader.next()? {
            Event::DocumentEnd | Event::Nothing => {}
            Event::StreamEnd => return node.into_value(),
            _ => {
                return Err(Problem::argument(0, "the text holds more than one document")
                    .help("split it at `---` and decode each part"));
            }
        }
    }
}

struct Reader<'t, 'c> {
    /// Whether the text ends without a line end, and its length in characters: a block text that ends there has none
    /// either, but the parser adds one.
    ends_openly: bool,
    length: usize,
    parser: Parser<'t, saphyr_parser::StrInput<'t>>,
    /// The text, if an escaped slash may be in it: YAML 1.1 knows no such escape.
    slashes: &'t str,
    anchors: HashMap<usize, Node>,
    /// Anchors whose nodes are being read.
    open: Vec<usize>,
    context: &'c Context<'c>,
    dash: &'c mut Option<usize>,
}

#[derive(Clone)]
struct Node {
    value: Value,
    /// How many nodes it takes written out: what repeating it costs.
    size: usize,
    /// Whether it is a plain `<<`.
    is_merge: bool,
}

impl Node {
    fn into_value(self) -> Result<Value, Problem> {
        if self.is_merge {
            return Err(Problem::argument(0, "`<<` can only be a key of a mapping"));
        }
        Ok(self.value)
    }
}

impl<'t> Reader<'t, '_> {
    fn next(&mut self) -> Result<Event<'t>, Problem> {
        match self.parser.next_event() {
            Some(Ok((
                Event::Scalar(text, style @ (ScalarStyle::Literal | ScalarStyle::Folded), anchor, tag),
                span,
            ))) if self.ends_openly && span.end.index() >= self.length && text.ends_with('\n') => {
                let text = text.get(..text.len() - 1).unwrap_or("").to_owned();
                Ok(Event::Scalar(Cow::Owned(text), style, anchor, tag))
            }
            Some(Ok((Event::Scalar(_, ScalarStyle::DoubleQuoted, ..), span)))
                if has_escaped_slash(self.slashes, span.start.index(), span.end.index()) =>
            {
                let line = span.start.line();
                Err(Problem::argument(0, format!("it is not YAML: `\\/` in line {line} is no escape")))
            }
            Some(Ok((event, _))) => Ok(event),
            Some(Err(error)) => {
                let place = error.marker();
                if error.info().contains("cannot start with '-'") {
                    *self.dash = Some(place.index());
                }
                Err(Problem::argument(
                    0,
                    format!("it is not YAML: {} at line {}, column {}", error.info(), place.line(), place.col() + 1),
                ))
            }
            None => Ok(Event::StreamEnd),
        }
    }

    fn node(&mut self, event: Event<'t>, depth: usize) -> Result<Node, Problem> {
        if depth > DEEPEST {
            return Err(Problem::budget(format!("the YAML is nested more than {DEEPEST} levels deep")));
        }
        self.context.spend_elements(1)?;
        let (anchor, node) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                let is_merge = style == ScalarStyle::Plain && tag.is_none() && text == "<<";
                (anchor, Node { value: scalar(text, style, tag.as_deref())?, size: 1, is_merge })
            }
            Event::SequenceStart(anchor, tag) => {
                check_tag(tag.as_deref(), "seq", "a sequence")?;
                self.open.push(anchor);
                let node = self.sequence(depth)?;
                self.open.pop();
                (anchor, node)
            }
            Event::MappingStart(anchor, tag) => {
                check_tag(tag.as_deref(), "map", "a mapping")?;
                self.open.push(anchor);
                let node = self.mapping(depth)?;
                self.open.pop();
                (anchor, node)
            }
            Event::Alias(anchor) => {
                if self.open.contains(&anchor) {
                    return Err(Problem::argument(0, "an alias refers to the very node that it is part of"));
                }
                let Some(node) = self.anchors.get(&anchor) else {
                    return Err(Problem::argument(0, "an alias refers to an anchor that is not there"));
                };
                // What aliases repeat counts as if it were written out: that bounds whoever walks it later.
                self.context.spend_elements(node.size)?;
                return Ok(node.clone());
            }
            _ => return Err(Problem::argument(0, "the text ends too early")),
        };
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn sequence(&mut self, depth: usize) -> Result<Node, Problem> {
        let mut values = Vec::new();
        let mut size = 1;
        loop {
            match self.next()? {
                Event::SequenceEnd => return Ok(Node { value: Value::tuple(values), size, is_merge: false }),
                event => {
                    let node = self.node(event, depth + 1)?;
                    size += node.size;
                    values.push(node.into_value()?);
                }
            }
        }
    }

    fn mapping(&mut self, depth: usize) -> Result<Node, Problem> {
        let mut entries: Vec<(Arc<str>, Value)> = Vec::new();
        let mut size = 1;
        loop {
            let key = match self.next()? {
                Event::MappingEnd => return Ok(Node { value: Value::object(entries), size, is_merge: false }),
                event => self.node(event, depth + 1)?,
            };
            let event = self.next()?;
            let node = self.node(event, depth + 1)?;
            size += node.size + 1;
            if key.is_merge {
                let ty = node.value.ty();
                if ty.as_object().is_none() {
                    let message = format!("`<<` merges mappings, not {}", ty.friendly_name());
                    return Err(Problem::argument(0, message));
                }
                entries.extend(node.value.entries().map(|(name, value)| (Arc::clone(name), value.clone())));
                continue;
            }
            if key.value.is_null() {
                return Err(Problem::argument(0, "a key of a mapping is null"));
            }
            let name = convert(&key.value, &Type::String).ok();
            let Some(name) = name.as_ref().and_then(Value::as_str) else {
                return Err(Problem::argument(0, "a key of a mapping is not a text"));
            };
            entries.push((Arc::from(name), node.into_value()?));
        }
    }
}

fn check_tag(tag: Option<&Tag>, expected: &str, what: &str) -> Result<(), Problem> {
    match tag {
        None => Ok(()),
        Some(tag) if tag.is_yaml_core_schema() && tag.suffix == expected => Ok(()),
        Some(tag) => Err(Problem::argument(0, format!("{what} cannot have the tag `{tag}`"))),
    }
}

/// Whether a slash is escaped between those characters of the text.
fn has_escaped_slash(text: &str, from: usize, to: usize) -> bool {
    let mut chars = text.chars().take(to).skip(from);
    while let Some(c) = chars.next() {
        if c == '\\' && chars.next() == Some('/') {
            return true;
        }
    }
    false
}

fn scalar(text: Cow<'_, str>, style: ScalarStyle, tag: Option<&Tag>) -> Result<Value, Problem> {
    let plain = style == ScalarStyle::Plain;
    let Some(tag) = tag else {
        return if plain { resolve(&text) } else { Ok(Value::string(text.into_owned())) };
    };
    let unsupported = || Problem::argument(0, format!("the tag `{tag}` is not supported"));
    if !tag.is_yaml_core_schema() {
        return Err(unsupported());
    }
    let wrong = || Problem::argument(0, format!("`{text}` does not fit its tag `{tag}`"));
    match &*tag.suffix {
        "str" | "binary" => Ok(Value::string(text.into_owned())),
        "int" | "float" | "bool" | "null" | "timestamp" if !plain => Ok(Value::string(text.into_owned())),
        "int" | "float" => resolve(&text).ok().filter(|value| value.as_number().is_some()).ok_or_else(wrong),
        "bool" => resolve(&text).ok().filter(|value| value.as_bool().is_some()).ok_or_else(wrong),
        "null" => resolve(&text).ok().filter(Value::is_null).ok_or_else(wrong),
        "timestamp" => timestamp(&text).map(Value::string).ok_or_else(wrong),
        _ => Err(unsupported()),
    }
}

/// What a plain scalar means.
fn resolve(text: &str) -> Result<Value, Problem> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Ok(Value::null(Type::Any)),
        "y" | "Y" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" | "true" | "True" | "TRUE" => {
            return Ok(Value::bool(true));
        }
        "n" | "N" | "no" | "No" | "NO" | "off" | "Off" | "OFF" | "false" | "False" | "FALSE" => {
            return Ok(Value::bool(false));
        }
        ".nan" | ".NaN" | ".NAN" => {
            return Err(Problem::argument(0, "`.nan` stands for no number"));
        }
        _ => {}
    }
    let (negative, magnitude) = match text.split_at_checked(1) {
        Some(("-", rest)) => (true, rest),
        Some(("+", rest)) => (false, rest),
        _ => (false, text),
    };
    if matches!(magnitude, ".inf" | ".Inf" | ".INF") {
        return Ok(Value::number(if negative { Number::NEGATIVE_INFINITY } else { Number::INFINITY }));
    }
    if let Some(number) = number(text, magnitude) {
        return Ok(Value::number(number));
    }
    Ok(match timestamp(text) {
        Some(timestamp) => Value::string(timestamp),
        None => Value::string(text),
    })
}

fn number(text: &str, magnitude: &str) -> Option<Number> {
    for (prefix, radix) in [("0x", 16), ("0o", 8)] {
        if let Some(digits) = text.strip_prefix(prefix) {
            let valid = !digits.is_empty() && digits.len() < 10_000 && digits.chars().all(|c| c.is_digit(radix));
            return valid
                .then(|| num_bigint::BigInt::parse_bytes(digits.as_bytes(), radix))
                .flatten()
                .map(Number::from);
        }
    }
    if !magnitude.starts_with(|c: char| c.is_ascii_digit() || c == '.') || text.contains(['p', 'P', 'I']) {
        return None;
    }
    Number::parse(text).ok()
}

/// Reads a date, or a date and a time, as YAML 1.1 writes them; returns RFC 3339.
fn timestamp(text: &str) -> Option<String> {
    let (date, time) = match text.find(['T', 't', ' ']) {
        Some(at) => (text.get(..at)?, Some((text.get(at..=at)?, text.get(at + 1..)?))),
        None => (text, None),
    };
    let mut parts = date.split('-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    let digits = |part: &str, most: usize| {
        !part.is_empty() && part.len() <= most && part.bytes().all(|byte| byte.is_ascii_digit())
    };
    if parts.next().is_some() || year.len() != 4 || !digits(year, 4) || !digits(month, 2) || !digits(day, 2) {
        return None;
    }
    let date = format!("{year}-{month:0>2}-{day:0>2}");
    let Some((separator, time)) = time else {
        return Timestamp::parse(&format!("{date}T00:00:00Z")).ok().map(Timestamp::rfc3339);
    };
    let (clock, zone) = match (separator, time.find(['Z', '+', '-'])) {
        (" ", None) => (time, "Z"),
        (" ", Some(_)) | (_, None) => return None,
        (_, Some(at)) => time.split_at_checked(at)?,
    };
    let (whole, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    let mut parts = whole.split(':');
    let (hour, minute, second) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || ![hour, minute, second].iter().all(|part| digits(part, 2)) {
        return None;
    }
    let full = format!("{date}T{hour:0>2}:{minute:0>2}:{second:0>2}.{fraction}{zone}");
    Timestamp::parse(&full).ok().map(Timestamp::rfc3339)
}
