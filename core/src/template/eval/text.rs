//! Templates: text with sequences in it.

use super::{Evaluator, comprehension::Variables, frame::Frame};
use crate::{
    error::{Diagnostic, Span},
    template::syntax::{Expr, Template, TemplatePart},
    value::{Kind, Marks, Refinement, Type, Value, convert},
};

/// How many bytes of the start of an unknown text are kept, at most.
const MOST_CERTAIN: usize = 128;

/// The text so far.
#[derive(Default)]
struct Text {
    /// What is certain to come first.
    content: String,
    marks: Marks,
    /// False from the first part that is not known.
    known: bool,
    /// Whether a part is no text; what comes after it is left out, as in Terraform.
    failed: bool,
}

impl Evaluator<'_> {
    #[inline(never)]
    pub(super) fn template(&mut self, template: &Template, span: Span, frame: Option<&Frame<'_>>) -> Value {
        if let Some(only) = template.unwrapped() {
            return self.expr(only, frame);
        }
        let mut text = Text { known: true, ..Text::default() };
        self.parts(&template.parts, &mut text, frame);
        let value = if text.known {
            if let Err(problem) = self.context.spend_text(text.content.len()) {
                return self.exhaust(problem, span);
            }
            Value::string(text.content)
        } else if text.failed {
            Value::unknown_with(Type::String, Refinement::not_null())
        } else {
            let certain = text.content.get(..text.content.floor_char_boundary(MOST_CERTAIN)).unwrap_or("");
            Value::unknown_with(Type::String, Refinement::not_null().with_prefix(certain))
        };
        value.with_marks(text.marks)
    }

    fn parts(&mut self, parts: &[TemplatePart], text: &mut Text, frame: Option<&Frame<'_>>) {
        for part in parts {
            match part {
                TemplatePart::Literal { text: literal, span } => self.append(text, literal, *span),
                TemplatePart::Interpolation { expr, span } => self.interpolation(expr, *span, text, frame),
                TemplatePart::If(part) => {
                    let (asked, waits) = self.deciding(&part.condition, frame);
                    text.marks |= asked.marks_deep();
                    if waits {
                        text.known = false;
                        continue;
                    }
                    match self.condition(&asked, part.condition.span) {
                        Some(true) => self.section(text, &mut |this, text| this.parts(&part.then, text, frame)),
                        Some(false) => self.section(text, &mut |this, text| this.parts(&part.otherwise, text, frame)),
                        None => {
                            text.known = false;
                            // Nothing is known of the arms' problems, but what they refer to will be wanted.
                            let before = self.problem_count();
                            self.parts(&part.then, text, frame);
                            self.parts(&part.otherwise, text, frame);
                            self.forget_problems(before);
                        }
                    }
                }
                TemplatePart::For(part) => {
                    let variables = Variables { key: part.key.as_ref(), value: &part.value };
                    self.section(text, &mut |this, text| {
                        let mut marks = Marks::NONE;
                        let source = super::comprehension::Source { collection: &part.collection, condition: None };
                        let walk = this.walk(source, variables, &mut marks, frame, &mut |this, _, frame| {
                            this.parts(&part.body, text, frame);
                        });
                        match walk {
                            super::comprehension::Walk::Done => text.marks |= marks,
                            // Not even what is marked in it is known.
                            super::comprehension::Walk::Unknown => text.known = false,
                        }
                    });
                }
            }
            if self.is_exhausted() {
                text.known = false;
                return;
            }
        }
    }

    /// Makes a section of the text: where some of it is not known, nothing of it is certain to come.
    fn section(&mut self, text: &mut Text, make: &mut dyn FnMut(&mut Self, &mut Text)) {
        let start = text.content.len();
        let was_certain = text.known && !text.failed;
        make(self, text);
        if was_certain && (!text.known || text.failed) {
            text.content.truncate(start);
        }
    }

    fn interpolation(&mut self, expr: &Expr, span: Span, text: &mut Text, frame: Option<&Frame<'_>>) {
        let value = self.expr(expr, frame);
        if !value.is_null() {
            text.marks |= value.marks();
        }
        match value.kind() {
            Kind::String(part) => self.append(text, part, span),
            Kind::Unknown(_) => text.known = false,
            Kind::Null(_) => {
                self.report(
                    Diagnostic::error("eval.null", "null cannot be part of a text")
                        .label(expr.span, "is null")
                        .help("use `coalesce` to put a text in place of null"),
                );
                text.failed = true;
            }
            _ => match convert(&value, &Type::String) {
                Ok(converted) => self.append(text, converted.as_str().unwrap_or(""), span),
                Err(_) => {
                    let ty = value.ty().friendly_name();
                    self.report(
                        Diagnostic::error("eval.template", format!("a {ty} cannot be part of a text"))
                            .label(expr.span, format!("is a {ty}"))
                            .help("use `join` or `jsonencode` to make a text of it"),
                    );
                    text.failed = true;
                }
            },
        }
    }

    fn append(&mut self, text: &mut Text, part: &str, span: Span) {
        if !text.known || text.failed {
            return;
        }
        if let Err(problem) = self.context.spend_text(part.len()) {
            self.exhaust(problem, span);
            text.known = false;
            return;
        }
        text.content.push_str(part);
    }
}
