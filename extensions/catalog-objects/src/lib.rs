//! Where catalogs of packages lie, and the keys that sign them.
//!
//! [`Directory`] keeps a catalog in a folder, [`Http`] behind a server that stores what it is sent, as object stores do: `GET`,
//! and `PUT` with `If-Match` or `If-None-Match`. [`KeyPair`] signs with ed25519, [`TrustedKeys`] checks.
//!
//! ```
//! use std::sync::Arc;
//! use stackwright::catalog::Catalog;
//! use stackwright_catalog_objects::{Directory, KeyPair, TrustedKeys};
//!
//! # fn main() -> stackwright::Result<()> {
//! let key = KeyPair::generate()?;
//! let trust = TrustedKeys::new([key.public_key()])?;
//! let catalog = Catalog::new(Arc::new(Directory::new("catalog")), Arc::new(trust));
//! # let _ = catalog;
//! # Ok(())
//! # }
//! ```
//!
//! Invariants: a private key never reaches `Debug`, errors or logs; a file appears whole or not at all; no key of a catalog
//! leads out of its folder.

mod directory;
mod http;
mod key;

pub use directory::Directory;
pub use http::Http;
pub use key::{KeyPair, TrustedKeys};
