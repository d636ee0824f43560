use super::{
    lines::{Pair, align},
    paint::{Paper, Sign, Tone},
    parts::{Part, fields, members, sequence, sign_of},
    quote::{json_value, lines, quoted, visible},
};
use crate::value::{Kind, Marks, Path, Value};

/// Writes values and what differs between two of them.
pub(super) struct Writer<'a> {
    pub(super) paper: &'a mut Paper,
    /// Paths that force replacement.
    pub(super) forces: &'a [Path],
    path: Path,
}

impl<'a> Writer<'a> {
    pub(super) fn new(paper: &'a mut Paper, forces: &'a [Path]) -> Self {
        Self { paper, forces, path: Path::root() }
    }

    /// Writes the attributes of an object, one a line, those that do not change as a count.
    pub(super) fn attributes(&mut self, depth: usize, before: Option<&Value>, after: Option<&Value>) {
        let hidden = before.into_iter().chain(after).fold(Marks::NONE, |marks, value| marks | value.marks());
        if !hidden.is_empty() {
            self.paper.begin(depth, sign_of(before, after));
            self.hidden(hidden);
            self.paper.end();
            return;
        }
        self.parts(depth, fields(before, after, false), "attribute");
    }

    /// Writes one line (or several) for a value with a name.
    pub(super) fn named(&mut self, depth: usize, label: &str, before: Option<&Value>, after: Option<&Value>) {
        self.paper.begin(depth, sign_of(before, after));
        self.paper.put(label);
        self.paper.put(" = ");
        self.difference(depth, before, after);
        self.paper.end();
    }

    fn parts(&mut self, depth: usize, parts: Vec<Part<'_>>, noun: &str) {
        let hidden = parts.iter().filter(|part| part.sign() == Sign::Same && part.before.is_some_and(|v| !v.is_null()));
        let hidden = hidden.count();
        let shown: Vec<Part<'_>> = parts.into_iter().filter(|part| part.sign() != Sign::Same).collect();
        let width = shown.iter().map(|part| part.label.chars().count()).max().unwrap_or(0);
        for part in shown {
            self.paper.begin(depth, part.sign());
            if !part.label.is_empty() {
                self.paper.put(format_args!("{:width$} = ", part.label));
            }
            let pushed = part.step.is_some();
            if let Some(step) = part.step {
                self.path.push(step);
            }
            self.difference(depth, part.before, part.after);
            if pushed {
                self.path.pop();
            }
            if part.label.is_empty() {
                self.paper.put(",");
            }
            self.paper.end();
        }
        if hidden > 0 {
            self.paper.begin(depth, Sign::Same);
            let plural = if hidden == 1 { "" } else { "s" };
            self.paper.paint(Tone::Dim, format_args!("# ({hidden} unchanged {noun}{plural})"));
            self.paper.end();
        }
    }

    /// Writes what becomes of a value, behind its name; the line is left open.
    fn difference(&mut self, depth: usize, before: Option<&Value>, after: Option<&Value>) {
        let before = before.filter(|value| !value.is_null());
        let after = after.filter(|value| !value.is_null());
        match (before, after) {
            (None, None) => self.paper.put("null"),
            (None, Some(value)) => self.whole(depth, value, Sign::Add),
            (Some(value), None) => self.whole(depth, value, Sign::Remove),
            (Some(before), Some(after)) => self.change(depth, before, after),
        }
    }

