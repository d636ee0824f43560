use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{Attribution, ChargeCategory, ChargeFrequency, CostConfidence, CostRow, CostSource, Costs, Window};
use crate::{
    event::Timestamp,
    pricing::{Currency, Decimal, Error},
};

/// Columns without which a row says nothing.
const REQUIRED: [&str; 4] = ["BilledCost", "BillingCurrency", "ChargePeriodStart", "ChargePeriodEnd"];
/// How many problems are told one by one.
const TOLD: usize = 100;

/// A row of a provider's bill, by the columns of FOCUS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BillRow {
    /// What is charged, as it is before anybody owns it.
    pub(super) row: CostRow,
}

impl BillRow {
    /// Reads a bill: for each row its line, from 1, and the texts of its columns by name. An empty text says nothing; columns that nobody
    /// needs are let be. Numbers are read to the ninth digit behind the point.
    ///
    /// Needed are `BilledCost`, `BillingCurrency`, `ChargePeriodStart` and `ChargePeriodEnd`. Costs that are not there are as
    /// `BilledCost`; a category that is not there is `Usage`.
    ///
    /// # Errors
    /// [`Error::Bill`] with everything that is wrong, by line.
    ///
    /// # Examples
    /// ```
    /// use stackwright::pricing::cost::BillRow;
    ///
    /// let columns = [
    ///     ("BilledCost", "1.25"),
    ///     ("BillingCurrency", "USD"),
    ///     ("ChargePeriodStart", "2026-11-01T00:00:00Z"),
    ///     ("ChargePeriodEnd", "2026-11-02T00:00:00Z"),
    ///     ("ResourceId", "vm-17"),
    /// ];
    /// let columns = columns.map(|(name, text)| (name.to_owned(), text.to_owned()));
    /// assert_eq!(BillRow::read([(2, columns.clone().into())])?.len(), 1);
    /// let short = columns.into_iter().take(1).collect();
    /// assert!(BillRow::read([(2, short)]).is_err());
    /// # Ok::<(), stackwright::pricing::Error>(())
    /// ```
    pub fn read(rows: impl IntoIterator<Item = (u64, BTreeMap<String, String>)>) -> Result<Vec<Self>, Error> {
        let rows: Vec<(u64, BTreeMap<String, String>)> = rows.into_iter().collect();
        let mut problems = Vec::new();
        let columns: BTreeSet<&str> = rows.iter().flat_map(|(_, columns)| columns.keys().map(String::as_str)).collect();
        // What no row has is said once.
        let absent: Vec<&str> =
            REQUIRED.into_iter().filter(|name| !rows.is_empty() && !columns.contains(name)).collect();
        problems.extend(absent.iter().map(|name| format!("there is no column `{name}`")));
        let mut read = Vec::with_capacity(rows.len());
        for (line, columns) in &rows {
            let mut reader = Reader { columns, problems: Vec::new() };
            let row = reader.row();
            let told = reader.problems.into_iter().filter(|(column, _)| !absent.contains(column));
            problems.extend(told.map(|(column, problem)| format!("line {line}: {column}: {problem}")));
            read.extend(row.map(|row| Self { row }));
        }
        if problems.is_empty() {
            return Ok(read);
        }
        if problems.len() > TOLD {
            let rest = problems.len() - TOLD;
            problems.truncate(TOLD);
            problems.push(format!("and {rest} more"));
        }
        Err(Error::Bill { problems })
    }

    /// Returns when it is charged.
    pub fn charged(&self) -> Window {
        self.row.charged
    }
}

struct Reader<'a> {
    columns: &'a BTreeMap<String, String>,
    problems: Vec<(&'static str, String)>,
}

impl<'a> Reader<'a> {
    fn text(&self, column: &'static str) -> Option<&'a str> {
        self.columns.get(column).map(|text| text.trim()).filter(|text| !text.is_empty())
    }

    fn shared(&self, column: &'static str) -> Option<Arc<str>> {
        self.text(column).map(Arc::from)
    }

    fn read<T>(&mut self, column: &'static str, read: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        match self.text(column).map(read)? {
            Ok(value) => Some(value),
            Err(problem) => {
                self.problems.push((column, problem));
                None
            }
        }
    }

