use std::{collections::BTreeMap, fmt::Write as _, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{
    Bucket, Bundle, Buyer, Charge, Confidence, Currency, Decimal, Discount, Error, Line, LineChange, Money, Price,
    Prices, Verdict, apply::apply,
};
use crate::event::Timestamp;

/// The version of what [`Quote`] serialises as.
const VERSION: u32 = 1;

/// What is to be quoted.
#[derive(Clone, Debug, Default)]
pub struct Basket {
    /// Everything that the installation will have, and what it had and loses. In any order.
    pub items: Vec<Item>,
    /// The bundle rules. In any order.
    pub rules: Vec<Bundle>,
    /// Who buys.
    pub buyer: Buyer,
    /// Now.
    pub at: Timestamp,
    /// How long the quote is good, unless a price or rule ends before.
    pub good_for: Duration,
    /// The lines of what was accepted before, for what was bought then: what stays keeps its price, and refunds go by what
    /// was paid.
    pub prior: Vec<Line>,
}

/// One instance of a basket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// The instance; each once.
    pub address: Arc<str>,
    /// Its type.
    pub type_name: Arc<str>,
    /// What becomes of it.
    pub change: LineChange,
    /// What it costs from now on, what is paid once for the change included; nothing for what goes.
    pub after: Prices,
    /// What it costs until now; nothing for what is new. Amounts that were paid once do not count.
    pub before: Prices,
    /// What comes back: amounts paid once.
    pub refund: Prices,
}

/// What an installation, or a change of one, costs.
///
/// What nobody can say is in [`unpriced`](Self::unpriced), and in no total: it is not zero.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quote {
    /// The version of this shape.
    pub version: u32,
    /// What everything costs from now on, ordered by address and component.
    pub lines: Vec<Line>,
    /// What that which changes or goes costs until now, in the same order.
    pub ending: Vec<Line>,
    /// What comes back, in the same order.
    pub refunds: Vec<Line>,
    /// Sums of lines, by bucket and currency, in that order.
    pub totals: Vec<Total>,
    /// What nobody can say, ordered by address.
    pub unpriced: Vec<Unpriced>,
    /// What came of each bundle rule, in the order in which they were looked at.
    pub bundles: Vec<Verdict>,
    /// When it was made.
    pub at: Timestamp,
    /// When it ends, that moment not included.
    pub expires_at: Timestamp,
    /// A hash of everything but the times: 64 hexadecimal digits. Two quotes with the same hash ask the same.
    pub hash: Arc<str>,
}

/// The sum of the lines of one bucket and currency.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Total {
    /// What is added up.
    pub bucket: Bucket,
    /// In which currency.
    pub currency: Currency,
    /// Before discounts.
    pub list: Decimal,
    /// What comes off.
    pub discount: Decimal,
    /// What is to be paid: `list - discount`.
    pub net: Decimal,
    /// What was paid until now; zero for what is paid once.
    pub before: Decimal,
    /// How much more it is than until now: `net - before`. Below zero where it is less.
    pub delta: Decimal,
    /// What comes back.
    pub refund: Decimal,
    /// Whether some of it is no firm price.
    pub is_estimate: bool,
}

/// Something whose price nobody can say.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unpriced {
    /// The instance.
    pub address: Arc<str>,
    /// Its type.
    pub type_name: Arc<str>,
    /// What becomes of it.
    pub change: LineChange,
    /// What of it; `None` where nothing is known of any of its prices.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub component: Option<Arc<str>>,
    /// Why, for people.
    pub reason: Arc<str>,
}

