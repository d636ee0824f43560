use crate::{
    event::Timestamp,
    pricing::{Decimal, Error, Period},
};

const HOUR_MS: i128 = 3_600_000;
const DAY_MS: i128 = 24 * HOUR_MS;
/// The least common multiple of 28, 29, 30 and 31: a month in parts that every month has a whole number of a day.
const MONTH_DAYS: i128 = 377_580;
/// The same of 365 and 366.
const YEAR_DAYS: i128 = 365 * 366;

/// From one moment until another, which is not part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Window {
    /// The first moment.
    pub from: Timestamp,
    /// The first moment after it.
    pub until: Timestamp,
}

impl Window {
    /// Returns the time from one moment until another.
    ///
    /// # Errors
    /// [`Error::Window`] where it would be empty.
    ///
    /// # Examples
    /// ```
    /// use stackwright::pricing::cost::Window;
    ///
    /// let november = Window::parse("2026-11-01", "2026-12-01T00:00:00Z")?;
    /// assert_eq!(november.until.since(november.from).as_secs(), 30 * 24 * 60 * 60);
    /// # Ok::<(), stackwright::pricing::Error>(())
    /// ```
    pub fn new(from: Timestamp, until: Timestamp) -> Result<Self, Error> {
        if from < until {
            return Ok(Self { from, until });
        }
        Err(Error::Window { problem: format!("from {from} until {until} is no time at all") })
    }

    /// Reads both ends: dates (`2026-11-01`, its first moment in UTC) or moments (`2026-11-01T12:00:00Z`).
    ///
    /// # Errors
    /// [`Error::Window`] where one is neither, or the time would be empty.
    pub fn parse(from: &str, until: &str) -> Result<Self, Error> {
        Self::new(Self::moment(from)?, Self::moment(until)?)
    }

    /// Reads a date (its first moment in UTC) or a moment. A moment that names no offset is in UTC.
    ///
    /// # Errors
    /// [`Error::Window`] where it is neither, or before 1970.
    pub fn moment(text: &str) -> Result<Timestamp, Error> {
        let wrong = || {
            let text: String = text.chars().take(40).collect();
            Error::Window {
                problem: format!(
                    "`{text}` is no date such as `2026-11-01`, and no moment such as `2026-11-01T12:00:00Z`"
                ),
            }
        };
        let in_utc =
            |civil: jiff::civil::DateTime| civil.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|zoned| zoned.timestamp());
        let moment = text.parse::<jiff::Timestamp>().ok();
        let moment =
            moment.or_else(|| text.parse::<jiff::civil::DateTime>().ok().and_then(in_utc)).ok_or_else(wrong)?;
        u64::try_from(moment.as_millisecond()).map(Timestamp).map_err(|_| wrong())
    }

    /// Returns the calendar month (UTC) that a moment is in.
    pub fn month_of(at: Timestamp) -> Self {
        let (year, month, _) = civil(days(at));
        let next = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
        Self { from: first_of(year, month), until: first_of(next.0, next.1) }
    }

    /// Returns what both have in common, if anything.
    pub fn overlap(self, other: Self) -> Option<Self> {
        let (from, until) = (self.from.max(other.from), self.until.min(other.until));
        (from < until).then_some(Self { from, until })
    }

    /// Returns whether a moment is in it.
    pub fn has(self, at: Timestamp) -> bool {
        self.from <= at && at < self.until
    }

    /// Returns its parts in each calendar month (UTC), in order.
    pub(super) fn by_month(self) -> impl Iterator<Item = Self> {
        let mut rest = Some(self);
        std::iter::from_fn(move || {
            let now = rest?;
            let end = Self::month_of(now.from).until.min(now.until);
            rest = (end < now.until).then_some(Self { from: end, until: now.until });
            Some(Self { from: now.from, until: end })
        })
    }
}

/// Returns days since the epoch.
fn days(at: Timestamp) -> i64 {
    i64::try_from(i128::from(at.0) / DAY_MS).unwrap_or(i64::MAX)
}

