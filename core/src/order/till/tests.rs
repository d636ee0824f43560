use super::*;
use crate::order::{Delivery, OrderLine};

fn cny(amount: &str) -> Money {
    Money::new(amount, "CNY").expect("an amount")
}

fn line(number: u128) -> OrderLine {
    OrderLine {
        key: format!("line-{number}").into(),
        object_id: ObjectId::from_u128(number),
        address: format!("acme_vm.n{number}").into(),
        type_name: "acme_vm".into(),
        purpose: Purpose::Create,
        prices: Vec::new(),
        due: vec![cny("5.00")],
    }
}

fn request(key: &str, apart: bool, numbers: &[u128]) -> OrderRequest {
    let due = vec![cny("10.00")];
    let lines = numbers.iter().copied().map(line).collect();
    OrderRequest { key: key.into(), apart, lines, most: due.clone(), due, quote: "q".into() }
}

fn till() -> Till {
    let mut till = Till::default();
    let held = vec![HeldLine { line: "old".into(), object_id: ObjectId::from_u128(9), address: "acme_vm.old".into() }];
    let orders = vec![request("all", false, &[1, 2]), request("own", true, &[3])];
    till.apply(&OrderFact::Accepted { orders, held }).expect("a first fact");
    till
}

/// Applies what the till intends, and returns what it then wants done.
fn go_on(till: &mut Till) -> Vec<OrderCommand> {
    for fact in till.intents() {
        till.apply(&fact).expect("an intent follows");
    }
    till.commands()
}

fn known(key: &str, status: OrderStatus, statuses: &[DeliveryStatus]) -> Order {
    let first = if key == "all" { 1 } else { 3 };
    let lines = statuses.iter().enumerate().map(|(idx, status)| Delivery {
        key: format!("line-{}", idx + first).into(),
        id: format!("L{}", idx + first).into(),
        status: status.clone(),
    });
    Order { id: format!("O-{key}").into(), key: key.into(), status, due: vec![cny("10.00")], lines: lines.collect() }
}

const PENDING: DeliveryStatus = DeliveryStatus::Pending;
const THERE: DeliveryStatus = DeliveryStatus::Delivered;

fn hear(till: &mut Till, order: &Order) {
    for fact in till.heard(&order.key.clone(), Some(order)).expect("an answer") {
        till.apply(&fact).expect("it follows");
    }
}

/// Returns a till whose order of all lines is paid, and nothing is delivered.
fn paid() -> Till {
    let mut till = till();
    go_on(&mut till);
    hear(&mut till, &known("all", OrderStatus::Unpaid, &[PENDING, PENDING]));
    go_on(&mut till);
    hear(&mut till, &known("all", OrderStatus::Paid, &[PENDING, PENDING]));
    till
}

fn gate(till: &Till, number: u128) -> Gate {
    till.gate(Some(ObjectId::from_u128(number)), Some(Purpose::Create))
}

#[test]
fn an_order_goes_step_by_step() {
    let mut till = till();
    assert_eq!(gate(&till, 1), Gate::Shut);
    assert!(matches!(&go_on(&mut till)[..], [OrderCommand::Place(order)] if &*order.key == "all"));
    assert_eq!(go_on(&mut till), [], "it is asked once");
    hear(&mut till, &known("all", OrderStatus::Unpaid, &[PENDING, PENDING]));
    assert!(matches!(&go_on(&mut till)[..], [OrderCommand::Pay(order)] if &*order.id == "O-all"));
    assert_eq!(till.gate(None, None), Gate::Shut, "nothing at all starts before it is paid");
    hear(&mut till, &known("all", OrderStatus::Paid, &[THERE, PENDING]));
    assert_eq!([gate(&till, 1), gate(&till, 2), till.gate(None, None)], [Gate::Open, Gate::Shut, Gate::Open]);
    assert_eq!(go_on(&mut till), [OrderCommand::Watch { key: "all".into(), pending: 1 }]);
    hear(&mut till, &known("all", OrderStatus::Paid, &[THERE, THERE]));
    assert_eq!(gate(&till, 2), Gate::Open);
    assert_eq!(go_on(&mut till), []);
    assert_eq!(till.line_of(ObjectId::from_u128(2), Purpose::Create).as_deref(), Some("L2"));
    // The one that is apart is placed when somebody needs it.
    assert_eq!(gate(&till, 3), Gate::Order("own".into()));
    till.apply(&OrderFact::Placing { key: "own".into() }).expect("it is wanted");
    assert!(matches!(&go_on(&mut till)[..], [OrderCommand::Place(order)] if order.apart));
    assert_eq!(gate(&till, 3), Gate::Shut);
}

