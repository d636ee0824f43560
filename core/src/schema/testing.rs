//! Short ways to write schemas and values, and both at random, for the tests of this module.

use std::{collections::BTreeMap, sync::Arc};

use proptest::{collection::vec, prelude::*};

use crate::value::{Marks, Type, Value};

use super::{Attribute, Block, NestedBlock, Nesting, Problems, Schema};

pub(super) fn s(text: &str) -> Value {
    Value::string(text)
}

pub(super) fn n(number: i64) -> Value {
    Value::number(number)
}

pub(super) fn o<const N: usize>(attributes: [(&str, Value); N]) -> Value {
    Value::object(attributes)
}

pub(super) fn t<const N: usize>(values: [Value; N]) -> Value {
    Value::tuple(values.to_vec())
}

pub(super) fn none() -> Value {
    Value::null(Type::String)
}

pub(super) fn unknown() -> Value {
    Value::unknown(Type::String)
}

pub(super) fn secret(value: Value) -> Value {
    value.with_marks(Marks::SENSITIVE)
}

/// Conforms a value that is short of attributes to a schema.
pub(super) fn object(schema: &Schema, value: &Value) -> Value {
    schema.conform(value).expect("a value of the schema")
}

/// Prints problems as `path: message`.
pub(super) fn shown(problems: Problems) -> Vec<String> {
    problems.into_iter().map(|(path, message)| format!("{path}: {message}")).collect()
}

fn attribute() -> impl Strategy<Value = Attribute> {
    let ty = prop_oneof![Just(Type::String), Just(Type::Number), Just(Type::list(Type::String))];
    (ty, 0..4_u8, 0..4_u8).prop_map(|(ty, sort, extra)| {
        let attribute = match sort {
            0 => Attribute::required(ty),
            1 => Attribute::optional(ty),
            2 => Attribute::computed(ty),
            _ => Attribute::optional_computed(ty),
        };
        match extra {
            0 => attribute.forces_replacement(),
            1 => attribute.sensitive(),
            _ => attribute,
        }
    })
}

/// Schemas with up to two levels of nested blocks of every sort.
pub(super) fn any_schema() -> impl Strategy<Value = Schema> {
    let attributes = || vec(attribute(), 0..4);
    let leaf = attributes().prop_map(|attributes| Block { attributes: named("a", attributes), ..Block::default() });
    let block = leaf.prop_recursive(2, 6, 2, move |inner| {
        let nesting =
            prop::sample::select(vec![Nesting::Single, Nesting::Group, Nesting::List, Nesting::Set, Nesting::Map]);
        let nested = (nesting, inner, any::<bool>()).prop_map(|(nesting, block, forces)| match nesting {
            Nesting::Single => NestedBlock::single(block),
            Nesting::Group => NestedBlock::group(block),
            Nesting::List => NestedBlock::list(block),
            Nesting::Set => NestedBlock::set(block),
            Nesting::Map if forces => NestedBlock::map(block).forces_replacement(),
            Nesting::Map => NestedBlock::map(block),
        });
        (attributes(), vec(nested, 0..3)).prop_map(|(attributes, blocks)| Block {
            attributes: named("a", attributes),
            blocks: named("b", blocks),
            ..Block::default()
        })
    });
    block.prop_map(|block| Schema { version: 0, block })
}

fn named<T>(prefix: &str, parts: Vec<T>) -> BTreeMap<Arc<str>, T> {
    parts.into_iter().enumerate().map(|(number, part)| (Arc::from(format!("{prefix}{number}")), part)).collect()
}

fn any_leaf(ty: &Type) -> BoxedStrategy<Value> {
    let known = match ty {
        Type::Number => (0..3_i64).prop_map(Value::number).boxed(),
        Type::List(element) => {
            let element = (**element).clone();
            vec("[xy]".prop_map(Value::string), 0..3)
                .prop_map(move |values| Value::list(element.clone(), values))
                .boxed()
        }
        _ => "[xyz]".prop_map(Value::string).boxed(),
    };
    let ty = ty.clone();
    prop_oneof![5 => known, 2 => Just(Value::null(ty.clone())), 1 => Just(Value::unknown(ty))].boxed()
}

fn any_block(block: &Block) -> BoxedStrategy<Value> {
    let attributes = block.attributes.iter().map(|(name, attribute)| (name.clone(), any_leaf(&attribute.ty)));
    let blocks = block.blocks.iter().map(|(name, nested)| (name.clone(), any_nested(nested)));
    let parts: Vec<(Arc<str>, BoxedStrategy<Value>)> = attributes.chain(blocks).collect();
    let (names, values): (Vec<_>, Vec<_>) = parts.into_iter().unzip();
    values.prop_map(move |values| Value::object(names.iter().cloned().zip(values))).boxed()
}

fn any_nested(nested: &NestedBlock) -> BoxedStrategy<Value> {
    let block = any_block(&nested.block);
    let absent = nested.absent_value();
    let own = nested.clone();
    match nested.nesting {
        Nesting::Single => prop_oneof![3 => block, 1 => Just(absent)].boxed(),
        Nesting::Group => block,
        Nesting::List | Nesting::Set => vec(block, 0..4).prop_map(move |blocks| own.sequence(blocks)).boxed(),
        Nesting::Map => proptest::collection::btree_map("[kl]", block, 0..3)
            .prop_map(move |blocks| {
                own.mapping(blocks.into_iter().map(|(label, block)| (Arc::from(label), block)).collect())
            })
            .boxed(),
    }
}

/// Objects of the schema's implied type, some parts of them unknown or null.
pub(super) fn any_object(schema: &Schema) -> BoxedStrategy<Value> {
    any_block(&schema.block)
}
