use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    fmt,
    sync::Arc,
};

use super::{Observation, ObservationKind, Options, Problem, functions::Pattern};

/// What one evaluation shares between its calls: options, what is left of the budget, compiled patterns.
pub struct Context<'a> {
    options: Options<'a>,
    elements_left: Cell<u64>,
    text_left: Cell<u64>,
    observed: Cell<u32>,
    patterns: RefCell<HashMap<Arc<str>, Pattern>>,
}

impl<'a> Context<'a> {
    /// Returns a context with the whole budget.
    pub fn new(options: Options<'a>) -> Self {
        Self {
            options,
            elements_left: Cell::new(options.budget.elements),
            text_left: Cell::new(options.budget.text_bytes),
            observed: Cell::new(0),
            patterns: RefCell::default(),
        }
    }

    /// Returns the options.
    pub fn options(&self) -> &Options<'a> {
        &self.options
    }

    /// Takes room for `count` elements of collections from the budget.
    ///
    /// # Errors
    /// `eval.budget` when there is not so much left; then there is none left.
    pub fn spend_elements(&self, count: usize) -> Result<(), Problem> {
        take(&self.elements_left, count as u64)
            .map_err(|()| over("elements of collections", self.options.budget.elements))
    }

    /// Takes room for `bytes` of text from the budget.
    ///
    /// # Errors
    /// `eval.budget` when there is not so much left; then there is none left.
    pub fn spend_text(&self, bytes: usize) -> Result<(), Problem> {
        take(&self.text_left, bytes as u64).map_err(|()| over("bytes of text", self.options.budget.text_bytes))
    }

    /// Looks at the world. `None` while it must not be known yet.
    pub fn observe(&self, kind: ObservationKind) -> Option<String> {
        let ordinal = self.observed.get();
        self.observed.set(ordinal + 1);
        self.options.world.observe(Observation { kind, ordinal })
    }

    /// Returns how often the world was looked at.
    pub(in crate::template::eval) fn observed(&self) -> u32 {
        self.observed.get()
    }

    /// Goes back to an earlier number of looks: what was seen since is not used.
    pub(in crate::template::eval) fn forget_observed(&self, count: u32) {
        self.observed.set(count);
    }

    /// Returns the compiled form of a regular expression; each is compiled once per evaluation.
    ///
    /// # Errors
    /// What is wrong with it, or `eval.budget` when it would be too large.
    pub(in crate::template::eval) fn pattern(&self, text: &Arc<str>) -> Result<Pattern, Problem> {
        /// Patterns that are kept; expressions with more of them make them anew.
        const MOST: usize = 64;
        if let Some(pattern) = self.patterns.borrow().get(text) {
            return Ok(pattern.clone());
        }
        let pattern = Pattern::compile(text, self.options.budget.pattern_bytes)?;
        let mut patterns = self.patterns.borrow_mut();
        if patterns.len() >= MOST {
            patterns.clear();
        }
        patterns.insert(Arc::clone(text), pattern.clone());
        Ok(pattern)
    }
}

fn take(left: &Cell<u64>, amount: u64) -> Result<(), ()> {
    match left.get().checked_sub(amount) {
        Some(rest) => {
            left.set(rest);
            Ok(())
        }
        None => {
            left.set(0);
            Err(())
        }
    }
}

fn over(what: &str, limit: u64) -> Problem {
    Problem::budget(format!("more than {limit} {what}"))
        .help("make the collections or texts smaller, or have the host raise the budget")
}

impl fmt::Debug for Context<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("elements_left", &self.elements_left.get())
            .field("text_left", &self.text_left.get())
            .finish_non_exhaustive()
    }
}
