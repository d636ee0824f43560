use std::fmt;

use super::{
    paint::{Paper, Sign, Tone},
    parts::sign_of,
    quote::quoted,
    value::Writer,
};
use crate::{
    plan::{Action, Change, DriftKind, Mode, OutputChange, Plan, Reason},
    value::{Marks, Path, Value},
};

/// How a plan is written.
#[derive(Clone, Copy, Debug, Default)]
pub struct TextOptions {
    /// With ANSI colours, for a terminal.
    pub color: bool,
}

impl Plan {
    /// Returns the plan as a page for people, with a line feed at its end. Holds no value that is marked.
    pub fn text(&self, options: TextOptions) -> String {
        let mut paper = Paper::new(options.color);
        drift(&mut paper, self);
        for change in self.changes.iter().filter(|change| shows(change)) {
            paragraph(&mut paper, change);
        }
        outputs(&mut paper, self);
        summary(&mut paper, self);
        paper.text
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text(TextOptions::default()))
    }
}

fn shows(change: &Change) -> bool {
    change.action != Action::NoOp || change.previous_address.is_some() || change.importing.is_some()
}

fn drift(paper: &mut Paper, plan: &Plan) {
    if plan.drift.is_empty() {
        return;
    }
    paper.paint(Tone::Bold, "Changed since the last run, by somebody else:");
    paper.put("\n\n");
    for drift in &plan.drift {
        match drift.kind {
            DriftKind::Vanished => {
                paper.sign(Sign::Remove);
                paper.put(format_args!(" {} is gone\n", drift.address));
            }
            DriftKind::Changed => {
                paper.sign(Sign::Change);
                paper.put(format_args!(" {} was changed\n", drift.address));
                Writer::new(paper, &[]).attributes(1, Some(&drift.before), drift.after.as_ref());
            }
        }
        paper.end();
    }
}

fn paragraph(paper: &mut Paper, change: &Change) {
    paper.sign(sign(change));
    paper.put(" ");
    paper.paint(Tone::Bold, &change.address);
    if change.deposed {
        paper.put(" (an older object)");
    }
    paper.put(" ");
    paper.put(verb(change));
    let why = why(change);
    if !why.is_empty() {
        paper.put(": ");
        paper.put(why);
    }
    paper.end();
    if let Some(previous) = &change.previous_address {
        paper.put("     ");
        paper.paint(Tone::Dim, format_args!("# moved from {previous}"));
        paper.end();
    }
    if let Some(id) = &change.importing {
        paper.put("     ");
        paper.paint(Tone::Dim, format_args!("# adopted by its id {}", quoted(id)));
        paper.end();
    }
    let (before, after) = match change.action {
        Action::NoOp | Action::Forget | Action::Wait => {
            paper.end();
            return;
        }
        Action::Create | Action::Read => (None, change.after.as_ref()),
        Action::Delete => (change.before.as_ref(), None),
        Action::Update | Action::Replace | Action::ReplaceCreateFirst => {
            (change.before.as_ref(), change.after.as_ref())
        }
    };
    Writer::new(paper, &change.replace_paths).attributes(1, before, after);
    paper.end();
}

fn sign(change: &Change) -> Sign {
    match change.action {
        Action::Create => Sign::Add,
        Action::Read => Sign::Read,
        Action::Update => Sign::Change,
        Action::Replace => Sign::DeleteCreate,
        Action::ReplaceCreateFirst => Sign::CreateDelete,
        Action::Delete => Sign::Remove,
        Action::Forget => Sign::Forget,
        Action::Wait => Sign::Wait,
        Action::NoOp if change.importing.is_some() => Sign::Adopt,
        Action::NoOp => Sign::Same,
    }
}

fn verb(change: &Change) -> &'static str {
    match change.action {
        Action::Create => "will be created",
        Action::Read => "will be read during apply",
        Action::Update if change.importing.is_some() => "will be adopted and updated",
        Action::Update => "will be updated in place",
        Action::Replace => "must be replaced",
        Action::ReplaceCreateFirst => "must be replaced, the new one first",
        Action::Delete => "will be deleted",
        Action::Forget => "will be forgotten; the object stays",
        Action::Wait => "stays as it is and will be waited for",
        Action::NoOp if change.importing.is_some() => "will be adopted",
        Action::NoOp => "has moved",
    }
}

/// Says in words why a change is planned; empty where the page says it anyway.
fn why(change: &Change) -> String {
    let words: Vec<String> = change.reasons.iter().filter_map(|reason| reason_text(reason, change.action)).collect();
    words.join("; ")
}

