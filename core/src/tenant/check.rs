use std::{collections::BTreeSet, fmt, sync::Arc};

use super::{Book, Claim, Limit, limit::by_dimension};
use crate::{
    error::{Diagnostic, Error, ErrorKind},
    state::{Amount, Uses},
};

/// How many instances a message names.
const NAMED: usize = 5;

/// How a dimension stands with what a plan wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Standing {
    /// There is room, or nothing more is wanted.
    Within,
    /// There is room, and less than there should be.
    BeyondSoft,
    /// There is no room.
    BeyondHard,
    /// Nobody can say how much is wanted, or used, and there is a hard limit.
    Unknown,
    /// It is more than can be counted.
    Uncountable,
}

/// What a plan does to one dimension.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuotaLine {
    /// Of what.
    pub dimension: Arc<str>,
    /// What the tenant's stacks use, this one included.
    pub used: Amount,
    /// What runs of its other stacks may add.
    pub reserved: Amount,
    /// What the plan adds at most.
    pub wanted: Amount,
    /// The hard limit.
    pub hard: Option<u64>,
    /// The soft limit.
    pub soft: Option<u64>,
    /// How that stands.
    pub standing: Standing,
    /// Who wants it, those that want most first; what is unknown counts as most.
    pub wanted_by: Vec<(Arc<str>, Amount)>,
}

/// What a plan does to a tenant's quotas, in every dimension that it adds to or that is limited.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QuotaCheck {
    /// By dimension, sorted.
    pub lines: Vec<QuotaLine>,
}

/// How a tenant stands in one dimension.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuotaUse {
    /// Of what.
    pub dimension: Arc<str>,
    /// What its stacks use.
    pub used: Amount,
    /// What runs under way may add.
    pub reserved: Amount,
    /// The hard limit.
    pub hard: Option<u64>,
    /// The soft limit.
    pub soft: Option<u64>,
}

impl Book {
    /// Returns what a claim of a stack does, amid everything else in the book.
    ///
    /// # Complexity
    /// O(stacks and wants, times dimensions).
    pub fn check(&self, stack: &str, claim: &Claim, limits: &[Limit]) -> QuotaCheck {
        let limits = by_dimension(limits);
        let (mut used, reserved) = self.totals_without(Some(stack));
        let _ = used.add_all(&claim.base);
        let wanted = claim.growth.iter().map(|(dimension, _)| dimension);
        let dimensions: BTreeSet<&Arc<str>> = limits.keys().chain(wanted).collect();
        let line = |dimension: &Arc<str>| {
            let limit = limits.get(dimension);
            let mut line = QuotaLine {
                dimension: Arc::clone(dimension),
                used: used.of(dimension),
                reserved: reserved.of(dimension),
                wanted: claim.growth.of(dimension),
                hard: limit.and_then(|limit| limit.hard),
                soft: limit.and_then(|limit| limit.soft),
                standing: Standing::Within,
                wanted_by: wanted_by(claim, dimension),
            };
            line.standing = line.stands(claim.is_exact);
            line
        };
        QuotaCheck { lines: dimensions.into_iter().map(line).collect() }
    }

    /// Returns how the tenant stands, in every dimension that is used or limited.
    pub fn uses(&self, limits: &[Limit]) -> Vec<QuotaUse> {
        let limits = by_dimension(limits);
        let (used, reserved) = self.totals();
        let named = |uses: &Uses| uses.iter().map(|(dimension, _)| Arc::clone(dimension)).collect::<Vec<_>>();
        let dimensions: BTreeSet<Arc<str>> =
            limits.keys().cloned().chain(named(&used)).chain(named(&reserved)).collect();
        let one = |dimension: Arc<str>| QuotaUse {
            used: used.of(&dimension),
            reserved: reserved.of(&dimension),
            hard: limits.get(&dimension).and_then(|limit| limit.hard),
            soft: limits.get(&dimension).and_then(|limit| limit.soft),
            dimension,
        };
        dimensions.into_iter().map(one).collect()
    }
}

fn wanted_by(claim: &Claim, dimension: &str) -> Vec<(Arc<str>, Amount)> {
    let wants = claim.wants.iter().map(|want| (Arc::clone(&want.address), want.uses.of(dimension)));
    let mut wants: Vec<_> = wants.filter(|(_, amount)| *amount != Amount::NONE).collect();
    let rank = |amount: Amount| std::cmp::Reverse(Option::<u64>::from(amount).unwrap_or(u64::MAX));
    wants.sort_by_key(|(_, amount)| rank(*amount));
    wants
}

impl QuotaLine {
    /// Returns what there would be of it; `None` where that cannot be counted.
    fn total(&self) -> Option<Amount> {
        self.used.plus(self.reserved)?.plus(self.wanted)
    }

