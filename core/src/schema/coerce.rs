use std::sync::Arc;

use crate::{
    error::suggest,
    value::{Kind, Path, Step, Type, Value, convert},
};

use super::{Attribute, Block, NestedBlock, Nesting, Schema};

/// What is wrong with a value: where, and a lower-case fragment that holds nothing of the value itself.
pub type Problems = Vec<(Path, String)>;

impl Schema {
    /// Returns what a template set as an object of the [implied type](Block::implied_type): attributes converted, missing
    /// ones null or their default, nested blocks collected.
    ///
    /// Blocks may be given in any shape that says the same: one object where a list is wanted, a list of at most one where
    /// an object is wanted, objects for maps. Unknown values stay unknown, marks stay where they were.
    ///
    /// # Errors
    /// Everything that is wrong: attributes that do not exist (with a suggestion), are of the wrong type, are required but
    /// not set, or are decided by the resource; blocks that are too few or too many.
    ///
    /// # Complexity
    /// O(size) of value and schema.
    pub fn coerce(&self, value: &Value) -> Result<Value, Problems> {
        Coercion::run(&self.block, value, Source::Template)
    }

    /// Returns an object from a store or a resource as one of the [implied type](Block::implied_type).
    ///
    /// Like [`coerce`](Self::coerce), but nothing need be set, nothing is set by default, and what the resource decides
    /// may stand.
    ///
    /// # Errors
    /// Everything that is wrong: attributes that do not exist or are of the wrong type.
    pub fn conform(&self, value: &Value) -> Result<Value, Problems> {
        if self.block.fits(value) {
            return Ok(value.clone());
        }
        Coercion::run(&self.block, value, Source::Resource)
    }

    /// Returns which attributes and blocks are set that should not be used any more, with what to use instead.
    pub fn deprecations(&self, value: &Value) -> Problems {
        let mut found = Vec::new();
        if let Some(instead) = &self.block.deprecated {
            found.push((Path::root(), instead.clone()));
        }
        self.block.deprecations(value, &Path::root(), &mut found);
        found
    }

    /// Returns which values fail the checks of their attributes. Nulls and unknown values pass, and so do values of
    /// another type, which [`coerce`](Self::coerce) refuses.
    pub fn validate_values(&self, value: &Value) -> Problems {
        let mut found = Vec::new();
        self.block.validate_values(value, &Path::root(), &mut found);
        found
    }
}

/// Who made a value, and so what is expected of it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Source {
    Template,
    Resource,
}

struct Coercion {
    source: Source,
    path: Path,
    problems: Problems,
}

impl Coercion {
    fn run(block: &Block, value: &Value, source: Source) -> Result<Value, Problems> {
        let mut coercion = Self { source, path: Path::root(), problems: Vec::new() };
        let coerced = coercion.block(block, value);
        if coercion.problems.is_empty() { Ok(coerced) } else { Err(coercion.problems) }
    }

    fn problem(&mut self, message: impl Into<String>) {
        self.problems.push((self.path.clone(), message.into()));
    }

    fn at<T>(&mut self, step: Step, run: impl FnOnce(&mut Self) -> T) -> T {
        self.path.push(step);
        let result = run(self);
        self.path.pop();
        result
    }

    /// Conforms one block. What is returned after a problem is thrown away.
    fn block(&mut self, block: &Block, value: &Value) -> Value {
        match value.kind() {
            Kind::Unknown(_) => return Value::unknown(block.implied_type()).with_marks(value.marks()),
            Kind::Null(_) if self.source == Source::Resource => {
                return Value::null(block.implied_type()).with_marks(value.marks());
            }
            Kind::Object(_) | Kind::Map(_) => {}
            _ => {
                self.problem("an object is required");
                return block.empty_value();
            }
        }
        for (name, _) in value.entries() {
            if !block.attributes.contains_key(name) && !block.blocks.contains_key(name) {
                self.at(Step::Attr(Arc::clone(name)), |this| this.problem(unsupported(block, name)));
            }
        }
        let attributes = block.attributes.iter().map(|(name, attribute)| {
            let part =
                self.at(Step::Attr(Arc::clone(name)), |this| this.attribute(attribute, name, value.attribute(name)));
            (Arc::clone(name), part)
        });
        let mut parts: Vec<(Arc<str>, Value)> = attributes.collect();
        for (name, nested) in &block.blocks {
            let part = self.at(Step::Attr(Arc::clone(name)), |this| this.nested(nested, name, value.attribute(name)));
            parts.push((Arc::clone(name), part));
        }
        Value::object(parts).with_marks(value.marks())
    }

