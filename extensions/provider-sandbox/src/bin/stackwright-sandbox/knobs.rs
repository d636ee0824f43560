use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::problem::Problem;

/// The longest that a created thing may stay unreadable. The cloud promises this bound to its clients.
pub(crate) const LONGEST_LAG_MS: u64 = 2000;

/// How the cloud behaves; set by flags, changed at run time with `PATCH /admin/knobs`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Knobs {
    /// How long every request takes at least, in milliseconds: half before and half after it is done.
    pub(crate) latency_ms: u64,
    /// How much longer it may take, drawn for each.
    pub(crate) jitter_ms: u64,
    /// How many requests it takes in a second; 0 is as many as come.
    pub(crate) rate_per_second: f64,
    /// How many requests may come at once before the rate counts.
    pub(crate) burst: f64,
    /// How long what was created stays unreadable.
    pub(crate) lag_ms: u64,
    /// The share of changes that are done and then not answered.
    pub(crate) lose_share: f64,
    /// How many more changes are done and not answered, by verb and kind, such as `create instance`.
    pub(crate) lose_next: BTreeMap<String, u64>,
    /// For how long from now on all requests are refused with 503.
    pub(crate) refuse_ms: u64,
    /// Names of objects whose creation is refused.
    pub(crate) refuse_names: Vec<String>,
    /// Names of objects that are made and then never work.
    pub(crate) break_names: Vec<String>,
    /// Whether what costs something has to be ordered and paid first.
    pub(crate) sells: bool,
    /// How long a line of a paid order takes to be delivered, one after another, in milliseconds.
    pub(crate) delivery_ms: u64,
    /// Kinds of which nothing is left: `databases`. They are ordered and paid, and not delivered.
    pub(crate) sold_out: Vec<String>,
    /// What every order costs on top of what was quoted: `0.01`.
    pub(crate) surcharge: String,
    /// Whether payments are refused.
    pub(crate) refuse_payments: bool,
    /// How long an instance takes to run. Other kinds take a share or a multiple of it.
    pub(crate) start_ms: u64,
}

impl Default for Knobs {
    fn default() -> Self {
        Self {
            latency_ms: 0,
            jitter_ms: 0,
            rate_per_second: 0.0,
            burst: 1.0,
            lag_ms: 0,
            lose_share: 0.0,
            lose_next: BTreeMap::new(),
            refuse_ms: 0,
            refuse_names: Vec::new(),
            break_names: Vec::new(),
            sells: false,
            delivery_ms: 0,
            sold_out: Vec::new(),
            surcharge: "0".to_owned(),
            refuse_payments: false,
            start_ms: 300,
        }
    }
}

impl Knobs {
    /// Returns the knobs with some of them set anew.
    pub(crate) fn with(&self, changes: &Value) -> Result<Self, Problem> {
        let Some(changes) = changes.as_object() else { return Err(Problem::invalid("knobs are a JSON object")) };
        let mut all = serde_json::to_value(self).map_err(|error| Problem::failed(error.to_string()))?;
        for (name, value) in changes {
            all[name.as_str()] = value.clone();
        }
        let knobs: Self = serde_json::from_value(all).map_err(|error| Problem::invalid(error.to_string()))?;
        knobs.check()
    }

    pub(crate) fn check(self) -> Result<Self, Problem> {
        if self.lag_ms > LONGEST_LAG_MS {
            return Err(Problem::invalid(format!(
                "`lag_ms` is at most {LONGEST_LAG_MS}: that is what clients rely on"
            )));
        }
        if !(0.0..=1.0).contains(&self.lose_share) {
            return Err(Problem::invalid("`lose_share` lies between 0 and 1"));
        }
        if !(self.rate_per_second >= 0.0 && self.burst >= 1.0) {
            return Err(Problem::invalid("`rate_per_second` is not negative and `burst` at least 1"));
        }
        if crate::price::parse(&self.surcharge).is_none() {
            return Err(Problem::invalid("`surcharge` is an amount such as `0.01`"));
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn some_can_be_set_and_nonsense_is_refused() {
        let knobs = Knobs::default().with(&json!({ "lag_ms": 50, "lose_next": { "create bucket": 1 } }));
        let knobs = knobs.expect("sound");
        assert_eq!((knobs.lag_ms, knobs.start_ms, knobs.lose_next["create bucket"]), (50, 300, 1));
        for wrong in [json!({ "lag_ms": 2001 }), json!({ "lagg_ms": 1 }), json!({ "lose_share": 1.5 }), json!([])] {
            assert_eq!(Knobs::default().with(&wrong).expect_err("refused").status, 400, "{wrong}");
        }
    }
}
