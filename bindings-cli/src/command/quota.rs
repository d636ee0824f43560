//! `quota`: what a tenant uses and may use.

use serde_json::{Value as Json, json};
use stackwright::state::Amount;

use super::Failure;
use crate::{arguments, exit::Exit, session::Session};

pub(super) async fn run(session: &Session, arguments: &arguments::Quota) -> Result<Exit, Failure> {
    let stack = session.counted_stack().await?;
    let uses = stack.engine().tenant(session.tenant()).quotas().await?;
    if arguments.json {
        let number = |amount: Amount| Option::<u64>::from(amount).map_or(Json::Null, Json::from);
        let one = |one: &stackwright::tenant::QuotaUse| {
            json!({
                "dimension": one.dimension, "used": number(one.used), "reserved": number(one.reserved), "limit": one.hard,
            })
        };
        say!("{}", Json::Array(uses.iter().map(one).collect()));
        return Ok(Exit::Success);
    }
    if uses.is_empty() {
        say!("Nothing is used.");
    }
    for one in &uses {
        let limit = one.hard.map_or_else(String::new, |most| format!(" of {most}"));
        let reserved = match one.reserved {
            Amount::NONE => String::new(),
            reserved => format!(", and {reserved} reserved by runs under way"),
        };
        say!("{}  {}{limit}{reserved}", one.dimension, one.used);
    }
    Ok(Exit::Success)
}
