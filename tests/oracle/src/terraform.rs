//! Terraform as the judge: it plans a configuration whose locals are expressions.

use std::{
    collections::BTreeMap,
    fs::File,
    path::Path,
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};

use crate::{Outcome, plan_file, world};

/// What Terraform says of some expressions, in their order.
///
/// # Errors
/// When the program cannot be started or says something that is not understood.
pub fn evaluate(expressions: &[String]) -> Result<Vec<Outcome>, String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    world::write_files(folder.path()).map_err(|error| error.to_string())?;
    let mut outcomes: BTreeMap<usize, Outcome> = BTreeMap::new();
    let all: Vec<usize> = (0..expressions.len()).collect();
    rounds(folder.path(), expressions, all, &mut outcomes)?;
    (0..expressions.len())
        .map(|idx| outcomes.remove(&idx).ok_or_else(|| format!("nothing was said of `{}`", expressions[idx])))
        .collect()
}

/// Returns the version of the program on `PATH`, if there is one.
pub fn version() -> Option<String> {
    let output = command(Path::new(".")).args(["version", "-json"]).output().ok()?;
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).ok()?;
    Some(json["terraform_version"].as_str()?.to_owned())
}

fn command(folder: &Path) -> Command {
    let mut command = Command::new("terraform");
    command.current_dir(folder).stdin(Stdio::null()).env_remove("TF_CLI_CONFIG_FILE");
    command.env("TF_IN_AUTOMATION", "1").env("CHECKPOINT_DISABLE", "1").env("TZ", "UTC");
    for (name, _) in std::env::vars() {
        if name.starts_with("TF_VAR_") || name.starts_with("TF_CLI_ARGS") || name == "TF_LOG" || name == "TF_DATA_DIR" {
            command.env_remove(name);
        }
    }
    command
}

/// Plans, notes the errors, drops what had one, and plans again until nothing has one.
fn rounds(
    folder: &Path,
    expressions: &[String],
    mut left: Vec<usize>,
    outcomes: &mut BTreeMap<usize, Outcome>,
) -> Result<(), String> {
    while !left.is_empty() {
        match round(folder, expressions, &left)? {
            Round::Planned(values) => {
                outcomes.extend(values);
                return Ok(());
            }
            Round::Errors(errors) => {
                left.retain(|idx| !errors.contains_key(idx));
                outcomes.extend(errors.into_iter().map(|(idx, message)| (idx, Outcome::Error(message))));
            }
            // Something went wrong that no expression is named for: look for it in halves.
            Round::Nameless(message) if left.len() == 1 => {
                outcomes.insert(left[0], Outcome::Error(format!("nameless: {message}")));
                return Ok(());
            }
            Round::Nameless(_) => {
                let later = left.split_off(left.len() / 2);
                rounds(folder, expressions, left, outcomes)?;
                left = later;
            }
        }
    }
    Ok(())
}

/// Runs a program, but not for ever: nothing where it did not end in time.
fn bounded(command: &mut Command, folder: &Path) -> Result<Option<Output>, String> {
    const LONGEST: Duration = Duration::from_secs(45);
    let text = |error: std::io::Error| format!("terraform: {error}");
    let (out, err) = (folder.join("stdout"), folder.join("stderr"));
    command.stdout(File::create(&out).map_err(text)?).stderr(File::create(&err).map_err(text)?);
    let mut child = command.spawn().map_err(text)?;
    let begin = Instant::now();
    let status = loop {
        match child.try_wait().map_err(text)? {
            Some(status) => break status,
            None if begin.elapsed() > LONGEST => {
                child.kill().map_err(text)?;
                child.wait().map_err(text)?;
                return Ok(None);
            }
            None => std::thread::sleep(Duration::from_millis(20)),
        }
    };
    let (stdout, stderr) = (std::fs::read(out).map_err(text)?, std::fs::read(err).map_err(text)?);
    Ok(Some(Output { status, stdout, stderr }))
}

enum Round {
    Planned(Vec<(usize, Outcome)>),
    Errors(BTreeMap<usize, String>),
    Nameless(String),
}

fn round(folder: &Path, expressions: &[String], wanted: &[usize]) -> Result<Round, String> {
    let mut text = String::from("locals {\n");
    let mut starts = Vec::new();
    let mut line = 2;
    for idx in wanted {
        let expression = &expressions[*idx];
        starts.push((line, *idx));
        text.push_str(&format!("  c{idx} = {expression}\n"));
        line += 1 + expression.matches('\n').count();
    }
    text.push_str("}\nresource \"terraform_data\" \"cases\" {\n  input = {\n");
    for idx in wanted {
        text.push_str(&format!("    c{idx} = local.c{idx}\n"));
    }
    text.push_str("  }\n}\n");
    let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).map_err(|error| error.to_string());
    write("cases.tf", &text)?;
    let outside = tempfile::tempdir().map_err(|error| error.to_string())?;
    let plan = outside.path().join("plan");
    let to = format!("-out={}", plan.display());
    let arguments = ["plan", "-json", "-input=false", "-lock=false", "-refresh=false", &to];
    let Some(output) = bounded(command(folder).args(arguments), outside.path())? else {
        return Ok(Round::Nameless("it does not end".to_owned()));
    };
    let mut errors: BTreeMap<usize, String> = BTreeMap::new();
    let mut nameless = None;
    for json in String::from_utf8_lossy(&output.stdout).lines() {
        let Ok(json) = serde_json::from_str::<serde_json::Value>(json) else { continue };
        let diagnostic = &json["diagnostic"];
        if diagnostic["severity"] != "error" {
            continue;
        }
        let message = format!(
            "{}: {}",
            diagnostic["summary"].as_str().unwrap_or_default(),
            diagnostic["detail"].as_str().unwrap_or_default()
        );
        let range = &diagnostic["range"];
        let place = range["start"]["line"].as_u64().filter(|_| range["filename"] == "cases.tf");
        let found = place.and_then(|place| {
            let behind = starts.partition_point(|(line, _)| *line as u64 <= place);
            starts.get(behind.checked_sub(1)?).filter(|_| place < line as u64)
        });
        match found {
            Some((_, idx)) => {
                errors.entry(*idx).or_insert(message);
            }
            None => nameless = Some(message),
        }
    }
    if !errors.is_empty() {
        return Ok(Round::Errors(errors));
    }
    if !output.status.success() || nameless.is_some() {
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        return Ok(Round::Nameless(nameless.unwrap_or(stderr)));
    }
    let archive = std::fs::read(plan).map_err(|error| error.to_string())?;
    let values = plan_file::planned(&archive, "terraform_data.cases")?;
    let find = |idx: &usize| {
        let value = values.attribute(&format!("c{idx}")).ok_or_else(|| format!("c{idx} is not in the plan"))?;
        Ok((*idx, Outcome::of(value).within(&folder.to_string_lossy())))
    };
    wanted.iter().map(find).collect::<Result<_, String>>().map(Round::Planned)
}
