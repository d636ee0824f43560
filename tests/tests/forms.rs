//! Forms, told case by case: document, inputs and answers in, state or diagnostics out. See tests/cases/README.md.

use std::{collections::BTreeMap, fmt::Write as _, fs, path::PathBuf, sync::Arc};

use serde_json::{Map, Value as Json, json};
use stackwright::{
    error::{Diagnostic, Diagnostics as _, Sources},
    form::{Answer, Context, FieldState, Form, FormState, Inputs, OptionsState, Phase, Status, Widgets, eval, lint},
    schema::Schema,
    template::{Files, Options, SchemaSource, Template, check},
    value::{Type, from_json_value},
};

/// Knows no types: what hangs on those is not of interest here.
struct NoTypes;

impl SchemaSource for NoTypes {
    fn resource(&self, _: &str) -> Option<Arc<Schema>> {
        None
    }
    fn data_source(&self, _: &str) -> Option<Arc<Schema>> {
        None
    }
    fn provider(&self, _: &str) -> Option<Option<Arc<Schema>>> {
        None
    }
    fn resource_names(&self) -> Vec<Arc<str>> {
        Vec::new()
    }
    fn data_source_names(&self) -> Vec<Arc<str>> {
        Vec::new()
    }
    fn provider_names(&self) -> Vec<Arc<str>> {
        Vec::new()
    }
}

/// A fenced block: what it is, and where its content stands in the file.
struct Block {
    language: String,
    what: String,
    start: usize,
    end: usize,
}

fn blocks(text: &str) -> Vec<(String, Vec<Block>)> {
    let mut cases: Vec<(String, Vec<Block>)> = Vec::new();
    let mut open: Option<Block> = None;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let plain = line.trim_end();
        if let Some(mut block) = open.take() {
            if plain == "```" {
                block.end = at;
                cases.last_mut().expect("a heading before the first block").1.push(block);
            } else {
                open = Some(block);
            }
        } else if let Some(title) = plain.strip_prefix("## ") {
            cases.push((title.to_owned(), Vec::new()));
        } else if let Some(info) = plain.strip_prefix("```") {
            let (language, what) = info.split_once(' ').expect("a language and what the block is");
            let start = at + line.len();
            open = Some(Block { language: language.to_owned(), what: what.to_owned(), start, end: start });
        }
        at += line.len();
    }
    assert!(open.is_none(), "a block is never closed");
    cases
}

struct Case<'t> {
    form: (&'t str, &'t str),
    template: Option<&'t str>,
    json: BTreeMap<&'t str, Json>,
}

impl Case<'_> {
    fn json(&self, name: &str) -> Json {
        self.json.get(name).cloned().unwrap_or_else(|| json!({}))
    }

    fn context(&self) -> Context {
        let json = self.json("context");
        let text = |name: &str| json.get(name).and_then(Json::as_str);
        let existing = json.get("existing").and_then(Json::as_object).cloned().unwrap_or_default();
        Context {
            phase: Phase::ALL.into_iter().find(|phase| Some(phase.as_str()) == text("phase")).unwrap_or_default(),
            locale: text("locale").unwrap_or("en").into(),
            scope: text("scope").unwrap_or("tenant").into(),
            seed: text("seed").map(|seed| Arc::from(seed.as_bytes())),
            existing: Inputs::of(existing).values,
        }
    }

    /// Returns everything that reading and linting say, and the form.
    fn read(&self) -> (Form, Sources, Vec<Diagnostic>) {
        let files = Files::from_texts(self.template.map(|text| ("main.tf", text)));
        let (mut template, mut problems) = match self.template {
            Some(_) => Template::parse(&files, &Options::default()),
            None => Default::default(),
        };
        if self.template.is_some() {
            problems.extend(check(&template, &NoTypes));
            problems.retain(|problem| !matches!(&*problem.code, "template.resource_type" | "template.provider"));
        }
        let name = format!("form.{}", self.form.0);
        let source = template.sources_mut().add(name.clone(), self.form.1);
        let (mut form, found) = Form::parse(source, &name, self.form.1, &Widgets::standard());
        problems.extend(found);
        problems.extend(lint(&form, self.template.map(|_| &template)));
        problems.tidy();
        if self.template.is_some() {
            form.bind(template.root());
        }
        (form, template.sources().clone(), problems)
    }

    /// Answers what is requested until nothing more is.
    fn state(&self, form: &Form) -> FormState {
        let answers = self.json("answers");
        let answers = answers.as_object().expect("an object of answers");
        let mut inputs = Inputs::from_json(&self.json("inputs")).expect("inputs");
        let context = self.context();
        loop {
            let state = eval(form, &inputs, &context);
            assert_eq!(
                serde_json::to_string(&state).expect("JSON"),
                serde_json::to_string(&eval(form, &inputs, &context)).expect("JSON"),
                "evaluation gives the same twice"
            );
            let mut is_new = false;
            for request in &state.pending {
                let request_json = serde_json::to_value(request).expect("JSON");
                let exact = format!("{} {}", request.source, request_json["params"]);
                let Some(answer) = answers.get(&exact).or_else(|| answers.get(&*request.source)) else { continue };
                let answer = match answer {
                    Json::Array(items) => {
                        let value = |item: &Json| from_json_value(item, &Type::Any).expect("a value");
                        Answer::Items(items.iter().map(value).collect())
                    }
                    other => Answer::Failed { message: other.as_str().expect("a reason").into(), retryable: true },
                };
                is_new |= inputs.answers.insert(Arc::clone(&request.id), answer).is_none();
            }
            if !is_new {
                return state;
            }
        }
    }
}

