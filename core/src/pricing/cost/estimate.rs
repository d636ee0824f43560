use std::sync::Arc;

use super::{Attribution, ChargeCategory, ChargeFrequency, CostConfidence, CostRow, CostSource, Costs, Owner, Window};
use crate::{
    event::Timestamp,
    pricing::{Charge, Confidence, Currency, Decimal, Error, Line, Money, Period, text::rates},
};

/// Something that costs, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Posting {
    /// Whose it is.
    pub owner: Owner,
    /// What it is called in tags, as the value of `stackwright-app`.
    pub app_id: Arc<str>,
    /// The instance.
    pub address: Arc<str>,
    /// Its type.
    pub type_name: Arc<str>,
    /// The provider's id of it, where it is known.
    pub remote_id: Option<Arc<str>>,
    /// What it costs.
    pub priced: Priced,
    /// When.
    pub when: When,
}

/// What something costs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Priced {
    /// As a line says that was accepted.
    Line(Box<Line>),
    /// Nobody can say.
    Unknown {
        /// Why, for people.
        reason: Arc<str>,
    },
    /// So much was paid back.
    Refund(Money),
}

/// When something costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// From the first moment until the second, or until now.
    Held {
        /// From when.
        from: Timestamp,
        /// Until when.
        until: Option<Timestamp>,
    },
    /// Once, then.
    Paid {
        /// When.
        at: Timestamp,
    },
    /// It came back, then.
    Returned {
        /// When.
        at: Timestamp,
    },
}

impl Posting {
    /// Adds what it costs in a window, until `now`, month by month.
    ///
    /// # Errors
    /// [`Error::Overflow`].
    pub(super) fn rows(&self, window: Window, now: Timestamp, rows: &mut Vec<CostRow>) -> Result<(), Error> {
        match self.when {
            When::Held { from, until } => {
                let until = until.map_or(now, |until| until.min(now));
                let Some(alive) = window.overlap(Window { from, until }) else { return Ok(()) };
                for part in alive.by_month() {
                    rows.extend(self.held(from, part)?);
                }
            }
            When::Paid { at } | When::Returned { at } if at <= now && window.has(at) => rows.push(self.once(at)?),
            When::Paid { .. } | When::Returned { .. } => {}
        }
        Ok(())
    }

    fn held(&self, begin: Timestamp, part: Window) -> Result<Option<CostRow>, Error> {
        let unknown = |reason: &str| self.row(part, ChargeFrequency::UsageBased, format!("{}: {reason}", self.title()));
        let Priced::Line(line) = &self.priced else {
            return Ok(Some(match &self.priced {
                Priced::Unknown { reason } => unknown(&format!("price not known: {reason}")),
                _ => unknown("price not known"),
            }));
        };
        let every = match &line.charge {
            // It was paid when it was bought.
            Charge::Once => return Ok(None),
            Charge::Usage(usage) => {
                let row = self.row(
                    part,
                    ChargeFrequency::UsageBased,
                    format!("{}: {}, how much was used is not known", self.title(), rates(usage)),
                );
                let unit = Some(Arc::clone(&usage.unit));
                let category = ChargeCategory::Usage;
                return Ok(Some(CostRow { currency: Some(usage.currency.clone()), unit, category, ..row }));
            }
            Charge::Recurring { every } => *every,
        };
        let mut row = self.row(part, ChargeFrequency::Recurring, self.title());
        row.unit = Some(units(every).into());
        let between = |amount: Decimal, digits: u32| {
            let [start, end] = [part.from, part.until].map(|at| every.until(amount, begin, at, digits));
            end?.minus(start?)
        };
        row.quantity = Some(between(Decimal::ONE, crate::pricing::decimal::SCALE)?);
        if let (Some(list), Some(net)) = (&line.list, &line.net) {
            let digits = line.charge.bucket().digits(&net.currency);
            let (net, list) = (between(net.amount, digits)?, between(list.amount, digits)?);
            row.costs = Some(Costs { billed: net, effective: net, list, contracted: net });
            row.confidence = confidence(line);
        } else {
            row.description = format!("{}: price not known", self.title()).into();
        }
        Ok(Some(row))
    }

