use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};

use super::{Bucket, Decimal, Error, Line, Money};
use crate::event::Timestamp;

/// A rule by which several things cost less together.
///
/// # Examples
/// ```
/// use stackwright::pricing::{Bundle, Effect, Select};
///
/// let suite = Bundle::new("suite", "a cluster and a database together", Effect::Percent { percent: "15".parse()? })
///     .requires(Select::of_type("acme_cluster"), 1)
///     .requires(Select::of_type("acme_database"), 1);
/// assert_eq!(suite.requires.len(), 2);
/// # Ok::<(), stackwright::pricing::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bundle {
    /// What it is called; no two of a quote are the same.
    pub id: Arc<str>,
    /// Why it costs less, for people.
    pub reason: Arc<str>,
    /// What comes off.
    pub effect: Effect,
    /// The lines that it comes off; all, where nothing is said.
    #[serde(default)]
    pub select: Select,
    /// What must be there together.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub requires: Vec<Requirement>,
    /// The group of rules of which only one applies: the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exclusive: Option<Arc<str>>,
    /// Rules with more apply first; of equal ones, those whose id comes first.
    #[serde(default)]
    pub priority: i32,
    /// From when it holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// Until when it holds, that moment not included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// The plans that it is for; all, where none is named.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub plans: Vec<Arc<str>>,
    /// The tenants that it is for; all, where none is named.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tenants: Vec<Arc<str>>,
}

/// What comes off.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Effect {
    /// So many hundredths of what the lines still cost.
    Percent {
        /// 0 to 100.
        percent: Decimal,
    },
    /// An amount, or what the lines still cost where that is less.
    Amount {
        /// How much.
        amount: Money,
        /// Which of their amounts it comes off.
        on: Bucket,
    },
    /// All together cost this, if they cost more without.
    Fixed {
        /// How much.
        price: Money,
        /// Which of their amounts.
        on: Bucket,
    },
}

/// Which lines.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Select {
    /// Of these types; of all, where none is named.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub types: Vec<Arc<str>>,
    /// These components; all, where none is named.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub components: Vec<Arc<str>>,
    /// Whose attributes have these values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<Arc<str>, Arc<str>>,
}

/// What must be there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Requirement {
    /// Lines of these.
    pub select: Select,
    /// So many instances at least.
    pub at_least: u32,
}

/// Who buys.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Buyer {
    /// The tenant.
    pub tenant: Arc<str>,
    /// The plan of the form that was chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<Arc<str>>,
}

impl Bundle {
    /// Returns a rule for everybody and everything, at all times.
    pub fn new(id: impl Into<Arc<str>>, reason: impl Into<Arc<str>>, effect: Effect) -> Self {
        Self {
            id: id.into(),
            reason: reason.into(),
            effect,
            select: Select::default(),
            requires: Vec::new(),
            exclusive: None,
            priority: 0,
            from: None,
            until: None,
            plans: Vec::new(),
            tenants: Vec::new(),
        }
    }

    /// Says which lines it comes off.
    pub fn select(mut self, select: Select) -> Self {
        self.select = select;
        self
    }

    /// Says what must be there: so many instances at least.
    pub fn requires(mut self, select: Select, at_least: u32) -> Self {
        self.requires.push(Requirement { select, at_least });
        self
    }

    /// Puts it into a group of rules of which only one applies.
    pub fn exclusive(mut self, group: impl Into<Arc<str>>) -> Self {
        self.exclusive = Some(group.into());
        self
    }

    /// Says how early it applies.
    pub fn priority(mut self, priority: i32) -> Self {
        self.priority = priority;
        self
    }

    /// Returns an error that says what is wrong with it, if anything is.
    ///
    /// # Errors
    /// [`Error::Rule`].
    pub fn check(&self) -> Result<(), Error> {
        let wrong = |problem: String| Err(Error::Rule { rule: self.id.to_string(), problem });
        match &self.effect {
            Effect::Percent { percent } if percent.is_negative() || *percent > Decimal::whole(100) => {
                wrong(format!("takes {percent} percent off; 0 to 100 are possible"))
            }
            Effect::Amount { amount: money, on } | Effect::Fixed { price: money, on } => {
                let digits = on.digits(&money.currency);
                if money.amount.is_negative() {
                    return wrong(format!("says {money}, which is below zero"));
                }
                match money.amount.quanta(digits) {
                    Some(_) => Ok(()),
                    None => wrong(format!("says {money}, which is finer than {digits} digits behind the point")),
                }
            }
            Effect::Percent { .. } => Ok(()),
        }
    }

    /// Returns why it does not apply to anybody now, or to this buyer, if so.
    pub(super) fn not_for(&self, buyer: &Buyer, at: Timestamp) -> Option<&'static str> {
        if self.from.is_some_and(|from| at < from) {
            return Some("it does not hold yet");
        }
        if self.until.is_some_and(|until| at >= until) {
            return Some("it does not hold any more");
        }
        if !self.tenants.is_empty() && !self.tenants.contains(&buyer.tenant) {
            return Some("it is for other tenants");
        }
        let is_planned = self.plans.is_empty() || buyer.plan.as_ref().is_some_and(|plan| self.plans.contains(plan));
        (!is_planned).then_some("it is for other plans")
    }
}

impl Select {
    /// Returns the lines of one type.
    pub fn of_type(name: impl Into<Arc<str>>) -> Self {
        Self { types: vec![name.into()], ..Self::default() }
    }

    /// Returns whether a line is meant.
    pub fn matches(&self, line: &Line) -> bool {
        (self.types.is_empty() || self.types.contains(&line.type_name))
            && (self.components.is_empty() || self.components.contains(&line.component))
            && self.attributes.iter().all(|(name, value)| line.attributes.get(name) == Some(value))
    }
}
