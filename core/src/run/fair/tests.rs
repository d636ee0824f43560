use std::{collections::BTreeMap, future::Future, pin::pin, sync::Arc, task::Poll};

use proptest::prelude::*;

use super::*;
use crate::state::StackKey;

fn name(text: &str) -> Arc<str> {
    Arc::from(text)
}

fn ask(turns: &mut Turns, tenant: &str, stack: &str, count: usize) -> Vec<Ticket> {
    (0..count).map(|_| turns.ask(&name(tenant), &name(stack))).collect()
}

/// Gives turns away one by one, each back before the next; returns whose they were.
fn order(turns: &mut Turns) -> Vec<String> {
    let mut all = Vec::new();
    while let Some(ticket) = turns.grant() {
        all.push(format!("{}/{} {}", ticket.tenant(), ticket.stack(), ticket.number()));
        turns.give_back();
    }
    all
}

#[test]
fn tenants_take_turns_and_so_do_their_stacks() {
    let mut turns = Turns::new(1);
    ask(&mut turns, "big", "one", 3);
    ask(&mut turns, "big", "two", 2);
    ask(&mut turns, "small", "it", 2);
    let expect = ["big/one 0", "small/it 5", "big/two 3", "small/it 6", "big/one 1", "big/two 4", "big/one 2"];
    assert_eq!(order(&mut turns), expect);
}

#[test]
fn a_weight_is_so_many_in_a_row() {
    let mut turns = Turns::new(1);
    turns.weight("big", 2);
    turns.weight("small", 0);
    ask(&mut turns, "big", "s", 4);
    ask(&mut turns, "small", "s", 3);
    assert_eq!(order(&mut turns), ["big/s 0", "big/s 1", "small/s 4", "big/s 2", "big/s 3", "small/s 5", "small/s 6"]);
}

#[test]
fn ten_thousand_do_not_keep_three_waiting() {
    let mut turns = Turns::new(1);
    ask(&mut turns, "big", "s", 10_000);
    (0..500).for_each(|_| {
        turns.grant().expect("a turn");
        turns.give_back();
    });
    ask(&mut turns, "small", "s", 3);
    let all = order(&mut turns);
    let places: Vec<usize> =
        all.iter().enumerate().filter(|(_, who)| who.starts_with("small")).map(|(place, _)| place).collect();
    assert_eq!(places, [1, 3, 5]);
}

#[derive(Clone, Debug)]
enum Act {
    Ask { tenant: u8, stack: u8 },
    Withdraw(prop::sample::Index),
    GiveBack,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => (0_u8..4, 0_u8..3).prop_map(|(tenant, stack)| Act::Ask { tenant, stack }),
        1 => any::<prop::sample::Index>().prop_map(Act::Withdraw),
        3 => Just(Act::GiveBack),
    ]
}

proptest! {
    /// Never above the slots, never idle while somebody waits, nobody passed by more than the weights of the others, first
    /// come first served within a stack, and everybody gets one in the end.
    #[test]
    fn nobody_starves(
        slots in 1_usize..4,
        weights in prop::collection::vec(1_u32..4, 4),
        acts in prop::collection::vec(act(), 1..200),
    ) {
        let mut turns = Turns::new(slots);
        for (tenant, weight) in weights.iter().enumerate() {
            turns.weight(format!("t{tenant}"), *weight);
        }
        let bound = |tenant: &str| -> u32 {
            weights.iter().enumerate().filter(|(at, _)| format!("t{at}") != tenant).map(|(_, weight)| *weight).sum()
        };
        // Who waits; how often others passed each tenant that waits.
        let mut waiting: BTreeMap<u64, Ticket> = BTreeMap::new();
        let mut passed: BTreeMap<String, u32> = BTreeMap::new();
        let mut held = 0;
        let end = std::iter::repeat_n(Act::GiveBack, 500);
        for act in acts.into_iter().chain(end) {
            match act {
                Act::Ask { tenant, stack } => {
                    let ticket = turns.ask(&name(&format!("t{tenant}")), &name(&format!("s{stack}")));
                    passed.entry(ticket.tenant().to_owned()).or_insert(0);
                    waiting.insert(ticket.number(), ticket);
                }
                Act::Withdraw(index) if !waiting.is_empty() => {
                    let number = *waiting.keys().nth(index.index(waiting.len())).expect("one");
                    let ticket = waiting.remove(&number).expect("it waits");
                    prop_assert!(turns.withdraw(&ticket) && !turns.withdraw(&ticket));
                    if !waiting.values().any(|other| other.tenant() == ticket.tenant()) {
                        passed.remove(ticket.tenant());
                    }
                }
                Act::Withdraw(_) => {}
                Act::GiveBack if held > 0 => {
                    turns.give_back();
                    held -= 1;
                }
                Act::GiveBack => {}
            }
            while let Some(ticket) = turns.grant() {
                held += 1;
                prop_assert!(waiting.remove(&ticket.number()).is_some(), "nobody waits with {ticket:?}");
                let is_first = waiting.values().all(|other| {
                    (other.tenant(), other.stack()) != (ticket.tenant(), ticket.stack()) || other.number() > ticket.number()
                });
                prop_assert!(is_first);
                passed.remove(ticket.tenant());
                for (tenant, count) in &mut passed {
                    *count += 1;
                    prop_assert!(*count <= bound(tenant), "{tenant} was passed {count} times");
                }
                if waiting.values().any(|other| other.tenant() == ticket.tenant()) {
                    passed.insert(ticket.tenant().to_owned(), 0);
                }
            }
            prop_assert_eq!(turns.held(), held);
            prop_assert!(held <= slots && (held == slots || waiting.is_empty()));
        }
        prop_assert!(waiting.is_empty() && held == 0);
    }
}

fn poll<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut std::task::Context::from_waker(std::task::Waker::noop()))
}

#[test]
fn a_place_that_is_given_up_is_nobodys() {
    let fair = Fair::new(1);
    let key = StackKey::new("acme", "shop");
    let first = match poll(pin!(fair.take(&key))) {
        Poll::Ready(turn) => turn,
        Poll::Pending => panic!("nobody has one"),
    };
    let mut last = pin!(fair.take(&key));
    {
        let mut given_up = pin!(fair.take(&key));
        assert!(poll(given_up.as_mut()).is_pending() && poll(last.as_mut()).is_pending());
        assert_eq!((fair.held_count(), fair.waiting_count()), (1, 2));
    }
    assert_eq!(fair.waiting_count(), 1);
    drop(first);
    let Poll::Ready(turn) = poll(last.as_mut()) else { panic!("it is its turn") };
    drop(turn);
    assert_eq!((fair.held_count(), fair.waiting_count()), (0, 0));
}

#[test]
fn a_turn_that_nobody_takes_goes_on_to_the_next() {
    let fair = Fair::new(1);
    let key = StackKey::new("acme", "shop");
    let Poll::Ready(first) = poll(pin!(fair.take(&key))) else { panic!("nobody has one") };
    let mut last = pin!(fair.take(&key));
    {
        let mut granted = pin!(fair.take(&key));
        assert!(poll(granted.as_mut()).is_pending() && poll(last.as_mut()).is_pending());
        // It has a turn from here on, and does not know.
        drop(first);
        assert_eq!((fair.held_count(), fair.waiting_count()), (1, 1));
    }
    assert_eq!((fair.held_count(), fair.waiting_count()), (1, 0));
    assert!(poll(last.as_mut()).is_ready());
    assert_eq!(fair.held_count(), 0);
}
