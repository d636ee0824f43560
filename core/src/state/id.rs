use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};

/// A name of 128 bits; the text says in `Debug` what it names.
macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(uuid::Uuid);

        impl $name {
            /// Mints a new one from 122 random bits.
            pub fn mint() -> Self {
                Self(uuid::Uuid::new_v4())
            }

            /// Returns the one with exactly these bits.
            pub const fn from_u128(bits: u128) -> Self {
                Self(uuid::Uuid::from_u128(bits))
            }

            /// Returns its bits.
            pub const fn as_u128(self) -> u128 {
                self.0.as_u128()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($what, ":{}"), self.0)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                uuid::Uuid::from_str(text).map(Self)
            }
        }
    };
}
pub(crate) use uuid_id;

uuid_id!(
    /// The identity of one remote object: minted for every planned create, never reused, unaffected by moves.
    ///
    /// It is also the object's idempotency key.
    ObjectId,
    "object"
);
uuid_id!(
    /// Names a run.
    RunId,
    "run"
);
uuid_id!(
    /// Names one history of a stack, from its first apply until it is forgotten.
    Lineage,
    "lineage"
);

/// Names a stack: whose it is, and what it is called there.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StackKey {
    /// The tenant.
    pub tenant: Arc<str>,
    /// The name, unique in the tenant.
    pub name: Arc<str>,
}

impl StackKey {
    /// Returns the key of `name` in `tenant`.
    pub fn new(tenant: impl Into<Arc<str>>, name: impl Into<Arc<str>>) -> Self {
        Self { tenant: tenant.into(), name: name.into() }
    }
}

/// Names a ledger: whose it is, what it is about, and what it is called there.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LedgerKey {
    /// The tenant.
    pub tenant: Arc<str>,
    /// What its records are about, such as `installation`.
    pub kind: Arc<str>,
    /// The name, unique in the tenant and kind.
    pub name: Arc<str>,
}

impl LedgerKey {
    /// Returns the key of the ledger `name` about `kind` in `tenant`.
    pub fn new(tenant: impl Into<Arc<str>>, kind: impl Into<Arc<str>>, name: impl Into<Arc<str>>) -> Self {
        Self { tenant: tenant.into(), kind: kind.into(), name: name.into() }
    }
}

impl fmt::Display for LedgerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}/{}", self.kind, self.tenant, self.name)
    }
}

impl fmt::Display for StackKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.tenant, self.name)
    }
}

/// The fencing token of a lease: grows with every holder, so that a stale one is recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LeaseToken(pub u64);
