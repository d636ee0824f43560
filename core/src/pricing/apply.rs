//! Bundle rules, applied.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde::{Deserialize, Serialize};

use super::{
    Bucket, Bundle, Buyer, Currency, Decimal, Effect, Error, Line, LineChange, Money, Requirement, decimal::split,
};
use crate::event::Timestamp;

/// What came of a bundle rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Verdict {
    /// It applies.
    Applied {
        /// The rule.
        rule: Arc<str>,
        /// Why it costs less, for people.
        reason: Arc<str>,
        /// What came off, by bucket and currency; none is zero.
        amounts: Vec<(Bucket, Money)>,
    },
    /// It does not apply.
    Skipped {
        /// The rule.
        rule: Arc<str>,
        /// Why not, for people.
        why: Arc<str>,
    },
}

/// Applies rules to lines, which must be sorted by key: that is what ties are broken by.
pub(super) fn apply(lines: &mut [Line], rules: &[Bundle], buyer: &Buyer, at: Timestamp) -> Result<Vec<Verdict>, Error> {
    let mut sorted: Vec<&Bundle> = rules.iter().collect();
    sorted.sort_by(|a, b| b.priority.cmp(&a.priority).then_with(|| a.id.cmp(&b.id)));
    let mut seen = BTreeSet::new();
    for rule in &sorted {
        rule.check()?;
        if !seen.insert(&rule.id) {
            return Err(Error::Rule { rule: rule.id.to_string(), problem: "is there twice".to_owned() });
        }
    }
    let mut taken: BTreeMap<&Arc<str>, &Arc<str>> = BTreeMap::new();
    let mut verdicts = Vec::with_capacity(sorted.len());
    for rule in sorted {
        let skip = |why: String| Verdict::Skipped { rule: Arc::clone(&rule.id), why: why.into() };
        let holder = rule.exclusive.as_ref().and_then(|group| taken.get(group).copied());
        verdicts.push(match (rule.not_for(buyer, at), holder, unmet(&rule.requires, lines)) {
            (Some(why), _, _) => skip(why.to_owned()),
            (None, Some(holder), _) => skip(format!("`{holder}` applies in its place")),
            (None, None, Some(why)) => skip(why),
            (None, None, None) => match apply_one(rule, lines)? {
                Ok(amounts) => {
                    if let Some(group) = &rule.exclusive {
                        taken.insert(group, &rule.id);
                    }
                    let reason = Arc::clone(&rule.reason);
                    Verdict::Applied { rule: Arc::clone(&rule.id), reason, amounts }
                }
                Err(why) => skip(why.to_owned()),
            },
        });
    }
    Ok(verdicts)
}

/// Returns which requirement is not met, if one is not. What goes does not count.
fn unmet(requires: &[Requirement], lines: &[Line]) -> Option<String> {
    requires.iter().find_map(|requirement| {
        let is_there = |line: &&Line| line.change != LineChange::Gone && requirement.select.matches(line);
        let count = lines.iter().filter(is_there).map(|line| &line.address).collect::<BTreeSet<_>>().len();
        let wanted = requirement.at_least as usize;
        (count < wanted).then(|| format!("{count} of {wanted} instances that it needs are there"))
    })
}

/// Takes off what one rule says; `Err` says why nothing comes off.
fn apply_one(rule: &Bundle, lines: &mut [Line]) -> Result<Result<Vec<(Bucket, Money)>, &'static str>, Error> {
    // What was bought before keeps the price that it was bought at.
    let is_meant = |line: &Line| {
        matches!(line.change, LineChange::New | LineChange::Changed)
            && rule.select.matches(line)
            && match &rule.effect {
                Effect::Percent { .. } => true,
                Effect::Amount { on, .. } | Effect::Fixed { on, .. } => line.charge.bucket() == *on,
            }
    };
    let mut groups: BTreeMap<(Bucket, Currency), Vec<usize>> = BTreeMap::new();
    let mut has_unknown = false;
    for (idx, line) in lines.iter().enumerate().filter(|(_, line)| is_meant(line)) {
        match &line.net {
            Some(net) => groups.entry((line.charge.bucket(), net.currency.clone())).or_default().push(idx),
            None => has_unknown = true,
        }
    }
    match &rule.effect {
        Effect::Fixed { .. } if has_unknown => return Ok(Err("nobody can say what everything costs without it")),
        Effect::Fixed { price: money, .. } | Effect::Amount { amount: money, .. } => {
            groups.retain(|(_, currency), _| *currency == money.currency);
        }
        Effect::Percent { .. } => {}
    }
    let mut amounts = Vec::new();
    for ((bucket, currency), members) in groups {
        let digits = bucket.digits(&currency);
        let nets = members.iter().filter_map(|&idx| lines.get(idx)?.net.as_ref()?.amount.quanta(digits));
        let nets: Vec<i128> = nets.collect();
        let sum = nets.iter().try_fold(0_i128, |sum, net| sum.checked_add(*net)).ok_or(Error::Overflow)?;
        let off = match &rule.effect {
            Effect::Percent { percent } => {
                let whole = Decimal::of_quanta(sum, digits)?;
                whole.times_over(*percent, Decimal::whole(100), digits)?.quanta(digits).unwrap_or_default()
            }
            Effect::Amount { amount, .. } => amount.amount.quanta(digits).unwrap_or_default().min(sum),
            Effect::Fixed { price, .. } => (sum - price.amount.quanta(digits).unwrap_or_default()).max(0),
        };
        let shares = if off > 0 && nets.len() == members.len() { split(off, &nets) } else { None };
        let Some(shares) = shares else { continue };
        for (&idx, share) in members.iter().zip(shares).filter(|(_, share)| *share > 0) {
            let amount = Money::of(Decimal::of_quanta(share, digits)?, &currency);
            if let Some(line) = lines.get_mut(idx) {
                line.take_off(&rule.id, &rule.reason, amount)?;
            }
        }
        amounts.push((bucket, Money::of(Decimal::of_quanta(off, digits)?, &currency)));
    }
    Ok(if amounts.is_empty() { Err("there is nothing that it takes off") } else { Ok(amounts) })
}
