use std::{collections::BTreeMap, sync::Arc};

use super::{Condition, Expression, Fields, Text, Widgets};
use crate::{
    error::{Diagnostic, SourceId, Span},
    template::Module,
};

/// What people fill in.
///
/// # Examples
/// ```
/// use stackwright::{error::SourceId, form::{Context, Form, Inputs, Widgets, eval}};
///
/// let text = "
/// fields:
/// - name: size
///   widget: number
///   validators: [{ min: 1, max: 3, message: one to three }]
/// - name: backup
///   widget: switch
///   when: { gt: { a: '${size}', b: 1 } }
///   default: true
/// ";
/// let (form, problems) = Form::parse(SourceId(0), "form.yaml", text, &Widgets::standard());
/// assert_eq!(problems, []);
/// let state = eval(&form, &Inputs::of([("size", 2.into())]), &Context::default());
/// assert!(state.ready);
/// assert_eq!(state.values.attribute("backup").and_then(|value| value.as_bool()), Some(true));
/// ```
#[derive(Clone, Debug)]
pub struct Form {
    /// Whose rules the document follows.
    pub dialect: Dialect,
    /// What the form is called.
    pub title: Option<Text>,
    /// What is filled in, in the order of the document.
    pub fields: Fields,
    /// Fields that are shown together.
    pub groups: Vec<Group>,
    /// Pages that are filled in one after another.
    pub steps: Vec<Step>,
    /// Plans that set several fields at once.
    pub presets: Vec<Preset>,
    /// The locales that every text should have.
    pub locales: Vec<Arc<str>>,
    /// The whole document.
    pub span: Span,
}

/// Whose rules a document follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// Ours: the root key `fields`.
    Native,
    /// CloudApp's: the root key `args`, or `variables` in its older documents.
    CloudApp,
}

/// Fields that are shown together.
#[derive(Clone, Debug)]
pub struct Group {
    /// The name.
    pub name: Arc<str>,
    /// What people see.
    pub label: Option<Text>,
    /// What it is for.
    pub description: Option<Text>,
    /// When its fields are there.
    pub when: Option<Condition>,
    /// The index of the step that it is in.
    pub step: Option<usize>,
    /// Where the name stands.
    pub span: Span,
}

/// A page of a form that is filled in step by step.
#[derive(Clone, Debug)]
pub struct Step {
    /// The name.
    pub name: Arc<str>,
    /// What people see.
    pub label: Option<Text>,
    /// What it is for.
    pub description: Option<Text>,
    /// When its fields are there.
    pub when: Option<Condition>,
    /// Where the name stands.
    pub span: Span,
}

/// A plan: values for several fields under one name.
#[derive(Clone, Debug)]
pub struct Preset {
    /// The name.
    pub name: Arc<str>,
    /// What people see.
    pub label: Option<Text>,
    /// What it is for.
    pub description: Option<Text>,
    /// Values by name of the field; where nobody touched it.
    pub values: BTreeMap<Arc<str>, Expression>,
    /// The fields that the plan decides: nobody else can.
    pub locked: Vec<Arc<str>>,
    /// The fields that are not shown under this plan.
    pub hidden: Vec<Arc<str>>,
    /// Where the name stands.
    pub span: Span,
}

impl Form {
    /// Reads a document: JSON where the name of the file ends in `.json`, otherwise YAML; in our own format (root key
    /// `fields`) or CloudApp's (`args`, `variables`). `source` names the text in spans.
    ///
    /// All problems are returned at once, in order of place, and the form is what could be read; one whose reading gave an
    /// error must not be filled in.
    ///
    /// # Complexity
    /// O(bytes + fields · log fields + pairs of declarations of one name).
    pub fn parse(source: SourceId, name: &str, text: &str, widgets: &Widgets) -> (Self, Vec<Diagnostic>) {
        super::read::parse(source, name, text, widgets)
    }

    /// Tells each field what the variable that it sets takes: values are converted to that from now on, and attributes that
    /// the variable does not have are left out.
    ///
    /// Whether the form fits the variables is for [`lint`](super::lint) to say.
    pub fn bind(&mut self, module: &Module) {
        for field in &mut self.fields.list {
            let variable = field.variable.as_ref().and_then(|name| module.variables.get(name));
            field.target = variable.map(|variable| variable.constraint.clone()).unwrap_or_default();
            field.target_sensitive = variable.is_some_and(|variable| variable.sensitive);
        }
    }

    /// Returns the plan of a name.
    pub fn preset(&self, name: &str) -> Option<&Preset> {
        self.presets.iter().find(|preset| &*preset.name == name)
    }
}
