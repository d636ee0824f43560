use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};

use super::{Bucket, Charge, Error, Money, Period, Usage};
use crate::event::Timestamp;

/// What an object costs, as its type says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Prices {
    /// Nothing.
    Free,
    /// These, all together.
    Known(Vec<Price>),
    /// Nobody can say. That is not nothing.
    Unknown {
        /// Why, for people. Free of secrets.
        reason: Arc<str>,
    },
}

impl Prices {
    /// Returns prices that nobody can say.
    pub fn unknown(reason: impl Into<Arc<str>>) -> Self {
        Self::Unknown { reason: reason.into() }
    }
}

/// One price of an object: of its disk, of its traffic.
///
/// # Examples
/// ```
/// use stackwright::pricing::{Money, Period, Price};
///
/// let disk = Price::recurring("system_disk", Period::Hour, Money::new("0.05", "CNY")?).spec("50 GB, SSD");
/// assert_eq!(disk.component.as_ref(), "system_disk");
/// # Ok::<(), stackwright::pricing::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Price {
    /// What of the object it is the price of; each once. Stable: discounts and refunds go by it.
    pub component: Arc<str>,
    /// What people see in its place.
    pub label: Option<Arc<str>>,
    /// What exactly is priced: `4 cores, 8 GB`.
    pub spec: Option<Arc<str>>,
    /// When and how it is charged.
    pub charge: Charge,
    /// How much; `None` where nobody can say, and for usage, where the tiers do.
    pub amount: Option<Money>,
    /// How sure it is.
    pub confidence: Confidence,
    /// What bundle rules may ask about.
    pub attributes: BTreeMap<Arc<str>, Arc<str>>,
}

/// How sure a price is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Confidence {
    /// It is what will be charged.
    Firm {
        /// Until when; `None` for as long as the quote is good.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
        /// What the seller wants to be shown when it is ordered.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        token: Option<Arc<str>>,
    },
    /// It is about that.
    Estimate,
    /// Nobody can say.
    Unknown {
        /// Why, for people. Free of secrets.
        reason: Arc<str>,
    },
}

impl Confidence {
    /// It is what will be charged, for as long as the quote is good.
    pub const FIRM: Self = Self::Firm { until: None, token: None };

    /// Returns its name: `firm`, `estimate`, `unknown`.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Firm { .. } => "firm",
            Self::Estimate => "estimate",
            Self::Unknown { .. } => "unknown",
        }
    }
}

impl Price {
    fn new(component: impl Into<Arc<str>>, charge: Charge, amount: Option<Money>, confidence: Confidence) -> Self {
        let component = component.into();
        Self { component, label: None, spec: None, charge, amount, confidence, attributes: BTreeMap::new() }
    }

    /// Returns a firm price that is paid once.
    pub fn once(component: impl Into<Arc<str>>, amount: Money) -> Self {
        Self::new(component, Charge::Once, Some(amount), Confidence::FIRM)
    }

    /// Returns a firm price that is paid each period.
    pub fn recurring(component: impl Into<Arc<str>>, every: Period, amount: Money) -> Self {
        Self::new(component, Charge::Recurring { every }, Some(amount), Confidence::FIRM)
    }

    /// Returns a price by use, as sure as what is assumed of it: an estimate.
    pub fn usage(component: impl Into<Arc<str>>, usage: Usage) -> Self {
        Self::new(component, Charge::Usage(usage), None, Confidence::Estimate)
    }

    /// Returns a price that is charged so, and that nobody can say.
    pub fn unknown(component: impl Into<Arc<str>>, charge: Charge, reason: impl Into<Arc<str>>) -> Self {
        Self::new(component, charge, None, Confidence::Unknown { reason: reason.into() })
    }

    /// Says what people see in place of the component.
    pub fn label(mut self, label: impl Into<Arc<str>>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// Says what exactly is priced.
    pub fn spec(mut self, spec: impl Into<Arc<str>>) -> Self {
        self.spec = Some(spec.into());
        self
    }

    /// Adds something that bundle rules may ask about.
    pub fn attribute(mut self, name: impl Into<Arc<str>>, value: impl Into<Arc<str>>) -> Self {
        self.attributes.insert(name.into(), value.into());
        self
    }

    /// Says that it is about that.
    pub fn estimated(mut self) -> Self {
        self.confidence = Confidence::Estimate;
        self
    }

    /// Says until when it is firm, and what the seller wants to be shown.
    pub fn firm_until(mut self, until: Timestamp, token: Option<Arc<str>>) -> Self {
        self.confidence = Confidence::Firm { until: Some(until), token };
        self
    }
}

/// What becomes of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LineChange {
    /// It is made.
    New,
    /// It is changed, in place or by replacing it.
    Changed,
    /// It stays as it is.
    Kept,
    /// It goes.
    Gone,
}

