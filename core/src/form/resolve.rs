//! Names become places: what each reference stands for, in which order fields are worked out, and what of that cannot be.

use std::{collections::BTreeMap, sync::Arc};

use crate::error::{Diagnostic, Span, suggest};

use super::{
    Condition, Default, Dialect, Expression, Field, Fields, Form, Group, OptionSource, Step,
    expression::Target,
    lint::{Facts, exclusive},
};

/// The most declarations of one name: each pair must be proved never to be there together.
const MAX_TWINS: usize = 32;

impl Fields {
    pub(super) fn new(list: Vec<Field>) -> Self {
        let mut names: BTreeMap<Arc<str>, Vec<usize>> = BTreeMap::new();
        for (idx, field) in list.iter().enumerate() {
            names.entry(Arc::clone(&field.name)).or_default().push(idx);
        }
        let names = names.into_iter().map(|(name, indices)| (name, Arc::from(indices))).collect();
        let order = (0..list.len()).collect();
        Self { list, names, order }
    }
}

/// Looks every reference up, orders fields, and reports what leads nowhere or in a circle.
pub(super) fn resolve(form: &mut Form, problems: &mut Vec<Diagnostic>) {
    let names = form.fields.names.clone();
    let (groups, steps) = (&mut form.groups, &mut form.steps);
    let scopes = [&names];
    for condition in groups.iter_mut().filter_map(|group| group.when.as_mut()) {
        condition.for_each_expression_mut(&mut |expression| look_up(expression, &scopes, problems));
    }
    for condition in steps.iter_mut().filter_map(|step| step.when.as_mut()) {
        condition.for_each_expression_mut(&mut |expression| look_up(expression, &scopes, problems));
    }
    fields(&mut form.fields, &[], &form.groups, &form.steps, problems);
    for preset in &mut form.presets {
        for (name, expression) in &mut preset.values {
            unknown_field(name, expression.span, &names, problems);
            if let Some(reference) = expression.references.first() {
                let problem = Diagnostic::error("form.value", "a preset's value cannot refer to fields");
                problems.push(problem.at(reference.span).help("write the value out"));
            }
        }
        for name in preset.locked.iter().chain(&preset.hidden) {
            unknown_field(name, preset.span, &names, problems);
        }
    }
    for (list, what) in [
        (form.presets.iter().map(|preset| (&preset.name, preset.span)).collect::<Vec<_>>(), "preset"),
        (form.groups.iter().map(|group| (&group.name, group.span)).collect(), "group"),
        (form.steps.iter().map(|step| (&step.name, step.span)).collect(), "step"),
    ] {
        let mut seen = BTreeMap::new();
        for (name, span) in list {
            if let Some(first) = seen.insert(name, span) {
                let problem = Diagnostic::error("form.duplicate", format!("there are two {what}s `{name}`"));
                problems.push(problem.label(span, "again here").label(first, "first here"));
            }
        }
    }
    duplicates(form, problems);
}

type Names = BTreeMap<Arc<str>, Arc<[usize]>>;

fn unknown_field(name: &str, span: Span, names: &Names, problems: &mut Vec<Diagnostic>) {
    if !names.contains_key(name) {
        problems.push(no_field(name, span, names.keys().map(|name| &**name)));
    }
}

fn no_field<'a>(name: &str, span: Span, known: impl Iterator<Item = &'a str>) -> Diagnostic {
    let problem = Diagnostic::error("form.reference", format!("there is no field `{name}`")).at(span);
    match suggest(name, known) {
        Some(near) => problem.help(format!("did you mean `{near}`?")),
        None => problem.help("references name fields of this form: `${field.attribute}`"),
    }
}

/// `scopes` are the names around, innermost first.
fn look_up(expression: &mut Expression, scopes: &[&Names], problems: &mut Vec<Diagnostic>) {
    for reference in &mut expression.references {
        let found = scopes.iter().enumerate().find_map(|(level, names)| Some((level, names.get(&reference.field)?)));
        match found {
            Some((level, fields)) => reference.target = Some(Target { level, fields: Arc::clone(fields) }),
            None => {
                let known = scopes.iter().flat_map(|names| names.keys()).map(|name| &**name);
                problems.push(no_field(&reference.field, reference.span, known));
            }
        }
    }
}

