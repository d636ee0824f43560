use std::sync::Arc;

use crate::value::{Kind, Path, Step, Value};

use super::{Attribute, Block, NestedBlock, Nesting, Schema};

impl Schema {
    /// Returns where two objects differ, in order: attributes, and nested blocks that only one of them has.
    ///
    /// Blocks correspond by position (list) or label (map). The path to a set of blocks stands for all of it, since its
    /// blocks have no names. A planned value that is unknown differs from any that is known. Marks do not count.
    ///
    /// # Complexity
    /// O(size) of both objects; what they share costs nothing.
    pub fn changed_paths(&self, prior: &Value, planned: &Value) -> Vec<Path> {
        self.changes(prior, planned).into_iter().map(|change| change.path).collect()
    }

    /// Returns the changed paths for which the object must be replaced: the attribute says so, or a block around it, or
    /// a block that comes or goes sets such an attribute.
    ///
    /// A set of blocks counts if its blocks, seen through those attributes alone, are not the same ones as before.
    pub fn forces_replacement(&self, prior: &Value, planned: &Value) -> Vec<Path> {
        self.changes(prior, planned).into_iter().filter(|change| change.forces).map(|change| change.path).collect()
    }

    fn changes(&self, prior: &Value, planned: &Value) -> Vec<Change> {
        let mut comparison = Comparison { path: Path::root(), changes: Vec::new() };
        comparison.block(&self.block, prior, planned, false);
        comparison.changes
    }
}

struct Change {
    path: Path,
    forces: bool,
}

struct Comparison {
    path: Path,
    changes: Vec<Change>,
}

impl Comparison {
    /// Compares two blocks, of which one may be missing (null). `forced` says that any change here forces replacement.
    fn block(&mut self, block: &Block, prior: &Value, planned: &Value, forced: bool) {
        if equal(prior, planned) {
            return;
        }
        let (Kind::Object(_), Kind::Object(fields)) = (prior.kind(), planned.kind()) else {
            let forces = forced || block.sets_forcing(prior) || block.sets_forcing(planned);
            return self.note(forces);
        };
        for (name, after) in fields.iter() {
            let null = Value::null(after.ty());
            let before = prior.attribute(name).unwrap_or(&null);
            self.path.push(Step::Attr(Arc::clone(name)));
            match (block.attributes.get(name), block.blocks.get(name)) {
                (Some(attribute), _) if !equal(before, after) => self.note(forced || attribute.forces_replacement),
                (None, Some(nested)) => self.nested(nested, before, after, forced || nested.forces_replacement),
                _ => {}
            }
            self.path.pop();
        }
    }

    fn nested(&mut self, nested: &NestedBlock, prior: &Value, planned: &Value, forced: bool) {
        if equal(prior, planned) {
            return;
        }
        let block = &nested.block;
        if !prior.is_known() || !planned.is_known() {
            return self.note(forced || block.has_forcing());
        }
        match nested.nesting {
            Nesting::Single | Nesting::Group => self.block(block, prior, planned, forced),
            Nesting::List => {
                let count = prior.len().max(planned.len());
                for idx in 0..count {
                    self.path.push(Step::Index(idx));
                    self.pair(block, prior.element_at(idx), planned.element_at(idx), forced);
                    self.path.pop();
                }
            }
            Nesting::Map => {
                let mut labels: Vec<&Arc<str>> =
                    prior.entries().chain(planned.entries()).map(|(label, _)| label).collect();
                labels.sort();
                labels.dedup();
                for label in labels {
                    let label = Arc::clone(label);
                    // Blocks that hold an attribute of any type make an object rather than a map.
                    let is_object = matches!(planned.kind(), Kind::Object(_));
                    self.path.push(if is_object {
                        Step::Attr(Arc::clone(&label))
                    } else {
                        Step::Key(Arc::clone(&label))
                    });
                    self.pair(block, prior.attribute(&label), planned.attribute(&label), forced);
                    self.path.pop();
                }
            }
            Nesting::Set => self.note(forced || block.forcing_parts(prior) != block.forcing_parts(planned)),
        }
    }

    fn pair(&mut self, block: &Block, prior: Option<&Value>, planned: Option<&Value>, forced: bool) {
        match (prior, planned) {
            (Some(prior), Some(planned)) => self.block(block, prior, planned, forced),
            (one, other) => {
                let sets_forcing = one.or(other).is_some_and(|present| block.sets_forcing(present));
                self.note(forced || sets_forcing);
            }
        }
    }

    fn note(&mut self, forces: bool) {
        self.changes.push(Change { path: self.path.clone(), forces });
    }
}

impl Block {
    /// Returns whether a block gives a value, or may, to something that forces replacement.
    fn sets_forcing(&self, value: &Value) -> bool {
        match value.kind() {
            Kind::Unknown(_) => self.has_forcing(),
            Kind::Object(fields) => fields.iter().any(|(name, part)| {
                let by_attribute = self.attributes.get(name).is_some_and(|own| forcing(own) && !part.is_null());
                by_attribute || self.blocks.get(name).is_some_and(|nested| nested.sets_forcing(part))
            }),
            _ => false,
        }
    }

