use std::{cmp::Ordering, time::Duration};

use jiff::{
    SignedDuration,
    civil::{Date, DateTime, Time},
};

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

/// A time of day on a date, with a fixed offset from UTC.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timestamp {
    local: DateTime,
    offset_minutes: i32,
}

impl Timestamp {
    /// Reads RFC 3339 as strictly as Terraform does: `2018-01-02T03:04:05Z`, capital `T` and `Z`, no leap seconds.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let is_strict = text.as_bytes().get(12) != Some(&b':') && !text.contains(',');
        Self::read(text).filter(|_| is_strict).ok_or_else(|| not_a_timestamp(text))
    }

    /// Reads it as Terraform does where it compares: the hour may have one digit, and a comma may stand before the fraction.
    pub(super) fn parse_loosely(text: &str) -> Result<Self, String> {
        Self::read(text).ok_or_else(|| not_a_timestamp(text))
    }

    fn read(text: &str) -> Option<Self> {
        let digits = |range: std::ops::Range<usize>| {
            let part = text.get(range)?;
            part.bytes().all(|byte| byte.is_ascii_digit()).then(|| part.parse::<u32>().ok())?
        };
        let sign = |at: usize, wanted: char| text.get(at..=at)?.starts_with(wanted).then_some(());
        let year = digits(0..4)?;
        let month = digits(5..7)?;
        let day = digits(8..10)?;
        let end = if sign(12, ':').is_some() { 12 } else { 13 };
        let hour = digits(11..end)?;
        let minute = digits(end + 1..end + 3)?;
        let second = digits(end + 4..end + 6)?;
        for (at, wanted) in [(4, '-'), (7, '-'), (10, 'T'), (end, ':'), (end + 3, ':')] {
            sign(at, wanted)?;
        }
        let mut rest = text.get(end + 6..)?;
        let mut nanos = 0;
        if let Some(fraction) = rest.strip_prefix(['.', ',']) {
            let len = fraction.bytes().take_while(u8::is_ascii_digit).count();
            let (fraction, tail) = fraction.split_at_checked(len).filter(|_| len > 0)?;
            let padded: String = fraction.chars().chain("000000000".chars()).take(9).collect();
            nanos = padded.parse().ok()?;
            rest = tail;
        }
        let offset_minutes = if rest == "Z" { 0 } else { parse_offset(rest)? };
        let date = Date::new(i16::try_from(year).ok()?, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()?;
        let time =
            Time::new(i8::try_from(hour).ok()?, i8::try_from(minute).ok()?, i8::try_from(second).ok()?, nanos).ok()?;
        Some(Self { local: date.to_datetime(time), offset_minutes })
    }

    /// Returns the time moved by `duration`; the offset stays.
    pub(super) fn add(self, duration: SignedDuration) -> Result<Self, String> {
        let local = self
            .local
            .checked_add(duration)
            .map_err(|_| "the result is outside of the years that can be written".to_owned())?;
        Ok(Self { local, ..self })
    }

    /// Returns which of the two moments is earlier.
    pub(super) fn compare(self, other: Self) -> Ordering {
        self.utc_seconds().cmp(&other.utc_seconds())
    }

    fn utc_seconds(self) -> (i64, i32) {
        let epoch = DateTime::constant(1970, 1, 1, 0, 0, 0, 0);
        let since = self.local.duration_since(epoch);
        // Floor, so that nanoseconds always count forward.
        let nanos = self.local.subsec_nanosecond();
        let seconds = (since - SignedDuration::from_nanos(i64::from(nanos))).as_secs();
        (seconds - i64::from(self.offset_minutes) * 60, nanos)
    }

    /// Returns the time in RFC 3339 without a fraction of a second.
    pub(super) fn rfc3339(self) -> String {
        let t = self.local;
        format!(
            "{}{:04}-{:02}-{:02}T{:02}:{:02}:{:02}{}",
            if t.year() < 0 { "-" } else { "" },
            t.year().unsigned_abs(),
            t.month(),
            t.day(),
            t.hour(),
            t.minute(),
            t.second(),
            self.zone("Z", ":")
        )
    }

    fn zone(self, zero: &str, colon: &str) -> String {
        if self.offset_minutes == 0 && !zero.is_empty() {
            return zero.to_owned();
        }
        let sign = if self.offset_minutes < 0 { '-' } else { '+' };
        let minutes = self.offset_minutes.unsigned_abs();
        format!("{sign}{:02}{colon}{:02}", minutes / 60, minutes % 60)
    }

    /// Returns the time laid out by Terraform's `formatdate` verbs.
    pub(super) fn format(self, layout: &str) -> Result<String, String> {
        let mut out = String::with_capacity(layout.len() + 16);
        let mut rest = layout;
        while let Some(first) = rest.chars().next() {
            if first == '\'' {
                rest = quoted(rest, &mut out)?;
            } else if first.is_ascii_alphabetic() {
                let len = rest.bytes().take_while(|byte| char::from(*byte) == first).count();
                let (verb, tail) = rest.split_at(len);
                out.push_str(&self.verb(verb)?);
                rest = tail;
            } else {
                out.push(first);
                rest = rest.get(first.len_utf8()..).unwrap_or("");
            }
        }
        Ok(out)
    }

    fn verb(self, verb: &str) -> Result<String, String> {
        let t = self.local;
        let month = MONTHS.get(t.month() as usize - 1).copied().unwrap_or("");
        let day = DAYS.get(t.weekday().to_monday_zero_offset() as usize).copied().unwrap_or("");
        let hour12 = if t.hour() % 12 == 0 { 12 } else { t.hour() % 12 };
        let text = match verb {
            "YYYY" => format!("{:04}", t.year()),
            "YY" => format!("{:02}", t.year().rem_euclid(100)),
            "MMMM" => month.to_owned(),
            "MMM" => month.chars().take(3).collect(),
            "MM" => format!("{:02}", t.month()),
            "M" => t.month().to_string(),
            "DD" => format!("{:02}", t.day()),
            "D" => t.day().to_string(),
            "EEEE" => day.to_owned(),
            "EEE" => day.chars().take(3).collect(),
            "hh" => format!("{:02}", t.hour()),
            "h" => t.hour().to_string(),
            "HH" => format!("{hour12:02}"),
            "H" => hour12.to_string(),
            "AA" => if t.hour() < 12 { "AM" } else { "PM" }.to_owned(),
            "aa" => if t.hour() < 12 { "am" } else { "pm" }.to_owned(),
            "mm" => format!("{:02}", t.minute()),
            "m" => t.minute().to_string(),
            "ss" => format!("{:02}", t.second()),
            "s" => t.second().to_string(),
            "Z" => self.zone("Z", ":"),
            "ZZZ" => self.zone("UTC", ""),
            "ZZZZ" => self.zone("", ""),
            "ZZZZZ" => self.zone("", ":"),
            _ => return Err(unknown_verb(verb)),
        };
        Ok(text)
    }
}

