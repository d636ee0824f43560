//! The form by itself.

use std::{collections::BTreeSet, sync::Arc};

use crate::{
    error::{Diagnostic, Span, suggest},
    form::{
        Check, CompareOp, Condition, Default, Expression, Field, FieldPath, Fields, Form, OptionSource, Text,
        eval::same,
        resolve::{literal_default, literal_options},
    },
    template::syntax::{Expr, ExprKind},
    value::{Number, Safety, Type, Value, can_convert, convert},
};

use super::{Facts, exclusive, ids};

pub(super) fn check(form: &Form, problems: &mut Vec<Diagnostic>) {
    let mut linter = Linter { form, problems, around: Vec::new() };
    linter.fields(&form.fields);
    linter.locales();
}

struct Linter<'a, 'p> {
    form: &'a Form,
    problems: &'p mut Vec<Diagnostic>,
    /// The fields around, innermost last.
    around: Vec<&'a Fields>,
}

impl<'a> Linter<'a, '_> {
    fn fields(&mut self, set: &'a Fields) {
        self.around.push(set);
        for field in &set.list {
            self.field(field);
            if let Some(list) = &field.list {
                if list.max.is_some_and(|max| max < list.min) {
                    self.contradiction(field.span, "at least more items than at most");
                }
                self.fields(&list.fields);
            }
        }
        self.around.pop();
    }

    fn field(&mut self, field: &'a Field) {
        let facts = if self.around.len() == 1 {
            Facts::of(field, &self.form.groups, &self.form.steps)
        } else {
            Facts::of(field, &[], &[])
        };
        if facts.is_impossible() {
            let message = format!("`{}` can never be there: its conditions contradict each other", field.name);
            self.problems.push(Diagnostic::error("form.unreachable", message).at(field.span));
        }
        field.for_each_expression(&mut |expression| self.expression(field, expression, &facts));
        field.for_each_rule_expression(&mut |expression| self.expression(field, expression, &facts));
        for condition in [&field.when, &field.hidden, &field.readonly].into_iter().flatten().chain([&field.required]) {
            self.condition(condition);
        }
        for validator in &field.validators {
            if let Check::Condition(condition) = &validator.check {
                self.condition(condition);
            }
        }
        self.props(field);
        self.choices(field, &facts);
        self.limits(field);
        self.secrets(field);
    }

    /// Returns the declarations that a reference stands for.
    fn targets(&self, path: &FieldPath) -> Vec<&'a Field> {
        let Some(target) = &path.target else { return Vec::new() };
        let Some(set) = self.around.len().checked_sub(target.level + 1).and_then(|idx| self.around.get(idx)) else {
            return Vec::new();
        };
        target.fields.iter().filter_map(|&idx| set.list.get(idx)).collect()
    }

    /// Looks at what an expression refers to: parts that are not there, and fields that are not there at the same time.
    fn expression(&mut self, field: &Field, expression: &Expression, facts: &Facts) {
        let is_guarded = guards(&expression.expr);
        for path in &expression.references {
            let targets = self.targets(path);
            let local = path.target.as_ref().is_some_and(|target| target.level + 1 == self.around.len());
            let (groups, steps): (&[_], &[_]) = if local { (&self.form.groups, &self.form.steps) } else { (&[], &[]) };
            let is_never =
                !targets.is_empty() && targets.iter().all(|target| exclusive(facts, &Facts::of(target, groups, steps)));
            if is_never && !is_guarded && !facts.is_impossible() {
                let message =
                    format!("`{}` is never there when `{}` is, so that this is always null", path.field, field.name);
                let mut problem = Diagnostic::error("form.inactive", message).label(path.span, "refers to it");
                if let Some(target) = targets.first() {
                    problem = problem.label(target.span, "has the opposite condition");
                }
                self.problems.push(problem.help("refer to the field that is there instead, or drop this"));
            }
            let has_part = |target: &&Field| target.list.is_some() || path.type_within(&target.ty).is_some();
            if !targets.is_empty() && !targets.iter().any(has_part) {
                self.no_part(path, &targets);
            }
        }
    }

    fn no_part(&mut self, path: &FieldPath, targets: &[&Field]) {
        let Some(target) = targets.first() else { return };
        let message = format!("the widget `{}` gives nothing at `{}`", target.widget.name, path.key);
        let problem = match target.widget.is_open {
            false => Diagnostic::error("form.reference", message),
            true => Diagnostic::warning("form.reference", message),
        };
        let known: Vec<&str> = match &target.ty {
            Type::Object(object) => object.attributes.keys().map(|name| &**name).collect(),
            _ => Vec::new(),
        };
        let near = path.steps.first().and_then(|step| suggest(step, known.iter().copied()));
        let problem = problem.at(path.span);
        self.problems.push(match near {
            Some(near) => problem.help(format!("did you mean `{near}`?")),
            None => problem.help(format!("its type is `{}`", target.ty.without_optional())),
        });
    }

    /// Looks for comparisons of a field with a value that it can never have.
    fn condition(&mut self, condition: &Condition) {
        match condition {
            Condition::Compare { op: CompareOp::Eq | CompareOp::Ne, a, b } => {
                for (part, other) in [(a, b), (b, a)] {
                    if let (Some(path), Some(value)) = (part.as_reference(), other.constant()) {
                        self.never_equal(path, value, other.span);
                    }
                }
            }
            Condition::In { a, b } => {
                if let (Some(path), Some(list)) = (a.as_reference(), b.constant()) {
                    list.elements().for_each(|value| self.never_equal(path, value, b.span));
                }
            }
            Condition::Not(inner) => self.condition(inner),
            Condition::All(list) | Condition::Any(list) => list.iter().for_each(|inner| self.condition(inner)),
            _ => {}
        }
    }

    fn never_equal(&mut self, path: &FieldPath, value: &Value, span: Span) {
        let targets = self.targets(path);
        let can_be = |target: &&Field| {
            let Some(ty) = path.type_within(&target.ty) else { return true };
            if value.is_null() || ty.has_any() && path.steps.is_empty() && target.options.is_some() {
                let options = literal_options(target).filter(|_| path.steps.is_empty() && !value.is_null());
                let allows_other = target.options.as_ref().is_some_and(|options| options.allow_other);
                return allows_other
                    || options.is_none_or(|options| {
                        options.is_empty() || options.iter().any(|(option, _)| same(option, value))
                    });
            }
            ty.has_any() || value.ty() == ty || !(ty.is_primitive() && value.ty().is_primitive())
        };
        if !targets.is_empty() && !targets.iter().any(can_be) {
            let message = format!("`{}` is never equal to this", path.key);
            let problem = Diagnostic::warning("form.unreachable", message).at(span);
            let expected = targets.first().and_then(|target| path.type_within(&target.ty));
            self.problems.push(match expected.filter(|ty| !ty.has_any()) {
                Some(ty) => {
                    problem.help(format!("it is a {}; this is a {}", ty.friendly_name(), value.ty().friendly_name()))
                }
                None => problem.help("it is none of its options"),
            });
        }
    }

    fn props(&mut self, field: &Field) {
        for prop in &field.widget.props {
            let Some(expression) = field.props.get(&prop.name) else { continue };
            if let Some(value) = expression.constant() {
                if !value.is_null() && !can_convert(&value.ty(), &prop.ty, Safety::Unsafe) {
                    self.misfit(expression.span, &prop.name, &prop.ty, &value.ty());
                }
                continue;
            }
            let Some(path) = expression.as_reference() else { continue };
            for target in self.targets(path) {
                let ty = path.type_within(&target.ty);
                if let Some(ty) = ty.filter(|ty| !can_convert(ty, &prop.ty, Safety::Unsafe)) {
                    self.misfit(path.span, &prop.name, &prop.ty, &ty);
                }
                let kinds = (prop.id.as_ref(), ids::kind_of_path(target, path));
                if let (Some(wanted), Some(found)) = kinds
                    && wanted != found
                {
                    let message =
                        format!("`{}` takes the id of a {wanted}, and `{}` is that of a {found}", prop.name, path.key);
                    self.problems.push(Diagnostic::error("form.id", message).at(path.span));
                }
            }
        }
    }

    fn misfit(&mut self, span: Span, name: &str, wanted: &Type, found: &Type) {
        let message = format!("`{name}` takes {}, not {}", wanted.friendly_constraint(), found.friendly_name());
        self.problems.push(Diagnostic::error("form.misfit", message).at(span));
    }

    fn choices(&mut self, field: &Field, facts: &Facts) {
        let Some(options) = &field.options else { return };
        if let OptionSource::Inline(items) = &options.from {
            let mut seen: Vec<(&Value, Span)> = Vec::new();
            for item in items {
                let never = item.when.as_ref().is_some_and(|when| facts.clone().and(Facts::when(when)).is_impossible());
                if never {
                    let problem = Diagnostic::error("form.unreachable", "this option is never offered");
                    self.problems
                        .push(problem.at(item.span).help("its `when` contradicts that of the field, or itself"));
                }
                let Some(value) = item.value.constant().filter(|_| item.when.is_none()) else { continue };
                match seen.iter().find(|(known, _)| same(known, value)) {
                    Some((_, first)) => {
                        let problem = Diagnostic::error("form.unreachable", "the same value is offered twice");
                        self.problems.push(problem.label(item.span, "again here").label(*first, "first here"));
                    }
                    None => seen.push((value, item.span)),
                }
            }
        }
        let default = literal_default(field).filter(|value| !value.is_null() && !options.allow_other);
        let (Some(default), Some(choices)) = (default, literal_options(field)) else { return };
        let is_one = |value: &Value| choices.iter().any(|(choice, _)| same(choice, value));
        let is_offered = match default.items() {
            Some(items) if field.widget.is_multiple => items.iter().all(is_one),
            _ => is_one(default),
        };
        if !is_offered && let Some(Default::Expression(expression)) = &field.default {
            let message = format!("the default of `{}` is not among its options", field.name);
            let near =
                default.as_str().and_then(|text| suggest(text, choices.iter().filter_map(|(value, _)| value.as_str())));
            let problem = Diagnostic::error("form.default", message).label(expression.span, "the default");
            self.problems.push(match near {
                Some(near) => problem.help(format!("did you mean `{near}`?")),
                None => problem.label(options.span, "the options"),
            });
        }
    }

    fn contradiction(&mut self, span: Span, what: &str) {
        self.problems.push(Diagnostic::error("form.contradiction", format!("nothing can hold here: {what}")).at(span));
    }

    /// Looks for limits that leave nothing, and for defaults beyond them.
    fn limits(&mut self, field: &Field) {
        let constant = |bound: &Option<Expression>| {
            let value = bound.as_ref()?.constant()?;
            value.as_number().cloned()
        };
        let (mut least, mut most): (Option<Number>, Option<Number>) = (None, None);
        let (mut fewest, mut longest): (Option<u64>, Option<u64>) = (None, None);
        for validator in field.validators.iter().filter(|validator| validator.when.is_none()) {
            match &validator.check {
                Check::Range { min, max } => {
                    least = least.into_iter().chain(constant(min)).max();
                    most = most.into_iter().chain(constant(max)).min();
                    if least.is_some() && most.is_some() && least > most {
                        self.contradiction(validator.span, "the least is more than the most");
                    }
                }
                Check::Length { min, max } => {
                    fewest = fewest.into_iter().chain(*min).max();
                    longest = longest.into_iter().chain(*max).min();
                    if fewest.is_some() && longest.is_some() && fewest > longest {
                        self.contradiction(validator.span, "the fewest are more than the most");
                    }
                }
                Check::Enum(list) => {
                    if let (Some(allowed), Some(choices)) = (list.constant(), literal_options(field)) {
                        for (choice, span) in choices {
                            if !allowed.elements().any(|one| same(one, choice)) {
                                let problem =
                                    Diagnostic::error("form.unreachable", "this option is refused by a validator");
                                self.problems.push(problem.label(span, "offered").label(list.span, "not allowed"));
                            }
                        }
                    }
                }
                _ => {}
            }
        }
        let Some(Default::Expression(expression)) = &field.default else { return };
        let Some(value) = expression.constant().filter(|value| !value.is_null()) else { return };
        if convert(value, &field.ty).is_err() {
            self.misfit(expression.span, "default", &field.ty, &value.ty());
        }
        let number = value.as_number();
        let is_beyond = number.is_some_and(|number| {
            least.as_ref().is_some_and(|least| number < least) || most.as_ref().is_some_and(|most| number > most)
        });
        let length = value.as_str().map(|text| text.chars().count() as u64).filter(|length| *length > 0);
        let is_wrong_length = length.is_some_and(|length| {
            fewest.is_some_and(|fewest| length < fewest) || longest.is_some_and(|longest| length > longest)
        });
        let wrong_form = field.validators.iter().filter(|validator| validator.when.is_none()).any(|validator| {
            match (&validator.check, value.as_str()) {
                (Check::Pattern(regex), Some(text)) => !text.is_empty() && !regex.is_match(text),
                (Check::Format(format), Some(text)) => !text.is_empty() && !format.matches(text),
                _ => false,
            }
        });
        let wrong_widget = field
            .widget
            .format
            .zip(value.as_str())
            .is_some_and(|(format, text)| !text.is_empty() && !format.matches(text));
        if is_beyond || is_wrong_length || wrong_form || wrong_widget {
            let message = format!("the default of `{}` is refused by its own validators", field.name);
            self.problems.push(Diagnostic::error("form.default", message).at(expression.span));
        }
    }

    /// Looks for secrets that are written down, or leave by another door.
    fn secrets(&mut self, field: &Field) {
        if field.secret {
            let is_written = literal_default(field).and_then(Value::as_str).is_some_and(|text| !text.is_empty());
            if let (true, Some(Default::Expression(expression))) = (is_written, &field.default) {
                let message = format!("the secret `{}` is written into the form", field.name);
                let problem = Diagnostic::error("form.literal_secret", message).at(expression.span);
                self.problems
                    .push(problem.help("leave it to people, or generate it: `default: { generate: password }`"));
            }
            return;
        }
        let mut leaks: Vec<(Arc<str>, Span)> = Vec::new();
        let mut look = |expression: &Expression| {
            for path in &expression.references {
                if self.targets(path).iter().any(|target| target.secret) {
                    leaks.push((Arc::clone(&path.field), path.span));
                }
            }
        };
        field.props.values().for_each(&mut look);
        if let Some(Default::Expression(expression)) = &field.default {
            look(expression);
        }
        if let Some(OptionSource::Data(data)) = field.options.as_ref().map(|options| &options.from) {
            data.params.values().for_each(&mut look);
        }
        for (name, span) in leaks {
            let message = format!("the secret `{name}` would be shown, or sent away, by `{}`", field.name);
            self.problems.push(Diagnostic::error("form.secret", message).at(span));
        }
    }

    /// Looks for texts that lack a locale that the form has.
    fn locales(&mut self) {
        let mut texts: Vec<(&Text, Span)> = self.form.title.iter().map(|text| (text, self.form.span)).collect();
        each_text(&self.form.fields, &mut texts);
        for group in &self.form.groups {
            texts.extend(group.label.iter().chain(&group.description).map(|text| (text, group.span)));
        }
        for step in &self.form.steps {
            texts.extend(step.label.iter().chain(&step.description).map(|text| (text, step.span)));
        }
        for preset in &self.form.presets {
            texts.extend(preset.label.iter().chain(&preset.description).map(|text| (text, preset.span)));
        }
        let mut wanted: BTreeSet<&Arc<str>> = self.form.locales.iter().collect();
        if wanted.is_empty() {
            wanted = texts.iter().flat_map(|(text, _)| text.locales()).collect();
        }
        for (text, span) in texts {
            let own: BTreeSet<&Arc<str>> = text.locales().collect();
            let lacks: Vec<String> = wanted.difference(&own).map(|locale| format!("`{locale}`")).collect();
            let is_asked = !own.is_empty() || !self.form.locales.is_empty();
            if is_asked && !lacks.is_empty() {
                let message = format!("a text here is not there in {}", lacks.join(", "));
                self.problems.push(Diagnostic::warning("form.locale", message).at(span));
            }
        }
    }
}

