//! Orders under crashes, lost replies and failures: what was accepted is ordered and paid once, nothing is made that is not
//! paid, nothing that is paid is neither delivered nor paid back, and nothing is paid back before it is gone.

use std::collections::{BTreeMap, BTreeSet};

use stackwright::{
    event::Event,
    order::{OrderFact, OrderStage, OrderStatus, Purpose, RefundReason},
    plan::{Level, StepAction},
    run::{Fact, OnFailure, RunReport},
    state::{Row, RunId, RunStatus, testing::Faults},
};
use stackwright_tests::{
    process::{End, Stage},
    scene::{Kind, Node, Scene},
    shop::{Sold, orders},
    world::Fault,
};

const NO_TYPE: &str = "";

/// A scene whose objects were all bought.
fn bought(nodes: &[Node]) -> Scene {
    let mut scene = Scene::new(nodes);
    for row in &mut scene.rows {
        row.order_lines = vec![format!("old-{}", row.object_id).into()];
    }
    scene
}

/// A new world with an open shop; what is of `apart` is ordered by itself.
fn market(scene: &Scene, seed: u64, apart: &str) -> Stage {
    let mut stage = Stage::new(scene, seed);
    stage.world.open_shop(scene);
    stage.orders = Some(orders(scene, stage.run, apart));
    stage
}

/// Checks what holds when a run has ended, well or not.
fn check_money(stage: &Stage, what: &str) {
    assert_eq!(stage.world.complaints(), Vec::<String>::new(), "{what}");
    let rows = stage.rows();
    let named: BTreeMap<&str, &Row> =
        rows.iter().flat_map(|row| row.order_lines.iter().map(move |line| (&**line, row))).collect();
    let objects: BTreeSet<String> = stage.world.things().values().map(|thing| thing.key.clone()).collect();
    let forgotten: BTreeSet<String> = (stage.scene.plan.steps.iter())
        .filter(|step| step.action == StepAction::Forget)
        .filter_map(|step| step.object_id.map(|id| id.to_string()))
        .collect();
    for (key, sold) in stage.world.sold() {
        assert!(sold.payments <= 1, "{what}: {key} was paid {} times", sold.payments);
        assert_ne!(sold.status, OrderStatus::Unpaid, "{what}: {key} was left unpaid");
        for line in sold.lines.values() {
            let (id, refunds) = (&line.id, line.refunds.len());
            assert!(refunds <= 1, "{what}: {id} was paid back {refunds} times");
            if sold.status != OrderStatus::Paid {
                assert_eq!(refunds, 0, "{what}: {id} was never paid");
                continue;
            }
            let is_named = named.contains_key(id.as_str());
            let is_let_go = forgotten.contains(&line.object);
            assert!(is_named != (refunds == 1) || is_let_go, "{what}: {id} of {}: {refunds} {is_named}", line.address);
            assert!(!is_let_go || refunds == 0, "{what}: {id} was paid back, and nobody knows whether it is gone");
            assert!(!is_named || line.is_delivered, "{what}: {id} of {} is used and not delivered", line.address);
        }
    }
    // Every object is paid for.
    for row in &rows {
        let lines = row.order_lines.len();
        assert!(lines > 0, "{what}: nobody paid for {}", row.address);
    }
    for object in &objects {
        let is_owned = rows.iter().any(|row| row.object_id.to_string() == *object) || forgotten.contains(object);
        assert!(is_owned, "{what}: nobody owns {object}");
    }
}

/// Returns what was sold in the run, without ids.
fn sales(stage: &Stage) -> BTreeMap<String, Sold> {
    let mut sold = stage.world.sold();
    sold.remove("before");
    sold
}

/// Lets a new process take the run up, unless its end is durable already.
fn take_up(stage: &Stage, what: &str) -> RunStatus {
    match stage.status() {
        None | Some(RunStatus::Running) => {
            let report = stage.process(Faults::none()).report();
            assert_eq!(stage.status(), Some(report.status), "{what}");
            report.status
        }
        Some(status) => status,
    }
}

