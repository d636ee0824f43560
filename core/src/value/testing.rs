//! Short ways to write values, and values at random, for the tests of this module.

use std::sync::Arc;

use proptest::{collection::vec, prelude::*};

use super::{Marks, Number, Refinement, Type, Value};

pub(super) fn s(text: &str) -> Value {
    Value::string(text)
}

pub(super) fn n(text: &str) -> Value {
    Value::number(Number::parse(text).expect("a number"))
}

pub(super) fn t<const N: usize>(values: [Value; N]) -> Value {
    Value::tuple(values.to_vec())
}

pub(super) fn o<const N: usize>(attributes: [(&str, Value); N]) -> Value {
    Value::object(attributes)
}

pub(super) fn l<const N: usize>(element: Type, values: [Value; N]) -> Value {
    Value::list(element, values.to_vec())
}

pub(super) fn set<const N: usize>(element: Type, values: [Value; N]) -> Value {
    Value::set(element, values.to_vec())
}

pub(super) fn m<const N: usize>(element: Type, entries: [(&str, Value); N]) -> Value {
    Value::map(element, entries)
}

pub(super) fn unknown(ty: Type) -> Value {
    Value::unknown(ty)
}

pub(super) fn null(ty: Type) -> Value {
    Value::null(ty)
}

pub(super) fn secret(value: Value) -> Value {
    value.with_marks(Marks::SENSITIVE)
}

/// Types without optional attributes; `Any` only where `open`.
pub(super) fn any_type(open: bool) -> impl Strategy<Value = Type> {
    let leaf = prop_oneof![Just(Type::Bool), Just(Type::Number), Just(Type::String)].boxed();
    let leaf = if open { prop_oneof![4 => leaf, 1 => Just(Type::Any)].boxed() } else { leaf };
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            inner.clone().prop_map(Type::list),
            inner.clone().prop_map(Type::set),
            inner.clone().prop_map(Type::map),
            vec(inner.clone(), 0..4).prop_map(Type::tuple),
            vec((name(), inner), 0..4).prop_map(Type::object),
        ]
    })
}

pub(super) fn name() -> impl Strategy<Value = Arc<str>> {
    "[a-cé\"$<]{1,2}".prop_map(Arc::from)
}

pub(super) fn any_number() -> impl Strategy<Value = Number> {
    prop_oneof![
        4 => any::<i16>().prop_map(Number::from),
        1 => any::<i64>().prop_map(Number::from),
        2 => (any::<i64>(), 1u32..30).prop_map(|(a, b)| Number::parse(&format!("{a}e-{b}")).expect("a number")),
        1 => any::<u32>().prop_map(|a| Number::from(a).div(&Number::from(3)).expect("finite")),
        1 => any::<f64>().prop_filter_map("not a number", Number::from_f64),
        1 => Just(Number::parse("-0").expect("a number")),
    ]
}

fn any_marks() -> impl Strategy<Value = Marks> {
    prop_oneof![8 => Just(Marks::NONE), 1 => Just(Marks::SENSITIVE), 1 => Just(Marks::EPHEMERAL)]
}

/// What may occur in a value.
#[derive(Clone, Copy)]
pub(super) struct Shape {
    pub(super) marks: bool,
    pub(super) unknown: bool,
    /// Infinities, and floats, which JSON turns into plain decimals.
    pub(super) odd_numbers: bool,
}

impl Shape {
    pub(super) const EVERYTHING: Self = Self { marks: true, unknown: true, odd_numbers: true };
    pub(super) const PLAIN: Self = Self { marks: false, unknown: false, odd_numbers: false };
}

pub(super) fn any_value(shape: Shape) -> impl Strategy<Value = Value> {
    any_type(true).prop_flat_map(move |ty| value_of(ty, shape))
}

/// A value of exactly that type.
pub(super) fn value_of(ty: Type, shape: Shape) -> BoxedStrategy<Value> {
    let known: BoxedStrategy<Value> = match &ty {
        Type::Any => Just(Value::null(Type::Any)).boxed(),
        Type::Bool => any::<bool>().prop_map(Value::bool).boxed(),
        Type::Number => any_number()
            .prop_map(move |number| {
                Value::number(match Number::parse(&number.to_string()) {
                    Ok(plain) if !shape.odd_numbers => {
                        if plain.is_infinite() {
                            Number::ONE
                        } else {
                            plain
                        }
                    }
                    _ => number,
                })
            })
            .boxed(),
        Type::String => "[a-zé<>&\u{2028}\n\t\"\\\\$%{]{0,6}".prop_map(Value::string).boxed(),
        Type::List(element) => {
            let element = (**element).clone();
            let values = vec(value_of(element.clone(), shape), 0..4);
            values.prop_map(move |values| Value::list(element.clone(), values)).boxed()
        }
        Type::Set(element) => {
            let element = (**element).clone();
            let values = vec(value_of(element.clone(), shape), 0..4);
            values.prop_map(move |values| Value::set(element.clone(), values)).boxed()
        }
        Type::Map(element) => {
            let element = (**element).clone();
            let entries = vec((name(), value_of(element.clone(), shape)), 0..4);
            entries.prop_map(move |entries| Value::map(element.clone(), entries)).boxed()
        }
        Type::Tuple(types) => {
            let values: Vec<_> = types.iter().map(|ty| value_of(ty.clone(), shape)).collect();
            values.prop_map(Value::tuple).boxed()
        }
        Type::Object(object) => {
            let values: Vec<_> = object.attributes.values().map(|ty| value_of(ty.clone(), shape)).collect();
            let names: Vec<Arc<str>> = object.attributes.keys().cloned().collect();
            values.prop_map(move |values| Value::object(names.iter().cloned().zip(values))).boxed()
        }
    };
    let null = Just(Value::null(ty.clone()));
    let unknown = any_refinement().prop_map(move |refinement| match ty {
        // An exact refinement makes a known value, which would not be of type `Any`.
        Type::Any => Value::unknown(Type::Any),
        _ => Value::unknown_with(ty.clone(), refinement),
    });
    let value = if shape.unknown {
        prop_oneof![6 => known, 1 => null, 1 => unknown].boxed()
    } else {
        prop_oneof![6 => known, 1 => null].boxed()
    };
    if shape.marks { (value, any_marks()).prop_map(|(value, marks)| value.with_marks(marks)).boxed() } else { value }
}

fn any_refinement() -> impl Strategy<Value = Refinement> {
    let bound = || proptest::option::of((any_number(), any::<bool>()));
    (any::<bool>(), "[a-z-]{0,3}", bound(), bound(), 0usize..3, proptest::option::of(0usize..4)).prop_map(
        |(not_null, prefix, min, max, min_length, max_length)| {
            let mut refinement = Refinement::none().with_full_prefix(&prefix).with_length(min_length, max_length);
            refinement.not_null = not_null;
            if let Some((value, inclusive)) = min {
                refinement = refinement.with_min(value, inclusive);
            }
            if let Some((value, inclusive)) = max {
                refinement = refinement.with_max(value, inclusive);
            }
            refinement
        },
    )
}