impl Quote {
    /// Makes a quote of a basket: checks prices, applies rules, adds up.
    ///
    /// The same basket gives the same quote, in whatever order its items and rules are.
    ///
    /// # Errors
    /// [`Error`]: prices or rules that cannot be.
    ///
    /// # Complexity
    /// O(rules · lines · log lines).
    pub fn of(basket: Basket) -> Result<Self, Error> {
        let mut unpriced = Vec::new();
        let (mut lines, mut ending, mut refunds) = (Vec::new(), Vec::new(), Vec::new());
        let prior: Prior<'_> = basket.prior.iter().map(|line| (prior_key(line), line)).collect();
        for item in basket.items {
            let Item { address, type_name, change, after, before, refund } = item;
            let open = |prices: Prices, into: &mut Vec<Line>, unpriced: &mut Vec<Unpriced>| {
                open(&address, &type_name, change, prices, into, unpriced)
            };
            let first = (lines.len(), ending.len(), refunds.len());
            open(after, &mut lines, &mut unpriced)?;
            open(without_once(before), &mut ending, &mut unpriced)?;
            open(refund, &mut refunds, &mut unpriced)?;
            if change == LineChange::Kept {
                lines.iter_mut().skip(first.0).for_each(|line| as_bought(line, &prior));
            }
            ending.iter_mut().skip(first.1).for_each(|line| as_bought(line, &prior));
            for line in refunds.iter_mut().skip(first.2) {
                as_paid(line, &prior)?;
            }
        }
        for list in [&mut lines, &mut ending, &mut refunds] {
            list.sort_by(|a, b| a.key().cmp(&b.key()));
            if let Some([_, twice]) = list.windows(2).find(|pair| matches!(pair, [a, b] if a.key() == b.key())) {
                return Err(Error::Line {
                    address: twice.address.to_string(),
                    component: twice.component.to_string(),
                    problem: "is there twice".to_owned(),
                });
            }
        }
        let bundles = apply(&mut lines, &basket.rules, &basket.buyer, basket.at)?;
        unpriced.sort();
        unpriced.dedup();
        let totals = totals(&lines, &ending, &refunds)?;
        let applied = |rule: &&Bundle| {
            bundles.iter().any(|verdict| matches!(verdict, Verdict::Applied { rule: id, .. } if *id == rule.id))
        };
        let ends = basket.rules.iter().filter(applied).filter_map(|rule| rule.until);
        let firm = lines.iter().chain(&refunds).filter_map(|line| match &line.confidence {
            Confidence::Firm { until, .. } => *until,
            _ => None,
        });
        let expires_at = ends.chain(firm).fold(basket.at.plus(basket.good_for), std::cmp::min);
        let hash = hash(&(VERSION, bare(&lines), bare(&ending), bare(&refunds), &totals, &unpriced, &bundles));
        let at = basket.at;
        Ok(Self { version: VERSION, lines, ending, refunds, totals, unpriced, bundles, at, expires_at, hash })
    }

    /// Returns whether everything has a price.
    pub fn is_complete(&self) -> bool {
        self.unpriced.is_empty()
    }

    /// Returns the total of a bucket and currency.
    pub fn total(&self, bucket: Bucket, currency: &Currency) -> Option<&Total> {
        self.totals.iter().find(|total| total.bucket == bucket && total.currency == *currency)
    }
}

/// Makes lines of prices; of what nobody can say, a note.
fn open(
    address: &Arc<str>,
    type_name: &Arc<str>,
    change: LineChange,
    prices: Prices,
    into: &mut Vec<Line>,
    unpriced: &mut Vec<Unpriced>,
) -> Result<(), Error> {
    let mut note = |component: Option<&Arc<str>>, reason: &Arc<str>| {
        unpriced.push(Unpriced {
            address: Arc::clone(address),
            type_name: Arc::clone(type_name),
            change,
            component: component.cloned(),
            reason: Arc::clone(reason),
        });
    };
    match prices {
        Prices::Free => {}
        Prices::Unknown { reason } => note(None, &reason),
        Prices::Known(prices) => {
            for price in prices {
                let line = Line::new(address, type_name, change, price)?;
                match (&line.confidence, &line.charge) {
                    (Confidence::Unknown { reason }, _) => note(Some(&line.component), reason),
                    (_, Charge::Usage(usage)) if line.list.is_none() => {
                        let reason = format!("nobody knows how much of `{}` will be used", usage.meter);
                        note(Some(&line.component), &reason.into());
                    }
                    _ => {}
                }
                into.push(line);
            }
        }
    }
    Ok(())
}

/// Drops what was paid once: that is paid.
fn without_once(prices: Prices) -> Prices {
    match prices {
        Prices::Known(list) => {
            Prices::Known(list.into_iter().filter(|price: &Price| price.charge != Charge::Once).collect())
        }
        other => other,
    }
}

/// Lines that were accepted before, by address, component, bucket and meter.
type Prior<'a> = BTreeMap<(String, String, Bucket, String), &'a Line>;

fn prior_key(line: &Line) -> (String, String, Bucket, String) {
    let (address, component, bucket, meter) = line.key();
    (address.to_owned(), component.to_owned(), bucket, meter.to_owned())
}

/// Gives a line the discounts that it was bought with, as long as its list price is the same.
fn as_bought(line: &mut Line, prior: &Prior<'_>) {
    if let Some(bought) = prior.get(&prior_key(line)).filter(|bought| bought.list == line.list) {
        line.discounts = bought.discounts.clone();
        line.net = bought.net.clone();
    }
}

/// Brings a refund in proportion to what was paid.
fn as_paid(line: &mut Line, prior: &Prior<'_>) -> Result<(), Error> {
    let Some(paid) = prior.get(&prior_key(line)) else { return Ok(()) };
    let (Some(refund), Some(list), Some(net)) = (&line.list, &paid.list, &paid.net) else { return Ok(()) };
    if list.amount.is_zero() || list.currency != refund.currency || net >= list {
        return Ok(());
    }
    let digits = line.charge.bucket().digits(&refund.currency);
    let due = refund.amount.times_over(net.amount, list.amount, digits)?;
    let less = Money::of(refund.amount.minus(due)?, &refund.currency);
    if !less.amount.is_zero() && !less.amount.is_negative() {
        let reason = Arc::from("not more than what was paid");
        line.net = Some(Money::of(due, &refund.currency));
        line.discounts.push(Discount { rule: Arc::from("paid"), reason, amount: less });
    }
    Ok(())
}

