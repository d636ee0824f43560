use std::{collections::BTreeMap, str::FromStr as _, sync::Arc};

use serde_json::{Map, Number, Value as Json};

use super::Window;
use crate::pricing::{Currency, Decimal, Error};

/// Whose something is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Owner {
    /// The tenant.
    pub tenant: Arc<str>,
    /// The installation's name.
    pub application: Arc<str>,
}

impl Owner {
    /// Returns the installation `application` of `tenant`.
    pub fn new(tenant: impl Into<Arc<str>>, application: impl Into<Arc<str>>) -> Self {
        Self { tenant: tenant.into(), application: application.into() }
    }
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$word_doc:meta])* $word:ident = $text:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$word_doc])* $word),*
        }

        impl $name {
            /// Returns the word that stands in the column.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$word => $text),*
                }
            }

            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$word),*];
        }
    };
}

words! {
    /// What a charge is for, as FOCUS calls it.
    ChargeCategory {
        /// By what was used.
        Usage = "Usage",
        /// Bought, once or by period. What comes back of it is one below zero.
        Purchase = "Purchase",
        /// Levied by authorities.
        Tax = "Tax",
        /// Granted by the provider.
        Credit = "Credit",
        /// None of these.
        Adjustment = "Adjustment",
    }
}

words! {
    /// How often a charge occurs, as FOCUS calls it.
    ChargeFrequency {
        /// Once.
        OneTime = "One-Time",
        /// Each period.
        Recurring = "Recurring",
        /// Whenever something is used.
        UsageBased = "Usage-Based",
    }
}

words! {
    /// How sure a row is.
    CostConfidence {
        /// It is what is charged, by a firm price.
        Firm = "firm",
        /// It is about that.
        Estimate = "estimate",
        /// Nobody can say. That is not nothing.
        Unknown = "unknown",
        /// The provider billed it.
        Billed = "billed",
    }
}

words! {
    /// Where a row comes from.
    CostSource {
        /// From what was accepted, and how long it was there.
        Estimate = "estimate",
        /// From a provider's bill.
        Bill = "bill",
    }
}

/// Why a row is whose it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Attribution {
    /// The ledger says that it was there.
    Ledger,
    /// The resource was theirs at that time.
    Resource,
    /// It bears the tag of the installation.
    Tag,
    /// By a rule for shared costs.
    Shared {
        /// The rule.
        rule: Arc<str>,
    },
    /// It is nobody's.
    Unallocated,
}

impl Attribution {
    /// Returns what stands in the column: `shared:network`.
    pub fn text(&self) -> String {
        match self {
            Self::Ledger => "ledger".to_owned(),
            Self::Resource => "resource".to_owned(),
            Self::Tag => "tag".to_owned(),
            Self::Shared { rule } => format!("shared:{rule}"),
            Self::Unallocated => "unallocated".to_owned(),
        }
    }
}

/// The costs of a row, all in its currency.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Costs {
    /// What is invoiced.
    pub billed: Decimal,
    /// What it really costs, what was paid ahead spread over its time.
    pub effective: Decimal,
    /// Before all discounts.
    pub list: Decimal,
    /// After discounts that were agreed on.
    pub contracted: Decimal,
}

impl Costs {
    /// Returns the sum.
    ///
    /// # Errors
    /// [`Error::Overflow`].
    pub fn plus(&self, other: &Self) -> Result<Self, Error> {
        Ok(Self {
            billed: self.billed.plus(other.billed)?,
            effective: self.effective.plus(other.effective)?,
            list: self.list.plus(other.list)?,
            contracted: self.contracted.plus(other.contracted)?,
        })
    }

    /// Returns the same, coming back.
    pub(super) fn negated(&self) -> Result<Self, Error> {
        let less = |amount: Decimal| Decimal::ZERO.minus(amount);
        Ok(Self {
            billed: less(self.billed)?,
            effective: less(self.effective)?,
            list: less(self.list)?,
            contracted: less(self.contracted)?,
        })
    }
}