/// Returns year, month and day (from 1) of a day since the epoch; by counting eras of 400 years from March 1st.
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// Returns the day since the epoch of a date.
fn day_of(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let shifted_month = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * shifted_month + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

fn first_of(year: i64, month: i64) -> Timestamp {
    Timestamp(u64::try_from(i128::from(day_of(year, month, 1)) * DAY_MS).unwrap_or(u64::MAX))
}

impl Period {
    /// Returns how many ticks a whole one has.
    pub(super) const fn whole(self) -> i128 {
        match self {
            Self::Hour => HOUR_MS,
            Self::Day => DAY_MS,
            Self::Month => MONTH_DAYS * DAY_MS,
            Self::Year => YEAR_DAYS * DAY_MS,
        }
    }

    /// Returns how many ticks there were from the epoch until a moment. Each one of the calendar has the same number, so those
    /// of a long month are longer.
    pub(super) fn ticks(self, at: Timestamp) -> i128 {
        let ms = i128::from(at.0);
        let (year, month, _) = civil(days(at));
        let (count, start, parts, length) = match self {
            Self::Hour | Self::Day => return ms,
            Self::Month => {
                let start = day_of(year, month, 1);
                let next = if month == 12 { day_of(year + 1, 1, 1) } else { day_of(year, month + 1, 1) };
                (year * 12 + month, start, MONTH_DAYS, next - start)
            }
            Self::Year => {
                let start = day_of(year, 1, 1);
                (year, start, YEAR_DAYS, day_of(year + 1, 1, 1) - start)
            }
        };
        i128::from(count) * self.whole() + (ms - i128::from(start) * DAY_MS) * (parts / i128::from(length))
    }

    /// Returns what costs `amount` each period costs from `begin` until a moment, rounded once.
    pub(super) fn until(self, amount: Decimal, begin: Timestamp, at: Timestamp, digits: u32) -> Result<Decimal, Error> {
        amount.ratio(self.ticks(at) - self.ticks(begin), self.whole(), digits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Window::moment(text).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn moments_are_read() {
        assert_eq!(at("1970-01-02"), Timestamp(86_400_000));
        assert_eq!(at("1970-01-01T01:00:00Z"), Timestamp(3_600_000));
        assert_eq!(at("1970-01-01T01:00:00+01:00"), Timestamp(0));
        assert_eq!(at("1970-01-01 00:00:01"), Timestamp(1000));
        assert_eq!(at("1970-01-01T00:00:00.250Z"), Timestamp(250));
        for text in ["", "yesterday", "2026-13-01", "2026-02-30", "1969-12-31", "11/01/2026"] {
            assert!(Window::moment(text).is_err(), "{text}");
        }
        assert!(Window::parse("2026-11-02", "2026-11-02").is_err());
        assert!(Window::parse("2026-11-02", "2026-11-01").is_err());
    }

    #[test]
    fn months_are_those_of_the_calendar() {
        for (inside, from, until) in [
            ("2024-02-29T23:59:59.999Z", "2024-02-01", "2024-03-01"),
            ("2023-02-01", "2023-02-01", "2023-03-01"),
            ("2026-12-31T12:00:00Z", "2026-12-01", "2027-01-01"),
            ("2000-02-29", "2000-02-01", "2000-03-01"),
            ("2100-02-28", "2100-02-01", "2100-03-01"),
            ("1970-01-01", "1970-01-01", "1970-02-01"),
        ] {
            assert_eq!(Window::month_of(at(inside)), Window::parse(from, until).expect("a window"), "{inside}");
        }
    }

    #[test]
    fn dates_agree_with_those_of_another_library() {
        for day in (0..80_000).step_by(17) {
            let date = jiff::civil::date(1970, 1, 1).checked_add(jiff::Span::new().days(day)).expect("a date");
            assert_eq!(civil(day), (date.year().into(), date.month().into(), date.day().into()));
            assert_eq!(day_of(date.year().into(), date.month().into(), date.day().into()), day);
        }
    }

    #[test]
    fn every_period_of_the_calendar_has_the_same_ticks() {
        for (period, from, until) in [
            (Period::Month, "2024-02-01", "2024-03-01"),
            (Period::Month, "2026-02-01", "2026-03-01"),
            (Period::Month, "2026-12-01", "2027-01-01"),
            (Period::Month, "2026-11-01", "2026-12-01"),
            (Period::Year, "2024-01-01", "2025-01-01"),
            (Period::Year, "2026-01-01", "2027-01-01"),
            (Period::Day, "2026-03-29", "2026-03-30"),
            (Period::Hour, "2026-03-29T01:00:00Z", "2026-03-29T02:00:00Z"),
        ] {
            assert_eq!(period.ticks(at(until)) - period.ticks(at(from)), period.whole(), "{from}");
        }
        let half = Period::Month.ticks(at("2024-02-15T12:00:00Z")) - Period::Month.ticks(at("2024-02-01"));
        assert_eq!(half * 2, Period::Month.whole());
    }

    #[test]
    fn a_window_falls_into_months() {
        let window = Window::parse("2026-11-15", "2027-01-02").expect("a window");
        let parts: Vec<String> = window.by_month().map(|part| format!("{} {}", part.from, part.until)).collect();
        assert_eq!(
            parts,
            [
                "2026-11-15T00:00:00.000Z 2026-12-01T00:00:00.000Z",
                "2026-12-01T00:00:00.000Z 2027-01-01T00:00:00.000Z",
                "2027-01-01T00:00:00.000Z 2027-01-02T00:00:00.000Z"
            ]
        );
    }
}