    fn change(&mut self, depth: usize, before: &Value, after: &Value) {
        let marks = before.marks() | after.marks();
        if !marks.is_empty() {
            self.hidden(marks);
            if before.unmark_deep().0.same(&after.unmark_deep().0) {
                self.paper.paint(Tone::Dim, "  # only what is marked changes");
            }
            self.suffix();
            return;
        }
        match (before.kind(), after.kind()) {
            (_, Kind::Unknown(_)) => {
                self.short(before);
                self.paper.put(" -> ");
                self.unknown();
                self.suffix();
            }
            (Kind::Object(_), Kind::Object(_)) => {
                self.brackets(depth, "{", "}", |this| {
                    this.parts(depth + 1, fields(Some(before), Some(after), false), "attribute");
                });
            }
            (Kind::Map(_), Kind::Map(_)) => self.brackets(depth, "{", "}", |this| {
                this.parts(depth + 1, fields(Some(before), Some(after), true), "element");
            }),
            (Kind::Set(_), Kind::Set(_)) => {
                self.brackets(depth, "[", "]", |this| this.parts(depth + 1, members(before, after), "element"));
            }
            (Kind::List(_) | Kind::Tuple(_), Kind::List(_) | Kind::Tuple(_)) => {
                self.brackets(depth, "[", "]", |this| this.parts(depth + 1, sequence(before, after), "element"));
            }
            (Kind::String(old), Kind::String(new)) => self.texts(depth, old, new),
            _ => {
                self.short(before);
                self.paper.put(" -> ");
                self.whole(depth, after, Sign::Add);
            }
        }
    }

    fn texts(&mut self, depth: usize, old: &str, new: &str) {
        if let (Some(before), Some(after)) = (json_value(old), json_value(new)) {
            self.paper.put("jsonencode(");
            if before.same(&after) {
                self.paper.paint(Tone::Dim, "# only white space or the order of keys changes");
            } else {
                self.change(depth, &before, &after);
            }
            self.paper.put(")");
            return;
        }
        if !old.contains('\n') && !new.contains('\n') {
            self.paper.put(format_args!("{} -> {}", quoted(old), quoted(new)));
            self.suffix();
            return;
        }
        self.paper.put("<<-EOT");
        self.suffix();
        self.paper.end();
        let (before, after): (Vec<&str>, Vec<&str>) = (lines(old), lines(new));
        let pairs = align(before.len(), after.len(), |a, b| before.get(a) == after.get(b));
        self.text_lines(depth + 1, &pairs, &before, &after);
        self.paper.begin(depth, Sign::Same);
        self.paper.put("EOT");
    }

    /// Writes lines of two texts; of long stretches that are the same only what is near a change.
    fn text_lines(&mut self, depth: usize, pairs: &[Pair], before: &[&str], after: &[&str]) {
        const NEAR: usize = 2;
        let is_same = |idx: usize| matches!(pairs.get(idx), Some(Pair::Same(..)));
        let near = |idx: usize| {
            let from = idx.saturating_sub(NEAR);
            (from..=idx + NEAR).any(|other| other < pairs.len() && !is_same(other))
        };
        let mut skipped = 0_usize;
        for (idx, pair) in pairs.iter().enumerate() {
            let (sign, line) = match pair {
                Pair::Same(at, _) if near(idx) => (Sign::Same, before.get(*at)),
                Pair::Same(..) => {
                    skipped += 1;
                    continue;
                }
                Pair::Old(at) => (Sign::Remove, before.get(*at)),
                Pair::New(at) => (Sign::Add, after.get(*at)),
            };
            self.skipped_lines(depth, &mut skipped);
            self.paper.begin(depth, sign);
            self.paper.put(visible(line.copied().unwrap_or_default()));
            self.paper.end();
        }
        self.skipped_lines(depth, &mut skipped);
    }

    fn skipped_lines(&mut self, depth: usize, skipped: &mut usize) {
        if *skipped > 0 {
            self.paper.begin(depth, Sign::Same);
            let plural = if *skipped == 1 { "" } else { "s" };
            self.paper.paint(Tone::Dim, format_args!("# ({skipped} unchanged line{plural})"));
            self.paper.end();
            *skipped = 0;
        }
    }

