//! What holds of every report, on random ones.

use std::{collections::BTreeMap, sync::Arc};

use proptest::prelude::*;

use super::{tests::*, *};
use crate::{
    event::Timestamp,
    pricing::{Currency, Decimal, Money, Period, Price},
};

const DAY_MS: u64 = 86_400_000;
/// The first day that anything happens on: 2023-12-01. A leap day is not far.
const START: u64 = 19_692 * DAY_MS;

fn moment() -> impl Strategy<Value = Timestamp> {
    (0..200 * DAY_MS).prop_map(|ms| Timestamp(START + ms))
}

fn money() -> impl Strategy<Value = Money> {
    let code = prop::sample::select(vec!["CNY", "USD", "JPY"]);
    (0..1_000_000_i128, code).prop_map(|(quanta, code)| {
        let currency = Currency::new(code).expect("a currency");
        Money::of(Decimal::new(quanta, currency.minor_digits()).expect("small"), &currency)
    })
}

fn postings() -> impl Strategy<Value = Vec<Posting>> {
    let every = prop::sample::select(vec![Period::Hour, Period::Day, Period::Month, Period::Year]);
    let one = (0..2_usize, 0..4_u8, 0..4_u8, every, money(), moment(), prop::option::of(moment()));
    let one = one.prop_map(|(app, address, how, every, money, from, until)| {
        let until = until.map(|until| until.max(from));
        let price = if how < 2 { Price::recurring("c", every, money) } else { Price::once("c", money) };
        let when = match how {
            0 | 1 => When::Held { from, until },
            2 => When::Paid { at: from },
            _ => When::Returned { at: from },
        };
        posting(["shop", "wiki"][app], &format!("vm.a{address}"), price, when)
    });
    prop::collection::vec(one, 0..12)
}