/// One charge of a report.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CostRow {
    /// Whose it is; `None` where it is nobody's.
    pub owner: Option<Owner>,
    /// The instance in the template, where one is known.
    pub address: Option<Arc<str>>,
    /// What of it is priced; `None` where nothing of its prices is known, and in rows of bills.
    pub component: Option<Arc<str>>,
    /// From when until when; for what is paid once, the second in which it was bought.
    pub charged: Window,
    /// The billing period: in an estimate, the calendar month.
    pub billed_in: Window,
    /// What it is for.
    pub category: ChargeCategory,
    /// How often it occurs.
    pub frequency: ChargeFrequency,
    /// What people read.
    pub description: Arc<str>,
    /// What it costs; `None` where nobody can say.
    pub costs: Option<Costs>,
    /// In what; `None` where not even that is known.
    pub currency: Option<Currency>,
    /// How many units; `None` where nobody knows.
    pub quantity: Option<Decimal>,
    /// Of what.
    pub unit: Option<Arc<str>>,
    /// The provider's id of the resource.
    pub resource_id: Option<Arc<str>>,
    /// What people call it.
    pub resource_name: Option<Arc<str>>,
    /// Its type.
    pub resource_type: Option<Arc<str>>,
    /// The service, as the bill calls it.
    pub service: Option<Arc<str>>,
    /// The account that the bill names.
    pub billed_to: Option<Arc<str>>,
    /// Tags.
    pub tags: BTreeMap<Arc<str>, Arc<str>>,
    /// How sure it is.
    pub confidence: CostConfidence,
    /// Where it comes from.
    pub source: CostSource,
    /// Why it is whose it is.
    pub attribution: Attribution,
}

impl CostRow {
    /// The columns of a row, in the order of [`cells`](Self::cells): those of FOCUS 1.2, then those of our own.
    pub const COLUMNS: [&'static str; 29] = [
        "BilledCost",
        "EffectiveCost",
        "ListCost",
        "ContractedCost",
        "BillingCurrency",
        "ChargeCategory",
        "ChargeFrequency",
        "ChargeDescription",
        "ChargePeriodStart",
        "ChargePeriodEnd",
        "BillingPeriodStart",
        "BillingPeriodEnd",
        "PricingQuantity",
        "PricingUnit",
        "ResourceId",
        "ResourceName",
        "ResourceType",
        "ServiceName",
        "SubAccountId",
        "SubAccountName",
        "Tags",
        "x_Application",
        "x_Address",
        "x_Component",
        "x_Confidence",
        "x_Source",
        "x_Attribution",
        "x_BilledAccount",
        "x_Unallocated",
    ];

    /// Returns what stands in each of [`COLUMNS`](Self::COLUMNS), for JSON: costs are numbers, tags a mapping, what nobody knows is
    /// null.
    pub fn cells(&self) -> [Json; 29] {
        let text = |text: Option<&Arc<str>>| text.map_or(Json::Null, |text| Json::String(text.to_string()));
        let costs = self.costs.as_ref();
        let cost = |of: fn(&Costs) -> Decimal| costs.map_or(Json::Null, |costs| number(of(costs)));
        let tenant = self.owner.as_ref().map(|owner| &owner.tenant);
        let tags: Map<String, Json> =
            self.tags.iter().map(|(key, value)| (key.to_string(), Json::String(value.to_string()))).collect();
        [
            cost(|costs| costs.billed),
            cost(|costs| costs.effective),
            cost(|costs| costs.list),
            cost(|costs| costs.contracted),
            self.currency.as_ref().map_or(Json::Null, |currency| currency.as_str().into()),
            self.category.as_str().into(),
            self.frequency.as_str().into(),
            self.description.to_string().into(),
            moment(self.charged.from).into(),
            moment(self.charged.until).into(),
            moment(self.billed_in.from).into(),
            moment(self.billed_in.until).into(),
            self.quantity.map_or(Json::Null, number),
            text(self.unit.as_ref()),
            text(self.resource_id.as_ref()),
            text(self.resource_name.as_ref()),
            text(self.resource_type.as_ref()),
            text(self.service.as_ref()),
            text(tenant),
            text(tenant),
            tags.into(),
            text(self.owner.as_ref().map(|owner| &owner.application)),
            text(self.address.as_ref()),
            text(self.component.as_ref()),
            self.confidence.as_str().into(),
            self.source.as_str().into(),
            self.attribution.text().into(),
            text(self.billed_to.as_ref()),
            self.owner.is_none().into(),
        ]
    }

    /// Returns the row as an object with the columns as keys.
    pub fn to_json(&self) -> Json {
        Json::Object(Self::COLUMNS.iter().map(|name| (*name).to_owned()).zip(self.cells()).collect())
    }

    /// Returns what stands in each of [`COLUMNS`](Self::COLUMNS), for CSV: what nobody knows is empty, tags are JSON.
    pub fn texts(&self) -> [String; 29] {
        self.cells().map(|cell| match cell {
            Json::Null => String::new(),
            Json::String(text) => text,
            other => other.to_string(),
        })
    }
}

/// Exactly: no float on the way.
fn number(amount: Decimal) -> Json {
    Number::from_str(&amount.to_string()).map_or(Json::Null, Json::Number)
}

/// As FOCUS wants moments: to the second, unless there is more.
fn moment(at: crate::event::Timestamp) -> String {
    at.to_string().replace(".000Z", "Z")
}
