use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use super::{
    ActionHandler, Actor, CredentialBroker, Decision, Gateway, Granted, Installation, Permission, Policy, RoleBroker,
    problem,
};
use crate::{
    error::Result,
    stack::Engine,
    state::{LedgerKey, StackKey},
};

/// The kind of the ledgers of installations.
pub(super) const LEDGER: &str = "installation";

/// An engine that packages are installed with, and what the host does for them. Cheap to clone.
#[derive(Clone)]
pub struct Platform {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) engine: Engine,
    pub(super) policy: Arc<dyn Policy>,
    pub(super) handlers: BTreeMap<String, Arc<dyn ActionHandler>>,
    pub(super) broker: Option<Arc<dyn CredentialBroker>>,
    pub(super) roles: Option<Arc<dyn RoleBroker>>,
    pub(super) gateway: Option<Arc<dyn Gateway>>,
    pub(super) tags: BTreeMap<Arc<str>, Arc<str>>,
    pub(super) action_timeout: Duration,
}

impl Platform {
    /// Returns a builder; `policy` says who may do what.
    pub fn builder(engine: Engine, policy: impl Policy) -> PlatformBuilder {
        PlatformBuilder {
            inner: Inner {
                engine,
                policy: Arc::new(policy),
                handlers: BTreeMap::new(),
                broker: None,
                roles: None,
                gateway: None,
                tags: BTreeMap::new(),
                action_timeout: Duration::from_secs(600),
            },
        }
    }

    /// Returns the engine.
    pub fn engine(&self) -> &Engine {
        &self.inner.engine
    }

    /// Returns what an actor can do.
    pub fn applications(&self, actor: Actor) -> Applications {
        Applications { platform: self.clone(), actor: Arc::new(actor) }
    }
}

impl fmt::Debug for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Platform")
            .field("policy", &self.inner.policy)
            .field("handlers", &self.inner.handlers.keys())
            .finish_non_exhaustive()
    }
}

/// Collects what a [`Platform`] is made of.
pub struct PlatformBuilder {
    inner: Inner,
}

impl PlatformBuilder {
    /// Adds what carries out actions: `name` is what a manifest calls as `handler`, or `TYPE.ACTION` for actions on resources
    /// of a type.
    pub fn handler(mut self, name: impl Into<String>, handler: impl ActionHandler) -> Self {
        self.inner.handlers.insert(name.into(), Arc::new(handler));
        self
    }

    /// Sets what leases credentials to actions.
    pub fn broker(mut self, broker: impl CredentialBroker) -> Self {
        self.inner.broker = Some(Arc::new(broker));
        self
    }

    /// Sets what makes the roles that packages want to run in.
    pub fn roles(mut self, roles: impl RoleBroker) -> Self {
        self.inner.roles = Some(Arc::new(roles));
        self
    }

    /// Sets where installations answer to actions of their own.
    pub fn gateway(mut self, gateway: impl Gateway) -> Self {
        self.inner.gateway = Some(Arc::new(gateway));
        self
    }

    /// Sets a tag that everything of every installation must bear.
    pub fn tag(mut self, key: impl Into<Arc<str>>, value: impl Into<Arc<str>>) -> Self {
        self.inner.tags.insert(key.into(), value.into());
        self
    }

    /// Sets how long an action may take; ten minutes by default.
    pub fn action_timeout(mut self, timeout: Duration) -> Self {
        self.inner.action_timeout = timeout;
        self
    }

    /// Returns the platform.
    pub fn build(self) -> Platform {
        Platform { inner: Arc::new(self.inner) }
    }
}

impl fmt::Debug for PlatformBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PlatformBuilder").field("policy", &self.inner.policy).finish_non_exhaustive()
    }
}

/// What one actor can do: with the installations of its tenant, and with what others granted to it. Cheap to clone.
#[derive(Clone)]
pub struct Applications {
    pub(super) platform: Platform,
    pub(super) actor: Arc<Actor>,
}

impl Applications {
    /// Returns who acts.
    pub fn actor(&self) -> &Actor {
        &self.actor
    }

    /// Returns the installation `name` of the actor's tenant, whether it exists yet or not.
    pub fn installation(&self, name: impl Into<Arc<str>>) -> Installation {
        Installation::new(self.clone(), StackKey::new(Arc::clone(&self.actor.tenant), name))
    }

    /// Returns what another tenant may have granted to the actor's tenant of its installation `name`.
    pub fn granted(&self, tenant: impl Into<Arc<str>>, name: impl Into<Arc<str>>) -> Granted {
        Granted::new(Installation::new(self.clone(), StackKey::new(tenant, name)))
    }

    /// Returns the installations of the actor's tenant that it may look at, removed ones too, ordered by name.
    ///
    /// # Errors
    /// Those of [`Store`](crate::state::Store) and of the policy.
    pub async fn list(&self) -> Result<Vec<Installation>> {
        let tenant = Arc::clone(&self.actor.tenant);
        let keys: Vec<LedgerKey> = self.platform.engine().store().list_ledgers(Some(&tenant), LEDGER).await?;
        let mut visible = Vec::new();
        for key in keys {
            let permission = Permission {
                actor: &self.actor,
                verb: super::Verb::View,
                tenant: &tenant,
                installation: &key.name,
                package: None,
                action: None,
            };
            if self.platform.inner.policy.decide(&permission).await? == Decision::Allow {
                visible.push(self.installation(Arc::clone(&key.name)));
            }
        }
        Ok(visible)
    }

    /// Asks the policy.
    pub(super) async fn decide(&self, permission: &Permission<'_>) -> Result<()> {
        match self.platform.inner.policy.decide(permission).await? {
            Decision::Allow => Ok(()),
            Decision::Deny { reason } => Err(problem::denied(reason)),
        }
    }
}

impl fmt::Debug for Applications {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Applications").field("actor", &self.actor).finish_non_exhaustive()
    }
}