fn rows() -> impl Strategy<Value = Vec<BillRow>> {
    let id = prop::sample::select(vec!["i-0", "i-1", "i-2", ""]);
    let tag = prop::sample::select(vec!["shop-1", "wiki-1", "else", ""]);
    let service = prop::sample::select(vec!["net", "log", "dns", ""]);
    let one = (money(), any::<bool>(), 0..1000_u32, moment(), 0..40 * DAY_MS, id, tag, service);
    let row = one.prop_map(|(money, is_back, more, from, length, id, tag, service)| {
        let sign = if is_back { "-" } else { "" };
        // Bills have more digits than coins.
        let fine =
            if more % 3 == 0 { format!("{sign}{}.{more:09}", more * 7) } else { format!("{sign}{}", money.amount) };
        let text = [fine, money.currency.to_string(), from.to_string(), Timestamp(from.0 + length).to_string()];
        let tags = format!(r#"{{"stackwright-app":"{tag}"}}"#);
        (text.join(" "), id, tags, service)
    });
    prop::collection::vec(row, 0..12).prop_map(|rows| {
        let rows = rows.iter().flat_map(|(text, id, tags, service)| {
            bill(&[(text.as_str(), &[("ResourceId", *id), ("Tags", tags.as_str()), ("ServiceName", *service)])])
        });
        rows.collect()
    })
}

fn holdings() -> impl Strategy<Value = Vec<Holding>> {
    let one = (0..2_usize, 0..3_u8, moment(), prop::option::of(moment())).prop_map(|(app, id, from, until)| {
        let until = until.map(|until| until.max(from));
        let new = holding(["shop", "wiki"][app], &format!("vm.a{id}"), &format!("i-{id}"), "2026-01-01", "");
        Holding { from, until, ..new }
    });
    prop::collection::vec(one, 0..6)
}

fn shared(shop: i64, wiki: i64) -> Vec<SharedCost> {
    let parts: BTreeMap<Arc<str>, Decimal> =
        [("acme/shop", shop), ("acme/wiki", wiki)].map(|(name, part)| (Arc::from(name), Decimal::whole(part))).into();
    let rule = |service: &str, split: Split| {
        let of = CostSelect { service: Some(service.into()), ..CostSelect::default() };
        SharedCost { rule: service.into(), of, split }
    };
    vec![
        rule("net", Split::Even),
        rule("log", Split::Proportional { weights: parts.clone() }),
        rule("dns", Split::Percent { percent: parts }),
    ]
}

fn sums(rows: &[CostRow]) -> BTreeMap<Currency, Costs> {
    let mut sums: BTreeMap<Currency, Costs> = BTreeMap::new();
    for (costs, currency) in rows.iter().filter_map(|row| row.costs.as_ref().zip(row.currency.as_ref())) {
        let sum = sums.entry(currency.clone()).or_default();
        *sum = sum.plus(costs).expect("small");
    }
    sums
}

fn totals(groups: &[CostGroup]) -> BTreeMap<Currency, Costs> {
    let mut sums: BTreeMap<Currency, Costs> = BTreeMap::new();
    for CostTotal { currency, costs } in groups.iter().flat_map(|group| &group.totals) {
        let sum = sums.entry(currency.clone()).or_default();
        *sum = sum.plus(costs).expect("small");
    }
    sums
}

fn bare(mut sums: BTreeMap<Currency, Costs>) -> BTreeMap<Currency, Costs> {
    sums.retain(|_, costs| *costs != Costs::default());
    sums
}

fn report(input: CostInput) -> CostReport {
    CostReport::of(input).expect("a report")
}

fn all() -> Window {
    Window { from: Timestamp(START), until: Timestamp(START + 200 * DAY_MS) }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn parts_of_a_period_add_up_to_the_whole(
        postings in postings(), holdings in holdings(), rows in rows(), with_bill in any::<bool>(),
        mut cuts in prop::collection::vec(moment(), 0..6),
    ) {
        let bill = with_bill.then_some(rows);
        let input = CostInput { postings, holdings, bill, shared: shared(3, 1), ..input(all()) };
        cuts.extend([all().from, all().until]);
        cuts.sort();
        cuts.dedup();
        let parts: Vec<CostRow> = cuts
            .windows(2)
            .flat_map(|cut| report(CostInput { window: Window { from: cut[0], until: cut[1] }, ..input.clone() }).rows().to_vec())
            .collect();
        let whole = report(input);
        prop_assert_eq!(sums(&parts), sums(whole.rows()));
        let quantity = |rows: &[CostRow]| rows.iter().filter_map(|row| row.quantity).try_fold(Decimal::ZERO, |a, b| a.plus(b));
        prop_assert_eq!(quantity(&parts), quantity(whole.rows()));
    }

    #[test]
    fn rows_sum_to_the_totals_and_order_changes_nothing(
        postings in postings(), holdings in holdings(), rows in rows(), with_bill in any::<bool>(),
    ) {
        let bill = with_bill.then_some(rows);
        let input = CostInput { postings, holdings, bill, shared: shared(1, 2), ..input(all()) };
        let mut turned = input.clone();
        turned.postings.reverse();
        turned.holdings.reverse();
        turned.bill.iter_mut().for_each(|bill| bill.reverse());
        let whole = report(input);
        prop_assert_eq!(&report(turned), &whole);
        let total = totals(&[whole.total().expect("a total")]);
        prop_assert_eq!(&total, &sums(whole.rows()));
        for by in [CostBy::Tenant, CostBy::Application, CostBy::Resource] {
            let groups = whole.groups(by).expect("groups");
            prop_assert_eq!(bare(totals(&groups)), bare(total.clone()));
            prop_assert!(groups.last().is_some_and(|group| group.key.is_unallocated()));
        }
    }

    #[test]
    fn what_is_allocated_and_what_is_not_is_the_bill(
        holdings in holdings(), rows in rows(), shop in 0..60_i64, wiki in 1..40_i64,
    ) {
        let given: Vec<CostRow> = rows.iter().filter(|row| all().has(row.charged().from)).map(|row| row.row.clone()).collect();
        let report = report(CostInput { holdings, bill: Some(rows), shared: shared(shop, wiki), ..input(all()) });
        prop_assert_eq!(sums(report.rows()), sums(&given));
    }

    #[test]
    fn what_was_there_all_the_time_costs_the_whole_price(money in money(), start in 0..24_i64, count in 1..30_i64) {
        let month = |number: i64| {
            let number = 2023 * 12 + number;
            at(&format!("{:04}-{:02}-01", number / 12, number % 12 + 1))
        };
        let (from, until) = (month(start), month(start + count));
        let one = posting("shop", "vm.a", Price::recurring("c", Period::Month, money.clone()), When::Held { from, until: None });
        let window = Window { from, until };
        let report = report(CostInput { postings: vec![one], now: until, ..input(window) });
        let expected = money.amount.times(Decimal::whole(count), 9).expect("small");
        prop_assert_eq!(sums(report.rows())[&money.currency].billed, expected);
        prop_assert_eq!(report.rows().len(), usize::try_from(count).expect("small"));
    }
}
