use std::sync::Arc;

use crate::value::{Kind, Marks, Path, Step, Value};

use super::{Attribute, Block, NestedBlock, Schema};

impl Schema {
    /// Returns where sensitive attributes stand in an object, null ones too, in order.
    ///
    /// Where nested blocks are not known yet and may hold one, the path leads to those blocks as a whole.
    pub fn sensitive_paths(&self, value: &Value) -> Vec<Path> {
        let mut paths = Vec::new();
        self.block.sensitive_below(value, &mut Path::root(), &mut paths);
        paths
    }

    /// Returns an object with its sensitive attributes marked, at any depth; within a set, the set is marked. Attributes
    /// that echo others get the marks of those, leaf by leaf where both hold the same value and as a whole where not.
    pub fn mark_sensitive(&self, value: &Value) -> Value {
        let mut marked: Vec<(Path, Marks)> =
            self.sensitive_paths(value).into_iter().map(|path| (path, Marks::SENSITIVE)).collect();
        self.echoed(value, &mut marked);
        if marked.is_empty() { value.clone() } else { value.mark_with_paths(&marked) }
    }

    /// Adds the marks of what attributes echo.
    fn echoed(&self, value: &Value, marked: &mut Vec<(Path, Marks)>) {
        for (name, attribute) in &self.block.attributes {
            let Some(source) = &attribute.echoes else { continue };
            let (Some(source), Some(echo)) = (value.attribute(source), value.attribute(name)) else { continue };
            if source.marks_deep().is_empty() {
                continue;
            }
            let here = Path::root().attr(Arc::clone(name));
            let ((plain, paths), (echo, _)) = (source.unmark_deep_with_paths(), echo.unmark_deep());
            if plain.is_wholly_known() && plain.same(&echo) {
                marked.extend(paths.into_iter().map(|(path, marks)| (here.join(&path), marks)));
            } else {
                marked.push((here, source.marks_deep()));
            }
        }
    }

    /// Returns an object with null in place of every write-only attribute: what may be stored.
    pub fn strip_write_only(&self, value: &Value) -> Value {
        if !self.block.any_attribute(&|attribute| attribute.write_only) {
            return value.clone();
        }
        self.block.map_attributes(value, &|attribute, part| {
            if attribute.write_only { Value::null(attribute.ty.without_optional()) } else { part.clone() }
        })
    }

    /// Returns an object as plans and state may have it: write-only attributes null, sensitive ones marked, also where
    /// they are write-only too. Marks that a write-only value brought along go with it.
    pub fn storable(&self, value: &Value) -> Value {
        self.mark_sensitive(&self.strip_write_only(value))
    }

    /// Returns an object in which computed attributes that are null are unknown instead: what a create may decide.
    pub fn set_unknowns_for_computed(&self, value: &Value) -> Value {
        self.block.set_unknowns_for_computed(value)
    }
}

impl Block {
    pub(super) fn set_unknowns_for_computed(&self, value: &Value) -> Value {
        self.map_attributes(value, &|attribute, part| {
            if attribute.computed && part.is_null() {
                Value::unknown(attribute.ty.without_optional()).with_marks(part.marks())
            } else {
                part.clone()
            }
        })
    }

    fn sensitive_below(&self, value: &Value, path: &mut Path, found: &mut Vec<Path>) {
        let is_sensitive = |attribute: &Attribute| attribute.sensitive;
        match value.kind() {
            Kind::Unknown(_) if self.any_attribute(&is_sensitive) => found.push(path.clone()),
            Kind::Object(fields) => {
                for (name, part) in fields.iter() {
                    path.push(Step::Attr(Arc::clone(name)));
                    if self.attributes.get(name).is_some_and(is_sensitive) {
                        found.push(path.clone());
                    } else if let Some(nested) = self.blocks.get(name) {
                        nested.sensitive_below(part, path, found);
                    }
                    path.pop();
                }
            }
            _ => {}
        }
    }

    /// Rebuilds an object with other values for its attributes, at any depth; their types must stay the same. What is
    /// null, unknown or of another shape stays as it is.
    pub(crate) fn map_attributes(&self, value: &Value, new: &dyn Fn(&Attribute, &Value) -> Value) -> Value {
        let Kind::Object(fields) = value.kind() else { return value.clone() };
        let parts = fields.iter().map(|(name, part)| {
            let part = match (self.attributes.get(name), self.blocks.get(name)) {
                (Some(attribute), _) => new(attribute, part),
                (None, Some(nested)) => nested.map_blocks(part, &|block| nested.block.map_attributes(block, new)),
                (None, None) => part.clone(),
            };
            (Arc::clone(name), part)
        });
        Value::object(parts).with_marks(value.marks())
    }
}