fn each_text<'a>(set: &'a Fields, texts: &mut Vec<(&'a Text, Span)>) {
    for field in &set.list {
        let own = [&field.label, &field.description, &field.placeholder, &field.incomplete_tips];
        texts.extend(own.into_iter().flatten().map(|text| (text, field.span)));
        texts.extend(field.validators.iter().filter_map(|rule| Some((rule.message.as_ref()?, rule.span))));
        if let Some(OptionSource::Inline(items)) = field.options.as_ref().map(|options| &options.from) {
            texts.extend(
                items.iter().flat_map(|item| item.label.iter().chain(&item.description).map(|text| (text, item.span))),
            );
        }
        if let Some(list) = &field.list {
            each_text(&list.fields, texts);
        }
    }
}

/// Returns whether an expression decides by itself what to do about what is absent.
fn guards(expr: &Expr) -> bool {
    let own = match &expr.kind {
        ExprKind::Conditional(_) => true,
        ExprKind::Call(call) => matches!(&*call.full_name(), "coalesce" | "try" | "can" | "coalescelist"),
        ExprKind::Binary(binary) => [&binary.left, &binary.right]
            .into_iter()
            .any(|side| matches!(side.unparen().kind, ExprKind::Literal(crate::template::syntax::Literal::Null))),
        _ => false,
    };
    let mut found = own;
    expr.for_each_child(&mut |child, _| found |= guards(child));
    found
}