fn medley() -> Scene {
    bought(&[
        Node::new(Kind::Create),
        Node::new(Kind::Update).needs(0, Level::Applied),
        Node::new(Kind::Replace).needs(1, Level::Ready),
        Node::new(Kind::ReplaceCreateFirst).input(0),
        Node::new(Kind::Forget).needs(0, Level::Done),
        Node::new(Kind::Delete),
        Node::new(Kind::Create).of_type("toy_idem").input(0),
        Node::new(Kind::Create).of_type("toy_prompt").input(6),
    ])
}

/// Dies before and after each write and after each effect, of the cloud and of the shop.
fn sweep(scene: &Scene, seed: u64, apart: &str, prepare: &dyn Fn(&Stage), ends: RunStatus) {
    let stage = market(scene, seed, apart);
    prepare(&stage);
    let (end, writes) = stage.watched(Faults::none(), &mut |_, _| {});
    assert_eq!(end.report().status, ends);
    check_money(&stage, "a calm run");
    let (effects, calm) = (stage.world.effect_count(), sales(&stage).len());
    let check = |stage: &Stage, end: End, what: &str| {
        assert!(matches!(end, End::Died), "{what}: the process survived its death: {end:?}");
        assert_eq!(take_up(stage, what), ends, "{what}");
        check_money(stage, what);
        assert_eq!(sales(stage).len(), calm, "{what}: another number of orders");
    };
    for write in 0..writes {
        for (faults, when) in [(Faults::die_before(write), "before"), (Faults::die_after(write), "after")] {
            let stage = market(scene, seed, apart);
            prepare(&stage);
            let end = stage.process(faults);
            // How long things take differs from process to process, and so does what shares a write.
            if matches!(end, End::Died) {
                check(&stage, end, &format!("died {when} write {write}"));
            }
        }
    }
    for effect in 0..effects {
        let stage = market(scene, seed, apart);
        prepare(&stage);
        stage.world.die_after_effect(effect);
        let end = stage.process(Faults::none());
        check(&stage, end, &format!("died after effect {effect}"));
    }
}

#[test]
fn one_order_is_paid_and_everything_that_it_pays_for_is_made() {
    let stage = market(&medley(), 1, NO_TYPE);
    let mut told = Vec::new();
    let report = stage.watched(Faults::none(), &mut |event, _| told.push(event.clone())).0.report();
    assert_eq!(report.status, RunStatus::Succeeded, "{:?}", report.problems);
    check_money(&stage, "a calm run");
    let sold = sales(&stage);
    let order = &sold[&stage.run.to_string()];
    assert_eq!((sold.len(), order.status, order.payments), (1, OrderStatus::Paid, 1));
    assert_eq!(
        order.lines.len(),
        6,
        "four are made, two of them in place of others, and one is changed; one by itself"
    );
    // What was replaced and deleted is paid back.
    let before = &stage.world.sold()["before"];
    let back = before.lines.values().filter(|line| line.refunds == [RefundReason::Removed]).count();
    assert_eq!(back, 3);
    // Who watches is told in order, and nothing starts before it is paid.
    let position = |fits: fn(&Event) -> bool| told.iter().position(fits).expect("it is told");
    let placed =
        position(|event| matches!(event, Event::OrderPlaced { due, line_count: 6, .. } if due == &["60.00 CNY"]));
    let paid = position(|event| matches!(event, Event::OrderPaid { .. }));
    let started = position(|event| matches!(event, Event::StepStarted { .. }));
    let refunded = position(|event| matches!(event, Event::OrderRefunded { amount, .. } if amount == &["7.00 CNY"]));
    assert!(placed < paid && paid < started && started < refunded);
    // The report says the same.
    assert_eq!(report.orders.len(), 2);
    assert_eq!(report.orders[0].stage, OrderStage::Paid);
    assert!(report.orders[0].lines.iter().all(|line| line.is_delivered && line.refunded.is_none()));
    assert!(report.orders[1].lines.iter().all(|line| line.refunded.is_some()));
    // A changed object was paid for twice, and its row says so.
    let changed = stage.rows().into_iter().find(|row| row.order_lines.len() == 2).expect("the one that was changed");
    assert!(changed.order_lines[0].starts_with("old-"));
}

#[test]
fn a_crash_at_any_point_orders_and_pays_once() {
    for seed in 0..2 {
        sweep(&medley(), seed, NO_TYPE, &|_| {}, RunStatus::Succeeded);
    }
}

