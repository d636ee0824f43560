//! `app`: fill in the form of a package, and see what an installation costs.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, BufRead as _, IsTerminal as _, Write as _},
    path::Path,
    sync::Arc,
};

use serde_json::{Map, Value as Json};
use stackwright::{
    catalog::Package,
    error::{Error, ErrorKind, Result, Sources},
    form::{self, Answer, Choice, Context, FieldState, Form, FormState, Inputs, OptionsState, Problem, Status},
    value::{Type, Value, from_json_value, to_json_value},
};

use super::{Failure, InSources as _, package};
use crate::{
    arguments::{App, Filling},
    exit::Exit,
    private,
    session::Session,
    terminal::{self, Style},
};

/// How often a form is evaluated anew for answers; each round makes at least one more.
const MAX_ROUNDS: usize = 1000;

pub(super) async fn run(session: &Session, command: &App, style: Style) -> Result<Exit, Failure> {
    match command {
        App::Form { chosen, filling, out, json } => {
            let package = package::choose(session, chosen, &tenant(session)).await?;
            let state = fill(session, &package, filling, style)?;
            if *json {
                let document = serde_json::to_string_pretty(&state).map_err(unwritten)?;
                say!("{document}");
            } else {
                show(&state);
            }
            if let Some(path) = out.as_deref().filter(|_| state.ready) {
                write_variables(&session.folder.join(path), &state.values)?;
            }
            Ok(if state.ready { Exit::Success } else { Exit::Failure })
        }
        other => Box::pin(super::installation::run(session, other, style)).await,
    }
}

pub(super) fn unwritten(error: serde_json::Error) -> Error {
    Error::bug("a document cannot be written").because(error)
}

pub(super) fn usage(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidInput, "cli.usage", message)
}

pub(super) fn tenant(session: &Session) -> String {
    session.tenant().to_owned()
}

/// Reads a document of JSON or YAML that is a mapping.
fn document(session: &Session, path: &Path) -> Result<Map<String, Json>, Failure> {
    let shown = path.display();
    let text = fs::read_to_string(session.folder.join(path))
        .map_err(|error| usage(format!("`{shown}` cannot be read")).because(error))?;
    let name = path.to_string_lossy();
    let mut sources = Sources::new();
    sources.add(name.as_ref(), text.as_str());
    match form::read_values(&name, &text).in_sources(&sources)? {
        Json::Object(entries) => Ok(entries),
        _ => Err(usage(format!("`{shown}` is no mapping")).into()),
    }
}

/// Returns what files and flags fill in.
fn inputs(session: &Session, filling: &Filling) -> Result<Inputs, Failure> {
    let mut inputs = Inputs::default();
    if let Some(path) = &filling.values {
        let entries = document(session, path)?;
        let parts = ["values", "preset", "generated", "answers", "outstanding"];
        // A mapping of fields, or one of parts.
        let has_parts = entries.get("values").is_some_and(Json::is_object)
            && entries.keys().all(|key| parts.contains(&key.as_str()));
        let json = if has_parts { Json::Object(entries) } else { serde_json::json!({ "values": entries }) };
        inputs = Inputs::from_json(&json).map_err(|problem| usage(format!("`{}`: {problem}", path.display())))?;
    }
    if let Some(preset) = &filling.preset {
        inputs.preset = Some(preset.as_str().into());
    }
    Ok(inputs)
}

/// Fills a form in: from files, and from the terminal where there is one.
fn fill(session: &Session, package: &Package, filling: &Filling, style: Style) -> Result<FormState, Failure> {
    Ok(fill_in(session, &package.form, filling, Context::default(), style)?.state)
}

/// A form that was filled in.
pub(super) struct Filled {
    pub(super) state: FormState,
    pub(super) inputs: Inputs,
    /// What generated values were made from.
    pub(super) seed: Arc<[u8]>,
}

/// Fills a form in that is surrounded by `context`, whose language, scope and seed are set here.
pub(super) fn fill_in(
    session: &Session,
    declared: &Form,
    filling: &Filling,
    context: Context,
    style: Style,
) -> Result<Filled, Failure> {
    let mut inputs = inputs(session, filling)?;
    let answers = filling.answers.as_deref().map(|path| document(session, path)).transpose()?.unwrap_or_default();
    let mut seed = [0_u8; 32];
    getrandom::fill(&mut seed).map_err(|error| usage("the system has no randomness").because(error))?;
    let seed: Arc<[u8]> = Arc::from(seed);
    let context = Context {
        locale: filling.locale.as_str().into(),
        scope: session.tenant().into(),
        seed: Some(Arc::clone(&seed)),
        ..context
    };
    let may_ask = filling.input && style != Style::Json && io::stdin().is_terminal() && io::stderr().is_terminal();
    if may_ask && inputs.preset.is_none() {
        inputs.preset = ask_preset(declared, &filling.locale)?;
    }
    let mut asked = Vec::new();
    let mut state = form::eval(declared, &inputs, &context);
    for _ in 0..MAX_ROUNDS {
        let goes_on = answer(&state, &answers, &mut inputs)?
            || (may_ask && ask(declared, &state, &filling.locale, &mut inputs, &mut asked)?);
        if !goes_on {
            break;
        }
        state = form::eval(declared, &inputs, &context);
    }
    Ok(Filled { state, inputs, seed })
}

