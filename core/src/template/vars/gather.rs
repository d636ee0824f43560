use std::{collections::BTreeMap, fmt, sync::Arc};

use crate::{
    error::{Diagnostic, Sources, Span},
    template::{
        hcl, json,
        load::{FileKind, Files},
        syntax::{Body, Expr},
    },
    value::Value,
};

/// What the name of an environment variable starts with that sets a variable of a template.
const PREFIX: &str = "TF_VAR_";

/// Everything outside the template that may set variables. The files in its folder that are always read come from
/// [`Files`].
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct VariableSources {
    /// The environment; entries called `TF_VAR_name` count, others are ignored. The engine reads no environment itself.
    pub environment: BTreeMap<String, String>,
    /// What was given on a command line, in order.
    pub arguments: Vec<VariableArgument>,
    /// What the host sets: wins over everything.
    pub values: BTreeMap<String, Value>,
}

/// One `-var` or `-var-file`.
#[derive(Clone)]
pub enum VariableArgument {
    /// `-var name=text`. Taken literally by a variable whose type is a string, number, bool or not given, and as an
    /// expression by any other.
    Text {
        /// The name.
        name: String,
        /// What stands after `=`.
        text: String,
    },
    /// `-var-file path`; one whose name ends in `.json` is JSON.
    File {
        /// The path, for messages.
        path: String,
        /// What the file holds.
        text: String,
    },
}

impl fmt::Debug for VariableSources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VariableSources")
            .field("environment", &self.environment.keys().filter(|name| name.starts_with(PREFIX)).collect::<Vec<_>>())
            .field("arguments", &self.arguments)
            .field("values", &self.values.keys().collect::<Vec<_>>())
            .finish()
    }
}

impl fmt::Debug for VariableArgument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text { name, .. } => write!(f, "-var {name}=…"),
            Self::File { path, .. } => write!(f, "-var-file {path}"),
        }
    }
}

/// The winning value of each name, not yet looked at.
#[derive(Clone, Debug, Default)]
pub struct RawVariables {
    /// By name.
    pub values: BTreeMap<Arc<str>, RawVariable>,
}

impl RawVariables {
    /// Returns these values, as if the host had set them.
    pub fn from_values<N: Into<Arc<str>>>(values: impl IntoIterator<Item = (N, Value)>) -> Self {
        let host = |value| RawVariable { value: RawValue::Value(value), origin: Origin::Host };
        Self { values: values.into_iter().map(|(name, value)| (name.into(), host(value))).collect() }
    }
}

/// A value and where it came from.
#[derive(Clone, Debug)]
pub struct RawVariable {
    /// The value.
    pub value: RawValue,
    /// Where it came from.
    pub origin: Origin,
}

/// A value before its variable's type is known. Never printed.
#[derive(Clone)]
pub enum RawValue {
    /// Text from the environment or a command line.
    Text(Arc<str>),
    /// An expression from a file.
    Expr(Arc<Expr>),
    /// A value from the host.
    Value(Value),
}

impl fmt::Debug for RawValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text(_) => "(text)",
            Self::Expr(_) => "(expression)",
            Self::Value(_) => "(value)",
        })
    }
}

/// Where a value came from. Prints as people name it: ``the environment variable `TF_VAR_x` ``.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The environment variable of this name.
    Environment(Arc<str>),
    /// A file that sets variables; the place of the name in it.
    File(Span),
    /// `-var`.
    Argument,
    /// The host program.
    Host,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Environment(name) => write!(f, "the environment variable `{name}`"),
            Self::File(_) => f.write_str("a file of values"),
            Self::Argument => f.write_str("the argument `-var`"),
            Self::Host => f.write_str("the host"),
        }
    }
}

/// Collects what sets variables, in order of precedence: the environment, `terraform.tfvars`, `terraform.tfvars.json`,
/// `*.auto.tfvars` and `*.auto.tfvars.json` by name, arguments in order, the host. The last one wins, as a whole: nothing
/// is merged.
///
/// The texts of files are added to `texts`, which spans then point into; give it the template's
/// ([`Template::sources`](crate::template::Template::sources)). They may hold secrets: their lines are never drawn, and no
/// problem quotes them.
pub fn gather_variables(
    sources: &VariableSources,
    files: &Files,
    texts: &mut Sources,
) -> (RawVariables, Vec<Diagnostic>) {
    let mut raw = RawVariables::default();
    let mut problems = Vec::new();
    for (name, text) in &sources.environment {
        if let Some(variable) = name.strip_prefix(PREFIX).filter(|variable| !variable.is_empty()) {
            let value = RawValue::Text(Arc::from(text.as_str()));
            let origin = Origin::Environment(Arc::from(name.as_str()));
            raw.values.insert(Arc::from(variable), RawVariable { value, origin });
        }
    }
    let mut automatic: Vec<_> = files.in_dir("").filter(|(path, _)| FileKind::of(path) == FileKind::Values).collect();
    automatic.sort_by_key(|(path, _)| (!path.starts_with("terraform.tfvars"), Arc::clone(path)));
    for (path, text) in automatic {
        file(path, text, &mut raw, texts, &mut problems);
    }
    for argument in &sources.arguments {
        match argument {
            VariableArgument::Text { name, text } => {
                let value = RawValue::Text(Arc::from(text.as_str()));
                raw.values.insert(Arc::from(name.trim()), RawVariable { value, origin: Origin::Argument });
            }
            VariableArgument::File { path, text } => {
                file(path, &Arc::from(text.as_str()), &mut raw, texts, &mut problems);
            }
        }
    }
    for (name, value) in &sources.values {
        let host = RawVariable { value: RawValue::Value(value.clone()), origin: Origin::Host };
        raw.values.insert(Arc::from(name.as_str()), host);
    }
    (raw, problems)
}

fn file(path: &str, text: &Arc<str>, raw: &mut RawVariables, texts: &mut Sources, problems: &mut Vec<Diagnostic>) {
    let id = texts.add_withheld(path, Arc::clone(text));
    let (body, mut found): (Body, _) =
        if has_json_extension(path) { json::parse_values(id, text) } else { hcl::parse(id, text) };
    found.iter_mut().for_each(|problem| texts.conceal(problem));
    problems.extend(found);
    for block in &body.blocks {
        problems.push(
            Diagnostic::error("variable.syntax", format!("a block `{}` in a file of values", block.kind.as_str()))
                .at(block.header_span())
                .help("such a file holds `name = value` only; blocks belong into `.tf` files"),
        );
    }
    for attribute in body.attributes {
        let origin = Origin::File(attribute.name.span);
        let variable = RawVariable { value: RawValue::Expr(attribute.expr), origin };
        raw.values.insert(attribute.name.name, variable);
    }
}

fn has_json_extension(path: &str) -> bool {
    path.rsplit_once('.').is_some_and(|(_, extension)| extension == "json")
}