    fn attribute(&mut self, attribute: &Attribute, name: &str, given: Option<&Value>) -> Value {
        let null = || Value::null(attribute.ty.without_optional());
        let given = match given {
            Some(given) if !given.is_null() => given,
            absent => {
                if self.source == Source::Template && attribute.required {
                    self.problem(format!("`{name}` is required"));
                }
                let default = attribute.default.as_ref().filter(|_| self.source == Source::Template);
                let default = default.and_then(|default| convert(default, &attribute.ty).ok());
                // A null that was computed from a secret is a secret still.
                let marks = absent.map(Value::marks).unwrap_or_default();
                return default.unwrap_or_else(null).with_marks(marks);
            }
        };
        if self.source == Source::Template && !attribute.is_input() {
            self.problem(format!("`{name}` is decided by the resource and cannot be set"));
            return null();
        }
        match convert(given, &attribute.ty) {
            Ok(converted) => converted,
            Err(error) => {
                self.problems.push((self.path.join(&error.path), error.message));
                null()
            }
        }
    }

    fn nested(&mut self, nested: &NestedBlock, name: &str, given: Option<&Value>) -> Value {
        let Some(given) = given.filter(|given| !given.is_null()) else {
            return self.absent(nested, name);
        };
        if !given.is_known() {
            return Value::unknown(nested.implied_type()).with_marks(given.marks());
        }
        let coerced = match (nested.nesting, given.kind()) {
            (Nesting::Single | Nesting::Group, Kind::List(items) | Kind::Tuple(items) | Kind::Set(items)) => {
                match &**items {
                    [] => return self.absent(nested, name),
                    [only] => self.block(&nested.block, only),
                    _ => {
                        self.problem(format!("at most one `{name}` block is allowed"));
                        return nested.absent_value();
                    }
                }
            }
            (Nesting::Single | Nesting::Group, _) => return self.block(&nested.block, given),
            (Nesting::List | Nesting::Set, Kind::List(items) | Kind::Tuple(items) | Kind::Set(items)) => {
                let step = |idx| match given.kind() {
                    Kind::Set(_) => Step::Element(idx),
                    _ => Step::Index(idx),
                };
                let blocks = items.iter().enumerate();
                let blocks: Vec<Value> =
                    blocks.map(|(idx, block)| self.at(step(idx), |this| this.listed(nested, block))).collect();
                nested.sequence(blocks)
            }
            (Nesting::List | Nesting::Set, Kind::Object(_) | Kind::Map(_)) => {
                let only = self.listed(nested, given);
                nested.sequence(vec![only])
            }
            (Nesting::Map, Kind::Object(fields) | Kind::Map(fields)) => {
                let blocks = fields.iter().map(|(label, block)| {
                    let block = self.at(Step::Key(Arc::clone(label)), |this| this.listed(nested, block));
                    (Arc::clone(label), block)
                });
                nested.mapping(blocks.collect())
            }
            (nesting, _) => {
                let wanted = if nesting == Nesting::Map { "labelled blocks" } else { "blocks" };
                self.problem(format!("{wanted} are required"));
                return nested.absent_value();
            }
        };
        self.count(nested, name, &coerced);
        let marks = coerced.marks() | given.marks();
        coerced.with_marks(marks)
    }

    /// Conforms a block that is one of many, where null cannot stand.
    fn listed(&mut self, nested: &NestedBlock, block: &Value) -> Value {
        if block.is_null() {
            self.problem("a block cannot be null");
            return nested.block.empty_value();
        }
        self.block(&nested.block, block)
    }

