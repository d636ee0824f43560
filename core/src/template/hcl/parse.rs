use crate::{
    error::{Diagnostic, Diagnostics, SourceId},
    template::syntax::{Body, Expr, ExprKind, Traversal},
};

use super::{
    lexer::TokenKind as K,
    parser::{Layout, Parser},
};

/// Reads a file: attributes and blocks.
///
/// All problems are returned, in the order of their places; the body holds whatever could be read, with
/// [`ExprKind::Invalid`] for the rest. `source` names the text in spans. O(bytes); a broken text is read twice,
/// the second time with an eye on indentation, to say which bracket lacks its partner.
///
/// # Examples
/// ```
/// use stackwright::{error::SourceId, template::hcl};
///
/// let (body, problems) = hcl::parse(SourceId(0), "locals {\n  a = 1 + 2\n}\n");
/// assert!(problems.is_empty());
/// assert_eq!(body.blocks[0].kind.as_str(), "locals");
/// ```
pub fn parse(source: SourceId, text: &str) -> (Body, Vec<Diagnostic>) {
    let (body, problems) = run(source, text, Layout::Ignored, Parser::file);
    // What is nested too deeply is not laid out for people.
    if problems.is_empty() || problems.iter().any(|problem| problem.code == "syntax.nesting") {
        return (body, problems);
    }
    let (guided, fewer) = run(source, text, Layout::Trusted, Parser::file);
    if fewer.len() <= problems.len() && !fewer.is_empty() { (guided, fewer) } else { (body, problems) }
}

/// Reads one expression, such as a line of a console or a variable's value; line breaks are white space.
///
/// All problems are returned; the expression is [`ExprKind::Invalid`] where it could not be read. O(bytes).
pub fn parse_expression(source: SourceId, text: &str) -> (Expr, Vec<Diagnostic>) {
    run(source, text, Layout::Ignored, |parser| {
        parser.skip_newlines = true;
        parser.advance();
        let expr = parser.expr();
        if expr.is_ok() && !parser.is(K::Eof) {
            let _ = parser.unexpected_after_value::<()>("the end of the expression");
        }
        expr.unwrap_or_else(|_| Expr::new(ExprKind::Invalid, parser.at(0, text.len() as u32)))
    })
}

/// Reads a whole text as a template, as `templatefile` does: text with `${…}` and `%{…}`, without quotes.
///
/// The expression is a [`ExprKind::Template`]. All problems are returned. O(bytes).
pub fn parse_template(source: SourceId, text: &str) -> (Expr, Vec<Diagnostic>) {
    run(source, text, Layout::Ignored, |parser| {
        let template = parser.bare_template();
        template.unwrap_or_else(|_| Expr::new(ExprKind::Invalid, parser.at(0, text.len() as u32)))
    })
}

/// Reads a variable with literal steps, such as `module.net["a"].id`.
///
/// Returns `None`, and why, for anything else. O(bytes).
pub fn parse_traversal(source: SourceId, text: &str) -> (Option<Traversal>, Vec<Diagnostic>) {
    let (expr, mut problems) = parse_expression(source, text);
    let traversal = expr.as_traversal();
    if traversal.is_none() && problems.is_empty() {
        problems.push(
            Diagnostic::error("syntax.traversal", "this is no plain reference")
                .label(expr.span, "something is computed here")
                .help("write a name followed by `.name`, `[0]` or `[\"key\"]`"),
        );
    }
    (traversal, problems)
}

fn run<'a, T>(
    source: SourceId,
    text: &'a str,
    layout: Layout,
    read: impl FnOnce(&mut Parser<'a>) -> T,
) -> (T, Vec<Diagnostic>) {
    let mut parser = Parser::new(source, text, layout);
    let result = read(&mut parser);
    let mut problems = parser.diagnostics;
    problems.tidy();
    (result, problems)
}
