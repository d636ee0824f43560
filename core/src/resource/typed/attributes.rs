use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use serde::{Deserialize, Serialize};

use super::{Field, FieldShape};
use crate::{
    schema::{Block, Check, NestedBlock},
    value::Type,
};

/// A struct whose fields are attributes of a schema.
///
/// Derive it; see the [module](super) for an example and the [derive macro](derive@super::Attributes) for the
/// settings of a field.
pub trait Attributes {
    /// Returns the fields, in the order of the struct. Names are those that serde writes and reads.
    fn fields() -> Vec<Field>;

    /// Returns what the struct is, in sentences; empty if nothing is said.
    fn description() -> &'static str {
        ""
    }
}

/// No attributes: the outputs of a resource type that decides nothing, the inputs of one that takes nothing.
///
/// # Examples
/// ```
/// use stackwright::resource::typed::{Attributes, Nothing};
///
/// assert!(Nothing::fields().is_empty());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Nothing {}

impl Attributes for Nothing {
    fn fields() -> Vec<Field> {
        Vec::new()
    }
}

/// A Rust type that can be the type of an attribute.
///
/// Bools, integers and floats, text, options, sequences, sets, maps with text as keys, JSON (any type), and everything
/// that derives [`Attributes`](derive@super::Attributes): structs are objects, enums without data are text.
///
/// # Examples
/// ```
/// use std::collections::BTreeMap;
/// use serde::{Deserialize, Serialize};
/// use stackwright::{resource::typed::{AttributeType, Attributes}, value::Type};
///
/// #[derive(Serialize, Deserialize, Attributes)]
/// struct Port { number: u16, name: Option<String> }
///
/// assert_eq!(<Option<Vec<Port>>>::ty().to_string(), "list(object({name=optional(string),number=number}))");
/// assert_eq!(<BTreeMap<String, bool>>::ty(), Type::map(Type::Bool));
/// assert!(<Option<bool>>::OPTIONAL && !bool::OPTIONAL);
/// ```
pub trait AttributeType {
    /// Whether the template may leave it out: null is a value of the type.
    const OPTIONAL: bool = false;

    /// Returns the type; attributes of objects in it may be optional.
    fn ty() -> Type;

    /// Returns what values must satisfy beyond the type, such as the bounds of an integer.
    fn checks() -> Vec<Check> {
        Vec::new()
    }
}

/// Returns the type of the objects that a struct is written as: fields that need not be set are optional.
///
/// A default does not make a field of an object optional, since no type carries defaults; make it a `block` for that.
pub fn object_type<T: Attributes>() -> Type {
    let fields = T::fields();
    let optional: Vec<_> = fields.iter().filter(|field| field.nullable).map(|field| field.name).collect();
    let attributes = fields.iter().map(|field| match &field.shape {
        FieldShape::Attribute(attribute) => (field.name, attribute.ty.clone()),
        FieldShape::Block(nested) => (field.name, nested.implied_type()),
    });
    Type::object_with_optional(attributes, optional)
}

/// A Rust type that can be written as nested blocks: a struct (one block), an option of it (at most one), a sequence or
/// set (any number), a map (any number, each with a label).
///
/// # Examples
/// ```
/// use serde::{Deserialize, Serialize};
/// use stackwright::{resource::typed::{Attributes, BlockType}, schema::Nesting};
///
/// #[derive(Serialize, Deserialize, Attributes)]
/// struct Rule { port: u16 }
///
/// assert_eq!(Rule::nested().min_items, 1);
/// assert_eq!(<Vec<Rule>>::nested().nesting, Nesting::List);
/// ```
pub trait BlockType {
    /// Whether it is null without a block.
    const OPTIONAL: bool = false;

    /// Returns the nested block.
    fn nested() -> NestedBlock;
}

fn block<T: Attributes>() -> Block {
    let block = Block::new().describe(T::description());
    T::fields().into_iter().fold(block, |block, field| match field.shape {
        FieldShape::Attribute(attribute) => block.attribute(field.name, attribute),
        FieldShape::Block(nested) => block.block(field.name, nested),
    })
}

impl<T: Attributes> BlockType for T {
    fn nested() -> NestedBlock {
        NestedBlock::single(block::<T>()).required()
    }
}

impl<T: Attributes> BlockType for Option<T> {
    const OPTIONAL: bool = true;

    fn nested() -> NestedBlock {
        NestedBlock::single(block::<T>())
    }
}

impl<T: Attributes> BlockType for Vec<T> {
    fn nested() -> NestedBlock {
        NestedBlock::list(block::<T>())
    }
}

impl<T: Attributes> BlockType for BTreeSet<T> {
    fn nested() -> NestedBlock {
        NestedBlock::set(block::<T>())
    }
}

impl<T: Attributes, S> BlockType for HashSet<T, S> {
    fn nested() -> NestedBlock {
        NestedBlock::set(block::<T>())
    }
}

impl<T: Attributes> BlockType for BTreeMap<String, T> {
    fn nested() -> NestedBlock {
        NestedBlock::map(block::<T>())
    }
}

impl<T: Attributes, S> BlockType for HashMap<String, T, S> {
    fn nested() -> NestedBlock {
        NestedBlock::map(block::<T>())
    }
}
