use std::sync::Arc;

use super::Level;
use crate::graph::{Graph, NodeIdx};

/// What is to be done about one object, reduced to what its order depends on.
///
/// Objects are numbered by their place in the list; a replacement is one item that is both made and deleted.
#[derive(Clone, Debug, Default)]
pub(super) struct Item {
    /// It is created, updated or read.
    pub make: bool,
    /// Its old object is deleted.
    pub delete: bool,
    /// It is replaced, and the new object is made first.
    pub create_first: bool,
    /// Conditions are checked after it was made; whoever uses it waits for them too.
    pub checked: bool,
    /// Items that the template says it uses; sorted.
    pub wants: Vec<u32>,
    /// Items whose objects it was made with, as state remembers; sorted.
    pub had: Vec<u32>,
}

/// One half of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Half {
    /// The delete of its old object.
    Delete,
    /// The create, update or read.
    Make,
}

/// A step in its order: which item, which half, and what it waits for (places in the order, each with how far).
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Ordered {
    pub item: u32,
    pub half: Half,
    pub needs: Vec<(u32, Level)>,
}

/// Puts the steps of all items into an order in which each comes after what it needs.
///
/// Rules, in words:
/// * what is made waits for what it uses; what is unchanged in between passes the wait on;
/// * what is deleted waits until everything that was made with it is deleted, or no longer uses it;
/// * a replacement deletes first, or makes first, as the item says.
///
/// "No longer uses it" is a wish, not a law: where it would close a circle, it is dropped.
///
/// # Errors
/// The items of a circle, in the order in which they wait for one another.
///
/// # Complexity
/// O((n + e) log n), n items, e pairs of items that wait for each other.
pub(super) fn order(items: &[Item]) -> Result<Vec<Ordered>, Vec<u32>> {
    let mut steps = Steps::new(items);
    let wants = Frontier::new(items, |item| &item.wants, |item| item.make);
    let had = Frontier::new(items, |item| &item.had, |item| item.delete);
    for (idx, item) in (0_u32..).zip(items) {
        if item.make {
            for (used, used_item) in wants.of(idx, items) {
                steps.need((idx, Half::Make), (used, Half::Make), level_of(used_item), Force::Law);
                if used_item.create_first {
                    // The old one goes only when the new one is in use.
                    steps.need((used, Half::Delete), (idx, Half::Make), level_of(item), Force::Wish);
                }
            }
            if !item.delete {
                for (old, old_item) in at(items, &item.had) {
                    if old_item.delete && (!old_item.make || old_item.create_first) {
                        steps.need((old, Half::Delete), (idx, Half::Make), level_of(item), Force::Wish);
                    }
                }
            }
        }
        if item.delete {
            for (base, _) in had.of(idx, items) {
                steps.need((base, Half::Delete), (idx, Half::Delete), Level::Done, Force::Law);
            }
        }
        if item.make && item.delete {
            let (make, delete) = ((idx, Half::Make), (idx, Half::Delete));
            if item.create_first {
                steps.need(delete, make, level_of(item), Force::Law);
            } else {
                steps.need(make, delete, Level::Done, Force::Law);
            }
        }
    }
    steps.sequence()
}

/// Whether a need can be given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Force {
    Wish,
    Law,
}

/// The graph of steps under way.
struct Steps {
    graph: Graph<(u32, Half), (Level, Force)>,
    /// The node of each half of each item, if it has that half.
    nodes: Vec<[Option<NodeIdx>; 2]>,
}

impl Steps {
    fn new(items: &[Item]) -> Self {
        let mut graph = Graph::with_capacity(items.len(), items.len());
        let mut node = |idx: u32, half: Half, wanted: bool| wanted.then(|| graph.add_node((idx, half)));
        let nodes = (0_u32..)
            .zip(items)
            .map(|(idx, item)| [node(idx, Half::Delete, item.delete), node(idx, Half::Make, item.make)])
            .collect();
        Self { graph, nodes }
    }

    fn node(&self, (idx, half): (u32, Half)) -> Option<NodeIdx> {
        let [delete, make] = self.nodes.get(idx as usize)?;
        match half {
            Half::Delete => *delete,
            Half::Make => *make,
        }
    }

    fn need(&mut self, from: (u32, Half), needs: (u32, Half), level: Level, force: Force) {
        if let (Some(from), Some(needs)) = (self.node(from), self.node(needs)) {
            self.graph.merge_edge(from, needs, (level, force), |(have, strength), (level, force)| {
                *have = level.max(*have);
                *strength = force.max(*strength);
            });
        }
    }

