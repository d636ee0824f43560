//! Failures that are no plain kill, each by its name: what is done to the engine, and what has to hold then.

mod cloud;
mod hand;
mod pause;
mod signal;
mod store;

use serde_json::{Value, json};

use crate::{
    figures::Figures,
    shop::Shop,
    story::{Phase, check_whole, finish},
    template::Size,
};

/// Something that can go wrong.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) play: fn(&mut Figures, &Setting),
    /// Whether it takes a minute, and is left out of the short form.
    pub(crate) is_long: bool,
}

/// What all scenarios are told.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setting {
    pub(crate) seed: u64,
    /// For how long the cloud refuses, in milliseconds.
    pub(crate) refusal_ms: u64,
    /// How often the state file is damaged.
    pub(crate) damage_count: u64,
}

impl Setting {
    /// Opens a shop that is small enough to be played often.
    fn open(self, knobs: &Value) -> Shop {
        Shop::open(Size::SMALL, self.seed, knobs)
    }
}

/// Returns all scenarios in the order of the table.
pub(crate) fn all() -> Vec<Scenario> {
    let scenario = |name, play| Scenario { name, play, is_long: false };
    let long = |name, play| Scenario { name, play, is_long: true };
    vec![
        scenario("SIGTERM once", signal::once),
        scenario("SIGTERM twice", signal::twice),
        scenario("cloud refuses a while", cloud::refuses),
        scenario("cloud killed, restarted", cloud::is_killed),
        scenario("replies lost, no crash", cloud::loses_replies),
        scenario("reads lag behind writes", cloud::lags),
        scenario("cloud works on alone", cloud::works_on),
        scenario("stopped, lock broken", pause::lock_broken),
        long("stopped, lease ran out", pause::lease_ran_out),
        scenario("disk full a while", store::full_for_a_while),
        long("disk stays full", store::full),
        scenario("state file damaged", store::damaged),
        scenario("uncertain, settled", hand::settled),
        scenario("kill: rollback", hand::rolled_back),
    ]
}

/// How the cloud behaves where the scenario does not say: a little slow, so that there is something to meet.
fn slow() -> Value {
    json!({ "latency_ms": 30, "jitter_ms": 30, "start_ms": 60 })
}

/// Lets the engine make everything, compares, deletes everything and compares again.
fn make_whole_and_destroy(shop: &Shop, figures: &mut Figures) {
    for phase in [Phase::Create, Phase::Destroy] {
        finish(shop, phase, figures);
        figures.audit("in the end", shop.audit());
        check_whole(shop, phase, 0, figures);
    }
}
