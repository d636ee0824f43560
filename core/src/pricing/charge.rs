use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};

use super::{Currency, Decimal, Error, Money};

/// How often something is charged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Period {
    /// Each hour.
    Hour,
    /// Each day.
    Day,
    /// Each month.
    Month,
    /// Each year.
    Year,
}

impl Period {
    /// Returns its name: `hour`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Month => "month",
            Self::Year => "year",
        }
    }
}

/// What is added up together: amounts of one bucket and one currency, and no others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bucket {
    /// What is paid once.
    Once,
    /// What is paid each period.
    Every(Period),
    /// What is paid for what is used in each period, by what is assumed to be used.
    Usage(Period),
}

impl Bucket {
    /// Returns how many digits behind the point amounts have here: those of the currency's smallest unit; for what is
    /// charged each hour or day, which is a rate, four more, and six at least.
    pub fn digits(self, currency: &Currency) -> u32 {
        let minor = currency.minor_digits();
        match self {
            Self::Every(Period::Hour | Period::Day) => (minor + 4).max(6),
            Self::Once | Self::Every(_) | Self::Usage(_) => minor,
        }
    }
}

impl fmt::Display for Bucket {
    /// Writes `once`, `a month`, `a month by use`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let article = |period: &Period| if *period == Period::Hour { "an" } else { "a" };
        match self {
            Self::Once => f.write_str("once"),
            Self::Every(period) => write!(f, "{} {}", article(period), period.as_str()),
            Self::Usage(period) => write!(f, "{} {} by use", article(period), period.as_str()),
        }
    }
}

/// When and how something is charged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Charge {
    /// Once: a purchase, a setup fee, a term that is paid in advance.
    Once,
    /// The same amount each period, from the beginning to the removal.
    Recurring {
        /// How often.
        every: Period,
    },
    /// By what is used.
    Usage(Usage),
}

impl Charge {
    /// Returns what it is added up with.
    pub fn bucket(&self) -> Bucket {
        match self {
            Self::Once => Bucket::Once,
            Self::Recurring { every } => Bucket::Every(*every),
            Self::Usage(usage) => Bucket::Usage(usage.every),
        }
    }

    /// Returns what is measured; empty where nothing is.
    pub(super) fn meter(&self) -> &str {
        match self {
            Self::Usage(usage) => &usage.meter,
            Self::Once | Self::Recurring { .. } => "",
        }
    }
}

/// What use costs.
///
/// # Examples
/// ```
/// use stackwright::pricing::{Decimal, Period, Usage};
///
/// // 0.80 for each GB up to 100, then 0.60; the first 10 are included; 250 are assumed.
/// let traffic = Usage::new("traffic", "GB", Period::Month, "CNY")?
///     .tier(Some(Decimal::whole(100)), "0.80".parse()?)
///     .tier(None, "0.60".parse()?)
///     .included(Decimal::whole(10))
///     .assumed(Decimal::whole(250));
/// assert_eq!(traffic.estimate()?.map(|money| money.to_string()).as_deref(), Some("164.00 CNY"));
/// # Ok::<(), stackwright::pricing::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Usage {
    /// What is measured: `requests`.
    pub meter: Arc<str>,
    /// In what: `GB`, `10,000 requests`.
    pub unit: Arc<str>,
    /// After how long counting begins anew.
    pub every: Period,
    /// The currency of the prices.
    pub currency: Currency,
    /// Prices of one unit, from the first unit on; the last tier has no end.
    pub tiers: Vec<Tier>,
    /// How tiers are read.
    #[serde(default)]
    pub tiering: Tiering,
    /// Units that cost nothing.
    #[serde(default)]
    pub included: Decimal,
    /// Units that are assumed to be used in one period; `None` where nobody knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assumed: Option<Decimal>,
}

/// The price of one unit, up to some number of units.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tier {
    /// The last unit of the tier, counted from the first that is not included; `None` in the last tier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub up_to: Option<Decimal>,
    /// What one unit costs.
    pub price: Decimal,
}

/// How the tiers of a price are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tiering {
    /// Each unit costs what its own tier says.
    #[default]
    Graduated,
    /// All units cost what the tier of the last one says.
    Volume,
}

impl Usage {
    /// Returns usage without tiers, which must be added.
    ///
    /// # Errors
    /// [`Error::Currency`].
    pub fn new(meter: &str, unit: &str, every: Period, currency: &str) -> Result<Self, Error> {
        Ok(Self {
            meter: meter.into(),
            unit: unit.into(),
            every,
            currency: Currency::new(currency)?,
            tiers: Vec::new(),
            tiering: Tiering::Graduated,
            included: Decimal::ZERO,
            assumed: None,
        })
    }

    /// Adds a tier above those that there are.
    pub fn tier(mut self, up_to: Option<Decimal>, price: Decimal) -> Self {
        self.tiers.push(Tier { up_to, price });
        self
    }

    /// Has all units cost what the tier of the last one says.
    pub fn by_volume(mut self) -> Self {
        self.tiering = Tiering::Volume;
        self
    }

