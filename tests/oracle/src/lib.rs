//! Does an expression mean here what it means in Terraform?
//!
//! ```text
//! grammar ─▶ expressions ─┬─▶ ours       (the evaluator)                    ─▶ outcome ─┐
//! hand/*.txt ─▶           │                                                             ├─▶ compare ─▶ report
//!                         └─▶ terraform  (the program, or vectors recorded of it)  ─▶ outcome ─┘
//! ```
//!
//! Both see the same [`world`]: locals of every type, sensitive ones, and attributes of resources that are not made yet.
//! An [`Outcome`] is an error, or a value with its type, what is not known of it (and what is known of that), and its
//! marks. Terraform tells all of that in the plan file that it writes: expressions become locals, those become the `input`
//! of one `terraform_data`, and the planned change of it holds types, values, refinements and sensitive paths.
//!
//! `oracle run` generates and compares; `oracle record` writes what Terraform says to `vectors/`, one expression a line,
//! and `cargo test` replays that, with no Terraform needed. What we do differently on purpose is listed in [`deliberate`]
//! and in `docs/design/language.md`.

pub mod canon;
pub mod census;
pub mod compare;
pub mod coverage;
pub mod deliberate;
pub mod grammar;
pub mod msgpack;
pub mod ours;
pub mod outcome;
pub mod plan_file;
pub mod random;
pub mod terraform;
pub mod vectors;
pub mod world;

pub use outcome::Outcome;
