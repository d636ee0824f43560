use std::{collections::BTreeSet, fmt, sync::Arc, time::Duration};

use super::{
    ActionReport, Decision, Fact, Grant, GrantId, Installation, Parcel, Permission, Standing, Verb, action::is_over,
    problem,
};
use crate::{
    error::{Error, ErrorKind, Result},
    form::Inputs,
    state::LedgerDraft,
};

impl Installation {
    /// Lets another tenant carry out some actions for a while, and returns what that is called. Each use is in the ledger.
    ///
    /// # Errors
    /// `installation.denied`; `installation.standing` where nothing is installed; `grant.invalid` without actions, for no
    /// time, or for one's own tenant.
    pub async fn grant(
        &self,
        to: impl Into<Arc<str>>,
        actions: impl IntoIterator<Item = impl Into<Arc<str>>>,
        good_for: Duration,
        why: &str,
    ) -> Result<GrantId> {
        self.permit(Verb::Grant, None, None).await?;
        let (to, actions) = (to.into(), actions.into_iter().map(Into::into).collect::<BTreeSet<Arc<str>>>());
        let wrong = match (actions.is_empty(), good_for.is_zero(), to == self.key.tenant) {
            (true, _, _) => Some("a grant names the actions that it allows"),
            (_, true, _) => Some("a grant is for a while, and this is for no time"),
            (_, _, true) => Some("a tenant needs no grant for what is its own"),
            _ => None,
        };
        if let Some(wrong) = wrong {
            return Err(Error::new(ErrorKind::InvalidInput, "grant.invalid", wrong));
        }
        let grant = GrantId::mint();
        let fact = Fact::Granted {
            grant,
            by: (*self.apps.actor).clone(),
            to,
            actions: actions.into_iter().collect(),
            until: self.now().plus(good_for),
            why: why.into(),
        };
        let draft = LedgerDraft::new(&fact)?;
        self.record(|folded| match folded.view.standing {
            Standing::Removed => Err(problem::standing(&folded.view, "opened to others")),
            _ => Ok(vec![draft.clone()]),
        })
        .await?;
        Ok(grant)
    }

    /// Takes a grant back; taking it back twice is fine.
    ///
    /// # Errors
    /// `installation.denied`; `grant.unknown`.
    pub async fn revoke(&self, grant: GrantId) -> Result<()> {
        self.permit(Verb::Grant, None, None).await?;
        let draft = LedgerDraft::new(&Fact::Revoked { grant, by: (*self.apps.actor).clone() })?;
        self.record(|folded| match folded.view.grants.iter().find(|one| one.grant == grant) {
            None => Err(unknown()),
            Some(one) if one.is_revoked => Ok(Vec::new()),
            Some(_) => Ok(vec![draft.clone()]),
        })
        .await
        .map(drop)
    }
}

/// What a tenant granted to another: actions of one installation, and nothing else of it.
#[derive(Clone)]
pub struct Granted {
    installation: Installation,
}

impl Granted {
    pub(super) fn new(installation: Installation) -> Self {
        Self { installation }
    }

    /// Carries an action out, as [`Installation::act`] does.
    ///
    /// # Errors
    /// `grant.unknown` where nothing was ever granted to the actor's tenant, whether there is such an installation or not;
    /// `grant.expired` where it is over or was taken back; `grant.action` where another action was granted;
    /// `installation.denied` where the policy says no all the same; the others as [`Installation::act`].
    pub async fn act(&self, parcel: &Parcel, action: &str, inputs: &Inputs, why: &str) -> Result<ActionReport> {
        let one = &self.installation;
        let actor = &one.apps.actor;
        let folded = one.load().await?;
        let mine: Vec<&Grant> = folded.view.grants.iter().filter(|grant| grant.to == actor.tenant).collect();
        if mine.is_empty() {
            return Err(unknown());
        }
        let now = one.now();
        let named = mine.iter().filter(|grant| grant.actions.contains(action)).collect::<Vec<_>>();
        let valid = named.iter().find(|grant| !grant.is_revoked && !is_over(grant.until, now));
        let refused = match (valid, named.is_empty()) {
            (Some(grant), _) => {
                let permission = Permission {
                    actor,
                    verb: Verb::Act,
                    tenant: &one.key.tenant,
                    installation: &one.key.name,
                    package: Some(parcel.reference()),
                    action: Some(action),
                };
                match one.apps.platform.inner.policy.decide(&permission).await? {
                    Decision::Allow => {
                        return one.act_granted(parcel, action, inputs, why, Some(grant.grant)).await;
                    }
                    Decision::Deny { reason } => problem::denied(reason),
                }
            }
            (None, false) => Error::new(ErrorKind::Denied, "grant.expired", "what was granted is over, or taken back"),
            (None, true) => {
                Error::new(ErrorKind::Denied, "grant.action", format!("the action `{action}` was not granted"))
            }
        };
        one.note_denial(Verb::Act, Some(action), refused.message()).await;
        Err(refused)
    }
}

impl fmt::Debug for Granted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Granted").field("key", &self.installation.key).finish_non_exhaustive()
    }
}

fn unknown() -> Error {
    Error::new(ErrorKind::NotFound, "grant.unknown", "there is no such grant")
}