    /// Writes all of a value that appears or goes.
    fn whole(&mut self, depth: usize, value: &Value, sign: Sign) {
        if !value.marks().is_empty() {
            self.hidden(value.marks());
            self.suffix();
            return;
        }
        let side = |value| if sign == Sign::Remove { (Some(value), None) } else { (None, Some(value)) };
        match value.kind() {
            Kind::Unknown(_) => {
                self.unknown();
                self.suffix();
            }
            Kind::Map(fields) | Kind::Object(fields) if fields.is_empty() => self.paper.put("{}"),
            Kind::List(items) | Kind::Set(items) | Kind::Tuple(items) if items.is_empty() => self.paper.put("[]"),
            Kind::Map(_) | Kind::Object(_) => {
                let (before, after) = side(value);
                let quote = matches!(value.kind(), Kind::Map(_));
                self.brackets(depth, "{", "}", |this| this.parts(depth + 1, fields(before, after, quote), "attribute"));
            }
            Kind::List(items) | Kind::Set(items) | Kind::Tuple(items) => {
                let parts = items.iter().map(|item| {
                    let (before, after) = side(item);
                    Part { label: String::new(), step: None, before, after }
                });
                let parts = parts.collect();
                self.brackets(depth, "[", "]", |this| this.items(depth + 1, parts, sign));
            }
            Kind::String(text) => match json_value(text) {
                Some(json) => {
                    self.paper.put("jsonencode(");
                    self.whole(depth, &json, sign);
                    self.paper.put(")");
                }
                None if text.contains('\n') => {
                    self.paper.put("<<-EOT");
                    self.suffix();
                    self.paper.end();
                    for line in lines(text) {
                        self.paper.begin(depth + 1, Sign::Same);
                        self.paper.put(visible(line));
                        self.paper.end();
                    }
                    self.paper.begin(depth, Sign::Same);
                    self.paper.put("EOT");
                }
                None => {
                    self.paper.put(quoted(text));
                    self.suffix();
                }
            },
            _ => {
                self.short(value);
                self.suffix();
            }
        }
    }

    /// Writes all elements of a list that appears or goes, nulls included.
    fn items(&mut self, depth: usize, parts: Vec<Part<'_>>, sign: Sign) {
        for part in parts {
            self.paper.begin(depth, sign);
            self.difference(depth, part.before, part.after);
            self.paper.put(",");
            self.paper.end();
        }
    }

    fn brackets(&mut self, depth: usize, open: &str, close: &str, inside: impl FnOnce(&mut Self)) {
        self.paper.put(open);
        self.suffix();
        self.paper.end();
        inside(self);
        self.paper.begin(depth, Sign::Same);
        self.paper.put(close);
    }

    /// Writes a value on one line; containers only as a count.
    fn short(&mut self, value: &Value) {
        if !value.marks().is_empty() {
            self.hidden(value.marks());
            return;
        }
        let count = |count: usize, noun: &str| format!("({count} {noun}{})", if count == 1 { "" } else { "s" });
        match value.kind() {
            Kind::Null(_) => self.paper.put("null"),
            Kind::Unknown(_) => self.unknown(),
            Kind::Bool(value) => self.paper.put(value),
            Kind::Number(number) => self.paper.put(number),
            Kind::String(text) if text.contains('\n') => self.paper.put(count(lines(text).len(), "line")),
            Kind::String(text) => self.paper.put(quoted(text)),
            Kind::List(items) | Kind::Set(items) | Kind::Tuple(items) => self.paper.put(count(items.len(), "element")),
            Kind::Map(fields) => self.paper.put(count(fields.len(), "element")),
            Kind::Object(fields) => self.paper.put(count(fields.len(), "attribute")),
        }
    }

    fn hidden(&mut self, marks: Marks) {
        let text = if marks.contains(Marks::SENSITIVE) { "(sensitive value)" } else { "(ephemeral value)" };
        self.paper.paint(Tone::Dim, text);
    }

    fn unknown(&mut self) {
        self.paper.paint(Tone::Dim, "(known after apply)");
    }

    /// Says that the value at hand forces replacement, where it does.
    fn suffix(&mut self) {
        if !self.path.is_empty() && self.forces.contains(&self.path) {
            self.paper.paint(Tone::Red, "  # forces replacement");
        }
    }
}
