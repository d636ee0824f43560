use std::{cmp::Ordering, fmt, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use super::{Decimal, Error};

/// Currencies of ISO 4217 whose smallest unit is not a hundredth.
const MINOR: &[(&str, u32)] = &[
    ("BHD", 3),
    ("BIF", 0),
    ("CLF", 4),
    ("CLP", 0),
    ("DJF", 0),
    ("GNF", 0),
    ("IQD", 3),
    ("ISK", 0),
    ("JOD", 3),
    ("JPY", 0),
    ("KMF", 0),
    ("KRW", 0),
    ("KWD", 3),
    ("LYD", 3),
    ("OMR", 3),
    ("PYG", 0),
    ("RWF", 0),
    ("TND", 3),
    ("UGX", 0),
    ("UYI", 0),
    ("UYW", 4),
    ("VND", 0),
    ("VUV", 0),
    ("XAF", 0),
    ("XOF", 0),
    ("XPF", 0),
];

/// A currency: three capital letters of ISO 4217, or a name of the host's own such as `virtual:points`, whose smallest unit
/// is one. Serialises as that text.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency(Arc<str>);

impl Currency {
    /// Reads a currency.
    ///
    /// # Errors
    /// [`Error::Currency`] where it is neither three capital letters nor `virtual:` and a name of lower-case letters, digits
    /// and hyphens.
    pub fn new(code: &str) -> Result<Self, Error> {
        let is_iso = code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_uppercase());
        let is_virtual = code.strip_prefix("virtual:").is_some_and(|name| {
            (1..=32).contains(&name.len())
                && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        });
        if is_iso || is_virtual {
            Ok(Self(code.into()))
        } else {
            Err(Error::Currency { code: code.chars().take(40).collect() })
        }
    }

    /// Returns the code.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns how many digits behind the point its smallest unit has: 2 for most.
    pub fn minor_digits(&self) -> u32 {
        if self.0.len() > 3 {
            return 0;
        }
        MINOR.iter().find(|(code, _)| *code == &*self.0).map_or(2, |(_, digits)| *digits)
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Currency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// An amount in a currency. Amounts in different currencies are never added, compared or mixed.
///
/// # Examples
/// ```
/// use stackwright::pricing::Money;
///
/// let price = Money::new("0.31", "CNY")?.plus(&Money::new("0.05", "CNY")?)?;
/// assert_eq!(price.to_string(), "0.36 CNY");
/// assert!(price.plus(&Money::new("1", "USD")?).is_err());
/// # Ok::<(), stackwright::pricing::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Money {
    /// How much; less than zero where money comes back.
    pub amount: Decimal,
    /// Of what.
    pub currency: Currency,
}

impl Money {
    /// Reads an amount and a currency.
    ///
    /// # Errors
    /// [`Error::NotANumber`], [`Error::Overflow`], [`Error::Currency`].
    pub fn new(amount: &str, currency: &str) -> Result<Self, Error> {
        Ok(Self { amount: amount.parse()?, currency: Currency::new(currency)? })
    }

    /// Returns so much of a currency.
    pub fn of(amount: Decimal, currency: &Currency) -> Self {
        Self { amount, currency: currency.clone() }
    }

    /// Returns nothing of a currency.
    pub fn zero(currency: &Currency) -> Self {
        Self::of(Decimal::ZERO, currency)
    }

    /// Returns the sum, exactly.
    ///
    /// # Errors
    /// [`Error::Mixed`], [`Error::Overflow`].
    pub fn plus(&self, other: &Self) -> Result<Self, Error> {
        self.same(other)?;
        Ok(Self::of(self.amount.plus(other.amount)?, &self.currency))
    }

    /// Returns the difference, exactly.
    ///
    /// # Errors
    /// [`Error::Mixed`], [`Error::Overflow`].
    pub fn minus(&self, other: &Self) -> Result<Self, Error> {
        self.same(other)?;
        Ok(Self::of(self.amount.minus(other.amount)?, &self.currency))
    }

    fn same(&self, other: &Self) -> Result<(), Error> {
        if self.currency == other.currency {
            return Ok(());
        }
        Err(Error::Mixed { one: self.currency.clone(), other: other.currency.clone() })
    }
}

impl PartialOrd for Money {
    /// `None` where the currencies differ.
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        (self.currency == other.currency).then(|| self.amount.cmp(&other.amount))
    }
}

impl fmt::Display for Money {
    /// Writes at least as many digits as the smallest unit of the currency has: `12.00 CNY`, `0.0125 USD`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.amount.with_digits(self.currency.minor_digits()), self.currency)
    }
}

impl fmt::Debug for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn currencies_know_their_smallest_unit() {
        let digits = |code: &str| Currency::new(code).map(|currency| currency.minor_digits());
        assert_eq!(digits("CNY"), Ok(2));
        assert_eq!(digits("JPY"), Ok(0));
        assert_eq!(digits("KWD"), Ok(3));
        assert_eq!(digits("virtual:points"), Ok(0));
        for code in ["", "cny", "CN", "CNYY", "virtual:", "virtual:A", "¥¥¥"] {
            assert!(matches!(digits(code), Err(Error::Currency { .. })), "{code}");
        }
        assert!(MINOR.is_sorted());
    }

    #[test]
    fn money_prints_with_its_smallest_unit() {
        let shown = |amount: &str, currency: &str| Money::new(amount, currency).expect("money").to_string();
        assert_eq!(shown("12", "CNY"), "12.00 CNY");
        assert_eq!(shown("-0.5", "CNY"), "-0.50 CNY");
        assert_eq!(shown("0.0125", "USD"), "0.0125 USD");
        assert_eq!(shown("12", "JPY"), "12 JPY");
    }
}
