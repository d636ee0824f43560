use std::sync::Arc;

use super::{
    lines::{Pair, align},
    paint::Sign,
    quote::quoted,
};
use crate::value::{Step, Value};

/// One named or numbered part, before and after.
pub(super) struct Part<'v> {
    pub(super) label: String,
    pub(super) step: Option<Step>,
    pub(super) before: Option<&'v Value>,
    pub(super) after: Option<&'v Value>,
}

impl Part<'_> {
    pub(super) fn sign(&self) -> Sign {
        sign_of(self.before, self.after)
    }
}

/// Returns what happens to a value; nothing and null are the same here.
pub(super) fn sign_of(before: Option<&Value>, after: Option<&Value>) -> Sign {
    let present = |value: Option<&Value>| value.is_some_and(|value| !value.is_null());
    match (before, after) {
        (Some(a), Some(b)) if a.same(b) => Sign::Same,
        _ => match (present(before), present(after)) {
            (false, false) => Sign::Same,
            (false, true) => Sign::Add,
            (true, false) => Sign::Remove,
            (true, true) => Sign::Change,
        },
    }
}

/// The parts of two objects or maps by name.
pub(super) fn fields<'v>(before: Option<&'v Value>, after: Option<&'v Value>, quote: bool) -> Vec<Part<'v>> {
    let mut names: Vec<&Arc<str>> =
        before.into_iter().chain(after).flat_map(|value| value.entries().map(|(name, _)| name)).collect();
    names.sort_unstable();
    names.dedup();
    let part = |name: &Arc<str>| Part {
        label: if quote { quoted(name).into_owned() } else { name.to_string() },
        step: Some(if quote { Step::Key(Arc::clone(name)) } else { Step::Attr(Arc::clone(name)) }),
        before: before.and_then(|value| value.attribute(name)),
        after: after.and_then(|value| value.attribute(name)),
    };
    names.into_iter().map(part).collect()
}

/// The elements of two lists side by side; neighbours that were taken away and added are a change.
pub(super) fn sequence<'v>(before: &'v Value, after: &'v Value) -> Vec<Part<'v>> {
    let (old, new) = (before.elements().as_slice(), after.elements().as_slice());
    let same = |a: usize, b: usize| matches!((old.get(a), new.get(b)), (Some(a), Some(b)) if a.same(b));
    let pairs = align(old.len(), new.len(), same);
    let part = |before: Option<usize>, after: Option<usize>| Part {
        label: String::new(),
        step: after.or(before).map(Step::Index),
        before: before.and_then(|idx| old.get(idx)),
        after: after.and_then(|idx| new.get(idx)),
    };
    let (mut parts, mut gone, mut added) = (Vec::new(), Vec::new(), Vec::new());
    let flush = |parts: &mut Vec<Part<'v>>, gone: &mut Vec<usize>, added: &mut Vec<usize>| {
        for at in 0..gone.len().max(added.len()) {
            parts.push(part(gone.get(at).copied(), added.get(at).copied()));
        }
        gone.clear();
        added.clear();
    };
    for pair in pairs {
        match pair {
            Pair::Old(idx) => gone.push(idx),
            Pair::New(idx) => added.push(idx),
            Pair::Same(a, b) => {
                flush(&mut parts, &mut gone, &mut added);
                parts.push(part(Some(a), Some(b)));
            }
        }
    }
    flush(&mut parts, &mut gone, &mut added);
    parts
}

/// The elements of two sets: both, only before, only after.
pub(super) fn members<'v>(before: &'v Value, after: &'v Value) -> Vec<Part<'v>> {
    let (old, new) = (before.elements().as_slice(), after.elements().as_slice());
    let pairs = align(old.len(), new.len(), |a, b| matches!((old.get(a), new.get(b)), (Some(a), Some(b)) if a.same(b)));
    let part = |before: Option<usize>, after: Option<usize>| Part {
        label: String::new(),
        step: None,
        before: before.and_then(|idx| old.get(idx)),
        after: after.and_then(|idx| new.get(idx)),
    };
    let each = |pair: Pair| match pair {
        Pair::Same(a, b) => part(Some(a), Some(b)),
        Pair::Old(a) => part(Some(a), None),
        Pair::New(b) => part(None, Some(b)),
    };
    pairs.into_iter().map(each).collect()
}
