//! Quotes as people read them.

use std::fmt::{self, Write as _};

use super::{Bucket, Charge, Confidence, Line, LineChange, Money, Quote, Total, Usage, Verdict};

impl fmt::Display for Quote {
    /// Writes the inventory with its prices, the totals, and what nobody can say. Plain text, a line for each price.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = Table::default();
        for entry in self.inventory() {
            let sign = entry.change.sign();
            let mut first = format!("{sign} {}", entry.address);
            let mut row = |cells: [String; 4]| {
                let [what, price, off, note] = cells;
                table.rows.push([std::mem::take(&mut first), what, price, off, note]);
            };
            for line in &entry.lines {
                row(cells(line));
            }
            for line in entry.ending.iter().filter(|line| line.change != LineChange::Kept) {
                let [what, price, off, _] = cells(line);
                row([what, price, off, "until now".to_owned()]);
            }
            for line in &entry.refunds {
                let [what, price, off, _] = cells(line);
                row([what, price, off, "comes back".to_owned()]);
            }
            for one in entry.unpriced.iter().filter(|one| one.component.is_none()) {
                row(["price not known".to_owned(), String::new(), String::new(), one.reason.to_string()]);
            }
        }
        f.write_str(&table.to_text())?;
        for verdict in &self.bundles {
            if let Verdict::Applied { reason, amounts, .. } = verdict {
                let amounts: Vec<String> = amounts.iter().map(|(bucket, money)| format!("{money} {bucket}")).collect();
                writeln!(f, "Off: {reason}: {}", amounts.join(", "))?;
            }
        }
        for total in &self.totals {
            writeln!(f, "Total {}", total_text(total))?;
        }
        if self.totals.is_empty() && self.unpriced.is_empty() {
            writeln!(f, "Nothing here costs anything.")?;
        }
        if !self.unpriced.is_empty() {
            let s = if self.unpriced.len() == 1 { "price is" } else { "prices are" };
            writeln!(f, "{} {s} not known and in no total.", self.unpriced.len())?;
        }
        Ok(())
    }
}

fn cells(line: &Line) -> [String; 4] {
    let mut what = line.label.as_ref().unwrap_or(&line.component).to_string();
    if let Some(spec) = &line.spec {
        let _ = write!(what, " ({spec})");
    }
    let bucket = line.charge.bucket();
    let price = match (&line.net, &line.charge) {
        (Some(net), Charge::Usage(usage)) => format!("{net} {bucket}: {}", rates(usage)),
        (None, Charge::Usage(usage)) if !matches!(line.confidence, Confidence::Unknown { .. }) => rates(usage),
        (Some(net), _) => format!("{net} {bucket}"),
        (None, _) => "not known".to_owned(),
    };
    let off: Vec<String> = line.discounts.iter().map(|one| format!("-{} {}", one.amount, one.reason)).collect();
    let note = match &line.confidence {
        Confidence::Firm { .. } => String::new(),
        Confidence::Estimate => "estimate".to_owned(),
        Confidence::Unknown { reason } => reason.to_string(),
    };
    [what, price, off.join(", "), note]
}

/// Returns the prices of the tiers: `0.80 CNY a GB up to 100, 0.60 CNY a GB`.
pub(super) fn rates(usage: &Usage) -> String {
    let rates: Vec<String> = usage
        .tiers
        .iter()
        .map(|tier| {
            let up_to = tier.up_to.map_or(String::new(), |end| format!(" up to {end}"));
            format!("{} a {}{up_to}", Money::of(tier.price, &usage.currency), usage.unit)
        })
        .collect();
    rates.join(", ")
}

fn total_text(total: &Total) -> String {
    let digits = total.currency.minor_digits();
    let money = |amount: super::Decimal| format!("{} {}", amount.with_digits(digits), total.currency);
    let mut text = format!("{}: {}", total.bucket, money(total.net));
    let mut notes = Vec::new();
    if !total.discount.is_zero() {
        notes.push(format!("{} less {}", money(total.list), money(total.discount)));
    }
    if total.bucket != Bucket::Once && !total.before.is_zero() {
        let sign = if total.delta.is_negative() { "" } else { "+" };
        notes.push(format!("{sign}{} than until now", money(total.delta)));
    }
    if !total.refund.is_zero() {
        notes.push(format!("{} comes back", money(total.refund)));
    }
    if total.is_estimate {
        notes.push("estimate".to_owned());
    }
    if !notes.is_empty() {
        let _ = write!(text, " ({})", notes.join("; "));
    }
    text
}

#[derive(Default)]
struct Table {
    rows: Vec<[String; 5]>,
}

impl Table {
    fn to_text(&self) -> String {
        let mut widths = [0; 5];
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        let mut text = String::new();
        for row in &self.rows {
            let mut line = String::new();
            for (idx, (cell, width)) in row.iter().zip(widths).filter(|(_, width)| *width > 0).enumerate() {
                let gap = if idx > 0 { "  " } else { "" };
                let _ = write!(line, "{gap}{cell:width$}");
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}
