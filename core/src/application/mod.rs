//! Packages that are installed: checked, quoted, installed, upgraded, operated, uninstalled.
//!
//! ```text
//! Platform (engine, policy, handlers, broker, gateway)
//!   └── Applications (what one actor can do) ── install_all
//!         └── Installation (tenant, name) = a stack + a ledger
//!               propose_* ──▶ Proposal (form, plan, quote) ──carry_out──▶ Operation (a run) ──▶ OperationReport
//!               act · grant · revoke · audit · view · recover · resume · give_up · export · import · hand_over · keep
//! ```
//!
//! An installation is one version of a package, installed for one tenant under a name. What there is of it is in the stack
//! of the same name; what was done with it, by whom, and what was filled in, is in its *ledger*, whose entries are sealed
//! and chained: the ledger is the audit record. Nothing else is stored; [`InstallationView`] is a fold.
//!
//! Every change is written to the ledger before it begins, with the id that its run will have. So a crash at any moment
//! leaves one of few truths, which the store tells: there is no such run (nothing began), it is unfinished (resume it), or it
//! ended and nobody noted it. [`Installation::recover`] finds out which, and notes it.
//!
//! Whatever an actor asks is first put to the host's [`Policy`]. An actor reaches installations of its own tenant; of another's
//! only what that tenant granted, by action, until a moment, and each use is in the ledger of whose installation it is.
//!
//! It deliberately knows no users, no sessions and no network: a host says who acts, and carries out what packages call for.

mod action;
mod actor;
mod change;
mod cost;
mod fact;
mod fold;
mod grant;
mod history;
mod hook;
mod installation;
mod many;
mod object;
mod parcel;
mod platform;
mod problem;
mod propose;
mod recover;
mod transfer;

pub use action::ActionReport;
pub use actor::{Actor, Decision, Permission, Policy, Verb};
pub use change::{CarryOptions, Operation, OperationReport};
pub use cost::CostOptions;
pub use fact::{Fact, GrantId, OperationId, OperationKind, Outcome, PackageRef, TransferId};
pub use fold::{AuditRecord, Grant, InstallationView, OperationView, Standing};
pub use grant::Granted;
pub use hook::{
    ActionCall, ActionHandler, CredentialBroker, CredentialRequest, Credentials, Endpoint, Gateway, RoleBroker,
    RoleRequest,
};
pub use installation::Installation;
pub use many::{Fate, Item, ManyOptions, ManyReport, OutputRef};
pub use object::{ObjectChange, ObjectFate};
pub use parcel::Parcel;
pub use platform::{Applications, Platform, PlatformBuilder};
pub use propose::{Proposal, ProposeOptions};
pub use recover::Recovered;
pub use transfer::{Receipt, Transfer};
