//! What holds of every quote, on random ones.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use proptest::prelude::*;

use super::*;
use crate::event::Timestamp;

const CURRENCIES: [&str; 3] = ["CNY", "USD", "JPY"];
const NOW: Timestamp = Timestamp(1_800_000_000_000);

fn currency(idx: usize) -> Currency {
    Currency::new(CURRENCIES[idx % CURRENCIES.len()]).expect("a currency")
}

fn bucket(idx: usize) -> Bucket {
    [Bucket::Once, Bucket::Every(Period::Month), Bucket::Every(Period::Hour), Bucket::Usage(Period::Month)][idx % 4]
}

fn money(quanta: i128, bucket: Bucket, currency: &Currency) -> Money {
    Money::of(Decimal::of_quanta(quanta, bucket.digits(currency)).expect("small"), currency)
}

fn price() -> impl Strategy<Value = Price> {
    (0..4_usize, 0..3_usize, 0..200_000_i128, 0..8_u8, 0..3_usize).prop_map(|(at, code, quanta, how, tag)| {
        let (bucket, currency) = (bucket(at), currency(code));
        let component = format!("c{at}{code}");
        let amount = money(quanta, bucket, &currency);
        let price = match bucket {
            Bucket::Once => Price::once(component, amount),
            Bucket::Every(every) => Price::recurring(component, every, amount),
            Bucket::Usage(every) => {
                let usage = Usage::new("m", "u", every, currency.as_str()).expect("usage");
                let usage =
                    usage.tier(Some(Decimal::whole(10)), Decimal::ONE).tier(None, "0.37".parse().expect("a price"));
                Price::usage(component, if how < 6 { usage.assumed(Decimal::whole(quanta as i64 % 99)) } else { usage })
            }
        };
        let price = if how == 0 { Price::unknown(price.component, price.charge, "nobody knows") } else { price };
        price.attribute("tag", ["x", "y", "z"][tag])
    })
}

fn prices() -> impl Strategy<Value = Prices> {
    let known = prop::collection::vec(price(), 1..4).prop_map(|mut list| {
        list.sort_by(|a, b| a.component.cmp(&b.component));
        list.dedup_by(|a, b| a.component == b.component);
        Prices::Known(list)
    });
    prop_oneof![8 => known, 1 => Just(Prices::Free), 1 => Just(Prices::unknown("no price list"))]
}

fn item() -> impl Strategy<Value = Item> {
    (0..40_u32, 0..3_usize, 0..4_usize, prices(), prices(), prices()).prop_map(|(at, ty, change, a, b, c)| {
        let change = [LineChange::New, LineChange::Changed, LineChange::Kept, LineChange::Gone][change];
        let has = |which: &[LineChange], prices: Prices| if which.contains(&change) { prices } else { Prices::Free };
        let once = |prices: Prices| match prices {
            Prices::Known(list) => {
                Prices::Known(list.into_iter().filter(|price| price.charge == Charge::Once).collect())
            }
            other => other,
        };
        Item {
            address: format!("t{ty}.a{at}").into(),
            type_name: format!("t{ty}").into(),
            change,
            after: has(&[LineChange::New, LineChange::Changed, LineChange::Kept], a),
            before: has(&[LineChange::Changed, LineChange::Gone], b),
            refund: has(&[LineChange::Gone], once(c)),
        }
    })
}

fn select() -> impl Strategy<Value = Select> {
    (prop::option::of(0..3_usize), prop::option::of(0..3_usize)).prop_map(|(ty, tag)| Select {
        types: ty.iter().map(|ty| Arc::from(format!("t{ty}"))).collect(),
        components: Vec::new(),
        attributes: tag.iter().map(|tag| (Arc::from("tag"), Arc::from(["x", "y", "z"][*tag]))).collect(),
    })
}

fn rule() -> impl Strategy<Value = Bundle> {
    let effect = (0..3_u8, 0..4_usize, 0..3_usize, 0..300_000_i128, 0..=10_000_i128).prop_map(
        |(kind, at, code, quanta, percent)| {
            let (on, currency) = (bucket(at), currency(code));
            match kind {
                0 => Effect::Percent { percent: Decimal::of_quanta(percent, 2).expect("small") },
                1 => Effect::Amount { amount: money(quanta, on, &currency), on },
                _ => Effect::Fixed { price: money(quanta / 4, on, &currency), on },
            }
        },
    );
    let requires = prop::option::weighted(0.3, (select(), 0..4_u32));
    (effect, select(), requires, prop::option::weighted(0.4, 0..2_u8), -2..3_i32, 0..20_u64).prop_map(
        |(effect, select, requires, group, priority, ends)| {
            let mut rule = Bundle::new("", "less together", effect).select(select).priority(priority);
            rule.requires = requires.into_iter().map(|(select, at_least)| Requirement { select, at_least }).collect();
            rule.exclusive = group.map(|group| format!("g{group}").into());
            rule.until = (ends < 4).then_some(Timestamp(NOW.0 + ends * 1000));
            rule
        },
    )
}

