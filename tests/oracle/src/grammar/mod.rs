//! Expressions at random: seeded, and mostly of types that fit.
//!
//! A [`Grammar`] makes an expression of a wanted [`Ty`]: a literal, a name of the [`world`](crate::world), a call of a
//! function that returns such a thing, an operator, a conditional, a loop. Now and then it makes something of another
//! type, something sensitive, something unknown or null instead. Functions come from tables in `functions`, what they take
//! beyond types (patterns, dates, prefixes, formats, …) from `texts`.

mod forms;
mod functions;
mod leaves;
mod texts;

pub use functions::names as function_names;

use crate::random::Random;

/// A type that is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ty {
    /// Whatever comes.
    Any,
    /// A text.
    Str,
    /// A number.
    Num,
    /// A truth value.
    Bool,
    /// A list, set or tuple of texts.
    Strs,
    /// A list, set or tuple of numbers.
    Nums,
    /// A list, set or tuple of truth values.
    Bools,
    /// A list, set or tuple of anything.
    Seq,
    /// A set.
    Set,
    /// A map or object of texts.
    StrMap,
    /// A map or object of anything.
    Map,
    /// A list of objects.
    Objects,
    /// A list of lists.
    Lists,
}

const ALL: [Ty; 12] = [
    Ty::Str,
    Ty::Num,
    Ty::Bool,
    Ty::Strs,
    Ty::Nums,
    Ty::Bools,
    Ty::Seq,
    Ty::Set,
    Ty::StrMap,
    Ty::Map,
    Ty::Objects,
    Ty::Lists,
];

/// Makes expressions.
pub struct Grammar {
    random: Random,
    /// Names that loops around bind, with what they stand for.
    bound: Vec<(String, Ty)>,
    /// Functions in the order in which they are called next: all of them before any twice.
    deck: Vec<usize>,
}

impl Grammar {
    /// Returns a grammar that always makes the same expressions for the same seed.
    pub fn new(seed: u64) -> Self {
        Self { random: Random::new(seed), bound: Vec::new(), deck: Vec::new() }
    }

    /// Returns the next expression.
    pub fn next_expression(&mut self) -> String {
        self.bound.clear();
        let depth = 1 + self.random.below(4);
        // Every other one is about a function whose turn it is.
        if self.random.chance(50) {
            if self.deck.is_empty() {
                self.deck = (0..functions::TABLE.len()).collect();
                for idx in (1..self.deck.len()).rev() {
                    self.deck.swap(idx, self.random.below(idx + 1));
                }
            }
            let idx = self.deck.pop().unwrap_or(0);
            let call = self.call(idx, depth - 1);
            return if self.random.chance(25) { self.around(&call, depth) } else { call };
        }
        let ty = ALL[self.random.below(ALL.len())];
        self.expr(ty, depth)
    }

    /// Uses an expression in a form.
    fn around(&mut self, inner: &str, depth: usize) -> String {
        match self.random.below(9) {
            0 => format!("try({inner}, {})", self.expr(Ty::Any, 0)),
            1 => format!("can({inner})"),
            2 => format!("{inner} == {}", self.expr(Ty::Any, depth - 1)),
            3 => format!("[{inner}]"),
            4 => format!("{{ a = {inner} }}"),
            5 => format!("{} ? {inner} : {}", self.expr(Ty::Bool, 0), self.expr(Ty::Any, 0)),
            6 => format!("\"<${{{inner}}}>\""),
            7 => format!("{inner}[*]"),
            _ => format!("jsonencode({inner})"),
        }
    }

    /// Returns an expression of a type, mostly.
    fn expr(&mut self, ty: Ty, depth: usize) -> String {
        match self.random.below(100) {
            0..2 => {
                let other = ALL[self.random.below(ALL.len())];
                return self.expr_of(other, depth);
            }
            2..11 => return leaves::sensitive(ty, self),
            11..20 => return leaves::unknown(ty, self),
            20 => return leaves::null(ty, self),
            21..24 if depth > 0 => return format!("sensitive({})", self.expr(ty, depth - 1)),
            _ => {}
        }
        self.expr_of(ty, depth)
    }

    fn expr_of(&mut self, ty: Ty, depth: usize) -> String {
        let ty = match ty {
            Ty::Any => ALL[self.random.below(ALL.len())],
            ty => ty,
        };
        if depth == 0 || self.random.chance(15) {
            return self.leaf(ty);
        }
        match self.random.below(100) {
            0..40 => self.call_for(ty, depth - 1),
            40..50 => {
                let condition = self.expr(Ty::Bool, depth - 1);
                let (then, otherwise) = (self.expr(ty, depth - 1), self.expr(ty, depth - 1));
                format!("({condition} ? {then} : {otherwise})")
            }
            50..90 => self.form(ty, depth - 1),
            90..94 => {
                let (first, second) = (self.expr(ty, depth - 1), self.expr(ty, 0));
                format!("try({first}, {second})")
            }
            94..97 => {
                let key = self.random.of(&["a", "b", "k"]).to_owned();
                format!("{{ {key} = {} }}.{key}", self.expr(ty, depth - 1))
            }
            _ => {
                format!("[{}, {}][{}]", self.expr(ty, depth - 1), self.leaf(ty), self.random.of(&["0", "0", "1", "2"]))
            }
        }
    }

    fn leaf(&mut self, ty: Ty) -> String {
        let fitting: Vec<String> =
            self.bound.iter().filter(|(_, own)| *own == ty || *own == Ty::Any).map(|(name, _)| name.clone()).collect();
        if !fitting.is_empty() && self.random.chance(60) {
            return fitting[self.random.below(fitting.len())].clone();
        }
        leaves::leaf(ty, self)
    }

    /// Calls a function that returns the type.
    fn call_for(&mut self, ty: Ty, depth: usize) -> String {
        let fitting: Vec<usize> = (0..functions::TABLE.len()).filter(|idx| functions::returns(*idx, ty)).collect();
        match fitting.is_empty() {
            true => self.leaf(ty),
            false => {
                let idx = fitting[self.random.below(fitting.len())];
                self.call(idx, depth)
            }
        }
    }

    fn several(&mut self, least: usize, most: usize, mut one: impl FnMut(&mut Self) -> String) -> String {
        let count = least + self.random.below(most - least + 1);
        (0..count).map(|_| one(self)).collect::<Vec<_>>().join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_makes_the_same_expressions() {
        let some = |seed| {
            let mut grammar = Grammar::new(seed);
            (0..50).map(|_| grammar.next_expression()).collect::<Vec<_>>()
        };
        assert_eq!(some(7), some(7));
        assert_ne!(some(7), some(8));
    }

    #[test]
    fn expressions_can_be_read() {
        let mut grammar = Grammar::new(1);
        for _ in 0..3000 {
            let text = grammar.next_expression();
            let (_, problems) = stackwright::template::hcl::parse_expression(stackwright::error::SourceId(0), &text);
            let syntax = problems.iter().find(|problem| problem.code.starts_with("syntax."));
            assert!(syntax.is_none(), "{text}: {syntax:?}");
        }
    }
}
