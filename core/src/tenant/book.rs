use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::{
    error::Result,
    state::{ChainHash, Lineage, RunId, StackRecord, Uses, failure},
};

/// Which rows of a stack were counted: any change of them has another serial.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mark {
    /// The stack's history.
    pub lineage: Lineage,
    /// Which state of it.
    pub serial: u64,
}

impl From<&StackRecord> for Mark {
    fn from(record: &StackRecord) -> Self {
        Self { lineage: record.lineage, serial: record.serial }
    }
}

/// What a run may add until it is settled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpenClaim {
    /// The run, which may not have begun.
    pub run: RunId,
    /// What it adds at most.
    pub growth: Uses,
}

/// What a stack counts as.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Holding {
    /// What it uses; before the run where one is open.
    pub uses: Uses,
    /// Which rows that was counted from; `None` where it has none, and while a run is open.
    pub mark: Option<Mark>,
    /// The run that may add to it.
    pub open: Option<OpenClaim>,
}

/// An entry of a tenant's quota ledger. Part of what is stored; never a secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum QuotaFact {
    /// The first entry of a generation but the first: how the one before ended.
    Opened {
        /// The hash of its last entry.
        previous: ChainHash,
        /// What each stack counts as, by name.
        stacks: BTreeMap<Arc<str>, Holding>,
    },
    /// A run is about to begin. It counts as `base` and `growth` together until it is settled.
    Reserved {
        /// The stack.
        stack: Arc<str>,
        /// The run.
        run: RunId,
        /// What the stack uses before.
        base: Uses,
        /// What the run adds at most.
        growth: Uses,
    },
    /// A stack was counted.
    Settled {
        /// The stack.
        stack: Arc<str>,
        /// The run that it was counted after, where that is why.
        run: Option<RunId>,
        /// Which rows were counted; `None` where the stack is not there.
        mark: Option<Mark>,
        /// What it uses.
        uses: Uses,
    },
    /// The last entry of a generation: the next one goes on.
    Closed {},
}

/// What a tenant's stacks count as: the fold of a generation of its quota ledger.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Book {
    /// The stacks, by name.
    pub stacks: BTreeMap<Arc<str>, Holding>,
    /// Whether the next generation goes on.
    pub is_closed: bool,
}

