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
