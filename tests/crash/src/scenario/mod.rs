//! Failures that are no plain kill, each by its name: what is done to the engine, and what has to hold then.

mod cloud;
mod signal;

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
}

/// What all scenarios are told.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setting {
    pub(crate) seed: u64,
    /// For how long the cloud refuses, in milliseconds.
    pub(crate) refusal_ms: u64,
}

impl Setting {
    /// Opens a shop that is small enough to be played often.
    fn open(self, knobs: &Value) -> Shop {
        Shop::open(Size::SMALL, self.seed, knobs)
    }
}

/// Returns all scenarios in the order of the table.
pub(crate) fn all() -> Vec<Scenario> {
    let scenario = |name, play| Scenario { name, play };
    vec![
        scenario("SIGTERM once", signal::once),
        scenario("SIGTERM twice", signal::twice),
        scenario("cloud refuses a while", cloud::refuses),
        scenario("cloud killed, restarted", cloud::is_killed),
        scenario("replies lost, no crash", cloud::loses_replies),
        scenario("reads lag behind writes", cloud::lags),
        scenario("cloud works on alone", cloud::works_on),
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
