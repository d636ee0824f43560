//! Who holds a stack, and what to do about a holder that is dead.
//!
//! A lease runs out by itself when its holder dies. On the holder's own machine nobody needs to wait for that: the
//! holder's name says which process it was, and a process that is gone cannot write any more. Should the guess ever be
//! wrong, the store still refuses the old holder's writes by its fencing token.

use std::{fs, sync::Arc, time::Duration};

use stackwright::{
    error::{Error, ErrorKind, Result},
    stack::Stack,
};

/// How often a lease that somebody holds is looked at while we wait for it.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Returns this process's name as a holder: its number, its machine, and a tag that tells it from later processes with
/// the same number.
pub(crate) fn holder() -> String {
    let pid = std::process::id();
    let name = format!("process {pid} on {}", host_name());
    match birth(pid).zip(machine()) {
        Some((birth, machine)) => format!("{name} [{birth}@{machine}]"),
        None => name,
    }
}

/// Waits until nobody holds the stack, at most `patience`; a lease of a process of this machine that is dead is taken
/// away at once.
///
/// Returns as soon as the stack is free. What then still holds it is left to the operation to report.
pub(crate) async fn wait(stack: &Stack, patience: Duration, mut say: impl FnMut(&str)) -> Result<()> {
    let mut waited = Duration::ZERO;
    while let Some(lease) = stack.lease().await? {
        if is_dead(&lease.holder) {
            say(&format!("The lock was held by {}, which is dead. It is taken over.", readable(&lease.holder)));
            return stack.break_lease().await;
        }
        if waited >= patience {
            return Ok(());
        }
        if waited.is_zero() {
            say(&format!("Waiting for {}, which works on {}...", readable(&lease.holder), stack.key()));
        }
        tokio::time::sleep(LOOK_EVERY).await;
        waited += LOOK_EVERY;
    }
    Ok(())
}

/// Refuses to look at a stack in the middle of somebody's run, and says what to do about a run that never ended.
pub(crate) async fn refuse_amid_run(stack: &Stack) -> Result<()> {
    let Some(run) = stack.unfinished_run().await? else { return Ok(()) };
    match stack.lease().await? {
        Some(lease) if !is_dead(&lease.holder) => {
            let message = format!(
                "run {} is under way: {} works on {}; plan again when it has ended",
                run.id,
                readable(&lease.holder),
                stack.key()
            );
            Err(Error::new(ErrorKind::Conflict, "lease.held", message))
        }
        _ => {
            let message = format!(
                "run {} of {} never ended; `stackwright apply` resumes it first, `stackwright runs abandon {}` gives it up",
                run.id, run.started, run.id
            );
            Err(Error::new(ErrorKind::Conflict, "run.unfinished", message))
        }
    }
}

/// Returns a holder without the tag that only programs read.
pub(crate) fn readable(holder: &str) -> String {
    match (holder.find(" ["), holder.find(']')) {
        (Some(start), Some(end)) if start < end => {
            format!("{}{}", holder.get(..start).unwrap_or(holder), holder.get(end + 1..).unwrap_or_default())
        }
        _ => holder.to_owned(),
    }
}

/// Returns whether a holder is a process of this machine that does not exist any more.
fn is_dead(holder: &str) -> bool {
    let Some((pid, born, place)) = parse(holder) else { return false };
    machine().is_some_and(|here| here == place) && birth(pid).as_deref() != Some(born)
}

/// Reads `process PID on HOST [BIRTH@MACHINE]`.
fn parse(holder: &str) -> Option<(u32, &str, &str)> {
    let pid = holder.strip_prefix("process ")?.split(' ').next()?.parse().ok()?;
    let tag = holder.split_once(" [")?.1.split_once(']')?.0;
    let (born, place) = tag.split_once('@')?;
    Some((pid, born, place))
}

/// Returns when a process began, in ticks since the machine did; `None` when it is gone, a zombie, or cannot be seen.
fn birth(pid: u32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name stands in brackets and may hold anything; what follows the last one is fields 3 and on.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?;
    let born = fields.nth(18)?;
    (!matches!(state, "Z" | "X")).then(|| born.to_owned())
}

/// Returns what names this boot of this machine, as far as process numbers mean the same: its boot and the namespace
/// of its process numbers. `None` where the system does not tell, and then nobody is believed dead.
fn machine() -> Option<String> {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let space = fs::read_link("/proc/self/ns/pid").ok()?;
    let space: String = space.to_string_lossy().chars().filter(char::is_ascii_digit).collect();
    let boot: String = boot.chars().filter(char::is_ascii_hexdigit).take(12).collect();
    Some(format!("{boot}-{space}"))
}

fn host_name() -> Arc<str> {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let name = name.or_else(|| std::env::var("HOSTNAME").ok()).unwrap_or_default();
    let name = name.trim();
    Arc::from(if name.is_empty() { "this machine" } else { name })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tag_is_for_programs_only() {
        assert_eq!(readable("process 7 on build-7 [12@ab-34] (apply)"), "process 7 on build-7 (apply)");
        assert_eq!(readable("somebody else"), "somebody else");
        assert_eq!(parse("process 7 on build-7 [12@ab-34] (apply)"), Some((7, "12", "ab-34")));
        assert_eq!(parse("process 7 on build-7 (apply)"), None);
    }

    #[test]
    fn only_a_process_of_this_machine_that_is_gone_is_dead() {
        let me = holder();
        assert!(!is_dead(&me), "{me} is alive");
        let Some((pid, born, place)) = parse(&me) else { return };
        assert!(is_dead(&format!("process {pid} on x [{born}0@{place}]")), "another process has the number now");
        assert!(!is_dead(&format!("process {pid} on x [{born}0@{place}0]")), "the number means nothing elsewhere");
        assert!(!is_dead(&format!("process {pid} on x")), "nothing is known of it");
    }
}
