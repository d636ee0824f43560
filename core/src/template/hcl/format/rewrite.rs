use crate::template::{
    hcl::edit::{Edit, apply_edits},
    syntax::{Attribute, Block, Body, Expr, ExprKind, Literal, TemplatePart},
};

/// Returns the text with labels in quotes, values such as `"${x}"` unwrapped, and the types of variables in their modern
/// spelling.
pub(super) fn rewrite(text: &str, body: &Body) -> String {
    let mut edits = Vec::new();
    for attribute in &body.attributes {
        unwrap(text, attribute, &mut edits);
    }
    for block in &body.blocks {
        rewrite_block(text, block, Place::Top, &mut edits);
    }
    apply_edits(text, &edits).unwrap_or_else(|_| text.to_owned())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Top,
    Inner,
}

fn rewrite_block(text: &str, block: &Block, place: Place, edits: &mut Vec<Edit>) {
    let mut header = block.kind.name.to_string();
    for label in &block.labels {
        header.push(' ');
        header.push_str(&Literal::String(label.text.clone()).to_string());
    }
    header.push(' ');
    let mut span = block.kind.span;
    span.end = block.open.start;
    if text.get(span.start as usize..span.end as usize) != Some(header.as_str()) {
        edits.push(Edit::new(span, header));
    }
    for attribute in &block.body.attributes {
        if place == Place::Top && block.kind.as_str() == "variable" && attribute.name.as_str() == "type" {
            modern_type(attribute, edits);
        } else {
            unwrap(text, attribute, edits);
        }
    }
    for inner in &block.body.blocks {
        rewrite_block(text, inner, Place::Inner, edits);
    }
}

/// `list` is `list(any)`; `"list"`, from before there was `any`, is `list(string)`.
fn modern_type(attribute: &Attribute, edits: &mut Vec<Edit>) {
    let modern = match &attribute.expr.kind {
        ExprKind::Traversal(traversal) => match traversal.as_keyword() {
            Some("list") => "list(any)",
            Some("map") => "map(any)",
            Some("set") => "set(any)",
            _ => return,
        },
        ExprKind::Literal(Literal::String(text)) => match &**text {
            "string" => "string",
            "list" => "list(string)",
            "map" => "map(string)",
            _ => return,
        },
        _ => return,
    };
    edits.push(Edit::new(attribute.expr.span, modern));
}

/// `"${x}"` is `x`, however often it is wrapped.
fn unwrap(text: &str, attribute: &Attribute, edits: &mut Vec<Edit>) {
    let mut inner = None;
    let mut expr = &*attribute.expr;
    while let ExprKind::Template(template) = &expr.kind {
        let [TemplatePart::Interpolation { expr: wrapped, span }] = template.parts.as_slice() else { break };
        // Text that `~` has removed is text nevertheless; a heredoc is no wrapping.
        if template.heredoc.is_some() || span.len() + 2 != expr.span.len() || has_heredoc(wrapped) {
            break;
        }
        let source = text.get(span.start as usize..span.end as usize).unwrap_or("");
        let source = source.trim_start_matches("${").trim_start_matches('~');
        let source = source.strip_suffix('}').map_or(source, |rest| rest.strip_suffix('~').unwrap_or(rest));
        inner = Some((source, wrapped));
        expr = wrapped;
    }
    let Some((source, wrapped)) = inner else { return };
    let source = source.trim();
    // What spans lines needs brackets of its own outside of the template.
    let is_paren = matches!(wrapped.kind, ExprKind::Paren(_)) && source.starts_with('(') && source.ends_with(')');
    if source.contains('\n') && !is_paren {
        edits.push(Edit::new(attribute.expr.span, format!("({source})")));
    } else {
        edits.push(Edit::new(attribute.expr.span, source));
    }
}

fn has_heredoc(expr: &Expr) -> bool {
    let mut found = matches!(&expr.kind, ExprKind::Template(template) if template.heredoc.is_some());
    expr.for_each_child(&mut |child, _| found = found || has_heredoc(child));
    found
}