/// Writes a state for people: everything that is not as usual.
fn show(state: &FormState) -> String {
    let mut out = String::new();
    state.fields.iter().for_each(|field| show_field(field, 0, &mut out));
    for (what, parts) in [("group", &state.groups), ("step", &state.steps)] {
        for part in parts {
            let words = [
                if part.visible { "shown" } else { "not shown" }.to_owned(),
                if part.ready {
                    "ready".to_owned()
                } else {
                    format!("{} missing, {} errors", part.missing, part.errors)
                },
            ];
            let _ = writeln!(out, "{what} {}: {}", part.name, words.join(", "));
        }
    }
    let whole = serde_json::to_value(state).expect("JSON");
    for request in &state.pending {
        let json = serde_json::to_value(request).expect("JSON");
        let _ = writeln!(out, "pending {} {} for {}", request.source, json["params"], request.fields.join(", "));
    }
    for name in ["missing", "discard", "generated"] {
        let paths: Vec<&str> = whole[name].as_array().expect("paths").iter().filter_map(Json::as_str).collect();
        if !paths.is_empty() {
            let _ = writeln!(out, "{name} {}", paths.join(", "));
        }
    }
    let known: Vec<&Arc<str>> = state.fields.iter().map(|field| &field.path).collect();
    for problem in state.errors.iter().filter(|problem| !known.contains(&&problem.path) && !problem.path.contains('['))
    {
        let _ = writeln!(out, "{}: {}", problem.code, problem.message);
    }
    let _ = writeln!(out, "values {}", whole["values"]);
    let _ = writeln!(out, "{}", if state.ready { "ready" } else { "not ready" });
    out
}

fn show_field(field: &FieldState, depth: usize, out: &mut String) {
    let json = serde_json::to_value(field).expect("JSON");
    let word = |name: &str| json[name].as_str().map(str::to_owned);
    let mut words = Vec::new();
    words.extend(word("status").filter(|_| field.status != Status::Active));
    match word("secret") {
        Some(secret) => words.push(format!("secret {secret}")),
        None if !field.value.is_null() => words.push(json["value"].to_string()),
        None => {}
    }
    words.extend(word("source").map(|source| format!("by {source}")));
    let is_active = field.status == Status::Active;
    for (is_so, word) in [
        (is_active && !field.visible, "hidden"),
        (is_active && !field.enabled && !field.readonly, "disabled"),
        (field.readonly, "readonly"),
        (is_active && !field.required, "optional"),
    ] {
        words.extend(is_so.then(|| word.to_owned()));
    }
    match &field.options {
        Some(OptionsState::Ready { choices }) => {
            words.push(format!("{} options", choices.len()));
        }
        Some(OptionsState::Blocked { .. }) => words.push("options blocked".to_owned()),
        Some(OptionsState::Loading { .. }) => words.push("options loading".to_owned()),
        Some(OptionsState::Failed { retryable, .. }) => {
            words.push(format!("options failed{}", if *retryable { ", retryable" } else { "" }));
        }
        None => {}
    }
    if !field.waits_for.is_empty() {
        words.push(format!("waits for {}", field.waits_for.join(" ")));
    }
    words.extend(field.tips.as_ref().map(|tips| format!("tips `{tips}`")));
    let ordinal = if field.ordinal > 0 { format!(" #{}", field.ordinal + 1) } else { String::new() };
    let _ = writeln!(out, "{}{}{ordinal}: {}", "  ".repeat(depth), field.path, words.join("; "));
    for problem in &field.problems {
        let severity = serde_json::to_value(problem.severity).expect("JSON");
        let severity =
            severity.as_str().filter(|word| *word != "error").map_or(String::new(), |word| format!("{word} "));
        let refs = if problem.refs.is_empty() { String::new() } else { format!(" ({})", problem.refs.join(", ")) };
        let _ = writeln!(out, "{}  ! {severity}{}: {}{refs}", "  ".repeat(depth), problem.code, problem.message);
    }
    for item in field.items.iter().flatten() {
        item.fields.iter().for_each(|field| show_field(field, depth + 1, out));
    }
}

fn show_problems(sources: &Sources, problems: &[Diagnostic]) -> String {
    let mut out = String::new();
    for problem in problems {
        let span = problem.span().expect("every problem has a place");
        let text = sources.slice(span).lines().next().unwrap_or_default();
        let help = problem.help.as_ref().map_or(String::new(), |help| format!(" -- {help}"));
        let warning = if problem.is_error() { "" } else { "warning " };
        let (name, place) = (sources.name(span.source), sources.position(span));
        let _ = writeln!(out, "{name}:{} {warning}{} <{text}> {}{help}", place.line, problem.code, problem.message);
    }
    out
}