fn not_a_timestamp(text: &str) -> String {
    format!("`{text}` is not an RFC 3339 timestamp, such as 2018-01-02T03:04:05Z or 2018-01-02T03:04:05+01:00")
}

fn unknown_verb(verb: &str) -> String {
    let ways = match verb.chars().next() {
        Some('Y') => "a year is `YY` or `YYYY`",
        Some('M') => "a month is `M`, `MM`, `MMM` or `MMMM`",
        Some('D') => "a day of the month is `D` or `DD`",
        Some('E') => "a day of the week is `EEE` or `EEEE`",
        Some('h' | 'H') => "an hour is `h`, `hh` (0-23), `H` or `HH` (1-12)",
        Some('A' | 'a') => "half of the day is `AA` or `aa`",
        Some('m') => "a minute is `m` or `mm`",
        Some('s') => "a second is `s` or `ss`",
        Some('Z') => "a time zone is `Z`, `ZZZ`, `ZZZZ` or `ZZZZZ`",
        _ => "put literal letters between single quotes",
    };
    format!("`{verb}` is not a date verb: {ways}")
}

/// Copies a quoted literal (`''` is one quote) and returns what follows it.
fn quoted<'a>(text: &'a str, out: &mut String) -> Result<&'a str, String> {
    let body = text.get(1..).unwrap_or("");
    if let Some(rest) = body.strip_prefix('\'') {
        out.push('\'');
        return Ok(rest);
    }
    let mut rest = body;
    loop {
        let Some(end) = rest.find('\'') else {
            return Err("a literal that starts with `'` must end with `'`".to_owned());
        };
        let (literal, tail) = rest.split_at(end);
        out.push_str(literal);
        let tail = tail.get(1..).unwrap_or("");
        let Some(next) = tail.strip_prefix('\'') else { return Ok(tail) };
        out.push('\'');
        // A doubled quote at the very end closes the literal, too.
        if next.is_empty() {
            return Ok(next);
        }
        rest = next;
    }
}

