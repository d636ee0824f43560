use std::{collections::BTreeMap, sync::Arc};

use super::{BillRow, CostRow, Costs, Holding, Owner, Posting, SharedCost, Window, attribute::Owners};
use crate::{
    event::Timestamp,
    pricing::{Currency, Decimal, Error},
};

/// What a report is made of.
#[derive(Clone, Debug)]
pub struct CostInput {
    /// The period.
    pub window: Window,
    /// Now: nothing is estimated beyond.
    pub now: Timestamp,
    /// What costs, in any order.
    pub postings: Vec<Posting>,
    /// What there is and was, in any order; a bill is held against it.
    pub holdings: Vec<Holding>,
    /// The installations, by what they are called in tags.
    pub owners: BTreeMap<Arc<str>, Owner>,
    /// The rows of a bill, in any order; `None` where there is no bill.
    pub bill: Option<Vec<BillRow>>,
    /// Rules for what is nobody's alone. The first that takes a row says who bears it.
    pub shared: Vec<SharedCost>,
}

/// By what rows are added up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum CostBy {
    /// By tenant.
    Tenant,
    /// By installation.
    #[default]
    Application,
    /// By instance in the template.
    Resource,
}

/// What rows have in common that are added up. All `None`: nobody's.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct CostKey {
    /// The tenant.
    pub tenant: Option<Arc<str>>,
    /// The installation's name.
    pub application: Option<Arc<str>>,
    /// The instance; `None` also for what an installation bears and no instance of it.
    pub address: Option<Arc<str>>,
}

impl CostKey {
    /// Returns whether it is what is nobody's.
    pub fn is_unallocated(&self) -> bool {
        self.tenant.is_none()
    }
}

/// A sum in one currency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CostTotal {
    /// The currency.
    pub currency: Currency,
    /// The sums.
    pub costs: Costs,
}

/// Rows, added up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CostGroup {
    /// What they have in common.
    pub key: CostKey,
    /// Sums by currency, in order of its code. Amounts in different currencies are never added.
    pub totals: Vec<CostTotal>,
    /// How many rows have a cost that nobody knows, and which is in no sum.
    pub unknown_count: usize,
}

/// What was estimated for an instance, and what was billed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reconciled {
    /// The instance; or what an installation bears, or nobody.
    pub key: CostKey,
    /// The currency.
    pub currency: Currency,
    /// What was estimated; `None` where nothing of it is known.
    pub estimated: Option<Decimal>,
    /// Whether there is something in it that nobody could estimate.
    pub is_partial: bool,
    /// What was billed.
    pub billed: Decimal,
    /// How much more was billed than estimated, less than zero where it is less; `None` where nothing was estimated, or not all.
    pub difference: Option<Decimal>,
}

/// What installations cost in a period.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CostReport {
    /// The period.
    pub window: Window,
    estimate: Vec<CostRow>,
    billed: Option<Vec<CostRow>>,
}

impl CostReport {
    /// Makes a report.
    ///
    /// Of a bill, the rows count whose charge period begins in the window.
    ///
    /// # Errors
    /// [`Error::Shared`] with everything that is wrong with rules; [`Error::Overflow`].
    ///
    /// # Complexity
    /// O((postings · months + rows of the bill · who shares them) · log).
    pub fn of(input: CostInput) -> Result<Self, Error> {
        let CostInput { window, now, postings, holdings, owners, bill, shared } = input;
        let mut estimate = Vec::new();
        for posting in &postings {
            posting.rows(window, now, &mut estimate)?;
        }
        let found = Owners::new(&owners, &holdings, &shared)?;
        let billed = bill.map(|bill| {
            let mut rows = Vec::with_capacity(bill.len());
            for row in bill.iter().filter(|row| window.has(row.charged().from)) {
                found.attribute(row, &mut rows)?;
            }
            rows.sort();
            Ok::<_, Error>(rows)
        });
        estimate.sort();
        Ok(Self { window, estimate, billed: billed.transpose()? })
    }

    /// Returns what was billed, where there is a bill; else what is estimated. Ordered by owner, instance, component and time.
    pub fn rows(&self) -> &[CostRow] {
        self.billed.as_deref().unwrap_or(&self.estimate)
    }

    /// Returns what is estimated, whether there is a bill or not, in the same order.
    pub fn estimate(&self) -> &[CostRow] {
        &self.estimate
    }

    /// Returns whether there is a bill.
    pub fn has_bill(&self) -> bool {
        self.billed.is_some()
    }

    /// Returns all [`rows`](Self::rows), added up.
    ///
    /// # Errors
    /// [`Error::Overflow`].
    pub fn total(&self) -> Result<CostGroup, Error> {
        Ok(add_up(self.rows(), |_| CostKey::default())?.pop().unwrap_or_default())
    }

