//! Reports as people read them.

use std::fmt::Write as _;

use super::{CostBy, CostGroup, CostKey, CostReport, CostTotal, Reconciled};
use crate::pricing::{Decimal, Error, Money};

impl CostReport {
    /// Writes sums by tenant, installation or instance, what is unallocated, the totals, and what nobody knows; beside a bill, what was
    /// estimated. Plain text, a line for each currency of each group.
    ///
    /// # Errors
    /// [`Error::Overflow`].
    pub fn text(&self, by: CostBy) -> Result<String, Error> {
        let kind = if self.has_bill() { "billed" } else { "estimated" };
        let mut text = format!("Costs from {} until {}, {kind}\n", self.window.from, self.window.until);
        let mut table = Table::default();
        if self.has_bill() {
            table.row(["", "billed", "estimated", "difference", ""].map(str::to_owned));
            for one in self.reconciled_by(by)?.iter().filter(|one| !one.key.is_unallocated()) {
                table.row(compared(one));
            }
        } else {
            for group in self.groups(by)?.iter().filter(|group| !group.key.is_unallocated()) {
                sums(&mut table, &name(&group.key), group);
            }
        }
        if let Some(nobody) = self.groups(by)?.last() {
            sums(&mut table, "unallocated", nobody);
        }
        let total = self.total()?;
        sums(&mut table, "total", &total);
        text.push_str(&table.to_text());
        if total.unknown_count > 0 {
            let (count, is) = (total.unknown_count, if total.unknown_count == 1 { "cost is" } else { "costs are" });
            let _ = writeln!(text, "{count} {is} not known and in no sum:");
            let unknown = self.rows().iter().filter(|row| row.costs.is_none());
            for row in unknown {
                let owner = row
                    .owner
                    .as_ref()
                    .map_or_else(String::new, |owner| format!("{}/{} ", owner.tenant, owner.application));
                let address = row.address.as_deref().unwrap_or("-");
                let _ = writeln!(text, "  {owner}{address}: {}", row.description);
            }
        }
        Ok(text)
    }
}

fn name(key: &CostKey) -> String {
    let parts = [&key.tenant, &key.application].into_iter().flatten().map(|part| &**part);
    let mut name = parts.collect::<Vec<_>>().join("/");
    if let Some(address) = &key.address {
        let _ = write!(name, " {address}");
    }
    name
}

fn sums(table: &mut Table, name: &str, group: &CostGroup) {
    let note = match group.unknown_count {
        0 => String::new(),
        1 => "and 1 that is not known".to_owned(),
        count => format!("and {count} that are not known"),
    };
    let mut name = name;
    for CostTotal { currency, costs } in &group.totals {
        let off = costs.list.minus(costs.billed).ok().filter(|off| !off.is_zero() && !off.is_negative());
        let off = off.map_or_else(String::new, |off| format!("after {} off", Money::of(off, currency)));
        let notes = [off, note.clone()].into_iter().filter(|note| !note.is_empty()).collect::<Vec<_>>().join(", ");
        table.row([
            name.to_owned(),
            Money::of(costs.billed, currency).to_string(),
            String::new(),
            String::new(),
            notes,
        ]);
        name = "";
    }
    if group.totals.is_empty() {
        let what = if group.unknown_count == 0 { "nothing" } else { "" };
        table.row([name.to_owned(), what.to_owned(), String::new(), String::new(), note]);
    }
}

fn compared(one: &Reconciled) -> [String; 5] {
    let money = |amount: Decimal| Money::of(amount, &one.currency).to_string();
    let difference = one.difference.map_or_else(String::new, |amount| {
        let sign = if amount.is_negative() || amount.is_zero() { "" } else { "+" };
        format!("{sign}{}", money(amount))
    });
    let note = if one.is_partial { "not all could be estimated" } else { "" };
    let estimated = one.estimated.map_or_else(|| "-".to_owned(), money);
    [name(&one.key), money(one.billed), estimated, difference, note.to_owned()]
}

/// A name, amounts to the right, a note.
#[derive(Default)]
struct Table {
    rows: Vec<[String; 5]>,
}

impl Table {
    fn row(&mut self, row: [String; 5]) {
        self.rows.push(row);
    }

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
            for (idx, (cell, width)) in row.iter().zip(widths).enumerate().filter(|(_, (_, width))| *width > 0) {
                let gap = if idx > 0 { "  " } else { "" };
                let is_amount = (1..=3).contains(&idx);
                let _ =
                    if is_amount { write!(line, "{gap}{cell:>width$}") } else { write!(line, "{gap}{cell:width$}") };
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}
