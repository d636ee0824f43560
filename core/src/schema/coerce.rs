use std::sync::Arc;

use crate::{
    error::suggest,
    value::{Kind, Path, Step, Value, convert},
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
    fn deprecations(&self, value: &Value, path: &Path, found: &mut Problems) {
        for (name, part) in value.entries() {
            if part.is_null() {
                continue;
            }
            let path = path.clone().attr(Arc::clone(name));
            if let Some(instead) = self.attributes.get(name).and_then(|attribute| attribute.deprecated.as_ref()) {
                found.push((path.clone(), instead.clone()));
            }
            if let Some(nested) = self.blocks.get(name) {
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
            let path = path.clone().attr(Arc::clone(name));
            if let Some(attribute) = self.attributes.get(name) {
                for check in &attribute.checks {
                    if let Some(what) = check.verdict(part) {
                        found.push((path.clone(), format!("`{name}` {what}")));
                    }
                }
            }
            if let Some(nested) = self.blocks.get(name) {
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