    fn absent(&mut self, nested: &NestedBlock, name: &str) -> Value {
        if self.source == Source::Template && nested.min_items > 0 {
            self.problem(too_few(nested, name));
        }
        match nested.nesting {
            // Defaults apply in a group that does not stand, since it is there all the same.
            Nesting::Group if self.source == Source::Template => self.block(&nested.block, &Value::empty_object()),
            _ => nested.absent_value(),
        }
    }

    fn count(&mut self, nested: &NestedBlock, name: &str, blocks: &Value) {
        let (Source::Template, Nesting::List | Nesting::Set | Nesting::Map) = (self.source, nested.nesting) else {
            return;
        };
        let Some((least, most)) = blocks.length_bounds() else { return };
        if most.is_some_and(|most| (most as u64) < nested.min_items) {
            self.problem(too_few(nested, name));
        }
        if let Some(max) = nested.max_items.filter(|max| least as u64 > *max) {
            let blocks = if max == 1 { "block is" } else { "blocks are" };
            self.problem(format!("at most {max} `{name}` {blocks} allowed"));
        }
    }
}

fn too_few(nested: &NestedBlock, name: &str) -> String {
    match (nested.nesting, nested.min_items) {
        (Nesting::Single | Nesting::Group, _) => format!("a `{name}` block is required"),
        (_, 1) => format!("at least one `{name}` block is required"),
        (_, min) => format!("at least {min} `{name}` blocks are required"),
    }
}

fn unsupported(block: &Block, name: &str) -> String {
    match suggest(name, block.names()) {
        Some(meant) => format!("`{name}` is not expected here; did you mean `{meant}`?"),
        None => format!("`{name}` is not expected here"),
    }
}

impl Block {
    /// Returns whether a value is an object of the implied type already; blocks that hold others are not looked into.
    fn fits(&self, value: &Value) -> bool {
        let Kind::Object(fields) = value.kind() else { return false };
        let part_fits = |((name, part), (expected, attribute)): (&(Arc<str>, Value), (&Arc<str>, &Attribute))| {
            name == expected && (part.has_type(&attribute.ty) || (attribute.ty == Type::Any && !part.is_null()))
        };
        self.blocks.is_empty()
            && fields.len() == self.attributes.len()
            && fields.iter().zip(&self.attributes).all(part_fits)
    }

    fn deprecations(&self, value: &Value, path: &Path, found: &mut Problems) {
        for (name, part) in value.entries() {
            if part.is_null() {
                continue;
            }
            if let Some(instead) = self.attributes.get(name).and_then(|attribute| attribute.deprecated.as_ref()) {
                found.push((path.clone().attr(Arc::clone(name)), instead.clone()));
            }
            if let Some(nested) = self.blocks.get(name) {
                let path = path.clone().attr(Arc::clone(name));
                let stands = !part.is_known() || nested.count_blocks(part) > 0;
                if let Some(instead) = nested.block.deprecated.as_ref().filter(|_| stands) {
                    found.push((path.clone(), instead.clone()));
                }
                nested.each_nested(part, &path, &mut |block, path| nested.block.deprecations(block, path, found));
            }
        }
    }

    fn validate_values(&self, value: &Value, path: &Path, found: &mut Problems) {
        for (name, part) in value.entries() {
            if let Some(attribute) = self.attributes.get(name) {
                for check in &attribute.checks {
                    if let Some(what) = check.verdict(part) {
                        found.push((path.clone().attr(Arc::clone(name)), format!("`{name}` {what}")));
                    }
                }
            }
            if let Some(nested) = self.blocks.get(name) {
                let path = path.clone().attr(Arc::clone(name));
                nested.each_nested(part, &path, &mut |block, path| nested.block.validate_values(block, path, found));
            }
        }
    }
}

impl NestedBlock {
    fn count_blocks(&self, value: &Value) -> usize {
        match value.kind() {
            Kind::Object(_) if !self.is_labelled(value) => 1,
            _ => value.len(),
        }
    }

    /// Calls `visit` with each block that stands, and its path.
    fn each_nested(&self, value: &Value, path: &Path, visit: &mut dyn FnMut(&Value, &Path)) {
        if matches!(value.kind(), Kind::Object(_)) && !self.is_labelled(value) {
            return visit(value, path);
        }
        self.each_block(value, &mut |step, block| visit(block, &path.clone().step(step)));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        schema::testing::{any_object, any_schema, n, none, o, s, secret, shown, t},
        value::{Marks, Type},
    };