fn reason_text(reason: &Reason, action: Action) -> Option<String> {
    Some(match reason {
        Reason::NotInState => return None,
        Reason::Vanished => "the one that was there is gone".to_owned(),
        Reason::Changed { .. } if action == Action::Update => return None,
        Reason::Changed { paths } => format!("{} changes", path_list(paths)),
        Reason::ForcesReplacement { paths } => format!("{} cannot be changed in place", path_list(paths)),
        Reason::Tainted => "it may be half made (tainted)".to_owned(),
        Reason::Requested => "as requested".to_owned(),
        Reason::TriggeredBy { references } => format!("{} changes", code_list(references)),
        Reason::NotInTemplate => "it is not in the template any more".to_owned(),
        Reason::CountTooSmall { count } => format!("`count` is {count} now"),
        Reason::KeyRemoved => "its key is not in `for_each` any more".to_owned(),
        Reason::WrongRepetition => "`count` or `for_each` was added, removed or exchanged".to_owned(),
        Reason::NoMoveTarget => "it moved to where the template declares nothing".to_owned(),
        Reason::ModuleRemoved => "its module is not there any more".to_owned(),
        Reason::Destroying => return None,
        Reason::Deposed => "a newer object took its place".to_owned(),
        Reason::ConfigUnknown => "its configuration is not known yet".to_owned(),
        Reason::DependencyPending { addresses } => format!("it waits for {}", code_list(addresses)),
        Reason::CheckNested => "a check looks at it once more".to_owned(),
        Reason::NotReady => "it did not work yet when the last run ended".to_owned(),
        Reason::SensitivityChanged => "only what is marked as sensitive changes".to_owned(),
    })
}

fn path_list(paths: &[Path]) -> String {
    code_list(&paths.iter().map(|path| path.to_string().trim_start_matches('.').to_owned()).collect::<Vec<_>>())
}

fn code_list(items: &[String]) -> String {
    const MOST: usize = 3;
    let mut words: Vec<String> = items.iter().take(MOST).map(|item| format!("`{item}`")).collect();
    if items.len() > MOST {
        words.push(format!("{} more", items.len() - MOST));
    }
    match words.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => words.concat(),
    }
}

fn outputs(paper: &mut Paper, plan: &Plan) {
    let changed: Vec<(&String, &OutputChange)> =
        plan.outputs.iter().filter(|(_, change)| change.before != change.after).collect();
    if changed.is_empty() {
        return;
    }
    paper.paint(Tone::Bold, "Outputs:");
    paper.end();
    let width = changed.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    for (name, change) in changed {
        let hide = |value: &Option<Value>| {
            value.clone().map(|value| if change.sensitive { value.with_marks(Marks::SENSITIVE) } else { value })
        };
        let (before, after) = (hide(&change.before), hide(&change.after));
        if sign_of(before.as_ref(), after.as_ref()) != Sign::Same {
            Writer::new(paper, &[]).named(0, &format!("{name:width$}"), before.as_ref(), after.as_ref());
        }
    }
    paper.end();
}

/// How many objects a plan makes, changes and deletes; a replacement counts as one made and one deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Objects that are made.
    pub add: usize,
    /// Objects that are changed in place.
    pub change: usize,
    /// Objects that are deleted.
    pub delete: usize,
    /// Objects that are adopted.
    pub import: usize,
    /// Objects that are let go.
    pub forget: usize,
    /// Objects that are only waited for.
    pub wait: usize,
}

impl Plan {
    /// Returns how many objects it makes, changes and deletes.
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for change in &self.changes {
            counts.import += usize::from(change.importing.is_some());
            match change.action {
                Action::Create => counts.add += 1,
                Action::Update => counts.change += 1,
                Action::Delete => counts.delete += 1,
                Action::Forget => counts.forget += 1,
                Action::Wait => counts.wait += 1,
                Action::Replace | Action::ReplaceCreateFirst => {
                    counts.add += 1;
                    counts.delete += 1;
                }
                Action::Read | Action::NoOp => {}
            }
        }
        counts
    }
}

fn summary(paper: &mut Paper, plan: &Plan) {
    let counts = plan.counts();
    if !plan.steps.is_empty() || counts.import > 0 {
        paper.paint(Tone::Bold, "Plan:");
        paper.put(" ");
        if counts.import > 0 {
            paper.put(format_args!("{} to import, ", counts.import));
        }
        paper.put(format_args!("{} to add, {} to change, {} to destroy", counts.add, counts.change, counts.delete));
        if counts.forget > 0 {
            paper.put(format_args!(", {} to forget", counts.forget));
        }
        if counts.wait > 0 {
            paper.put(format_args!(", {} to wait for", counts.wait));
        }
        paper.put(".\n");
        return;
    }
    let text = match plan.mode {
        Mode::Destroy => "No changes. There is nothing to destroy.",
        _ if plan.changes_outputs() => "Only outputs change; no object does.",
        Mode::RefreshOnly if !plan.row_updates.is_empty() => {
            "State will be brought up to what is there; no object changes."
        }
        Mode::RefreshOnly => "No changes. State is what is there.",
        Mode::Normal if !plan.row_updates.is_empty() => {
            "No changes. What is there matches the template; state will be brought up to it."
        }
        Mode::Normal => "No changes. What is there matches the template.",
    };
    paper.paint(Tone::Bold, text);
    paper.end();
}