#[test]
fn a_crash_at_any_point_orders_once_what_is_ordered_by_itself() {
    let scene = bought(&[
        Node::new(Kind::Create),
        Node::new(Kind::Create).of_type("toy_idem").input(0),
        Node::new(Kind::Create).of_type("toy_idem").needs(0, Level::Ready),
        Node::new(Kind::Delete),
    ]);
    sweep(&scene, 3, "toy_idem", &|_| {}, RunStatus::Succeeded);
    // Its order is placed when what it needs is there, not before.
    let stage = market(&scene, 3, "toy_idem");
    let mut told = Vec::new();
    stage.watched(Faults::none(), &mut |event, _| told.push(event.clone())).0.report();
    let second = told.iter().filter(|event| matches!(event, Event::OrderPlaced { .. })).count();
    assert_eq!(second, 3);
    let applied = told.iter().position(|event| matches!(event, Event::StepApplied { .. })).expect("one is made");
    let orders: Vec<_> = (0..told.len()).filter(|idx| matches!(told[*idx], Event::OrderPlaced { .. })).collect();
    assert!(orders[0] < applied && applied < orders[1], "{orders:?} {applied}");
}

#[test]
fn every_reply_of_the_shop_may_be_lost() {
    let faults = [
        Fault::LostBefore,
        Fault::LostAfter,
        Fault::PanicBefore,
        Fault::PanicAfter,
        Fault::HangBefore,
        Fault::HangAfter,
    ];
    for verb in ["place", "find", "pay", "refund"] {
        for fault in faults {
            let stage = market(&medley(), 4, NO_TYPE);
            stage.world.fail("", verb, fault);
            let report = stage.process(Faults::none()).report();
            let what = format!("{verb}: {fault:?}");
            assert_eq!(report.status, RunStatus::Succeeded, "{what}: {:?}", report.problems);
            check_money(&stage, &what);
            assert_eq!(sales(&stage).len(), 1, "{what}");
        }
    }
}

/// The reply is lost and the process with it.
#[test]
fn every_reply_may_be_lost_and_the_process_after_it() {
    for verb in ["place", "pay"] {
        for write in 1..8 {
            let stage = market(&medley(), 5, NO_TYPE);
            stage.world.fail("", verb, Fault::LostAfter);
            let end = stage.process(Faults::die_after(write));
            let what = format!("{verb}, then died after write {write}");
            assert!(matches!(end, End::Died), "{what}");
            assert_eq!(take_up(&stage, &what), RunStatus::Succeeded, "{what}");
            check_money(&stage, &what);
            assert_eq!(sales(&stage).len(), 1, "{what}");
        }
    }
}

fn first_error(report: &RunReport) -> (&str, &str) {
    let problem = report.problems.first().expect("a problem");
    (problem.error.code.as_str(), problem.error.message.as_str())
}

#[test]
fn what_cannot_be_paid_is_not_made() {
    let stage = market(&medley(), 6, NO_TYPE);
    stage.world.refuse_money();
    let before = stage.world.things();
    let report = stage.process(Faults::none()).report();
    assert_eq!(report.status, RunStatus::Failed);
    let (code, message) = first_error(&report);
    assert_eq!((code, message), ("shop.refused", "the order was refused: your money is not good here"));
    assert_eq!(stage.world.things(), before, "nothing was touched");
    assert_eq!(sales(&stage)[&stage.run.to_string()].status, OrderStatus::Cancelled);
    assert_eq!(stage.world.sold()["before"].lines.values().filter(|line| !line.refunds.is_empty()).count(), 0);
    check_money(&stage, "nobody could pay");
    sweep(&medley(), 6, NO_TYPE, &|stage| stage.world.refuse_money(), RunStatus::Failed);
}

#[test]
fn more_than_was_accepted_is_not_paid() {
    let stage = market(&medley(), 7, NO_TYPE);
    stage.world.ask_more("0.01");
    let report = stage.process(Faults::none()).report();
    assert_eq!(first_error(&report), ("pricing.changed", "the seller asks for 60.01 CNY; 60.00 CNY was accepted"),);
    let sold = &sales(&stage)[&stage.run.to_string()];
    assert_eq!((sold.status, sold.payments), (OrderStatus::Cancelled, 0));
    check_money(&stage, "it became dearer");
    // As much as was agreed to is paid.
    let mut stage = market(&medley(), 7, NO_TYPE);
    stage.world.ask_more("0.60");
    let orders = stage.orders.as_mut().expect("orders");
    orders[0].most = vec![stackwright_tests::shop::price("60.60")];
    assert_eq!(stage.process(Faults::none()).report().status, RunStatus::Succeeded);
    check_money(&stage, "it became a little dearer");
}

