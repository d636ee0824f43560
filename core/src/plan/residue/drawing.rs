use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use super::Residue;
use crate::{
    address::InstanceKey,
    plan::node::Place,
    template::eval::{Observation, ObservationKind, SystemWorld, World},
    value::Value,
};

/// Something that evaluation would compute differently another time.
#[derive(Clone, Debug, PartialEq)]
pub struct Drawing {
    /// What was drawn, in the evaluator's own words; the same key means the same drawing for the whole run.
    pub key: String,
    /// What came out; marked.
    pub value: Value,
}

/// What was drawn: everything, and what nobody took yet.
#[derive(Debug, Default)]
pub(super) struct Drawn {
    all: BTreeMap<String, String>,
    fresh: Vec<Drawing>,
}

/// The world while a plan runs: the past as it was, anything new as it is, and noted.
pub(super) struct RunWorld {
    pub(super) planned_at: String,
    pub(super) place: Arc<Mutex<Place>>,
    pub(super) drawn: Arc<Mutex<Drawn>>,
    pub(super) now: Mutex<SystemWorld>,
}

impl World for RunWorld {
    fn observe(&self, observation: Observation) -> Option<String> {
        let kind = match observation.kind {
            ObservationKind::PlanTimestamp => return Some(self.planned_at.clone()),
            ObservationKind::Timestamp => "timestamp",
            ObservationKind::Uuid => "uuid",
            ObservationKind::Salt => "salt",
        };
        let place = self.place.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let instance = match (place.count_index, &place.each_key) {
            (Some(idx), _) => InstanceKey::Int(idx).to_string(),
            (None, Some(key)) => InstanceKey::Str(Arc::clone(key)).to_string(),
            (None, None) => String::new(),
        };
        let key = format!("{}|{:?}|{instance}|{}|{kind}", place.module, place.span, observation.ordinal);
        let mut drawn = self.drawn.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(text) = drawn.all.get(&key) {
            return Some(text.clone());
        }
        let text = self.now.lock().unwrap_or_else(PoisonError::into_inner).observe(observation)?;
        drawn.all.insert(key.clone(), text.clone());
        drawn.fresh.push(Drawing { key, value: Value::string(text.as_str()) });
        Some(text)
    }
}

impl Residue {
    /// Takes what was drawn since the last call.
    pub fn take_drawings(&mut self) -> Vec<Drawing> {
        std::mem::take(&mut self.drawn.lock().unwrap_or_else(PoisonError::into_inner).fresh)
    }

    /// Takes back what an earlier process drew.
    pub fn drawn(&mut self, drawing: Drawing) {
        if let Some(text) = drawing.value.as_str() {
            self.drawn.lock().unwrap_or_else(PoisonError::into_inner).all.insert(drawing.key, text.to_owned());
        }
    }
}
