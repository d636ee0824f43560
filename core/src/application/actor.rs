use std::{fmt, sync::Arc};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::PackageRef;
use crate::error::Result;

/// Who does something: a person, a team or a program, and the tenant that it belongs to. The host vouches for both.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Actor {
    /// The tenant.
    pub tenant: Arc<str>,
    /// What people call whoever it is.
    pub name: Arc<str>,
}

impl Actor {
    /// Returns who is called `name` in `tenant`.
    pub fn new(tenant: impl Into<Arc<str>>, name: impl Into<Arc<str>>) -> Self {
        Self { tenant: tenant.into(), name: name.into() }
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.name, self.tenant)
    }
}

/// What somebody wants to do with an installation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verb {
    /// Look at it, at what was filled in and at what was done.
    View,
    /// Work out what a change would do and cost.
    Propose,
    /// Install it.
    Install,
    /// Change it, or bring it to another version.
    Upgrade,
    /// Remove it with everything it has.
    Uninstall,
    /// Go on with what was interrupted, or give it up.
    Recover,
    /// Carry out an action of its package.
    Act,
    /// Let another tenant carry out actions, or take that back.
    Grant,
    /// Hand it over to another tenant or platform.
    Transfer,
    /// See what it costs and has cost.
    Cost,
}

impl Verb {
    /// Returns the name used in audit records.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::View => "view",
            Self::Propose => "propose",
            Self::Install => "install",
            Self::Upgrade => "upgrade",
            Self::Uninstall => "uninstall",
            Self::Recover => "recover",
            Self::Act => "act",
            Self::Grant => "grant",
            Self::Transfer => "transfer",
            Self::Cost => "cost",
        }
    }
}

/// What a host is asked before anything is done.
#[derive(Clone, Debug)]
pub struct Permission<'a> {
    /// Who.
    pub actor: &'a Actor,
    /// What.
    pub verb: Verb,
    /// Whose installation.
    pub tenant: &'a str,
    /// Its name.
    pub installation: &'a str,
    /// The version of a package that is to be installed, where one is.
    pub package: Option<&'a PackageRef>,
    /// The action, for [`Verb::Act`].
    pub action: Option<&'a str>,
}

/// What a host says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It may be done.
    Allow,
    /// It may not.
    Deny {
        /// Why, for people. Free of secrets.
        reason: Arc<str>,
    },
}

/// Says who may do what. Asked before anything is looked at, changed or written down.
///
/// An actor of another tenant is only ever asked about actions that were granted to it; the rest it cannot reach, whatever
/// is said here. Only a report that the host makes of all tenants ([`Platform::cost`](super::Platform::cost)) asks about costs of
/// others.
#[async_trait]
pub trait Policy: fmt::Debug + Send + Sync + 'static {
    /// Decides.
    ///
    /// # Errors
    /// Whatever keeps it from deciding; then nothing is done.
    async fn decide(&self, permission: &Permission<'_>) -> Result<Decision>;
}