fn basket() -> impl Strategy<Value = Basket> {
    (prop::collection::vec(item(), 0..9), prop::collection::vec(rule(), 0..6)).prop_map(|(mut items, mut rules)| {
        items.sort_by(|a, b| a.address.cmp(&b.address));
        items.dedup_by(|a, b| a.address == b.address);
        for (idx, rule) in rules.iter_mut().enumerate() {
            rule.id = format!("r{idx}").into();
        }
        Basket { items, rules, at: NOW, good_for: Duration::from_secs(600), ..Basket::default() }
    })
}

fn billionths(amount: Decimal) -> i128 {
    amount.quanta(9).expect("every decimal is a whole number of billionths")
}

type Sums = BTreeMap<(Bucket, Currency), i128>;

fn sums<'a>(lines: impl Iterator<Item = &'a Line>, of: impl Fn(&Line) -> Option<Money>) -> Sums {
    let mut sums = Sums::new();
    for line in lines {
        if let Some(money) = of(line) {
            *sums.entry((line.charge.bucket(), money.currency)).or_default() += billionths(money.amount);
        }
    }
    sums
}

fn check_sums(quote: &Quote) -> Result<(), TestCaseError> {
    let list = sums(quote.lines.iter(), |line| line.list.clone());
    let net = sums(quote.lines.iter(), |line| line.net.clone());
    let kept = sums(quote.lines.iter().filter(|line| line.change == LineChange::Kept), |line| line.net.clone());
    let ending = sums(quote.ending.iter(), |line| line.net.clone());
    let refund = sums(quote.refunds.iter(), |line| line.net.clone());
    let keys: std::collections::BTreeSet<_> =
        [&list, &ending, &refund].into_iter().flat_map(|sums| sums.keys()).collect();
    prop_assert_eq!(keys.len(), quote.totals.len());
    for key in keys {
        let total = quote.total(key.0, &key.1).expect("a total for everything that has lines");
        let of = |sums: &Sums| sums.get(key).copied().unwrap_or_default();
        prop_assert_eq!(billionths(total.list), of(&list));
        prop_assert_eq!(billionths(total.net), of(&net));
        prop_assert_eq!(billionths(total.discount), of(&list) - of(&net));
        prop_assert_eq!(billionths(total.before), of(&kept) + of(&ending));
        prop_assert_eq!(billionths(total.delta), of(&net) - of(&kept) - of(&ending));
        prop_assert_eq!(billionths(total.refund), of(&refund));
    }
    Ok(())
}

fn check_lines(quote: &Quote) -> Result<(), TestCaseError> {
    for line in quote.lines.iter().chain(&quote.ending).chain(&quote.refunds) {
        prop_assert_eq!(line.list.is_none(), line.net.is_none());
        let (Some(list), Some(net)) = (&line.list, &line.net) else {
            prop_assert!(line.discounts.is_empty());
            let is_told =
                |one: &Unpriced| one.address == line.address && one.component.as_ref() == Some(&line.component);
            prop_assert!(quote.unpriced.iter().any(is_told), "{line:?} is nowhere");
            continue;
        };
        let off: i128 = line.discounts.iter().map(|one| billionths(one.amount.amount)).sum();
        prop_assert_eq!(billionths(list.amount) - off, billionths(net.amount));
        prop_assert!(!net.amount.is_negative());
        prop_assert!(line.discounts.iter().all(|one| billionths(one.amount.amount) > 0));
        prop_assert!(net.amount.quanta(line.charge.bucket().digits(&net.currency)).is_some(), "finer than can be paid");
    }
    Ok(())
}

