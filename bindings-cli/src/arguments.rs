//! The command line. Long flags are taken with one dash or two.

use std::{ffi::OsString, path::PathBuf, process::ExitCode, time::Duration};

use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand, builder::TypedValueParser as _};
use stackwright::{template::Edition, tenant::Limit};

mod package;

pub(crate) use package::{App, Carrying, Chosen, Filling, Package, Shelf, Transferring};

use crate::{
    location::StateLocation,
    session::{SHOP_VARIABLE, STACK_VARIABLE, STATE_VARIABLE},
};

/// One call of the program.
#[derive(Parser, Debug)]
#[command(
    name = "stackwright",
    version,
    about = "Plan, apply and destroy what a template describes, with state that survives any crash.",
    after_help = "Long flags are taken with one dash or two, as Terraform does: `-auto-approve`, `--auto-approve`.\n\
                  State is kept in .stackwright/state.db beside the template unless -state says otherwise.\n\
                  The password of a PostgreSQL comes from PGPASSWORD or ~/.pgpass; docs/stores/postgres.md says more.\n\
                  Start with `stackwright plan` in a folder of .tf files.",
    disable_help_subcommand = true,
    subcommand_required = true,
    arg_required_else_help = true
)]
pub(crate) struct Invocation {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command takes.
#[derive(Args, Clone, Debug)]
pub(crate) struct Global {
    /// Work in this folder instead of the present one.
    #[arg(
        long,
        global = true,
        help_heading = "Global options",
        value_name = "DIR",
        default_value = ".",
        hide_default_value = true
    )]
    pub(crate) chdir: PathBuf,
    /// Where state is kept: a file, or `postgres://USER@HOST/DATABASE` for many machines.
    #[arg(
        long,
        global = true,
        help_heading = "Global options",
        value_name = "STATE",
        env = STATE_VARIABLE,
        hide_env_values = true,
        value_parser = clap::builder::OsStringValueParser::new().map(StateLocation::from)
    )]
    pub(crate) state: Option<StateLocation>,
    /// The stack, as `name` or `tenant/name`.
    #[arg(
        long,
        global = true,
        help_heading = "Global options",
        value_name = "STACK",
        env = STACK_VARIABLE,
        default_value = "default"
    )]
    pub(crate) stack: String,
    /// The file with the key that seals secrets in state; made once if it is not there. Without this flag the key is
    /// in the environment variable STACKWRIGHT_KEY (64 hexadecimal digits), or else in a file beside the state.
    #[arg(long, global = true, help_heading = "Global options", value_name = "FILE")]
    pub(crate) key_file: Option<PathBuf>,
    /// The pretend cloud where what costs money is bought, such as `http://127.0.0.1:7070`; `app install` and `app upgrade`
    /// order there what they quoted.
    #[arg(long, global = true, help_heading = "Global options", value_name = "URL", env = SHOP_VARIABLE)]
    pub(crate) sandbox_shop: Option<String>,
    /// The most that the tenant may use of something: `resources=50`, `resources.local_file=9`, `stacks=3`. Repeat it for
    /// several. With it, what runs may add is reserved before they begin.
    #[arg(long, global = true, help_heading = "Global options", value_name = "DIMENSION=MOST", value_parser = limit)]
    pub(crate) quota: Vec<Limit>,
    /// The edition of the language (1.11, 1.12 or stackwright) for templates that ask for none.
    #[arg(
        long,
        global = true,
        help_heading = "Global options",
        value_name = "EDITION",
        default_value = "1.11",
        hide_default_value = true
    )]
    pub(crate) language: Edition,
    /// Write no colours.
    #[arg(long, global = true, help_heading = "Global options")]
    pub(crate) no_color: bool,
}

/// Reads `DIMENSION=MOST`.
fn limit(text: &str) -> Result<Limit, String> {
    let parts = text.rsplit_once('=').filter(|(dimension, _)| !dimension.is_empty());
    let (dimension, most) = parts.ok_or("write `DIMENSION=MOST`, such as `resources=50`")?;
    let most = most.parse().map_err(|_| format!("`{most}` is no whole number from 0 on"))?;
    Ok(Limit::hard(dimension, most))
}

