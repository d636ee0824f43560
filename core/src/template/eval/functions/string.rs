//! Text: cutting, joining, changing, searching.

use std::sync::Arc;

use regex::Captures;

use super::{Call, Function, Functions, Parameter, Pattern, format, pattern::Groups, text};
use crate::{
    template::eval::{Context, Problem},
    value::{Kind, Type, Value},
};

pub(super) fn register(table: &mut Functions) {
    register_changes(table);
    register_searches(table);
    table.add(
        Function::new("join", "Returns the elements of lists as one text, with a separator between them.")
            .takes([string("separator")])
            .then_any_number_of(Parameter::new("lists", Type::list(Type::String)))
            .returns(Type::String)
            .computes(join),
    );
    table.add(
        Function::new("split", "Returns the parts of a text between separators.")
            .takes([string("separator"), string("str")])
            .returns(Type::list(Type::String))
            .computes(split),
    );
    table.add(
        Function::new("format", "Returns a text made after a pattern with verbs such as `%s` and `%d`.")
            .takes([string("format")])
            .then_any_number_of(Parameter::new("args", Type::Any).null().unknown())
            .returns(Type::String)
            .computes(format::format),
    );
    table.add(
        Function::new("formatlist", "Returns a list of texts made after a pattern, one per element of its lists.")
            .takes([string("format").unknown()])
            .then_any_number_of(Parameter::new("args", Type::Any).null().unknown())
            .returns(Type::list(Type::String))
            .computes(format::format_list),
    );
}

pub(super) fn string(name: &'static str) -> Parameter {
    Parameter::new(name, Type::String)
}

fn register_changes(table: &mut Functions) {
    let change = |name: &'static str, summary: &'static str, f: fn(&str) -> String| {
        Function::new(name, summary)
            .takes([string("str")])
            .returns(Type::String)
            .computes(move |call| call.string(f(call.text(0))))
    };
    table.add(change("chomp", "Returns a text without the line ends at its end.", |text| {
        text.trim_end_matches(['\r', '\n']).to_owned()
    }));
    table.add(change("lower", "Returns a text in small letters.", text::lower));
    table.add(change("upper", "Returns a text in capital letters.", text::upper));
    table.add(change("title", "Returns a text with the first letter of each word in capital.", text::title));
    table.add(change("strrev", "Returns the characters of a text in reverse order.", text::reversed));
    table.add(change("trimspace", "Returns a text without white space at its ends.", |text| text.trim().to_owned()));

    let pair = |name: &'static str, summary: &'static str, second: &'static str, f: fn(&str, &str) -> String| {
        Function::new(name, summary)
            .takes([string("str"), string(second)])
            .returns(Type::String)
            .computes(move |call| call.string(f(call.text(0), call.text(1))))
    };
    table.add(pair("trim", "Returns a text without the given characters at its ends.", "cutset", |text, set| {
        text.trim_matches(|c| set.contains(c)).to_owned()
    }));
    table.add(pair("trimprefix", "Returns a text without a given start.", "prefix", |text, prefix| {
        text.strip_prefix(prefix).unwrap_or(text).to_owned()
    }));
    table.add(pair("trimsuffix", "Returns a text without a given end.", "suffix", |text, suffix| {
        text.strip_suffix(suffix).unwrap_or(text).to_owned()
    }));
    table.add(
        Function::new("indent", "Returns a text with spaces before every line but the first.")
            .takes([Parameter::new("spaces", Type::Number), string("str")])
            .returns(Type::String)
            .computes(|call| {
                let spaces = usize::try_from(call.integer(0)?)
                    .map_err(|_| Problem::argument(0, "the number of spaces must not be negative"))?;
                let lines = call.text(1).bytes().filter(|byte| *byte == b'\n').count();
                call.context.spend_text(spaces.saturating_mul(lines + 1))?;
                call.string(text::indented(call.text(1), spaces))
            }),
    );
    table.add(
        Function::new("substr", "Returns part of a text, from an offset and of a length in characters.")
            .takes([string("str"), Parameter::new("offset", Type::Number), Parameter::new("length", Type::Number)])
            .returns(Type::String)
            .computes(|call| {
                let part = text::substring(call.text(0), call.integer(1)?, call.integer(2)?);
                call.string(part.to_owned())
            }),
    );
    table.add(
        Function::new("replace", "Returns a text with another in place of each match of a text or `/regex/`.")
            .takes([string("str"), string("substr"), string("replace")])
            .returns(Type::String)
            .computes(replace),
    );
}