/// Follows every rule that applied, from list prices on, in whole quanta and without the code that applied them.
fn check_rules(quote: &Quote, rules: &[Bundle]) -> Result<(), TestCaseError> {
    let mut left: Vec<i128> = quote
        .lines
        .iter()
        .map(|line| {
            let digits = |list: &Money| line.charge.bucket().digits(&list.currency);
            line.list.as_ref().map_or(0, |list| list.amount.quanta(digits(list)).expect("whole quanta"))
        })
        .collect();
    for verdict in &quote.bundles {
        let Verdict::Applied { rule: id, amounts, .. } = verdict else { continue };
        let rule = rules.iter().find(|rule| rule.id == *id).expect("a rule that was given");
        prop_assert!(!amounts.is_empty());
        for (bucket, money) in amounts {
            let digits = bucket.digits(&money.currency);
            let off = money.amount.quanta(digits).expect("whole quanta");
            let members: Vec<usize> = quote
                .lines
                .iter()
                .enumerate()
                .filter(|(_, line)| matches!(line.change, LineChange::New | LineChange::Changed))
                .filter(|(_, line)| rule.select.matches(line) && line.charge.bucket() == *bucket)
                .filter(|(_, line)| line.list.as_ref().is_some_and(|list| list.currency == money.currency))
                .map(|(idx, _)| idx)
                .collect();
            let sum: i128 = members.iter().map(|&idx| left[idx]).sum();
            match &rule.effect {
                Effect::Percent { percent } => {
                    // The nearest whole number of quanta.
                    let exact = sum * percent.quanta(2).expect("two digits");
                    prop_assert!((off * 10_000 - exact).abs() * 2 <= 10_000);
                }
                Effect::Amount { amount, .. } => {
                    prop_assert_eq!(off, amount.amount.quanta(digits).expect("whole quanta").min(sum));
                }
                Effect::Fixed { price, .. } => {
                    prop_assert_eq!(sum - off, price.amount.quanta(digits).expect("whole quanta"));
                }
            }
            let mut given = 0;
            for idx in members {
                let line = &quote.lines[idx];
                let share: Vec<i128> = line
                    .discounts
                    .iter()
                    .filter(|one| one.rule == *id)
                    .map(|one| one.amount.amount.quanta(digits).expect("whole quanta"))
                    .collect();
                prop_assert!(share.len() <= 1);
                let share = share.first().copied().unwrap_or_default();
                // Within one quantum of what is in proportion.
                prop_assert!((share * sum - off * left[idx]).abs() < sum.max(1));
                given += share;
                left[idx] -= share;
                prop_assert!(left[idx] >= 0);
            }
            prop_assert_eq!(given, off, "what came off is given to lines exactly");
        }
    }
    for (line, left) in quote.lines.iter().zip(left) {
        if let (Some(net), true) = (&line.net, matches!(line.change, LineChange::New | LineChange::Changed)) {
            let digits = line.charge.bucket().digits(&net.currency);
            prop_assert_eq!(net.amount.quanta(digits), Some(left), "every discount has a rule");
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn sums_and_shares_are_exact(basket in basket()) {
        let rules = basket.rules.clone();
        let quote = Quote::of(basket).expect("a quote");
        check_sums(&quote)?;
        check_lines(&quote)?;
        check_rules(&quote, &rules)?;
        let json = serde_json::to_string(&quote).expect("JSON");
        prop_assert_eq!(&serde_json::from_str::<Quote>(&json).expect("a quote"), &quote);
        prop_assert!(!json.contains("null,\"net\":{"), "an unknown price has a net amount");
    }

    #[test]
    fn order_changes_nothing(basket in basket(), seed in any::<u64>()) {
        let mut other = basket.clone();
        let mut key = seed;
        let mut next = || { key = key.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1); key >> 33 };
        other.items.sort_by_cached_key(|_| next());
        other.rules.sort_by_cached_key(|_| next());
        for item in &mut other.items {
            if let Prices::Known(list) = &mut item.after {
                list.reverse();
            }
        }
        prop_assert_eq!(Quote::of(basket).expect("a quote"), Quote::of(other).expect("a quote"));
    }

    #[test]
    fn of_a_group_the_first_applies(basket in basket(), more in rule()) {
        let before = Quote::of(basket.clone()).expect("a quote");
        let applied = before.bundles.iter().find_map(|verdict| match verdict {
            Verdict::Applied { rule, .. } => basket.rules.iter().find(|known| known.id == *rule && known.exclusive.is_some()),
            Verdict::Skipped { .. } => None,
        });
        let Some(first) = applied else { return Ok(()) };
        let mut more = more;
        more.id = Arc::from("zz");
        more.exclusive = first.exclusive.clone();
        more.priority = -100;
        let mut with = basket.clone();
        with.rules.push(more);
        let after = Quote::of(with).expect("a quote");
        prop_assert_eq!(&after.lines, &before.lines);
        prop_assert_eq!(&after.totals, &before.totals);
        prop_assert_eq!(after.expires_at, before.expires_at);
    }

    #[test]
    fn time_alone_changes_no_hash(basket in basket(), later in 1..1_000_u64) {
        let mut basket = basket;
        basket.rules.iter_mut().for_each(|rule| rule.until = None);
        let mut other = basket.clone();
        other.at = Timestamp(NOW.0 + later);
        let (one, other) = (Quote::of(basket).expect("a quote"), Quote::of(other).expect("a quote"));
        prop_assert_eq!(&one.hash, &other.hash);
        prop_assert!(one.still_holds(&other, NOW, Tolerance::NONE).is_ok());
        prop_assert!(one.still_holds(&other, one.expires_at, Tolerance::NONE).is_err());
    }
}