    fn needed<T>(&mut self, column: &'static str, read: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        if self.text(column).is_none() {
            self.problems.push((column, "it is empty".to_owned()));
        }
        self.read(column, read)
    }

    fn row(&mut self) -> Option<CostRow> {
        let number = |text: &str| Decimal::rounded(text).map_err(|error| error.to_string());
        let moment = |text: &str| Window::moment(text).map_err(|error| error.to_string());
        let billed = self.needed("BilledCost", number);
        let currency = self.needed("BillingCurrency", |text| Currency::new(text).map_err(|error| error.to_string()));
        let from = self.needed("ChargePeriodStart", moment);
        let until = self.needed("ChargePeriodEnd", moment);
        let charged = self.window("ChargePeriodEnd", from, until);
        let from = self.read("BillingPeriodStart", moment);
        let until = self.read("BillingPeriodEnd", moment);
        let billed_in = self.window("BillingPeriodEnd", from, until);
        let mut cost = |column| self.read(column, number).or(billed);
        let (effective, list, contracted) = (cost("EffectiveCost"), cost("ListCost"), cost("ContractedCost"));
        let category = self.read("ChargeCategory", |text| word(text, ChargeCategory::ALL, |one| one.as_str()));
        let frequency = self.read("ChargeFrequency", |text| word(text, ChargeFrequency::ALL, |one| one.as_str()));
        let quantity = self.read("PricingQuantity", number);
        let tags = self.read("Tags", tags).unwrap_or_default();
        if !self.problems.is_empty() {
            return None;
        }
        let charged = charged?;
        Some(CostRow {
            owner: None,
            address: None,
            component: None,
            charged,
            billed_in: billed_in.unwrap_or_else(|| Window::month_of(charged.from)),
            category: category.unwrap_or(ChargeCategory::Usage),
            frequency: frequency.unwrap_or(ChargeFrequency::UsageBased),
            description: self.text("ChargeDescription").unwrap_or_default().into(),
            costs: Some(Costs { billed: billed?, effective: effective?, list: list?, contracted: contracted? }),
            currency: Some(currency?),
            quantity,
            unit: self.shared("PricingUnit"),
            resource_id: self.shared("ResourceId"),
            resource_name: self.shared("ResourceName"),
            resource_type: self.shared("ResourceType"),
            service: self.shared("ServiceName"),
            billed_to: self.shared("SubAccountId"),
            tags,
            confidence: CostConfidence::Billed,
            source: CostSource::Bill,
            attribution: Attribution::Unallocated,
        })
    }

    /// Some providers say of what is charged once that it takes no time: then it is a second.
    fn window(&mut self, column: &'static str, from: Option<Timestamp>, until: Option<Timestamp>) -> Option<Window> {
        let (from, until) = (from?, until?);
        if until < from {
            self.problems.push((column, format!("{until} is before {from}")));
            return None;
        }
        Some(Window { from, until: until.max(Timestamp(from.0.saturating_add(1000))) })
    }
}

fn word<T: Copy>(text: &str, all: &[T], name: fn(T) -> &'static str) -> Result<T, String> {
    all.iter().copied().find(|one| name(*one) == text).ok_or_else(|| {
        let shown: String = text.chars().take(40).collect();
        let names: Vec<&str> = all.iter().copied().map(name).collect();
        format!("`{shown}` is none of {}", names.join(", "))
    })
}

/// Tags are an object; what is no text in it is its JSON.
fn tags(text: &str) -> Result<BTreeMap<Arc<str>, Arc<str>>, String> {
    let wrong = || "it is no JSON object of tags such as `{\"team\":\"blue\"}`".to_owned();
    let json: serde_json::Value = serde_json::from_str(text).map_err(|_| wrong())?;
    let object = json.as_object().ok_or_else(wrong)?;
    let text = |value: &serde_json::Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    Ok(object.iter().map(|(key, value)| (Arc::from(key.as_str()), Arc::from(text(value)))).collect())
}
