use serde_json::{Value, json};
use stackwright::state::RowStatus;

use super::{Setting, make_whole_and_destroy};
use crate::{
    figures::Figures,
    shop::Shop,
    story::{Phase, check_whole, finish},
    template,
};

const APPLY: [&str; 3] = ["apply", "-auto-approve", "-json"];

/// The engine died amid creates, and the cloud lets nobody in who asks what became of them. Nothing is guessed: the rows are
/// uncertain, the report says which commands settle them, and those commands do.
pub(super) fn settled(figures: &mut Figures, setting: &Setting) {
    let mut shop = setting.open(&json!({ "latency_ms": 200, "jitter_ms": 100, "start_ms": 60 }));
    let mut working = shop.start(&APPLY);
    shop.cloud.tell("taken", 9, working.said.clone());
    let has_come = working.wait_until_told();
    let was_alive = working.kill();
    figures.kills += 1;
    figures.live += u64::from(has_come && was_alive);
    figures.in_flight += u64::from(!shop.cloud.changes().open.is_empty());
    shop.cloud.settle();
    shop.cloud.kill();
    shop.cloud.start_again_with("another token", &json!({ "start_ms": 60 }));
    let ended = shop.run(&["runs", "resume", "-json"]);
    figures.resumed += 1;
    figures.note_codes(&ended.codes());
    let unsettled = unsettled(&ended.text);
    let uncertain = shop.memory().rows.iter().filter(|row| row.status == RowStatus::Uncertain).count();
    figures.expect(uncertain > 0 && unsettled.len() == uncertain, || {
        format!("{uncertain} rows are uncertain, and the report settles {}: {}", unsettled.len(), ended.text)
    });
    let refused = shop.run(&["plan", "-json"]).codes();
    figures.expect(refused.iter().any(|code| code == "plan.uncertain"), || format!("a plan said {refused:?}"));
    shop.cloud.kill();
    shop.cloud.start_again_with("", &json!({ "start_ms": 60 }));
    for object in &unsettled {
        settle(&shop, object, figures);
    }
    figures.audit("settled", shop.audit());
    finish(&shop, Phase::Create, figures);
    figures.audit("in the end", shop.audit());
    check_whole(&shop, Phase::Create, 0, figures);
    make_whole_and_destroy(&shop, figures);
}

/// Returns what the report says is to be settled.
fn unsettled(text: &str) -> Vec<Value> {
    let results = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let results = results.filter(|value| value["type"] == json!("result"));
    results.flat_map(|value| value["unsettled"].as_array().cloned().unwrap_or_default()).collect()
}

/// Looks an object up as a person would, by its key, and runs the commands that the report names.
fn settle(shop: &Shop, object: &Value, figures: &mut Figures) {
    let history = shop.cloud.history();
    let found = history.living().find(|made| made.owner() == object["key"].as_str());
    let list = if found.is_some() { "if_present" } else { "if_absent" };
    for command in object[list].as_array().into_iter().flatten().filter_map(Value::as_str) {
        let command = command.replacen("stackwright", "", 1);
        // As a shell takes quotes away.
        let words = command.replace('\'', "");
        let words: Vec<&str> = words.split_whitespace().collect();
        let id = found.map_or("", |made| made.id.as_str());
        let words: Vec<&str> = words.into_iter().map(|word| if word == "ID" { id } else { word }).collect();
        let ended = shop.run(&words);
        figures.expect(ended.is_success(), || format!("{words:?}: {}", ended.text));
    }
}

/// A step fails for good, and what was done is undone while the engine is killed over and over.
pub(super) fn rolled_back(figures: &mut Figures, setting: &Setting) {
    let shop = setting.open(&json!({ "latency_ms": 20, "jitter_ms": 20, "start_ms": 60 }));
    finish(&shop, Phase::Create, figures);
    let before = places(&shop);
    // Disks and databases never shrink, which nobody could undo.
    let text = template::text(&shop.cloud.endpoint(), shop.size, 1);
    let text = text.replace("10 + (count.index % 3 == 0 ? 1 : 0)", "10");
    shop.write_text(&text.replace("20 + (count.index % 2 == 1 ? 1 : 0)", "20"));
    let name = format!("disk-{}", shop.size.volumes);
    shop.append(&format!(
        "resource \"sandbox_volume\" \"refused\" {{\n  name = \"{name}\"\n  size_gb = 1\n  zone = \"sandbox-1a\"\n  \
         depends_on = [sandbox_dns_record.name, sandbox_volume.disk]\n}}\n"
    ));
    shop.cloud.turn(&json!({ "refuse_names": [name] }));
    let rollback = ["apply", "-auto-approve", "-json", "-on-failure=rollback"];
    let mut is_begun = false;
    for step in [12, 30, 6, 9] {
        let mut working = shop.start(if is_begun { &APPLY } else { &rollback });
        let before = shop.cloud.changes().done;
        shop.cloud.tell("done", before + step, working.said.clone());
        let has_come = working.wait_until_told();
        let was_alive = working.kill();
        let memory = shop.memory();
        figures.kills += 1;
        figures.live += u64::from(has_come && was_alive && memory.is_unfinished());
        figures.resumed += u64::from(is_begun);
        is_begun = memory.is_unfinished();
        if !is_begun {
            break;
        }
    }
    let ended = shop.run(if is_begun { &["runs", "resume", "-json"] } else { &rollback });
    figures.note_codes(&ended.codes());
    figures.audit("undone", shop.audit());
    let memory = shop.memory();
    let is_undone = ended.text.contains("\"undone\":") && !memory.is_unfinished();
    figures.expect(is_undone, || format!("it was not undone: {}", ended.text));
    let stuck = memory.runs.first().is_some_and(|run| run.status == stackwright::state::RunStatus::Stuck);
    figures.expect(!stuck, || format!("the rollback is stuck: {}", ended.text));
    figures.expect(places(&shop) == before, || "other things are there than before".to_owned());
    shop.cloud.turn(&json!({ "refuse_names": [] }));
    shop.write(0);
    make_whole_and_destroy(&shop, figures);
}

/// Returns what is there, by kind and by what the template calls it.
fn places(shop: &Shop) -> std::collections::BTreeSet<String> {
    shop.cloud.settle();
    shop.cloud.history().living().map(|made| format!("{} {:?}", made.kind, made.place())).collect()
}
