use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{ObjectId, Row, Wholes};
use crate::address::Target;

/// Which object refers to which, both ways, so that taking one out costs what it touches and not what there is.
///
/// Only direct dependencies are kept. When an object goes, those that referred to it inherit what it referred to: the
/// order in which the rest is destroyed stays right.
///
/// ```text
/// app ──▶ subnet ──▶ network        remove subnet        app ──▶ network
/// ```
///
/// # Examples
/// ```
/// use stackwright::state::{Dependencies, ObjectId};
///
/// let [app, subnet, network] = [1, 2, 3].map(ObjectId::from_u128);
/// let mut dependencies = Dependencies::new();
/// dependencies.set(app, [subnet]);
/// dependencies.set(subnet, [network]);
/// assert_eq!(dependencies.splice(subnet), [app]);
/// assert_eq!(dependencies.of(app), [network]);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dependencies {
    /// Sorted, without doubles and without the object itself.
    of: HashMap<ObjectId, Vec<ObjectId>>,
    dependents: HashMap<ObjectId, BTreeSet<ObjectId>>,
}

impl Dependencies {
    /// Returns the dependencies of no objects.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the dependencies of these rows. O(rows + dependencies).
    pub fn of_rows<'a>(rows: impl IntoIterator<Item = &'a Row>) -> Self {
        let mut all = Self::new();
        for row in rows {
            all.set(row.object_id, row.dependencies.iter().copied());
        }
        all
    }

    /// Sets what `object` refers to directly, in place of what it referred to before. It may refer to objects that are
    /// not there.
    pub fn set(&mut self, object: ObjectId, dependencies: impl IntoIterator<Item = ObjectId>) {
        self.unlink(object);
        let sorted: BTreeSet<_> = dependencies.into_iter().filter(|id| *id != object).collect();
        for id in &sorted {
            self.dependents.entry(*id).or_default().insert(object);
        }
        self.of.insert(object, sorted.into_iter().collect());
    }

    /// Returns what `object` refers to directly, sorted.
    pub fn of(&self, object: ObjectId) -> &[ObjectId] {
        self.of.get(&object).map_or(&[], Vec::as_slice)
    }

    /// Returns the objects that refer to `object` directly, sorted.
    pub fn dependents(&self, object: ObjectId) -> impl Iterator<Item = ObjectId> + '_ {
        self.dependents.get(&object).into_iter().flatten().copied()
    }

    /// Takes `removed` out; its dependents inherit its dependencies. Returns the dependents, sorted: their rows have to
    /// be written.
    ///
    /// # Complexity
    /// O(d · e log) with d dependents, e the dependencies of those and of `removed`; not the number of objects.
    pub fn splice(&mut self, removed: ObjectId) -> Vec<ObjectId> {
        let inherited = self.of(removed).to_vec();
        let changed: Vec<_> = self.dependents(removed).collect();
        self.unlink(removed);
        self.of.remove(&removed);
        for object in &changed {
            let kept = self.of(*object).iter().copied().filter(|id| *id != removed);
            let union: Vec<_> = kept.chain(inherited.iter().copied()).collect();
            self.set(*object, union);
        }
        changed
    }

    /// Forgets that `object` refers to anything.
    fn unlink(&mut self, object: ObjectId) {
        for id in self.of.remove(&object).unwrap_or_default() {
            if let Some(dependents) = self.dependents.get_mut(&id) {
                dependents.remove(&object);
                if dependents.is_empty() {
                    self.dependents.remove(&id);
                }
            }
        }
    }
}

/// Removes one row; those that depended on it inherit what it depended on, those that refer to a whole that it stood in
/// included. Returns the objects whose rows changed, sorted; their versions are counted up.
///
/// # Complexity
/// O(rows and their dependencies): for one removal by hand.
pub fn splice(rows: &mut BTreeMap<ObjectId, Row>, removed: ObjectId) -> Vec<ObjectId> {
    let Some(gone) = rows.remove(&removed) else { return Vec::new() };
    let around = Wholes::around(&gone.address);
    let mut changed = Vec::new();
    for row in rows.values_mut() {
        let direct = row.dependencies.contains(&removed);
        if (direct || row.wholes.iter().any(|whole| around.contains(whole))) && row.inherit(&gone) {
            row.version += 1;
            changed.push(row.object_id);
        }
    }
    changed
}

