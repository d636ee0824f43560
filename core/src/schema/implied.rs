use std::sync::Arc;

use crate::value::{Type, Value};

use super::{Block, NestedBlock, Nesting};

impl Block {
    /// Returns the type of the objects that fit: an object with one attribute for each attribute and nested block.
    ///
    /// Nested blocks become an object, list, set or map of objects; a list or map whose objects hold
    /// [`Type::Any`] is [`Type::Any`] itself, because its elements may differ in type (they become a tuple or object).
    ///
    /// # Complexity
    /// O(s), s attributes and blocks at any depth; keep it if you ask often.
    pub fn implied_type(&self) -> Type {
        let attributes = self.attributes.iter().map(|(name, attribute)| (name, attribute.ty.without_optional()));
        let blocks = self.blocks.iter().map(|(name, nested)| (name, nested.implied_type()));
        Type::object(attributes.chain(blocks).map(|(name, ty)| (Arc::clone(name), ty)))
    }

    /// Returns the object that an empty block is: attributes null, nested blocks absent. Defaults are not applied.
    pub fn empty_value(&self) -> Value {
        let attributes =
            self.attributes.iter().map(|(name, attribute)| (name, Value::null(attribute.ty.without_optional())));
        let blocks = self.blocks.iter().map(|(name, nested)| (name, nested.absent_value()));
        Value::object(attributes.chain(blocks).map(|(name, value)| (Arc::clone(name), value)))
    }
}

impl NestedBlock {
    /// Returns the type of what all blocks of this sort become.
    pub fn implied_type(&self) -> Type {
        let element = self.block.implied_type();
        match self.nesting {
            Nesting::Single | Nesting::Group => element,
            Nesting::List | Nesting::Map if element.has_any() => Type::Any,
            Nesting::List => Type::list(element),
            Nesting::Set => Type::set(element),
            Nesting::Map => Type::map(element),
        }
    }

    /// Returns what it is when the block does not stand: null, an object of nulls, or an empty collection.
    pub fn absent_value(&self) -> Value {
        match self.nesting {
            Nesting::Single => Value::null(self.implied_type()),
            Nesting::Group => self.block.empty_value(),
            Nesting::List | Nesting::Set => self.sequence(Vec::new()),
            Nesting::Map => self.mapping(Vec::new()),
        }
    }

    /// Returns blocks of a list or set as one value.
    pub(super) fn sequence(&self, blocks: Vec<Value>) -> Value {
        let element = self.block.implied_type();
        match self.nesting {
            Nesting::Set => Value::set(element, blocks),
            _ if element.has_any() => Value::tuple(blocks),
            _ => Value::list(element, blocks),
        }
    }

    /// Returns labelled blocks as one value.
    pub(super) fn mapping(&self, blocks: Vec<(Arc<str>, Value)>) -> Value {
        let element = self.block.implied_type();
        if element.has_any() { Value::object(blocks) } else { Value::map(element, blocks) }
    }
}