#[derive(Args, Debug)]
pub(crate) struct Quota {
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Init {
    /// Fetch anew what is there already.
    #[arg(long)]
    pub(crate) upgrade: bool,
}

#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// Fetch the modules that lie in archives and git directories on this machine.
    Init(Init),
    /// Check the template and say everything that is wrong with it.
    Validate(Validate),
    /// Show what apply would do.
    Plan(Plan),
    /// Make the world match the template, or carry out a saved plan.
    Apply(Apply),
    /// Delete everything that the stack owns.
    Destroy(Destroy),
    /// Make state match the world; nothing in the world is changed.
    Refresh(Refresh),
    /// Take an object that exists into state.
    Import(Import),
    /// Print outputs.
    Output(Output),
    /// Look at state and mend it.
    #[command(subcommand)]
    State(State),
    /// Show state or a saved plan.
    Show(Show),
    /// Draw what depends on what.
    Graph(Graph),
    /// Evaluate expressions, one a line from standard input.
    Console(Console),
    /// Bring templates into the usual layout.
    Fmt(Fmt),
    /// Write a part of a template in another notation: HCL, JSON or YAML.
    Convert(Convert),
    /// Look at runs, resume or abandon one.
    #[command(subcommand)]
    Runs(Runs),
    /// Take the lock of a stack away from a process that is dead.
    ForceUnlock(ForceUnlock),
    /// Replace the key that seals secrets, and seal what every stack of the state file holds again.
    RotateKey(RotateKey),
    /// Make packages, and publish them.
    #[command(subcommand)]
    Package(Package),
    /// Install packages, and look after what is installed.
    #[command(subcommand)]
    App(App),
    /// Print the version.
    Version(Version),
    /// Show what the tenant uses, has reserved, and may use.
    Quota(Quota),
}

/// Values for the root module's variables.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Variables {
    /// Set a variable: `name=value`. May be given several times.
    #[arg(long = "var", value_name = "NAME=VALUE")]
    pub(crate) var: Vec<String>,
    /// Read variables from a file. May be given several times.
    #[arg(long = "var-file", value_name = "FILE")]
    pub(crate) var_file: Vec<PathBuf>,
}

/// How a stack that somebody else works on is dealt with.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Locking {
    /// How long to wait for somebody else who works on the stack, such as `30s` or `5m`.
    #[arg(long, value_name = "DURATION", default_value = "0s", hide_default_value = true, value_parser = patience)]
    pub(crate) lock_timeout: Duration,
    /// Taken for Terraform's sake. A change without the lock is not possible.
    #[arg(long, value_name = "BOOL", default_value_t = true, action = clap::ArgAction::Set, num_args = 0..=1, default_missing_value = "true", hide = true, value_parser = locked)]
    pub(crate) lock: bool,
}

fn patience(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|_| "write numbers with units, such as `30s` or `1m30s`".to_owned())
}

fn locked(text: &str) -> Result<bool, String> {
    match text {
        "true" => Ok(true),
        _ => {
            Err("a stack is always locked while it is changed; leave the flag out, or wait with `-lock-timeout`"
                .to_owned())
        }
    }
}

