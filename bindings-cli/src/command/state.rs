use stackwright::{
    address::{Address, Target},
    error::{Error, ErrorKind, Result},
    stack::Settlement,
};

use super::{Failure, parse};
use crate::{arguments::State, exit::Exit, session::Session, show, terminal::Style};

pub(super) async fn run(session: &Session, arguments: &State, style: Style) -> Result<Exit, Failure> {
    let stack = match arguments {
        State::Rm { locking, .. } | State::Mv { locking, .. } | State::Settle { locking, .. } => {
            session.stack_to_change(locking.lock_timeout, style).await?
        }
        State::List { .. } | State::Show { .. } => session.stack().await?,
    };
    match arguments {
        State::List { addresses, id } => {
            let targets: Vec<Target> = addresses.iter().map(|text| parse(text)).collect::<Result<_>>()?;
            for row in stack.state().await?.sorted() {
                let covered = targets.is_empty() || targets.iter().any(|target| target.contains(&row.address));
                let named = id.as_ref().is_none_or(|id| row.remote_id.as_ref() == Some(id));
                if covered && named {
                    say!("{}", row.address);
                }
            }
        }
        State::Show { address } => {
            let address: Address = parse(address)?;
            let state = stack.state().await?;
            let Some(row) = state.row(&address) else {
                let message =
                    format!("nothing in state is at `{address}`; `stackwright state list` shows all addresses");
                return Err(Error::new(ErrorKind::NotFound, "state.no_such_address", message).into());
            };
            say_part!("{}", show::row(row));
        }
        State::Rm { addresses, .. } => {
            let targets: Vec<Target> = addresses.iter().map(|text| parse(text)).collect::<Result<_>>()?;
            let mut count = 0;
            for target in &targets {
                for address in stack.forget_rows(target).await? {
                    say!("Removed {address}");
                    count += 1;
                }
            }
            say!("No longer managed: {count}. The objects are as they were.");
        }
        State::Mv { from, to, .. } => {
            let (from, to): (Address, Address) = (parse(from)?, parse(to)?);
            stack.move_address(&from, &to).await?;
            say!("Moved {from} to {to}");
        }
        State::Settle { address, what, .. } => {
            let address: Address = parse(address)?;
            let settlement = match what.as_str() {
                "absent" => Settlement::Absent,
                "present" => Settlement::Present,
                _ => Settlement::Tainted,
            };
            stack.settle(&address, settlement).await?;
            say!("Settled {address}: {what}");
        }
    }
    Ok(Exit::Success)
}
