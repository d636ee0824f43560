//! Arguments of `package` and `app`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use stackwright::catalog::{Stage, Version};

/// Where packages are published, and whom to believe.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Shelf {
    /// The catalog: a folder, or the address of a server.
    #[arg(long, value_name = "CATALOG", env = "STACKWRIGHT_CATALOG", hide_env_values = true)]
    pub(crate) catalog: Option<String>,
    /// A public key that is trusted, `ed25519:` and 64 hexadecimal digits. May be given several times.
    #[arg(long, value_name = "KEY", env = "STACKWRIGHT_TRUST", hide_env_values = true, value_delimiter = ',')]
    pub(crate) trust: Vec<String>,
}

/// What is done with packages.
#[derive(Subcommand, Debug)]
pub(crate) enum Package {
    /// Begin a package in a new folder.
    Init {
        /// The name: lower-case letters, digits and hyphens. The folder is called so, too.
        #[arg(value_name = "NAME")]
        name: String,
    },
    /// Make a key that packages are signed with, and print its public half.
    Key {
        /// The file of the key, which must not be there yet; of one that is there, the public half is printed.
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Check a package: manifest, template, form, and whether they fit each other.
    Lint {
        /// Its folder.
        #[arg(value_name = "FOLDER", default_value = ".")]
        folder: PathBuf,
        /// Write JSON.
        #[arg(long)]
        json: bool,
    },
    /// Check a package, pack it, and sign the archive.
    Build {
        /// Its folder.
        #[arg(value_name = "FOLDER", default_value = ".")]
        folder: PathBuf,
        /// The file of the key that signs.
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
        /// The folder that archive and seal are written into.
        #[arg(long, value_name = "FOLDER", default_value = ".")]
        out: PathBuf,
    },
    /// Check that an archive is what a trusted key signed, and that it can be unpacked.
    Verify {
        /// The archive; its seal lies beside it.
        #[arg(value_name = "ARCHIVE")]
        archive: PathBuf,
        #[command(flatten)]
        shelf: Shelf,
    },
    /// Put a package into a catalog, and say how far it is.
    Publish {
        /// The archive; its seal lies beside it.
        #[arg(value_name = "ARCHIVE")]
        archive: PathBuf,
        #[command(flatten)]
        shelf: Shelf,
        /// The file of the key that signs the catalog's index; its public half is trusted.
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
        /// How far it is: `development`, `trial`, `online` or `withdrawn`; one stage at a time.
        #[arg(long, value_name = "STAGE", default_value = "development", value_parser = stage)]
        stage: Stage,
        /// A tenant that tries it out. May be given several times.
        #[arg(long, value_name = "TENANT")]
        tester: Vec<String>,
        /// Why it is withdrawn.
        #[arg(long, value_name = "TEXT", default_value = "no reason was given", hide_default_value = true)]
        reason: String,
    },
    /// List the packages of a catalog, or the versions of one.
    List {
        /// The package.
        #[arg(value_name = "NAME")]
        name: Option<String>,
        #[command(flatten)]
        shelf: Shelf,
    },
}

fn stage(text: &str) -> Result<Stage, String> {
    let found = Stage::ALL.into_iter().find(|stage| stage.as_str() == text);
    found.ok_or_else(|| "there are `development`, `trial`, `online` and `withdrawn`".to_owned())
}

/// A package, wherever it is.
#[derive(Args, Clone, Debug)]
pub(crate) struct Chosen {
    /// The package: a folder, an archive, or the name of one in a catalog.
    #[arg(value_name = "PACKAGE", default_value = ".")]
    pub(crate) package: String,
    /// The version in the catalog; the latest without it.
    #[arg(long, value_name = "VERSION")]
    pub(crate) version: Option<Version>,
    #[command(flatten)]
    pub(crate) shelf: Shelf,
}

/// What a form is filled in with.
#[derive(Args, Clone, Debug)]
pub(crate) struct Filling {
    /// A JSON or YAML file with what is filled in: field by field, or `values`, `preset`, `generated`.
    #[arg(long, value_name = "FILE")]
    pub(crate) values: Option<PathBuf>,
    /// A file with the options that a cloud would be asked for: by source, or by source and parameters.
    #[arg(long, value_name = "FILE")]
    pub(crate) answers: Option<PathBuf>,
    /// Choose a plan: a preset of the form.
    #[arg(long, value_name = "NAME")]
    pub(crate) preset: Option<String>,
    /// The language of labels and messages, such as `zh-CN`.
    #[arg(long, value_name = "LOCALE", default_value = "en")]
    pub(crate) locale: String,
    /// Whether to ask for what is missing, when there is a terminal.
    #[arg(long, value_name = "BOOL", default_value_t = true, action = clap::ArgAction::Set, num_args = 0..=1, default_missing_value = "true", hide_default_value = true)]
    pub(crate) input: bool,
}

/// How a change of an installation is carried out.
#[derive(Args, Clone, Debug)]
pub(crate) struct Carrying {
    /// Do not ask.
    #[arg(long)]
    pub(crate) auto_approve: bool,
    /// What to do when a step fails: `stop` starts nothing new, `continue` goes on with what does not need it, `rollback`
    /// starts nothing new and undoes what was done.
    #[arg(long, value_name = "POLICY", default_value = "stop", value_parser = ["stop", "continue", "rollback"])]
    pub(crate) on_failure: String,
    /// Why, for the audit record.
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub(crate) why: String,
    /// How many steps run at once.
    #[arg(long, value_name = "COUNT", default_value_t = 10)]
    pub(crate) parallelism: u16,
    /// Write one JSON object a line.
    #[arg(long)]
    pub(crate) json: bool,
}

/// What is done with applications. The installation is the stack that `-stack` names.
#[derive(Subcommand, Debug)]
pub(crate) enum App {
    /// Fill in the form of a package, on a terminal or from a file.
    Form {
        #[command(flatten)]
        chosen: Chosen,
        #[command(flatten)]
        filling: Filling,
        /// Write the variables of the template as JSON, secrets too, for `-var-file`.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        /// Write the state of the form as JSON, without secrets.
        #[arg(long)]
        json: bool,
    },
    /// Show everything that an installation will have, and what it costs.
    Quote {
        #[command(flatten)]
        chosen: Chosen,
        #[command(flatten)]
        filling: Filling,
        /// Write JSON.
        #[arg(long)]
        json: bool,
    },
    /// Install a package: show what it will have and cost, and make it.
    Install {
        #[command(flatten)]
        chosen: Chosen,
        #[command(flatten)]
        filling: Filling,
        #[command(flatten)]
        carrying: Carrying,
    },
    /// List what is installed for the tenant.
    List {
        /// Write JSON.
        #[arg(long)]
        json: bool,
    },
    /// Show how an installation stands, and what was done with it.
    Show {
        /// Write JSON; sensitive outputs are null.
        #[arg(long)]
        json: bool,
    },
    /// Bring an installation to another version, or change what was filled in; what is not filled in anew stays.
    Upgrade {
        #[command(flatten)]
        chosen: Chosen,
        #[command(flatten)]
        filling: Filling,
        #[command(flatten)]
        carrying: Carrying,
    },
    /// Try a change that failed again, with the same inputs.
    Retry {
        #[command(flatten)]
        carrying: Carrying,
    },
    /// Take a change that failed back.
    Undo {
        #[command(flatten)]
        carrying: Carrying,
    },
    /// Go on with a change whose process died.
    Resume {
        #[command(flatten)]
        carrying: Carrying,
    },
    /// Carry out an action of the package that is installed.
    Action {
        /// The action.
        #[arg(value_name = "ACTION")]
        name: String,
        #[command(flatten)]
        chosen: Chosen,
        #[command(flatten)]
        filling: Filling,
        /// Who carries actions out: the handler's name (or `TYPE.ACTION`) and a program, which gets the call as JSON on its
        /// standard input, secrets too. May be given several times.
        #[arg(long, value_name = "NAME=PROGRAM")]
        handler: Vec<String>,
        /// Why, for the audit record.
        #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
        why: String,
    },
    /// Remove an installation with everything it has.
    Uninstall {
        #[command(flatten)]
        carrying: Carrying,
    },
    /// Write an installation down for another tenant or platform to take over; it does not change here any more.
    Export {
        /// Where the document goes.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        #[command(flatten)]
        transferring: Transferring,
    },
    /// Take over what was exported elsewhere, as the installation that `-stack` names.
    Import {
        /// The document.
        #[arg(value_name = "FILE")]
        document: PathBuf,
        /// Where the receipt goes, which lets the other side let go.
        #[arg(long, value_name = "FILE")]
        receipt: PathBuf,
        #[command(flatten)]
        transferring: Transferring,
    },
    /// Let go of what arrived elsewhere: it is forgotten here, and goes on there.
    HandOver {
        /// What the import wrote.
        #[arg(value_name = "RECEIPT")]
        receipt: PathBuf,
        #[command(flatten)]
        transferring: Transferring,
    },
    /// Keep what was exported and has not arrived.
    Keep,
    /// Show what the installations of the tenant cost in a period, as estimated, or as a provider's bill says.
    Cost {
        /// The first moment: a date such as `2026-11-01` (in UTC), or `2026-11-01T12:00:00Z`. The beginning of this month
        /// without it.
        #[arg(long, value_name = "DATE")]
        from: Option<String>,
        /// The first moment that is not part of it any more. Now without it.
        #[arg(long, value_name = "DATE")]
        to: Option<String>,
        /// What is added up: `tenant`, `application`, `resource`.
        #[arg(long, value_name = "WHAT", default_value = "application", value_parser = ["tenant", "application", "resource"])]
        by: String,
        /// A bill with the columns of FOCUS: CSV, or JSON, an object a line (`.jsonl`, `.json`).
        #[arg(long, value_name = "FILE")]
        bill: Option<PathBuf>,
        /// Rules for what of the bill is nobody's alone: a list, in JSON or YAML.
        #[arg(long, value_name = "FILE")]
        shared: Option<PathBuf>,
        /// Write the rows as CSV, with the columns of FOCUS.
        #[arg(long, conflicts_with = "json")]
        csv: bool,
        /// Write the rows as JSON, an object a line.
        #[arg(long)]
        json: bool,
    },
    /// Show everything that was written down of an installation, proved to be as it was written.
    Audit {
        /// Write JSON.
        #[arg(long)]
        json: bool,
    },
}

/// How an installation is handed over.
#[derive(Debug, clap::Args)]
pub(crate) struct Transferring {
    /// The key that document and receipt are sealed with, which both sides have; `app export` makes one where there is none.
    #[arg(long, value_name = "FILE")]
    pub(crate) key: PathBuf,
    /// Why, for the audit record.
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub(crate) why: String,
}
