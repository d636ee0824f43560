//! What a person sees: problems, questions and progress.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    io::{self, BufRead as _, IsTerminal as _, Write as _},
    time::{Duration, Instant},
};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use serde_json::json;
use stackwright::{
    error::{Error, RenderOptions, Sources, render_all},
    event::{Event, Recorded, StepOutcome},
};

/// Writes a line to standard output. A reader that went away is no reason to stop, least of all in the middle of a run;
/// `println!` would panic.
#[macro_export]
macro_rules! say {
    ($($text:tt)*) => { $crate::terminal::write(&mut std::io::stdout(), format_args!($($text)*), "\n") };
}

/// Writes to standard output without ending the line; as [`say`].
#[macro_export]
macro_rules! say_part {
    ($($text:tt)*) => { $crate::terminal::write(&mut std::io::stdout(), format_args!($($text)*), "") };
}

/// Writes a line to standard error; as [`say`].
#[macro_export]
macro_rules! say_error {
    ($($text:tt)*) => { $crate::terminal::write(&mut std::io::stderr(), format_args!($($text)*), "\n") };
}

pub(crate) fn write(stream: &mut (impl io::Write + io::IsTerminal), text: std::fmt::Arguments<'_>, end: &str) {
    let text = format!("{text}{end}");
    let text = if stream.is_terminal() { harmless(&text) } else { text.into() };
    let _ = stream.write_all(text.as_bytes());
}

/// Replaces what could play tricks on a terminal: texts may come from a template, a command or a cloud that nobody trusts.
/// Colours stay.
fn harmless(text: &str) -> Cow<'_, str> {
    let plays = |char: char| char.is_control() && !matches!(char, '\n' | '\t');
    if !text.contains(plays) {
        return text.into();
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(plays) {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        let color = from.strip_prefix("\u{1b}[").and_then(|tone| {
            let end = tone.find(|char: char| !char.is_ascii_digit() && char != ';')?;
            tone.get(end..)?.starts_with('m').then_some(2 + end + 1)
        });
        let len = color.unwrap_or_else(|| from.chars().next().map_or(0, char::len_utf8));
        match color {
            Some(len) => out.push_str(from.get(..len).unwrap_or_default()),
            None => out.push(char::REPLACEMENT_CHARACTER),
        }
        rest = from.get(len..).unwrap_or_default();
    }
    out.push_str(rest);
    out.into()
}

/// How things are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    /// Text with colours and lines that change.
    Lively,
    /// Text with colours, lines stay.
    Colored,
    /// Text alone.
    Plain,
    /// One JSON object a line.
    Json,
}

impl Style {
    /// Returns what fits standard output and what was asked for.
    pub(crate) fn choose(no_color: bool, json: bool) -> Self {
        let terminal = io::stdout().is_terminal();
        let dumb = std::env::var("TERM").is_ok_and(|term| term == "dumb");
        let colorless = no_color || std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        match (json, terminal && !dumb, colorless) {
            (true, ..) => Self::Json,
            (false, false, _) => Self::Plain,
            (false, true, true) => Self::Plain,
            (false, true, false) if io::stderr().is_terminal() => Self::Lively,
            (false, true, false) => Self::Colored,
        }
    }

    /// Returns whether colours are written.
    pub(crate) fn color(self) -> bool {
        matches!(self, Self::Lively | Self::Colored)
    }

