use std::{collections::BTreeMap, fmt, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::value::Value;

/// How much of something an object uses; counted in whole units.
///
/// What nobody can say is [`Unknown`](Self::Unknown), never zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "Option<u64>", into = "Option<u64>")]
pub enum Amount {
    /// This much.
    Known(u64),
    /// Nobody can say yet.
    Unknown,
}

impl Amount {
    /// Nothing.
    pub const NONE: Self = Self::Known(0);

    /// Returns the amount that a number of a template stands for: a part of a unit counts as a whole one, null and what is
    /// below zero as nothing, and what is beyond all counting as the most that can be counted. Anything but a number is
    /// unknown.
    ///
    /// # Examples
    /// ```
    /// use stackwright::{state::Amount, value::{Type, Value}};
    ///
    /// assert_eq!(Amount::of(&Value::number(4)), Amount::Known(4));
    /// assert_eq!(Amount::of(&Value::unknown(Type::Number)), Amount::Unknown);
    /// ```
    pub fn of(value: &Value) -> Self {
        let (value, _) = value.unmark_deep();
        if value.is_null() {
            return Self::NONE;
        }
        match value.as_number() {
            Some(number) if number.is_negative() => Self::NONE,
            Some(number) => Self::Known(number.ceil().to_u64().unwrap_or(u64::MAX)),
            None => Self::Unknown,
        }
    }

    /// Returns both together; `None` where that is more than can be counted.
    pub const fn plus(self, other: Self) -> Option<Self> {
        match (self, other) {
            (Self::Known(one), Self::Known(other)) => match one.checked_add(other) {
                Some(sum) => Some(Self::Known(sum)),
                None => None,
            },
            _ => Some(Self::Unknown),
        }
    }

    /// Returns by how much this is more than `other`; nothing where it is less.
    pub const fn beyond(self, other: Self) -> Self {
        match (self, other) {
            (Self::Known(one), Self::Known(other)) => Self::Known(one.saturating_sub(other)),
            _ => Self::Unknown,
        }
    }

    /// Returns the larger one.
    pub fn max(self, other: Self) -> Self {
        match (self, other) {
            (Self::Known(one), Self::Known(other)) => Self::Known(one.max(other)),
            _ => Self::Unknown,
        }
    }
}

impl From<Option<u64>> for Amount {
    fn from(known: Option<u64>) -> Self {
        known.map_or(Self::Unknown, Self::Known)
    }
}

impl From<Amount> for Option<u64> {
    fn from(amount: Amount) -> Self {
        match amount {
            Amount::Known(known) => Some(known),
            Amount::Unknown => None,
        }
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Known(known) => write!(f, "{known}"),
            Self::Unknown => f.write_str("an unknown amount"),
        }
    }
}

/// What something uses, by dimension: `vcpu`, `disk_gib`, `resources`. What is not named is not used.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Uses(BTreeMap<Arc<str>, Amount>);

impl Uses {
    /// Returns whether nothing is used.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns how much of a dimension is used.
    pub fn of(&self, dimension: &str) -> Amount {
        self.0.get(dimension).copied().unwrap_or(Amount::NONE)
    }

    /// Returns what is used, by dimension.
    pub fn iter(&self) -> impl Iterator<Item = (&Arc<str>, Amount)> {
        self.0.iter().map(|(dimension, amount)| (dimension, *amount))
    }

    /// Adds to a dimension. What is more than can be counted is counted as the most that can be, and `false` returned.
    pub fn add(&mut self, dimension: &Arc<str>, amount: Amount) -> bool {
        if amount == Amount::NONE {
            return true;
        }
        let sum = self.of(dimension).plus(amount);
        self.0.insert(Arc::clone(dimension), sum.unwrap_or(Amount::Known(u64::MAX)));
        sum.is_some()
    }