/// Answers what is pending from a file; returns whether anything was.
fn answer(state: &FormState, answers: &Map<String, Json>, inputs: &mut Inputs) -> Result<bool> {
    let mut is_new = false;
    for request in &state.pending {
        let json = serde_json::to_value(request).map_err(unwritten)?;
        let exact = format!("{} {}", request.source, json.get("params").unwrap_or(&Json::Null));
        let Some(answer) = answers.get(&exact).or_else(|| answers.get(&*request.source)) else { continue };
        let Json::Array(items) = answer else {
            return Err(usage(format!("the options of `{}` are no list", request.source)));
        };
        let items =
            items.iter().map(|item| from_json_value(item, &Type::Any).map_err(|error| usage(error.to_string())));
        let answer = Answer::Items(items.collect::<Result<_>>()?);
        is_new |= inputs.answers.insert(Arc::clone(&request.id), answer).is_none();
    }
    Ok(is_new)
}

/// Writes values for `-var-file`; nobody else may read them.
fn write_variables(path: &Path, values: &Value) -> Result<()> {
    let (plain, _) = values.unmark_deep();
    let json = to_json_value(&plain).map_err(|error| Error::bug("bound values have no JSON form").because(error))?;
    let text = serde_json::to_string_pretty(&json).map_err(unwritten)?;
    private::write(path, format!("{text}\n").as_bytes())
        .map_err(|error| usage(format!("`{}` cannot be written", path.display())).because(error))
}

/// Says what a form holds, and what keeps it from being ready.
pub(super) fn show(state: &FormState) {
    let mut problems: BTreeMap<&Arc<str>, Vec<&Problem>> = BTreeMap::new();
    for problem in state.errors.iter().chain(&state.warnings) {
        problems.entry(&problem.path).or_default().push(problem);
    }
    for field in state.fields.iter().filter(|field| field.visible) {
        show_field(field, 0);
    }
    for (path, problems) in problems {
        for problem in problems {
            say_error!("{path}: {}", problem.message);
        }
    }
    for path in &state.missing {
        say_error!("{path}: it must be filled in");
    }
    for request in &state.pending {
        let json = serde_json::to_value(request).unwrap_or_default();
        let params = json.get("params").unwrap_or(&Json::Null);
        say_error!("nobody answered what there is of `{} {params}` (`-answers=FILE`)", request.source);
    }
    if state.ready {
        say!("The form is ready.");
    }
}

fn show_field(field: &FieldState, depth: usize) {
    let indent = "  ".repeat(depth);
    let value = match (&field.secret, field.value.is_null()) {
        (Some(form::Secret::Set), _) => "(secret)".to_owned(),
        (Some(form::Secret::Unset), _) | (None, true) => "-".to_owned(),
        (None, false) => text_of(&field.value),
    };
    match field.status {
        Status::Waiting => say!("{indent}{} waits for {}", field.path, field.waits_for.join(", ")),
        _ => say!("{indent}{} = {value}", field.path),
    }
    for item in field.items.iter().flatten() {
        item.fields.iter().for_each(|field| show_field(field, depth + 1));
    }
}

/// Values that are marked become nothing here.
fn text_of(value: &Value) -> String {
    let (_, marks) = value.unmark_deep();
    match (marks.is_empty(), to_json_value(value)) {
        (true, Ok(json)) => json.to_string(),
        _ => "(secret)".to_owned(),
    }
}

fn ask_preset(form: &Form, locale: &str) -> Result<Option<Arc<str>>> {
    if form.presets.is_empty() {
        return Ok(None);
    }
    let label = |text: &Option<form::Text>, name: &str| text.as_ref().map_or(name, |text| text.get(locale)).to_owned();
    say_error!("Plans:");
    for (idx, preset) in form.presets.iter().enumerate() {
        say_error!("  {}) {}", idx + 1, label(&preset.label, &preset.name));
    }
    loop {
        let line = read_line("A number, or nothing for no plan: ", false)?;
        if line.is_empty() {
            return Ok(None);
        }
        let chosen = line.parse::<usize>().ok().and_then(|number| form.presets.get(number.checked_sub(1)?));
        if let Some(preset) = chosen {
            return Ok(Some(Arc::clone(&preset.name)));
        }
    }
}

