//! Packages and the catalogs that they are in.
//!
//! ```text
//! folder ──Package::read──▶ Package { manifest, template, form, plans, actions … } ──lint──▶ diagnostics
//!    │
//!    └──Built::new──▶ archive + signed seal ──Catalog::publish──▶ Objects (a folder, something like an object store)
//!                                                                    │
//!            Package ◀──Package::read── files ◀──Catalog::fetch──────┘  nothing is read before it is verified
//! ```
//!
//! A package is what a vendor hands on: a template, the form that is filled in for it, charts, plans, actions. Its archive is
//! canonical: the same files give the same bytes, and other bytes are refused. A version goes from development to trial to
//! online, and can be withdrawn; the index that says so is signed like the archives are.
//!
//! It deliberately knows no network, no key and no installation: [`Objects`], [`Signer`] and [`Trust`] are brought along, and
//! what a package becomes is for others.
//!
//! Invariants: nothing that comes from [`Objects`] is looked at before a trusted signature over it was checked; no path of an
//! archive leads out of it; a published version never changes its content.

mod archive;
mod folder;
mod lint;
mod manifest;
mod objects;
mod package;
mod read;
mod release;
mod seal;
mod shelf;
mod system;
mod version;
mod view;

#[cfg(test)]
mod tests;

pub use archive::{Limits, PackageFiles, digest, pack, unpack};
pub use lint::lint;
pub use manifest::{Action, Declared, Manifest, Offer, Place, Target};
pub use objects::{Expect, MemoryObjects, Objects, Stored};
pub use package::Package;
pub use release::{Advance, Index, Release, Stage, Viewer};
pub use seal::{Envelope, EnvelopeKind, Seal, Signature, Signer, Trust};
pub use shelf::{Built, Catalog};
pub use system::System;
pub use version::{Version, VersionError};
pub use view::{Column, Content, Shown, Shows, View};
