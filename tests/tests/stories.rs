//! The cases that every language runs, with the same plans, events and errors: `tests/cases/README.md` says how they read.

use std::{collections::BTreeMap, fs, path::Path};

use serde_json::Value as Json;
use stackwright::{
    Error,
    error::{Diagnostics as _, ErrorKind},
    ffi::{Failure, ReportData, Shown, StateData},
    plan::{Mode, Plan},
    resource::conformance::assert_conforms,
    stack::{ApplyOptions, Engine, PlanOptions, Stack},
    state::{
        MemoryStore,
        cipher::{AesGcmCipher, Key},
    },
    template::{Files, Template, VariableSources, gather_variables},
    value::{Type, from_json_value},
};
use stackwright_tests::thing::Thing;

/// A story that is being told.
struct Story {
    engine: Engine,
    thing: Thing,
    stack: Stack,
    files: Files,
    variables: BTreeMap<String, Json>,
}

impl Story {
    fn new() -> Self {
        let thing = Thing::default();
        let engine = Engine::builder()
            .store(MemoryStore::new())
            .cipher(AesGcmCipher::new(Key::generate().expect("a key")))
            .resource("thing", thing.clone())
            .build()
            .expect("an engine");
        let stack = engine.stack("acme", "case");
        Self { engine, thing, stack, files: Files::new(), variables: BTreeMap::new() }
    }

    fn template(&mut self, text: &str) {
        self.files = Files::new();
        self.files.insert("main.tf", text);
    }

    async fn plan(&self, mode: Mode) -> Result<Plan, Box<Failure>> {
        let (mut template, problems) = self.engine.read(&self.files);
        let refused = |template: &Template, problems| {
            let error = Error::from_diagnostics("template.invalid", problems);
            Box::new(Failure::within(&error, template.sources()))
        };
        if problems.has_errors() {
            return Err(refused(&template, problems));
        }
        let values = self
            .variables
            .iter()
            .map(|(name, json)| (name.clone(), from_json_value(json, &Type::Any).expect("JSON is a value")));
        let mut sources = VariableSources::default();
        sources.values = values.collect();
        let (variables, problems) = gather_variables(&sources, &self.files, template.sources_mut());
        if problems.has_errors() {
            return Err(refused(&template, problems));
        }
        let options = PlanOptions { mode, variables, parallelism: 1, ..PlanOptions::default() };
        let plan = self.stack.plan(&template, options).await;
        plan.map_err(|error| Box::new(Failure::within(&error, template.sources())))
    }

    async fn applied(&self, mode: Mode) -> Vec<String> {
        let plan = self.plan(mode).await.expect("it is planned");
        let options = ApplyOptions { parallelism: 1, ..ApplyOptions::default() };
        let mut run = self.stack.apply(plan, options).await.expect("it begins");
        let mut events = Vec::new();
        while let Some(recorded) = run.next_event().await {
            let event = serde_json::to_value(&recorded.event).expect("an event is JSON");
            events.push((event["address"].clone(), event["type"].clone()));
        }
        // A step may still be on its way to work when another begins.
        let begun: Vec<_> = events.iter().map(|(address, _)| address.clone()).collect();
        let first = |address: &Json| begun.iter().position(|other| other == address);
        let mut order: Vec<_> = events.into_iter().enumerate().collect();
        order.sort_by_key(|(at, (address, _))| if address.is_null() { Some(*at) } else { first(address) });
        let line = |(_, (address, kind)): (usize, (Json, Json))| {
            [&kind, &address].into_iter().filter_map(Json::as_str).collect::<Vec<_>>().join(" ")
        };
        let mut lines: Vec<_> = order.into_iter().map(line).collect();
        let report = ReportData::from(&run.finish().await.expect("it ends"));
        for problem in &report.problems {
            let Failure { kind, code, effect, message, .. } = &problem.error;
            lines.push(format!("! {}: {} {code} {}: {message}", problem.address, word(kind), word(effect)));
        }
        lines.extend(report.outputs.iter().map(|(name, output)| format!("{name} = {}", written(output))));
        lines.push(report.status.to_owned());
        lines
    }