impl LineChange {
    /// Returns the sign that stands before it in tables.
    pub const fn sign(self) -> char {
        match self {
            Self::New => '+',
            Self::Changed => '~',
            Self::Kept => ' ',
            Self::Gone => '-',
        }
    }
}

/// A line of a quote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// The instance.
    pub address: Arc<str>,
    /// Its type.
    pub type_name: Arc<str>,
    /// What becomes of it.
    pub change: LineChange,
    /// What of it is priced.
    pub component: Arc<str>,
    /// What people see in place of the component.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<Arc<str>>,
    /// What exactly is priced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spec: Option<Arc<str>>,
    /// When and how it is charged.
    pub charge: Charge,
    /// What it costs before discounts; `None` where nobody can say. For usage, what is expected of one period.
    pub list: Option<Money>,
    /// What comes off, in the order in which it did.
    pub discounts: Vec<Discount>,
    /// What it costs: the list price less all discounts, never below zero.
    pub net: Option<Money>,
    /// How sure that is.
    pub confidence: Confidence,
    /// What bundle rules may ask about.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<Arc<str>, Arc<str>>,
}

/// What comes off a line, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Discount {
    /// The bundle rule.
    pub rule: Arc<str>,
    /// Why, for people.
    pub reason: Arc<str>,
    /// How much; never below zero.
    pub amount: Money,
}

/// What lines are told apart and ordered by.
pub(super) type LineKey<'a> = (&'a str, &'a str, Bucket, &'a str);

impl Line {
    /// Makes a line of a price, and checks it.
    pub(super) fn new(
        address: &Arc<str>,
        type_name: &Arc<str>,
        change: LineChange,
        price: Price,
    ) -> Result<Self, Error> {
        let wrong = |problem: &str| Error::Line {
            address: address.to_string(),
            component: price.component.to_string(),
            problem: problem.to_owned(),
        };
        let is_unknown = matches!(price.confidence, Confidence::Unknown { .. });
        let list = match (&price.charge, &price.amount) {
            (_, Some(_)) if is_unknown => return Err(wrong("is unknown and has an amount")),
            (Charge::Usage(_), Some(_)) => return Err(wrong("is by use, and its amount is what the tiers make of it")),
            (Charge::Usage(usage), None) => match usage.problem() {
                Some(problem) => return Err(wrong(problem)),
                None if is_unknown => None,
                None => usage.estimate()?,
            },
            (_, Some(amount)) => Some(amount.clone()),
            (_, None) if is_unknown => None,
            (_, None) => return Err(wrong("has no amount, and does not say that it is unknown")),
        };
        let bucket = price.charge.bucket();
        if let Some(list) = &list {
            if list.amount.is_negative() {
                return Err(wrong("is below zero"));
            }
            let digits = bucket.digits(&list.currency);
            if list.amount.quanta(digits).is_none() {
                return Err(wrong(&format!("is {list}, which is finer than {digits} digits behind the point")));
            }
        }
        Ok(Self {
            address: Arc::clone(address),
            type_name: Arc::clone(type_name),
            change,
            component: price.component,
            label: price.label,
            spec: price.spec,
            charge: price.charge,
            net: list.clone(),
            list,
            discounts: Vec::new(),
            confidence: price.confidence,
            attributes: price.attributes,
        })
    }

    pub(super) fn key(&self) -> LineKey<'_> {
        (&self.address, &self.component, self.charge.bucket(), self.charge.meter())
    }

    /// Takes an amount off, which must not be more than what it still costs.
    pub(super) fn take_off(&mut self, rule: &Arc<str>, reason: &Arc<str>, amount: Money) -> Result<(), Error> {
        let Some(net) = &self.net else { return Ok(()) };
        self.net = Some(net.minus(&amount)?);
        self.discounts.push(Discount { rule: Arc::clone(rule), reason: Arc::clone(reason), amount });
        Ok(())
    }
}