fn totals(lines: &[Line], ending: &[Line], refunds: &[Line]) -> Result<Vec<Total>, Error> {
    let mut totals: BTreeMap<(Bucket, Currency), Total> = BTreeMap::new();
    let mut add = |line: &Line, how: &dyn Fn(&mut Total, Decimal, Decimal) -> Result<(), Error>| {
        let (Some(list), Some(net)) = (&line.list, &line.net) else { return Ok(()) };
        let bucket = line.charge.bucket();
        let total = totals.entry((bucket, net.currency.clone())).or_insert_with(|| Total {
            bucket,
            currency: net.currency.clone(),
            list: Decimal::ZERO,
            discount: Decimal::ZERO,
            net: Decimal::ZERO,
            before: Decimal::ZERO,
            delta: Decimal::ZERO,
            refund: Decimal::ZERO,
            is_estimate: false,
        });
        total.is_estimate |= !matches!(line.confidence, Confidence::Firm { .. });
        how(total, list.amount, net.amount)
    };
    for line in lines {
        add(line, &|total, list, net| {
            total.list = total.list.plus(list)?;
            total.net = total.net.plus(net)?;
            // What stays costs what it did.
            if line.change == LineChange::Kept {
                total.before = total.before.plus(net)?;
            }
            Ok(())
        })?;
    }
    for line in ending.iter().filter(|line| line.change != LineChange::Kept) {
        add(line, &|total, _, net| {
            total.before = total.before.plus(net)?;
            Ok(())
        })?;
    }
    for line in refunds {
        add(line, &|total, _, net| {
            total.refund = total.refund.plus(net)?;
            Ok(())
        })?;
    }
    let mut totals: Vec<Total> = totals.into_values().collect();
    for total in &mut totals {
        total.discount = total.list.minus(total.net)?;
        total.delta = total.net.minus(total.before)?;
    }
    Ok(totals)
}

/// Returns lines without what is about time alone.
fn bare(lines: &[Line]) -> Vec<Line> {
    let mut lines = lines.to_vec();
    for line in &mut lines {
        if let Confidence::Firm { until, token } = &mut line.confidence {
            (*until, *token) = (None, None);
        }
    }
    lines
}

fn hash(what: &impl Serialize) -> Arc<str> {
    // Nothing in it can fail to be written.
    let bytes = serde_json::to_vec(what).unwrap_or_default();
    let mut text = String::with_capacity(64);
    for byte in Sha256::digest(bytes) {
        let _ = write!(text, "{byte:02x}");
    }
    text.into()
}

/// One instance of an inventory.
#[derive(Clone, Debug)]
pub struct Entry<'a> {
    /// The instance.
    pub address: &'a str,
    /// Its type.
    pub type_name: &'a str,
    /// What becomes of it.
    pub change: LineChange,
    /// What it costs from now on.
    pub lines: Vec<&'a Line>,
    /// What it costs until now.
    pub ending: Vec<&'a Line>,
    /// What comes back for it.
    pub refunds: Vec<&'a Line>,
    /// What nobody can say of it.
    pub unpriced: Vec<&'a Unpriced>,
}

impl Quote {
    /// Returns what is priced, or should be, instance by instance in order of address. What is free is not among it.
    pub fn inventory(&self) -> Vec<Entry<'_>> {
        /// Returns the entry of an instance.
        fn entry<'e, 'q>(
            entries: &'e mut BTreeMap<&'q str, Entry<'q>>,
            address: &'q str,
            type_name: &'q str,
            change: LineChange,
        ) -> &'e mut Entry<'q> {
            let empty = || Entry {
                address,
                type_name,
                change,
                lines: Vec::new(),
                ending: Vec::new(),
                refunds: Vec::new(),
                unpriced: Vec::new(),
            };
            entries.entry(address).or_insert_with(empty)
        }
        let mut entries: BTreeMap<&str, Entry<'_>> = BTreeMap::new();
        for line in &self.lines {
            entry(&mut entries, &line.address, &line.type_name, line.change).lines.push(line);
        }
        for line in &self.ending {
            entry(&mut entries, &line.address, &line.type_name, line.change).ending.push(line);
        }
        for line in &self.refunds {
            entry(&mut entries, &line.address, &line.type_name, line.change).refunds.push(line);
        }
        for one in &self.unpriced {
            entry(&mut entries, &one.address, &one.type_name, one.change).unpriced.push(one);
        }
        entries.into_values().collect()
    }
}