    fn once(&self, at: Timestamp) -> Result<CostRow, Error> {
        let second = Window { from: at, until: Timestamp(at.0.saturating_add(1000)) };
        let is_back = matches!(self.when, When::Returned { .. });
        let title = if is_back { format!("{} comes back", self.title()) } else { self.title() };
        let mut row = self.row(second, ChargeFrequency::OneTime, title);
        let costs = match &self.priced {
            Priced::Line(line) => {
                row.confidence = confidence(line);
                line.net.as_ref().zip(line.list.as_ref()).map(|(net, list)| {
                    // What comes back is what was paid, whatever the list says.
                    let list = if is_back { net.amount } else { list.amount };
                    Costs { billed: net.amount, effective: net.amount, list, contracted: net.amount }
                })
            }
            Priced::Refund(money) => {
                row.confidence = CostConfidence::Firm;
                let amount = money.amount;
                Some(Costs { billed: amount, effective: amount, list: amount, contracted: amount })
            }
            Priced::Unknown { .. } => None,
        };
        row.costs = costs.map(|costs| if is_back { costs.negated() } else { Ok(costs) }).transpose()?;
        if row.costs.is_some() {
            let one = if is_back { Decimal::ZERO.minus(Decimal::ONE)? } else { Decimal::ONE };
            (row.quantity, row.unit) = (Some(one), Some("Units".into()));
        } else {
            row.confidence = CostConfidence::Unknown;
            row.description = format!("{}: nobody knows how much", row.description).into();
        }
        Ok(row)
    }

    /// A row of which nothing is known but what it is.
    fn row(&self, charged: Window, frequency: ChargeFrequency, description: impl Into<Arc<str>>) -> CostRow {
        let is_usage = frequency == ChargeFrequency::UsageBased;
        CostRow {
            owner: Some(self.owner.clone()),
            address: Some(Arc::clone(&self.address)),
            component: match &self.priced {
                Priced::Line(line) => Some(Arc::clone(&line.component)),
                Priced::Unknown { .. } | Priced::Refund(_) => None,
            },
            charged,
            billed_in: Window::month_of(charged.from),
            category: if is_usage { ChargeCategory::Usage } else { ChargeCategory::Purchase },
            frequency,
            description: description.into(),
            costs: None,
            currency: self.currency(),
            quantity: None,
            unit: None,
            resource_id: self.remote_id.clone(),
            resource_name: Some(Arc::clone(&self.address)),
            resource_type: Some(Arc::clone(&self.type_name)),
            service: None,
            billed_to: None,
            tags: [(Arc::from("stackwright-app"), Arc::clone(&self.app_id))].into(),
            confidence: CostConfidence::Unknown,
            source: CostSource::Estimate,
            attribution: Attribution::Ledger,
        }
    }

    fn currency(&self) -> Option<Currency> {
        match &self.priced {
            Priced::Line(line) => line.net.as_ref().map(|net| net.currency.clone()),
            Priced::Refund(money) => Some(money.currency.clone()),
            Priced::Unknown { .. } => None,
        }
    }

    fn title(&self) -> String {
        match &self.priced {
            Priced::Line(line) => {
                let what = line.label.as_ref().unwrap_or(&line.component);
                line.spec.as_ref().map_or_else(|| what.to_string(), |spec| format!("{what} ({spec})"))
            }
            Priced::Unknown { .. } | Priced::Refund(_) => self.type_name.to_string(),
        }
    }
}

fn confidence(line: &Line) -> CostConfidence {
    match line.confidence {
        Confidence::Firm { .. } => CostConfidence::Firm,
        Confidence::Estimate => CostConfidence::Estimate,
        Confidence::Unknown { .. } => CostConfidence::Unknown,
    }
}

/// Returns the unit as FOCUS writes it.
const fn units(every: Period) -> &'static str {
    match every {
        Period::Hour => "Hours",
        Period::Day => "Days",
        Period::Month => "Months",
        Period::Year => "Years",
    }
}
