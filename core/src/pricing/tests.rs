use std::{sync::Arc, time::Duration};

use super::*;
use crate::event::Timestamp;

const NOW: Timestamp = Timestamp(1_800_000_000_000);

fn cny(amount: &str) -> Money {
    Money::new(amount, "CNY").expect("money")
}

fn item(address: &str, change: LineChange, after: Vec<Price>) -> Item {
    let type_name = address.split('.').next().unwrap_or_default();
    Item {
        address: address.into(),
        type_name: type_name.into(),
        change,
        after: Prices::Known(after),
        before: Prices::Free,
        refund: Prices::Free,
    }
}

fn basket(items: Vec<Item>, rules: Vec<Bundle>) -> Basket {
    Basket { items, rules, at: NOW, good_for: Duration::from_secs(600), ..Basket::default() }
}

/// The inventory of the talks: composite rows, a row by use, a row without a price, and a discount on cluster and database
/// together.
fn installation() -> Basket {
    let month = |component: &str, amount: &str| Price::recurring(component, Period::Month, cny(amount));
    let gateway = |component: &str, unit: &str, price: &str| {
        let usage = Usage::new(component, unit, Period::Month, "CNY").expect("usage");
        Price::usage(component, usage.tier(None, price.parse().expect("a price")))
    };
    basket(
        vec![
            item(
                "acme_vm.node[0]",
                LineChange::New,
                vec![
                    Price::recurring("instance", Period::Hour, cny("0.31")).spec("4 cores, 8 GB"),
                    Price::recurring("system_disk", Period::Hour, cny("0.05")).spec("50 GB"),
                ],
            ),
            item(
                "acme_cluster.main",
                LineChange::New,
                vec![month("management", "100.00"), Price::once("setup", cny("9.99"))],
            ),
            item("acme_database.main", LineChange::New, vec![month("instance", "200.00"), month("storage", "33.34")]),
            item(
                "acme_gateway.main",
                LineChange::New,
                vec![gateway("calls", "10,000 calls", "0.03"), gateway("traffic", "GB", "0.80")],
            ),
            Item {
                after: Prices::unknown("the seller names no price"),
                ..item("acme_bucket.files", LineChange::New, Vec::new())
            },
            Item { after: Prices::Free, ..item("acme_network.main", LineChange::New, Vec::new()) },
        ],
        vec![
            Bundle::new("suite", "cluster and database together", Effect::Percent { percent: Decimal::whole(10) })
                .select(Select { types: vec!["acme_cluster".into(), "acme_database".into()], ..Select::default() })
                .requires(Select::of_type("acme_cluster"), 1)
                .requires(Select::of_type("acme_database"), 1),
        ],
    )
}

#[test]
fn an_inventory_reads_well() {
    let quote = Quote::of(installation()).expect("a quote");
    let expect = "\
+ acme_bucket.files   price not known                                                                                                        the seller names no price
+ acme_cluster.main   management                90.00 CNY a month            -10.00 CNY cluster and database together
                      setup                     8.99 CNY once                -1.00 CNY cluster and database together
+ acme_database.main  instance                  180.00 CNY a month           -20.00 CNY cluster and database together
                      storage                   30.01 CNY a month            -3.33 CNY cluster and database together
+ acme_gateway.main   calls                     0.03 CNY a 10,000 calls                                                                      estimate
                      traffic                   0.80 CNY a GB                                                                                estimate
+ acme_vm.node[0]     instance (4 cores, 8 GB)  0.31 CNY an hour
                      system_disk (50 GB)       0.05 CNY an hour
Off: cluster and database together: 1.00 CNY once, 33.33 CNY a month
Total once: 8.99 CNY (9.99 CNY less 1.00 CNY)
Total an hour: 0.36 CNY
Total a month: 300.01 CNY (333.34 CNY less 33.33 CNY)
3 prices are not known and in no total.
";
    let lines =
        |text: &str| text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect::<Vec<_>>();
    assert_eq!(lines(&quote.to_string()), lines(expect), "{quote}");
    assert!(!quote.is_complete());
    let entries: Vec<&str> = quote.inventory().iter().map(|entry| entry.address).collect();
    assert_eq!(
        entries,
        ["acme_bucket.files", "acme_cluster.main", "acme_database.main", "acme_gateway.main", "acme_vm.node[0]"]
    );
}

