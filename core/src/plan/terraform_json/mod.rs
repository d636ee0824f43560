//! Plans and state in the JSON that `terraform show -json` prints, so that tools made for it can read ours.
//!
//! Two things differ, on purpose. A sensitive value is never printed: where Terraform prints it beside a flag, here is null
//! beside the flag. And `configuration` names the root module's contents no further than such tools need to find types.

mod plan;
mod state;
mod tree;
mod value;

#[cfg(test)]
mod tests;

pub use plan::plan_json;
pub use state::state_json;

/// The version of Terraform whose shape is followed.
const TERRAFORM_VERSION: &str = "1.11.4";