#[test]
fn what_is_sold_out_fails_its_step_and_is_paid_back() {
    for on_failure in [OnFailure::Stop, OnFailure::Continue, OnFailure::Rollback] {
        let mut stage = market(&medley(), 8, NO_TYPE);
        stage.options.on_failure = on_failure;
        stage.world.sell_out("toy_idem.n6");
        let report = stage.process(Faults::none()).report();
        assert_eq!(report.status, RunStatus::Failed, "{on_failure:?}");
        let (code, message) = first_error(&report);
        assert_eq!((code, message), ("order.undelivered", "what was ordered and paid is not delivered: sold out"));
        check_money(&stage, "it is sold out");
        let sold = &sales(&stage)[&stage.run.to_string()];
        let line = sold.lines.values().find(|line| line.address == "toy_idem.n6").expect("its line");
        assert_eq!(line.refunds, [RefundReason::Undelivered], "{on_failure:?}");
        let made = stage.rows().iter().any(|row| row.address.to_string() == "toy_prompt.n7");
        assert!(!made, "{on_failure:?}: it needs what is sold out");
    }
    sweep(&medley(), 8, NO_TYPE, &|stage| stage.world.sell_out("toy_idem.n6"), RunStatus::Failed);
}

/// A run that has failed waits for no delivery: what is not there yet is paid back.
#[test]
fn a_run_that_stops_waits_for_no_delivery() {
    let scene = bought(&[Node::new(Kind::Create), Node::new(Kind::Create)]);
    for on_failure in [OnFailure::Stop, OnFailure::Rollback] {
        let mut stage = market(&scene, 19, NO_TYPE);
        stage.options.on_failure = on_failure;
        stage.world.dawdle("toy_thing.n1");
        stage.world.fail("toy_thing.n0", "create", Fault::Refuse);
        assert_eq!(stage.process(Faults::none()).report().status, RunStatus::Failed);
        check_money(&stage, "it did not wait");
        let is_overdue = |fact: &Fact| matches!(fact, Fact::Order { fact: OrderFact::Undelivered { .. } });
        assert!(!stage.journal().iter().any(|entry| is_overdue(&entry.fact)), "{on_failure:?}: it waited to the end");
    }
    // One that goes on waits, as long as the shop may take.
    let mut stage = market(&scene, 19, NO_TYPE);
    stage.options.on_failure = OnFailure::Continue;
    stage.world.dawdle("toy_thing.n1");
    let report = stage.process(Faults::none()).report();
    let (code, message) = first_error(&report);
    assert_eq!(
        (code, message),
        ("order.undelivered", "what was ordered and paid is not delivered: it was not delivered in time")
    );
    check_money(&stage, "it came too late");
}

#[test]
fn what_was_not_made_is_paid_back_and_what_is_half_made_is_not() {
    for fault in [Fault::Refuse, Fault::Partial, Fault::Inconsistent, Fault::NeverReady, Fault::HangBefore] {
        for policy in [OnFailure::Stop, OnFailure::Continue, OnFailure::Rollback] {
            let mut stage = market(&medley(), 9, NO_TYPE);
            stage.options.on_failure = policy;
            let verb = if fault == Fault::NeverReady { "ready" } else { "create" };
            stage.world.fail("toy_thing.n0", verb, fault);
            stage.world.fail_again("toy_thing.n0", verb, fault);
            stage.process(Faults::none()).report();
            check_money(&stage, &format!("{fault:?} {policy:?}"));
        }
    }
}

