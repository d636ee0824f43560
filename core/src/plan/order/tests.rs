use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::plan::{JoinId, Level, Need};

/// `a: make delete first wants b had c` and so on, in the order of the letters; joins are told at the end.
fn show(text: &[&str]) -> String {
    let names: Vec<&str> = text.iter().filter_map(|line| line.split(':').next()).collect();
    let number = |name: &str| names.iter().position(|other| *other == name).expect("a known item") as u32;
    let items: Vec<Item> = text
        .iter()
        .map(|line| {
            let mut item = Item::default();
            let mut list = "";
            for word in line.split_once(':').expect("a colon").1.split_whitespace() {
                match word {
                    "make" => item.make = true,
                    "delete" => item.delete = true,
                    "first" => item.create_first = true,
                    "checked" => item.checked = true,
                    "whole" => item.whole = true,
                    "wants" | "had" => list = word,
                    name if list == "wants" => item.wants.push(number(name)),
                    name => item.had.push(number(name)),
                }
            }
            item
        })
        .collect();
    match order(&items) {
        Ok(Sequence { steps, joins }) => {
            let word = |step: &Ordered| {
                let half = if step.half == Half::Make { "+" } else { "-" };
                format!("{half}{}", names[step.item as usize])
            };
            let list = |needs: &[Need], joins: &[JoinId]| {
                let needs = needs.iter().map(|need| word(&steps[need.step.0 as usize]));
                let words: Vec<String> = needs.chain(joins.iter().map(|join| format!("j{}", join.0))).collect();
                if words.is_empty() { String::new() } else { format!("({})", words.join(" ")) }
            };
            let shown = steps.iter().map(|step| format!("{}{}", word(step), list(&step.needs, &step.joins)));
            let joins =
                (0..).zip(&joins).map(|(at, join): (usize, _)| format!("j{at}{}", list(&join.needs, &join.joins)));
            shown.chain(joins).collect::<Vec<_>>().join(" ")
        }
        Err(circle) => {
            format!("circle {}", circle.iter().map(|idx| names[*idx as usize]).collect::<Vec<_>>().join(" "))
        }
    }
}

#[test]
fn makes_follow_what_they_use_and_deletes_go_the_other_way() {
    assert_eq!(show(&["a: make", "b: make wants a", "c: make wants a b"]), "+a +b(+a) +c(+a +b)");
    assert_eq!(show(&["a: delete", "b: delete had a", "c: delete had b"]), "-c -b(-c) -a(-b)");
}

#[test]
fn unchanged_items_pass_the_wait_on() {
    assert_eq!(show(&["a: make", "b: wants a", "c: wants b", "d: make wants c"]), "+a +d(+a)");
    assert_eq!(
        show(&["a: make delete", "b: had a wants a", "c: make delete wants b had b"]),
        "-c -a(-c) +a(-a) +c(-c +a)"
    );
}

#[test]
fn replacing_both_deletes_the_dependent_first() {
    let expect = "-b -a(-b) +a(-a) +b(-b +a)";
    assert_eq!(show(&["a: make delete", "b: make delete wants a had a"]), expect);
}

#[test]
fn replacing_both_create_first() {
    let text = show(&["a: make delete first", "b: make delete first wants a had a"]);
    assert_eq!(text, "+a +b(+a) -b(+b) -a(+a +b -b)");
}

#[test]
fn an_old_object_waits_for_the_update_of_its_user() {
    assert_eq!(show(&["a: make delete first", "b: make wants a had a"]), "+a +b(+a) -a(+a +b)");
    assert_eq!(show(&["a: delete", "b: make had a"]), "+b -a(+b)");
}

#[test]
fn a_wish_that_closes_a_circle_is_dropped() {
    // `c` stops using `a`, but can change only after `b` was replaced, which needs `a` gone.
    let text = show(&["a: delete", "b: make delete wants had", "c: make wants b had a"]);
    assert_eq!(text, "-b +b(-b) +c(+b) -a(+c)");
    let text = show(&["a: delete had b", "b: make delete", "c: make wants b had a"]);
    assert_eq!(text, "-a -b(-a) +b(-b) +c(+b)");
}

#[test]
fn a_trigger_does_not_hold_back_the_delete() {
    assert_eq!(show(&["a: make", "b: make delete wants a"]), "+a -b +b(+a -b)");
}

#[test]
fn whoever_uses_a_checked_item_waits_for_the_check() {
    let item = |wants: Vec<u32>, checked| Item { make: true, wants, checked, ..Item::default() };
    let ordered = order(&[item(vec![], true), item(vec![0], false), item(vec![1], false)]).expect("an order");
    let levels: Vec<Level> = ordered.steps.iter().flat_map(|step| &step.needs).map(|need| need.level).collect();
    assert_eq!(levels, [Level::Done, Level::Ready]);
}

