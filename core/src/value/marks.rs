use std::{fmt, ops};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What must be remembered about a value wherever it goes: a small set of flags.
///
/// Marks survive every operation: what is computed from a marked value is marked too.
///
/// # Examples
/// ```
/// use stackwright::value::Marks;
///
/// let both = Marks::SENSITIVE | Marks::EPHEMERAL;
/// assert!(both.contains(Marks::SENSITIVE));
/// assert_eq!(both.without(Marks::SENSITIVE), Marks::EPHEMERAL);
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Marks(u8);

impl Marks {
    /// No mark at all.
    pub const NONE: Self = Self(0);
    /// The value must not be shown.
    pub const SENSITIVE: Self = Self(1);
    /// The value must not be stored: it lives as long as one run.
    pub const EPHEMERAL: Self = Self(2);

    /// Returns whether every mark of `other` is present.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Returns whether at least one mark of `other` is present.
    pub const fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Returns the marks of both.
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Returns these marks less those of `other`.
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Returns whether there is no mark.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Returns the marks as bits, for storage: 1 sensitive, 2 ephemeral.
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// Returns the marks that [`bits`](Self::bits) stands for, or `None` where an unknown bit is set.
    pub const fn from_bits(bits: u8) -> Option<Self> {
        if bits < 4 { Some(Self(bits)) } else { None }
    }

    /// Returns the names of the marks, in a fixed order.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        [(Self::SENSITIVE, "sensitive"), (Self::EPHEMERAL, "ephemeral")]
            .into_iter()
            .filter(move |(mark, _)| self.contains(*mark))
            .map(|(_, name)| name)
    }
}

impl ops::BitOr for Marks {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        self.union(other)
    }
}

impl ops::BitOrAssign for Marks {
    fn bitor_assign(&mut self, other: Self) {
        *self = self.union(other);
    }
}

impl FromIterator<Marks> for Marks {
    fn from_iter<I: IntoIterator<Item = Marks>>(iter: I) -> Self {
        iter.into_iter().fold(Self::NONE, Self::union)
    }
}

impl fmt::Debug for Marks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.names()).finish()
    }
}

impl Serialize for Marks {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.names())
    }
}

impl<'de> Deserialize<'de> for Marks {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let names = Vec::<String>::deserialize(deserializer)?;
        names
            .iter()
            .map(|name| match name.as_str() {
                "sensitive" => Ok(Self::SENSITIVE),
                "ephemeral" => Ok(Self::EPHEMERAL),
                other => Err(serde::de::Error::unknown_variant(other, &["sensitive", "ephemeral"])),
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_of_marks() {
        let both = Marks::SENSITIVE | Marks::EPHEMERAL;
        assert!(both.contains(Marks::EPHEMERAL) && both.contains(Marks::NONE));
        assert!(!Marks::SENSITIVE.contains(both) && Marks::SENSITIVE.intersects(both));
        assert_eq!(format!("{both:?}"), r#"{"sensitive", "ephemeral"}"#);
        assert_eq!(serde_json::to_string(&both).expect("marks are JSON"), r#"["sensitive","ephemeral"]"#);
        assert_eq!(serde_json::from_str::<Marks>(r#"["ephemeral"]"#).expect("JSON is marks"), Marks::EPHEMERAL);
        assert!(serde_json::from_str::<Marks>(r#"["secret"]"#).is_err());
        assert_eq!(Marks::from_bits(both.bits()), Some(both));
        assert_eq!(Marks::from_bits(4), None);
    }
}
