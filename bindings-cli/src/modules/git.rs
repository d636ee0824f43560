use std::{
    collections::BTreeMap,
    io::Read as _,
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
};

use super::{
    archive,
    unpacked::{Limits, Unpacked},
};

/// Reads what a commit of a git directory holds, with the program `git`. Errors are what is wrong, in words.
///
/// Only objects are read: no hook runs, nothing is checked out, no other machine is asked.
pub(super) fn read(path: &Path, reference: Option<&str>) -> Result<BTreeMap<String, Arc<str>>, String> {
    let own = path.join(".git");
    let repository = if own.exists() { own } else { path.to_owned() };
    if !repository.exists() {
        return Err(format!("`{}` is not there", path.display()));
    }
    let mut command = Command::new("git");
    command.arg("--git-dir").arg(&repository);
    command.args(["-c", "core.hooksPath=/dev/null", "-c", "protocol.allow=never"]);
    command.args(["archive", "--format=tar", reference.unwrap_or("HEAD")]);
    for name in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY"] {
        command.env_remove(name);
    }
    command.env("GIT_TERMINAL_PROMPT", "0").env("LC_ALL", "C");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| format!("`git` cannot be started: {error}"))?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    // Somebody has to listen, or a talkative `git` waits for ever.
    let said = std::thread::spawn(move || {
        let mut text = String::new();
        let _ = stderr.map(|stderr| stderr.take(64 << 10).read_to_string(&mut text));
        text
    });
    let files = match stdout {
        Some(stdout) => archive::tar(stdout, Unpacked::new(Limits::default())),
        None => Err("`git` said nothing".to_owned()),
    };
    // What is not wanted any more need not be written; else it has ended already.
    if files.is_err() {
        let _ = child.kill();
    }
    let ended = child.wait().map_err(|error| format!("`git` was lost: {error}"))?;
    let said = said.join().unwrap_or_default();
    if ended.success() {
        return files;
    }
    let what = said.lines().find_map(|line| line.strip_prefix("fatal: ")).unwrap_or("it gave no reason");
    match files {
        // It was ended because of what it wrote.
        Err(problem) if ended.code().is_none() => Err(problem),
        _ => Err(format!("`git` cannot read `{}`: {what}", path.display())),
    }
}
