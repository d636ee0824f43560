//! Orders: what an accepted quote becomes, and how what nobody uses is paid back.
//!
//! ```text
//! plan + accepted quote ──▶ OrderRequests ──▶ Till (pure) ◀── OrderFacts ◀── journal
//!                                              │                   ▲
//!                                              └─▶ OrderCommands ──┴── driver ──▶ Seller (the host's)
//! ```
//!
//! One order for all lines of a run is placed, paid and delivered before the first step that needs it; types that ask for it
//! have an order of their own right before each create ([`Traits::ordered_apart`](crate::resource::Traits)). Each call of the
//! [`Seller`] follows from facts that are durable, and goes by a key that is the same for every repeat, so that a crash
//! between any two of them neither orders nor pays twice.
//!
//! A row names the lines that paid for its object. That is what refunds go by: at the end of a run every paid line that no
//! row names is paid back. What a run deletes is paid back once its row is gone, which is when the world confirmed it; what
//! was forgotten is not. Where nobody can tell whether an object exists its row stands there as uncertain, and keeps its
//! lines.
//!
//! It deliberately knows no prices: [`pricing`](crate::pricing) does, and a [`Seller`] has the last word.

mod fact;
mod request;
mod seller;
mod till;

pub use fact::{HeldLine, OrderFact, Refusal};
pub(crate) use request::same_things;
pub use request::{OrderLine, OrderRequest, Purpose};
pub use seller::{
    Delivery, DeliveryStatus, Order, OrderStatus, Refund, RefundReason, RefundRequest, Seller, SellerTraits,
};
pub use till::{Gate, LineReport, OrderCommand, OrderReport, OrderStage, Till};
