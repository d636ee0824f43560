use crate::plan::{Join, JoinId, Level, Need};

/// What is to be done about one object, reduced to what its order depends on.
///
/// Objects are numbered by their place in the list; a replacement is one item that is both made and deleted. An item may
/// also stand for several: then nothing is done to itself, and it wants, or had, those.
#[derive(Clone, Debug, Default)]
pub(in crate::plan) struct Item {
    /// It is created, updated or read.
    pub make: bool,
    /// Its old object is deleted.
    pub delete: bool,
    /// It is replaced, and the new object is made first.
    pub create_first: bool,
    /// Conditions are checked after it was made; whoever uses it waits for them too.
    pub checked: bool,
    /// It stands for whatever is recorded in a block or module: what it had is looked up, not recorded one by one.
    pub whole: bool,
    /// Items that the template says it uses; sorted.
    pub wants: Vec<u32>,
    /// Items whose objects it was made with, as state remembers; sorted.
    pub had: Vec<u32>,
}

impl Item {
    /// Returns how far it has to be for whoever uses it.
    pub(super) fn level(&self) -> Level {
        if self.checked { Level::Done } else { Level::Ready }
    }

    /// Returns whether its old object goes while there is no new one that has to wait for that.
    pub(super) fn leaves(&self) -> bool {
        self.delete && (!self.make || self.create_first)
    }
}

/// One half of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(in crate::plan) enum Half {
    /// The delete of its old object.
    Delete,
    /// The create, update or read.
    Make,
}

/// A step in its order: which item, which half, and what it waits for.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::plan) struct Ordered {
    pub item: u32,
    pub half: Half,
    /// Earlier steps; sorted.
    pub needs: Vec<Need>,
    /// Joins; sorted.
    pub joins: Vec<JoinId>,
}

/// The steps of a plan in their order, numbered by their places, and the joins that they wait for.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::plan) struct Sequence {
    pub steps: Vec<Ordered>,
    pub joins: Vec<Join>,
}
