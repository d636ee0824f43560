use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};

use super::{Attribute, wire::is_default};

/// The schema of a resource type, a data source or a provider's configuration.
///
/// # Examples
/// ```
/// use stackwright::schema::{Attribute, Block, NestedBlock, Schema};
/// use stackwright::value::Type;
///
/// let schema = Schema::new(1)
///     .attribute("name", Attribute::required(Type::String).forces_replacement())
///     .attribute("id", Attribute::computed(Type::String))
///     .block("rule", NestedBlock::list(Block::new().attribute("port", Attribute::required(Type::Number))));
/// assert_eq!(schema.check(), Ok(()));
/// assert_eq!(
///     schema.block.implied_type().to_string(),
///     "object({id=string,name=string,rule=list(object({port=number}))})",
/// );
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schema {
    /// The version of what is stored; a resource type upgrades objects of older ones.
    pub version: u64,
    /// The attributes and blocks.
    pub block: Block,
}

/// Attributes and nested blocks, by name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Block {
    /// Attributes by name.
    #[serde(default, skip_serializing_if = "is_default")]
    pub attributes: BTreeMap<Arc<str>, Attribute>,
    /// Nested blocks by name.
    #[serde(default, skip_serializing_if = "is_default")]
    pub blocks: BTreeMap<Arc<str>, NestedBlock>,
    /// What it is, in sentences.
    #[serde(default, skip_serializing_if = "is_default")]
    pub description: String,
    /// What to use instead, if it should not be used any more.
    #[serde(default, skip_serializing_if = "is_default")]
    pub deprecated: Option<String>,
}

/// How often a nested block may stand, and what its values become.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Nesting {
    /// Once or not at all: an object, or null.
    Single,
    /// Once or not at all: an object, which without the block has nulls and defaults.
    Group,
    /// Any number of times, in order: a list of objects.
    List,
    /// Any number of times, without order or duplicates: a set of objects.
    Set,
    /// Any number of times, each with a distinct label: a map of objects.
    Map,
}

/// A block within a block.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NestedBlock {
    /// How often it may stand.
    pub nesting: Nesting,
    /// What is in it.
    pub block: Block,
    /// The fewest blocks allowed.
    #[serde(default, skip_serializing_if = "is_default")]
    pub min_items: u64,
    /// The most blocks allowed, if there is a limit.
    #[serde(default, skip_serializing_if = "is_default")]
    pub max_items: Option<u64>,
    /// Any change in it means another object.
    #[serde(default, skip_serializing_if = "is_default")]
    pub forces_replacement: bool,
}

impl Schema {
    /// Returns a schema without attributes.
    pub fn new(version: u64) -> Self {
        Self { version, block: Block::new() }
    }

    /// Adds an attribute; one of that name is replaced.
    pub fn attribute(self, name: impl Into<Arc<str>>, attribute: Attribute) -> Self {
        Self { block: self.block.attribute(name, attribute), ..self }
    }

    /// Adds a nested block; one of that name is replaced.
    pub fn block(self, name: impl Into<Arc<str>>, block: NestedBlock) -> Self {
        Self { block: self.block.block(name, block), ..self }
    }

    /// Says what it is.
    pub fn describe(self, text: impl Into<String>) -> Self {
        Self { block: self.block.describe(text), ..self }
    }

    /// Returns the attribute that takes tags, with its name; `None` where objects bear none. O(a), a attributes.
    pub fn tags(&self) -> Option<(&Arc<str>, &Attribute)> {
        self.block.attributes.iter().find(|(_, attribute)| attribute.takes_tags)
    }

    /// Advises against it, and says what to use instead.
    pub fn deprecated(self, instead: impl Into<String>) -> Self {
        Self { block: self.block.deprecated(instead), ..self }
    }
}

impl Block {
    /// Returns a block without attributes.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an attribute; one of that name is replaced.
    pub fn attribute(mut self, name: impl Into<Arc<str>>, attribute: Attribute) -> Self {
        self.attributes.insert(name.into(), attribute);
        self
    }

    /// Adds a nested block; one of that name is replaced.
    pub fn block(mut self, name: impl Into<Arc<str>>, block: NestedBlock) -> Self {
        self.blocks.insert(name.into(), block);
        self
    }

    /// Says what it is.
    pub fn describe(self, text: impl Into<String>) -> Self {
        Self { description: text.into(), ..self }
    }

    /// Advises against it, and says what to use instead.
    pub fn deprecated(self, instead: impl Into<String>) -> Self {
        Self { deprecated: Some(instead.into()), ..self }
    }

    /// Returns whether an attribute here or in a nested block satisfies a condition.
    ///
    /// # Complexity
    /// O(s), s attributes and blocks at any depth.
    pub fn any_attribute(&self, wanted: &dyn Fn(&Attribute) -> bool) -> bool {
        self.attributes.values().any(wanted) || self.blocks.values().any(|nested| nested.block.any_attribute(wanted))
    }

    /// Returns the names of attributes and nested blocks: attributes first, each sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.attributes.keys().chain(self.blocks.keys()).map(|name| &**name)
    }
}

impl NestedBlock {
    fn new(nesting: Nesting, block: Block) -> Self {
        let max_items = matches!(nesting, Nesting::Single | Nesting::Group).then_some(1);
        Self { nesting, block, min_items: 0, max_items, forces_replacement: false }
    }

    /// Returns a block that stands once or not at all; null without it.
    pub fn single(block: Block) -> Self {
        Self::new(Nesting::Single, block)
    }

    /// Returns a block that stands once or not at all; an object of nulls and defaults without it.
    pub fn group(block: Block) -> Self {
        Self::new(Nesting::Group, block)
    }

    /// Returns a block that stands any number of times, in order.
    pub fn list(block: Block) -> Self {
        Self::new(Nesting::List, block)
    }

    /// Returns a block that stands any number of times, without order.
    pub fn set(block: Block) -> Self {
        Self::new(Nesting::Set, block)
    }

    /// Returns a block that stands any number of times, each with a label.
    pub fn map(block: Block) -> Self {
        Self::new(Nesting::Map, block)
    }

    /// Asks for at least so many.
    pub fn min_items(self, min_items: u64) -> Self {
        Self { min_items, ..self }
    }

    /// Allows at most so many.
    pub fn max_items(self, max_items: u64) -> Self {
        Self { max_items: Some(max_items), ..self }
    }

    /// Asks for at least one.
    pub fn required(self) -> Self {
        self.min_items(1)
    }

    /// Makes a new object when anything in it changes.
    pub fn forces_replacement(self) -> Self {
        Self { forces_replacement: true, ..self }
    }
}