    /// Returns the blocks of a set with nulls in place of what does not force replacement, sorted.
    fn forcing_parts(&self, blocks: &Value) -> Vec<Value> {
        let mut parts: Vec<Value> = blocks
            .elements()
            .map(|block| self.forcing_only(&block.unmark_deep().0, false))
            .filter(|block| self.sets_forcing(block))
            .collect();
        parts.sort_by(Value::set_order);
        parts
    }

    /// Returns a block with nulls in place of what does not force replacement; `forced` says that all of it does.
    fn forcing_only(&self, value: &Value, forced: bool) -> Value {
        let Kind::Object(fields) = value.kind() else { return value.clone() };
        Value::object(fields.iter().map(|(name, part)| {
            let part = match (self.attributes.get(name), self.blocks.get(name)) {
                (Some(attribute), _) if !forced && !forcing(attribute) => Value::null(part.ty()),
                (None, Some(nested)) => {
                    let forced = forced || nested.forces_replacement;
                    nested.map_blocks(part, &|block| nested.block.forcing_only(block, forced))
                }
                _ => part.clone(),
            };
            (Arc::clone(name), part)
        }))
    }

    /// Returns whether anything at any depth forces replacement.
    fn has_forcing(&self) -> bool {
        self.attributes.values().any(forcing) || self.blocks.values().any(NestedBlock::has_forcing)
    }
}

impl NestedBlock {
    fn has_forcing(&self) -> bool {
        self.forces_replacement || self.block.has_forcing()
    }

    fn sets_forcing(&self, value: &Value) -> bool {
        let stands = match value.kind() {
            Kind::Null(_) => false,
            Kind::Unknown(_) => true,
            _ => !matches!(self.nesting, Nesting::List | Nesting::Set | Nesting::Map) || value.len() > 0,
        };
        if stands && self.forces_replacement {
            return true;
        }
        match value.kind() {
            Kind::Unknown(_) => self.block.has_forcing(),
            Kind::Object(_) if !self.is_labelled(value) => self.block.sets_forcing(value),
            _ => {
                value.elements().any(|block| self.block.sets_forcing(block))
                    || value.entries().any(|(_, block)| self.block.sets_forcing(block))
            }
        }
    }
}

fn forcing(attribute: &Attribute) -> bool {
    attribute.forces_replacement
}

