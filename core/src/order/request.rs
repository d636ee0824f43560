use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde::{Deserialize, Serialize};

use crate::{
    error::{Error, ErrorKind, Result},
    plan::{Plan, StepAction},
    pricing::{Bucket, Currency, Decimal, Line, LineChange, Money, Quote, Tolerance},
    state::{ObjectId, RunId},
};

/// What a line of an order is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// An object is made.
    Create,
    /// An object that exists is changed.
    Change,
}

/// A line of an order: one object, with all of its prices.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OrderLine {
    /// The key of the line. For an object that is made, its object id, which is the idempotency key of its create too; for
    /// a change, the object id, a slash, and the run.
    pub key: Arc<str>,
    /// The object.
    pub object_id: ObjectId,
    /// Where it stands.
    pub address: Arc<str>,
    /// Its type.
    pub type_name: Arc<str>,
    /// What it is for.
    pub purpose: Purpose,
    /// Its prices, as they were accepted: with discounts, and with the tokens that the seller wants to be shown.
    pub prices: Vec<Line>,
    /// What of it is to be paid now, once for each currency.
    pub due: Vec<Money>,
}

/// An order that is to be placed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OrderRequest {
    /// The key of the order: the run, for the order of all lines; the object id, for one that is apart.
    pub key: Arc<str>,
    /// Whether it is placed right before its one object is made, and not before everything else.
    pub apart: bool,
    /// Its lines, in order of address.
    pub lines: Vec<OrderLine>,
    /// What is to be paid now, once for each currency. What is charged later (by period, by use) is not in it.
    pub due: Vec<Money>,
    /// The most that may be asked: `due`, and what was agreed to be tolerated.
    pub most: Vec<Money>,
    /// The quote that was accepted.
    pub quote: Arc<str>,
}

impl OrderRequest {
    /// Returns the orders of a plan: one of all lines, and one for each object whose type is ordered apart.
    ///
    /// An object has a line where it is made and has a price, or where a change of it costs something or changes a price.
    /// What nobody can price has none.
    ///
    /// # Errors
    /// `pricing.changed` where the quote is not one of this plan; `pricing.invalid` for sums that are too large.
    ///
    /// # Complexity
    /// O(n log n), n lines and steps.
    pub fn of(
        plan: &Plan,
        quote: &Quote,
        run: RunId,
        tolerance: Tolerance,
        is_apart: impl Fn(&str) -> bool,
    ) -> Result<Vec<Self>> {
        let steps = makers(plan);
        let mut together = Vec::new();
        let mut orders = Vec::new();
        for entry in quote.inventory() {
            if !matches!(entry.change, LineChange::New | LineChange::Changed) || entry.lines.is_empty() {
                continue;
            }
            let Some((object_id, purpose)) = steps.get(entry.address).copied() else {
                let message =
                    format!("the quote is for `{}` too, which the plan does not make or change", entry.address);
                return Err(Error::new(ErrorKind::Conflict, "pricing.changed", message));
            };
            if purpose == Purpose::Change && !costs(&entry.lines, &entry.ending) {
                continue;
            }
            let key = match purpose {
                Purpose::Create => object_id.to_string(),
                Purpose::Change => format!("{object_id}/{run}"),
            };
            let prices: Vec<Line> = entry.lines.iter().map(|line| (*line).clone()).collect();
            let line = OrderLine {
                due: due(&prices)?,
                key: key.into(),
                object_id,
                address: entry.address.into(),
                type_name: entry.type_name.into(),
                purpose,
                prices,
            };
            if is_apart(entry.type_name) {
                let key = Arc::clone(&line.key);
                orders.push(Self::new(key, true, vec![line], &quote.hash, tolerance)?);
            } else {
                together.push(line);
            }
        }
        if !together.is_empty() {
            orders.insert(0, Self::new(run.to_string().into(), false, together, &quote.hash, tolerance)?);
        }
        Ok(orders)
    }

