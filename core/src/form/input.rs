use std::{collections::BTreeMap, fmt, sync::Arc};

use serde_json::{Map, Value as Json};

use crate::{
    error::{Diagnostics as _, Error, Result, SourceId},
    template::document,
    value::{Type, Value, from_json_value},
};

/// What was filled in and answered so far.
///
/// Its `Debug` names what is there and shows none of it: which of the values are secrets only the form knows.
#[derive(Clone, Default)]
pub struct Inputs {
    /// What people set, by name of the field. Null is a field that was emptied; a field that nobody touched is not there.
    pub values: BTreeMap<Arc<str>, Value>,
    /// The plan that was chosen.
    pub preset: Option<Arc<str>>,
    /// Answers to [`DataRequest`](super::DataRequest)s by their id. One that nobody asks for any more is not looked at.
    pub answers: BTreeMap<Arc<str>, Answer>,
    /// What was generated earlier and kept, by path.
    pub generated: BTreeMap<Arc<str>, Value>,
    /// The ids of requests that are under way, by path of the field: a new request says which of them it supersedes.
    pub outstanding: BTreeMap<Arc<str>, Arc<str>>,
}

/// What came of a request.
#[derive(Clone, Debug)]
pub enum Answer {
    /// What there is, each as the source gives it.
    Items(Vec<Value>),
    /// Nothing came of it.
    Failed {
        /// Why, for people. Free of secrets.
        message: Arc<str>,
        /// Whether asking again may help.
        retryable: bool,
    },
}

/// An option as it can be chosen.
#[derive(Clone, Debug)]
pub struct Choice {
    /// The value.
    pub value: Value,
    /// What people see.
    pub label: Arc<str>,
    /// What it is.
    pub description: Option<Arc<str>>,
    /// The name of its group.
    pub group: Option<Arc<str>>,
    /// Whether it cannot be chosen.
    pub is_disabled: bool,
}

/// When a form is filled in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Phase {
    /// Before anything is there.
    #[default]
    Install,
    /// When an installation gets another version, or other values.
    Upgrade,
    /// When an operation is carried out on an installation.
    Action,
}

impl Phase {
    /// Every phase.
    pub const ALL: [Self; 3] = [Self::Install, Self::Upgrade, Self::Action];

    /// Returns the name that documents use.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Install => "install",
            Self::Upgrade => "upgrade",
            Self::Action => "action",
        }
    }
}

/// What surrounds a form.
#[derive(Clone, Default)]
pub struct Context {
    /// When it is filled in.
    pub phase: Phase,
    /// The language of messages and labels of options, such as `zh-CN`.
    pub locale: Arc<str>,
    /// Who is asking: tenant, account, principal. Part of every request's id, so that nobody is shown another's answers.
    pub scope: Arc<str>,
    /// What generated values are made from: random bytes, kept for as long as the values shall stay the same. A secret.
    pub seed: Option<Arc<[u8]>>,
    /// What the installation has, by name of the field; see [`unbind`](super::unbind).
    pub existing: BTreeMap<Arc<str>, Value>,
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("phase", &self.phase)
            .field("locale", &self.locale)
            .field("scope", &self.scope)
            .field("seed", &self.seed.as_ref().map(|_| "(secret)"))
            .field("existing", &self.existing.keys())
            .finish()
    }
}

impl fmt::Debug for Inputs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inputs")
            .field("values", &self.values.keys())
            .field("preset", &self.preset)
            .field("answers", &self.answers.keys())
            .field("generated", &self.generated.keys())
            .field("outstanding", &self.outstanding)
            .finish()
    }
}

impl Inputs {
    /// Returns inputs with these values, given as JSON.
    pub fn of<N: Into<Arc<str>>>(values: impl IntoIterator<Item = (N, Json)>) -> Self {
        let values = values.into_iter().map(|(name, json)| (name.into(), value_of(&json))).collect();
        Self { values, ..Self::default() }
    }

    /// Sets what people filled in.
    pub fn set(mut self, name: impl Into<Arc<str>>, value: Value) -> Self {
        self.values.insert(name.into(), value);
        self
    }

    /// Adds an answer.
    pub fn answer(mut self, id: impl Into<Arc<str>>, answer: Answer) -> Self {
        self.answers.insert(id.into(), answer);
        self
    }

    /// Reads inputs from JSON: `{"values": {…}, "preset": "…", "answers": {"<id>": {"items": […]} or {"error": "…",
    /// "retryable": true}}, "generated": {…}, "outstanding": {"<path>": "<id>"}}`; every part may be left out.
    ///
    /// # Errors
    /// A fragment for people: which part has the wrong shape.
    pub fn from_json(json: &Json) -> std::result::Result<Self, String> {
        let Json::Object(parts) = json else { return Err("the inputs are no object".to_owned()) };
        let mut inputs = Self::default();
        for (name, part) in parts {
            let object = || part.as_object().ok_or_else(|| format!("`{name}` is no object"));
            match name.as_str() {
                "values" => inputs.values = values_of(object()?),
                "generated" => inputs.generated = values_of(object()?),
                "preset" if part.is_null() => {}
                "preset" => inputs.preset = Some(part.as_str().ok_or("`preset` is no text")?.into()),
                "outstanding" => {
                    for (path, id) in object()? {
                        let id = id.as_str().ok_or_else(|| format!("`outstanding.{path}` is no text"))?;
                        inputs.outstanding.insert(path.as_str().into(), id.into());
                    }
                }
                "answers" => {
                    for (id, answer) in object()? {
                        inputs.answers.insert(id.as_str().into(), answer_of(answer).ok_or_else(|| {
                            format!("the answer `{id}` has neither `items`, which is a list, nor `error`, which is a text")
                        })?);
                    }
                }
                _ => return Err(format!("inputs have no part `{name}`")),
            }
        }
        Ok(inputs)
    }
}

/// Reads a document with what is filled in, or answered: JSON where the name of the file ends in `.json`, otherwise YAML.
/// Texts are what they are; nothing in them is evaluated.
///
/// # Errors
/// `template.invalid` with the diagnostics; their places are in the text, whose number is 0.
pub fn read_values(name: &str, text: &str) -> Result<Json> {
    let refused = |problems| Error::from_diagnostics("template.invalid", problems);
    let node = document::read(SourceId(0), name, text).map_err(|problem| refused(vec![*problem]))?;
    let problems = document::repeated(&node);
    if problems.has_errors() { Err(refused(problems)) } else { Ok(document::json_of(&node)) }
}

fn value_of(json: &Json) -> Value {
    // Any JSON has a value where no type is asked for, but for numbers beyond all bounds.
    from_json_value(json, &Type::Any).unwrap_or_else(|_| Value::null(Type::Any))
}

fn values_of(entries: &Map<String, Json>) -> BTreeMap<Arc<str>, Value> {
    entries.iter().map(|(name, json)| (Arc::from(name.as_str()), value_of(json))).collect()
}

fn answer_of(json: &Json) -> Option<Answer> {
    let entries = json.as_object()?;
    match (entries.get("items"), entries.get("error")) {
        (Some(Json::Array(items)), None) if entries.len() == 1 => {
            Some(Answer::Items(items.iter().map(value_of).collect()))
        }
        (None, Some(Json::String(message))) => {
            let retryable = entries.get("retryable").and_then(Json::as_bool).unwrap_or(false);
            Some(Answer::Failed { message: message.as_str().into(), retryable })
        }
        _ => None,
    }
}
