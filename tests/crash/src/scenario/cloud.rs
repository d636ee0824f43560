use serde_json::json;
use stackwright::plan::StepAction;

use super::{Setting, make_whole_and_destroy, slow};
use crate::{
    figures::Figures,
    shop::Shop,
    story::{Phase, check_whole, finish},
};

const APPLY: [&str; 3] = ["apply", "-auto-approve", "-json"];

/// Kills the engine when so many more changes got to a point.
fn kill(shop: &Shop, point: &'static str, count: u64, figures: &mut Figures) {
    let was_unfinished = shop.memory().is_unfinished();
    let mut working = shop.start(&APPLY);
    let before = shop.cloud.changes().at(point);
    shop.cloud.tell(point, before + count, working.said.clone());
    let has_come = working.wait_until_told();
    let was_alive = working.kill();
    figures.in_flight += u64::from(!shop.cloud.changes().open.is_empty());
    let memory = shop.memory();
    figures.kills += 1;
    figures.resumed += u64::from(was_unfinished);
    figures.live += u64::from(has_come && was_alive && memory.is_unfinished());
    figures.open_creates += u64::from(memory.open_steps(StepAction::Create) > 0);
}

/// The cloud answers nothing but 503 for a while.
pub(super) fn refuses(figures: &mut Figures, setting: &Setting) {
    let shop = setting.open(&slow());
    let mut working = shop.start(&APPLY);
    shop.cloud.tell("taken", shop.size.total(0) / 4, working.said.clone());
    let has_come = working.wait_until_told();
    shop.cloud.turn(&json!({ "refuse_ms": setting.refusal_ms }));
    figures.kills += 1;
    figures.live += u64::from(has_come);
    let ended = working.end();
    figures.note_codes(&ended.codes());
    figures.expect(ended.is_success() || !ended.codes().is_empty(), || format!("no code was given: {}", ended.text));
    make_whole_and_destroy(&shop, figures);
}

/// The cloud itself dies in the middle, and comes back with what it had acknowledged.
pub(super) fn is_killed(figures: &mut Figures, setting: &Setting) {
    let mut shop = setting.open(&slow());
    let mut working = shop.start(&APPLY);
    shop.cloud.tell("done", shop.size.total(0) / 3, working.said.clone());
    let has_come = working.wait_until_told();
    figures.in_flight += u64::from(!shop.cloud.changes().open.is_empty());
    shop.cloud.kill();
    figures.kills += 1;
    figures.live += u64::from(has_come);
    shop.cloud.start_again();
    let ended = working.end();
    figures.note_codes(&ended.codes());
    figures.expect(ended.is_success() || !ended.codes().is_empty(), || format!("no code was given: {}", ended.text));
    make_whole_and_destroy(&shop, figures);
}

/// Every fourth change is done and not answered; nobody dies.
pub(super) fn loses_replies(figures: &mut Figures, setting: &Setting) {
    let shop = setting.open(&json!({ "latency_ms": 5, "jitter_ms": 10, "lose_share": 0.25, "start_ms": 60 }));
    for (phase, turn) in [(Phase::Create, 0), (Phase::Change, 1), (Phase::Destroy, 1)] {
        shop.write(turn);
        finish(&shop, phase, figures);
        figures.audit("in the end", shop.audit());
        check_whole(&shop, phase, turn, figures);
    }
}

/// What was made is not shown for as long as the cloud may hide it, and whoever asks for it anew just died.
pub(super) fn lags(figures: &mut Figures, setting: &Setting) {
    let shop = setting.open(&json!({ "latency_ms": 20, "jitter_ms": 20, "lag_ms": 2000, "start_ms": 60 }));
    kill(&shop, "done", 5, figures);
    kill(&shop, "answered", 7, figures);
    kill(&shop, "done", 9, figures);
    make_whole_and_destroy(&shop, figures);
}

/// The host died, and what it asked for is done only when somebody else has asked for it again.
pub(super) fn works_on(figures: &mut Figures, setting: &Setting) {
    // Half of it passes before anything is done: longer than the cloud may hide what it made.
    let shop = setting.open(&json!({ "latency_ms": 6000, "start_ms": 60 }));
    kill(&shop, "taken", 5, figures);
    // Requests that are under way stay slow.
    shop.cloud.turn(&json!({ "latency_ms": 5 }));
    figures.expect(!shop.cloud.changes().open.is_empty(), || "the cloud works on nothing".to_owned());
    let before = shop.cloud.history().things.len();
    finish(&shop, Phase::Create, figures);
    figures.expect(before == 0, || "something was done before the host died".to_owned());
    figures.audit("in the end", shop.audit());
    check_whole(&shop, Phase::Create, 0, figures);
    make_whole_and_destroy(&shop, figures);
}
