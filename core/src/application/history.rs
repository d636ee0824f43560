//! A ledger as what costs: what was priced, from when until when, and who owned which object of a provider.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{AuditRecord, Fact, ObjectChange, ObjectFate, OperationId, OperationKind, Outcome};
use crate::{
    event::Timestamp,
    pricing::{
        Charge, Line, LineChange, Unpriced,
        cost::{Holding, Owner, Posting, Priced, When},
    },
    state::{ObjectId, Row},
};

/// What the ledger of one installation comes to.
#[derive(Debug, Default)]
pub(super) struct History {
    pub(super) postings: Vec<Posting>,
    pub(super) holdings: Vec<Holding>,
    /// What the installation was called in tags.
    pub(super) app_ids: BTreeSet<Arc<str>>,
}

/// What a change that is under way did until now.
pub(super) struct UnderWay {
    pub(super) operation: OperationId,
    pub(super) objects: Vec<ObjectChange>,
}

/// A change as it was accepted.
struct Intent<'a> {
    at: Timestamp,
    kind: OperationKind,
    app_id: &'a Arc<str>,
    /// What each instance costs from then on.
    wanted: BTreeMap<&'a str, Wanted<'a>>,
    refunds: &'a [Line],
    unpriced: &'a [Unpriced],
}

struct Wanted<'a> {
    change: LineChange,
    type_name: &'a Arc<str>,
    lines: Vec<Priced>,
}

/// An object that is there; `None` where only its instance is known.
type Slot = (Arc<str>, Option<ObjectId>);

struct Open {
    type_name: Arc<str>,
    remote_id: Option<Arc<str>>,
    app_id: Arc<str>,
    since: Timestamp,
    /// What it costs, each from when.
    lines: Vec<(Priced, Timestamp)>,
}

impl History {
    /// Reads a ledger. `rows` are the objects that are there now, which older entries do not name.
    pub(super) fn of(owner: &Owner, audit: &[AuditRecord], under_way: Option<UnderWay>, rows: &[Row]) -> Self {
        let mut reader = Reader { owner, open: BTreeMap::new(), history: Self::default() };
        let mut intents: BTreeMap<OperationId, Intent<'_>> = BTreeMap::new();
        let mut arrived = None;
        for record in audit {
            match &record.fact {
                Fact::Intended { operation, kind, app_id, lines, refunds, unpriced, .. } => {
                    reader.history.app_ids.insert(Arc::clone(app_id));
                    let wanted = wanted(lines, unpriced);
                    intents
                        .insert(*operation, Intent { at: record.at, kind: *kind, app_id, wanted, refunds, unpriced });
                }
                Fact::Ended { operation, outcome, objects, .. } if *outcome != Outcome::NotBegun => {
                    if let Some(intent) = intents.get(operation) {
                        match objects {
                            Some(objects) => reader.change(intent, objects, *outcome == Outcome::Succeeded),
                            None => reader.guess(intent, *outcome, record.at),
                        }
                    }
                }
                Fact::Departed { .. } => reader.depart(record.at),
                Fact::Arrived { app_id, lines, .. } => {
                    arrived = Some(record.at);
                    reader.history.app_ids.insert(Arc::clone(app_id));
                    reader.arrive(app_id, lines, record.at);
                }
                _ => {}
            }
        }
        if let Some(UnderWay { operation, objects }) = under_way
            && let Some(intent) = intents.get(&operation)
        {
            reader.change(intent, &objects, false);
        }
        let since = arrived.or_else(|| intents.values().map(|intent| intent.at).min()).unwrap_or_default();
        reader.end(rows, since)
    }
}

/// Returns what each instance costs once a change is done.
fn wanted<'a>(lines: &'a [Line], unpriced: &'a [Unpriced]) -> BTreeMap<&'a str, Wanted<'a>> {
    let mut wanted: BTreeMap<&str, Wanted<'_>> = BTreeMap::new();
    for line in lines {
        let empty = || Wanted { change: line.change, type_name: &line.type_name, lines: Vec::new() };
        wanted.entry(&line.address).or_insert_with(empty).lines.push(Priced::Line(Box::new(line.clone())));
    }
    for one in unpriced.iter().filter(|one| one.component.is_none() && one.change != LineChange::Gone) {
        let empty = || Wanted { change: one.change, type_name: &one.type_name, lines: Vec::new() };
        let unknown = Priced::Unknown { reason: Arc::clone(&one.reason) };
        wanted.entry(&one.address).or_insert_with(empty).lines.push(unknown);
    }
    wanted
}

