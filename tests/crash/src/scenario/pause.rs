use rustix::process::Signal;

use super::Setting;
use crate::{
    figures::Figures,
    program::Working,
    shop::Shop,
    story::{Phase, check_whole, finish},
};
use serde_json::json;

/// Stops a runner in the middle of its requests. One that stops in the middle of a write keeps the state file locked, which
/// nobody could work round; that one goes on until its next request.
fn stop(shop: &Shop, mut working: Working, figures: &mut Figures, is_free: impl Fn(&Shop) -> bool) -> Option<Working> {
    for count in shop.size.total(0) / 4.. {
        shop.cloud.tell("taken", count, working.said.clone());
        if !working.wait_until_told() {
            break;
        }
        working.stop();
        if is_free(shop) {
            figures.kills += 1;
            figures.live += 1;
            figures.in_flight += u64::from(!shop.cloud.changes().open.is_empty());
            return Some(working);
        }
        working.send(Signal::CONT);
    }
    figures.broken.push("the runner could not be stopped in the middle".to_owned());
    None
}

/// Lets the one that was stopped go on; whatever it still does changes nothing.
fn wake(shop: &Shop, working: Working, figures: &mut Figures) {
    let before = shop.memory();
    working.send(Signal::CONT);
    let ended = working.end();
    let codes = ended.codes();
    figures
        .expect(codes.iter().any(|code| code == "lease.lost"), || format!("it ended with {codes:?}: {}", ended.text));
    figures.note_codes(&codes);
    let after = shop.memory();
    figures.expect(before.rows == after.rows, || "a late write changed rows".to_owned());
    let facts = |memory: &crate::shop::Memory| memory.newest.as_ref().map(|(_, entries)| entries.len());
    figures.expect(facts(&before) == facts(&after), || "a late write changed the journal".to_owned());
    figures.audit("after it woke up", shop.audit());
    check_whole(shop, Phase::Create, 0, figures);
    finish(shop, Phase::Destroy, figures);
    figures.audit("in the end", shop.audit());
}

fn open(setting: &Setting) -> Shop {
    setting.open(&json!({ "latency_ms": 200, "jitter_ms": 200, "start_ms": 60 }))
}

/// Somebody takes the lock of a stopped runner away and finishes its run; then it wakes up.
pub(super) fn lock_broken(figures: &mut Figures, setting: &Setting) {
    let shop = open(setting);
    let working = shop.start(&["apply", "-auto-approve", "-json"]);
    let breaks = |shop: &Shop| shop.with_stack(async |stack| stack.break_lease().await).is_ok();
    let Some(working) = stop(&shop, working, figures, breaks) else { return };
    finish(&shop, Phase::Create, figures);
    figures.audit("while it was stopped", shop.audit());
    wake(&shop, working, figures);
}

/// The lease of a stopped runner runs out while somebody waits for it, and finishes its run; then it wakes up.
pub(super) fn lease_ran_out(figures: &mut Figures, setting: &Setting) {
    let shop = open(setting);
    let working = shop.start(&["apply", "-auto-approve", "-json"]);
    // Moving nothing needs the lock of the file and changes nothing.
    let is_free = |shop: &Shop| shop.is_writable();
    let Some(working) = stop(&shop, working, figures, is_free) else { return };
    figures.resumed += 1;
    let ended = shop.run(&["apply", "-auto-approve", "-json", "-lock-timeout=10m"]);
    figures.expect(ended.is_success(), || format!("nobody could take over: {}", ended.text));
    figures.audit("while it was stopped", shop.audit());
    wake(&shop, working, figures);
}
