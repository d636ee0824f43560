use rustix::process::Signal;
use stackwright::state::RunStatus;

use super::{Setting, make_whole_and_destroy, slow};
use crate::{figures::Figures, program::Working, shop::Shop};

const APPLY: [&str; 3] = ["apply", "-auto-approve", "-json"];

/// Starts an apply and interrupts it in the middle.
fn interrupt(shop: &Shop, figures: &mut Figures) -> Option<Working> {
    let mut working = shop.start(&APPLY);
    shop.cloud.tell("taken", shop.size.total(0) / 3, working.said.clone());
    let has_come = working.wait_until_told();
    working.send(Signal::TERM);
    let is_heard = working.wait_for("\"type\":\"cancel_requested\"", 1);
    figures.kills += 1;
    figures.live += u64::from(has_come && is_heard);
    figures.in_flight += u64::from(!shop.cloud.changes().open.is_empty());
    figures.expect(has_come && is_heard, || "the signal met no run".to_owned());
    is_heard.then_some(working)
}

/// What runs is ended, nothing new is begun; state and cloud agree without anybody taking the run up.
pub(super) fn once(figures: &mut Figures, setting: &Setting) {
    let shop = setting.open(&slow());
    let Some(working) = interrupt(&shop, figures) else { return };
    let ended = working.end();
    figures.expect(ended.status.code() == Some(1), || format!("it ended with {}", ended.status));
    let status = shop.memory().runs.first().map(|run| run.status);
    figures.expect(status == Some(RunStatus::Cancelled), || format!("the run is {status:?}"));
    figures.audit("drained", shop.audit());
    make_whole_and_destroy(&shop, figures);
}

/// It ends at once; taking the run up settles what was under way.
pub(super) fn twice(figures: &mut Figures, setting: &Setting) {
    let shop = setting.open(&slow());
    let Some(working) = interrupt(&shop, figures) else { return };
    working.send(Signal::TERM);
    let ended = working.end();
    figures.expect(ended.status.code() == Some(1), || format!("it ended with {}", ended.status));
    make_whole_and_destroy(&shop, figures);
}