    /// Adds all that another uses; `false` as [`add`](Self::add) returns it.
    pub fn add_all(&mut self, other: &Self) -> bool {
        other.iter().fold(true, |is_exact, (dimension, amount)| self.add(dimension, amount) && is_exact)
    }

    /// Returns in each dimension the larger of both.
    pub fn max(&self, other: &Self) -> Self {
        let all = self.0.keys().chain(other.0.keys());
        all.map(|dimension| (Arc::clone(dimension), self.of(dimension).max(other.of(dimension)))).collect()
    }

    /// Returns in each dimension by how much this is more than `other`.
    pub fn beyond(&self, other: &Self) -> Self {
        self.iter().map(|(dimension, amount)| (Arc::clone(dimension), amount.beyond(other.of(dimension)))).collect()
    }
}

impl FromIterator<(Arc<str>, Amount)> for Uses {
    fn from_iter<I: IntoIterator<Item = (Arc<str>, Amount)>>(amounts: I) -> Self {
        let mut uses = Self::default();
        for (dimension, amount) in amounts {
            uses.0.insert(dimension, amount);
        }
        uses.0.retain(|_, amount| *amount != Amount::NONE);
        uses
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::{Marks, Number, Type};

    fn uses(amounts: &[(&str, Option<u64>)]) -> Uses {
        amounts.iter().map(|(dimension, amount)| (Arc::from(*dimension), Amount::from(*amount))).collect()
    }

    #[test]
    fn numbers_become_amounts() {
        let half = Value::from(Number::parse("2.5").expect("a number"));
        let huge = Value::from(Number::parse("1e40").expect("a number"));
        for (value, expected) in [
            (Value::number(0), Amount::NONE),
            (Value::number(7).with_marks(Marks::SENSITIVE), Amount::Known(7)),
            (Value::number(-7), Amount::NONE),
            (half, Amount::Known(3)),
            (huge, Amount::Known(u64::MAX)),
            (Value::null(Type::Number), Amount::NONE),
            (Value::unknown(Type::Number), Amount::Unknown),
            (Value::string("4"), Amount::Unknown),
        ] {
            assert_eq!(Amount::of(&value), expected, "{value:?}");
        }
    }

    #[test]
    fn what_is_unknown_stays_unknown() {
        let (known, unknown) = (Amount::Known(3), Amount::Unknown);
        assert_eq!(known.plus(unknown), Some(unknown));
        assert_eq!((known.beyond(unknown), unknown.beyond(known)), (unknown, unknown));
        assert_eq!((known.max(unknown), unknown.max(known)), (unknown, unknown));
        assert_eq!(uses(&[("cpu", Some(3))]).max(&uses(&[("cpu", None)])), uses(&[("cpu", None)]));
    }

    #[test]
    fn nothing_is_lost_and_nothing_panics() {
        let mut sum = uses(&[("cpu", Some(3)), ("disk", Some(0))]);
        assert_eq!(sum, uses(&[("cpu", Some(3))]));
        assert!(sum.add_all(&uses(&[("cpu", Some(4)), ("disk", Some(1))])));
        assert_eq!(sum, uses(&[("cpu", Some(7)), ("disk", Some(1))]));
        assert!(!sum.add_all(&uses(&[("cpu", Some(u64::MAX)), ("disk", Some(1))])));
        assert_eq!(sum, uses(&[("cpu", Some(u64::MAX)), ("disk", Some(2))]));
        assert_eq!(sum.beyond(&uses(&[("disk", Some(9))])), uses(&[("cpu", Some(u64::MAX))]));
    }

    #[test]
    fn looks_as_documented() {
        let text = serde_json::to_string(&uses(&[("vcpu", None), ("disk", Some(u64::MAX))])).expect("JSON");
        assert_eq!(text, r#"{"disk":18446744073709551615,"vcpu":null}"#);
        assert_eq!(
            serde_json::from_str::<Uses>(&text).expect("uses"),
            uses(&[("vcpu", None), ("disk", Some(u64::MAX))])
        );
    }
}