/// What was changed is changed back, what was deleted is made anew, and all of it is paid for as before.
#[test]
fn a_rollback_pays_back_what_the_run_bought() {
    let scene = bought(&[
        Node::new(Kind::Create),
        Node::new(Kind::Update).needs(0, Level::Done),
        Node::new(Kind::Delete).needs(1, Level::Done),
        Node::new(Kind::Replace).needs(2, Level::Done),
        Node::new(Kind::Create).needs(3, Level::Done),
    ]);
    let prepare = |stage: &Stage| stage.world.fail("toy_thing.n4", "create", Fault::Refuse);
    let run = |seed| {
        let mut stage = market(&scene, seed, NO_TYPE);
        stage.options.on_failure = OnFailure::Rollback;
        prepare(&stage);
        stage
    };
    let stage = run(10);
    let (end, writes) = stage.watched(Faults::none(), &mut |_, _| {});
    let check = |stage: &Stage, what: &str| {
        check_money(stage, what);
        let sold = sales(stage);
        assert!(sold.values().flat_map(|order| order.lines.values()).all(|line| line.refunds.len() == 1), "{what}");
        assert!(stage.world.sold()["before"].lines.values().all(|line| line.refunds.is_empty()), "{what}");
        assert_eq!(stage.rows().len(), 3, "{what}");
    };
    assert_eq!(end.report().status, RunStatus::Failed);
    check(&stage, "a calm rollback");
    let effects = stage.world.effect_count();
    for write in 0..writes {
        let stage = run(10);
        if matches!(stage.process(Faults::die_after(write)), End::Died) {
            let what = format!("died after write {write}");
            assert_eq!(take_up(&stage, &what), RunStatus::Failed, "{what}");
            check(&stage, &what);
        }
    }
    for effect in 0..effects {
        let stage = run(10);
        stage.world.die_after_effect(effect);
        assert!(matches!(stage.process(Faults::none()), End::Died));
        let what = format!("died after effect {effect}");
        assert_eq!(take_up(&stage, &what), RunStatus::Failed, "{what}");
        check(&stage, &what);
    }
}

#[test]
fn cancelling_pays_back_what_was_not_used() {
    let calm = market(&medley(), 11, NO_TYPE);
    let mut count = 0;
    calm.watched(Faults::none(), &mut |_, _| count += 1).0.report();
    for number in 0..count {
        let stage = market(&medley(), 11, NO_TYPE);
        let mut seen = 0;
        let (end, _) = stage.watched(Faults::none(), &mut |_, canceller| {
            if seen == number {
                canceller.cancel();
            }
            seen += 1;
        });
        let report = end.report();
        let what = format!("cancelled at event {number}");
        assert!(matches!(report.status, RunStatus::Cancelled | RunStatus::Succeeded), "{what}: {:?}", report.problems);
        check_money(&stage, &what);
    }
}

/// Also by who takes it up: what was placed before somebody stopped the run is taken back, and not paid and paid back.
#[test]
fn nothing_is_paid_after_a_cancel() {
    for write in 1..10 {
        let stage = market(&medley(), 20, NO_TYPE);
        let (end, _) = stage.watched(Faults::die_after(write), &mut |event, canceller| {
            if matches!(event, Event::OrderPlaced { .. }) {
                canceller.cancel();
            }
        });
        let what = format!("cancelled when it was placed, died after write {write}: {end:?}");
        take_up(&stage, &what);
        check_money(&stage, &what);
        let journal = stage.journal();
        let cancelled = journal.iter().position(|entry| entry.fact == Fact::CancelRequested);
        let is_paying = |fact: &Fact| matches!(fact, Fact::Order { fact: OrderFact::Paying { .. } });
        let paying = journal.iter().position(|entry| is_paying(&entry.fact));
        assert!(cancelled.is_none() || paying.is_none_or(|paying| Some(paying) < cancelled), "{what}");
    }
}

#[test]
fn a_run_that_is_left_at_once_settles_later() {
    let calm = market(&medley(), 12, NO_TYPE);
    let mut count = 0;
    calm.watched(Faults::none(), &mut |_, _| count += 1).0.report();
    let mut left = 0;
    for number in 0..count {
        let stage = market(&medley(), 12, NO_TYPE);
        let mut seen = 0;
        let (end, _) = stage.watched(Faults::none(), &mut |_, canceller| {
            if seen == number {
                canceller.cancel_now();
            }
            seen += 1;
        });
        let what = format!("left at event {number}");
        left += usize::from(end.report().status == RunStatus::Running);
        assert_ne!(take_up(&stage, &what), RunStatus::Failed, "{what}");
        check_money(&stage, &what);
    }
    assert!(left > 0, "no run was left in the middle");
}

