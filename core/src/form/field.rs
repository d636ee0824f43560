use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{Condition, Default, Expression, Options, Phase, Text, Validator, Widget};
use crate::{error::Span, template::TypeConstraint, value::Type};

/// Something that is filled in.
///
/// The same name may be declared several times, as long as no two of the conditions can hold at once.
#[derive(Clone, Debug)]
pub struct Field {
    /// The name, which expressions use, and the variable's unless [`variable`](Self::variable) says otherwise.
    pub name: Arc<str>,
    /// Where the name stands.
    pub span: Span,
    /// What people see.
    pub label: Option<Text>,
    /// What it is for.
    pub description: Option<Text>,
    /// What stands in it while it is empty.
    pub placeholder: Option<Text>,
    /// What to say while something that it refers to is not filled in.
    pub incomplete_tips: Option<Text>,
    /// How it is filled in.
    pub widget: Arc<Widget>,
    /// The type of what it holds: the widget's, unless the document says otherwise.
    pub ty: Type,
    /// What it holds as long as nobody touched it.
    pub default: Option<Default>,
    /// When it must be filled in.
    pub required: Condition,
    /// When it is there; always, where nothing is said.
    pub when: Option<Condition>,
    /// When it is not shown, and counts all the same.
    pub hidden: Option<Condition>,
    /// When it cannot be changed.
    pub readonly: Option<Condition>,
    /// What must hold of what it holds.
    pub validators: Vec<Validator>,
    /// What the widget is told.
    pub props: BTreeMap<Arc<str>, Expression>,
    /// What can be chosen.
    pub options: Option<Options>,
    /// What becomes of what was filled in when the field is not there any more.
    pub on_inactive: OnInactive,
    /// The index of the group that it is in.
    pub group: Option<usize>,
    /// The index of the step that it is in, its group's included.
    pub step: Option<usize>,
    /// Whether what it holds must not be shown.
    pub secret: bool,
    /// In which phases it cannot be changed.
    pub immutable: Immutability,
    /// The variable of the template that it sets; `None` for fields that only other fields look at.
    pub variable: Option<Arc<str>>,
    /// Whether prices hang on it.
    pub price: bool,
    /// The fields of each item, where it is a list.
    pub list: Option<List>,
    /// What the variable takes; any value, before [`Form::bind`](super::Form::bind).
    pub(super) target: TypeConstraint,
    /// Whether the variable is marked sensitive.
    pub(super) target_sensitive: bool,
}

/// In which phases a field cannot be changed.
pub type Immutability = BTreeSet<Phase>;

/// What becomes of what was filled in when a field is not there any more. It never reaches the template either way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum OnInactive {
    /// It is forgotten: [`FormState::discard`](super::FormState::discard) names it.
    #[default]
    Drop,
    /// It stays in the inputs, and is there again when the field is.
    Keep,
}

/// A group of fields that repeats.
#[derive(Clone, Debug)]
pub struct List {
    /// The fields of each item.
    pub fields: Fields,
    /// The fewest items.
    pub min: u64,
    /// The most items.
    pub max: Option<u64>,
}

/// Fields side by side, by name and in the order in which they are worked out.
#[derive(Clone, Debug)]
pub struct Fields {
    /// In the order of the document.
    pub list: Vec<Field>,
    /// The declarations of each name, as indices.
    pub(super) names: BTreeMap<Arc<str>, Arc<[usize]>>,
    /// Indices, each behind those that it looks at.
    pub(super) order: Vec<usize>,
}

impl Fields {
    /// Returns the declarations of a name, in the order of the document.
    pub fn named<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a Field> {
        self.indices(name).iter().filter_map(|&idx| self.list.get(idx))
    }

    pub(super) fn indices(&self, name: &str) -> &[usize] {
        self.names.get(name).map_or(&[], |indices| indices)
    }
}

impl Field {
    /// Calls `f` with every expression that its value hangs on: conditions, default, props, options. Those of validators are
    /// not among them, nor those of a list's fields.
    pub fn for_each_expression<'a>(&'a self, f: &mut dyn FnMut(&'a Expression)) {
        let conditions = [&self.when, &self.hidden, &self.readonly];
        conditions.into_iter().flatten().chain([&self.required]).for_each(|condition| condition.for_each_expression(f));
        if let Some(Default::Expression(expression)) = &self.default {
            f(expression);
        }
        self.props.values().for_each(&mut *f);
        if let Some(options) = &self.options {
            options.for_each_expression(f);
        }
    }

    pub(super) fn for_each_expression_mut(&mut self, f: &mut dyn FnMut(&mut Expression)) {
        let conditions = [&mut self.when, &mut self.hidden, &mut self.readonly];
        for condition in conditions.into_iter().flatten().chain([&mut self.required]) {
            condition.for_each_expression_mut(f);
        }
        if let Some(Default::Expression(expression)) = &mut self.default {
            f(expression);
        }
        self.props.values_mut().for_each(&mut *f);
        if let Some(options) = &mut self.options {
            options.for_each_expression_mut(f);
        }
    }

    /// Calls `f` with every expression of its validators.
    pub fn for_each_rule_expression<'a>(&'a self, f: &mut dyn FnMut(&'a Expression)) {
        for validator in &self.validators {
            validator.check.for_each_expression(f);
            validator.when.iter().for_each(|condition| condition.for_each_expression(f));
        }
    }

    pub(super) fn for_each_rule_expression_mut(&mut self, f: &mut dyn FnMut(&mut Expression)) {
        for validator in &mut self.validators {
            validator.check.for_each_expression_mut(f);
            validator.when.iter_mut().for_each(|condition| condition.for_each_expression_mut(f));
        }
    }
}

impl Options {
    fn for_each_expression<'a>(&'a self, f: &mut dyn FnMut(&'a Expression)) {
        match &self.from {
            super::OptionSource::Inline(items) => {
                for item in items {
                    f(&item.value);
                    item.when.iter().chain(&item.disabled).for_each(|condition| condition.for_each_expression(f));
                }
            }
            super::OptionSource::Computed(expression) => f(expression),
            super::OptionSource::Data(data) => data.params.values().for_each(f),
        }
    }

    fn for_each_expression_mut(&mut self, f: &mut dyn FnMut(&mut Expression)) {
        match &mut self.from {
            super::OptionSource::Inline(items) => {
                for item in items {
                    f(&mut item.value);
                    let conditions = item.when.iter_mut().chain(&mut item.disabled);
                    conditions.for_each(|condition| condition.for_each_expression_mut(f));
                }
            }
            super::OptionSource::Computed(expression) => f(expression),
            super::OptionSource::Data(data) => data.params.values_mut().for_each(f),
        }
    }
}