/// What planning takes.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Planning {
    #[command(flatten)]
    pub(crate) variables: Variables,
    /// Plan only this instance, resource or module and what it needs. May be given several times.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) target: Vec<String>,
    /// Make a new object for this instance. May be given several times.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) replace: Vec<String>,
    /// Whether to look at the real objects first.
    #[arg(long, value_name = "BOOL", default_value_t = true, action = clap::ArgAction::Set, num_args = 0..=1, default_missing_value = "true", hide_default_value = true)]
    pub(crate) refresh: bool,
    /// Plan to make state match the world, and nothing else.
    #[arg(long, conflicts_with = "replace")]
    pub(crate) refresh_only: bool,
    /// How many calls run at once.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) parallelism: u32,
    /// Whether to ask for variables that have no value, when there is a terminal.
    #[arg(long, value_name = "BOOL", default_value_t = true, action = clap::ArgAction::Set, num_args = 0..=1, default_missing_value = "true", hide_default_value = true)]
    pub(crate) input: bool,
    #[command(flatten)]
    pub(crate) locking: Locking,
    /// Show warnings as one line each, without the text that they point at.
    #[arg(long)]
    pub(crate) compact_warnings: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Validate {
    /// Write JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Plan {
    #[command(flatten)]
    pub(crate) planning: Planning,
    /// Plan to delete everything.
    #[arg(long)]
    pub(crate) destroy: bool,
    /// Save the plan for `apply`.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Exit with 0 when there is nothing to do, 1 on errors, 2 when there are changes.
    #[arg(long)]
    pub(crate) detailed_exitcode: bool,
    /// Write one JSON object a line.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Apply {
    #[command(flatten)]
    pub(crate) planning: Planning,
    /// Do not ask.
    #[arg(long)]
    pub(crate) auto_approve: bool,
    /// Delete everything.
    #[arg(long)]
    pub(crate) destroy: bool,
    /// What to do when a step fails: `stop` starts nothing new, `continue` goes on with what does not need it, `rollback`
    /// starts nothing new and undoes what was done.
    #[arg(long, value_name = "POLICY", default_value = "stop", value_parser = ["stop", "continue", "rollback"])]
    pub(crate) on_failure: String,
    /// Write one JSON object a line.
    #[arg(long)]
    pub(crate) json: bool,
    /// A plan that `plan -out` saved.
    #[arg(value_name = "PLAN")]
    pub(crate) plan: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(crate) struct Destroy {
    #[command(flatten)]
    pub(crate) planning: Planning,
    /// Do not ask.
    #[arg(long)]
    pub(crate) auto_approve: bool,
    /// Write one JSON object a line.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Refresh {
    #[command(flatten)]
    pub(crate) planning: Planning,
    /// Write one JSON object a line.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Import {
    #[command(flatten)]
    pub(crate) variables: Variables,
    #[command(flatten)]
    pub(crate) locking: Locking,
    /// The address of a resource block's instance.
    #[arg(value_name = "ADDRESS")]
    pub(crate) address: String,
    /// The id that people use for the object.
    #[arg(value_name = "ID")]
    pub(crate) id: String,
}

#[derive(Args, Debug)]
pub(crate) struct Output {
    /// Write JSON, sensitive values too.
    #[arg(long, conflicts_with = "raw")]
    pub(crate) json: bool,
    /// Write the bare text of one output, sensitive or not.
    #[arg(long, requires = "name")]
    pub(crate) raw: bool,
    /// The output; all without it.
    #[arg(value_name = "NAME")]
    pub(crate) name: Option<String>,
}

#[derive(Subcommand, Debug)]
pub(crate) enum State {
    /// List the addresses of all objects.
    List {
        /// Only what these cover.
        #[arg(value_name = "ADDRESS")]
        addresses: Vec<String>,
        /// Only the object with this id.
        #[arg(long)]
        id: Option<String>,
    },
    /// Show one object.
    Show {
        /// Its address.
        #[arg(value_name = "ADDRESS")]
        address: String,
    },
    /// Stop managing objects; they stay as they are.
    Rm {
        #[command(flatten)]
        locking: Locking,
        /// What to forget: instances, resources or modules.
        #[arg(value_name = "ADDRESS", required = true)]
        addresses: Vec<String>,
    },
    /// Give an object another address.
    Mv {
        #[command(flatten)]
        locking: Locking,
        /// Its address.
        #[arg(value_name = "FROM")]
        from: String,
        /// Its new address.
        #[arg(value_name = "TO")]
        to: String,
    },
    /// Say what became of an object that the engine could not tell about.
    Settle {
        #[command(flatten)]
        locking: Locking,
        /// Its address.
        #[arg(value_name = "ADDRESS")]
        address: String,
        /// `absent`: it does not exist; `present`: it exists, and the next plan reads how it is; `tainted`: it exists and
        /// is to be replaced.
        #[arg(value_name = "WHAT", value_parser = ["absent", "present", "tainted"])]
        what: String,
    },
}

#[derive(Args, Debug)]
pub(crate) struct Show {
    /// Write JSON in the shape of `terraform show -json`. What is sensitive is null beside the flag that says so.
    #[arg(long)]
    pub(crate) json: bool,
    /// A plan that `plan -out` saved; state without it.
    #[arg(value_name = "PLAN")]
    pub(crate) plan: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(crate) struct Graph {
    #[command(flatten)]
    pub(crate) variables: Variables,
    /// How to write it: `dot` for Graphviz, `mermaid` for Markdown pages.
    #[arg(long, value_name = "FORMAT", default_value = "dot", value_parser = ["dot", "mermaid"])]
    pub(crate) format: String,
}

#[derive(Args, Debug)]
pub(crate) struct Console {
    #[command(flatten)]
    pub(crate) variables: Variables,
}

#[derive(Args, Debug)]
pub(crate) struct Fmt {
    /// Change nothing; exit with 3 when something would change.
    #[arg(long)]
    pub(crate) check: bool,
    /// Show what would change.
    #[arg(long)]
    pub(crate) diff: bool,
    /// Whether to list the files that change.
    #[arg(long, value_name = "BOOL", default_value_t = true, action = clap::ArgAction::Set, num_args = 0..=1, default_missing_value = "true", hide_default_value = true)]
    pub(crate) list: bool,
    /// Whether to write the files.
    #[arg(long, value_name = "BOOL", default_value_t = true, action = clap::ArgAction::Set, num_args = 0..=1, default_missing_value = "true", hide_default_value = true)]
    pub(crate) write: bool,
    /// Folders below too.
    #[arg(long)]
    pub(crate) recursive: bool,
    /// Files or folders; `-` for standard input; the present folder without any.
    #[arg(value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
}

/// Says the same in another notation, on standard output. Comments do not come along: only HCL has a place for them.
#[derive(Args, Debug)]
pub(crate) struct Convert {
    /// The notation to write.
    #[arg(long, value_name = "NOTATION", value_parser = ["hcl", "json", "yaml"])]
    pub(crate) to: String,
    /// The notation to read; by the name of the file without, and HCL from standard input.
    #[arg(long, value_name = "NOTATION", value_parser = ["hcl", "json", "yaml"])]
    pub(crate) from: Option<String>,
    /// A file; standard input without one, or for `-`.
    #[arg(value_name = "FILE")]
    pub(crate) path: Option<PathBuf>,
}

#[derive(Subcommand, Debug)]
pub(crate) enum Runs {
    /// List runs, newest first.
    List {
        /// At most this many.
        #[arg(long, value_name = "N", default_value_t = 20)]
        limit: u32,
        /// Write one JSON object a line.
        #[arg(long)]
        json: bool,
    },
    /// Show how a run stands and what happened in it, fact by fact.
    Show {
        /// The run; the newest without it.
        #[arg(value_name = "RUN")]
        run: Option<String>,
        /// Write one JSON object: the run, its open calls and its facts. No values are in it.
        #[arg(long)]
        json: bool,
    },
    /// Go on with a run whose process died.
    ///
    /// Calls that were under way are looked up in the world before anything is repeated, so that nothing is lost and nothing
    /// made twice. `apply` and `destroy` do the same before they plan.
    Resume {
        #[command(flatten)]
        locking: Locking,
        /// How many calls run at once.
        #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=10_000))]
        parallelism: u32,
        /// The run; the unfinished one without it.
        #[arg(value_name = "RUN")]
        run: Option<String>,
        /// Write one JSON object a line.
        #[arg(long)]
        json: bool,
    },
    /// Give a run up. What was under way may exist without being in state.
    ///
    /// Says first what may be lost, and asks. `runs resume` finds out and loses nothing; give a run up only when it cannot be
    /// resumed, such as when the cloud is gone for good.
    Abandon {
        #[command(flatten)]
        locking: Locking,
        /// Do not ask.
        #[arg(long)]
        force: bool,
        /// The run; the unfinished one without it.
        #[arg(value_name = "RUN")]
        run: Option<String>,
        /// Write one JSON object: the run, and the calls that were under way. Needs `-force`, for nobody can be asked.
        #[arg(long, requires = "force")]
        json: bool,
    },
}

#[derive(Args, Debug)]
pub(crate) struct ForceUnlock {
    /// Do not ask.
    #[arg(long)]
    pub(crate) force: bool,
}

/// Replace the key that seals secrets, and seal what every stack of the state file holds again.
///
/// A key file gets a new key; the old one is kept beside it, in a file with `.old-` in its name, and opens the histories
/// of earlier runs for as long as it is there. Plans that were saved before have to be made again. Where the key is in the variable STACKWRIGHT_KEY, put the
/// new key there and the old one into STACKWRIGHT_OLD_KEYS (several are separated by commas), and run this command.
#[derive(Args, Debug)]
pub(crate) struct RotateKey {
    #[command(flatten)]
    pub(crate) locking: Locking,
    /// Make no new key: finish what an earlier call could not, because a stack was in use.
    #[arg(long)]
    pub(crate) no_new_key: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Version {
    /// Write JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

impl Invocation {
    /// Reads the command line; what is wrong with it, help and version are printed here.
    pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, ExitCode> {
        let command = Self::command();
        let parsed = command.try_get_matches_from(two_dashes(arguments));
        parsed.and_then(|matches| Self::from_arg_matches(&matches)).map_err(|error| {
            let _ = error.print();
            ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
        })
    }
}

/// Turns `-auto-approve` into `--auto-approve`, up to a bare `--`.
fn two_dashes(arguments: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut verbatim = false;
    arguments
        .into_iter()
        .map(|argument| {
            let Some(text) = argument.to_str() else { return argument };
            verbatim |= text == "--";
            let flag = text
                .strip_prefix('-')
                .filter(|rest| rest.len() > 1 && rest.starts_with(|c: char| c.is_ascii_alphabetic()));
            match flag {
                Some(rest) if !verbatim => OsString::from(format!("--{rest}")),
                _ => argument,
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Invocation {
        let words = std::iter::once("stackwright").chain(line.split(' ')).map(OsString::from);
        Invocation::parse(words).expect("a good command line")
    }

    #[test]
    fn the_definition_is_consistent() {
        Invocation::command().debug_assert();
    }

    #[test]
    fn one_dash_is_as_good_as_two() {
        let one = parse("-chdir=x apply -auto-approve -var a=1 -var=b=-2 -parallelism=3 -refresh=false");
        let two = parse("--chdir x apply --auto-approve --var a=1 --var=b=-2 --parallelism 3 --refresh=false");
        assert_eq!(format!("{one:?}"), format!("{two:?}"));
        let Command::Apply(apply) = one.command else { panic!("apply was asked for") };
        assert!(apply.auto_approve && !apply.planning.refresh);
        assert_eq!(apply.planning.variables.var, ["a=1", "b=-2"]);
    }

    #[test]
    fn flags_after_a_bare_double_dash_are_words() {
        let Command::Fmt(fmt) = parse("fmt -check -- -strange").command else { panic!("fmt was asked for") };
        assert!(fmt.check);
        assert_eq!(fmt.paths, [PathBuf::from("-strange")]);
        let Command::Fmt(fmt) = parse("fmt -").command else { panic!("fmt was asked for") };
        assert_eq!(fmt.paths, [PathBuf::from("-")]);
    }
}
