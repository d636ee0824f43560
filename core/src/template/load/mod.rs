//! The texts of a template, by path: the only place where templates meet the file system.
//!
//! [`Files`] is a map in memory. A host fills it from wherever it likes, or from a folder with [`Files::from_dir`], which
//! takes the template's own files and those of the modules that it calls, and nothing else. From there on everything is a
//! pure function of that map, and a plan can carry it along.

mod dir;
mod files;
mod remote;

pub use dir::LoadOptions;
pub(crate) use files::join;
pub use files::{FileKind, Files};
pub(super) use remote::{CalledModule, is_local, module_folder};
pub use remote::{FetchLimits, FetchedModule, ModulePackage, ModuleRequest, ModuleSource};
