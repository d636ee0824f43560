use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};

use super::{Actor, ObjectChange, Verb};
use crate::{
    catalog::{Version, View},
    event::Timestamp,
    pricing::{Line, Unpriced},
    state::{RunId, RunStatus, codec::ChainHash, uuid_id},
};

uuid_id!(
    /// Names an operation on an installation: a change, or an action. Its idempotency key, too.
    OperationId,
    "operation"
);
uuid_id!(
    /// Names a grant.
    GrantId,
    "grant"
);
uuid_id!(
    /// Names the way of an installation from one tenant or platform to another.
    TransferId,
    "transfer"
);

/// One version of a package, by its content.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PackageRef {
    /// The name.
    pub name: Arc<str>,
    /// The version.
    pub version: Version,
    /// The digest of its archive.
    pub digest: Arc<str>,
}

impl fmt::Display for PackageRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.version)
    }
}

/// What a change makes of an installation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OperationKind {
    /// It is there afterwards.
    Install,
    /// It has other values, or another version.
    Upgrade,
    /// A change that failed is taken back: it is as it was before.
    Undo,
    /// It is gone, with everything it had.
    Uninstall,
}

impl OperationKind {
    /// Returns the name used in audit records.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Install => "install",
            Self::Upgrade => "upgrade",
            Self::Undo => "undo",
            Self::Uninstall => "uninstall",
        }
    }
}

/// How an operation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Well.
    Succeeded,
    /// A part of it failed; the rest is as far as it came.
    Failed,
    /// A part of it failed, and what it did was undone.
    Undone,
    /// Somebody asked it to stop.
    Cancelled,
    /// It cannot go on without a person.
    Stuck,
    /// Somebody gave it up.
    Abandoned,
    /// It never began; nothing was done.
    NotBegun,
    /// Nobody knows: whoever carried it out is gone.
    Interrupted,
}

impl Outcome {
    /// Returns the name used in audit records.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Undone => "undone",
            Self::Cancelled => "cancelled",
            Self::Stuck => "stuck",
            Self::Abandoned => "abandoned",
            Self::NotBegun => "not_begun",
            Self::Interrupted => "interrupted",
        }
    }

    /// Returns how a run with this status ended; `None` where it did not.
    pub(super) const fn of(status: RunStatus) -> Option<Self> {
        match status {
            RunStatus::Running => None,
            RunStatus::Succeeded => Some(Self::Succeeded),
            RunStatus::Failed => Some(Self::Failed),
            RunStatus::Cancelled => Some(Self::Cancelled),
            RunStatus::Stuck => Some(Self::Stuck),
            RunStatus::Abandoned => Some(Self::Abandoned),
        }
    }
}

/// What the ledger of an installation says. Free of secrets: what was filled in is stored beside it, sealed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Fact {
    /// A change is about to begin.
    Intended {
        /// Which.
        operation: OperationId,
        /// What it makes of the installation.
        kind: OperationKind,
        /// The id that its run has, once it began.
        run: RunId,
        /// Who wants it.
        by: Actor,
        /// Why, where that was said.
        why: Arc<str>,
        /// What the installation is called in tags.
        app_id: Arc<str>,
        /// The version that is there afterwards; for an uninstall the one that goes.
        package: PackageRef,
        /// The plan of the form that was chosen.
        preset: Option<Arc<str>>,
        /// The role that it runs in.
        role: Option<Arc<str>>,
        /// The hash of the plan.
        plan: Arc<str>,
        /// The hash of the quote that was accepted.
        quote: Arc<str>,
        /// The prices that were accepted.
        lines: Vec<Line>,
        /// What was said to come back for what goes.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        refunds: Vec<Line>,
        /// What nobody could say the price of.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        unpriced: Vec<Unpriced>,
        /// What people see of it then.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        views: Vec<View>,
        /// The operation that it is a part of, where many are one.
        part_of: Option<OperationId>,
    },
    /// An action is about to begin.
    ActionIntended {
        /// Which operation.
        operation: OperationId,
        /// The action's name.
        action: Arc<str>,
        /// Who wants it.
        by: Actor,
        /// Why, where that was said.
        why: Arc<str>,
        /// The grant that allows it, where whoever wants it is of another tenant.
        grant: Option<GrantId>,
        /// When nobody waits for it any more.
        deadline: Timestamp,
    },
    /// An operation ended.
    Ended {
        /// Which.
        operation: OperationId,
        /// How.
        outcome: Outcome,
        /// The codes of what went wrong, with the addresses.
        problems: Vec<Arc<str>>,
        /// What a change did to objects, in order; `None` where that was not written down: for actions, for what never began,
        /// and in entries of older versions.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        objects: Option<Vec<ObjectChange>>,
    },
    /// Somebody was refused.
    Denied {
        /// Who.
        by: Actor,
        /// What.
        verb: Verb,
        /// The action, for [`Verb::Act`].
        action: Option<Arc<str>>,
        /// Why.
        reason: Arc<str>,
    },
    /// Another tenant may carry out actions.
    Granted {
        /// Which grant.
        grant: GrantId,
        /// Who says so.
        by: Actor,
        /// The other tenant.
        to: Arc<str>,
        /// The actions.
        actions: Vec<Arc<str>>,
        /// Until when.
        until: Timestamp,
        /// Why, where that was said.
        why: Arc<str>,
    },
    /// A grant was taken back.
    Revoked {
        /// Which.
        grant: GrantId,
        /// Who says so.
        by: Actor,
    },
    /// It is about to be handed over, and does not change until it is, or is kept.
    Departing {
        /// On which way.
        transfer: TransferId,
        /// Who says so.
        by: Actor,
        /// Why, where that was said.
        why: Arc<str>,
    },
    /// It is not handed over after all.
    Kept {
        /// The way that it does not go.
        transfer: TransferId,
        /// Who says so.
        by: Actor,
    },
    /// It was handed over: whatever it has belongs to another installation now.
    Departed {
        /// On which way.
        transfer: TransferId,
        /// Who says so.
        by: Actor,
        /// Where it is: tenant and name.
        to: Arc<str>,
    },
    /// It was taken over from somewhere else, with whatever it has.
    Arrived {
        /// On which way.
        transfer: TransferId,
        /// Who says so.
        by: Actor,
        /// Why, where that was said.
        why: Arc<str>,
        /// Where it was: tenant and name.
        from: Arc<str>,
        /// The last hash of its ledger there, to be held against that ledger.
        head: ChainHash,
        /// What it is called in tags, as before.
        app_id: Arc<str>,
        /// The version.
        package: PackageRef,
        /// The plan of the form.
        preset: Option<Arc<str>>,
        /// The role that it runs in.
        role: Option<Arc<str>>,
        /// The prices that were accepted.
        lines: Vec<Line>,
        /// What people see of it.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        views: Vec<View>,
        /// What it is remembered by, as the change is that made others.
        run: RunId,
    },
}