#[test]
fn what_no_row_names_is_paid_back() {
    let mut till = paid();
    hear(&mut till, &known("all", OrderStatus::Paid, &[THERE, PENDING]));
    assert!(!till.is_closed());
    till.close([Arc::from("L1")].into());
    assert!(!till.is_settled());
    let commands = go_on(&mut till);
    let reasons: Vec<_> = commands
        .iter()
        .map(|command| match command {
            OrderCommand::Refund(refund) => (&*refund.line, refund.reason, &*refund.key),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(reasons, [("L2", RefundReason::Undelivered, "refund/L2"), ("old", RefundReason::Removed, "refund/old")]);
    till.apply(&Till::refunded(&"L2".into(), Ok(Refund { amount: vec![cny("5.00")] }))).expect("it was begun");
    assert!(!till.is_settled());
    let error = Error::new(ErrorKind::Conflict, "shop.no", "no");
    till.apply(&Till::refunded(&"old".into(), Err(error))).expect("it was begun");
    assert!(till.is_settled());
    let report = till.report();
    assert_eq!(report[0].lines[1].refunded, Some(vec![cny("5.00")]));
    assert_eq!(report[2].lines[0].refund_refused.as_ref().map(|refusal| &*refusal.code), Some("shop.no"));
    // Once is enough.
    let again = OrderFact::Refunded { line: "L2".into(), amount: Vec::new() };
    assert_eq!(till.apply(&again).expect_err("it is paid back").code(), "run.illegal_fact");
}

#[test]
fn what_was_begun_is_looked_for_by_who_comes_next() {
    let mut till = till();
    go_on(&mut till);
    till.resume();
    assert_eq!(go_on(&mut till), [OrderCommand::Find("all".into())]);
    // It never got there: it is placed with the same key.
    assert_eq!(till.heard(&"all".into(), None).expect("an answer"), []);
    assert!(matches!(&go_on(&mut till)[..], [OrderCommand::Place(_)]));
    // It did.
    till.resume();
    go_on(&mut till);
    hear(&mut till, &known("all", OrderStatus::Unpaid, &[PENDING, PENDING]));
    go_on(&mut till);
    till.resume();
    assert_eq!(go_on(&mut till), [OrderCommand::Find("all".into())]);
    hear(&mut till, &known("all", OrderStatus::Unpaid, &[PENDING, PENDING]));
    assert!(matches!(&go_on(&mut till)[..], [OrderCommand::Pay(_)]), "it was not paid");
    till.resume();
    go_on(&mut till);
    hear(&mut till, &known("all", OrderStatus::Paid, &[PENDING, PENDING]));
    assert!(matches!(&go_on(&mut till)[..], [OrderCommand::Watch { .. }]), "it was paid");
}

#[test]
fn nothing_is_bought_any_more_once_it_is_closed() {
    // Not placed yet.
    let mut till = till();
    till.close(["old".into()].into());
    assert_eq!(go_on(&mut till), []);
    assert!(till.is_settled());
    // Being placed when the process died, and not there.
    let mut till = self::till();
    go_on(&mut till);
    till.resume();
    till.close(["old".into()].into());
    assert_eq!(go_on(&mut till), [OrderCommand::Find("all".into())]);
    let facts = till.heard(&"all".into(), None).expect("an answer");
    assert_eq!(facts, [OrderFact::Cancelled { key: "all".into() }]);
    till.apply(&facts[0]).expect("it follows");
    assert!(till.is_settled());
    // Placed: it is taken back.
    let mut till = self::till();
    go_on(&mut till);
    till.close(["old".into()].into());
    hear(&mut till, &known("all", OrderStatus::Unpaid, &[PENDING, PENDING]));
    assert!(matches!(&go_on(&mut till)[..], [OrderCommand::Cancel(_)]));
    assert!(!till.is_settled());
    // It was paid in the same moment: everything comes back.
    hear(&mut till, &known("all", OrderStatus::Paid, &[PENDING, PENDING]));
    let refunds = go_on(&mut till);
    assert_eq!(refunds.len(), 2, "{refunds:?}");
    // Being paid when the process died, and not paid: it is not paid now.
    let mut till = self::till();
    go_on(&mut till);
    hear(&mut till, &known("all", OrderStatus::Unpaid, &[PENDING, PENDING]));
    go_on(&mut till);
    till.resume();
    till.close(["old".into()].into());
    go_on(&mut till);
    hear(&mut till, &known("all", OrderStatus::Unpaid, &[PENDING, PENDING]));
    assert!(matches!(&go_on(&mut till)[..], [OrderCommand::Cancel(_)]));
}

/// A run that stops still works for a while before it is closed; it buys nothing more.
#[test]
fn nothing_is_bought_any_more_once_it_stops() {
    let mut till = till();
    go_on(&mut till);
    till.stop();
    hear(&mut till, &known("all", OrderStatus::Unpaid, &[PENDING, PENDING]));
    assert!(matches!(&go_on(&mut till)[..], [OrderCommand::Cancel(_)]));
    assert!(!till.is_closed());
    // Taken up amid a payment that never got there.
    let mut till = self::till();
    go_on(&mut till);
    hear(&mut till, &known("all", OrderStatus::Unpaid, &[PENDING, PENDING]));
    go_on(&mut till);
    till.resume();
    till.stop();
    go_on(&mut till);
    hear(&mut till, &known("all", OrderStatus::Unpaid, &[PENDING, PENDING]));
    assert!(matches!(&go_on(&mut till)[..], [OrderCommand::Cancel(_)]));
    // What is paid stays so until it is closed, and nobody waits for it.
    let mut till = paid();
    till.stop();
    assert_eq!(go_on(&mut till), []);
}

#[test]
fn a_seller_that_breaks_its_contract_is_told_so() {
    let is_broken = |till: &mut Till, order: Option<&Order>, what: &str| {
        let error = till.heard(&"all".into(), order).expect_err(what);
        assert_eq!(error.code(), "order.broken", "{what}");
    };
    let placing = || {
        let mut till = till();
        go_on(&mut till);
        till
    };
    is_broken(&mut placing(), None, "it placed nothing");
    is_broken(&mut placing(), Some(&known("own", OrderStatus::Unpaid, &[PENDING])), "another order");
    is_broken(&mut placing(), Some(&known("all", OrderStatus::Unpaid, &[PENDING])), "a line is missing");
    is_broken(&mut placing(), Some(&known("all", OrderStatus::Unpaid, &[PENDING, PENDING, PENDING])), "one too many");
    let mut twins = known("all", OrderStatus::Unpaid, &[PENDING, PENDING]);
    twins.lines[1].id = "L1".into();
    is_broken(&mut placing(), Some(&twins), "two lines with one id");
    is_broken(&mut paid(), None, "it is lost");
    is_broken(&mut paid(), Some(&known("all", OrderStatus::Cancelled, &[PENDING, PENDING])), "it is taken back");
    let mut renamed = known("all", OrderStatus::Paid, &[PENDING, PENDING]);
    renamed.lines[0].id = "other".into();
    is_broken(&mut paid(), Some(&renamed), "a line has another id");
    let mut moved = known("all", OrderStatus::Paid, &[PENDING, PENDING]);
    moved.id = "other".into();
    is_broken(&mut paid(), Some(&moved), "the order has another id");
}

#[test]
fn facts_that_cannot_follow_are_refused() {
    let key = || Arc::<str>::from("all");
    let placed = |till: &mut Till| hear(till, &known("all", OrderStatus::Unpaid, &[PENDING, PENDING]));
    let mut fresh = till();
    for fact in [
        OrderFact::Accepted { orders: Vec::new(), held: Vec::new() },
        OrderFact::Paying { key: key() },
        OrderFact::Paid { key: key() },
        OrderFact::Cancelled { key: key() },
        OrderFact::Placing { key: "nobody".into() },
        OrderFact::Delivered { line: "L1".into() },
        OrderFact::Refunded { line: "old".into(), amount: Vec::new() },
        OrderFact::Refunding {
            refund: super::request(&"L1".into(), ObjectId::from_u128(1), &"a".into(), RefundReason::Unused),
        },
    ] {
        assert_eq!(fresh.apply(&fact).expect_err(fact.name()).code(), "run.illegal_fact", "{fact:?}");
    }
    go_on(&mut fresh);
    placed(&mut fresh);
    assert!(fresh.apply(&OrderFact::Paid { key: key() }).is_err(), "paid and never paying");
    let mut paid = paid();
    assert!(paid.apply(&OrderFact::Cancelling { key: key(), refusal: None }).is_err(), "paid orders stay");
    paid.apply(&OrderFact::Delivered { line: "L1".into() }).expect("it is pending");
    assert!(paid.apply(&OrderFact::Delivered { line: "L1".into() }).is_err(), "once");
}

/// Whoever has much to pay back does not ask for everything at once.
#[test]
fn refunds_come_a_few_at_a_time() {
    let mut till = Till::default();
    let held = (0..100).map(|number| HeldLine {
        line: format!("l{number:03}").into(),
        object_id: ObjectId::from_u128(number),
        address: "acme_vm.old".into(),
    });
    till.apply(&OrderFact::Accepted { orders: Vec::new(), held: held.collect() }).expect("a first fact");
    till.close(BTreeSet::new());
    let mut paid_back = 0;
    loop {
        let commands = go_on(&mut till);
        if commands.is_empty() {
            break;
        }
        assert!(commands.len() <= REFUNDS_AT_ONCE);
        for command in commands {
            let OrderCommand::Refund(refund) = command else { panic!("{command:?}") };
            till.apply(&Till::refunded(&refund.line, Ok(Refund::default()))).expect("it was begun");
            paid_back += 1;
        }
    }
    assert_eq!((paid_back, till.is_settled()), (100, true));
}
