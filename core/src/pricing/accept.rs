//! Whether what was accepted is still what is asked.

use super::{Charge, Decimal, Money, Quote};
use crate::{
    error::{Error, ErrorKind, Result},
    event::Timestamp,
};

/// How much more than what was accepted may be asked without asking again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tolerance {
    /// By how many hundredths each total may grow.
    pub percent: Decimal,
}

impl Tolerance {
    /// Nothing may be more.
    pub const NONE: Self = Self { percent: Decimal::ZERO };
}

impl Quote {
    /// Holds a fresh quote against this one, which somebody accepted.
    ///
    /// # Errors
    /// `pricing.expired` where this one is over; `pricing.changed` where a total grew by more than is tolerated, something
    /// has no price any more, or a price by use changed whose amount nobody knows.
    pub fn still_holds(&self, fresh: &Self, at: Timestamp, tolerance: Tolerance) -> Result<()> {
        if at >= self.expires_at {
            let message = format!("the quote was good until {}", self.expires_at);
            return Err(Error::new(ErrorKind::Conflict, "pricing.expired", message));
        }
        if self.hash == fresh.hash {
            return Ok(());
        }
        let changed = |message: String| Err(Error::new(ErrorKind::Conflict, "pricing.changed", message));
        let hundred = Decimal::whole(100);
        let factor = hundred.plus(tolerance.percent)?;
        for total in &fresh.totals {
            let accepted = self.total(total.bucket, &total.currency).map_or(Decimal::ZERO, |total| total.net);
            let digits = total.bucket.digits(&total.currency);
            if total.net > accepted.max(accepted.times_over(factor, hundred, digits)?) {
                let [asked, accepted] = [total.net, accepted].map(|amount| Money::of(amount, &total.currency));
                return changed(format!("{asked} is asked {}; {accepted} was accepted", total.bucket));
            }
        }
        for total in &self.totals {
            let due = fresh.total(total.bucket, &total.currency).map_or(Decimal::ZERO, |total| total.refund);
            if due < total.refund {
                let [due, promised] = [due, total.refund].map(|amount| Money::of(amount, &total.currency));
                return changed(format!("{due} comes back; {promised} was promised"));
            }
        }
        if let Some(new) = fresh.unpriced.iter().find(|one| !self.unpriced.contains(one)) {
            return changed(format!("nobody can say what `{}` costs: {}", new.address, new.reason));
        }
        for line in fresh.lines.iter().filter(|line| line.net.is_none()) {
            let same = |other: &&super::Line| other.key() == line.key() && other.charge == line.charge;
            if matches!(line.charge, Charge::Usage(_)) && !self.lines.iter().any(|other| same(&other)) {
                return changed(format!("the price of `{}` by use of `{}` changed", line.component, line.address));
            }
        }
        Ok(())
    }
}