    /// Sets how many units cost nothing.
    pub fn included(mut self, units: Decimal) -> Self {
        self.included = units;
        self
    }

    /// Sets how many units are assumed to be used in one period.
    pub fn assumed(mut self, units: Decimal) -> Self {
        self.assumed = Some(units);
        self
    }

    /// Returns what so many units cost in one period, rounded half to even to the smallest unit of the currency.
    ///
    /// # Errors
    /// [`Error::Overflow`].
    pub fn cost(&self, units: Decimal) -> Result<Money, Error> {
        let billed = units.minus(self.included)?.max(Decimal::ZERO);
        let mut sum = Decimal::ZERO;
        let mut below = Decimal::ZERO;
        for tier in &self.tiers {
            let end = tier.up_to.filter(|end| *end < billed).unwrap_or(billed);
            let is_last = tier.up_to.is_none_or(|end| billed <= end);
            match self.tiering {
                Tiering::Graduated => sum = sum.plus(end.minus(below)?.times(tier.price, super::decimal::SCALE)?)?,
                Tiering::Volume if is_last => sum = billed.times(tier.price, super::decimal::SCALE)?,
                Tiering::Volume => {}
            }
            if is_last {
                break;
            }
            below = end;
        }
        let rounded = sum.times(Decimal::ONE, self.currency.minor_digits())?;
        Ok(Money::of(rounded, &self.currency))
    }

    /// Returns what one period is expected to cost; `None` where nothing is assumed.
    ///
    /// # Errors
    /// [`Error::Overflow`].
    pub fn estimate(&self) -> Result<Option<Money>, Error> {
        self.assumed.map(|units| self.cost(units)).transpose()
    }

    /// Returns what is wrong with it, if anything is.
    pub(super) fn problem(&self) -> Option<&'static str> {
        let ends: Vec<Option<Decimal>> = self.tiers.iter().map(|tier| tier.up_to).collect();
        let [inner @ .., None] = ends.as_slice() else { return Some("has no last tier without an end") };
        let mut below = Decimal::ZERO;
        for end in inner {
            match end {
                Some(end) if *end > below => below = *end,
                _ => return Some("has tiers that do not grow"),
            }
        }
        let is_negative = self.tiers.iter().any(|tier| tier.price.is_negative())
            || self.included.is_negative()
            || self.assumed.is_some_and(Decimal::is_negative);
        is_negative.then_some("has a number below zero")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiers_are_read_as_they_say() {
        let usage = |volume: bool| {
            let usage = Usage::new("requests", "10,000", Period::Month, "CNY").expect("usage");
            let usage = usage
                .tier(Some(Decimal::whole(10)), "0.03".parse().expect("a price"))
                .tier(Some(Decimal::whole(20)), "0.02".parse().expect("a price"))
                .tier(None, "0.01".parse().expect("a price"))
                .included(Decimal::whole(2));
            if volume { usage.by_volume() } else { usage }
        };
        let cost = |units: i64, volume: bool| usage(volume).cost(Decimal::whole(units)).expect("a cost").to_string();
        for (units, graduated, volume) in [
            (0, "0.00 CNY", "0.00 CNY"),
            (2, "0.00 CNY", "0.00 CNY"),
            (12, "0.30 CNY", "0.30 CNY"),
            (17, "0.40 CNY", "0.30 CNY"),
            (22, "0.50 CNY", "0.40 CNY"),
            (32, "0.60 CNY", "0.30 CNY"),
        ] {
            assert_eq!((cost(units, false), cost(units, true)), (graduated.into(), volume.into()), "{units}");
        }
        assert_eq!(usage(false).problem(), None);
        assert_eq!(usage(false).estimate(), Ok(None));
    }

    #[test]
    fn tiers_that_cannot_be_are_told() {
        let usage = || Usage::new("m", "u", Period::Month, "CNY").expect("usage");
        let (one, two) = (Decimal::ONE, Decimal::whole(2));
        assert!(usage().problem().is_some());
        assert!(usage().tier(Some(one), one).problem().is_some());
        assert!(usage().tier(Some(two), one).tier(Some(one), one).tier(None, one).problem().is_some());
        assert!(usage().tier(None, one).tier(None, one).problem().is_some());
        assert!(usage().tier(None, Decimal::whole(-1)).problem().is_some());
        assert!(usage().tier(None, one).assumed(Decimal::whole(-1)).problem().is_some());
    }

    #[test]
    fn rates_have_more_digits_than_amounts() {
        let (cny, jpy) = (Currency::new("CNY").expect("a currency"), Currency::new("JPY").expect("a currency"));
        assert_eq!(Bucket::Every(Period::Hour).digits(&cny), 6);
        assert_eq!(Bucket::Every(Period::Month).digits(&cny), 2);
        assert_eq!(Bucket::Usage(Period::Hour).digits(&cny), 2);
        assert_eq!(Bucket::Every(Period::Day).digits(&jpy), 6);
        assert_eq!(Bucket::Once.digits(&jpy), 0);
    }
}