#[test]
fn a_change_shows_what_it_makes_of_the_price() {
    let first = Quote::of(installation()).expect("a quote");
    let month = |component: &str, amount: &str| Price::recurring(component, Period::Month, cny(amount));
    let mut grown =
        item("acme_database.main", LineChange::Changed, vec![month("instance", "260.00"), month("storage", "33.34")]);
    grown.before =
        Prices::Known(vec![month("instance", "200.00"), month("storage", "33.34"), Price::once("setup", cny("5.00"))]);
    let gone = Item {
        before: Prices::Known(vec![Price::recurring("instance", Period::Hour, cny("0.31"))]),
        refund: Prices::Known(vec![Price::once("unused", cny("3.50"))]),
        ..item("acme_vm.node[0]", LineChange::Gone, Vec::new())
    };
    let kept = item("acme_cluster.main", LineChange::Kept, vec![month("management", "100.00")]);
    let quote =
        Quote::of(Basket { prior: first.lines, ..basket(vec![grown, gone, kept], Vec::new()) }).expect("a quote");
    let total = |bucket| quote.total(bucket, &cny("0").currency).expect("a total");
    let monthly = total(Bucket::Every(Period::Month));
    // The cluster keeps the discount that it was bought with; the database is bought anew, without.
    assert_eq!((monthly.before.to_string(), monthly.net.to_string()), ("300.01".to_owned(), "383.34".to_owned()));
    assert_eq!(monthly.delta.to_string(), "83.33");
    assert_eq!(total(Bucket::Every(Period::Hour)).delta.to_string(), "-0.31");
    let once = total(Bucket::Once);
    assert_eq!(
        (once.net.to_string(), once.before.to_string(), once.refund.to_string()),
        ("0".into(), "0".into(), "3.5".into())
    );
}

#[test]
fn what_was_paid_with_a_discount_comes_back_with_it() {
    let rules = vec![Bundle::new("half", "both together", Effect::Fixed { price: cny("80.00"), on: Bucket::Once })];
    let bought = vec![
        item("a.one", LineChange::New, vec![Price::once("year", cny("100.00"))]),
        item("a.two", LineChange::New, vec![Price::once("year", cny("60.00"))]),
    ];
    let first = Quote::of(basket(bought, rules)).expect("a quote");
    let nets: Vec<String> = first.lines.iter().filter_map(|line| Some(line.net.as_ref()?.to_string())).collect();
    assert_eq!(nets, ["50.00 CNY", "30.00 CNY"]);
    let refund = Item {
        refund: Prices::Known(vec![Price::once("year", cny("40.00"))]),
        ..item("a.one", LineChange::Gone, Vec::new())
    };
    let quote = Quote::of(Basket { prior: first.lines, ..basket(vec![refund], Vec::new()) }).expect("a quote");
    assert_eq!(quote.refunds[0].net, Some(cny("20.00")));
    assert_eq!(quote.totals[0].refund.to_string(), "20");
}

#[test]
fn rules_apply_in_their_order_and_say_why_not() {
    let items = || vec![item("a.one", LineChange::New, vec![Price::recurring("x", Period::Month, cny("100.00"))])];
    let percent = |id: &str, percent: i64| Bundle::new(id, id, Effect::Percent { percent: Decimal::whole(percent) });
    let mut late = percent("late", 1);
    late.until = Some(NOW);
    let mut early = percent("early", 1);
    early.from = Some(Timestamp(NOW.0 + 1));
    let mut others = percent("others", 1);
    others.tenants = vec!["other".into()];
    let mut planned = percent("planned", 1);
    planned.plans = vec!["gold".into()];
    let mut ends = percent("ends", 10);
    ends.until = Some(Timestamp(NOW.0 + 5));
    let rules = vec![
        percent("second", 50).exclusive("g").priority(1),
        percent("first", 20).exclusive("g").priority(2),
        percent("many", 1).requires(Select::of_type("a"), 2),
        percent("nothing", 0),
        Bundle::new(
            "dollars",
            "d",
            Effect::Amount { amount: Money::new("1.00", "USD").expect("money"), on: Bucket::Every(Period::Month) },
        ),
        ends,
        late,
        early,
        others,
        planned,
    ];
    let quote = Quote::of(basket(items(), rules)).expect("a quote");
    let verdicts: Vec<String> = quote
        .bundles
        .iter()
        .map(|verdict| match verdict {
            Verdict::Applied { rule, amounts, .. } => format!("{rule}: {}", amounts[0].1),
            Verdict::Skipped { rule, why } => format!("{rule}: {why}"),
        })
        .collect();
    assert_eq!(
        verdicts,
        [
            "first: 20.00 CNY",
            "second: `first` applies in its place",
            "dollars: there is nothing that it takes off",
            "early: it does not hold yet",
            "ends: 8.00 CNY",
            "late: it does not hold any more",
            "many: 1 of 2 instances that it needs are there",
            "nothing: there is nothing that it takes off",
            "others: it is for other tenants",
            "planned: it is for other plans",
        ]
    );
    assert_eq!(quote.lines[0].net, Some(cny("72.00")));
    assert_eq!(quote.expires_at, Timestamp(NOW.0 + 5), "a quote ends with its rules");
}

#[test]
fn a_fixed_price_does_not_hide_what_nobody_can_say() {
    let month = Charge::Recurring { every: Period::Month };
    let items = vec![
        item("a.one", LineChange::New, vec![Price::recurring("x", Period::Month, cny("100.00"))]),
        item("a.two", LineChange::New, vec![Price::unknown("x", month, "not listed")]),
    ];
    let fixed = Bundle::new("f", "f", Effect::Fixed { price: cny("50.00"), on: Bucket::Every(Period::Month) });
    let quote = Quote::of(basket(items, vec![fixed])).expect("a quote");
    assert!(matches!(&quote.bundles[0], Verdict::Skipped { why, .. } if why.contains("nobody can say")));
    assert_eq!(quote.lines[0].net, Some(cny("100.00")));
    assert_eq!(quote.unpriced.len(), 1);
}

