use std::{collections::BTreeMap, sync::Arc};

use super::*;
use crate::{
    event::Timestamp,
    pricing::{Charge, Currency, Decimal, Error, Line, LineChange, Money, Period, Price, Usage},
};

pub(super) fn at(text: &str) -> Timestamp {
    Window::moment(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

pub(super) fn window(from: &str, until: &str) -> Window {
    Window::parse(from, until).expect("a window")
}

pub(super) fn cny(amount: &str) -> Money {
    Money::new(amount, "CNY").expect("money")
}

pub(super) fn posting(app: &str, address: &str, price: Price, when: When) -> Posting {
    let line = Line::new(&address.into(), &"vm".into(), LineChange::New, price).expect("a line");
    Posting {
        owner: Owner::new("acme", app),
        app_id: format!("{app}-1").into(),
        address: address.into(),
        type_name: "vm".into(),
        remote_id: None,
        priced: Priced::Line(Box::new(line)),
        when,
    }
}

pub(super) fn held(from: &str, until: &str) -> When {
    When::Held { from: at(from), until: (!until.is_empty()).then(|| at(until)) }
}

pub(super) fn holding(app: &str, address: &str, id: &str, from: &str, until: &str) -> Holding {
    Holding {
        owner: Owner::new("acme", app),
        app_id: format!("{app}-1").into(),
        address: address.into(),
        type_name: "vm".into(),
        remote_id: Some(id.into()),
        from: at(from),
        until: (!until.is_empty()).then(|| at(until)),
    }
}

pub(super) fn input(window: Window) -> CostInput {
    let owners = ["shop", "wiki"].map(|app| (Arc::from(format!("{app}-1")), Owner::new("acme", app)));
    CostInput {
        window,
        now: at("2027-06-01"),
        postings: Vec::new(),
        holdings: Vec::new(),
        owners: owners.into(),
        bill: None,
        shared: Vec::new(),
    }
}

/// Rows of a bill by `cost currency from until` and what else is said.
pub(super) fn bill(rows: &[(&str, &[(&str, &str)])]) -> Vec<BillRow> {
    let rows = rows.iter().enumerate().map(|(idx, (text, more))| {
        let names = ["BilledCost", "BillingCurrency", "ChargePeriodStart", "ChargePeriodEnd"];
        let given = names.into_iter().zip(text.split(' ')).chain(more.iter().copied());
        (idx as u64 + 2, given.map(|(name, text)| (name.to_owned(), text.to_owned())).collect())
    });
    BillRow::read(rows).expect("a bill")
}

fn report(input: CostInput) -> CostReport {
    CostReport::of(input).expect("a report")
}

/// `owner address: cost` of every row.
fn shown(rows: &[CostRow]) -> Vec<String> {
    let shown = rows.iter().map(|row| {
        let owner = row.owner.as_ref().map_or_else(|| "-".to_owned(), |owner| owner.application.to_string());
        let address = row.address.as_deref().unwrap_or("-");
        let cost = row.costs.as_ref().map_or_else(|| "?".to_owned(), |costs| costs.billed.to_string());
        format!("{owner} {address}: {cost} {}", row.attribution.text())
    });
    shown.collect()
}

fn billed(posting: Posting, window: Window) -> Vec<String> {
    let rows = report(CostInput { postings: vec![posting], ..input(window) });
    rows.rows().iter().map(|row| row.costs.map_or_else(|| "?".to_owned(), |costs| costs.billed.to_string())).collect()
}

#[test]
fn what_recurs_costs_as_long_as_it_is_there() {
    let monthly = |when: When| posting("shop", "vm.a", Price::recurring("vm", Period::Month, cny("300.00")), when);
    let november = window("2026-11-01", "2026-12-01");
    assert_eq!(billed(monthly(held("2026-10-01", "")), november), ["300"], "a whole month is the whole price");
    assert_eq!(billed(monthly(held("2026-11-11", "")), november), ["200"], "20 of 30 days");
    assert_eq!(billed(monthly(held("2026-11-01", "2026-11-04")), november), ["30"]);
    assert_eq!(billed(monthly(held("2026-12-01", "")), november), [] as [&str; 0], "not there yet");
    assert_eq!(billed(monthly(held("2026-10-01", "2026-11-01")), november), [] as [&str; 0], "gone before");
    let months = window("2026-01-15", "2026-03-15");
    assert_eq!(
        billed(monthly(held("2025-01-01", "")), months),
        ["164.52", "300", "135.48"],
        "by month of the calendar"
    );
    let hourly = |when: When| posting("shop", "vm.a", Price::recurring("vm", Period::Hour, cny("0.31")), when);
    assert_eq!(billed(hourly(held("2026-11-01", "")), november), ["223.2"], "720 hours");
    assert_eq!(billed(hourly(held("2026-11-01T00:00:00Z", "2026-11-01T00:01:00Z")), november), ["0.005167"]);
    let yearly = |when: When| posting("shop", "vm.a", Price::recurring("vm", Period::Year, cny("365.00")), when);
    assert_eq!(billed(yearly(held("2026-01-01", "")), november), ["30"]);
}

#[test]
fn nothing_is_estimated_of_the_future() {
    let price = Price::recurring("vm", Period::Day, cny("1.00"));
    let mut input = input(window("2026-11-01", "2026-12-01"));
    input.now = at("2026-11-03T12:00:00Z");
    input.postings = vec![
        posting("shop", "vm.a", price.clone(), held("2026-11-01", "")),
        posting("shop", "vm.b", price, held("2026-11-01", "2026-11-20")),
        posting("shop", "vm.c", Price::once("fee", cny("9.00")), When::Paid { at: at("2026-11-04") }),
    ];
    assert_eq!(shown(report(input).rows()), ["shop vm.a: 2.5 ledger", "shop vm.b: 2.5 ledger"]);
}

#[test]
fn what_is_paid_once_costs_when_it_is_bought() {
    let fee = |when: When| posting("shop", "vm.a", Price::once("fee", cny("12.50")), when);
    let day = window("2026-11-02", "2026-11-03");
    assert_eq!(billed(fee(When::Paid { at: at("2026-11-02") }), day), ["12.5"]);
    assert_eq!(billed(fee(When::Paid { at: at("2026-11-03") }), day), [] as [&str; 0]);
    assert_eq!(billed(fee(When::Returned { at: at("2026-11-02T01:00:00Z") }), day), ["-12.5"]);
    let rows = report(CostInput { postings: vec![fee(When::Returned { at: at("2026-11-02") })], ..input(day) });
    let row = &rows.rows()[0];
    assert_eq!((row.category, row.frequency), (ChargeCategory::Purchase, ChargeFrequency::OneTime));
    assert_eq!((&*row.description, row.quantity), ("fee comes back", Some(Decimal::whole(-1))));
}

#[test]
fn what_nobody_knows_is_not_nothing() {
    let usage = Usage::new("traffic", "GB", Period::Month, "CNY").expect("usage");
    let usage = usage.tier(None, "0.80".parse().expect("a price")).assumed(Decimal::whole(100));
    let mut unpriced = posting("shop", "vm.b", Price::once("x", cny("1")), held("2026-11-01", ""));
    unpriced.priced = Priced::Unknown { reason: "no price list".into() };
    let mut input = input(window("2026-11-01", "2026-12-01"));
    input.postings = vec![
        posting("shop", "vm.a", Price::usage("traffic", usage), held("2026-11-01", "")),
        unpriced,
        posting(
            "shop",
            "vm.c",
            Price::unknown("disk", Charge::Recurring { every: Period::Month }, "sold out"),
            held("2026-11-01", ""),
        ),
        posting(
            "shop",
            "vm.d",
            Price::unknown("fee", Charge::Once, "asked later"),
            When::Paid { at: at("2026-11-02") },
        ),
    ];
    let report = report(input);
    assert_eq!(
        shown(report.rows()),
        ["shop vm.a: ? ledger", "shop vm.b: ? ledger", "shop vm.c: ? ledger", "shop vm.d: ? ledger"]
    );
    let total = report.total().expect("a total");
    assert_eq!((total.totals.len(), total.unknown_count), (0, 4));
    let traffic = &report.rows()[0];
    assert!(traffic.description.contains("0.80 CNY a GB"), "{}", traffic.description);
    assert_eq!((traffic.quantity, traffic.unit.as_deref()), (None, Some("GB")));
    assert!(report.rows().iter().all(|row| row.confidence == CostConfidence::Unknown));
    insta::assert_snapshot!(report.text(CostBy::Application).expect("a text"), @"
    Costs from 2026-11-01T00:00:00.000Z until 2026-12-01T00:00:00.000Z, estimated
    acme/shop             and 4 that are not known
    unallocated  nothing
    total                 and 4 that are not known
    4 costs are not known and in no sum:
      acme/shop vm.a: traffic: 0.80 CNY a GB, how much was used is not known
      acme/shop vm.b: vm: price not known: no price list
      acme/shop vm.c: disk: price not known
      acme/shop vm.d: fee: nobody knows how much
    ");
}

#[test]
fn a_row_of_a_bill_goes_to_whoever_had_the_resource_then() {
    let mut input = input(window("2026-11-01", "2026-12-01"));
    input.holdings = vec![
        holding("shop", "vm.a", "i-1", "2026-11-01", "2026-11-10"),
        // The same id again, of another installation.
        holding("wiki", "vm.z", "i-1", "2026-11-10", ""),
    ];
    input.bill = Some(bill(&[
        ("5.00 CNY 2026-11-02 2026-11-03", &[("ResourceId", "i-1")]),
        ("7.00 CNY 2026-11-12 2026-11-13", &[("ResourceId", "i-1")]),
        // A quarter of it was the shop's.
        ("8.01 CNY 2026-11-09 2026-11-13", &[("ResourceId", "i-1")]),
        ("1.00 CNY 2026-11-02 2026-11-03", &[("ResourceId", "i-2")]),
        ("2.00 CNY 2026-11-02 2026-11-03", &[("Tags", r#"{"stackwright-app":"wiki-1"}"#), ("ResourceId", "i-3")]),
        // The id knows better than the tag.
        ("3.00 CNY 2026-11-02 2026-11-03", &[("Tags", r#"{"stackwright-app":"wiki-1"}"#), ("ResourceId", "i-1")]),
        ("4.00 CNY 2026-11-02 2026-11-03", &[("Tags", r#"{"stackwright-app":"other-1"}"#)]),
        ("-1.00 CNY 2026-11-02 2026-11-03", &[("ChargeCategory", "Credit")]),
        ("99.00 CNY 2026-12-01 2026-12-02", &[("ResourceId", "i-1")]),
    ]));
    let report = report(input);
    let mut rows = shown(report.rows());
    rows.sort();
    assert_eq!(
        rows,
        [
            "- -: -1 unallocated",
            "- -: 1 unallocated",
            "- -: 4 unallocated",
            "shop vm.a: 2 resource",
            "shop vm.a: 3 resource",
            "shop vm.a: 5 resource",
            "wiki -: 2 tag",
            "wiki vm.z: 6.01 resource",
            "wiki vm.z: 7 resource",
        ]
    );
    insta::assert_snapshot!(report.text(CostBy::Resource).expect("a text"), @"
    Costs from 2026-11-01T00:00:00.000Z until 2026-12-01T00:00:00.000Z, billed
                       billed  estimated  difference
    acme/shop vm.a  10.00 CNY          -
    acme/wiki        2.00 CNY          -
    acme/wiki vm.z  13.01 CNY          -
    unallocated      4.00 CNY
    total           29.01 CNY
    ");
}

fn share(rule: &str, split: Split) -> SharedCost {
    let of = CostSelect { service: Some("net".into()), ..CostSelect::default() };
    SharedCost { rule: rule.into(), of, split }
}

fn parts(list: &[(&str, &str)]) -> BTreeMap<Arc<str>, Decimal> {
    list.iter().map(|(name, part)| (Arc::from(*name), part.parse().expect("a number"))).collect()
}

#[test]
fn what_is_shared_is_given_away_exactly() {
    let split = |split: Split| {
        let mut input = input(window("2026-11-01", "2026-12-01"));
        input.holdings = vec![
            holding("shop", "vm.a", "i-1", "2026-11-01", ""),
            holding("wiki", "vm.a", "i-2", "2026-11-01", "2026-11-05"),
        ];
        input.bill = Some(bill(&[
            ("10.01 CNY 2026-11-02 2026-11-03", &[("ServiceName", "net")]),
            ("1.00 CNY 2026-11-20 2026-11-21", &[("ServiceName", "net")]),
            ("-0.03 CNY 2026-11-02 2026-11-03", &[("ServiceName", "net")]),
            ("5.00 CNY 2026-11-02 2026-11-03", &[("ServiceName", "disk")]),
        ]));
        input.shared = vec![share("network", split)];
        let mut rows = shown(report(input).rows());
        rows.sort();
        rows
    };
    assert_eq!(
        split(Split::Even),
        [
            "- -: 5 unallocated",
            "shop -: -0.02 shared:network",
            "shop -: 1 shared:network",
            "shop -: 5.01 shared:network",
            "wiki -: -0.01 shared:network",
            "wiki -: 5 shared:network",
        ],
        "who was not there bears nothing"
    );
    let weights = parts(&[("acme/shop", "3"), ("acme/wiki", "1")]);
    let shares = split(Split::Proportional { weights });
    assert_eq!(
        shares[1..],
        [
            "shop -: -0.02 shared:network",
            "shop -: 0.75 shared:network",
            "shop -: 7.51 shared:network",
            "wiki -: -0.01 shared:network",
            "wiki -: 0.25 shared:network",
            "wiki -: 2.5 shared:network",
        ]
    );
    let shares = split(Split::Percent { percent: parts(&[("acme/shop", "40"), ("acme/wiki", "40")]) });
    let nobodys: Vec<&String> = shares.iter().filter(|row| row.starts_with("- ")).collect();
    assert_eq!(nobodys, ["- -: -0.01 unallocated", "- -: 0.2 unallocated", "- -: 2 unallocated", "- -: 5 unallocated"]);
}

#[test]
fn everything_that_is_wrong_with_rules_is_told() {
    let mut input = input(window("2026-11-01", "2026-12-01"));
    input.shared = vec![
        share("a", Split::Percent { percent: parts(&[("acme/shop", "60"), ("acme/wiki", "50")]) }),
        share("a", Split::Even),
        share("b", Split::Proportional { weights: parts(&[("acme/blog", "1"), ("acme/shop", "-1")]) }),
    ];
    let Err(Error::Shared { problems }) = CostReport::of(input) else { panic!("it is refused") };
    assert_eq!(
        problems,
        [
            "`a`: 110 hundredths are more than all",
            "`a`: there are two rules of this name",
            "`b`: there is no installation `acme/blog`",
            "`b`: the part of `acme/shop` is below zero",
            "`b`: nobody bears anything of it",
        ]
    );
}

#[test]
fn what_is_unallocated_is_always_shown() {
    let mut input = input(window("2026-11-01", "2026-12-01"));
    input.holdings = vec![holding("shop", "vm.a", "i-1", "2026-11-01", "")];
    input.bill = Some(bill(&[("5.00 CNY 2026-11-02 2026-11-03", &[("ResourceId", "i-1")])]));
    for by in [CostBy::Tenant, CostBy::Application, CostBy::Resource] {
        let groups = report(input.clone()).groups(by).expect("groups");
        assert_eq!(groups.len(), 2);
        let last = groups.last().expect("there is one");
        assert!(last.key.is_unallocated());
        assert_eq!(last.totals, [CostTotal { currency: Currency::new("CNY").expect("one"), costs: Costs::default() }]);
    }
    let nothing = report(CostInput { bill: Some(Vec::new()), ..input });
    assert!(nothing.groups(CostBy::Tenant).expect("groups").last().expect("one").key.is_unallocated());
    assert!(nothing.text(CostBy::Tenant).expect("a text").contains("unallocated  nothing"));
}

#[test]
fn a_bill_is_held_against_the_estimate() {
    let mut input = input(window("2026-11-01", "2026-12-01"));
    let month = |amount: &str| Price::recurring("vm", Period::Month, cny(amount));
    let usage = Usage::new("traffic", "GB", Period::Month, "CNY").expect("usage").tier(None, Decimal::ONE);
    input.postings = vec![
        posting("shop", "vm.a", month("300.00"), held("2026-10-01", "")),
        posting("shop", "vm.b", month("30.00"), held("2026-10-01", "")),
        posting("shop", "vm.b", Price::usage("traffic", usage), held("2026-10-01", "")),
        posting("wiki", "vm.a", month("10.00"), held("2026-10-01", "")),
    ];
    input.holdings = vec![
        holding("shop", "vm.a", "i-1", "2026-10-01", ""),
        holding("shop", "vm.b", "i-2", "2026-10-01", ""),
        holding("shop", "vm.c", "i-3", "2026-10-01", ""),
    ];
    input.bill = Some(bill(&[
        ("280.50 CNY 2026-11-01 2026-12-01", &[("ResourceId", "i-1")]),
        ("44.00 CNY 2026-11-01 2026-12-01", &[("ResourceId", "i-2")]),
        ("1.00 USD 2026-11-01 2026-12-01", &[("ResourceId", "i-3")]),
        ("6.00 USD 2026-11-01 2026-12-01", &[]),
    ]));
    let report = report(input);
    insta::assert_snapshot!(report.text(CostBy::Resource).expect("a text"), @"
    Costs from 2026-11-01T00:00:00.000Z until 2026-12-01T00:00:00.000Z, billed
                        billed   estimated  difference
    acme/shop vm.a  280.50 CNY  300.00 CNY  -19.50 CNY
    acme/shop vm.b   44.00 CNY   30.00 CNY              not all could be estimated
    acme/shop vm.c    1.00 USD           -
    acme/wiki vm.a    0.00 CNY   10.00 CNY  -10.00 CNY
    unallocated       0.00 CNY
                      6.00 USD
    total           324.50 CNY
                      7.00 USD
    ");
    assert_eq!(report.estimate().len(), 4);
}

#[test]
fn everything_that_is_wrong_with_a_bill_is_told() {
    let row =
        |list: &[(&str, &str)]| list.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    let rows: [(u64, BTreeMap<String, String>); 3] = [
        (
            2,
            row(&[
                ("BilledCost", "1,5"),
                ("BillingCurrency", "yuan"),
                ("ChargePeriodStart", "2026-11-01"),
                ("ChargeCategory", "usage"),
            ]),
        ),
        (
            3,
            row(&[
                ("BilledCost", " "),
                ("BillingCurrency", "CNY"),
                ("ChargePeriodStart", "soon"),
                ("Tags", "team=blue"),
            ]),
        ),
        (
            9,
            row(&[
                ("BilledCost", "1"),
                ("BillingCurrency", "CNY"),
                ("ChargePeriodStart", "2026-11-02"),
                ("ListCost", "1e3"),
            ]),
        ),
    ];
    let Err(Error::Bill { problems }) = BillRow::read(rows) else { panic!("it is refused") };
    insta::assert_snapshot!(problems.join("\n"), @r#"
    there is no column `ChargePeriodEnd`
    line 2: BilledCost: `1,5` is not a decimal number with at most nine digits behind the point
    line 2: BillingCurrency: `yuan` is neither a code of ISO 4217 nor `virtual:` and a name
    line 2: ChargeCategory: `usage` is none of Usage, Purchase, Tax, Credit, Adjustment
    line 3: BilledCost: it is empty
    line 3: ChargePeriodStart: `soon` is no date such as `2026-11-01`, and no moment such as `2026-11-01T12:00:00Z`
    line 3: Tags: it is no JSON object of tags such as `{"team":"blue"}`
    line 9: ListCost: `1e3` is not a decimal number with at most nine digits behind the point
    "#);
    let ends = row(&[
        ("BilledCost", "1"),
        ("BillingCurrency", "CNY"),
        ("ChargePeriodStart", "2026-11-02"),
        ("ChargePeriodEnd", "2026-11-01"),
    ]);
    assert!(BillRow::read([(2, ends)]).is_err());
    assert_eq!(BillRow::read([]), Ok(Vec::new()));
    let many = (0..150).map(|line| (line, row(&[])));
    let Err(Error::Bill { problems }) = BillRow::read(many) else { panic!("it is refused") };
    assert_eq!(problems.len(), 4, "what no row has is said once");
    let empty = || {
        row(&[
            ("BilledCost", ""),
            ("BillingCurrency", "CNY"),
            ("ChargePeriodStart", "2026-11-02"),
            ("ChargePeriodEnd", "2026-11-03"),
        ])
    };
    let Err(Error::Bill { problems }) = BillRow::read((0..150).map(|line| (line, empty()))) else {
        panic!("it is refused")
    };
    assert_eq!(problems.last().map(String::as_str), Some("and 50 more"));
}

#[test]
fn rows_have_the_columns_of_focus() {
    let mut input = input(window("2026-11-01", "2026-11-02"));
    let price = Price::recurring("vm", Period::Hour, cny("0.50")).label("Machine").spec("2 cores");
    let mut one = posting("shop", "vm.a", price, held("2026-11-01T12:00:00Z", ""));
    one.remote_id = Some("i-1".into());
    input.postings = vec![one];
    let report = report(input);
    insta::assert_snapshot!(serde_json::to_string_pretty(&report.rows()[0].to_json()).expect("JSON"), @r#"
    {
      "BilledCost": 6,
      "BillingCurrency": "CNY",
      "BillingPeriodEnd": "2026-12-01T00:00:00Z",
      "BillingPeriodStart": "2026-11-01T00:00:00Z",
      "ChargeCategory": "Purchase",
      "ChargeDescription": "Machine (2 cores)",
      "ChargeFrequency": "Recurring",
      "ChargePeriodEnd": "2026-11-02T00:00:00Z",
      "ChargePeriodStart": "2026-11-01T12:00:00Z",
      "ContractedCost": 6,
      "EffectiveCost": 6,
      "ListCost": 6,
      "PricingQuantity": 12,
      "PricingUnit": "Hours",
      "ResourceId": "i-1",
      "ResourceName": "vm.a",
      "ResourceType": "vm",
      "ServiceName": null,
      "SubAccountId": "acme",
      "SubAccountName": "acme",
      "Tags": {
        "stackwright-app": "shop-1"
      },
      "x_Address": "vm.a",
      "x_Application": "shop",
      "x_Attribution": "ledger",
      "x_BilledAccount": null,
      "x_Component": "vm",
      "x_Confidence": "firm",
      "x_Source": "estimate",
      "x_Unallocated": false
    }
    "#);
    let texts = report.rows()[0].texts();
    assert_eq!(
        (texts[0].as_str(), texts[17].as_str(), texts[20].as_str()),
        ("6", "", r#"{"stackwright-app":"shop-1"}"#)
    );
    assert_eq!(CostRow::COLUMNS.len(), texts.len());
}
