use std::collections::{BTreeMap, BTreeSet};

use stackwright::{
    run::Fact,
    state::{RowStatus, RunStatus},
};

use crate::{cloud::History, shop::Memory};

/// What is wrong between cloud and state. All empty: nothing is lost, nothing is doubled.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Audit {
    /// In the cloud, and no row knows it.
    pub(crate) lost: Vec<String>,
    /// Made twice for one object, twice in one place of the template, or twice at one address of state.
    pub(crate) doubled: Vec<String>,
    /// In state, and not in the cloud.
    pub(crate) missing: Vec<String>,
    /// Rows of which nobody knows what became of their objects.
    pub(crate) uncertain: Vec<String>,
    /// Runs that need a person and do not say why.
    pub(crate) unexplained: Vec<String>,
    /// In the cloud, and neither a row nor an intent in the journal names the object that it was made for.
    pub(crate) unannounced: Vec<String>,
}

impl Audit {
    pub(crate) fn is_clean(&self) -> bool {
        *self == Self::default()
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.lost.extend(other.lost);
        self.doubled.extend(other.doubled);
        self.missing.extend(other.missing);
        self.uncertain.extend(other.uncertain);
        self.unexplained.extend(other.unexplained);
        self.unannounced.extend(other.unannounced);
    }
}

/// Compares cloud and state while nobody works on either.
pub(crate) fn audit(memory: &Memory, history: &History) -> Audit {
    let mut audit = Audit { unannounced: unannounced(memory, history), ..Audit::default() };
    let known: BTreeSet<&str> = memory.rows.iter().filter_map(|row| row.remote_id.as_deref()).collect();
    let living: BTreeSet<&str> = history.living().map(|made| made.id.as_str()).collect();
    let unknown = history.living().filter(|made| !known.contains(made.id.as_str()));
    audit.lost = unknown.map(|made| format!("{} ({})", made.id, made.place().unwrap_or("?"))).collect();
    audit.doubled = doubled(memory, history);
    for row in &memory.rows {
        match &row.remote_id {
            _ if row.status == RowStatus::Uncertain => audit.uncertain.push(row.address.to_string()),
            Some(id) if living.contains(id.as_str()) => {}
            _ => audit.missing.push(row.address.to_string()),
        }
    }
    let is_stuck = memory.runs.first().is_some_and(|run| run.status == RunStatus::Stuck);
    if is_stuck && memory.reasons().is_empty() {
        audit.unexplained.extend(memory.runs.first().map(|run| run.id.to_string()));
    }
    audit
}

fn doubled(memory: &Memory, history: &History) -> Vec<String> {
    let mut doubled = Vec::new();
    // Nothing was made twice for one object, not even what is gone.
    let mut owners: BTreeMap<&str, &str> = BTreeMap::new();
    for made in &history.things {
        if let Some(first) = made.owner().and_then(|owner| owners.insert(owner, &made.id)) {
            doubled.push(format!("{first} and {} were made for one object", made.id));
        }
    }
    let mut places: BTreeMap<(&str, &str), &str> = BTreeMap::new();
    for made in history.living() {
        if let Some(first) = made.place().and_then(|place| places.insert((&made.kind, place), &made.id)) {
            doubled.push(format!("{first} and {} stand for one instance of the template", made.id));
        }
    }
    let mut addresses = BTreeSet::new();
    for row in memory.rows.iter().filter(|row| row.status != RowStatus::Deposed) {
        if !addresses.insert(&row.address) {
            doubled.push(format!("{} has two rows", row.address));
        }
    }
    doubled
}

/// Returns what the cloud has and nobody ever said that it would be made: a call came before its intent was durable.
fn unannounced(memory: &Memory, history: &History) -> Vec<String> {
    let mut announced: BTreeSet<String> = memory.rows.iter().map(|row| row.object_id.to_string()).collect();
    let entries = memory.newest.iter().flat_map(|(_, entries)| entries);
    announced.extend(entries.filter_map(|entry| match &entry.fact {
        Fact::Started { object_id, .. } => object_id.map(|object| object.to_string()),
        _ => None,
    }));
    // What was imported bears the mark of whoever made it, and has a row.
    let known: BTreeSet<&str> = memory.rows.iter().filter_map(|row| row.remote_id.as_deref()).collect();
    let is_unannounced = |owner: &str| !announced.contains(owner);
    let unknown = history.living().filter(|made| !known.contains(made.id.as_str()));
    let unannounced = unknown.filter(|made| made.owner().is_some_and(is_unannounced));
    unannounced.map(|made| format!("{} ({})", made.id, made.place().unwrap_or("?"))).collect()
}