impl Book {
    /// Returns the book that these entries make.
    ///
    /// # Errors
    /// `store.corrupt` for entries that nobody writes so.
    ///
    /// # Complexity
    /// O(entries), plus the stacks.
    pub fn of<'a>(facts: impl IntoIterator<Item = &'a QuotaFact>) -> Result<Self> {
        let mut book = Self::default();
        for (number, fact) in facts.into_iter().enumerate() {
            if book.is_closed || (number > 0 && matches!(fact, QuotaFact::Opened { .. })) {
                return Err(failure::corrupt("a quota ledger goes on where it cannot").context("entry", number));
            }
            book.apply(fact);
        }
        Ok(book)
    }

    /// Takes an entry.
    pub fn apply(&mut self, fact: &QuotaFact) {
        match fact {
            QuotaFact::Opened { stacks, .. } => self.stacks.clone_from(stacks),
            QuotaFact::Reserved { stack, run, base, growth } => {
                let open = Some(OpenClaim { run: *run, growth: growth.clone() });
                self.stacks.insert(Arc::clone(stack), Holding { uses: base.clone(), mark: None, open });
            }
            QuotaFact::Settled { stack, mark: None, uses, .. } if uses.is_empty() => drop(self.stacks.remove(stack)),
            QuotaFact::Settled { stack, mark, uses, .. } => {
                self.stacks.insert(Arc::clone(stack), Holding { uses: uses.clone(), mark: *mark, open: None });
            }
            QuotaFact::Closed {} => self.is_closed = true,
        }
    }

    /// Returns what all stacks use, and what their runs may add.
    pub fn totals(&self) -> (Uses, Uses) {
        self.totals_without(None)
    }

    pub(super) fn totals_without(&self, stack: Option<&str>) -> (Uses, Uses) {
        let (mut used, mut reserved) = (Uses::default(), Uses::default());
        for (_, holding) in self.stacks.iter().filter(|(name, _)| stack != Some(name)) {
            // The most that can be counted is beyond every limit.
            let _ = used.add_all(&holding.uses);
            if let Some(open) = &holding.open {
                let _ = reserved.add_all(&open.growth);
            }
        }
        (used, reserved)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::Amount;

    fn uses(count: u64) -> Uses {
        [("resources".into(), Amount::Known(count))].into_iter().collect()
    }

    fn reserved(stack: &str, run: u128, base: u64, growth: u64) -> QuotaFact {
        QuotaFact::Reserved { stack: stack.into(), run: RunId::from_u128(run), base: uses(base), growth: uses(growth) }
    }

    fn settled(stack: &str, run: Option<u128>, serial: Option<u64>, count: u64) -> QuotaFact {
        let mark = serial.map(|serial| Mark { lineage: Lineage::from_u128(1), serial });
        QuotaFact::Settled { stack: stack.into(), run: run.map(RunId::from_u128), mark, uses: uses(count) }
    }

    #[test]
    fn a_stack_counts_as_all_that_it_may_become_until_it_is_settled() {
        let facts = [settled("blog", None, Some(3), 4), reserved("shop", 1, 2, 5)];
        let mut book = Book::of(&facts).expect("a book");
        assert_eq!(book.totals(), (uses(6), uses(5)));
        assert_eq!(book.totals_without(Some("shop")), (uses(4), uses(0)));
        book.apply(&settled("shop", Some(1), Some(9), 3));
        assert_eq!(book.totals(), (uses(7), uses(0)));
        book.apply(&reserved("shop", 2, 3, 1));
        book.apply(&settled("shop", Some(2), None, 0));
        assert_eq!((book.totals().0, book.stacks.len()), (uses(4), 1));
    }

    #[test]
    fn the_next_generation_begins_where_the_last_ended() {
        let mut facts = vec![settled("blog", None, Some(3), 4), reserved("shop", 1, 2, 5)];
        let before = Book::of(&facts).expect("a book");
        facts.push(QuotaFact::Closed {});
        assert!(Book::of(&facts).expect("a book").is_closed);
        let opened = QuotaFact::Opened { previous: ChainHash::default(), stacks: before.stacks.clone() };
        assert_eq!(Book::of(std::slice::from_ref(&opened)).expect("a book"), before);
        for wrong in [vec![QuotaFact::Closed {}, reserved("a", 1, 0, 1)], vec![reserved("a", 1, 0, 1), opened]] {
            assert_eq!(Book::of(&wrong).expect_err("nobody writes so").code(), "store.corrupt");
        }
    }

    #[test]
    fn entries_look_as_documented() {
        let book = Book::of(&[settled("blog", None, Some(3), 4), reserved("shop", 1, 2, 5)]).expect("a book");
        let facts = [
            reserved("shop", 1, 2, 5),
            settled("shop", Some(1), Some(9), 3),
            QuotaFact::Closed {},
            QuotaFact::Opened { previous: ChainHash::default(), stacks: book.stacks },
        ];
        let texts: Vec<String> = facts.iter().map(|fact| serde_json::to_string(fact).expect("JSON")).collect();
        insta::assert_snapshot!(texts.join("\n"), @r#"
        {"type":"reserved","stack":"shop","run":"00000000-0000-0000-0000-000000000001","base":{"resources":2},"growth":{"resources":5}}
        {"type":"settled","stack":"shop","run":"00000000-0000-0000-0000-000000000001","mark":{"lineage":"00000000-0000-0000-0000-000000000001","serial":9},"uses":{"resources":3}}
        {"type":"closed"}
        {"type":"opened","previous":"0000000000000000000000000000000000000000000000000000000000000000","stacks":{"blog":{"uses":{"resources":4},"mark":{"lineage":"00000000-0000-0000-0000-000000000001","serial":3},"open":null},"shop":{"uses":{"resources":2},"mark":null,"open":{"run":"00000000-0000-0000-0000-000000000001","growth":{"resources":5}}}}}
        "#);
        for (fact, text) in facts.iter().zip(&texts) {
            assert_eq!(serde_json::from_str::<QuotaFact>(text).expect("a fact"), *fact);
        }
    }
}