impl Row {
    /// Lets this row depend on what `gone` depended on, in place of `gone` itself; returns whether that changed anything.
    pub(crate) fn inherit(&mut self, gone: &Self) -> bool {
        let own = self.object_id;
        let kept = self.dependencies.iter().filter(|id| **id != gone.object_id);
        let objects: BTreeSet<ObjectId> = kept.chain(&gone.dependencies).copied().filter(|id| *id != own).collect();
        let wholes: BTreeSet<&Target> = self.wholes.iter().chain(&gone.wholes).collect();
        let changed = !objects.iter().eq(&self.dependencies) || wholes.len() != self.wholes.len();
        if changed {
            self.wholes = wholes.into_iter().cloned().collect();
            self.dependencies = objects.into_iter().collect();
        }
        changed
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{state::RowStatus, value::Value};

    fn id(number: u128) -> ObjectId {
        ObjectId::from_u128(number)
    }

    fn plain(number: u128) -> Row {
        Row {
            object_id: id(number),
            address: "acme_thing.a".parse().expect("an address"),
            status: RowStatus::Current,
            type_name: "acme_thing".into(),
            provider: "".into(),
            schema_version: 0,
            remote_id: None,
            attributes: Value::empty_object(),
            private: None,
            dependencies: Vec::new(),
            wholes: Vec::new(),
            order_lines: Vec::new(),
            uses: crate::state::Uses::default(),
            create_before_destroy: false,
            prevent_destroy: false,
            ready: true,
            version: 1,
        }
    }

    fn graph(edges: &[(u128, &[u128])]) -> Dependencies {
        let mut all = Dependencies::new();
        for (from, to) in edges {
            all.set(id(*from), to.iter().copied().map(id));
        }
        all
    }

    #[test]
    fn dependents_inherit() {
        let mut all = graph(&[(1, &[2]), (2, &[4, 3]), (5, &[2, 3]), (6, &[1])]);
        assert_eq!(all.splice(id(2)), [id(1), id(5)]);
        assert_eq!(all, graph(&[(1, &[3, 4]), (5, &[3, 4]), (6, &[1])]));
        assert_eq!(all.splice(id(6)), []);
        assert_eq!(all.splice(id(99)), []);
        assert_eq!(all.dependents(id(3)).collect::<Vec<_>>(), [id(1), id(5)]);
    }

    #[test]
    fn an_object_never_depends_on_itself() {
        // A deposed object and its successor may refer to each other by way of a third.
        let mut all = graph(&[(1, &[2, 1]), (2, &[1])]);
        assert_eq!(all.of(id(1)), [id(2)]);
        all.splice(id(2));
        assert_eq!(all.of(id(1)), []);
    }

    #[test]
    fn rows_are_counted_up() {
        let row = |number, dependencies: &[u128]| Row {
            dependencies: dependencies.iter().copied().map(id).collect(),
            ..plain(number)
        };
        let mut rows: BTreeMap<_, _> =
            [row(1, &[2]), row(2, &[3]), row(3, &[])].into_iter().map(|row| (row.object_id, row)).collect();
        assert_eq!(splice(&mut rows, id(2)), [id(1)]);
        let expected: BTreeMap<_, _> =
            [Row { version: 2, ..row(1, &[3]) }, row(3, &[])].into_iter().map(|row| (row.object_id, row)).collect();
        assert_eq!(rows, expected);
    }

    #[test]
    fn users_of_a_whole_inherit() {
        let row = |number: u128, address: &str, dependencies: &[u128], wholes: &[&str]| Row {
            address: address.parse().expect("an address"),
            dependencies: dependencies.iter().copied().map(id).collect(),
            wholes: wholes.iter().map(|whole| whole.parse().expect("a target")).collect(),
            ..plain(number)
        };
        let all = |list: Vec<Row>| list.into_iter().map(|row| (row.object_id, row)).collect::<BTreeMap<_, _>>();
        let user = row(1, "t.user", &[9], &["t.many"]);
        let other = row(2, "t.other", &[9], &["t.else"]);
        let kept = row(4, "t.many[1]", &[], &[]);
        let gone = row(3, "t.many[0]", &[5], &["module.m"]);
        let mut rows = all(vec![user.clone(), other.clone(), gone, kept.clone()]);
        assert_eq!(splice(&mut rows, id(3)), [id(1)]);
        let inherited = Row { version: 2, ..row(1, "t.user", &[5, 9], &["module.m", "t.many"]) };
        let mut inherited = inherited;
        inherited.wholes.sort();
        assert_eq!(rows, all(vec![inherited, other, kept]));
        // What depended on nothing leaves nothing.
        assert_eq!(splice(&mut rows, id(4)), []);
    }

    /// Everything that `from` reaches.
    fn reach(all: &Dependencies, from: u128) -> BTreeSet<ObjectId> {
        let mut seen = BTreeSet::new();
        let mut todo = all.of(id(from)).to_vec();
        while let Some(next) = todo.pop() {
            if seen.insert(next) {
                todo.extend(all.of(next));
            }
        }
        seen
    }

    proptest! {
        /// What could be reached before can be reached afterwards, less what was removed; and nothing else.
        #[test]
        fn the_order_of_the_rest_is_kept(
            edges in prop::collection::vec((0_u128..12, 0_u128..12), 0..40),
            removed in prop::collection::vec(0_u128..12, 0..6),
        ) {
            // Edges from larger to smaller numbers only: no cycles.
            let mut all = Dependencies::new();
            for number in 0..12 {
                let to = edges.iter().filter(|(a, b)| *a.max(b) == number && a != b).map(|(a, b)| id(*a.min(b)));
                all.set(id(number), to);
            }
            let before = all.clone();
            for number in &removed {
                let dependents: Vec<_> = all.dependents(id(*number)).collect();
                prop_assert_eq!(all.splice(id(*number)), dependents);
            }
            for number in (0..12).filter(|number| !removed.contains(number)) {
                let mut expected = reach(&before, number);
                expected.retain(|id| !removed.iter().any(|removed| ObjectId::from_u128(*removed) == *id));
                prop_assert_eq!(reach(&all, number), expected);
                // Both directions tell the same.
                for to in all.of(id(number)) {
                    prop_assert!(all.dependents(*to).any(|from| from == id(number)));
                }
            }
        }
    }
}