    /// Returns the [`rows`](Self::rows), added up by what they have in common, in that order; what is unallocated is last, and always
    /// there, also where it is nothing.
    ///
    /// # Errors
    /// [`Error::Overflow`].
    pub fn groups(&self, by: CostBy) -> Result<Vec<CostGroup>, Error> {
        let mut groups = add_up(self.rows(), |row| key(row, by))?;
        let (mut nobody, mut groups): (Vec<_>, Vec<_>) = groups.drain(..).partition(|group| group.key.is_unallocated());
        let mut unallocated = nobody.pop().unwrap_or_default();
        // Nothing of every currency that there is.
        for CostTotal { currency, .. } in self.total()?.totals {
            if !unallocated.totals.iter().any(|total| total.currency == currency) {
                unallocated.totals.push(CostTotal { currency, costs: Costs::default() });
            }
        }
        unallocated.totals.sort_by(|a, b| a.currency.cmp(&b.currency));
        groups.push(unallocated);
        Ok(groups)
    }

    /// Holds the bill against the estimate, instance by instance; nothing where there is no bill. What is unallocated is last.
    ///
    /// # Errors
    /// [`Error::Overflow`].
    pub fn reconciled(&self) -> Result<Vec<Reconciled>, Error> {
        self.reconciled_by(CostBy::Resource)
    }

    /// The same, by something else.
    ///
    /// # Errors
    /// [`Error::Overflow`].
    pub fn reconciled_by(&self, by: CostBy) -> Result<Vec<Reconciled>, Error> {
        let Some(billed) = &self.billed else { return Ok(Vec::new()) };
        let mut found: BTreeMap<(bool, CostKey, Currency), Reconciled> = BTreeMap::new();
        let estimates = add_up(&self.estimate, |row| key(row, by))?;
        let bills = add_up(billed, |row| key(row, by))?;
        let unknown: BTreeMap<&CostKey, usize> =
            estimates.iter().map(|group| (&group.key, group.unknown_count)).collect();
        let each = |groups: &[CostGroup]| {
            let sums = groups.iter().flat_map(|group| {
                group.totals.iter().map(|total| (group.key.clone(), total.currency.clone(), total.costs.billed))
            });
            sums.collect::<Vec<_>>()
        };
        let entry = |key: CostKey, currency: Currency| Reconciled {
            is_partial: unknown.get(&key).is_some_and(|count| *count > 0),
            key,
            currency,
            estimated: None,
            billed: Decimal::ZERO,
            difference: None,
        };
        let at = |key: &CostKey, currency: &Currency| (key.is_unallocated(), key.clone(), currency.clone());
        for (key, currency, sum) in each(&estimates) {
            found.entry(at(&key, &currency)).or_insert_with(|| entry(key, currency)).estimated = Some(sum);
        }
        for (key, currency, sum) in each(&bills) {
            found.entry(at(&key, &currency)).or_insert_with(|| entry(key, currency)).billed = sum;
        }
        let mut found: Vec<Reconciled> = found.into_values().collect();
        for one in found.iter_mut().filter(|one| !one.is_partial) {
            one.difference = one.estimated.map(|estimated| one.billed.minus(estimated)).transpose()?;
        }
        Ok(found)
    }
}

fn key(row: &CostRow, by: CostBy) -> CostKey {
    let Some(owner) = &row.owner else { return CostKey::default() };
    let tenant = Some(Arc::clone(&owner.tenant));
    let application = (by != CostBy::Tenant).then(|| Arc::clone(&owner.application));
    let address = row.address.clone().filter(|_| by == CostBy::Resource);
    CostKey { tenant, application, address }
}

fn add_up(rows: &[CostRow], key: impl Fn(&CostRow) -> CostKey) -> Result<Vec<CostGroup>, Error> {
    let mut groups: BTreeMap<CostKey, (BTreeMap<Currency, Costs>, usize)> = BTreeMap::new();
    for row in rows {
        let (totals, unknown_count) = groups.entry(key(row)).or_default();
        match (&row.costs, &row.currency) {
            (Some(costs), Some(currency)) => {
                let sum = totals.entry(currency.clone()).or_default();
                *sum = sum.plus(costs)?;
            }
            _ => *unknown_count += 1,
        }
    }
    let group = |(key, (totals, unknown_count)): (CostKey, (BTreeMap<Currency, Costs>, usize))| {
        let totals = totals.into_iter().map(|(currency, costs)| CostTotal { currency, costs }).collect();
        CostGroup { key, totals, unknown_count }
    };
    Ok(groups.into_iter().map(group).collect())
}
