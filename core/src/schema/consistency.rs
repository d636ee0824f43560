use crate::{
    address::is_identifier,
    value::{Type, Value, convert},
};

use super::{Attribute, Block, Check, Error, NestedBlock, Nesting, Schema};

/// Names that mean something to the engine at the top of every resource block.
pub(super) const RESERVED: [&str; 7] =
    ["connection", "count", "depends_on", "for_each", "lifecycle", "provider", "provisioner"];

impl Schema {
    /// Checks that the schema does not contradict itself.
    ///
    /// # Errors
    /// [`Error::Inconsistent`] (`schema.invalid`) with everything that is wrong.
    pub fn check(&self) -> Result<(), Error> {
        let mut audit = Audit { problems: Vec::new() };
        for name in self.block.names().filter(|name| RESERVED.contains(name)) {
            audit.problem(name, "is a name that the engine keeps for itself");
        }
        audit.block(&self.block, "", Place { in_set: false });
        audit.tags(&self.block);
        if audit.problems.is_empty() { Ok(()) } else { Err(Error::Inconsistent { problems: audit.problems }) }
    }
}

/// What is true of the blocks around.
#[derive(Clone, Copy)]
struct Place {
    in_set: bool,
}

struct Audit {
    problems: Vec<String>,
}

impl Audit {
    fn problem(&mut self, path: &str, what: impl AsRef<str>) {
        self.problems.push(format!("`{path}` {}", what.as_ref()));
    }

    fn block(&mut self, block: &Block, prefix: &str, place: Place) {
        for (name, attribute) in &block.attributes {
            let path = format!("{prefix}{name}");
            if block.blocks.contains_key(name) {
                self.problem(&path, "is both an attribute and a block");
            }
            self.name(name, &path);
            self.attribute(attribute, &path, place);
            if let Some(source) = &attribute.echoes {
                self.echo(block, attribute, source, &path, prefix);
            }
        }
        for (name, nested) in &block.blocks {
            let path = format!("{prefix}{name}");
            self.name(name, &path);
            self.nested(nested, &path, place);
        }
    }

    fn name(&mut self, name: &str, path: &str) {
        if !is_identifier(name) {
            self.problem(path, "is not a name that a template can write");
        }
    }

    fn echo(&mut self, block: &Block, attribute: &Attribute, source: &str, path: &str, prefix: &str) {
        match block.attributes.get(source) {
            _ if !prefix.is_empty() => self.problem(path, "echoes another attribute within a block"),
            None => self.problem(path, format!("echoes `{source}`, which is no attribute")),
            Some(echoed) if echoed.ty != attribute.ty => {
                self.problem(path, format!("echoes `{source}`, which is of another type"));
            }
            Some(_) => {}
        }
    }

    fn attribute(&mut self, attribute: &Attribute, path: &str, place: Place) {
        let Attribute { required, optional, computed, .. } = *attribute;
        match (required, optional, computed) {
            (false, false, false) => self.problem(path, "is neither required, optional nor computed"),
            (true, true, _) => self.problem(path, "is both required and optional"),
            (true, false, true) => self.problem(path, "is both required and computed"),
            _ => {}
        }
        if let Some(default) = &attribute.default {
            self.default(attribute, default, path);
        }
        if attribute.write_only {
            if computed {
                self.problem(path, "is both write-only and computed");
            }
            if attribute.forces_replacement {
                self.problem(path, "is write-only, so that no change of it can be seen to force replacement");
            }
            if place.in_set {
                self.problem(path, "is write-only within a set, whose blocks are told apart by their values");
            }
        }
        for check in &attribute.checks {
            if let Some(what) = misfit(check, &attribute.ty) {
                self.problem(path, what);
            }
        }
    }

    fn default(&mut self, attribute: &Attribute, default: &Value, path: &str) {
        if !attribute.optional || attribute.computed {
            self.problem(path, "has a default, which only an optional attribute that is not computed can have");
        }
        if default.is_null() || !default.is_wholly_known() {
            return self.problem(path, "has a default that is null or unknown");
        }
        if !default.marks_deep().is_empty() {
            self.problem(path, "has a default that is sensitive or ephemeral");
        }
        match convert(default, &attribute.ty) {
            Err(error) => self.problem(path, format!("has a default of the wrong type: {error}")),
            Ok(default) => {
                for check in &attribute.checks {
                    if check.verdict(&default).is_some() {
                        self.problem(path, "has a default that its own checks refuse");
                    }
                }
            }
        }
    }

    /// There is one place for tags, and the engine can put some there.
    fn tags(&mut self, block: &Block) {
        let mut first: Option<&str> = None;
        for (name, attribute) in block.attributes.iter().filter(|(_, attribute)| attribute.takes_tags) {
            if attribute.ty != Type::map(Type::String) {
                self.problem(name, "takes tags, but is no map of strings");
            }
            if !attribute.is_input() || attribute.computed {
                self.problem(name, "takes tags, which only an attribute can that the template alone decides");
            }
            if attribute.write_only {
                self.problem(name, "takes tags and is write-only, so that nobody sees whether they are there");
            }
            match first {
                Some(other) => self.problem(name, format!("takes tags, and so does `{other}`")),
                None => first = Some(name),
            }
        }
        for (name, nested) in &block.blocks {
            if nested.block.any_attribute(&|attribute| attribute.takes_tags) {
                self.problem(name, "has an attribute that takes tags, which is no place for those of the whole object");
            }
        }
    }

