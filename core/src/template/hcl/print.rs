use std::fmt::{self, Write};

use crate::template::syntax::{
    Block, Body, Expr, ExprKind, Literal, ObjectItem, ObjectKey, Splat, SplatKind, Step, StepKind, Template,
    TemplatePart, write_escaped,
};

use super::format::layout;

/// What is longer than this is broken into lines, in characters.
const WIDTH: usize = 80;

/// Returns a body as canonical HCL: laid out like [`format()`](super::format), blocks apart by an empty line.
///
/// Reading the result gives the same body, spans apart, with one liberty: a heredoc that is neither a value nor an
/// element of its own, or whose text does not end with a line break, becomes a quoted string. Comments are no part of
/// a tree and thus not printed. What could not be read ([`ExprKind::Invalid`]) is printed as `null`.
pub fn print(body: &Body) -> String {
    let mut out = String::new();
    let _ = write_body(&mut out, body);
    layout(&out)
}

/// Returns an expression as HCL on one line, or on several where brackets allow it and it is long. A heredoc ends with the line
/// break that it needs.
pub fn print_expression(expr: &Expr) -> String {
    let text = value(expr);
    // The layout works on attributes; give it one.
    let wrapped = layout(&format!("x = {text}\n"));
    let end = if text.starts_with("<<") { "\n" } else { "" };
    format!("{}{end}", wrapped.strip_prefix("x = ").unwrap_or(&wrapped).trim_end())
}

/// Returns an expression as HCL on one line; heredocs become quoted strings.
pub(in crate::template) fn print_inline(expr: &Expr) -> String {
    inline(expr)
}

/// Returns a template as it stands between quotes that have no escapes, as in JSON once that is decoded.
pub(in crate::template) fn print_bare(template: &Template) -> String {
    let mut out = String::new();
    let _ = write_parts(&mut out, &template.parts, Ground::Bare, Behind::End);
    out
}

