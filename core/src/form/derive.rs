use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{Condition, Default, Dialect, Expression, Field, Fields, Form, List, OnInactive, Text, Widget, Widgets};
use crate::{
    error::{SourceId, Span},
    template::{Module, TypeConstraint, Variable},
    value::Type,
};

/// Makes a form of a template that has none: a field for each variable, in the order of the text, with the widget that its
/// type suggests, required where the variable has no default.
///
/// Variables that the platform sets (`stackwright_…`, `cloudapp_…`) get no field. The form is bound already.
///
/// # Complexity
/// O(variables + size of their types).
pub fn derive(module: &Module, widgets: &Widgets) -> Form {
    let mut variables: Vec<&Variable> = module
        .variables
        .values()
        .filter(|variable| !variable.name.starts_with("stackwright_") && !variable.name.starts_with("cloudapp_"))
        .collect();
    variables.sort_by_key(|variable| (variable.span.source, variable.span.start));
    let list = variables.into_iter().map(|variable| {
        let mut field = field(&variable.name, &variable.constraint.ty, variable.span, widgets);
        field.description = variable.description.as_ref().map(|text| Text::Plain(Arc::clone(text)));
        field.required = Condition::Constant(variable.is_required());
        if variable.sensitive {
            field.secret = true;
            if variable.constraint.ty == Type::String {
                field.widget = named(widgets, "password", Type::String);
            }
        }
        let default = variable.default.as_ref().filter(|value| !value.is_null() && value.is_wholly_known());
        // What is secret stays with the template, which fills it in by itself.
        field.default = default
            .filter(|value| value.marks_deep().is_empty())
            .map(|value| Default::Expression(Expression::of(value.clone(), variable.span)));
        field
    });
    let mut form = Form {
        dialect: Dialect::Native,
        title: None,
        fields: Fields::new(list.collect()),
        groups: Vec::new(),
        steps: Vec::new(),
        presets: Vec::new(),
        locales: Vec::new(),
        span: Span::new(SourceId(0), 0, 0),
    };
    form.bind(module);
    form
}

fn field(name: &Arc<str>, ty: &Type, span: Span, widgets: &Widgets) -> Field {
    let element_object = match ty {
        Type::List(element) | Type::Set(element) => element.as_object(),
        _ => None,
    };
    let (widget, own) = match ty {
        Type::Bool => ("switch", Type::Bool),
        Type::Number => ("number", Type::Number),
        Type::String => ("input", Type::String),
        Type::Map(element) if **element == Type::String => ("tags", ty.clone()),
        _ if element_object.is_some() => ("list", Type::list(Type::Any)),
        _ => ("json", ty.clone()),
    };
    let list = element_object.map(|object| List {
        fields: Fields::new(
            object
                .attributes
                .iter()
                .map(|(name, ty)| {
                    let mut inner = field(name, ty, span, widgets);
                    inner.required = Condition::Constant(!object.optional.contains(name));
                    inner
                })
                .collect(),
        ),
        min: 0,
        max: None,
    });
    Field {
        name: Arc::clone(name),
        span,
        label: None,
        description: None,
        placeholder: None,
        incomplete_tips: None,
        widget: named(widgets, widget, own.clone()),
        ty: own,
        default: None,
        required: Condition::Constant(true),
        when: None,
        hidden: None,
        readonly: None,
        validators: Vec::new(),
        props: BTreeMap::new(),
        options: None,
        on_inactive: OnInactive::Drop,
        group: None,
        step: None,
        secret: false,
        immutable: BTreeSet::new(),
        variable: Some(Arc::clone(name)),
        price: false,
        list,
        target: TypeConstraint::any(),
        target_sensitive: false,
    }
}

fn named(widgets: &Widgets, name: &str, output: Type) -> Arc<Widget> {
    let found = widgets.get(name).filter(|widget| widget.output == output || name == "list" || name == "json");
    found.cloned().unwrap_or_else(|| Arc::new(Widget { is_list: name == "list", ..Widget::new(name, output) }))
}
