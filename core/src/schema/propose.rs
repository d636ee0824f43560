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
    /// O(size) of both objects; sets of n blocks O(n log n), but blocks of a set that are configured alike and differ only in
    /// what the resource decided are tried one after the other.
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
            Nesting::Set => {
                let (Kind::Set(wanted), Kind::Set(before)) = (config.kind(), prior.kind()) else { return false };
                let mut candidates = Candidates::new(&self.block, Some(prior));
                wanted.len() == before.len() && wanted.iter().all(|one| candidates.take(&self.block, one).is_some())
            }
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        schema::testing::{any_object, any_schema, n, none, o, object, s, secret, t, unknown},
        value::{Marks, Type},
    };

    fn rule() -> Block {
        Block::new()
            .attribute("name", Attribute::optional(Type::String))
            .attribute("id", Attribute::computed(Type::String))
            .attribute("zone", Attribute::optional_computed(Type::String))
    }

    fn with(nested: NestedBlock) -> Schema {
        Schema::new(0).block("rule", nested)
    }

    /// Checks what is proposed for `rule`, given values that are short of attributes.
    fn check(nested: NestedBlock, prior: &Value, config: &Value, expect: &Value) {
        let schema = with(nested);
        let [prior, config, expect] = [prior, config, expect].map(|rule| object(&schema, &o([("rule", rule.clone())])));
        assert_eq!(schema.proposed_new(Some(&prior), &config), expect);
    }

    fn named(name: &str) -> Value {
        o([("name", s(name))])
    }

    fn made(name: &str, id: &str) -> Value {
        o([("name", s(name)), ("id", s(id))])
    }

    #[test]
    fn attributes_carry_over_if_the_resource_decides_them() {
        let schema = Schema { version: 0, block: rule() };
        let check = |prior: Option<Value>, config: Value, expect: Value| {
            let prior = prior.map(|prior| object(&schema, &prior));
            assert_eq!(schema.proposed_new(prior.as_ref(), &object(&schema, &config)), object(&schema, &expect));
        };
        check(None, named("a"), named("a"));
        check(Some(made("a", "1")), named("b"), made("b", "1"));
        check(Some(made("a", "1")), o([]), o([("id", s("1"))]));
        check(Some(o([("zone", s("x"))])), o([]), o([("zone", s("x"))]));
        check(Some(o([("zone", s("x"))])), o([("zone", s("y"))]), o([("zone", s("y"))]));
        check(Some(o([("zone", s("x"))])), o([("zone", unknown())]), o([("zone", unknown())]));
    }

    #[test]
    fn a_new_object_knows_only_what_is_configured() {
        let schema = Schema { version: 0, block: rule() };
        let config = object(&schema, &named("a"));
        let expect = o([("id", unknown()), ("name", s("a")), ("zone", unknown())]);
        assert_eq!(schema.planned_new(None, &config), expect);
        let null = Value::null(schema.block.implied_type());
        assert_eq!(schema.planned_new(Some(&null), &config), expect);
        assert_eq!(schema.set_unknowns_for_computed(&config), expect);
        assert_eq!(schema.proposed_new(None, &config), config);
    }

    #[test]
    fn lists_of_blocks_correspond_by_position() {
        let prior = t([made("a", "1"), made("b", "2")]);
        check(NestedBlock::list(rule()), &prior, &t([named("b")]), &t([made("b", "1")]));
        check(
            NestedBlock::list(rule()),
            &prior,
            &t([named("a"), named("b"), named("c")]),
            &t([made("a", "1"), made("b", "2"), named("c")]),
        );
        check(NestedBlock::list(rule()), &prior, &t([]), &t([]));
    }

    #[test]
    fn maps_of_blocks_correspond_by_label() {
        let prior = o([("x", made("a", "1")), ("y", made("b", "2"))]);
        let config = o([("y", named("b")), ("z", named("c"))]);
        let expect = o([("y", made("b", "2")), ("z", named("c"))]);
        check(NestedBlock::map(rule()), &prior, &config, &expect);
    }

    #[test]
    fn sets_of_blocks_correspond_by_what_is_configured() {
        let prior = t([made("a", "1"), made("b", "2")]);
        let check = |config, expect| check(NestedBlock::set(rule()), &prior, &config, &expect);
        check(t([named("b"), named("c")]), t([made("b", "2"), named("c")]));
        check(t([named("b"), named("a")]), t([made("a", "1"), made("b", "2")]));
        check(t([o([("name", s("a")), ("zone", s("z"))])]), t([o([("name", s("a")), ("zone", s("z"))])]));
    }

    #[test]
    fn sets_within_sets_correspond_too() {
        let inner = NestedBlock::set(rule());
        let schema = with(NestedBlock::set(Block::new().block("part", inner)));
        let outer = |parts: &[Value]| {
            let rule = o([("part", Value::set(rule().implied_type(), parts.to_vec()))]);
            o([("rule", Value::set(rule.ty(), vec![rule.clone()]))])
        };
        let part = |name: &str, id: Value| o([("name", s(name)), ("id", id), ("zone", none())]);
        let prior = outer(&[part("a", s("1")), part("b", s("2"))]);
        assert_eq!(schema.planned_new(Some(&prior), &outer(&[part("a", none()), part("b", none())])), prior);
        let other = outer(&[part("a", none()), part("c", none())]);
        assert_eq!(schema.proposed_new(Some(&prior), &other), other);
    }

    #[test]
    fn one_prior_block_of_a_set_serves_one_new_one() {
        let block = rule().block("part", NestedBlock::list(rule()));
        let part = |name| t([named(name)]);
        let prior =
            t([o([("name", s("a")), ("zone", s("y")), ("part", part("p"))]), o([("name", s("a")), ("zone", s("z"))])]);
        let config = t([o([("name", s("a")), ("part", part("p"))]), o([("name", s("a")), ("part", part("q"))])]);
        let expect = t([
            o([("name", s("a")), ("zone", s("y")), ("part", part("p"))]),
            o([("name", s("a")), ("part", part("q"))]),
        ]);
        check(NestedBlock::set(block), &prior, &config, &expect);
    }

    #[test]
    fn two_blocks_of_a_set_do_not_become_one() {
        // Both may be what became of the prior block; the second must not turn into a copy of the first.
        let zoned = || o([("name", s("a")), ("id", s("1")), ("zone", s("y"))]);
        let config = t([named("a"), o([("name", s("a")), ("zone", s("y"))])]);
        check(NestedBlock::set(rule()), &t([zoned()]), &config, &t([named("a"), zoned()]));
    }

    #[test]
    fn single_blocks_and_groups_correspond_to_themselves() {
        let nothing = Value::null(Type::Any);
        for nested in [NestedBlock::single(rule()), NestedBlock::group(rule())] {
            check(nested.clone(), &made("a", "1"), &named("b"), &made("b", "1"));
        }
        check(NestedBlock::single(rule()), &made("a", "1"), &nothing, &nothing);
        check(NestedBlock::single(rule()), &nothing, &named("a"), &named("a"));
        check(NestedBlock::group(rule()), &made("a", "1"), &nothing, &o([("id", s("1"))]));
    }

    #[test]
    fn unknown_blocks_stay_unknown() {
        let schema = with(NestedBlock::list(rule()));
        let prior = object(&schema, &o([("rule", t([made("a", "1")]))]));
        let config = object(&schema, &o([("rule", Value::unknown(Type::Any))]));
        assert_eq!(schema.proposed_new(Some(&prior), &config), config);
        let prior_unknown = config;
        let config = object(&schema, &o([("rule", t([named("a")]))]));
        assert_eq!(schema.proposed_new(Some(&prior_unknown), &config), config);
    }

    #[test]
    fn marks_stay_and_do_not_disturb() {
        let schema = with(NestedBlock::set(rule()));
        let prior = object(&schema, &o([("rule", secret(t([made("a", "1")])))]));
        let config = object(&schema, &o([("rule", t([o([("name", secret(s("a")))])]))]));
        let proposed = schema.proposed_new(Some(&prior), &config);
        let rules = proposed.attribute("rule").expect("a set");
        assert_eq!(rules.marks(), Marks::SENSITIVE);
        let id = rules.element_at(0).and_then(|rule| rule.attribute("id"));
        assert_eq!(id, Some(&s("1")));
    }

    #[test]
    fn large_sets_are_matched_in_order_of_their_size() {
        let schema = with(NestedBlock::set(rule()));
        let many = |with_id: bool| {
            let blocks = (0..5_000).map(|number| {
                let id = if with_id { s(&format!("id-{number}")) } else { none() };
                o([("name", s(&format!("name-{number}"))), ("id", id), ("zone", none())])
            });
            o([("rule", Value::set(rule().implied_type(), blocks.collect()))])
        };
        let prior = many(true);
        assert_eq!(schema.proposed_new(Some(&prior), &many(false)), prior);
    }

    #[test]
    fn values_of_another_shape_are_no_panic() {
        let schema = with(NestedBlock::map(rule()));
        for odd in [s("x"), n(1), t([]), unknown(), none(), o([("rule", n(1))]), o([("rule", t([n(1)]))])] {
            let config = object(&schema, &o([("rule", o([("k", named("a"))]))]));
            schema.proposed_new(Some(&odd), &config);
            schema.proposed_new(Some(&config), &odd);
            schema.planned_new(Some(&odd), &odd);
        }
    }

    /// Returns how many parts a value has, to tell whether blocks of a set became one.
    fn size(value: &Value) -> usize {
        let inner = value.elements().map(size).sum::<usize>();
        1 + inner + value.entries().map(|(_, part)| size(part)).sum::<usize>()
    }

    /// Returns an object as state has it: what was unknown is null.
    fn known(value: &Value) -> Value {
        let known = value.transform::<std::convert::Infallible>(|_, part| {
            Ok(if part.is_known() { part } else { Value::null(part.ty()) })
        });
        known.unwrap_or_else(|never| match never {})
    }

    proptest! {
        #[test]
        fn what_is_configured_wins_and_proposing_again_changes_nothing(
            (schema, prior, config) in any_schema().prop_flat_map(|schema| {
                let (prior, config) = (any_object(&schema), any_object(&schema));
                (Just(schema), prior, config)
            }),
        ) {
            let ty = schema.block.implied_type();
            prop_assert!(prior.has_type(&ty) && config.has_type(&ty));
            prop_assert_eq!(schema.proposed_new(None, &config), config.clone());
            let proposed = schema.proposed_new(Some(&prior), &config);
            prop_assert!(proposed.has_type(&ty), "{:?}", proposed);
            for (name, attribute) in &schema.block.attributes {
                let [before, wanted, after] =
                    [&prior, &config, &proposed].map(|object| object.attribute(name).expect("a whole object"));
                let carries = attribute.computed && wanted.is_null();
                prop_assert_eq!(after, if carries { before } else { wanted });
            }
            let planned = schema.planned_new(Some(&prior), &config);
            prop_assert!(planned.has_type(&ty));
            if schema.block.blocks.is_empty() {
                prop_assert_eq!(planned, proposed.clone());
            }
            let fresh = schema.planned_new(None, &config);
            prop_assert_eq!(schema.set_unknowns_for_computed(&fresh), fresh);
        }

        #[test]
        fn the_same_configuration_changes_nothing(
            (schema, prior) in any_schema().prop_flat_map(|schema| {
                let prior = any_object(&schema);
                (Just(schema), prior)
            }),
        ) {
            let prior = known(&prior);
            let config = schema.block.configured_only(&prior);
            // Blocks of a set that were told apart by the resource alone become one: then there is a change.
            prop_assume!(size(&config) == size(&prior));
            let proposed = schema.proposed_new(Some(&prior), &config);
            prop_assert_eq!(schema.changed_paths(&prior, &proposed), []);
            prop_assert_eq!(schema.planned_new(Some(&prior), &config), prior);
        }
    }
}
