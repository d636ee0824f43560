//! The values of a template, computed on demand and once.
//!
//! Every variable, local, output, block and instance of every module instance is a node with a number. Evaluating a node
//! may touch others that have no value yet: it then waits for all of them and is tried again when the last one is there.
//! Nothing recurses, nothing is computed twice, and what a node touched is known exactly, instance by instance.
//!
//! ```text
//! queue ─▶ evaluate ─┬─▶ value, and which instances it was made with ─▶ wake who waits
//!                    └─▶ waits for other nodes
//! ```
//!
//! What many things are made with is said once: a block as a whole is touched as one node that stands for its instances,
//! and so is any value that was made with many. So n instances that each use all of m others touch n + m nodes.
//!
//! Instances themselves belong to the owner of the [`Table`]: the planner works out what becomes of them, the residue of
//! a plan looks up what became of them. Modules are no nodes: modules that refer to each other criss-cross are no cycle.
//!
//! Which instances a block or call has is decided before anything runs. What `count` and `for_each` were told with is
//! made before the instances all the same, as in Terraform; but how many instances another block has (`length(type.name)`,
//! `for_each = type.name`) the template tells, and that touches nothing.

mod check;
mod env;
mod ephemeral;
mod evaluate;
mod expand;
mod import;
mod label;
mod memo;
mod module;
mod provider;
mod scope;
mod table;
mod touched;
mod value;

pub(super) use env::{Env, Place, Recorder};
pub(crate) use env::{FilesSeen, Replay};
pub(super) use ephemeral::{held, held_later};
pub(super) use evaluate::Evaluated;
pub(super) use expand::{Expansion, Keys, Repeat};
pub(super) use import::Adoption;
pub(super) use module::{BlockNodes, ModuleIdx, ModuleInst};
pub(super) use provider::Lookup;
pub(super) use scope::NodeScope;
pub(super) use table::{Event, NodeId, NodeKind, Options, Table};
pub(super) use touched::Touched;
pub(super) use value::Verdict;