    fn nested(&mut self, nested: &NestedBlock, path: &str, place: Place) {
        let most = nested.max_items.unwrap_or(u64::MAX);
        if nested.min_items > most {
            self.problem(path, "needs more blocks than it allows");
        }
        if most == 0 {
            self.problem(path, "allows no block at all");
        }
        match nested.nesting {
            Nesting::Single if nested.min_items > 1 || nested.max_items != Some(1) => {
                self.problem(path, "stands once or not at all, so that its limits must be 0 or 1, and 1");
            }
            Nesting::Group if nested.min_items > 0 || nested.max_items != Some(1) => {
                self.problem(path, "is always there as a group, so that its limits must be 0 and 1");
            }
            Nesting::Set if nested.block.implied_type().has_any() => {
                self.problem(path, "is a set of blocks that hold an attribute of any type");
            }
            _ => {}
        }
        let in_set = place.in_set || nested.nesting == Nesting::Set;
        self.block(&nested.block, &format!("{path}."), Place { in_set });
    }
}

/// Returns why a check makes no sense for a type, if it does not.
fn misfit(check: &Check, ty: &Type) -> Option<String> {
    let leaf = leaf_type(ty);
    match check {
        Check::OneOf(values) if values.is_empty() => Some("allows no value at all".to_owned()),
        Check::OneOf(values) => values
            .iter()
            .any(|value| value.is_null() || !value.is_known() || convert(value, leaf).is_err() || !leaf.is_primitive())
            .then(|| format!("allows values that are no {}", leaf.friendly_name())),
        Check::Range { min: Some(min), max: Some(max) } if min > max => Some("allows an empty range".to_owned()),
        Check::Range { .. } => (*leaf != Type::Number).then(|| "has a range, but is no number".to_owned()),
        Check::Length { min, max: Some(max) } if min > max => Some("allows no length at all".to_owned()),
        Check::Length { .. } => (*ty != Type::String && !ty.is_collection())
            .then(|| "has a length, but is no string or collection".to_owned()),
        Check::Pattern(pattern) => match pattern.problem() {
            Some(_) => Some(format!("has a pattern that is no regular expression: `{}`", pattern.as_str())),
            None => (*leaf != Type::String).then(|| "has a pattern, but is no string".to_owned()),
        },
    }
}