    fn rule() -> Block {
        Block::new()
            .attribute("port", Attribute::required(Type::Number))
            .attribute("note", Attribute::optional(Type::String).default("-"))
    }

    fn server() -> Schema {
        Schema::new(0)
            .attribute("name", Attribute::required(Type::String))
            .attribute("size", Attribute::optional(Type::Number).default(1))
            .attribute("tags", Attribute::optional(Type::map(Type::String)))
            .attribute("id", Attribute::computed(Type::String))
            .attribute("zone", Attribute::optional_computed(Type::String))
    }

    fn coerced(schema: &Schema, value: &Value) -> Value {
        let result = schema.coerce(value).map_err(shown);
        let object = result.expect("a good value");
        assert!(object.has_type(&schema.block.implied_type()), "{object:?}");
        object
    }

    fn problems(schema: &Schema, value: &Value) -> Vec<String> {
        shown(schema.coerce(value).expect_err("a bad value"))
    }

    #[test]
    fn attributes_are_converted_and_filled_in() {
        let given = o([("name", n(7)), ("tags", o([("a", n(1))]))]);
        let expect = o([
            ("id", none()),
            ("name", s("7")),
            ("size", n(1)),
            ("tags", Value::map(Type::String, [("a", s("1"))])),
            ("zone", none()),
        ]);
        assert_eq!(coerced(&server(), &given), expect);
        let null_size = o([("name", s("a")), ("size", Value::null(Type::Any))]);
        assert_eq!(coerced(&server(), &null_size).attribute("size"), Some(&n(1)));
        let as_map = Value::map(Type::String, [("name", s("a")), ("size", s("2"))]);
        assert_eq!(coerced(&server(), &as_map).attribute("size"), Some(&n(2)));
    }

    #[test]
    fn every_problem_is_told() {
        let schema = server().block("rule", NestedBlock::list(rule()).min_items(1));
        let given = o([
            ("nmae", s("x")),
            ("size", s("big")),
            ("tags", o([("a", t([]))])),
            ("id", s("mine")),
            ("rule", t([o([("port", s("http"))]), o([("prot", n(1))]), Value::null(Type::Any), n(3)])),
            ("zzz", n(1)),
        ]);
        assert_eq!(
            problems(&schema, &given),
            [
                ".nmae: `nmae` is not expected here; did you mean `name`?",
                ".zzz: `zzz` is not expected here",
                ".id: `id` is decided by the resource and cannot be set",
                ".name: `name` is required",
                ".size: a number is required",
                r#".tags: element "a": string required"#,
                ".rule[0].port: a number is required",
                ".rule[1].prot: `prot` is not expected here; did you mean `port`?",
                ".rule[1].port: `port` is required",
                ".rule[2]: a block cannot be null",
                ".rule[3]: an object is required",
            ]
        );
        assert_eq!(problems(&schema, &s("x")), [": an object is required"]);
        assert_eq!(problems(&schema, &Value::null(Type::Any)), [": an object is required"]);
    }

    #[test]
    fn problems_hold_no_secret() {
        let given = o([("name", secret(t([s("hunter2")]))), ("size", secret(s("hunter2")))]);
        let text = problems(&server(), &given).join("\n");
        assert!(!text.contains("hunter2"), "{text}");
    }

