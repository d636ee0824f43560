use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{Actor, Fact, GrantId, OperationId, OperationKind, Outcome, PackageRef, TransferId, transfer::Source};
use crate::{
    catalog::View,
    error::Result,
    event::Timestamp,
    pricing::Line,
    state::{Head, LedgerHistory, RunId, StackKey, codec::ChainHash},
    value::Value,
};

/// One entry of an installation's ledger.
#[derive(Clone, Debug, PartialEq)]
pub struct AuditRecord {
    /// Its number, from 0.
    pub seq: u64,
    /// When it was written down.
    pub at: Timestamp,
    /// Its hash, over it and all before it.
    pub hash: ChainHash,
    /// What it says.
    pub fact: Fact,
}

/// How an installation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Standing {
    /// Something is being done with it.
    Changing(OperationKind),
    /// Something was being done with it, and nobody goes on.
    Interrupted(OperationKind),
    /// It is there.
    Installed,
    /// The last change did not end well.
    Broken(OperationKind),
    /// It is there, and does not change: it is about to be handed over.
    Leaving,
    /// It is gone, or was never there.
    Removed,
}

impl Standing {
    /// Returns the name used in lists.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Changing(OperationKind::Install) => "installing",
            Self::Changing(OperationKind::Upgrade) => "upgrading",
            Self::Changing(OperationKind::Undo) => "undoing",
            Self::Changing(OperationKind::Uninstall) => "uninstalling",
            Self::Interrupted(_) => "interrupted",
            Self::Installed => "installed",
            Self::Broken(_) => "broken",
            Self::Leaving => "leaving",
            Self::Removed => "removed",
        }
    }
}

/// A change of an installation.
#[derive(Clone, Debug, PartialEq)]
pub struct OperationView {
    /// Which.
    pub operation: OperationId,
    /// What it makes of the installation.
    pub kind: OperationKind,
    /// The id of its run, which exists once it began.
    pub run: RunId,
    /// Who wanted it.
    pub by: Actor,
    /// Why.
    pub why: Arc<str>,
    /// The version.
    pub package: PackageRef,
    /// The plan of the form.
    pub preset: Option<Arc<str>>,
    /// When it was written down.
    pub at: Timestamp,
    /// How it ended, and when that was written down.
    pub ended: Option<(Outcome, Timestamp)>,
    /// The operation that it is a part of.
    pub part_of: Option<OperationId>,
}

/// What another tenant may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Which.
    pub grant: GrantId,
    /// The other tenant.
    pub to: Arc<str>,
    /// The actions.
    pub actions: BTreeSet<Arc<str>>,
    /// Until when.
    pub until: Timestamp,
    /// Whether it was taken back.
    pub is_revoked: bool,
}

/// An installation as it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct InstallationView {
    /// Whose it is, and its name.
    pub key: StackKey,
    /// What it is called in tags.
    pub app_id: Arc<str>,
    /// How it stands.
    pub standing: Standing,
    /// The version that is there: that of the last change that ended well.
    pub package: Option<PackageRef>,
    /// The plan of the form that is there.
    pub preset: Option<Arc<str>>,
    /// All changes, of earlier installations under the name too, in order.
    pub operations: Vec<OperationView>,
    /// What other tenants may do, in the order in which it was granted.
    pub grants: Vec<Grant>,
}

/// What a change was made with.
#[derive(Clone, Debug)]
pub(super) struct Remembered {
    pub(super) package: PackageRef,
    pub(super) preset: Option<Arc<str>>,
    pub(super) role: Option<Arc<str>>,
    pub(super) run: RunId,
    /// Its template, where no run carries it: it was taken over.
    pub(super) source: Option<Source>,
    pub(super) lines: Vec<Line>,
    pub(super) views: Vec<View>,
    /// An object by name of the variable; secrets are marked.
    pub(super) variables: Value,
    /// By name of the field, as they were filled in; not marked.
    pub(super) inputs: BTreeMap<Arc<str>, Value>,
    /// By path, as they were generated; not marked.
    pub(super) generated: BTreeMap<Arc<str>, Value>,
}