fn write_body(out: &mut String, body: &Body) -> fmt::Result {
    enum Item<'a> {
        Attribute(&'a str, &'a Expr),
        Block(&'a Block),
    }
    let attributes = body.attributes.iter().map(|it| (it.span.start, Item::Attribute(&it.name.name, &it.expr)));
    let blocks = body.blocks.iter().map(|it| (it.span.start, Item::Block(it)));
    let mut items: Vec<(u32, Item<'_>)> = attributes.chain(blocks).collect();
    // Source order; a body that was made by hand has none, and attributes come first.
    items.sort_by_key(|(at, _)| *at);
    for (idx, (_, item)) in items.iter().enumerate() {
        match item {
            Item::Attribute(name, expr) => {
                if idx > 0 && matches!(items.get(idx - 1), Some((_, Item::Block(_)))) {
                    out.push('\n');
                }
                writeln!(out, "{name} = {}", value(expr))?;
            }
            Item::Block(block) => {
                if idx > 0 {
                    out.push('\n');
                }
                out.push_str(&block.kind.name);
                for label in &block.labels {
                    out.push_str(" \"");
                    write_escaped(out, &label.text)?;
                    out.push('"');
                }
                out.push_str(" {\n");
                write_body(out, &block.body)?;
                out.push_str("}\n");
            }
        }
    }
    Ok(())
}

/// Returns the text of an attribute's or item's value, which may be a heredoc or go over lines.
fn value(expr: &Expr) -> String {
    if let ExprKind::Template(template) = &expr.kind
        && let Some(text) = heredoc(template)
    {
        return text;
    }
    let inline = inline(expr);
    if inline.chars().count() <= WIDTH && !has_heredoc(expr) { inline } else { broken(expr).unwrap_or(inline) }
}

/// Returns a collection or call with one element per line.
fn broken(expr: &Expr) -> Option<String> {
    let mut out = String::new();
    match &expr.kind {
        ExprKind::Tuple(items) if !items.is_empty() => {
            out.push_str("[\n");
            for item in items {
                let text = value(item);
                // The closing word of a heredoc stands alone.
                let comma = if text.starts_with("<<") { "\n," } else { "," };
                let _ = writeln!(out, "{text}{comma}");
            }
            out.push(']');
        }
        ExprKind::Object(items) if !items.is_empty() => {
            out.push_str("{\n");
            for item in items {
                let _ = writeln!(out, "{} = {}", key(&item.key), value(&item.value));
            }
            out.push('}');
        }
        ExprKind::Call(call) if !call.args.is_empty() => {
            let _ = writeln!(out, "{}(", call.full_name());
            let last = call.args.len() - 1;
            for (idx, arg) in call.args.iter().enumerate() {
                let text = value(arg);
                let end = match (idx == last, call.expand_final) {
                    (true, true) => "...",
                    (true, false) => "",
                    (false, _) => ",",
                };
                let lift = if text.starts_with("<<") { "\n" } else { "" };
                let _ = writeln!(out, "{text}{lift}{end}");
            }
            out.push(')');
        }
        ExprKind::Paren(inner) => {
            let _ = write!(out, "(\n{}\n)", value(inner));
        }
        _ => return None,
    }
    Some(out)
}

fn has_heredoc(expr: &Expr) -> bool {
    let mut found = matches!(&expr.kind, ExprKind::Template(template) if heredoc(template).is_some());
    if matches!(expr.kind, ExprKind::Tuple(_) | ExprKind::Object(_) | ExprKind::Call(_) | ExprKind::Paren(_)) {
        expr.for_each_child(&mut |child, _| found = found || has_heredoc(child));
    }
    found
}

fn inline(expr: &Expr) -> String {
    let mut out = String::new();
    let _ = write_expr(&mut out, expr);
    out
}

fn key(key: &ObjectKey) -> String {
    match key {
        ObjectKey::Ident(ident) => ident.name.to_string(),
        // A word would mean itself; `aws.east` stays as it is, it may be read instead of evaluated.
        ObjectKey::Expr(expr) if expr.as_keyword().is_some() => format!("({})", inline(expr)),
        ObjectKey::Expr(expr) => inline(expr),
    }
}

/// How strongly an expression holds together: 0 for `?:`, 1 to 6 for operators, then unary ones, then terms.
fn strength(expr: &Expr) -> u8 {
    match &expr.kind {
        ExprKind::Conditional(_) => 0,
        ExprKind::Binary(binary) => binary.op.precedence(),
        ExprKind::Unary(..) => 7,
        // `1.a` would read as a number and a word.
        ExprKind::Literal(Literal::Number(_)) => 8,
        _ => 9,
    }
}

fn write_at_least(out: &mut String, expr: &Expr, floor: u8) -> fmt::Result {
    if strength(expr) >= floor {
        return write_expr(out, expr);
    }
    out.push('(');
    write_expr(out, expr)?;
    out.push(')');
    Ok(())
}

fn write_list(out: &mut String, items: &[Expr]) -> fmt::Result {
    for (idx, item) in items.iter().enumerate() {
        if idx > 0 {
            out.push_str(", ");
        }
        write_expr(out, item)?;
    }
    Ok(())
}

fn write_expr(out: &mut String, expr: &Expr) -> fmt::Result {
    match &expr.kind {
        ExprKind::Literal(literal) => write!(out, "{literal}"),
        ExprKind::Template(template) => {
            out.push('"');
            write_parts(out, &template.parts, Ground::Quoted, Behind::End)?;
            out.push('"');
            Ok(())
        }
        ExprKind::Tuple(items) => {
            out.push('[');
            write_list(out, items)?;
            out.push(']');
            Ok(())
        }
        ExprKind::Object(items) => write_object(out, items),
        ExprKind::ForTuple(it) => {
            out.push_str("[for ");
            write_variables(out, it.key.as_ref().map(|key| key.as_str()), &it.value.name, &it.collection)?;
            out.push_str(" : ");
            write_expr(out, &it.body)?;
            write_condition(out, it.condition.as_ref())?;
            out.push(']');
            Ok(())
        }
        ExprKind::ForObject(it) => {
            out.push_str("{ for ");
            write_variables(out, it.key.as_ref().map(|key| key.as_str()), &it.value.name, &it.collection)?;
            out.push_str(" : ");
            write_expr(out, &it.body_key)?;
            out.push_str(" => ");
            write_expr(out, &it.body_value)?;
            if it.group {
                out.push_str("...");
            }
            write_condition(out, it.condition.as_ref())?;
            out.push_str(" }");
            Ok(())
        }
        ExprKind::Call(call) => {
            write!(out, "{}(", call.full_name())?;
            write_list(out, &call.args)?;
            out.push_str(if call.expand_final { "...)" } else { ")" });
            Ok(())
        }
        ExprKind::Unary(op, operand) => {
            write!(out, "{op}")?;
            write_at_least(out, operand, 7)
        }
        ExprKind::Binary(binary) => {
            let own = binary.op.precedence();
            write_at_least(out, &binary.left, own)?;
            write!(out, " {} ", binary.op)?;
            write_at_least(out, &binary.right, own + 1)
        }
        ExprKind::Conditional(it) => {
            write_at_least(out, &it.condition, 1)?;
            out.push_str(" ? ");
            write_expr(out, &it.then)?;
            out.push_str(" : ");
            write_expr(out, &it.otherwise)
        }
        ExprKind::Paren(inner) => {
            out.push('(');
            write_expr(out, inner)?;
            out.push(')');
            Ok(())
        }
        ExprKind::Traversal(traversal) => {
            out.push_str(&traversal.root.name);
            write_steps(out, &traversal.steps)
        }
        ExprKind::Relative(relative) => {
            let is_index = relative.steps.first().is_some_and(|step| matches!(step.kind, StepKind::Index(_)));
            write_source(out, &relative.source, is_index)?;
            write_steps(out, &relative.steps)
        }
        ExprKind::Index(index) => {
            write_source(out, &index.collection, true)?;
            out.push('[');
            write_expr(out, &index.key)?;
            out.push(']');
            Ok(())
        }
        ExprKind::Splat(splat) => write_splat(out, splat),
        ExprKind::SplatItem => Ok(()),
        ExprKind::Invalid => write!(out, "null"),
    }
}

/// Writes what steps follow. A splat takes the steps behind it, unless an index follows an attribute splat.
fn write_source(out: &mut String, source: &Expr, is_index: bool) -> fmt::Result {
    let takes = match &source.kind {
        ExprKind::Splat(splat) => splat.kind == SplatKind::Full || !is_index,
        _ => false,
    };
    if !takes {
        return write_at_least(out, source, 9);
    }
    out.push('(');
    write_expr(out, source)?;
    out.push(')');
    Ok(())
}

fn write_splat(out: &mut String, splat: &Splat) -> fmt::Result {
    write_source(out, &splat.source, splat.kind == SplatKind::Full)?;
    out.push_str(match splat.kind {
        SplatKind::Attribute => ".*",
        SplatKind::Full => "[*]",
    });
    // The element at hand is written as nothing: its steps follow the marker.
    write_expr(out, &splat.each)
}

fn write_object(out: &mut String, items: &[ObjectItem]) -> fmt::Result {
    if items.is_empty() {
        out.push_str("{}");
        return Ok(());
    }
    for (idx, item) in items.iter().enumerate() {
        out.push_str(if idx == 0 { "{ " } else { ", " });
        let key = key(&item.key);
        // `{ for` starts an expression.
        let key = if idx == 0 && key == "for" { "\"for\"" } else { &key };
        write!(out, "{key} = ")?;
        write_expr(out, &item.value)?;
    }
    out.push_str(" }");
    Ok(())
}

fn write_variables(out: &mut String, key: Option<&str>, value: &str, collection: &Expr) -> fmt::Result {
    if let Some(key) = key {
        write!(out, "{key}, ")?;
    }
    write!(out, "{value} in ")?;
    write_expr(out, collection)
}

fn write_condition(out: &mut String, condition: Option<&Expr>) -> fmt::Result {
    if let Some(condition) = condition {
        out.push_str(" if ");
        write_expr(out, condition)?;
    }
    Ok(())
}

fn write_steps(out: &mut String, steps: &[Step]) -> fmt::Result {
    let mut after_legacy = false;
    for step in steps {
        match &step.kind {
            StepKind::Attr(name) => write!(out, ".{name}")?,
            StepKind::Index(key) => write!(out, "[{key}]")?,
            // `.0.1` would be a fraction.
            StepKind::LegacyIndex(number) if after_legacy => write!(out, "[{number}]")?,
            StepKind::LegacyIndex(number) => write!(out, ".{number}")?,
        }
        after_legacy = matches!(step.kind, StepKind::LegacyIndex(_));
    }
    Ok(())
}

/// What a template is written in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ground {
    Quoted,
    Heredoc,
    /// Text without escapes of its own, all of it the template.
    Bare,
}