#[test]
fn circles_are_named() {
    assert_eq!(show(&["a: make wants b", "b: make wants c", "c: make wants a"]), "circle a b c");
}

#[test]
fn long_chains_do_not_recurse() {
    let chain = (0..100_000_u32).map(|idx| Item {
        make: idx == 0 || idx == 99_999,
        wants: idx.checked_sub(1).into_iter().collect(),
        ..Item::default()
    });
    let chain: Vec<Item> = chain.collect();
    let ordered = order(&chain).expect("an order");
    assert_eq!(ordered.steps.iter().map(|step| step.item).collect::<Vec<_>>(), [0, 99_999]);
    assert_eq!((ordered.steps[1].needs.len(), ordered.joins.len()), (1, 0));
}

#[test]
fn all_of_a_block_is_waited_for_by_way_of_a_join() {
    let both = ["a: make", "b: make", "g: wants a b", "x: make wants g", "y: make wants g a"];
    assert_eq!(show(&both), "+a +b +x(j0) +y(+a j0) j0(+a +b)");
    // A join saves words or is not there.
    assert_eq!(show(&["a: make", "b: make", "g: wants a b", "x: make wants g"]), "+a +b +x(+a +b)");
    assert_eq!(show(&["a: make", "b:", "g: wants a b", "x: make wants g", "y: make wants g"]), "+a +x(+a) +y(+a)");
    assert_eq!(show(&["a: make", "b: make", "g: wants a b", "x: wants g", "y: make"]), "+a +b +y");
    // What is unchanged and used by many is one, too.
    assert_eq!(
        show(&["a: make", "b: make", "c: wants a b", "x: make wants c", "y: make wants c"]),
        "+a +b +x(j0) +y(j0) j0(+a +b)"
    );
    // Joins of joins.
    assert_eq!(
        show(&[
            "a: make",
            "b: make",
            "g: wants a b",
            "h: wants g c",
            "c: make",
            "x: make wants h",
            "y: make wants h g"
        ]),
        "+a +b +c +x(j1) +y(j0 j1) j0(+a +b) j1(+c j0)"
    );
}

#[test]
fn all_of_a_block_goes_after_whoever_used_it() {
    assert_eq!(
        show(&["a: delete", "b: delete", "g: whole had a b", "x: delete had g", "y: delete had g"]),
        "-x -y -a(j0) -b(j0) j0(-x -y)"
    );
    // Replaced objects go when the new ones are in use, removed ones when nobody uses them.
    assert_eq!(
        show(&["a: make delete first", "b: make delete first", "g: wants a b", "x: make wants g", "y: make wants g"]),
        "+a +b +x(j0) +y(j0) -a(+a j1) -b(+b j1) j0(+a +b) j1(+x +y)"
    );
    assert_eq!(
        show(&["a: delete", "b: delete", "g: whole had a b", "x: make had g", "y: make had g"]),
        "+x +y -a(j0) -b(j0) j0(+x +y)"
    );
}

#[test]
fn what_is_only_believed_is_no_circle() {
    // Two blocks that each refer to all of the other one: records of different times.
    let text = show(&["a: delete had h", "b: delete had g", "g: whole had a", "h: whole had b"]);
    assert_eq!(text, "-a -b");
    // Rows that were made with each other, and nothing is done to them.
    let text = show(&["a: had b", "b: had a c", "c: delete", "x: delete had a"]);
    assert_eq!(text, "-x -c(-x)");
    assert_eq!(show(&["a: delete had b", "b: delete had a"]), "circle a b");
    // An unchanged item between two that wait for each other is no way out.
    assert_eq!(show(&["a: make wants m", "m: wants n", "n: wants b", "b: make wants a"]), "circle a b");
}

#[test]
fn words_grow_with_references() {
    let count = |size: u32| {
        let member = |_| Item { make: true, delete: true, create_first: true, ..Item::default() };
        let user = |_| Item { make: true, wants: vec![size], had: vec![size + 1], ..Item::default() };
        let group = Item { wants: (0..size).collect(), ..Item::default() };
        let whole = Item { had: (0..size).collect(), whole: true, ..Item::default() };
        let items: Vec<Item> = (0..size).map(member).chain([group, whole]).chain((0..size).map(user)).collect();
        let Sequence { steps, joins } = order(&items).expect("an order");
        let steps: usize = steps.iter().map(|step| step.needs.len() + step.joins.len()).sum();
        steps + joins.iter().map(|join| join.needs.len() + join.joins.len()).sum::<usize>()
    };
    assert_eq!(count(200) * 10, count(2000));
}