    /// Returns `text` in a colour (an SGR number), where colours are written.
    pub(crate) fn paint(self, tone: &str, text: &str) -> String {
        if self.color() { format!("\u{1b}[{tone}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}

/// Writes an error to standard error: its diagnostics with their places, or its message with its causes.
pub(crate) fn report(error: &Error, sources: &Sources, style: Style) {
    if style == Style::Json {
        say!("{}", error_json(error, sources));
        return;
    }
    let options = RenderOptions { color: style.color() && io::stderr().is_terminal() };
    if error.diagnostics().is_empty() {
        let head = if options.color {
            style.paint("1;31", &format!("error[{}]", error.code()))
        } else {
            format!("error[{}]", error.code())
        };
        say_error!("{head}: {}", error.report());
    } else {
        say_error!("{}", render_all(error.diagnostics(), sources, options).trim_end());
    }
}

/// Returns an error as JSON.
pub(crate) fn error_json(error: &Error, sources: &Sources) -> serde_json::Value {
    let diagnostics: Vec<_> =
        error.diagnostics().iter().map(|diagnostic| diagnostic_json(diagnostic, sources)).collect();
    json!({
        "type": "error",
        "code": error.code(),
        "kind": error.kind().as_str(),
        "message": error.report(),
        "diagnostics": diagnostics,
    })
}

/// Returns a diagnostic as JSON, with Terraform's `severity`, `summary`, `detail` and `range`.
pub(crate) fn diagnostic_json(diagnostic: &stackwright::error::Diagnostic, sources: &Sources) -> serde_json::Value {
    let range = diagnostic.span().map(|span| {
        let (start, end) = (sources.position(span), sources.end_position(span));
        json!({
            "filename": sources.name(span.source),
            "start": { "line": start.line, "column": start.column, "byte": span.start },
            "end": { "line": end.line, "column": end.column, "byte": span.end },
        })
    });
    let severity = if diagnostic.is_error() { "error" } else { "warning" };
    json!({
        "severity": severity,
        "code": diagnostic.code,
        "summary": diagnostic.message,
        "detail": diagnostic.help.clone().unwrap_or_default(),
        "address": diagnostic.address,
        "range": range,
    })
}

/// Asks for `yes`. Anything else, and the end of input, means no.
pub(crate) fn confirm(question: &str) -> bool {
    say_part!("\n{question}\n  Only 'yes' will be accepted to approve.\n\n  Enter a value: ");
    let _ = io::stdout().flush();
    let mut line = String::new();
    let read = io::stdin().lock().read_line(&mut line).unwrap_or(0);
    say!("");
    read > 0 && line.trim() == "yes"
}

/// Shows events: one live line for each running step and a bar for all on a terminal, lines that stay elsewhere.
pub(crate) struct Progress {
    style: Style,
    live: Option<Live>,
    started: BTreeMap<String, Instant>,
}

struct Live {
    screen: MultiProgress,
    total: Option<ProgressBar>,
    lines: BTreeMap<String, ProgressBar>,
}

impl Progress {
    pub(crate) fn new(style: Style) -> Self {
        let live = (style == Style::Lively).then(|| Live {
            screen: MultiProgress::new(),
            total: None,
            lines: BTreeMap::new(),
        });
        Self { style, live, started: BTreeMap::new() }
    }

    /// Shows one event.
    pub(crate) fn show(&mut self, recorded: &Recorded) {
        if self.style == Style::Json {
            if let Ok(line) = serde_json::to_string(recorded) {
                say!("{line}");
            }
            return;
        }
        match &recorded.event {
            Event::RunStarted { step_count, resumed, run } => self.begin(*step_count, *resumed, run),
            Event::RefreshStarted { address } => self.line(address, "Reading"),
            Event::RefreshFinished { address, .. } => self.close(address),
            Event::EphemeralStarted { address, action } => {
                self.say(&format!("{}: {}...", self.style.paint("1", address), doing(action)));
            }
            Event::EphemeralFinished { address, action, code: None, elapsed_ms, .. } => {
                let seconds = Duration::from_millis(*elapsed_ms).as_secs_f64();
                self.say(&format!("{}: {} complete after {seconds:.1}s", self.style.paint("1", address), done(action)));
            }
            Event::StepStarted { address, action, attempt, .. } => {
                self.started.insert(address.clone(), Instant::now());
                let verb = doing(action);
                let note = if *attempt > 1 { format!(" (attempt {attempt})") } else { String::new() };
                self.line(address, verb);
                self.say(&format!("{}: {verb}...{note}", self.style.paint("1", address)));
            }
            Event::StepProgress { address, message, .. } => {
                self.hint(address, message);
                if self.live.is_none() {
                    self.say(&format!("{}: {message}", self.style.paint("1", address)));
                }
            }
            Event::StepApplied { address, .. } => self.hint(address, "waiting until it works"),
            Event::StepRetrying { address, message, delay_ms, .. } => {
                let seconds = Duration::from_millis(*delay_ms).as_secs_f64();
                self.say(&format!("{}: {message}; trying again in {seconds:.1} s", self.style.paint("1", address)));
            }
            Event::StepFinished { address, action, outcome, message, code, elapsed_ms, .. } => {
                self.close(address);
                self.finish(address, action, *outcome, message.as_deref(), code.as_deref(), *elapsed_ms);
            }
            Event::OrderPlaced { line_count, due, .. } => {
                let due =
                    if due.is_empty() { "nothing is due now".to_owned() } else { format!("{} due", due.join(", ")) };
                self.say(&format!("Ordered: {line_count} lines, {due}."));
            }
            Event::OrderPaid { .. } => self.say("Paid; waiting for delivery."),
            Event::OrderCancelled { .. } => self.say("The order was taken back; nothing was paid."),
            Event::OrderDelivered { address, .. } => {
                self.say(&format!("{}: delivered", self.style.paint("1", address)));
            }
            Event::OrderRefunded { address, amount, .. } => {
                let amount = if amount.is_empty() { "nothing was due".to_owned() } else { amount.join(", ") };
                self.say(&format!("{}: paid back: {amount}", self.style.paint("1", address)));
            }
            Event::CancelRequested { running } => {
                self.say(&format!(
                    "Stopping: {running} running steps are finished, none is started. Interrupt again to stop at once."
                ));
            }
            Event::RollbackStarted { step_count, .. } => {
                self.say(&format!("Undoing what was done: {step_count} changes."));
            }
            Event::Problem { diagnostic } => self.say(&format!("{}: {}", diagnostic.code, diagnostic.message)),
            Event::RunFinished { .. } => self.end(),
            _ => {}
        }
    }

    fn begin(&mut self, step_count: u64, resumed: bool, run: &str) {
        if resumed {
            self.say(&format!("Resuming run {run}: {step_count} steps are left."));
        }
        if let Some(live) = &mut self.live {
            let bar = live.screen.add(ProgressBar::new(step_count));
            let style = ProgressStyle::with_template("{bar:32.green/dim} {pos}/{len} steps, {elapsed}");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("━╸─"));
            bar.enable_steady_tick(Duration::from_millis(100));
            live.total = Some(bar);
        }
    }

    fn line(&mut self, address: &str, verb: &str) {
        let Some(live) = &mut self.live else { return };
        let bar = match &live.total {
            Some(total) => live.screen.insert_before(total, ProgressBar::new_spinner()),
            None => live.screen.add(ProgressBar::new_spinner()),
        };
        let style = ProgressStyle::with_template("  {spinner:.cyan} {prefix:.bold} {msg} {elapsed:.dim}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
        bar.set_prefix(address.to_owned());
        bar.set_message(verb.to_lowercase());
        bar.enable_steady_tick(Duration::from_millis(120));
        live.lines.insert(address.to_owned(), bar);
    }

    fn hint(&mut self, address: &str, message: &str) {
        if let Some(bar) = self.live.as_ref().and_then(|live| live.lines.get(address)) {
            bar.set_message(harmless(message).into_owned());
        }
    }

    fn close(&mut self, address: &str) {
        if let Some(bar) = self.live.as_mut().and_then(|live| live.lines.remove(address)) {
            bar.finish_and_clear();
        }
    }

    fn finish(
        &mut self,
        address: &str,
        action: &str,
        outcome: StepOutcome,
        message: Option<&str>,
        code: Option<&str>,
        elapsed_ms: u64,
    ) {
        let seconds = Duration::from_millis(elapsed_ms).as_secs_f64();
        let bold = self.style.paint("1", address);
        let text = match outcome {
            StepOutcome::Done => format!("{bold}: {} complete after {seconds:.1}s", done(action)),
            // How many were not started is said at the end.
            StepOutcome::Skipped => return,
            _ => {
                let code = code.map_or_else(String::new, |code| format!("[{code}]"));
                let word = if outcome == StepOutcome::Uncertain { "uncertain" } else { "failed" };
                format!(
                    "{bold}: {} {}",
                    self.style.paint("1;31", &format!("{word}{code}:")),
                    message.unwrap_or("no reason given")
                )
            }
        };
        self.say(&text);
        if let Some(total) = self.live.as_ref().and_then(|live| live.total.as_ref()) {
            total.inc(1);
        }
    }

    /// Writes a line that stays.
    fn say(&self, text: &str) {
        match &self.live {
            Some(live) => {
                if live.screen.println(harmless(text)).is_err() {
                    say!("{text}");
                }
            }
            None => say!("{text}"),
        }
    }

    /// Takes everything that moves off the screen.
    pub(crate) fn end(&mut self) {
        if let Some(live) = &mut self.live {
            for bar in live.lines.values().chain(&live.total) {
                bar.finish_and_clear();
            }
            live.lines.clear();
            live.total = None;
        }
    }
}

fn doing(action: &str) -> &'static str {
    match action {
        "create" => "Creating",
        "read" => "Reading",
        "update" => "Modifying",
        "delete" => "Destroying",
        "forget" => "Forgetting",
        "wait" => "Waiting",
        "open" => "Opening",
        "renew" => "Renewing",
        "close" => "Closing",
        _ => "Working",
    }
}

fn done(action: &str) -> &'static str {
    match action {
        "create" => "Creation",
        "read" => "Read",
        "update" => "Modifications",
        "delete" => "Destruction",
        "forget" => "Forgetting",
        "wait" => "Wait",
        "open" => "Opening",
        "renew" => "Renewal",
        "close" => "Closing",
        _ => "Work",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_colours_reach_a_terminal() {
        for (text, expected) in [
            ("plain\n\ttext", "plain\n\ttext"),
            ("\u{1b}[1;31mred\u{1b}[0m", "\u{1b}[1;31mred\u{1b}[0m"),
            ("\u{1b}[2Jcleared", "\u{fffd}[2Jcleared"),
            ("\u{1b}]0;title\u{7}", "\u{fffd}]0;title\u{fffd}"),
            ("over\rwritten\u{8}", "over\u{fffd}written\u{fffd}"),
            ("\u{9b}1A", "\u{fffd}1A"),
            ("ends with \u{1b}", "ends with \u{fffd}"),
            ("ends with \u{1b}[1", "ends with \u{fffd}[1"),
        ] {
            assert_eq!(harmless(text), expected);
        }
    }
}
