use std::sync::Arc;

use crate::{
    error::{Diagnostic, Span},
    template::syntax::{Expr, Ident, TemplateFor, TemplateIf, TemplatePart},
};

use super::{
    parser::{MAX_DEPTH, Parsed, Parser},
    template::{Piece, Pieces, Run},
};

/// A directive that waits for its end.
enum Frame {
    If { condition: Expr, span: Span, outer: Vec<TemplatePart>, then: Option<Vec<TemplatePart>> },
    For { key: Option<Ident>, value: Ident, collection: Expr, span: Span, outer: Vec<TemplatePart> },
}

impl Frame {
    fn span(&self) -> Span {
        match self {
            Self::If { span, .. } | Self::For { span, .. } => *span,
        }
    }

    /// Ends the directive; gives back the parts around it with the directive at their end.
    fn finish(self, inner: Vec<TemplatePart>, end: Span) -> Vec<TemplatePart> {
        match self {
            Self::If { condition, span, mut outer, then } => {
                let (then, otherwise) = match then {
                    Some(then) => (then, inner),
                    None => (inner, Vec::new()),
                };
                let span = span.to(end);
                outer.push(TemplatePart::If(Box::new(TemplateIf { condition, then, otherwise, span })));
                outer
            }
            Self::For { key, value, collection, span, mut outer } => {
                let span = span.to(end);
                outer.push(TemplatePart::For(Box::new(TemplateFor { key, value, collection, body: inner, span })));
                outer
            }
        }
    }
}

/// Pairing directives and joining texts.
impl Parser<'_> {
    /// Makes a tree of the pieces; wrong pairs are reported, once per template.
    pub(super) fn pair(&mut self, pieces: Pieces) -> Parsed<Vec<TemplatePart>> {
        let mut parts = Vec::with_capacity(pieces.list.len());
        let mut frames: Vec<Frame> = Vec::new();
        let mut silent = pieces.broken;
        let mut highest = 0;
        let mut emptied = None;
        let mut list = pieces.list.into_iter().peekable();
        while let Some(piece) = list.next() {
            match piece {
                Piece::Text { mut run, mut span } => {
                    while let Some(Piece::Text { .. }) = list.peek() {
                        if let Some(Piece::Text { run: more, span: end }) = list.next() {
                            run = self.joined(run, more);
                            span = span.to(end);
                        }
                    }
                    let text = self.share_run(run);
                    if text.is_empty() {
                        emptied = Some(span);
                    } else {
                        parts.push(TemplatePart::Literal { text, span });
                    }
                }
                Piece::Interpolation { expr, span } => parts.push(TemplatePart::Interpolation { expr, span }),
                Piece::If { condition, span } => {
                    frames.push(Frame::If { condition, span, outer: std::mem::take(&mut parts), then: None });
                }
                Piece::For { key, value, collection, span } => {
                    frames.push(Frame::For { key, value, collection, span, outer: std::mem::take(&mut parts) });
                }
                Piece::Else { span } => match frames.last_mut() {
                    Some(Frame::If { then: then @ None, .. }) => *then = Some(std::mem::take(&mut parts)),
                    frame => {
                        let open = frame.map(|frame| frame.span());
                        self.unpaired("else", span, open, &mut silent);
                    }
                },
                Piece::EndIf { span } => match frames.pop() {
                    Some(frame @ Frame::If { .. }) => parts = frame.finish(parts, span),
                    frame => {
                        self.unpaired("endif", span, frame.as_ref().map(Frame::span), &mut silent);
                        frames.extend(frame);
                    }
                },
                Piece::EndFor { span } => match frames.pop() {
                    Some(frame @ Frame::For { .. }) => parts = frame.finish(parts, span),
                    frame => {
                        self.unpaired("endfor", span, frame.as_ref().map(Frame::span), &mut silent);
                        frames.extend(frame);
                    }
                },
            }
            highest = highest.max(frames.len() as u32);
            if self.depth + highest > MAX_DEPTH {
                return self.too_deep();
            }
        }
        while let Some(frame) = frames.pop() {
            let span = frame.span();
            if !std::mem::replace(&mut silent, true) {
                let (word, end) = match frame {
                    Frame::If { .. } => ("if", "endif"),
                    Frame::For { .. } => ("for", "endfor"),
                };
                self.report(
                    Diagnostic::error("syntax.directive", format!("this `{word}` has no `{end}`"))
                        .label(span, "opened here")
                        .help(format!("add `%{{ {end} }}` within the same string")),
                );
            }
            parts = frame.finish(parts, span);
        }
        // A text that `~` has emptied still makes the value a string.
        if let ([TemplatePart::Interpolation { .. }], Some(span)) = (parts.as_slice(), emptied) {
            parts.insert(0, TemplatePart::Literal { text: Arc::from(""), span });
        }
        self.set_height(pieces.height + highest + 1)?;
        Ok(parts)
    }

    fn unpaired(&mut self, word: &str, span: Span, open: Option<Span>, silent: &mut bool) {
        if std::mem::replace(silent, true) {
            return;
        }
        let mut diagnostic =
            Diagnostic::error("syntax.directive", format!("`{word}` does not belong here")).label(span, "");
        if let Some(open) = open {
            diagnostic = diagnostic.label(open, "this is still open");
        }
        let help = match word {
            "else" => "`else` stands once, between `if` and `endif`",
            "endif" => "`endif` ends an `if`",
            _ => "`endfor` ends a `for`",
        };
        self.report(diagnostic.help(help));
    }

    fn joined(&self, first: Run, second: Run) -> Run {
        match (first, second) {
            (Run::Source(start, middle), Run::Source(same, end)) if middle == same => Run::Source(start, end),
            (Run::Owned(mut text), second) => {
                text.push_str(self.run_str(&second));
                Run::Owned(text)
            }
            (first, second) => {
                let mut text = self.run_str(&first).to_owned();
                text.push_str(self.run_str(&second));
                Run::Owned(text)
            }
        }
    }
}