    #[test]
    fn blocks_come_in_any_shape_that_says_the_same() {
        let block = || o([("port", s("80"))]);
        let done = || o([("note", s("-")), ("port", n(80))]);
        let ty = rule().implied_type();
        let check = |nested: NestedBlock, given: Value, expect: Value| {
            let schema = Schema::new(0).block("rule", nested);
            assert_eq!(coerced(&schema, &o([("rule", given)])).attribute("rule"), Some(&expect));
        };
        let list = |blocks| Value::list(ty.clone(), blocks);
        check(NestedBlock::list(rule()), t([block(), block()]), list(vec![done(), done()]));
        check(NestedBlock::list(rule()), block(), list(vec![done()]));
        check(NestedBlock::list(rule()), Value::null(Type::Any), list(vec![]));
        check(NestedBlock::set(rule()), t([block(), block()]), Value::set(ty.clone(), vec![done()]));
        check(NestedBlock::map(rule()), o([("k", block())]), Value::map(ty.clone(), [("k", done())]));
        check(NestedBlock::single(rule()), block(), done());
        check(NestedBlock::single(rule()), t([block()]), done());
        check(NestedBlock::single(rule()), t([]), Value::null(ty.clone()));
        check(NestedBlock::list(rule()), Value::unknown(Type::Any), Value::unknown(Type::list(ty.clone())));
        check(NestedBlock::list(rule()), t([Value::unknown(Type::Any)]), list(vec![Value::unknown(ty.clone())]));
    }

    #[test]
    fn blocks_of_any_type_keep_their_own() {
        let any = || Block::new().attribute("v", Attribute::optional(Type::Any));
        let check = |nested: NestedBlock, given: Value| {
            let schema = Schema::new(0).block("b", nested);
            let object = schema.coerce(&o([("b", given.clone())])).expect("a good value");
            assert_eq!(object.attribute("b"), Some(&given));
        };
        check(NestedBlock::list(any()), t([o([("v", n(1))]), o([("v", s("x"))])]));
        check(NestedBlock::map(any()), o([("k", o([("v", n(1))])), ("l", o([("v", s("x"))]))]));
    }

    #[test]
    fn blocks_are_counted() {
        let block = || o([("port", n(1))]);
        let check = |nested: NestedBlock, given: Value, expect: &str| {
            let schema = Schema::new(0).block("rule", nested);
            assert_eq!(problems(&schema, &o([("rule", given)])), [format!(".rule: {expect}")]);
        };
        let list = || NestedBlock::list(rule());
        check(list().required(), t([]), "at least one `rule` block is required");
        check(list().required(), Value::null(Type::Any), "at least one `rule` block is required");
        check(list().min_items(2), t([block()]), "at least 2 `rule` blocks are required");
        check(list().max_items(1), t([block(), block()]), "at most 1 `rule` block is allowed");
        check(list().max_items(2), t([block(), block(), block()]), "at most 2 `rule` blocks are allowed");
        check(NestedBlock::single(rule()).required(), t([]), "a `rule` block is required");
        check(NestedBlock::single(rule()), t([block(), block()]), "at most one `rule` block is allowed");
        check(NestedBlock::single(rule()), s("x"), "an object is required");
        check(list(), s("x"), "blocks are required");
        check(NestedBlock::map(rule()), t([]), "labelled blocks are required");
        // Blocks of a set that are not known yet may turn out to be one.
        let unknown = || o([("port", Value::unknown(Type::Number))]);
        let few = Schema::new(0).block("rule", NestedBlock::set(rule()).max_items(1));
        assert!(few.coerce(&o([("rule", t([unknown(), unknown()]))])).is_ok());
    }

    #[test]
    fn a_group_has_defaults_without_standing() {
        let schema = Schema::new(0)
            .block("g", NestedBlock::group(Block::new().attribute("a", Attribute::optional(Type::Number).default(5))));
        let expect = o([("g", o([("a", n(5))]))]);
        assert_eq!(coerced(&schema, &o([])), expect);
        let stored = schema.conform(&o([])).expect("a stored object");
        assert_eq!(stored, o([("g", o([("a", Value::null(Type::Number))]))]));
    }

    #[test]
    fn what_is_stored_need_only_have_the_type() {
        let schema = server().block("rule", NestedBlock::list(rule()).required());
        let stored = schema.conform(&o([("id", s("i-1"))])).expect("a stored object");
        assert_eq!(stored.attribute("id"), Some(&s("i-1")));
        assert_eq!(stored.attribute("size"), Some(&Value::null(Type::Number)));
        assert_eq!(stored.attribute("rule").map(Value::len), Some(0));
        let null = schema.conform(&Value::null(Type::Any)).expect("nothing");
        assert_eq!(null, Value::null(schema.block.implied_type()));
        assert_eq!(shown(schema.conform(&o([("size", t([]))])).expect_err("a tuple")), [".size: number required"]);
        assert_eq!(
            shown(schema.conform(&o([("retired", s("x"))])).expect_err("an old attribute")),
            [".retired: `retired` is not expected here"]
        );
    }

