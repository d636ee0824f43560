use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::Arc,
};

use num_bigint::BigInt;

use super::AttributeType;
use crate::{
    schema::Check,
    value::{Number, Type},
};

macro_rules! plain {
    ($ty:expr => $($rust:ty),+) => {
        $(impl AttributeType for $rust {
            fn ty() -> Type {
                $ty
            }
        })+
    };
}

plain!(Type::String => String, Arc<str>, Box<str>);
plain!(Type::Bool => bool);
plain!(Type::Number => f32, f64);
plain!(Type::Any => serde_json::Value);

/// Integers are numbers within the bounds of their type, so that one that is too large is found while planning.
macro_rules! integer {
    ($($rust:ty),+) => {
        $(impl AttributeType for $rust {
            fn ty() -> Type {
                Type::Number
            }

            fn checks() -> Vec<Check> {
                let [min, max] = [<$rust>::MIN, <$rust>::MAX].map(|bound| Some(Number::from(BigInt::from(bound))));
                vec![Check::Range { min, max }]
            }
        })+
    };
}

integer!(i8, i16, i32, i64, isize, u8, u16, u32, u64, usize);

impl<T: AttributeType> AttributeType for Option<T> {
    const OPTIONAL: bool = true;

    fn ty() -> Type {
        T::ty()
    }

    fn checks() -> Vec<Check> {
        T::checks()
    }
}

impl<T: AttributeType> AttributeType for Box<T> {
    const OPTIONAL: bool = T::OPTIONAL;

    fn ty() -> Type {
        T::ty()
    }

    fn checks() -> Vec<Check> {
        T::checks()
    }
}

/// Checks of elements hold for the collection, whose checks look at each element.
macro_rules! collection {
    ($make:path => $([$($parameters:tt)+] $rust:ty),+) => {
        $(impl<$($parameters)+> AttributeType for $rust {
            fn ty() -> Type {
                $make(T::ty())
            }

            fn checks() -> Vec<Check> {
                T::checks()
            }
        })+
    };
}

collection!(Type::list => [T: AttributeType] Vec<T>);
collection!(Type::set => [T: AttributeType] BTreeSet<T>, [T: AttributeType, S] HashSet<T, S>);
collection!(Type::map => [T: AttributeType] BTreeMap<String, T>, [T: AttributeType, S] HashMap<String, T, S>);