    fn stands(&self, is_exact: bool) -> Standing {
        if self.wanted == Amount::NONE {
            return Standing::Within;
        }
        let is_most = self.wanted == Amount::Known(u64::MAX);
        match self.total() {
            _ if is_most && !is_exact => Standing::Uncountable,
            None => Standing::Uncountable,
            Some(Amount::Unknown) if self.hard.is_some() => Standing::Unknown,
            Some(Amount::Unknown) if self.soft.is_some() => Standing::BeyondSoft,
            Some(Amount::Unknown) => Standing::Within,
            Some(Amount::Known(total)) if self.hard.is_some_and(|hard| total > hard) => Standing::BeyondHard,
            Some(Amount::Known(total)) if self.soft.is_some_and(|soft| total > soft) => Standing::BeyondSoft,
            Some(Amount::Known(_)) => Standing::Within,
        }
    }

    /// Returns the error or the warning of it, if there is one.
    fn diagnostic(&self) -> Option<Diagnostic> {
        let diagnostic = match self.standing {
            Standing::Within => return None,
            Standing::BeyondSoft => Diagnostic::warning("quota.soft", self.to_string()),
            Standing::BeyondHard => Diagnostic::error("quota.exceeded", self.to_string())
                .help("remove what is not needed, or have the limit raised"),
            Standing::Unknown => Diagnostic::error("quota.unknown", self.to_string()).help(
                "set what it depends on to values that are known while planning, or apply what those come from first",
            ),
            Standing::Uncountable => Diagnostic::error("quota.overflow", self.to_string())
                .help("the amounts that the resource types name are not real ones"),
        };
        Some(match self.wanted_by.first() {
            Some((address, _)) => diagnostic.address(&**address),
            None => diagnostic,
        })
    }
}

impl fmt::Display for QuotaLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { dimension, used, reserved, wanted, hard, soft, .. } = self;
        write!(f, "`{dimension}`: {used} used, {reserved} reserved by other runs, {wanted} more wanted")?;
        let named: Vec<String> =
            self.wanted_by.iter().take(NAMED).map(|(address, amount)| format!("{address}: {amount}")).collect();
        if !named.is_empty() {
            let more = self.wanted_by.len().saturating_sub(named.len());
            let more = if more > 0 { format!(", and {more} others") } else { String::new() };
            write!(f, " ({}{more})", named.join(", "))?;
        }
        match (hard, soft) {
            (Some(hard), Some(soft)) => write!(f, "; at most {hard}, better not more than {soft}"),
            (Some(hard), None) => write!(f, "; at most {hard}"),
            (None, Some(soft)) => write!(f, "; better not more than {soft}"),
            (None, None) => f.write_str("; unlimited"),
        }
    }
}

impl QuotaCheck {
    /// Returns whether the plan would be refused.
    pub fn is_refused(&self) -> bool {
        self.lines.iter().any(|line| !matches!(line.standing, Standing::Within | Standing::BeyondSoft))
    }

    /// Returns the error that refuses the plan, with a diagnostic for each dimension that there is no room in: `quota.exceeded`
    /// (`Denied`); `quota.unknown` or `quota.overflow` (`InvalidInput`) where it is that alone.
    pub fn refusal(&self) -> Option<Error> {
        if !self.is_refused() {
            return None;
        }
        let of = |standing: Standing| self.lines.iter().any(|line| line.standing == standing);
        let (kind, code) = match () {
            () if of(Standing::BeyondHard) => (ErrorKind::Denied, "quota.exceeded"),
            () if of(Standing::Unknown) => (ErrorKind::InvalidInput, "quota.unknown"),
            () => (ErrorKind::InvalidInput, "quota.overflow"),
        };
        let problems: Vec<Diagnostic> =
            self.lines.iter().filter_map(QuotaLine::diagnostic).filter(Diagnostic::is_error).collect();
        let texts: Vec<&str> = problems.iter().map(|problem| problem.message.as_str()).collect();
        let message = format!("the quota does not allow it: {}", texts.join("; "));
        Some(Error::new(kind, code, message).with_diagnostics(problems))
    }

    /// Returns a warning for each dimension that goes beyond its soft limit.
    pub fn warnings(&self) -> Vec<Diagnostic> {
        self.lines.iter().filter_map(QuotaLine::diagnostic).filter(|problem| !problem.is_error()).collect()
    }
}

/// A line for each dimension that the plan adds to.
impl fmt::Display for QuotaCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in self.lines.iter().filter(|line| line.wanted != Amount::NONE) {
            writeln!(f, "{line}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        state::RunId,
        tenant::{QuotaFact, Want},
    };

    fn uses(dimension: &str, amount: Amount) -> Uses {
        [(Arc::from(dimension), amount)].into_iter().collect()
    }

