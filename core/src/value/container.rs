use std::{ops::Deref, sync::Arc};

use super::{Marks, Type, Value};

/// What is true of a container and everything in it; kept so that asking is O(1).
#[derive(Clone, Copy)]
pub(super) struct Deep {
    pub(super) marks: Marks,
    pub(super) known: bool,
}

impl Deep {
    fn of<'a>(values: impl Iterator<Item = &'a Value>) -> Self {
        values.fold(Self { marks: Marks::NONE, known: true }, |deep, value| Self {
            marks: deep.marks | value.marks_deep(),
            known: deep.known && value.is_wholly_known(),
        })
    }
}

/// The elements of a list, set or tuple: a shared slice.
///
/// Dereferences to `[Value]`.
#[derive(Clone)]
pub struct Items(Arc<ItemsInner>);

struct ItemsInner {
    element: Type,
    deep: Deep,
    values: Box<[Value]>,
}

impl Items {
    /// `element` is [`Type::Any`] for tuples.
    pub(super) fn new(element: Type, values: Vec<Value>) -> Self {
        Self(Arc::new(ItemsInner { element, deep: Deep::of(values.iter()), values: values.into_boxed_slice() }))
    }

    /// Returns the element type of the list or set; [`Type::Any`] for a tuple.
    pub fn element_type(&self) -> &Type {
        &self.0.element
    }

    pub(super) fn deep(&self) -> Deep {
        self.0.deep
    }

    pub(super) fn shares_with(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Deref for Items {
    type Target = [Value];
    fn deref(&self) -> &[Value] {
        &self.0.values
    }
}

/// The elements of a map or the attributes of an object: a shared slice, sorted by name (bytes).
///
/// Dereferences to `[(Arc<str>, Value)]`.
#[derive(Clone)]
pub struct Fields(Arc<FieldsInner>);

struct FieldsInner {
    element: Type,
    deep: Deep,
    entries: Box<[(Arc<str>, Value)]>,
}

impl Fields {
    /// Sorts by name; of equal names the last one stays. `element` is [`Type::Any`] for objects.
    pub(super) fn new(element: Type, mut entries: Vec<(Arc<str>, Value)>) -> Self {
        if !entries.is_sorted_by(|(a, _), (b, _)| a < b) {
            entries.reverse();
            entries.sort_by(|(a, _), (b, _)| a.cmp(b));
            entries.dedup_by(|(a, _), (b, _)| a == b);
        }
        let deep = Deep::of(entries.iter().map(|(_, value)| value));
        Self(Arc::new(FieldsInner { element, deep, entries: entries.into_boxed_slice() }))
    }

    /// Returns the element type of the map; [`Type::Any`] for an object.
    pub fn element_type(&self) -> &Type {
        &self.0.element
    }

    /// Returns the element or attribute of that name. O(log n).
    pub fn get(&self, name: &str) -> Option<&Value> {
        let idx = self.0.entries.binary_search_by(|(key, _)| (**key).cmp(name)).ok()?;
        self.0.entries.get(idx).map(|(_, value)| value)
    }

    /// Returns whether there is an element or attribute of that name. O(log n).
    pub fn contains(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Returns the names, sorted.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &Arc<str>> {
        self.0.entries.iter().map(|(name, _)| name)
    }

    pub(super) fn deep(&self) -> Deep {
        self.0.deep
    }

    pub(super) fn shares_with(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Deref for Fields {
    type Target = [(Arc<str>, Value)];
    fn deref(&self) -> &[(Arc<str>, Value)] {
        &self.0.entries
    }
}