    fn sequence(mut self) -> Result<Vec<Ordered>, Vec<u32>> {
        let order = match self.graph.topological_order() {
            Ok(order) => order,
            Err(_) => {
                self.graph.drop_soft_edges(|(_, force)| *force == Force::Wish);
                self.graph
                    .topological_order()
                    .map_err(|cycles| self.items_of(cycles.first().map_or(&[], |cycle| cycle.path())))?
            }
        };
        let mut place = vec![0_u32; order.len()];
        for (at, node) in (0_u32..).zip(&order) {
            if let Some(slot) = place.get_mut(node.index()) {
                *slot = at;
            }
        }
        let ordered = order.iter().filter_map(|&node| {
            let (item, half) = *self.graph.get(node)?;
            let needs =
                self.graph.needs(node).filter_map(|(needed, (level, _))| Some((*place.get(needed.index())?, *level)));
            let mut needs: Vec<(u32, Level)> = needs.collect();
            needs.sort_unstable();
            Some(Ordered { item, half, needs })
        });
        Ok(ordered.collect())
    }

    fn items_of(&self, path: &[NodeIdx]) -> Vec<u32> {
        let mut items: Vec<u32> = path.iter().filter_map(|&node| self.graph.get(node)).map(|(item, _)| *item).collect();
        items.dedup();
        items
    }
}

fn at<'a>(items: &'a [Item], places: &'a [u32]) -> impl Iterator<Item = (u32, &'a Item)> {
    places.iter().filter_map(|&idx| Some((idx, items.get(idx as usize)?)))
}

fn level_of(item: &Item) -> Level {
    if item.checked { Level::Done } else { Level::Ready }
}

/// For each item the nearest items along one relation that have a step; those without are looked through.
struct Frontier {
    sets: Vec<Arc<[u32]>>,
}

impl Frontier {
    fn new<'a>(items: &'a [Item], next: impl Fn(&'a Item) -> &'a [u32], stops: impl Fn(&'a Item) -> bool) -> Self {
        let mut sets: Vec<Option<Arc<[u32]>>> = vec![None; items.len()];
        let mut open = vec![false; items.len()];
        let mut stack: Vec<u32> = Vec::new();
        let through = |idx: u32| items.get(idx as usize).is_some_and(|item| !stops(item));
        for start in 0..items.len() as u32 {
            stack.push(start);
            while let Some(&idx) = stack.last() {
                let Some(item) = items.get(idx as usize).filter(|_| matches!(sets.get(idx as usize), Some(None)))
                else {
                    stack.pop();
                    continue;
                };
                if let Some(open_flag) = open.get_mut(idx as usize).filter(|flag| !**flag) {
                    *open_flag = true;
                    let height = stack.len();
                    let is_new = |other: &u32| through(*other) && open.get(*other as usize) == Some(&false);
                    stack.extend(next(item).iter().copied().filter(is_new));
                    if stack.len() > height {
                        continue;
                    }
                }
                // In a circle of unchanged items one set is still missing here; those items have no step that could wait.
                let direct = next(item);
                let set: Arc<[u32]> = if direct.iter().all(|other| !through(*other)) {
                    Arc::from(direct)
                } else {
                    let mut all: Vec<u32> = Vec::new();
                    for &other in direct {
                        match sets.get(other as usize) {
                            Some(Some(set)) if through(other) => all.extend(set.iter()),
                            _ if through(other) => {}
                            _ => all.push(other),
                        }
                    }
                    all.sort_unstable();
                    all.dedup();
                    Arc::from(all)
                };
                if let Some(slot) = sets.get_mut(idx as usize) {
                    *slot = Some(set);
                }
                stack.pop();
            }
        }
        Self { sets: sets.into_iter().map(Option::unwrap_or_default).collect() }
    }

    fn of<'a>(&'a self, idx: u32, items: &'a [Item]) -> impl Iterator<Item = (u32, &'a Item)> {
        at(items, self.sets.get(idx as usize).map_or(&[], |set| set))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `a: make delete first wants b had c` and so on, in the order of the letters.
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
                        "wants" | "had" => list = word,
                        name if list == "wants" => item.wants.push(number(name)),
                        name => item.had.push(number(name)),
                    }
                }
                item
            })
            .collect();
        match order(&items) {
            Ok(ordered) => {
                let word = |step: &Ordered| {
                    let half = if step.half == Half::Make { "+" } else { "-" };
                    format!("{half}{}", names[step.item as usize])
                };
                let steps: Vec<String> = ordered
                    .iter()
                    .map(|step| {
                        let needs: Vec<String> =
                            step.needs.iter().map(|(at, _)| word(&ordered[*at as usize])).collect();
                        if needs.is_empty() { word(step) } else { format!("{}({})", word(step), needs.join(" ")) }
                    })
                    .collect();
                steps.join(" ")
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
        assert_eq!(ordered[1].needs, [(0, Level::Done)]);
        assert_eq!(ordered[2].needs, [(1, Level::Ready)]);
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
        assert_eq!(ordered.iter().map(|step| step.item).collect::<Vec<_>>(), [0, 99_999]);
    }
}