    fn new(key: Arc<str>, apart: bool, lines: Vec<OrderLine>, quote: &Arc<str>, tolerance: Tolerance) -> Result<Self> {
        let due = sum(lines.iter().flat_map(|line| &line.due))?;
        let hundred = Decimal::whole(100);
        let factor = hundred.plus(tolerance.percent)?;
        let most = due.iter().map(|money| {
            let digits = money.currency.minor_digits();
            Ok(Money::of(money.amount.times_over(factor, hundred, digits)?, &money.currency))
        });
        Ok(Self { key, apart, most: most.collect::<Result<_>>()?, due, lines, quote: Arc::clone(quote) })
    }

    /// Returns why a seller's price cannot be paid: it asks for more than was agreed to.
    pub(super) fn too_much(&self, asked: &[Money]) -> Option<String> {
        let limit = |currency: &Currency| self.most.iter().find(|money| money.currency == *currency);
        let more = asked.iter().find(|money| match limit(&money.currency) {
            Some(limit) => money.amount > limit.amount,
            None => money.amount > Decimal::ZERO,
        })?;
        let accepted = self.due.iter().find(|money| money.currency == more.currency);
        let accepted = accepted.map_or_else(|| format!("nothing in {}", more.currency.as_str()), ToString::to_string);
        Some(format!("the seller asks for {more}; {accepted} was accepted"))
    }
}

/// Returns for each address the object that the plan makes or changes there.
fn makers(plan: &Plan) -> BTreeMap<String, (ObjectId, Purpose)> {
    let steps = plan.steps.iter().filter_map(|step| {
        let purpose = match step.action {
            StepAction::Create => Purpose::Create,
            StepAction::Update => Purpose::Change,
            _ => return None,
        };
        Some((step.address.to_string(), (step.object_id?, purpose)))
    });
    steps.collect()
}

/// Returns whether a change costs something now, or another price from then on.
fn costs(lines: &[&Line], ending: &[&Line]) -> bool {
    let price = |line: &Line| (Arc::clone(&line.component), line.charge.clone(), line.net.clone());
    let is_paid_now = |line: &&Line| {
        line.charge.bucket() == Bucket::Once && line.net.as_ref().is_some_and(|net| !net.amount.is_zero())
    };
    let later = |lines: &[&Line]| -> Vec<_> {
        lines.iter().filter(|line| line.charge.bucket() != Bucket::Once).map(|line| price(line)).collect()
    };
    lines.iter().any(is_paid_now) || later(lines) != later(ending)
}

/// Returns what of some prices is paid now.
fn due(prices: &[Line]) -> Result<Vec<Money>> {
    sum(prices.iter().filter(|line| line.charge.bucket() == Bucket::Once).filter_map(|line| line.net.as_ref()))
}

/// Adds up by currency, in order of currency; what comes to nothing is left out.
fn sum<'a>(amounts: impl Iterator<Item = &'a Money>) -> Result<Vec<Money>> {
    let mut sums: BTreeMap<Currency, Money> = BTreeMap::new();
    for amount in amounts {
        let total = sums.entry(amount.currency.clone()).or_insert_with(|| Money::zero(&amount.currency));
        *total = total.plus(amount)?;
    }
    Ok(sums.into_values().filter(|money| !money.amount.is_zero()).collect())
}

/// Refuses a fresh quote that is for other things than the one that was accepted.
///
/// # Errors
/// `pricing.changed`.
pub(crate) fn same_things(accepted: &Quote, fresh: &Quote) -> Result<()> {
    let things = |quote: &Quote| -> BTreeSet<(Arc<str>, Arc<str>)> {
        let bought = quote.lines.iter().filter(|line| matches!(line.change, LineChange::New | LineChange::Changed));
        bought.map(|line| (Arc::clone(&line.address), Arc::clone(&line.component))).collect()
    };
    let (accepted, fresh) = (things(accepted), things(fresh));
    match accepted.symmetric_difference(&fresh).next() {
        None => Ok(()),
        Some((address, component)) => {
            let message =
                format!("`{component}` of `{address}` is only in one of what was accepted and what is asked now");
            Err(Error::new(ErrorKind::Conflict, "pricing.changed", message))
        }
    }
}
