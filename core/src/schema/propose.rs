use std::{cmp::Ordering, sync::Arc};

use crate::value::{Kind, Value};

use super::{Attribute, Block, NestedBlock, Nesting, Schema};

/// What a new block, which nothing prior corresponds to, gets for its computed attributes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fresh {
    /// What the configuration says: null.
    Null,
    /// Unknown.
    Unknown,
}

impl Schema {
    /// Returns the object that the configuration asks for, with what the resource decided before carried over.
    ///
    /// Attributes are as configured, but computed ones that are not configured keep their prior value (null if there is
    /// no prior object). Nested blocks correspond to prior ones by position (list), label (map), or by having the same
    /// configured values (set); a new block is as configured. Both objects must conform to the schema.
    ///
    /// This is Terraform's rule, by which its providers are asked to plan; see also
    /// [`planned_new`](Self::planned_new).
    ///
    /// # Complexity
    /// O(size) of both objects; sets of n blocks O(n log n).
    pub fn proposed_new(&self, prior: Option<&Value>, config: &Value) -> Value {
        self.block.propose_top(prior, config, Fresh::Null)
    }

    /// Returns [`proposed_new`](Self::proposed_new) with unknown in place of every computed attribute that is not
    /// configured and has no prior object or block to take a value from.
    ///
    /// This is what a resource can be planned to become: all of a new object, and the new blocks of an old one.
    pub fn planned_new(&self, prior: Option<&Value>, config: &Value) -> Value {
        self.block.propose_top(prior, config, Fresh::Unknown)
    }
}

impl Block {
    fn propose_top(&self, prior: Option<&Value>, config: &Value, fresh: Fresh) -> Value {
        match prior.filter(|prior| !prior.is_null()) {
            Some(prior) => self.propose(prior, config, fresh),
            None => self.fresh(config, fresh),
        }
    }

    /// Returns a block that has no prior.
    fn fresh(&self, config: &Value, fresh: Fresh) -> Value {
        match fresh {
            Fresh::Null => config.clone(),
            Fresh::Unknown => self.set_unknowns_for_computed(config),
        }
    }

    fn propose(&self, prior: &Value, config: &Value, fresh: Fresh) -> Value {
        let Kind::Object(configured) = config.kind() else {
            return if config.is_null() { prior.clone() } else { config.clone() };
        };
        if prior.fields().is_none() {
            return self.fresh(config, fresh);
        }
        let parts = configured.iter().map(|(name, wanted)| {
            let before = prior.attribute(name);
            let part = match (self.attributes.get(name), self.blocks.get(name)) {
                (Some(attribute), _) => carried_over(attribute, before, wanted),
                (None, Some(nested)) => nested.propose(before, wanted, fresh),
                (None, None) => wanted.clone(),
            };
            (Arc::clone(name), part)
        });
        Value::object(parts).with_marks(config.marks())
    }

    /// Returns the block without what the resource may decide: nulls for computed attributes, at any depth.
    fn configured_only(&self, value: &Value) -> Value {
        let (value, _) = value.unmark_deep();
        self.map_attributes(&value, &|attribute, part| {
            if attribute.computed { Value::null(part.ty()) } else { part.clone() }
        })
    }

    /// Returns whether a prior block may be what became of a configured one: they differ only in attributes that are
    /// computed and not configured.
    fn may_become(&self, config: &Value, prior: &Value) -> bool {
        let (Kind::Object(configured), Kind::Object(_)) = (config.kind(), prior.kind()) else {
            return equal(config, prior);
        };
        configured.iter().all(|(name, wanted)| {
            let Some(before) = prior.attribute(name) else { return false };
            match (self.attributes.get(name), self.blocks.get(name)) {
                (Some(attribute), _) => equal(wanted, before) || attribute.computed && wanted.is_null(),
                (None, Some(nested)) => nested.may_become(wanted, before),
                (None, None) => equal(wanted, before),
            }
        })
    }
}