    /// How a claim on `vcpu` stands: what others use, what others reserved, what the stack has and wants.
    fn stands(others: [u64; 2], base: u64, wanted: Amount, limit: &Limit) -> Standing {
        let [used, reserved] = others.map(|amount| uses("vcpu", Amount::Known(amount)));
        let other = QuotaFact::Reserved { stack: "b".into(), run: RunId::from_u128(1), base: used, growth: reserved };
        // What is reserved for the stack itself counts no more: this is what takes its place.
        let stale = uses("vcpu", Amount::Known(99));
        let own =
            QuotaFact::Reserved { stack: "a".into(), run: RunId::from_u128(2), base: stale.clone(), growth: stale };
        let book = Book::of(&[other, own]).expect("a book");
        let growth = uses("vcpu", wanted);
        let wants = vec![Want { address: "t.a".into(), uses: growth.clone() }];
        let claim = Claim { base: uses("vcpu", Amount::Known(base)), growth, wants, is_exact: true };
        let check = book.check("a", &claim, std::slice::from_ref(limit));
        let standing = check.lines[0].standing;
        let is_fine = matches!(standing, Standing::Within | Standing::BeyondSoft);
        assert_eq!(check.refusal().is_none(), is_fine);
        assert_eq!(check.warnings().len(), usize::from(standing == Standing::BeyondSoft));
        standing
    }

    #[test]
    fn the_last_place_is_one_and_no_more() {
        let limit = Limit::hard("vcpu", 10).warning_at(8);
        for (others, base, wanted, expected) in [
            ([0, 0], 0, 8, Standing::Within),
            ([0, 0], 0, 9, Standing::BeyondSoft),
            ([0, 0], 0, 10, Standing::BeyondSoft),
            ([0, 0], 0, 11, Standing::BeyondHard),
            ([4, 3], 2, 1, Standing::BeyondSoft),
            ([4, 4], 2, 1, Standing::BeyondHard),
            ([5, 3], 2, 1, Standing::BeyondHard),
            ([4, 3], 3, 1, Standing::BeyondHard),
            // Whoever wants nothing is in nobody's way.
            ([40, 3], 3, 0, Standing::Within),
        ] {
            assert_eq!(stands(others, base, Amount::Known(wanted), &limit), expected, "{others:?} {base} {wanted}");
        }
    }

    #[test]
    fn what_cannot_be_told_or_counted_is_refused() {
        let (hard, soft) = (Limit::hard("vcpu", u64::MAX), Limit::soft("vcpu", 1));
        let free = Limit { dimension: "vcpu".into(), hard: None, soft: None };
        assert_eq!(stands([1, 1], 1, Amount::Unknown, &hard), Standing::Unknown);
        assert_eq!(stands([1, 1], 1, Amount::Unknown, &soft), Standing::BeyondSoft);
        assert_eq!(stands([1, 1], 1, Amount::Unknown, &free), Standing::Within);
        for limit in [&hard, &soft, &free] {
            assert_eq!(stands([1, 0], 0, Amount::Known(u64::MAX), limit), Standing::Uncountable);
            assert_eq!(stands([u64::MAX, 0], 0, Amount::Known(1), limit), Standing::Uncountable);
            assert_eq!(stands([0, u64::MAX], 0, Amount::Known(1), limit), Standing::Uncountable);
        }
        assert_eq!(stands([0, 0], 0, Amount::Known(u64::MAX), &hard), Standing::Within);
    }

    #[test]
    fn the_error_names_every_dimension_and_the_worst_code() {
        let growth: Uses = [("a", Amount::Known(2)), ("b", Amount::Unknown), ("c", Amount::Known(1))]
            .map(|(dimension, amount)| (Arc::from(dimension), amount))
            .into_iter()
            .collect();
        let want =
            |number: u64| Want { address: format!("t.n{number}").into(), uses: uses("a", Amount::Known(number)) };
        let wants = (1..9).map(want).collect();
        let claim = Claim { base: Uses::default(), growth, wants, is_exact: true };
        let limits = ["a", "b", "c"].map(|dimension| Limit::hard(dimension, 1));
        let error = Book::default().check("s", &claim, &limits).refusal().expect("refused");
        assert_eq!(error.code(), "quota.exceeded");
        assert_eq!(error.diagnostics().len(), 2);
        assert!(error.message().contains("(t.n8: 8, t.n7: 7, t.n6: 6, t.n5: 5, t.n4: 4, and 3 others); at most 1"));
        let error = Book::default().check("s", &claim, &limits[1..]).refusal().expect("refused");
        assert_eq!((error.code(), error.kind()), ("quota.unknown", ErrorKind::InvalidInput));
        // Of several limits for one dimension the lowest counts.
        let twice = [Limit::hard("a", 9), Limit::hard("a", 1), Limit::soft("a", 0)];
        let check = Book::default().check("s", &claim, &twice);
        assert_eq!((check.lines[0].hard, check.lines[0].soft), (Some(1), Some(0)));
    }
}