fn register_searches(table: &mut Functions) {
    table.add(
        Function::new("startswith", "Returns whether a text starts with another.")
            .takes([string("str").unknown(), string("prefix")])
            .returns(Type::Bool)
            .computes(|call| {
                let known_start = match call.value(0)?.kind() {
                    Kind::Unknown(unknown) => unknown.refinement.prefix.as_deref().unwrap_or(""),
                    _ => return Ok(Value::bool(call.text(0).starts_with(call.text(1)))),
                };
                let wanted = call.text(1);
                Ok(if known_start.starts_with(wanted) {
                    Value::bool(true)
                } else if known_start.len() >= wanted.len() {
                    Value::bool(false)
                } else {
                    Value::unknown(Type::Bool)
                })
            }),
    );
    table.add(
        Function::new("endswith", "Returns whether a text ends with another.")
            .takes([string("str"), string("suffix")])
            .returns(Type::Bool)
            .computes(|call| Ok(Value::bool(call.text(0).ends_with(call.text(1))))),
    );
    table.add(
        Function::new("strcontains", "Returns whether a text is part of another.")
            .takes([string("str"), string("substr")])
            .returns(Type::Bool)
            .may_return_null()
            .computes(|call| Ok(Value::bool(call.text(0).contains(call.text(1))))),
    );
    table.add(
        Function::new("regex", "Returns what a regular expression captures in the first match in a text.")
            .takes([string("pattern"), string("string")])
            .returns_by(match_type)
            .computes(|call| {
                let pattern = compiled(call.arguments, call.context)?;
                let found = pattern.regex.captures(call.text(1)).ok_or_else(|| {
                    Problem::argument(0, "the pattern matches no part of the text")
                        .help("use `try` or `regexall` where the text may not match")
                })?;
                call.room(found.len())?;
                Ok(captured(&pattern, &found))
            }),
    );
    table.add(
        Function::new("regexall", "Returns what a regular expression captures in every match in a text.")
            .takes([string("pattern"), string("string")])
            .returns_by(|arguments, context| match_type(arguments, context).map(Type::list))
            .computes(|call| {
                let pattern = compiled(call.arguments, call.context)?;
                let mut all = Vec::new();
                for found in pattern.regex.captures_iter(call.text(1)) {
                    call.room(found.len())?;
                    all.push(captured(&pattern, &found));
                }
                let element = call.returns.element().cloned().unwrap_or(Type::Any);
                Ok(Value::list(element, all))
            }),
    );
}

fn compiled(arguments: &[Value], context: &Context<'_>) -> Result<Pattern, Problem> {
    match arguments.first().map(Value::kind) {
        Some(Kind::String(text)) => context.pattern(text).map_err(|problem| problem.at_argument(0)),
        _ => Err(Problem::argument(0, "a pattern is required")),
    }
}

/// The type of one match, which only the pattern tells.
fn match_type(arguments: &[Value], context: &Context<'_>) -> Result<Type, Problem> {
    if !arguments.first().is_some_and(Value::is_known) {
        return Ok(Type::Any);
    }
    match compiled(arguments, context)?.groups {
        Groups::None => Ok(Type::String),
        Groups::Numbered(count) => Ok(Type::tuple(vec![Type::String; count])),
        Groups::Named(names) => Ok(Type::object(names.iter().map(|(name, _)| (Arc::clone(name), Type::String)))),
        Groups::Mixed => Err(Problem::argument(0, "groups with and without names cannot be mixed in one pattern")
            .help("name all groups, or none; `(?:…)` groups without capturing")),
    }
}

fn captured(pattern: &Pattern, found: &Captures<'_>) -> Value {
    let group =
        |idx: usize| found.get(idx).map_or_else(|| Value::null(Type::String), |group| Value::string(group.as_str()));
    match &pattern.groups {
        Groups::Numbered(count) => Value::tuple((1..=*count).map(group).collect()),
        Groups::Named(names) => Value::object(names.iter().map(|(name, idx)| (Arc::clone(name), group(*idx)))),
        Groups::None | Groups::Mixed => group(0),
    }
}

fn replace(call: Call<'_>) -> Result<Value, Problem> {
    let (text, wanted, by) = (call.text(0), call.text(1), call.text(2));
    let inner = wanted.strip_prefix('/').and_then(|rest| rest.strip_suffix('/'));
    let Some(inner) = inner else {
        let count = text.matches(wanted).count();
        call.context.spend_text(text.len().saturating_add(count.saturating_mul(by.len())))?;
        return Ok(Value::string(text.replace(wanted, by)));
    };
    let pattern = call.context.pattern(&Arc::from(inner)).map_err(|problem| problem.at_argument(1))?;
    let mut out = String::new();
    let mut end = 0;
    for found in pattern.regex.captures_iter(text) {
        let Some(whole) = found.get(0) else { continue };
        out.push_str(text.get(end..whole.start()).unwrap_or(""));
        let before = out.len();
        found.expand(by, &mut out);
        call.context.spend_text(out.len().saturating_sub(before))?;
        end = whole.end();
    }
    out.push_str(text.get(end..).unwrap_or(""));
    call.string(out)
}

fn split(call: Call<'_>) -> Result<Value, Problem> {
    let (separator, text) = (call.text(0), call.text(1));
    let mut parts = Vec::new();
    if separator.is_empty() {
        call.room(text.len())?;
        let mut buffer = [0; 4];
        parts.extend(text.chars().map(|c| Value::string(&*c.encode_utf8(&mut buffer))));
    } else {
        for part in text.split(separator) {
            call.room(1)?;
            parts.push(Value::string(part));
        }
    }
    Ok(Value::list(Type::String, parts))
}

fn join(call: Call<'_>) -> Result<Value, Problem> {
    let Some((_, lists)) = call.arguments.split_first().filter(|(_, lists)| !lists.is_empty()) else {
        return Err(Problem::new("it takes at least one list"));
    };
    // As in Terraform: behind something that is not known, null is no problem yet.
    if !lists.iter().all(Value::is_wholly_known) {
        return Ok(Value::unknown(Type::String));
    }
    let mut out = String::new();
    let mut first = true;
    for (at, list) in lists.iter().enumerate() {
        for (idx, element) in list.elements().enumerate() {
            let Some(text) = element.as_str() else {
                let message = format!("element {idx} is null, which cannot be part of a text");
                return Err(Problem::argument(at + 1, message));
            };
            let separator = if first { "" } else { call.text(0) };
            first = false;
            call.context.spend_text(text.len() + separator.len())?;
            out.push_str(separator);
            out.push_str(text);
        }
    }
    Ok(Value::string(out))
}
