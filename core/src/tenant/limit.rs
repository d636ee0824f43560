use std::{collections::BTreeMap, fmt, sync::Arc};

use async_trait::async_trait;

use crate::error::Result;

/// How much of something a tenant may use.
///
/// The engine counts `stacks` (those that have objects), `resources` and `resources.TYPE`; what else there is, resource types
/// say ([`Resource::consumes`](crate::resource::Resource::consumes)).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Of what: `resources`, `resources.acme_vm`, `vcpu`.
    pub dimension: Arc<str>,
    /// The most; a plan that would need more is refused.
    pub hard: Option<u64>,
    /// A plan that needs more than this is warned about.
    pub soft: Option<u64>,
}

impl Limit {
    /// Returns a limit that refuses what goes beyond it.
    pub fn hard(dimension: impl Into<Arc<str>>, most: u64) -> Self {
        Self { dimension: dimension.into(), hard: Some(most), soft: None }
    }

    /// Returns a limit that warns of what goes beyond it.
    pub fn soft(dimension: impl Into<Arc<str>>, most: u64) -> Self {
        Self { dimension: dimension.into(), hard: None, soft: Some(most) }
    }

    /// Adds from where on there are warnings.
    pub const fn warning_at(mut self, most: u64) -> Self {
        self.soft = Some(most);
        self
    }
}

/// Says what tenants may use. A host's.
///
/// Asked anew for each plan that would use more, so limits may change at any time. Lowering one takes nothing away: what
/// exists stays, and nothing is added until there is room again.
#[async_trait]
pub trait Quotas: fmt::Debug + Send + Sync + 'static {
    /// Returns the limits of a tenant, in any order; of several for one dimension the lowest count. What no limit is said
    /// for is counted, and unlimited.
    ///
    /// # Errors
    /// Whatever kept it from answering: nothing that would use more begins then.
    async fn limits(&self, tenant: &str) -> Result<Vec<Limit>>;
}

/// Limits that never change: the same for all tenants but those that have their own.
#[derive(Clone, Debug, Default)]
pub struct FixedQuotas {
    all: Vec<Limit>,
    own: BTreeMap<Arc<str>, Vec<Limit>>,
}

impl FixedQuotas {
    /// Returns limits that hold for each tenant by itself.
    pub fn new(limits: impl IntoIterator<Item = Limit>) -> Self {
        Self { all: limits.into_iter().collect(), own: BTreeMap::new() }
    }

    /// Gives a tenant limits of its own, in place of the others.
    pub fn tenant(mut self, tenant: impl Into<Arc<str>>, limits: impl IntoIterator<Item = Limit>) -> Self {
        self.own.insert(tenant.into(), limits.into_iter().collect());
        self
    }
}

#[async_trait]
impl Quotas for FixedQuotas {
    async fn limits(&self, tenant: &str) -> Result<Vec<Limit>> {
        Ok(self.own.get(tenant).unwrap_or(&self.all).clone())
    }
}

/// Returns the limits by dimension, the lowest where there are several.
pub(super) fn by_dimension(limits: &[Limit]) -> BTreeMap<Arc<str>, Limit> {
    let lowest = |one: Option<u64>, other: Option<u64>| one.into_iter().chain(other).min();
    let mut found: BTreeMap<Arc<str>, Limit> = BTreeMap::new();
    for limit in limits {
        let known = found.entry(Arc::clone(&limit.dimension)).or_insert_with(|| limit.clone());
        known.hard = lowest(known.hard, limit.hard);
        known.soft = lowest(known.soft, limit.soft);
    }
    found
}