    /// Returns what a block comes to; nothing where it only says something.
    async fn told(&mut self, kind: &str, body: &str) -> Option<Vec<String>> {
        Some(match kind {
            "template" => {
                self.template(body);
                return None;
            }
            "variables" => {
                self.variables = serde_json::from_str(body).expect("variables are JSON");
                return None;
            }
            "plan" => {
                let text = self.plan(Mode::Normal).await.expect("it is planned").to_string();
                text.trim_end().lines().map(str::to_owned).collect()
            }
            "error" => {
                let failure = self.plan(Mode::Normal).await.expect_err("it is refused");
                let problems = failure.diagnostics.iter().map(|problem| {
                    let place = problem.place.as_ref().map(|at| format!("{}:{}:{}", at.file, at.line, at.column));
                    let place = place.or_else(|| problem.address.clone()).unwrap_or_else(|| "-".to_owned());
                    format!("{place} {}: {}", problem.code, problem.message)
                });
                [format!("{} {}", word(&failure.kind), failure.code)].into_iter().chain(problems).collect()
            }
            "apply" => self.applied(Mode::Normal).await,
            "destroy" => self.applied(Mode::Destroy).await,
            "state" => {
                let state = StateData::from(&self.stack.state().await.expect("there is a state"));
                let row = |row: &stackwright::ffi::RowView| {
                    let id = row.id.as_deref().unwrap_or("null");
                    let status = word(&row.status);
                    format!("{} {id} {status} {}", row.address, written(&row.attributes))
                };
                state.rows.iter().map(row).collect()
            }
            "world" => {
                let things = self.thing.world.things();
                things.iter().map(|(id, made)| format!("{id} {} {}", made.name, made.size)).collect()
            }
            other => panic!("`{other}` is no block of a case"),
        })
    }
}

fn word(value: &impl serde::Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(Json::String(word)) => word,
        other => panic!("{other:?} is no word"),
    }
}

fn written(shown: &Shown) -> String {
    if shown.hidden.iter().any(|path| path.steps().is_empty()) {
        "(sensitive)".to_owned()
    } else {
        shown.value.to_string()
    }
}

/// Returns the blocks of a case: kind and body.
fn blocks(text: &str) -> Vec<(String, String)> {
    let mut blocks = Vec::new();
    let mut open: Option<(String, String)> = None;
    for line in text.lines() {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(fence)) => {
                open = fence.split_once(' ').map(|(_, kind)| (kind.to_owned(), String::new()));
            }
            (Some(_), Some("")) => blocks.extend(open.take()),
            (Some((_, body)), _) => {
                body.push_str(line);
                body.push('\n');
            }
            (None, None) => {}
        }
    }
    blocks
}

#[tokio::test]
async fn every_case() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases/stacks");
    let mut files: Vec<_> =
        fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    let cases = files.iter().filter(|file| file.extension().is_some_and(|extension| extension == "md"));
    let mut count = 0;
    for file in cases {
        let mut story = Story::new();
        for (kind, body) in blocks(&fs::read_to_string(file).expect("a case")) {
            if let Some(lines) = story.told(&kind, &body).await {
                let lines = if lines.is_empty() { vec!["nothing".to_owned()] } else { lines };
                assert_eq!(format!("{}\n", lines.join("\n")), body, "{}: `{kind}`", file.display());
            }
        }
        count += 1;
    }
    assert!(count >= 5);
}

#[tokio::test]
async fn the_type_in_rust_conforms() {
    let thing = Thing::default();
    let skipped = assert_conforms(&thing).await;
    assert!(skipped.iter().all(|case| case.starts_with("fault/raise")), "{skipped:?}");
    assert!(thing.world.things().is_empty());
    // The words that other languages compare.
    assert_eq!(word(&ErrorKind::InvalidInput), "invalid_input");
}