fn parse_offset(text: &str) -> Option<i32> {
    let (sign, rest) = match text.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let (hours, minutes) = rest.split_once(':')?;
    let two = |part: &str| {
        (part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit())).then(|| part.parse::<i32>().ok())?
    };
    let (hours, minutes) = (two(hours)?, two(minutes)?);
    (hours < 24 && minutes < 60).then_some(sign * (hours * 60 + minutes))
}

/// Returns the time so long after the Unix epoch, in RFC 3339 and UTC.
pub(in crate::template::eval) fn timestamp_at(since_epoch: Duration) -> Option<String> {
    let seconds = i64::try_from(since_epoch.as_secs()).ok()?;
    let local = DateTime::constant(1970, 1, 1, 0, 0, 0, 0).checked_add(SignedDuration::from_secs(seconds)).ok()?;
    Some(Timestamp { local, offset_minutes: 0 }.rfc3339())
}

/// Reads a duration such as `1h30m`, `-1.5h` or `300ms`.
pub(super) fn parse_duration(text: &str) -> Result<SignedDuration, String> {
    let invalid = |why: &str| format!("`{text}` is not a duration: {why}");
    let (negative, mut rest) = match text.split_at_checked(1) {
        Some(("-", rest)) => (true, rest),
        Some(("+", rest)) => (false, rest),
        _ => (false, text),
    };
    if rest == "0" {
        return Ok(SignedDuration::ZERO);
    }
    if rest.is_empty() {
        return Err(invalid("it is empty; write numbers with units, such as `1h30m`"));
    }
    let mut total: i128 = 0;
    while !rest.is_empty() {
        let len = rest.bytes().take_while(|byte| byte.is_ascii_digit() || *byte == b'.').count();
        let (number, tail) = rest.split_at(len);
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
            return Err(invalid("a number is missing; write it like `1h30m`"));
        }
        let len = tail.find(|c: char| c == '.' || c.is_ascii_digit()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(len);
        let scale: i128 = match unit {
            "ns" => 1,
            "us" | "µs" | "μs" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            "" => return Err(invalid("a unit is missing; units are `ns`, `us`, `ms`, `s`, `m` and `h`")),
            _ => return Err(invalid("units are `ns`, `us`, `ms`, `s`, `m` and `h`")),
        };
        let too_long = || invalid("it is too long");
        let whole: i128 = if whole.is_empty() { 0 } else { whole.parse::<i64>().map_err(|_| too_long())?.into() };
        total = total.checked_add(whole * scale).ok_or_else(too_long)?;
        let digits: String = fraction.chars().take(18).collect();
        if let Ok(part) = digits.parse::<i128>() {
            total = total.checked_add(part * scale / 10_i128.pow(digits.len() as u32)).ok_or_else(too_long)?;
        }
        if total > i128::from(i64::MAX) {
            return Err(too_long());
        }
        rest = tail;
    }
    let nanos = i64::try_from(total).unwrap_or(i64::MAX);
    Ok(SignedDuration::from_nanos(if negative { -nanos } else { nanos }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn formatted(layout: &str, time: &str) -> Result<String, String> {
        Timestamp::parse(time)?.format(layout)
    }

    #[test]
    fn layouts() {
        let time = "2018-01-02T03:02:01Z";
        let all = "YY MMMM MMM MM M DD D EEEE EEE hh h HH H AA aa mm m ss s";
        assert_eq!(
            formatted(all, time).as_deref(),
            Ok("18 January Jan 01 1 02 2 Tuesday Tue 03 3 03 3 AM am 02 2 01 1")
        );
        assert_eq!(formatted("Z ZZZ ZZZZ ZZZZZ", time).as_deref(), Ok("Z UTC +0000 +00:00"));
        assert_eq!(
            formatted("Z ZZZ ZZZZ ZZZZZ", "2018-01-02T03:12:01+05:30").as_deref(),
            Ok("+05:30 +0530 +0530 +05:30")
        );
        assert_eq!(formatted("HH aa h", "2018-01-02T00:12:01Z").as_deref(), Ok("12 am 0"));
        assert_eq!(formatted("'it''s' YYYY 年 ''", time).as_deref(), Ok("it's 2018 年 '"));
        for bad in ["YYYYY", "YYY", "q", "'abc", "MMMMM", "E", "ZZ"] {
            assert!(formatted(bad, time).is_err(), "{bad}");
        }
    }

    #[test]
    fn refuses_loose_timestamps() {
        for text in [
            "2018-01-02T3:12:01Z",
            "2018-01-02 03:12:01Z",
            "2018-01-02t03:12:01z",
            "2018-02-30T03:12:01Z",
            "2018-02-20T24:12:01Z",
            "2018-02-20T23:12:60Z",
            "2018-02-20T23:12:00+24:00",
            "2018-02-20T23:12:00+2359",
            "2018-02-20T23:12:00.Z",
            "2018-é",
            "",
        ] {
            assert!(Timestamp::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn adds_durations() {
        let add =
            |time: &str, duration: &str| Timestamp::parse(time)?.add(parse_duration(duration)?).map(Timestamp::rfc3339);
        let time = "2018-02-20T23:12:00.5Z";
        assert_eq!(add("2018-02-20T23:12:00+02:00", "1h").as_deref(), Ok("2018-02-21T00:12:00+02:00"));
        assert_eq!(add(time, "600ms").as_deref(), Ok("2018-02-20T23:12:01Z"));
        assert_eq!(add(time, "-1h30m15.5s").as_deref(), Ok("2018-02-20T21:41:45Z"));
        assert_eq!(add(time, ".5h").as_deref(), Ok("2018-02-20T23:42:00Z"));
        assert_eq!(add(time, "1us1µs1μs1ns").as_deref(), Ok("2018-02-20T23:12:00Z"));
        assert_eq!(add(time, "+0").as_deref(), Ok("2018-02-20T23:12:00Z"));
        for bad in ["1d", "1", "", "-", "2562048h", "9223372036854775807h", "1.2.3h", ".h", "é"] {
            assert!(add(time, bad).is_err(), "{bad}");
        }
        assert!(add("9999-12-31T23:12:00Z", "10h").is_err());
    }

    #[test]
    fn compares_moments() {
        let compare =
            |a: &str, b: &str| Timestamp::parse(a).expect("a time").compare(Timestamp::parse(b).expect("a time"));
        assert_eq!(compare("2017-11-22T00:00:00Z", "2017-11-22T01:00:00+01:00"), Ordering::Equal);
        assert_eq!(compare("1960-01-01T00:00:00.5Z", "1960-01-01T00:00:00Z"), Ordering::Greater);
        assert_eq!(compare("2018-02-20T23:12:00Z", "2018-02-20T23:12:01Z"), Ordering::Less);
    }
}
