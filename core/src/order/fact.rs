use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};

use super::{OrderRequest, RefundRequest};
use crate::{
    error::{Error, ErrorKind},
    pricing::Money,
    state::ObjectId,
};

/// Why something did not come about, as the journal keeps it: no causes, no secrets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refusal {
    /// What the caller can do.
    pub kind: ErrorKind,
    /// The stable code.
    pub code: String,
    /// The message.
    pub message: String,
}

impl Refusal {
    /// Returns the error as one that can be thrown.
    pub fn to_error(&self) -> Error {
        Error::new(self.kind, self.code.clone(), self.message.clone())
    }
}

impl From<&Error> for Refusal {
    fn from(error: &Error) -> Self {
        Self { kind: error.kind(), code: error.code().to_owned(), message: error.message().to_owned() }
    }
}

/// A line that paid for an object which a run is going to remove.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeldLine {
    /// The line, as the seller calls it.
    pub line: Arc<str>,
    /// The object.
    pub object_id: ObjectId,
    /// Where it stands.
    pub address: Arc<str>,
}

/// Something that happened to the orders of a run; part of its journal. Orders are named by key, lines by the seller's id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum OrderFact {
    /// What was accepted, and what objects that go were paid with. Written when the run begins.
    Accepted {
        /// The orders that are to be placed: at most one that is not apart.
        orders: Vec<OrderRequest>,
        /// Lines of objects that the run removes.
        held: Vec<HeldLine>,
    },
    /// An order is about to be placed. Durable before it is.
    Placing {
        /// The order.
        key: Arc<str>,
    },
    /// It is placed.
    Placed {
        /// The order.
        key: Arc<str>,
        /// What the seller calls it.
        id: Arc<str>,
        /// What is to be paid.
        due: Vec<Money>,
        /// What the seller calls its lines, by key.
        lines: BTreeMap<Arc<str>, Arc<str>>,
    },
    /// It is about to be paid. Durable before it is.
    Paying {
        /// The order.
        key: Arc<str>,
    },
    /// It is paid.
    Paid {
        /// The order.
        key: Arc<str>,
    },
    /// It will not be placed or not be paid.
    Refused {
        /// The order.
        key: Arc<str>,
        /// Why.
        refusal: Refusal,
    },
    /// It is about to be taken back, not having been paid. Durable before it is.
    Cancelling {
        /// The order.
        key: Arc<str>,
        /// Why, where it is not for the run's end.
        refusal: Option<Refusal>,
    },
    /// It is taken back.
    Cancelled {
        /// The order.
        key: Arc<str>,
    },
    /// What a line pays for may be made.
    Delivered {
        /// The line.
        line: Arc<str>,
    },
    /// A line will never be delivered.
    Undelivered {
        /// The line.
        line: Arc<str>,
        /// Why.
        reason: Arc<str>,
    },
    /// A line is about to be paid back. Durable before it is.
    Refunding {
        /// How.
        refund: RefundRequest,
    },
    /// It is paid back.
    Refunded {
        /// The line.
        line: Arc<str>,
        /// How much.
        amount: Vec<Money>,
    },
    /// It will not be paid back.
    RefundRefused {
        /// The line.
        line: Arc<str>,
        /// Why.
        refusal: Refusal,
    },
}

impl OrderFact {
    /// Returns the name used in messages and in storage.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Accepted { .. } => "accepted",
            Self::Placing { .. } => "placing",
            Self::Placed { .. } => "placed",
            Self::Paying { .. } => "paying",
            Self::Paid { .. } => "paid",
            Self::Refused { .. } => "refused",
            Self::Cancelling { .. } => "cancelling",
            Self::Cancelled { .. } => "cancelled",
            Self::Delivered { .. } => "delivered",
            Self::Undelivered { .. } => "undelivered",
            Self::Refunding { .. } => "refunding",
            Self::Refunded { .. } => "refunded",
            Self::RefundRefused { .. } => "refund_refused",
        }
    }
}
