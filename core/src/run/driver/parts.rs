use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use crate::{
    event::{Bus, Clock},
    order::{OrderRequest, Seller},
    plan::Plan,
    run::{Calls, Fair, Finalizer, OnFailure},
    state::{Lease, Lineage, Row, Store, codec::Sealer},
};

/// How a run is to be carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// How many calls run at once; at least 1. Waiting for readiness is not counted.
    pub parallelism: usize,
    /// What to do about the rest when a step fails.
    pub on_failure: OnFailure,
    /// How often a call whose outcome was lost is made in all, once the world said that it left nothing behind. At
    /// least 1. Failures that left nothing behind are the retry layer's.
    pub attempts: u32,
    /// How long the world is asked again what became of a lost call, while it does not answer but might.
    pub recover_patience: Duration,
    /// How long a call that was told to end may go on before it is dropped.
    pub grace: Duration,
    /// How long a store that does not answer is tried again before the run pauses.
    pub store_patience: Duration,
    /// Who starts the run, for lists.
    pub who: String,
    /// Why, for lists.
    pub why: String,
    /// The locked tags that the plan was made with, handed to resource types.
    pub tags: BTreeMap<String, String>,
    /// What the host calls the run, handed to resource types.
    pub operation: Option<Arc<str>>,
    /// Where calls wait for their turn, among those of other runs; `None`: they do not.
    pub fair: Option<Fair>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            parallelism: 64,
            on_failure: OnFailure::Stop,
            attempts: 3,
            recover_patience: Duration::from_mins(5),
            grace: Duration::from_secs(5),
            store_patience: Duration::from_mins(1),
            who: String::new(),
            why: String::new(),
            tags: BTreeMap::new(),
            operation: None,
            fair: None,
        }
    }
}

/// What a driver works with.
pub struct DriverParts {
    /// Where the run is remembered.
    pub store: Arc<dyn Store>,
    /// The right to write the stack. The driver renews it while it works and does not release it.
    pub lease: Lease,
    /// For how long each renewal asks; at least a second. A renewal is made every third of it.
    pub lease_ttl: Duration,
    /// Seals what is sensitive, for this stack.
    pub sealer: Sealer,
    /// The stack's history: the plan's, or a new one where it has none.
    pub lineage: Lineage,
    /// What to do.
    pub plan: Arc<Plan>,
    /// All rows of the stack as they are stored.
    pub rows: Vec<Row>,
    /// Who takes orders; `None` where nothing is sold.
    pub seller: Option<Arc<dyn Seller>>,
    /// What was accepted and is to be ordered; only for a run that begins.
    pub orders: Vec<OrderRequest>,
    /// Finds resource types.
    pub calls: Arc<dyn Calls>,
    /// Evaluates what the plan left open.
    pub finalizer: Box<dyn Finalizer>,
    /// Where events go; closed when the run ends.
    pub bus: Bus,
    /// Where time comes from.
    pub clock: Arc<dyn Clock>,
    /// How.
    pub options: Options,
}

impl fmt::Debug for DriverParts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DriverParts")
            .field("stack", &self.plan.stack)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}