impl NestedBlock {
    fn propose(&self, prior: Option<&Value>, config: &Value, fresh: Fresh) -> Value {
        let block = &self.block;
        if !config.is_known() || config.is_null() {
            return config.clone();
        }
        let prior = prior.filter(|prior| !prior.is_null() && prior.is_known());
        let one = |before: Option<&Value>, wanted: &Value| match before.filter(|before| !before.is_null()) {
            Some(before) => block.propose(before, wanted, fresh),
            None => block.fresh(wanted, fresh),
        };
        match self.nesting {
            Nesting::Single | Nesting::Group => one(prior, config),
            Nesting::List => {
                let befores = prior.map(Value::elements).unwrap_or_default();
                let befores = befores.map(Some).chain(std::iter::repeat(None));
                let blocks = config.elements().zip(befores).map(|(wanted, before)| one(before, wanted)).collect();
                self.sequence(blocks).with_marks(config.marks())
            }
            Nesting::Map => {
                let label = |(name, wanted): (&Arc<str>, &Value)| {
                    (Arc::clone(name), one(prior.and_then(|prior| prior.attribute(name)), wanted))
                };
                self.mapping(config.entries().map(label).collect()).with_marks(config.marks())
            }
            Nesting::Set if !block.any_attribute(&|attribute| attribute.computed) => config.clone(),
            Nesting::Set => {
                let mut candidates = Candidates::new(block, prior);
                let blocks = config.elements().map(|wanted| one(candidates.take(block, wanted), wanted)).collect();
                self.sequence(blocks).with_marks(config.marks())
            }
        }
    }

    fn may_become(&self, config: &Value, prior: &Value) -> bool {
        if equal(config, prior) {
            return true;
        }
        match self.nesting {
            Nesting::Single | Nesting::Group => self.block.may_become(config, prior),
            Nesting::List => {
                config.items().is_some()
                    && prior.items().is_some()
                    && config.len() == prior.len()
                    && config
                        .elements()
                        .zip(prior.elements())
                        .all(|(config, prior)| self.block.may_become(config, prior))
            }
            Nesting::Map => {
                config.fields().is_some()
                    && prior.fields().is_some()
                    && config.len() == prior.len()
                    && config.entries().all(|(label, config)| {
                        prior.attribute(label).is_some_and(|prior| self.block.may_become(config, prior))
                    })
            }
            // Blocks of an inner set cannot be told apart once more.
            Nesting::Set => false,
        }
    }
}

/// Returns what an attribute becomes: as configured, or as it was where the resource decides.
fn carried_over(attribute: &Attribute, prior: Option<&Value>, config: &Value) -> Value {
    match prior {
        Some(prior) if attribute.computed && config.is_null() => prior.clone(),
        _ => config.clone(),
    }
}

/// Returns whether two values are the same but for marks.
fn equal(one: &Value, other: &Value) -> bool {
    one.unmark_deep().0.same(&other.unmark_deep().0)
}

/// Prior blocks of a set, sorted by their configured parts, so that each is found without looking at all.
struct Candidates {
    blocks: Vec<(Value, Value)>,
    used: Vec<bool>,
}

impl Candidates {
    fn new(block: &Block, prior: Option<&Value>) -> Self {
        let elements = prior.map(Value::elements).unwrap_or_default();
        let mut blocks: Vec<(Value, Value)> =
            elements.map(|element| (block.configured_only(element), element.clone())).collect();
        blocks.sort_by(|(one, _), (other, _)| one.set_order(other));
        Self { used: vec![false; blocks.len()], blocks }
    }

    /// Returns the first prior block that may be what became of a configured one, and gives it to no other.
    fn take(&mut self, block: &Block, config: &Value) -> Option<&Value> {
        let key = block.configured_only(config);
        let first = self.blocks.partition_point(|(candidate, _)| candidate.set_order(&key) == Ordering::Less);
        let alike = self.blocks.iter().zip(&mut self.used).skip(first);
        for ((candidate, element), used) in alike {
            if candidate.set_order(&key) != Ordering::Equal {
                break;
            }
            if !*used && block.may_become(config, element) {
                *used = true;
                return Some(element);
            }
        }
        None
    }
}