    #[test]
    fn marks_survive() {
        let given = o([("name", secret(s("a"))), ("size", secret(Value::null(Type::Any)))]);
        let object = coerced(&server(), &given.with_marks(Marks::EPHEMERAL));
        assert_eq!(object.marks(), Marks::EPHEMERAL);
        assert_eq!(object.attribute("name"), Some(&secret(s("a"))));
        assert_eq!(object.attribute("size"), Some(&secret(n(1))));
        let schema = Schema::new(0).block("rule", NestedBlock::list(rule()));
        for given in [secret(t([])), secret(Value::unknown(Type::Any)), secret(o([("port", n(1))]))] {
            let object = coerced(&schema, &o([("rule", given)]));
            assert_eq!(object.attribute("rule").map(Value::marks_deep), Some(Marks::SENSITIVE));
        }
    }

    #[test]
    fn deprecated_parts_are_found_where_they_are_set() {
        let schema = Schema::new(0)
            .attribute("old", Attribute::optional(Type::String).deprecated("use `new`"))
            .block(
                "rule",
                NestedBlock::list(Block::new().attribute("x", Attribute::optional(Type::String).deprecated("drop it"))),
            )
            .block("gone", NestedBlock::single(Block::new().deprecated("use `rule`")));
        assert_eq!(shown(schema.deprecations(&coerced(&schema, &o([])))), [] as [&str; 0]);
        let given = o([("old", s("a")), ("rule", t([o([]), o([("x", s("a"))])])), ("gone", o([]))]);
        assert_eq!(
            shown(schema.deprecations(&coerced(&schema, &given))),
            [".gone: use `rule`", ".old: use `new`", ".rule[1].x: drop it"]
        );
    }

    #[test]
    fn values_are_checked_at_every_depth() {
        let schema = Schema::new(0).attribute("kind", Attribute::optional(Type::String).one_of(["tcp", "udp"])).block(
            "rule",
            NestedBlock::set(Block::new().attribute("port", Attribute::optional(Type::Number).between(1, 65535))),
        );
        let good = o([("kind", s("tcp")), ("rule", t([o([("port", Value::unknown(Type::Number))])]))]);
        assert_eq!(shown(schema.validate_values(&coerced(&schema, &good))), [] as [&str; 0]);
        let bad = o([("kind", secret(s("hunter2"))), ("rule", t([o([("port", n(1))]), o([("port", n(0))])]))]);
        assert_eq!(
            shown(schema.validate_values(&coerced(&schema, &bad))),
            [".kind: `kind` must be one of `tcp`, `udp`", ".rule[...].port: `port` must be from 1 to 65535"]
        );
    }

    proptest! {
        #[test]
        fn conforming_twice_is_conforming_once(
            (schema, object) in any_schema().prop_flat_map(|schema| {
                let object = any_object(&schema);
                (Just(schema), object)
            }),
        ) {
            prop_assert_eq!(schema.conform(&object), Ok(object.clone()));
            match schema.coerce(&object) {
                Ok(coerced) => {
                    prop_assert!(coerced.has_type(&schema.block.implied_type()));
                    prop_assert_eq!(schema.coerce(&coerced), Ok(coerced.clone()));
                }
                Err(problems) => prop_assert!(!problems.is_empty()),
            }
        }

        #[test]
        fn no_value_makes_it_panic(
            (schema, (other, object)) in any_schema().prop_flat_map(|schema| {
                let other = any_schema().prop_flat_map(|other| { let object = any_object(&other); (Just(other), object) });
                (Just(schema), other)
            }),
        ) {
            for schema in [&schema, &other] {
                let _ = schema.coerce(&object);
                let _ = schema.conform(&object);
                schema.validate_values(&object);
                schema.deprecations(&object);
                schema.sensitive_paths(&object);
                schema.proposed_new(Some(&object), &object);
                prop_assert_eq!(schema.changed_paths(&object, &object), []);
            }
        }
    }
}