fn is_once(priced: &Priced) -> bool {
    matches!(priced, Priced::Line(line) if line.charge == Charge::Once)
}

/// Returns whether both ask the same, whatever became of their object when.
fn same(one: &Priced, other: &Priced) -> bool {
    match (one, other) {
        (Priced::Line(one), Priced::Line(other)) => {
            let key = |line: &Line| (line.component.clone(), line.charge.clone(), line.list.clone(), line.net.clone());
            key(one) == key(other)
        }
        _ => one == other,
    }
}

struct Reader<'o> {
    owner: &'o Owner,
    open: BTreeMap<Slot, Open>,
    history: History,
}

impl Reader<'_> {
    /// Follows a change by what it did to objects.
    fn change(&mut self, intent: &Intent<'_>, objects: &[ObjectChange], is_success: bool) {
        let before: BTreeMap<Arc<str>, Vec<Priced>> = self
            .open
            .iter()
            .map(|((address, _), open)| {
                (Arc::clone(address), open.lines.iter().map(|(line, _)| line.clone()).collect())
            })
            .collect();
        let mut touched: BTreeSet<&str> = BTreeSet::new();
        for change in objects {
            touched.insert(&change.address);
            self.object(intent, change, &before);
        }
        for (address, wanted) in intent.wanted.iter().filter(|(address, _)| !touched.contains(**address)) {
            if wanted.change == LineChange::Kept {
                self.keep(intent, address, wanted, intent.at);
            }
        }
        if is_success {
            // It moved, or has no price any more.
            let is_left = |slot: &Slot| !touched.contains(&*slot.0) && !intent.wanted.contains_key(&*slot.0);
            let left: Vec<Slot> = self.open.keys().filter(|slot| is_left(slot)).cloned().collect();
            for slot in left {
                self.charge(&slot, Vec::new(), intent.at);
            }
        }
    }

    fn object(&mut self, intent: &Intent<'_>, change: &ObjectChange, before: &BTreeMap<Arc<str>, Vec<Priced>>) {
        let slot = self.slot(change);
        let at = change.at;
        match change.fate {
            ObjectFate::Made | ObjectFate::Changed => {
                self.open.entry(slot.clone()).or_insert_with(|| Open {
                    type_name: Arc::clone(&change.type_name),
                    remote_id: None,
                    app_id: Arc::clone(intent.app_id),
                    since: at,
                    lines: Vec::new(),
                });
                if let Some(open) = self.open.get_mut(&slot) {
                    open.remote_id = change.remote_id.clone().or(open.remote_id.take());
                }
                if change.is_undo {
                    let lines = before.get(&change.address).cloned().unwrap_or_default();
                    self.charge(&slot, lines, at);
                    self.refunded(&slot, change);
                } else {
                    let lines = intent.wanted.get(&*change.address).map(|wanted| wanted.lines.clone());
                    self.buy(&slot, lines.unwrap_or_default(), at);
                }
            }
            ObjectFate::Gone => {
                let was_paid = self.was_paid(&slot, intent.at);
                if change.refunded.is_some() {
                    self.refunded(&slot, change);
                } else if !change.is_undo {
                    self.promised(intent, &slot, change);
                } else if was_paid {
                    let reason = Arc::from("it was undone");
                    self.post(&slot, Priced::Unknown { reason }, When::Returned { at });
                }
                self.close(&slot, at, change.remote_id.as_ref());
            }
            ObjectFate::Forgotten => self.close(&slot, at, change.remote_id.as_ref()),
        }
    }

    /// Returns where an object stands; one that entries before did not name is what stands at its instance.
    fn slot(&mut self, change: &ObjectChange) -> Slot {
        let named = self.open.keys().find(|(_, object)| *object == Some(change.object_id)).cloned();
        let slot = named.unwrap_or_else(|| (Arc::clone(&change.address), Some(change.object_id)));
        if change.fate != ObjectFate::Made
            && !self.open.contains_key(&slot)
            && let Some(open) = self.open.remove(&(Arc::clone(&change.address), None))
        {
            self.open.insert(slot.clone(), open);
        }
        slot
    }

    /// Follows a change of an older version, which did not say what it did: it did all it wanted, when it ended.
    fn guess(&mut self, intent: &Intent<'_>, outcome: Outcome, at: Timestamp) {
        if outcome == Outcome::Undone {
            return;
        }
        for (address, wanted) in &intent.wanted {
            match wanted.change {
                LineChange::Kept => self.keep(intent, address, wanted, intent.at),
                _ => {
                    let slot = self.standing(intent, address, wanted.type_name, at);
                    self.buy(&slot, wanted.lines.clone(), at);
                }
            }
        }
        if outcome == Outcome::Succeeded {
            let is_left =
                |slot: &Slot| intent.kind == OperationKind::Uninstall || !intent.wanted.contains_key(&*slot.0);
            let left: Vec<Slot> = self.open.keys().filter(|slot| is_left(slot)).cloned().collect();
            for slot in left {
                self.close(&slot, at, None);
            }
        }
    }

    /// Lets everything go: it is somebody else's, who pays from then on.
    fn depart(&mut self, at: Timestamp) {
        let slots: Vec<Slot> = self.open.keys().cloned().collect();
        for slot in slots {
            self.close(&slot, at, None);
        }
        // What it is called goes along.
        self.history.app_ids.clear();
    }

    /// Takes over what somebody else had. What was paid once was paid there.
    fn arrive(&mut self, app_id: &Arc<str>, lines: &[Line], at: Timestamp) {
        let wanted = wanted(lines, &[]);
        let kind = OperationKind::Install;
        let intent = Intent { at, kind, app_id, wanted: BTreeMap::new(), refunds: &[], unpriced: &[] };
        for (address, wanted) in &wanted {
            self.keep(&intent, address, wanted, at);
        }
    }

    fn keep(&mut self, intent: &Intent<'_>, address: &str, wanted: &Wanted<'_>, at: Timestamp) {
        let slot = self.standing(intent, address, wanted.type_name, at);
        self.charge(&slot, wanted.lines.clone(), at);
    }

    /// Returns what stands at an instance; what no entry named is there from `at`.
    fn standing(&mut self, intent: &Intent<'_>, address: &str, type_name: &Arc<str>, at: Timestamp) -> Slot {
        let newest = self.open.iter().filter(|((of, _), _)| **of == *address).max_by_key(|(_, open)| open.since);
        if let Some((slot, _)) = newest {
            return slot.clone();
        }
        let slot: Slot = (address.into(), None);
        let open = Open {
            type_name: Arc::clone(type_name),
            remote_id: None,
            app_id: Arc::clone(intent.app_id),
            since: at,
            lines: Vec::new(),
        };
        self.open.insert(slot.clone(), open);
        slot
    }

    /// Lets an object cost something else from then on, and pays what is paid once.
    fn buy(&mut self, slot: &Slot, lines: Vec<Priced>, at: Timestamp) {
        for once in lines.iter().filter(|line| is_once(line)) {
            self.post(slot, once.clone(), When::Paid { at });
        }
        self.charge(slot, lines, at);
    }

    /// Lets an object cost something else from then on. What costs the same goes on.
    fn charge(&mut self, slot: &Slot, lines: Vec<Priced>, at: Timestamp) {
        let Some(open) = self.open.get_mut(slot) else { return };
        let mut old = std::mem::take(&mut open.lines);
        for line in lines.into_iter().filter(|line| !is_once(line)) {
            let found = old.iter().position(|(known, _)| same(known, &line));
            let kept = found.map(|idx| old.remove(idx));
            open.lines.push(kept.unwrap_or((line, at)));
        }
        for (line, from) in old {
            self.post(slot, line, When::Held { from, until: Some(at) });
        }
    }

    fn close(&mut self, slot: &Slot, at: Timestamp, remote_id: Option<&Arc<str>>) {
        self.charge(slot, Vec::new(), at);
        if let Some(open) = self.open.remove(slot) {
            let remote_id = remote_id.cloned().or(open.remote_id.clone());
            self.hold(slot, &Open { remote_id, ..open }, Some(at));
        }
    }

    fn was_paid(&self, slot: &Slot, since: Timestamp) -> bool {
        let is_here = |posting: &&Posting| posting.address == slot.0;
        let mut paid = self.history.postings.iter().filter(is_here);
        paid.any(|posting| matches!(posting.when, When::Paid { at } if at >= since))
    }

    fn refunded(&mut self, slot: &Slot, change: &ObjectChange) {
        for money in change.refunded.iter().flatten() {
            self.post(slot, Priced::Refund(money.clone()), When::Returned { at: change.at });
        }
    }

    /// Pays back what the quote said.
    fn promised(&mut self, intent: &Intent<'_>, slot: &Slot, change: &ObjectChange) {
        let when = When::Returned { at: change.at };
        let deposed = format!("{} (deposed {})", change.address, change.object_id);
        let is_here = |address: &str| *address == *change.address || address == deposed;
        for line in intent.refunds.iter().filter(|line| is_here(&line.address)) {
            self.post(slot, Priced::Line(Box::new(line.clone())), when);
        }
        let unknown = intent.unpriced.iter().find(|one| one.change == LineChange::Gone && is_here(&one.address));
        if let Some(Unpriced { reason, .. }) = unknown {
            self.post(slot, Priced::Unknown { reason: Arc::clone(reason) }, when);
        }
    }

    fn post(&mut self, slot: &Slot, priced: Priced, when: When) {
        let Some(open) = self.open.get(slot) else { return };
        self.history.postings.push(Posting {
            owner: self.owner.clone(),
            app_id: Arc::clone(&open.app_id),
            address: Arc::clone(&slot.0),
            type_name: Arc::clone(&open.type_name),
            remote_id: open.remote_id.clone(),
            priced,
            when,
        });
    }

    fn hold(&mut self, slot: &Slot, open: &Open, until: Option<Timestamp>) {
        self.history.holdings.push(Holding {
            owner: self.owner.clone(),
            app_id: Arc::clone(&open.app_id),
            address: Arc::clone(&slot.0),
            type_name: Arc::clone(&open.type_name),
            remote_id: open.remote_id.clone(),
            from: open.since,
            until,
        });
    }

    /// Closes the books: what is open goes on.
    fn end(mut self, rows: &[Row], since: Timestamp) -> History {
        for row in rows {
            // One that no entry names stands where only the instance is known, or was there before entries named any.
            let is_known = self.open.keys().any(|(_, object)| *object == Some(row.object_id));
            let Some(remote_id) = row.remote_id.as_deref().map(Arc::from).filter(|_| !is_known) else { continue };
            let address: Arc<str> = row.address.to_string().into();
            match self.open.get_mut(&(Arc::clone(&address), None)) {
                Some(open) => open.remote_id = Some(remote_id),
                None => {
                    let app_id = self.history.app_ids.iter().next().cloned().unwrap_or_default();
                    let type_name = Arc::clone(&row.type_name);
                    let remote_id = Some(remote_id);
                    let open = Open { type_name, remote_id, app_id, since, lines: Vec::new() };
                    self.open.insert((address, Some(row.object_id)), open);
                }
            }
        }
        let slots: Vec<Slot> = self.open.keys().cloned().collect();
        for slot in slots {
            let lines = self.open.get_mut(&slot).map(|open| std::mem::take(&mut open.lines)).unwrap_or_default();
            for (line, from) in lines {
                self.post(&slot, line, When::Held { from, until: None });
            }
            if let Some(open) = self.open.remove(&slot) {
                self.hold(&slot, &open, None);
            }
        }
        self.history
    }
}