/// What follows a list of parts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Behind {
    End,
    Directive,
}

fn write_parts(out: &mut String, parts: &[TemplatePart], ground: Ground, behind: Behind) -> fmt::Result {
    // The one text that may be empty keeps its neighbour from being the whole value: a space that `~` eats.
    if let [TemplatePart::Literal { text, .. }, TemplatePart::Interpolation { expr, .. }] = parts
        && text.is_empty()
    {
        return write!(out, " ${{~ {} }}", inline(expr));
    }
    for (idx, part) in parts.iter().enumerate() {
        match part {
            TemplatePart::Literal { text, .. } => write_text(out, text, sign_behind(parts, idx, behind), ground)?,
            TemplatePart::Interpolation { expr, .. } => {
                let pad = if matches!(expr.kind, ExprKind::Object(_) | ExprKind::ForObject(_)) { " " } else { "" };
                write!(out, "${{{pad}{}{pad}}}", inline(expr))?;
            }
            TemplatePart::If(it) => {
                write!(out, "%{{ if {} }}", inline(&it.condition))?;
                write_parts(out, &it.then, ground, Behind::Directive)?;
                if !it.otherwise.is_empty() {
                    out.push_str("%{ else }");
                    write_parts(out, &it.otherwise, ground, Behind::Directive)?;
                }
                out.push_str("%{ endif }");
            }
            TemplatePart::For(it) => {
                out.push_str("%{ for ");
                write_variables(out, it.key.as_ref().map(|key| key.as_str()), &it.value.name, &it.collection)?;
                out.push_str(" }");
                write_parts(out, &it.body, ground, Behind::Directive)?;
                out.push_str("%{ endfor }");
            }
        }
    }
    Ok(())
}