/// Returns whether two values are the same but for marks.
fn equal(one: &Value, other: &Value) -> bool {
    one.unmark_deep().0.same(&other.unmark_deep().0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        schema::testing::{any_object, any_schema, n, o, object, s, secret, t, unknown},
        value::Type,
    };

    fn schema(nested: NestedBlock) -> Schema {
        Schema::new(0)
            .attribute("name", Attribute::optional(Type::String).forces_replacement())
            .attribute("size", Attribute::optional(Type::Number))
            .attribute("id", Attribute::computed(Type::String))
            .block("rule", nested)
    }

    fn rule() -> Block {
        Block::new()
            .attribute("zone", Attribute::optional(Type::String).forces_replacement())
            .attribute("port", Attribute::optional(Type::Number))
    }

    /// Checks changed paths; those that force replacement end in `!`.
    fn check(nested: NestedBlock, prior: &Value, planned: &Value, expect: &[&str]) {
        let schema = schema(nested);
        let [prior, planned] = [prior, planned].map(|value| object(&schema, value));
        let forcing = schema.forces_replacement(&prior, &planned);
        let mark = |path: &Path| if forcing.contains(path) { "!" } else { "" };
        let changed = schema.changed_paths(&prior, &planned);
        let shown: Vec<String> = changed.iter().map(|path| format!("{path}{}", mark(path))).collect();
        assert_eq!(shown, expect);
        assert!(forcing.iter().all(|path| changed.contains(path)));
    }

    fn rules(rule: Value) -> Value {
        o([("rule", rule)])
    }

    fn at(zone: &str, port: i64) -> Value {
        o([("zone", s(zone)), ("port", n(port))])
    }

    #[test]
    fn attributes() {
        let check = |prior, planned, expect: &[&str]| check(NestedBlock::list(rule()), &prior, &planned, expect);
        check(o([("name", s("a"))]), o([("name", s("a"))]), &[]);
        check(o([("name", s("a")), ("size", n(1))]), o([("name", s("b")), ("size", n(2))]), &[".name!", ".size"]);
        check(o([("name", s("a"))]), o([]), &[".name!"]);
        check(o([]), o([("id", unknown())]), &[".id"]);
        check(o([("name", s("a"))]), o([("name", unknown())]), &[".name!"]);
        check(o([("name", s("a"))]), o([("name", secret(s("a")))]), &[]);
    }

    #[test]
    fn lists_of_blocks() {
        let check =
            |prior, planned, expect: &[&str]| check(NestedBlock::list(rule()), &rules(prior), &rules(planned), expect);
        check(t([at("a", 1), at("b", 2)]), t([at("a", 1), at("b", 3)]), &[".rule[1].port"]);
        check(t([at("a", 1)]), t([at("b", 1)]), &[".rule[0].zone!"]);
        check(t([at("a", 1)]), t([at("a", 1), at("b", 1)]), &[".rule[1]!"]);
        check(t([at("a", 1), o([("port", n(1))])]), t([at("a", 1)]), &[".rule[1]"]);
        check(t([at("a", 1)]), t([at("a", 1), o([])]), &[".rule[1]"]);
        check(t([at("a", 1)]), Value::unknown(Type::Any), &[".rule!"]);
    }

    #[test]
    fn maps_of_blocks() {
        let check =
            |prior, planned, expect: &[&str]| check(NestedBlock::map(rule()), &rules(prior), &rules(planned), expect);
        check(
            o([("k", at("a", 1)), ("l", at("b", 2))]),
            o([("l", at("b", 3))]),
            &[r#".rule["k"]!"#, r#".rule["l"].port"#],
        );
    }

    #[test]
    fn sets_of_blocks() {
        let check =
            |prior, planned, expect: &[&str]| check(NestedBlock::set(rule()), &rules(prior), &rules(planned), expect);
        check(t([at("a", 1), at("b", 2)]), t([at("b", 2), at("a", 1)]), &[]);
        check(t([at("a", 1), at("b", 2)]), t([at("a", 3), at("b", 2)]), &[".rule"]);
        check(t([at("a", 1), at("b", 2)]), t([at("a", 1), at("c", 2)]), &[".rule!"]);
        check(t([at("a", 1)]), t([at("a", 1), o([("port", n(1))])]), &[".rule"]);
        check(t([at("a", 1)]), t([at("a", 1), at("a", 2)]), &[".rule!"]);
    }

    #[test]
    fn single_blocks() {
        let null = || Value::null(Type::Any);
        let check = |nested, prior, planned, expect: &[&str]| check(nested, &rules(prior), &rules(planned), expect);
        check(NestedBlock::single(rule()), at("a", 1), at("a", 2), &[".rule.port"]);
        check(NestedBlock::single(rule()), null(), at("a", 2), &[".rule!"]);
        check(NestedBlock::single(rule()), o([("port", n(1))]), null(), &[".rule"]);
        check(NestedBlock::group(rule()), null(), at("a", 2), &[".rule.port", ".rule.zone!"]);
    }

    #[test]
    fn a_block_may_force_for_all_that_is_in_it() {
        let inner = || Block::new().attribute("port", Attribute::optional(Type::Number));
        let one = |port| t([o([("port", n(port))])]);
        let check = |nested: NestedBlock, prior, planned, expect: &[&str]| {
            check(nested.forces_replacement(), &rules(prior), &rules(planned), expect);
        };
        check(NestedBlock::list(inner()), one(1), one(2), &[".rule[0].port!"]);
        check(NestedBlock::list(inner()), t([]), one(2), &[".rule[0]!"]);
        check(NestedBlock::set(inner()), one(1), one(2), &[".rule!"]);
        let outer = Block::new().block("part", NestedBlock::set(inner()).forces_replacement());
        let part = |port| t([o([("part", one(port))])]);
        super::tests::check(NestedBlock::set(outer.clone()), &rules(part(1)), &rules(part(2)), &[".rule!"]);
        super::tests::check(NestedBlock::list(outer.clone()), &rules(t([])), &rules(part(2)), &[".rule[0]!"]);
        super::tests::check(NestedBlock::list(outer), &rules(t([])), &rules(t([o([])])), &[".rule[0]"]);
    }

    #[test]
    fn an_object_that_comes_or_goes_is_one_change() {
        let schema = schema(NestedBlock::list(rule()));
        let object = object(&schema, &o([("size", n(1))]));
        let nothing = Value::null(schema.block.implied_type());
        assert_eq!(schema.changed_paths(&nothing, &object), [Path::root()]);
        assert_eq!(schema.changed_paths(&nothing, &nothing), []);
        assert_eq!(schema.forces_replacement(&nothing, &object), []);
    }

    proptest! {
        #[test]
        fn equal_objects_have_no_changes_and_others_have(
            (schema, one, other) in any_schema().prop_flat_map(|schema| {
                let (one, other) = (any_object(&schema), any_object(&schema));
                (Just(schema), one, other)
            }),
        ) {
            prop_assert_eq!(schema.changed_paths(&one, &one), []);
            let there = schema.changed_paths(&one, &other);
            prop_assert_eq!(there.is_empty(), one == other);
            prop_assert_eq!(&there, &schema.changed_paths(&other, &one));
            let forcing = schema.forces_replacement(&one, &other);
            prop_assert!(forcing.iter().all(|path| there.contains(path)));
            prop_assert_eq!(forcing, schema.forces_replacement(&other, &one));
        }
    }
}