/// A ledger, added up.
#[derive(Clone, Debug)]
pub(super) struct Folded {
    pub(super) head: Head,
    pub(super) view: InstallationView,
    /// How often something was installed under the name before.
    pub(super) generation: u64,
    /// What is there: of the last change that ended well.
    pub(super) good: Option<Remembered>,
    /// Of the last change that began.
    pub(super) last: Option<Remembered>,
    /// Actions that did not end, and when nobody waits for them any more.
    pub(super) open_actions: BTreeMap<OperationId, Timestamp>,
    pub(super) audit: Vec<AuditRecord>,
    /// The way that it is about to go, or went, as the last thing that was done with it.
    pub(super) leaves: Option<TransferId>,
    /// The way that it came, where nothing was done with it since.
    pub(super) came: Option<TransferId>,
    /// How often its standing may have changed: what a proposal is made on.
    pub(super) steps: u64,
    /// What each change was made with that was not judged yet.
    pending: Option<Remembered>,
    /// How it stood before the last change.
    before: Standing,
}

fn plain_map(value: Option<&Value>) -> BTreeMap<Arc<str>, Value> {
    let plain = value.map(|value| value.unmark_deep().0);
    plain.iter().flat_map(Value::entries).map(|(name, value)| (Arc::clone(name), value.clone())).collect()
}

impl Folded {
    /// Adds a ledger up.
    pub(super) fn of(key: StackKey, history: &LedgerHistory) -> Result<Self> {
        let view = InstallationView {
            key,
            app_id: "".into(),
            standing: Standing::Removed,
            package: None,
            preset: None,
            operations: Vec::new(),
            grants: Vec::new(),
        };
        let mut folded = Self {
            head: history.head,
            view,
            generation: 0,
            good: None,
            last: None,
            open_actions: BTreeMap::new(),
            audit: Vec::with_capacity(history.entries.len()),
            leaves: None,
            came: None,
            steps: 0,
            pending: None,
            before: Standing::Removed,
        };
        for entry in &history.entries {
            let fact: Fact = entry.read()?;
            folded.add(&fact, entry.at, &entry.values);
            folded.audit.push(AuditRecord { seq: entry.seq, at: entry.at, hash: entry.hash, fact });
        }
        Ok(folded)
    }

    fn add(&mut self, fact: &Fact, at: Timestamp, values: &BTreeMap<String, Value>) {
        match fact {
            Fact::Intended {
                operation,
                kind,
                run,
                by,
                why,
                app_id,
                package,
                preset,
                role,
                lines,
                views,
                part_of,
                ..
            } => {
                self.view.app_id = Arc::clone(app_id);
                self.before = self.view.standing;
                self.stand(Standing::Changing(*kind));
                self.pending = Some(Remembered {
                    package: package.clone(),
                    preset: preset.clone(),
                    role: role.clone(),
                    run: *run,
                    source: None,
                    lines: lines.clone(),
                    views: views.clone(),
                    variables: values.get("variables").cloned().unwrap_or_else(Value::empty_object),
                    inputs: plain_map(values.get("inputs")),
                    generated: plain_map(values.get("generated")),
                });
                self.view.operations.push(OperationView {
                    operation: *operation,
                    kind: *kind,
                    run: *run,
                    by: by.clone(),
                    why: Arc::clone(why),
                    package: package.clone(),
                    preset: preset.clone(),
                    at,
                    ended: None,
                    part_of: *part_of,
                });
            }
            Fact::ActionIntended { operation, deadline, .. } => drop(self.open_actions.insert(*operation, *deadline)),
            Fact::Ended { operation, outcome, .. } => {
                if self.open_actions.remove(operation).is_some() {
                    return;
                }
                let found = self.view.operations.iter_mut().rev().find(|one| one.operation == *operation);
                let Some(change) = found else { return };
                change.ended = Some((*outcome, at));
                let (kind, run) = (change.kind, change.run);
                let is_last = self.view.operations.last().is_some_and(|one| one.operation == *operation);
                // It may have begun all the same, late; then its real end follows.
                let made_with = match outcome {
                    Outcome::NotBegun => self.pending.clone(),
                    _ => self.pending.take_if(|pending| pending.run == run),
                };
                if let Some(made_with) = made_with.filter(|_| is_last) {
                    self.judge(kind, *outcome, made_with);
                }
            }
            Fact::Denied { .. } => {}
            Fact::Granted { grant, to, actions, until, .. } => self.view.grants.push(Grant {
                grant: *grant,
                to: Arc::clone(to),
                actions: actions.iter().cloned().collect(),
                until: *until,
                is_revoked: false,
            }),
            Fact::Revoked { grant, .. } => {
                self.view.grants.iter_mut().filter(|one| one.grant == *grant).for_each(|one| one.is_revoked = true);
            }
            Fact::Departing { transfer, .. } => {
                self.stand(Standing::Leaving);
                self.leaves = Some(*transfer);
            }
            Fact::Kept { .. } => self.stand(Standing::Installed),
            Fact::Departed { transfer, .. } => {
                self.be_gone();
                self.stand(Standing::Removed);
                self.leaves = Some(*transfer);
            }
            Fact::Arrived { transfer, app_id, package, preset, role, lines, views, run, .. } => {
                self.view.app_id = Arc::clone(app_id);
                self.view.package = Some(package.clone());
                self.view.preset.clone_from(preset);
                self.stand(Standing::Installed);
                self.came = Some(*transfer);
                let known = Remembered {
                    package: package.clone(),
                    preset: preset.clone(),
                    role: role.clone(),
                    run: *run,
                    source: values.get("template").and_then(Source::of_value),
                    lines: lines.clone(),
                    views: views.clone(),
                    variables: values.get("variables").cloned().unwrap_or_else(Value::empty_object),
                    inputs: plain_map(values.get("inputs")),
                    generated: plain_map(values.get("generated")),
                };
                self.good = Some(known.clone());
                self.last = Some(known);
            }
        }
    }

