use std::{collections::BTreeMap, sync::Arc};

use super::{
    Actor, Applications, Decision, Installation, Permission, Platform, Verb,
    history::{History, UnderWay},
    platform::LEDGER,
};
use crate::{
    error::Result,
    pricing::cost::{BillRow, CostInput, CostReport, Owner, SharedCost, Window},
    state::StackKey,
};

/// What a report of costs is about.
#[derive(Clone, Debug)]
pub struct CostOptions {
    /// The period.
    pub window: Window,
    /// The rows of a provider's bill; `None` for an estimate alone.
    pub bill: Option<Vec<BillRow>>,
    /// Rules for rows of the bill that are nobody's alone. The first that takes a row says who bears it.
    pub shared: Vec<SharedCost>,
}

impl CostOptions {
    /// Returns an estimate for a period.
    pub fn of(window: Window) -> Self {
        Self { window, bill: None, shared: Vec::new() }
    }
}

impl Applications {
    /// Reports what the installations of the actor's tenant cost in a period, removed ones too: as estimated from what was
    /// accepted and how long it was there, and, where there is a bill, as billed. What the policy does not let the actor see
    /// the costs of is left out; rows of a bill that are not the tenant's are unallocated.
    ///
    /// # Errors
    /// `cost.shared` for rules that cannot be; `pricing.overflow`; those of [`Ledger::load`](crate::state::Ledger::load) and
    /// of the policy.
    ///
    /// # Complexity
    /// O(ledgers + rows of state + journals of changes that are under way), and what [`CostReport::of`] costs.
    pub async fn cost(&self, options: &CostOptions) -> Result<CostReport> {
        self.platform.cost_of(&self.actor, Some(&self.actor.tenant), options).await
    }
}

impl Platform {
    /// Reports what the installations of all tenants cost in a period; for the host, who asks in the name of `actor`. Its policy
    /// is asked for each installation, whose tenant may be another than the actor's.
    ///
    /// # Errors
    /// As [`Applications::cost`].
    ///
    /// # Complexity
    /// As [`Applications::cost`].
    pub async fn cost(&self, actor: &Actor, options: &CostOptions) -> Result<CostReport> {
        self.cost_of(actor, None, options).await
    }

    async fn cost_of(&self, actor: &Actor, tenant: Option<&str>, options: &CostOptions) -> Result<CostReport> {
        let mut input = CostInput {
            window: options.window,
            now: self.engine().clock().now(),
            postings: Vec::new(),
            holdings: Vec::new(),
            owners: BTreeMap::new(),
            bill: options.bill.clone(),
            shared: options.shared.clone(),
        };
        for key in self.engine().store().list_ledgers(tenant, LEDGER).await? {
            let permission = Permission {
                actor,
                verb: Verb::Cost,
                tenant: &key.tenant,
                installation: &key.name,
                package: None,
                action: None,
            };
            if self.inner.policy.decide(&permission).await? != Decision::Allow {
                continue;
            }
            let key = StackKey::new(Arc::clone(&key.tenant), Arc::clone(&key.name));
            let owner = Owner::new(Arc::clone(&key.tenant), Arc::clone(&key.name));
            let history = Installation::new(self.applications(actor.clone()), key).history(&owner).await?;
            input.owners.extend(history.app_ids.into_iter().map(|id| (id, owner.clone())));
            input.postings.extend(history.postings);
            input.holdings.extend(history.holdings);
        }
        Ok(CostReport::of(input)?)
    }
}

impl Installation {
    async fn history(&self, owner: &Owner) -> Result<History> {
        let folded = self.load().await?;
        let under_way = match folded.in_question() {
            Some(change) if self.has_run(change.run).await? => {
                let objects = self.objects_of(change.run).await?;
                Some(UnderWay { operation: change.operation, objects })
            }
            _ => None,
        };
        let rows = self.stack.state().await?.rows;
        Ok(History::of(owner, &folded.audit, under_way, &rows))
    }
}