fn fields(set: &mut Fields, outer: &[&Names], groups: &[Group], steps: &[Step], problems: &mut Vec<Diagnostic>) {
    let names = set.names.clone();
    let scopes: Vec<&Names> = std::iter::once(&names).chain(outer.iter().copied()).collect();
    for field in &mut set.list {
        field.for_each_expression_mut(&mut |expression| look_up(expression, &scopes, problems));
        field.for_each_rule_expression_mut(&mut |expression| look_up(expression, &scopes, problems));
        if let Some(list) = &mut field.list {
            fields(&mut list.fields, &scopes, &[], &[], problems);
        }
    }
    order(set, groups, steps, problems);
}

/// Returns the fields beside it that a field's value hangs on, and where it says so.
pub(super) fn dependencies(field: &Field, groups: &[Group], steps: &[Step]) -> Vec<(usize, Span)> {
    let mut found = Vec::new();
    each_dependency(field, groups, steps, 0, &mut found);
    found
}

fn each_dependency(field: &Field, groups: &[Group], steps: &[Step], level: usize, found: &mut Vec<(usize, Span)>) {
    let mut add = |expression: &Expression| {
        for reference in &expression.references {
            if let Some(target) = reference.target.as_ref().filter(|target| target.level == level) {
                found.extend(target.fields.iter().map(|&idx| (idx, reference.span)));
            }
        }
    };
    field.for_each_expression(&mut add);
    let around: [Option<&Condition>; 2] = [
        field.group.and_then(|idx| groups.get(idx)).and_then(|group| group.when.as_ref()),
        field.step.and_then(|idx| steps.get(idx)).and_then(|step| step.when.as_ref()),
    ];
    around.into_iter().flatten().for_each(|condition| condition.for_each_expression(&mut add));
    if let Some(list) = &field.list {
        for inner in &list.fields.list {
            each_dependency(inner, &[], &[], level + 1, found);
        }
    }
}

/// Orders fields so that each stands behind what it looks at; a circle is reported and cut.
fn order(set: &mut Fields, groups: &[Group], steps: &[Step], problems: &mut Vec<Diagnostic>) {
    /// Fields of a circle that are named.
    const MOST: usize = 12;
    let edges: Vec<Vec<(usize, Span)>> = set.list.iter().map(|field| dependencies(field, groups, steps)).collect();
    let mut walk = Walk { edges: &edges, marks: vec![Mark::New; edges.len()], order: Vec::new(), circles: Vec::new() };
    for idx in 0..edges.len() {
        walk.visit(idx);
    }
    for circle in walk.circles {
        let name = |idx: usize| set.list.get(idx).map_or("?", |field| &field.name);
        let mut path: Vec<String> = circle.iter().map(|&(idx, _)| format!("`{}`", name(idx))).collect();
        path.extend(path.first().cloned());
        if path.len() > MOST {
            path.splice(MOST / 2..path.len() - MOST / 2, ["…".to_owned()]);
        }
        let mut problem = match circle.len() {
            1 => Diagnostic::error("form.cycle", format!("{} refers to itself", path.first().map_or("?", |name| name))),
            _ => Diagnostic::error("form.cycle", format!("fields wait for one another: {}", path.join(" → "))),
        };
        for &(_, span) in circle.iter().take(MOST) {
            problem = problem.label(span, "refers to the next");
        }
        problems
            .push(problem.help("rules about several fields belong into `validators`, which may refer to one another"));
    }
    set.order = walk.order;
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    New,
    Open,
    Done,
}

struct Walk<'a> {
    edges: &'a [Vec<(usize, Span)>],
    marks: Vec<Mark>,
    order: Vec<usize>,
    /// Fields in a circle, each with the place that refers to the next.
    circles: Vec<Vec<(usize, Span)>>,
}

