use std::{collections::BTreeMap, sync::Arc};

use crate::{
    plan::{Action, Plan, RowUpdate, StepAction},
    state::{Amount, ObjectId, Row, Uses},
    value::Value,
};

/// Says what an object of a type uses: the type, its provider, the attributes. Nothing where nobody knows the type.
pub type Ask<'a> = dyn Fn(&str, &str, &Value) -> Uses + 'a;

/// What an instance adds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Want {
    /// The instance.
    pub address: Arc<str>,
    /// How much, by dimension.
    pub uses: Uses,
}

/// What a plan uses at most while it is carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// What the stack uses before any step: its rows, with what the plan found out of them.
    pub base: Uses,
    /// What is added at most at any moment, rollback included. What goes is not taken off: it may go last, or stay.
    pub growth: Uses,
    /// Who adds how much, in the order of the plan.
    pub wants: Vec<Want>,
    /// Whether all of it could be counted.
    pub is_exact: bool,
}

impl Claim {
    /// Returns what a plan uses, on top of these rows of its stack.
    ///
    /// An object that is replaced by one that is made first counts twice; one that goes first counts as the larger of both.
    /// What was changed behind the engine's back is no growth: it is there already.
    ///
    /// # Complexity
    /// O(rows and steps), and as many questions to types.
    pub fn of(plan: &Plan, rows: &[Row], ask: &Ask<'_>) -> Self {
        let mut before: BTreeMap<ObjectId, Uses> =
            rows.iter().map(|row| (row.object_id, uses_of_row(row, ask))).collect();
        let mut adopted: BTreeMap<ObjectId, Want> = BTreeMap::new();
        for update in &plan.row_updates {
            match update {
                RowUpdate::Remove(object) => drop(before.remove(object)),
                RowUpdate::Put(row) => {
                    let uses = uses_now(row, ask);
                    match before.get_mut(&row.object_id) {
                        Some(known) => *known = uses,
                        None => {
                            let want = Want { address: row.address.to_string().into(), uses };
                            adopted.insert(row.object_id, want);
                        }
                    }
                }
            }
        }
        let (mut base, mut growth) = (Uses::default(), Uses::default());
        for uses in before.values() {
            // The most that can be counted is beyond every limit.
            let _ = base.add_all(uses);
        }
        let was_empty = before.is_empty();
        before.extend(adopted.iter().map(|(object, want)| (*object, want.uses.clone())));
        let mut wants: Vec<Want> = adopted.into_values().collect();
        for step in &plan.steps {
            let (Some(planned), Some(change)) = (&step.planned, plan.change(step.change)) else { continue };
            let replaced = step.prior.or(change.prior_object).filter(|_| change.action == Action::Replace);
            let known = match step.action {
                StepAction::Create => replaced,
                StepAction::Update => step.object_id,
                _ => continue,
            };
            let after = with_own(ask(&change.type_name, &change.provider, planned), &change.type_name);
            let uses = match known.and_then(|object| before.get(&object)) {
                Some(before) => after.beyond(before),
                None => after,
            };
            wants.push(Want { address: step.address.to_string().into(), uses });
        }
        wants.retain(|want| !want.uses.is_empty());
        let mut is_exact = true;
        for want in &wants {
            is_exact &= growth.add_all(&want.uses);
        }
        if !was_empty {
            let _ = base.add(&Arc::from(STACKS), Amount::Known(1));
        } else if growth.of(RESOURCES) != Amount::NONE {
            is_exact &= growth.add(&Arc::from(STACKS), Amount::Known(1));
        }
        Self { base, growth, wants, is_exact }
    }

    /// Returns what a stack without objects claims that is given these rows.
    pub fn of_rows(rows: &[Row], ask: &Ask<'_>) -> Self {
        let want = |row: &Row| Want { address: row.address.to_string().into(), uses: uses_of_row(row, ask) };
        let wants: Vec<Want> = rows.iter().map(want).collect();
        let (mut growth, mut is_exact) = (Uses::default(), true);
        for want in &wants {
            is_exact &= growth.add_all(&want.uses);
        }
        if !rows.is_empty() {
            is_exact &= growth.add(&Arc::from(STACKS), Amount::Known(1));
        }
        Self { base: Uses::default(), growth, wants, is_exact }
    }
}

const STACKS: &str = "stacks";
const RESOURCES: &str = "resources";

/// Returns what a stack with these rows uses. A row says it itself; one that was written before rows did is asked about.
pub fn uses_of_rows(rows: &[Row], ask: &Ask<'_>) -> Uses {
    let mut uses = Uses::default();
    for row in rows {
        let _ = uses.add_all(&uses_of_row(row, ask));
    }
    if !rows.is_empty() {
        let _ = uses.add(&Arc::from(STACKS), Amount::Known(1));
    }
    uses
}

fn uses_of_row(row: &Row, ask: &Ask<'_>) -> Uses {
    match row.uses.is_empty() {
        true => uses_now(row, ask),
        false => with_own(row.uses.clone(), &row.type_name),
    }
}

fn uses_now(row: &Row, ask: &Ask<'_>) -> Uses {
    let asked = ask(&row.type_name, &row.provider, &row.attributes);
    with_own(if asked.is_empty() { row.uses.clone() } else { asked }, &row.type_name)
}

/// Adds what the engine counts.
fn with_own(mut uses: Uses, type_name: &str) -> Uses {
    for dimension in [RESOURCES.into(), format!("{RESOURCES}.{type_name}").into()] {
        let _ = uses.add(&dimension, Amount::Known(1));
    }
    uses
}