/// No text of a secret is in what a state shows.
fn assert_no_secret(case: &Case<'_>, state: &FormState, title: &str) {
    let shown = format!("{} {state:?}", serde_json::to_string(state).expect("JSON"));
    for secret in ["hunter2", "0123456789abcdef"] {
        let is_given = case.json.values().any(|json| json.to_string().contains(secret));
        assert!(!is_given || !shown.contains(secret), "{title}: a secret is shown");
    }
}

#[test]
fn forms_are_what_the_cases_say() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("cases/forms");
    let is_blessing = std::env::var_os("STACKWRIGHT_BLESS").is_some();
    let mut files: Vec<PathBuf> =
        fs::read_dir(folder).expect("cases").map(|entry| entry.expect("a file").path()).collect();
    files.sort();
    let (mut count, mut wrong) = (0, String::new());
    for file in files {
        let text = fs::read_to_string(&file).expect("a text");
        let mut blessed = text.clone();
        // From the end on, so that places before stay where they are.
        for (title, blocks) in blocks(&text).into_iter().rev() {
            count += 1;
            let content = |block: &Block| text.get(block.start..block.end).expect("in the file");
            let find = |what: &str| blocks.iter().find(|block| block.what == what);
            let form = find("form").unwrap_or_else(|| panic!("{title}: no form"));
            let json = blocks.iter().filter(|block| block.language == "json" && block.what != "form");
            let parsed =
                |block: &&Block| serde_json::from_str(content(block)).unwrap_or_else(|why| panic!("{title}: {why}"));
            let case = Case {
                form: (&form.language, content(form)),
                template: find("template").map(content),
                json: json.map(|block| (&*block.what, parsed(&block))).collect(),
            };
            let (form, sources, problems) = case.read();
            let problems = show_problems(&sources, &problems);
            let mut results: Vec<(&Block, String)> = Vec::new();
            match find("problems") {
                Some(block) => results.push((block, problems)),
                None => assert_eq!(problems, "", "{title}"),
            }
            if let Some(block) = find("state") {
                let state = case.state(&form);
                assert_no_secret(&case, &state, &title);
                results.push((block, show(&state)));
            }
            results.sort_by_key(|(block, _)| std::cmp::Reverse(block.start));
            for (block, result) in results {
                if result != content(block) {
                    let _ = writeln!(wrong, "## {title}: {}\n{result}", block.what);
                    blessed.replace_range(block.start..block.end, &result);
                }
            }
        }
        if is_blessing {
            fs::write(&file, blessed).expect("written");
        }
    }
    assert!(count >= 20, "only {count} cases");
    assert!(is_blessing || wrong.is_empty(), "these came out otherwise:\n{wrong}");
}

#[test]
fn the_shape_of_a_state_is_what_is_documented() {
    let text =
        "fields: [{ name: a, widget: select, options: [{ value: x, label: X }] }, { name: p, widget: password }]";
    let (form, problems) = Form::parse(stackwright::error::SourceId(0), "form.yaml", text, &Widgets::standard());
    assert_eq!(problems, []);
    let inputs = Inputs::of([("a", json!("x")), ("p", json!("hunter2"))]);
    let state = serde_json::to_value(eval(&form, &inputs, &Context::default())).expect("JSON");
    let names: Vec<&String> = state.as_object().expect("an object").keys().collect();
    let whole = [
        "discard",
        "errors",
        "fields",
        "generated",
        "groups",
        "missing",
        "pending",
        "phase",
        "preset",
        "quote_key",
        "ready",
        "steps",
        "values",
        "warnings",
    ];
    assert_eq!(names, whole);
    let expect = json!({
        "path": "a", "ordinal": 0, "status": "active", "visible": true, "enabled": true, "readonly": false,
        "required": true, "value": "x", "secret": null, "source": "user", "props": {},
        "options": { "state": "ready", "choices": [{ "value": "x", "label": "X" }] },
        "waits_for": [], "tips": null, "problems": [],
    });
    assert_eq!(state["fields"][0], expect);
    assert_eq!((&state["fields"][1]["value"], &state["fields"][1]["secret"]), (&Json::Null, &json!("set")));
    assert_eq!(state["values"], json!({ "a": "x", "p": null }));
    let page =
        fs::read_to_string(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/forms.md")).expect("docs/forms.md");
    let inner = expect.as_object().map(Map::keys).into_iter().flatten().map(String::as_str);
    for name in whole.into_iter().chain(inner) {
        assert!(page.contains(&format!("`{name}`")), "docs/forms.md does not tell of `{name}`");
    }
    for widget in Widgets::standard().iter() {
        assert!(
            page.contains(&format!("`{}`", widget.name)),
            "docs/forms.md does not tell of the widget `{}`",
            widget.name
        );
    }
}
