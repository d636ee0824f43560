use std::sync::Arc;

use crate::value::Value;

/// One object whose price is asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct QuoteItem {
    /// The instance.
    pub address: Arc<str>,
    /// What is asked.
    pub ask: QuoteAsk,
    /// The object, as the schema has it; unmarked. Of one that is made or changed, what is planned: unknown where nobody
    /// knows yet.
    pub object: Value,
    /// The object before, where there is one.
    pub prior: Option<Value>,
}

/// What is asked about an object's price.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum QuoteAsk {
    /// What making it costs, and having it from then on.
    Create,
    /// What changing it costs, and having it from then on.
    Change,
    /// What having it costs as it is. What was paid once does not count.
    Keep,
    /// What comes back when it is removed: prices that are paid once, above zero.
    Refund,
}