/// Asks for the first field that somebody should look at; returns whether there was one.
fn ask(form: &Form, state: &FormState, locale: &str, inputs: &mut Inputs, asked: &mut Vec<Arc<str>>) -> Result<bool> {
    let problems = |path: &Arc<str>| state.errors.iter().filter(|problem| problem.path == *path).collect::<Vec<_>>();
    let is_open = |field: &&FieldState| {
        let is_askable = field.visible && field.enabled && field.status == Status::Active && field.items.is_none();
        let was_asked = asked.contains(&field.path);
        let is_loading = matches!(field.options, Some(OptionsState::Loading { .. } | OptionsState::Failed { .. }));
        is_askable
            && !is_loading
            && (!was_asked || state.missing.contains(&field.path) || !problems(&field.path).is_empty())
    };
    let Some(state_of) = state.fields.iter().find(is_open) else { return Ok(false) };
    let declared = form.fields.named(&state_of.path).nth(state_of.ordinal);
    let Some(declared) = declared else { return Ok(false) };
    for problem in problems(&state_of.path) {
        say_error!("{}", problem.message);
    }
    let label = declared.label.as_ref().map_or(&declared.name, |label| label.get(locale));
    let is_secret = state_of.secret.is_some();
    let mut prompt = label.to_string();
    if let Some(description) = &declared.description {
        say_error!("  {}", description.get(locale));
    }
    let choices = match &state_of.options {
        Some(OptionsState::Ready { choices }) => choices.as_slice(),
        _ => &[],
    };
    for (idx, choice) in choices.iter().enumerate() {
        let off = if choice.is_disabled { " (not available)" } else { "" };
        say_error!("  {}) {}{off}", idx + 1, choice.label);
    }
    if !state_of.value.is_null() && !is_secret {
        prompt.push_str(&format!(" [{}]", text_of(&state_of.value)));
    } else if !state_of.required {
        prompt.push_str(" (may be left out)");
    }
    asked.push(Arc::clone(&state_of.path));
    let line = read_line(&format!("{prompt}: "), is_secret)?;
    if line.is_empty() {
        return Ok(true);
    }
    match value_of(&line, choices, &declared.ty) {
        Some(value) => drop(inputs.values.insert(Arc::clone(&state_of.path), value)),
        None => say_error!("That is none of the options."),
    }
    Ok(true)
}

/// Returns what a line means: the number of an option, JSON where the field is no text, else a text.
fn value_of(line: &str, choices: &[Choice], ty: &Type) -> Option<Value> {
    if !choices.is_empty() {
        let by_number = line.parse::<usize>().ok().and_then(|number| choices.get(number.checked_sub(1)?));
        let chosen = by_number.or_else(|| choices.iter().find(|choice| &*choice.label == line));
        return chosen.map(|choice| choice.value.clone());
    }
    if *ty == Type::String {
        return Some(Value::string(line));
    }
    let json = serde_json::from_str(line).ok().and_then(|json: Json| from_json_value(&json, &Type::Any).ok());
    Some(json.unwrap_or_else(|| Value::string(line)))
}

/// Reads a line; of a secret, without showing it.
fn read_line(prompt: &str, is_secret: bool) -> Result<String> {
    let unread = |error| usage("no answer could be read").because(error);
    terminal::write(&mut io::stderr(), format_args!("{prompt}"), "");
    io::stderr().flush().map_err(unread)?;
    let quiet = is_secret.then(Quiet::new);
    let mut line = String::new();
    let count = io::stdin().lock().read_line(&mut line).map_err(unread)?;
    if quiet.is_some() {
        say_error!("");
    }
    if count == 0 {
        return Err(usage("the form is not filled in: no more answers could be read"));
    }
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

/// Keeps a terminal from showing what is typed, as long as it lives.
struct Quiet {
    #[cfg(unix)]
    before: Option<rustix::termios::Termios>,
}

impl Quiet {
    #[cfg(unix)]
    fn new() -> Self {
        use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
        let before = tcgetattr(io::stdin()).ok();
        if let Some(before) = &before {
            let mut silent = before.clone();
            silent.local_modes.remove(LocalModes::ECHO);
            let _ = tcsetattr(io::stdin(), OptionalActions::Flush, &silent);
        }
        Self { before }
    }

    #[cfg(not(unix))]
    fn new() -> Self {
        Self {}
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        #[cfg(unix)]
        if let Some(before) = &self.before {
            let _ = rustix::termios::tcsetattr(io::stdin(), rustix::termios::OptionalActions::Now, before);
        }
    }
}