/// Where each step is reached from, found by following references one by one.
fn naive(items: &[Item]) -> BTreeMap<(u32, Half), BTreeSet<(u32, Half)>> {
    fn ends(items: &[Item], from: &[u32], next: fn(&Item) -> &[u32], stops: fn(&Item) -> bool) -> BTreeSet<u32> {
        let through = |idx: &u32| {
            let item = &items[*idx as usize];
            if stops(item) { BTreeSet::from([*idx]) } else { ends(items, next(item), next, stops) }
        };
        from.iter().flat_map(through).collect()
    }
    let mut needs: BTreeMap<(u32, Half), BTreeSet<(u32, Half)>> = BTreeMap::new();
    let mut add = |from, to| needs.entry(from).or_default().extend([to]);
    for (idx, item) in (0..).zip(items) {
        let at = |idx: u32| &items[idx as usize];
        if item.make {
            for used in ends(items, &item.wants, |item| &item.wants, |item| item.make) {
                add((idx, Half::Make), (used, Half::Make));
                if at(used).create_first {
                    add((used, Half::Delete), (idx, Half::Make));
                }
            }
        }
        if item.make && !item.delete {
            for old in ends(items, &item.had, |item| if item.whole { &item.had } else { &[] }, |item| !item.whole) {
                if at(old).leaves() {
                    add((old, Half::Delete), (idx, Half::Make));
                }
            }
        }
        if item.delete {
            for base in ends(items, &item.had, |item| &item.had, |item| item.delete) {
                add((base, Half::Delete), (idx, Half::Delete));
            }
        }
        if item.make && item.delete {
            let (first, then) = if item.create_first { (Half::Make, Half::Delete) } else { (Half::Delete, Half::Make) };
            add((idx, then), (idx, first));
        }
    }
    needs
}

fn items() -> impl Strategy<Value = Vec<Item>> {
    let item = (0..8_u8, prop::collection::vec(any::<u8>(), 0..4), prop::collection::vec(any::<u8>(), 0..4));
    prop::collection::vec(item, 1..12).prop_map(|drafts| {
        let earlier = |at: usize, list: &[u8]| -> Vec<u32> {
            let list: BTreeSet<u32> =
                list.iter().filter(|_| at > 0).map(|other| (usize::from(*other) % at) as u32).collect();
            list.into_iter().collect()
        };
        let item = |(at, (kind, wants, had)): (usize, &(u8, Vec<u8>, Vec<u8>))| {
            let (make, delete) = (matches!(kind, 0 | 1 | 3 | 4), matches!(kind, 2..=4));
            Item {
                make,
                delete,
                create_first: *kind == 4,
                whole: *kind == 5,
                checked: false,
                wants: earlier(at, wants),
                had: earlier(at, had),
            }
        };
        drafts.iter().enumerate().map(item).collect()
    })
}

proptest! {
    /// Joins say the same in fewer words: no step waits for more or less than it would one by one.
    #[test]
    fn joins_change_nothing(items in items()) {
        let expect = naive(&items);
        let Ok(Sequence { steps, joins }) = order(&items) else { return Ok(()) };
        let mut found: BTreeMap<(u32, Half), BTreeSet<(u32, Half)>> = BTreeMap::new();
        let mut word_count = 0;
        for step in &steps {
            word_count += step.needs.len() + step.joins.len();
            let mut needs = step.needs.clone();
            let mut open = step.joins.clone();
            while let Some(join) = open.pop() {
                needs.extend(&joins[join.0 as usize].needs);
                open.extend(&joins[join.0 as usize].joins);
            }
            let set: BTreeSet<(u32, Half)> = needs.iter().map(|need| &steps[need.step.0 as usize]).map(|step| (step.item, step.half)).collect();
            if !set.is_empty() {
                found.insert((step.item, step.half), set);
            }
        }
        word_count += joins.iter().map(|join| join.needs.len() + join.joins.len()).sum::<usize>();
        let dropped = |from: &(u32, Half)| expect[from].iter().filter(|to| !found.get(from).is_some_and(|set| set.contains(to))).count();
        let all_there = expect.keys().all(|from| dropped(from) == 0);
        prop_assert!(found.iter().all(|(from, set)| set.is_subset(expect.get(from).unwrap_or(&BTreeSet::new()))), "{found:?} {expect:?}");
        prop_assert!(all_there || has_circle(&expect), "{found:?} {expect:?}");
        let references: usize = items.iter().map(|item| 2 * item.wants.len() + 2 * item.had.len() + 1).sum();
        prop_assert!(word_count <= references);
    }
}

fn has_circle(needs: &BTreeMap<(u32, Half), BTreeSet<(u32, Half)>>) -> bool {
    let mut left: BTreeSet<(u32, Half)> = needs.keys().copied().collect();
    loop {
        let free = |step: &(u32, Half)| !needs[step].iter().any(|needed| left.contains(needed));
        let Some(step) = left.iter().copied().find(|step| free(step)) else { return !left.is_empty() };
        left.remove(&step);
    }
}