/// Returns the sign of the sequence that follows the part at `idx`.
fn sign_behind(parts: &[TemplatePart], idx: usize, behind: Behind) -> Option<char> {
    match (parts.get(idx + 1), behind) {
        (Some(TemplatePart::Interpolation { .. }), _) => Some('$'),
        (Some(TemplatePart::If(_) | TemplatePart::For(_)), _) | (None, Behind::Directive) => Some('%'),
        (Some(TemplatePart::Literal { .. }), _) | (None, Behind::End) => None,
    }
}

/// Writes a text; a `$` at its end is escaped where a `${` follows, which would otherwise read as `$${`.
fn write_text(out: &mut String, text: &str, sign: Option<char>, ground: Ground) -> fmt::Result {
    let awkward = sign.and_then(|sign| text.strip_suffix(sign).map(|rest| (rest, sign)));
    if ground != Ground::Quoted {
        let (text, sign) =
            awkward.filter(|_| ground == Ground::Bare).map_or((text, None), |(text, sign)| (text, Some(sign)));
        out.push_str(&text.replace("${", "$${").replace("%{", "%%{"));
        return sign.map_or(Ok(()), |sign| write!(out, "${{\"{sign}\"}}"));
    }
    match awkward {
        Some((rest, sign)) => {
            write_escaped(out, rest)?;
            write!(out, "\\u{:04x}", u32::from(sign))
        }
        None => write_escaped(out, text),
    }
}

/// Returns whether a text ends with the sign of the sequence behind it: a heredoc has no escape for that.
fn is_awkward(parts: &[TemplatePart], behind: Behind) -> bool {
    parts.iter().enumerate().any(|(idx, part)| match part {
        TemplatePart::Literal { text, .. } => sign_behind(parts, idx, behind).is_some_and(|sign| text.ends_with(sign)),
        TemplatePart::Interpolation { .. } => false,
        TemplatePart::If(it) => is_awkward(&it.then, Behind::Directive) || is_awkward(&it.otherwise, Behind::Directive),
        TemplatePart::For(it) => is_awkward(&it.body, Behind::Directive),
    })
}

/// Returns a template as a heredoc, if it was one and still can be.
fn heredoc(template: &Template) -> Option<String> {
    let heredoc = template.heredoc.as_ref()?;
    let ends_line = match template.parts.last() {
        None => true,
        Some(TemplatePart::Literal { text, .. }) => text.ends_with('\n'),
        Some(_) => false,
    };
    if !ends_line || is_awkward(&template.parts, Behind::End) {
        return None;
    }
    let mut text = String::new();
    write_parts(&mut text, &template.parts, Ground::Heredoc, Behind::End).ok()?;
    let mut marker = heredoc.marker.to_string();
    while text.lines().any(|line| line.trim() == marker) {
        marker.push('_');
    }
    // Indentation that was removed is not put back; what is left must not be taken for some.
    let flush = text.lines().any(|line| line.starts_with(|char: char| !char.is_whitespace()));
    let dash = if heredoc.indented && (flush || text.trim().is_empty()) { "-" } else { "" };
    Some(format!("<<{dash}{marker}\n{text}{marker}"))
}