impl Walk<'_> {
    fn mark(&self, idx: usize) -> Mark {
        self.marks.get(idx).copied().unwrap_or(Mark::Done)
    }

    fn set(&mut self, idx: usize, to: Mark) {
        if let Some(mark) = self.marks.get_mut(idx) {
            *mark = to;
        }
    }

    /// Visits without recursion: a document may chain thousands of fields.
    fn visit(&mut self, start: usize) {
        if self.mark(start) != Mark::New {
            return;
        }
        self.set(start, Mark::Open);
        // Fields on the way, each with the number of its edges that were looked at.
        let mut way: Vec<(usize, usize)> = vec![(start, 0)];
        while let Some(&mut (idx, ref mut next)) = way.last_mut() {
            let edge = self.edges.get(idx).and_then(|edges| edges.get(*next)).copied();
            *next += 1;
            match edge {
                None => {
                    self.set(idx, Mark::Done);
                    self.order.push(idx);
                    way.pop();
                }
                Some((to, _)) => match self.mark(to) {
                    Mark::New => {
                        self.set(to, Mark::Open);
                        way.push((to, 0));
                    }
                    Mark::Open => {
                        let from = way.iter().position(|&(idx, _)| idx == to).unwrap_or_default();
                        let circle = way.iter().skip(from).filter_map(|&(idx, next)| {
                            let &(_, span) = self.edges.get(idx)?.get(next.checked_sub(1)?)?;
                            Some((idx, span))
                        });
                        self.circles.push(circle.collect());
                    }
                    Mark::Done => {}
                },
            }
        }
    }
}

/// Reports names that are declared several times and might be there at once.
fn duplicates(form: &Form, problems: &mut Vec<Diagnostic>) {
    duplicates_in(&form.fields, form, problems);
}

fn duplicates_in(set: &Fields, form: &Form, problems: &mut Vec<Diagnostic>) {
    for indices in set.names.values().filter(|indices| indices.len() > 1) {
        let mut twins: Vec<&Field> = indices.iter().filter_map(|&idx| set.list.get(idx)).collect();
        if let Some(beyond) = twins.get(MAX_TWINS) {
            let message = format!("`{}` is declared more than {MAX_TWINS} times", beyond.name);
            problems.push(Diagnostic::error("form.duplicate", message).at(beyond.span));
            twins.truncate(MAX_TWINS);
        }
        let facts: Vec<Facts> = twins.iter().map(|field| Facts::of(field, &form.groups, &form.steps)).collect();
        for (idx, (twin, own)) in twins.iter().zip(&facts).enumerate() {
            let clash = twins.iter().zip(&facts).take(idx).find(|(_, other)| !exclusive(own, other));
            if let Some((first, _)) = clash {
                let message = format!("`{}` is declared twice, and both may be there at once", twin.name);
                problems.push(
                    Diagnostic::error("form.duplicate", message)
                        .label(twin.span, "again here")
                        .label(first.span, "first here")
                        .help("give each a `when` that cannot hold together with the other, such as `eq` with different values"),
                );
            }
        }
    }
    for list in set.list.iter().filter_map(|field| field.list.as_ref()) {
        duplicates_in(&list.fields, form, problems);
    }
}

impl Form {
    /// Returns whether the document is CloudApp's.
    pub(super) fn is_foreign(&self) -> bool {
        self.dialect == Dialect::CloudApp
    }
}

/// Returns the literal of a default.
pub(super) fn literal_default(field: &Field) -> Option<&crate::value::Value> {
    match &field.default {
        Some(Default::Expression(expression)) => expression.constant(),
        _ => None,
    }
}

/// Returns the values of options that are written out in full, and where each stands.
pub(super) fn literal_options(field: &Field) -> Option<Vec<(&crate::value::Value, Span)>> {
    let Some(OptionSource::Inline(items)) = field.options.as_ref().map(|options| &options.from) else { return None };
    items.iter().map(|item| Some((item.value.constant()?, item.span))).collect()
}