#[test]
fn a_refund_that_is_refused_is_told_and_ends_nothing() {
    let stage = market(&medley(), 13, NO_TYPE);
    stage.world.keep_money("toy_thing.n5");
    let report = stage.process(Faults::none()).report();
    assert_eq!(report.status, RunStatus::Succeeded);
    let (code, message) = first_error(&report);
    assert_eq!(code, "order.refund_refused");
    assert!(message.contains("no refunds on Sundays"), "{message}");
    assert_eq!(report.problems[0].address, "toy_thing.n5");
    let refused: Vec<_> = report.orders[1].lines.iter().filter(|line| line.refund_refused.is_some()).collect();
    assert_eq!(refused.len(), 1);
}

/// Whoever does not answer is asked again, until patience ends; then the run waits to be resumed.
#[test]
fn a_shop_that_is_closed_pauses_the_run() {
    let stage = market(&medley(), 14, NO_TYPE);
    stage.world.go_on_strike(true);
    let End::Ended(Err(error)) = stage.process(Faults::none()) else { panic!("it ends with an error") };
    assert_eq!(error.code(), "order.unavailable");
    assert_eq!(stage.status(), Some(RunStatus::Running));
    stage.world.go_on_strike(false);
    assert_eq!(take_up(&stage, "it opens again"), RunStatus::Succeeded);
    check_money(&stage, "it opens again");
    assert_eq!(sales(&stage).len(), 1);
}

#[test]
fn uninstalling_pays_everything_back() {
    let scene = bought(&[
        Node::new(Kind::Delete),
        Node::new(Kind::Delete).needs(0, Level::Done),
        Node::new(Kind::Forget).needs(1, Level::Done),
    ]);
    let prepare = |_: &Stage| {};
    sweep(&scene, 15, NO_TYPE, &prepare, RunStatus::Succeeded);
    // What could not be deleted is not paid back.
    let stage = market(&scene, 15, NO_TYPE);
    stage.world.fail("toy_thing.n1", "delete", Fault::Refuse);
    assert_eq!(stage.process(Faults::none()).report().status, RunStatus::Failed);
    check_money(&stage, "one could not be deleted");
    let before = &stage.world.sold()["before"];
    assert_eq!(before.lines.values().filter(|line| !line.refunds.is_empty()).count(), 1);
}

#[test]
fn orders_need_a_seller() {
    let scene = bought(&[Node::new(Kind::Delete)]);
    let stage = Stage::new(&scene, 16);
    let End::Ended(Err(error)) = stage.process(Faults::none()) else { panic!("it is refused") };
    assert_eq!(error.code(), "order.no_seller");
    assert_eq!(stage.status(), None, "nothing was begun");
}

/// What nobody can tell may exist: it stays paid for, and is paid back when somebody settled it.
#[test]
fn what_is_uncertain_stays_paid() {
    let scene = bought(&[Node::new(Kind::Create).of_type("toy_blind")]);
    let stage = market(&scene, 17, NO_TYPE);
    stage.world.fail("toy_blind.n0", "create", Fault::LostBefore);
    assert_eq!(stage.process(Faults::none()).report().status, RunStatus::Stuck);
    check_money(&stage, "nobody can tell");
    let sold = sales(&stage);
    assert!(sold.values().flat_map(|order| order.lines.values()).all(|line| line.refunds.is_empty()));
}

/// The journal names what is ordered by ids and amounts alone.
#[test]
fn facts_about_orders_are_told_in_order() {
    let stage = market(&bought(&[Node::new(Kind::Create)]), 18, NO_TYPE);
    stage.process(Faults::none()).report();
    let names: Vec<&str> = (stage.journal().iter())
        .filter_map(|entry| match &entry.fact {
            Fact::Order { fact } => Some(fact.name()),
            _ => None,
        })
        .collect();
    assert_eq!(names, ["accepted", "placing", "placed", "paying", "paid", "delivered"]);
    let accepted = stage.journal().into_iter().find_map(|entry| match entry.fact {
        Fact::Order { fact: OrderFact::Accepted { orders, .. } } => Some(orders),
        _ => None,
    });
    let orders = accepted.expect("what was accepted");
    assert_eq!((orders[0].lines.len(), orders[0].lines[0].purpose), (1, Purpose::Create));
    assert_eq!(orders[0].key.parse::<RunId>().ok(), Some(stage.run));
}