#[test]
fn prices_and_rules_that_cannot_be_are_refused() {
    let quote = |price: Price| Quote::of(basket(vec![item("a.b", LineChange::New, vec![price])], Vec::new()));
    let problem = |price: Price| quote(price).expect_err("refused").to_string();
    assert!(problem(Price::once("x", cny("-1.00"))).contains("below zero"));
    assert!(problem(Price::once("x", cny("0.001"))).contains("finer than 2 digits"));
    assert!(quote(Price::recurring("x", Period::Hour, cny("0.000001"))).is_ok());
    let twice = vec![Price::once("x", cny("1.00")), Price::once("x", cny("2.00"))];
    let found = Quote::of(basket(vec![item("a.b", LineChange::New, twice)], Vec::new()));
    assert!(found.expect_err("refused").to_string().contains("twice"));
    let mut nothing = Price::once("x", cny("1.00"));
    nothing.amount = None;
    assert!(problem(nothing).contains("does not say that it is unknown"));

    let rule = |effect: Effect| Quote::of(basket(Vec::new(), vec![Bundle::new("r", "r", effect)]));
    assert!(rule(Effect::Percent { percent: Decimal::whole(101) }).is_err());
    assert!(rule(Effect::Percent { percent: Decimal::whole(-1) }).is_err());
    assert!(rule(Effect::Amount { amount: cny("-1.00"), on: Bucket::Once }).is_err());
    assert!(rule(Effect::Fixed { price: cny("0.001"), on: Bucket::Once }).is_err());
    let one = Bundle::new("r", "r", Effect::Percent { percent: Decimal::ONE });
    assert!(Quote::of(basket(Vec::new(), vec![one.clone(), one])).is_err());
    let error: crate::Error = quote(Price::once("x", cny("-1.00"))).expect_err("refused").into();
    assert_eq!(error.code(), "pricing.line");
}

#[test]
fn an_accepted_quote_holds_within_its_tolerance() {
    let at = |amount: &str| {
        let price = Price::recurring("x", Period::Month, cny(amount));
        Quote::of(basket(vec![item("a.b", LineChange::New, vec![price])], Vec::new())).expect("a quote")
    };
    let accepted = at("100.00");
    let check = |fresh: &Quote, percent: i64| {
        let verdict = accepted.still_holds(fresh, NOW, Tolerance { percent: Decimal::whole(percent) });
        verdict.map_err(|error| error.code().to_owned())
    };
    assert_eq!(check(&at("100.00"), 0), Ok(()));
    assert_eq!(check(&at("99.00"), 0), Ok(()));
    assert_eq!(check(&at("100.01"), 0), Err("pricing.changed".to_owned()));
    assert_eq!(check(&at("105.00"), 5), Ok(()));
    assert_eq!(check(&at("105.01"), 5), Err("pricing.changed".to_owned()));
    let open = Item { after: Prices::unknown("gone from the list"), ..item("a.b", LineChange::New, Vec::new()) };
    let open = Quote::of(basket(vec![open], Vec::new())).expect("a quote");
    assert_eq!(check(&open, 100), Err("pricing.changed".to_owned()));
    let back = |amount: &str| {
        let refund = Prices::Known(vec![Price::once("x", cny(amount))]);
        let item = Item { refund, ..item("a.b", LineChange::Gone, Vec::new()) };
        Quote::of(basket(vec![item], Vec::new())).expect("a quote")
    };
    let promised =
        |fresh: &str| back("10.00").still_holds(&back(fresh), NOW, Tolerance { percent: Decimal::whole(50) });
    assert!(promised("10.00").is_ok() && promised("10.01").is_ok());
    assert_eq!(promised("9.99").expect_err("less comes back").code(), "pricing.changed");
    let over = accepted.still_holds(&accepted, accepted.expires_at, Tolerance::NONE);
    assert_eq!(over.expect_err("over").code(), "pricing.expired");
}

#[test]
fn firm_prices_end_quotes_and_do_not_change_them() {
    let quote = |until: u64| {
        let price = Price::once("x", cny("1.00")).firm_until(Timestamp(NOW.0 + until), Some(Arc::from("token")));
        Quote::of(basket(vec![item("a.b", LineChange::New, vec![price])], Vec::new())).expect("a quote")
    };
    assert_eq!(quote(7).expires_at, Timestamp(NOW.0 + 7));
    assert_eq!(quote(7).hash, quote(8).hash);
    assert_eq!(quote(7).hash.len(), 64);
    let other = Price::once("x", cny("1.01"));
    let other = Quote::of(basket(vec![item("a.b", LineChange::New, vec![other])], Vec::new())).expect("a quote");
    assert_ne!(quote(7).hash, other.hash);
}