    /// It stands otherwise from here on.
    fn stand(&mut self, standing: Standing) {
        self.view.standing = standing;
        (self.leaves, self.came) = (None, None);
        self.steps += 1;
    }

    /// Nothing of it is left under the name.
    fn be_gone(&mut self) {
        self.generation += 1;
        self.good = None;
        self.last = None;
        self.view.package = None;
        self.view.preset = None;
        // What was granted was granted of what is gone.
        self.view.grants.iter_mut().for_each(|grant| grant.is_revoked = true);
    }

    /// Says how an installation stands after a change ended.
    fn judge(&mut self, kind: OperationKind, outcome: Outcome, made_with: Remembered) {
        let before = match &self.good {
            Some(_) => Standing::Installed,
            None => Standing::Removed,
        };
        self.view.standing = match (kind, outcome) {
            // As it was, also where it was broken before.
            (_, Outcome::NotBegun) => return self.view.standing = self.before,
            (OperationKind::Uninstall, Outcome::Succeeded) | (OperationKind::Install, Outcome::Undone) => {
                self.be_gone();
                return self.view.standing = Standing::Removed;
            }
            (_, Outcome::Succeeded) => {
                self.view.package = Some(made_with.package.clone());
                self.view.preset.clone_from(&made_with.preset);
                self.good = Some(made_with.clone());
                Standing::Installed
            }
            (OperationKind::Upgrade | OperationKind::Undo, Outcome::Undone) => before,
            _ => Standing::Broken(kind),
        };
        self.last = Some(made_with);
    }

    /// Returns the change that did not end, as far as the ledger says.
    pub(super) fn open(&self) -> Option<&OperationView> {
        self.view.operations.last().filter(|one| one.ended.is_none())
    }

    /// Returns the change of which the store has to be asked: one that did not end, or one that is said not to have begun. That
    /// was so when somebody looked; whoever wrote the intent may have gone on late.
    pub(super) fn in_question(&self) -> Option<&OperationView> {
        let is_open = |one: &&OperationView| one.ended.is_none_or(|(outcome, _)| outcome == Outcome::NotBegun);
        self.view.operations.last().filter(is_open)
    }

    /// Returns whether anything was ever written down.
    pub(super) fn is_empty(&self) -> bool {
        self.audit.is_empty()
    }
}
