use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde::{Deserialize, Serialize};

use super::{Attribution, BillRow, CostRow, Costs, Owner, Window};
use crate::{
    event::Timestamp,
    pricing::{Decimal, Error, decimal},
};

/// The tag that says whose a resource is.
const TAG: &str = "stackwright-app";

/// An object that an installation has or had, and when.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Holding {
    /// Whose it is.
    pub owner: Owner,
    /// What the installation is called in tags.
    pub app_id: Arc<str>,
    /// The instance.
    pub address: Arc<str>,
    /// Its type.
    pub type_name: Arc<str>,
    /// The provider's id of it; `None` where it is not known.
    pub remote_id: Option<Arc<str>>,
    /// From when.
    pub from: Timestamp,
    /// Until when; `None` where it is still there.
    pub until: Option<Timestamp>,
}

/// A rule by which several installations share rows of a bill that are nobody's alone.
///
/// # Examples
/// ```
/// use stackwright::pricing::cost::{CostSelect, SharedCost, Split};
///
/// let rule: SharedCost = serde_json::from_str(
///     r#"{ "rule": "network", "of": { "service": "Virtual Network" }, "split": { "kind": "even" } }"#,
/// ).unwrap();
/// assert_eq!(rule.split, Split::Even);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SharedCost {
    /// What it is called; each once.
    pub rule: Arc<str>,
    /// Which rows.
    #[serde(default)]
    pub of: Select,
    /// Who bears how much.
    pub split: Split,
}

/// Chooses rows of a bill: those of which everything holds that is said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Select {
    /// `ServiceName` is this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<Arc<str>>,
    /// `ResourceId` is one of these.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub resources: BTreeSet<Arc<str>>,
    /// `ResourceType` is this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_type: Option<Arc<str>>,
    /// `ChargeCategory` is this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<Arc<str>>,
    /// `Tags` has these.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<Arc<str>, Arc<str>>,
}

/// How a row is shared. Installations are named `TENANT/NAME`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Split {
    /// By all that had something at that time, each as much as the others.
    Even,
    /// In proportion to weights: members, requests, whatever the host measures.
    Proportional {
        /// The weights; zero or more, not all zero.
        weights: BTreeMap<Arc<str>, Decimal>,
    },
    /// By fixed hundredths; what they leave of a hundred is unallocated.
    Percent {
        /// The hundredths; zero or more, a hundred at most together.
        percent: BTreeMap<Arc<str>, Decimal>,
    },
}

impl Select {
    fn takes(&self, row: &CostRow) -> bool {
        let is = |wanted: &Option<Arc<str>>, there: Option<&str>| {
            wanted.as_deref().is_none_or(|wanted| there == Some(wanted))
        };
        is(&self.service, row.service.as_deref())
            && is(&self.resource_type, row.resource_type.as_deref())
            && is(&self.category, Some(row.category.as_str()))
            && (self.resources.is_empty() || row.resource_id.as_ref().is_some_and(|id| self.resources.contains(id)))
            && self.tags.iter().all(|(key, value)| row.tags.get(key) == Some(value))
    }
}

/// Who bears a part, and at which instance.
type Share<'a> = (Option<&'a Owner>, Option<&'a Holding>, i128);

/// What rows of a bill are held against.
pub(super) struct Owners<'a> {
    by_id: BTreeMap<&'a str, Vec<&'a Holding>>,
    by_tag: BTreeMap<&'a str, (&'a Owner, Vec<&'a Holding>)>,
    by_name: BTreeMap<String, &'a Owner>,
    holdings: &'a [Holding],
    rules: &'a [SharedCost],
}

impl<'a> Owners<'a> {
    /// Collects who owns what, and checks the rules.
    pub(super) fn new(
        owners: &'a BTreeMap<Arc<str>, Owner>,
        holdings: &'a [Holding],
        rules: &'a [SharedCost],
    ) -> Result<Self, Error> {
        let mut by_id: BTreeMap<&str, Vec<&Holding>> = BTreeMap::new();
        for holding in holdings {
            if let Some(id) = &holding.remote_id {
                by_id.entry(id).or_default().push(holding);
            }
        }
        // Equal ones share alike, in whatever order they came.
        by_id.values_mut().for_each(|list| {
            list.sort();
            list.dedup();
        });
        let by_name = owners.values().map(|owner| (format!("{}/{}", owner.tenant, owner.application), owner)).collect();
        let mut by_tag: BTreeMap<&str, (&Owner, Vec<&Holding>)> =
            owners.iter().map(|(tag, owner)| (&**tag, (owner, Vec::new()))).collect();
        for holding in holdings {
            if let Some((_, list)) = by_tag.get_mut(&*holding.app_id) {
                list.push(holding);
            }
        }
        let this = Self { by_id, by_tag, by_name, holdings, rules };
        let problems = this.problems();
        if problems.is_empty() { Ok(this) } else { Err(Error::Shared { problems }) }
    }

    fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let mut seen = BTreeSet::new();
        for SharedCost { rule, split, .. } in self.rules {
            let mut say = |problem: String| problems.push(format!("`{rule}`: {problem}"));
            if !seen.insert(rule) {
                say("there are two rules of this name".to_owned());
            }
            let (parts, is_percent) = match split {
                Split::Even => continue,
                Split::Proportional { weights } => (weights, false),
                Split::Percent { percent } => (percent, true),
            };
            for (name, part) in parts {
                if !self.by_name.contains_key(&**name) {
                    say(format!("there is no installation `{name}`"));
                }
                if part.is_negative() {
                    say(format!("the part of `{name}` is below zero"));
                }
            }
            let sum = parts.values().try_fold(Decimal::ZERO, |sum, part| sum.plus(*part));
            match sum {
                Err(error) => say(error.to_string()),
                Ok(sum) if is_percent && sum > Decimal::whole(100) => {
                    say(format!("{sum} hundredths are more than all"));
                }
                Ok(sum) if !is_percent && sum.is_zero() => say("nobody bears anything of it".to_owned()),
                Ok(_) => {}
            }
        }
        problems
    }

    /// Says whose a row is; as many rows as bear a part of it. Their sums are the row.
    pub(super) fn attribute(&self, bill: &BillRow, into: &mut Vec<CostRow>) -> Result<(), Error> {
        let row = &bill.row;
        let (shares, attribution) = self.shares(row);
        let weights: Vec<i128> = shares.iter().map(|(.., weight)| *weight).collect();
        let costs = row.costs.unwrap_or_default();
        let digits = row.currency.as_ref().map_or(decimal::SCALE, |currency| currency.minor_digits());
        let parts = |amount: Decimal, digits: u32| part(amount, digits, &weights);
        let billed = parts(costs.billed, digits)?;
        let effective = parts(costs.effective, digits)?;
        let list = parts(costs.list, digits)?;
        let contracted = parts(costs.contracted, digits)?;
        let quantity = row.quantity.map(|quantity| parts(quantity, decimal::SCALE)).transpose()?;
        let costs = billed.into_iter().zip(effective).zip(list).zip(contracted);
        for (idx, ((((billed, effective), list), contracted), (owner, holding, weight))) in
            costs.zip(&shares).enumerate()
        {
            if *weight == 0 {
                continue;
            }
            into.push(CostRow {
                owner: owner.map(Clone::clone),
                address: holding.map(|holding| Arc::clone(&holding.address)),
                costs: Some(Costs { billed, effective, list, contracted }),
                quantity: quantity.as_ref().and_then(|parts| parts.get(idx).copied()),
                attribution: if owner.is_none() { Attribution::Unallocated } else { attribution.clone() },
                ..row.clone()
            });
        }
        Ok(())
    }

    fn shares(&self, row: &CostRow) -> (Vec<Share<'a>>, Attribution) {
        let owners = row.resource_id.as_ref().and_then(|id| self.by_id.get(&**id));
        let shares: Vec<Share<'_>> = owners
            .into_iter()
            .flatten()
            .map(|holding| (Some(&holding.owner), Some(*holding), common(holding, row.charged)))
            .filter(|(.., common)| *common > 0)
            .collect();
        if !shares.is_empty() {
            return (shares, Attribution::Resource);
        }
        if let Some((owner, holdings)) = row.tags.get(TAG).and_then(|tag| self.by_tag.get(&**tag)) {
            // It goes along when an installation is handed over; then who had something at that time bears it.
            let mut had: BTreeMap<&Owner, i128> = BTreeMap::new();
            for holding in holdings {
                let longest = had.entry(&holding.owner).or_default();
                *longest = common(holding, row.charged).max(*longest);
            }
            had.retain(|_, longest| *longest > 0);
            let mut shares: Vec<Share<'_>> =
                had.into_iter().map(|(owner, longest)| (Some(owner), None, longest)).collect();
            if shares.is_empty() {
                shares.push((Some(owner), None, 1));
            }
            return (shares, Attribution::Tag);
        }
        if let Some(rule) = self.rules.iter().find(|rule| rule.of.takes(row)) {
            let shares = self.shared(rule, row);
            if !shares.is_empty() {
                return (shares, Attribution::Shared { rule: Arc::clone(&rule.rule) });
            }
        }
        (vec![(None, None, 1)], Attribution::Unallocated)
    }

    fn shared(&self, rule: &SharedCost, row: &CostRow) -> Vec<Share<'a>> {
        let billionths = |part: &Decimal| part.quanta(decimal::SCALE).unwrap_or_default();
        let named = |parts: &BTreeMap<Arc<str>, Decimal>| -> Vec<Share<'a>> {
            let owner = |name: &Arc<str>| self.by_name.get(&**name).copied();
            parts.iter().map(|(name, part)| (owner(name), None, billionths(part))).collect()
        };
        match &rule.split {
            Split::Even => {
                let there = self.holdings.iter().filter(|holding| common(holding, row.charged) > 0);
                let owners: BTreeSet<&Owner> = there.map(|holding| &holding.owner).collect();
                owners.into_iter().map(|owner| (Some(owner), None, 1)).collect()
            }
            Split::Proportional { weights } => named(weights),
            Split::Percent { percent } => {
                let mut shares = named(percent);
                let given: i128 = shares.iter().map(|(.., part)| part).sum();
                shares.push((None, None, billionths(&Decimal::whole(100)) - given));
                shares
            }
        }
    }
}

/// Returns how long an object was there during a window.
fn common(holding: &Holding, window: Window) -> i128 {
    let there = Window { from: holding.from, until: holding.until.unwrap_or(Timestamp(u64::MAX)) };
    there.overlap(window).map_or(0, |common| i128::from(common.until.0 - common.from.0))
}

/// Splits an amount, to as many digits as it has, and to the smallest unit at least.
fn part(amount: Decimal, digits: u32, weights: &[i128]) -> Result<Vec<Decimal>, Error> {
    let found = (digits..=decimal::SCALE).find_map(|digits| amount.quanta(digits).map(|count| (digits, count)));
    let (digits, count) = found.ok_or(Error::Overflow)?;
    let total = i128::try_from(count.unsigned_abs()).map_err(|_| Error::Overflow)?;
    let parts = decimal::split(total, weights).ok_or(Error::Overflow)?;
    parts.into_iter().map(|part| Decimal::of_quanta(part * count.signum(), digits)).collect()
}
