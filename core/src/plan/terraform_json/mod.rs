//! Plans and state in the JSON that `terraform show -json` prints, so that tools made for it can read ours.
//!
//! One thing differs, on purpose: a sensitive value is never printed. Where Terraform prints it beside a flag
//! (`before_sensitive`, `after_sensitive`, `sensitive_values`, `sensitive`), here is null beside the flag; and so it is with
//! constants in `configuration` that become sensitive where they end up.

mod checks;
mod configuration;
mod expression;
mod plan;
mod state;
mod tree;
mod value;

#[cfg(test)]
mod tests;

pub use checks::checks_json;
pub use plan::plan_json;
pub use state::state_json;

/// The version of Terraform whose shape is followed.
const TERRAFORM_VERSION: &str = "1.11.4";