impl NestedBlock {
    fn sensitive_below(&self, value: &Value, path: &mut Path, found: &mut Vec<Path>) {
        self.each_block(value, &mut |step, block| {
            path.push(step);
            self.block.sensitive_below(block, path, found);
            path.pop();
        });
        if matches!(value.kind(), Kind::Object(_) | Kind::Unknown(_)) && !self.is_labelled(value) {
            self.block.sensitive_below(value, path, found);
        }
    }

    /// Returns whether a value is an object that stands for labelled blocks, rather than a block.
    pub(super) fn is_labelled(&self, value: &Value) -> bool {
        self.nesting == super::Nesting::Map && value.fields().is_some()
    }

    /// Calls `visit` with each block in a collection of blocks, and the step to it.
    pub(super) fn each_block(&self, value: &Value, visit: &mut dyn FnMut(Step, &Value)) {
        match value.kind() {
            Kind::List(items) | Kind::Tuple(items) => {
                items.iter().enumerate().for_each(|(idx, block)| visit(Step::Index(idx), block));
            }
            Kind::Set(items) => items.iter().enumerate().for_each(|(idx, block)| visit(Step::Element(idx), block)),
            Kind::Map(fields) => fields.iter().for_each(|(key, block)| visit(Step::Key(Arc::clone(key)), block)),
            Kind::Object(fields) if self.is_labelled(value) => {
                fields.iter().for_each(|(key, block)| visit(Step::Attr(Arc::clone(key)), block));
            }
            _ => {}
        }
    }

    /// Rebuilds what blocks of this sort became, block by block. The blocks must keep their types.
    pub(super) fn map_blocks(&self, value: &Value, new: &dyn Fn(&Value) -> Value) -> Value {
        let rebuilt = match value.kind() {
            Kind::List(items) => Value::list(items.element_type().clone(), items.iter().map(new).collect()),
            Kind::Set(items) => Value::set(items.element_type().clone(), items.iter().map(new).collect()),
            Kind::Tuple(items) => Value::tuple(items.iter().map(new).collect()),
            Kind::Map(fields) => {
                let entries = fields.iter().map(|(key, block)| (Arc::clone(key), new(block)));
                Value::map(fields.element_type().clone(), entries)
            }
            Kind::Object(fields) if self.is_labelled(value) => {
                Value::object(fields.iter().map(|(key, block)| (Arc::clone(key), new(block))))
            }
            Kind::Object(_) => return new(value),
            _ => return value.clone(),
        };
        rebuilt.with_marks(value.marks())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        schema::testing::{any_object, any_schema, n, none, o, object, s, secret, t},
        value::Type,
    };

    fn login() -> Block {
        Block::new()
            .attribute("user", Attribute::optional(Type::String))
            .attribute("password", Attribute::optional(Type::String).sensitive())
            .attribute("token", Attribute::optional(Type::String).write_only())
    }

    #[test]
    fn an_echo_bears_the_marks_of_what_it_repeats() {
        let schema = Schema::new(0)
            .attribute("input", Attribute::optional(Type::Any))
            .attribute("output", Attribute::computed(Type::Any).echoes("input"));
        let input = o([("plain", s("a")), ("key", secret(s("b")))]);
        let bare = o([("plain", s("a")), ("key", s("b"))]);
        let marked = |output: Value| {
            let object = schema.mark_sensitive(&o([("input", input.clone()), ("output", output)]));
            object.attribute("output").cloned().expect("it is there")
        };
        assert_eq!(marked(bare), input, "leaf by leaf where both hold the same");
        assert_eq!(marked(Value::unknown(Type::Any)), Value::unknown(Type::Any).with_marks(Marks::SENSITIVE));
        assert_eq!(marked(s("b")), secret(s("b")), "as a whole where they differ");
        let open = o([("input", s("a")), ("output", s("a"))]);
        assert_eq!(schema.mark_sensitive(&open), open);
    }

    fn nesting(nested: NestedBlock) -> Schema {
        Schema::new(0).attribute("key", Attribute::computed(Type::String).sensitive()).block("login", nested)
    }