/// Returns the type of the elements of collections, however deep.
fn leaf_type(ty: &Type) -> &Type {
    ty.element().map_or(ty, leaf_type)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{schema::Pattern, value::Value};

    fn problems(schema: &Schema) -> Vec<String> {
        match schema.check() {
            Ok(()) => Vec::new(),
            Err(Error::Inconsistent { problems }) => problems,
        }
    }

    fn attribute(attribute: Attribute, expect: &[&str]) {
        let expect: Vec<String> = expect.iter().map(|what| format!("`a` {what}")).collect();
        assert_eq!(problems(&Schema::new(0).attribute("a", attribute)), expect);
    }

    fn nested(nested: NestedBlock, expect: &[&str]) {
        assert_eq!(problems(&Schema::new(0).block("b", nested)), expect);
    }

    #[test]
    fn good_schemas_have_no_problem() {
        attribute(Attribute::required(Type::String).pattern("^a").length(1, Some(9)).forces_replacement(), &[]);
        attribute(Attribute::optional(Type::list(Type::Number)).at_least(1).length(0, None), &[]);
        attribute(Attribute::optional(Type::String).write_only().sensitive(), &[]);
        attribute(Attribute::optional(Type::Number).default("5").one_of([5, 6]), &[]);
        attribute(Attribute::optional_computed(Type::Any), &[]);
        for block in [NestedBlock::single, NestedBlock::group, NestedBlock::list, NestedBlock::set, NestedBlock::map] {
            // Names that the engine keeps are free in nested blocks.
            nested(block(Block::new().attribute("count", Attribute::optional(Type::Number))), &[]);
        }
        nested(NestedBlock::single(Block::new()).required(), &[]);
    }

    #[test]
    fn tags_have_one_place() {
        let tags = || Type::map(Type::String);
        attribute(Attribute::optional(tags()).takes_tags().length(0, Some(9)).forces_replacement(), &[]);
        attribute(Attribute::required(tags()).takes_tags().sensitive(), &[]);
        let no_map = "takes tags, but is no map of strings";
        attribute(Attribute::optional(Type::object([("a", Type::String)])).takes_tags(), &[no_map]);
        attribute(Attribute::optional(Type::map(Type::Number)).takes_tags(), &[no_map]);
        let decided = "takes tags, which only an attribute can that the template alone decides";
        attribute(Attribute::computed(tags()).takes_tags(), &[decided]);
        attribute(Attribute::optional_computed(tags()).takes_tags(), &[decided]);
        let unseen = "takes tags and is write-only, so that nobody sees whether they are there";
        attribute(Attribute::optional(tags()).write_only().takes_tags(), &[unseen]);
        let both = Schema::new(0)
            .attribute("a", Attribute::optional(tags()).takes_tags())
            .attribute("b", Attribute::optional(tags()).takes_tags());
        assert_eq!(problems(&both), ["`b` takes tags, and so does `a`"]);
        assert_eq!(both.tags().map(|(name, _)| &**name), Some("a"));
        nested(
            NestedBlock::list(Block::new().attribute("c", Attribute::optional(tags()).takes_tags())),
            &["`b` has an attribute that takes tags, which is no place for those of the whole object"],
        );
    }

    #[test]
    fn contradicting_attributes() {
        let bare = |required, optional, computed| Attribute {
            required,
            optional,
            computed,
            ..Attribute::required(Type::String)
        };
        attribute(bare(false, false, false), &["is neither required, optional nor computed"]);
        attribute(bare(true, true, false), &["is both required and optional"]);
        attribute(bare(true, false, true), &["is both required and computed"]);
        let default = "has a default, which only an optional attribute that is not computed can have";
        attribute(Attribute::required(Type::String).default("x"), &[default]);
        attribute(Attribute::optional_computed(Type::String).default("x"), &[default]);
        attribute(
            Attribute::optional(Type::Number).default("x"),
            &["has a default of the wrong type: a number is required"],
        );
        attribute(
            Attribute::optional(Type::String).default(Value::null(Type::String)),
            &["has a default that is null or unknown"],
        );
        attribute(
            Attribute::optional(Type::Number).default(0).at_least(1),
            &["has a default that its own checks refuse"],
        );
        attribute(Attribute::optional_computed(Type::String).write_only(), &["is both write-only and computed"]);
        attribute(
            Attribute::optional(Type::String).write_only().forces_replacement(),
            &["is write-only, so that no change of it can be seen to force replacement"],
        );
    }

    #[test]
    fn checks_that_make_no_sense() {
        let check = |ty, check, expect| attribute(Attribute::optional(ty).check(check), &[expect]);
        let range = |min: i64, max: i64| Check::Range { min: Some(min.into()), max: Some(max.into()) };
        check(Type::String, Check::OneOf(vec![]), "allows no value at all");
        check(Type::Number, Check::OneOf(vec![Value::string("x")]), "allows values that are no number");
        check(Type::Any, Check::OneOf(vec![Value::string("x")]), "allows values that are no dynamic");
        check(Type::Number, range(2, 1), "allows an empty range");
        check(Type::String, range(1, 2), "has a range, but is no number");
        check(Type::String, Check::Length { min: 2, max: Some(1) }, "allows no length at all");
        check(Type::Number, Check::Length { min: 1, max: None }, "has a length, but is no string or collection");
        check(Type::Number, Check::Pattern(Pattern::new("a")), "has a pattern, but is no string");
        check(Type::String, Check::Pattern(Pattern::new("(")), "has a pattern that is no regular expression: `(`");
    }

    #[test]
    fn contradicting_blocks() {
        let empty = Block::new;
        nested(NestedBlock::list(empty()).min_items(3).max_items(2), &["`b` needs more blocks than it allows"]);
        nested(NestedBlock::list(empty()).max_items(0), &["`b` allows no block at all"]);
        let once = "`b` stands once or not at all, so that its limits must be 0 or 1, and 1";
        nested(NestedBlock::single(empty()).max_items(2), &[once]);
        let group = "`b` is always there as a group, so that its limits must be 0 and 1";
        nested(NestedBlock::group(empty()).required(), &[group]);
        let any = empty().attribute("x", Attribute::optional(Type::Any));
        nested(NestedBlock::set(any), &["`b` is a set of blocks that hold an attribute of any type"]);
        let write_only = empty().attribute("x", Attribute::optional(Type::String).write_only());
        let outer = empty().block("c", NestedBlock::list(write_only));
        nested(
            NestedBlock::set(outer),
            &["`b.c.x` is write-only within a set, whose blocks are told apart by their values"],
        );
    }

    #[test]
    fn names() {
        let schema = Schema::new(0)
            .attribute("count", Attribute::optional(Type::Number))
            .attribute("two words", Attribute::optional(Type::Number))
            .attribute("both", Attribute::optional(Type::Number))
            .block("both", NestedBlock::list(Block::new()))
            .block("lifecycle", NestedBlock::list(Block::new()));
        assert_eq!(
            problems(&schema),
            [
                "`count` is a name that the engine keeps for itself",
                "`lifecycle` is a name that the engine keeps for itself",
                "`both` is both an attribute and a block",
                "`two words` is not a name that a template can write",
            ]
        );
        let error = crate::Error::from(schema.check().expect_err("a bad schema"));
        assert_eq!(error.code(), "schema.invalid");
    }
}