    fn pair() -> Value {
        o([("user", s("u")), ("password", s("hunter2")), ("token", s("t"))])
    }

    fn check(nested: NestedBlock, logins: Value, expect: &[&str]) {
        let schema = nesting(nested);
        let value = object(&schema, &o([("login", logins)]));
        let paths: Vec<String> = schema.sensitive_paths(&value).iter().map(ToString::to_string).collect();
        assert_eq!(paths, expect);
        let marked = schema.mark_sensitive(&value);
        assert!(!format!("{marked:?}").contains("hunter2"), "{marked:?}");
        assert_eq!(marked.unmark_deep().0, value);
        assert_eq!(schema.mark_sensitive(&marked), marked);
    }

    #[test]
    fn sensitive_attributes_are_marked_at_every_depth() {
        check(NestedBlock::single(login()), pair(), &[".key", ".login.password"]);
        check(NestedBlock::single(login()), Value::null(Type::Any), &[".key"]);
        check(NestedBlock::group(login()), Value::null(Type::Any), &[".key", ".login.password"]);
        check(NestedBlock::list(login()), t([pair(), pair()]), &[".key", ".login[0].password", ".login[1].password"]);
        check(NestedBlock::set(login()), t([pair()]), &[".key", ".login[...].password"]);
        check(NestedBlock::map(login()), o([("k", pair())]), &[".key", r#".login["k"].password"#]);
        check(NestedBlock::list(login()), Value::unknown(Type::Any), &[".key", ".login"]);
        check(NestedBlock::list(login()), t([Value::unknown(Type::Any)]), &[".key", ".login[0]"]);
        let open = login().attribute("any", Attribute::optional(Type::Any));
        check(NestedBlock::map(open.clone()), o([("k", pair())]), &[".key", ".login.k.password"]);
        check(NestedBlock::list(open), t([pair()]), &[".key", ".login[0].password"]);
    }

    #[test]
    fn a_set_with_a_secret_is_secret() {
        let schema = nesting(NestedBlock::set(login()));
        let marked = schema.mark_sensitive(&object(&schema, &o([("login", t([pair()]))])));
        assert_eq!(marked.attribute("login").map(Value::marks), Some(Marks::SENSITIVE));
    }

    #[test]
    fn write_only_values_are_taken_out() {
        let schema = nesting(NestedBlock::list(login()));
        let value = object(&schema, &o([("login", secret(t([pair()])))]));
        let expect = o([("login", secret(t([o([("user", s("u")), ("password", s("hunter2"))])])))]);
        assert_eq!(schema.strip_write_only(&value), object(&schema, &expect));
        let without = Schema::new(0).attribute("a", Attribute::optional(Type::Number));
        assert_eq!(without.strip_write_only(&o([("a", n(1))])), o([("a", n(1))]));
    }

    #[test]
    fn computed_nulls_become_unknown() {
        let schema = nesting(NestedBlock::list(Block::new().attribute("id", Attribute::computed(Type::Number))));
        let value = object(&schema, &o([("key", s("k")), ("login", t([o([]), o([("id", n(1))])]))]));
        let login = |id| o([("id", id)]);
        let expect = o([("key", s("k")), ("login", t([login(Value::unknown(Type::Number)), login(n(1))]))]);
        assert_eq!(schema.set_unknowns_for_computed(&value), object(&schema, &expect));
        let bare = object(&schema, &o([("key", secret(none()))]));
        let marks = schema.set_unknowns_for_computed(&bare).attribute("key").map(Value::marks);
        assert_eq!(marks, Some(Marks::SENSITIVE));
    }

    proptest! {
        #[test]
        fn marking_hides_every_sensitive_leaf_and_nothing_is_lost(
            (schema, object) in any_schema().prop_flat_map(|schema| {
                let object = any_object(&schema);
                (Just(schema), object)
            }),
        ) {
            let marked = schema.mark_sensitive(&object);
            prop_assert_eq!(marked.unmark_deep().0, object.clone());
            prop_assert_eq!(marked.marks_deep().is_empty(), schema.sensitive_paths(&object).is_empty());
            for path in schema.sensitive_paths(&object) {
                let mut at = &marked;
                let mut hidden = false;
                for step in path.steps() {
                    hidden |= at.is_sensitive();
                    at = at.part(step).expect("the path is of this value");
                }
                prop_assert!(hidden || at.is_sensitive());
            }
        }
    }
}
