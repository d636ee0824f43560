use std::sync::Arc;

use crate::{
    schema::{Block, Nesting, Schema},
    template::{
        IgnoreChanges,
        syntax::{Literal, Step, StepKind},
    },
    value::{Kind, Value},
};

/// Returns what the template says with what `ignore_changes` names taken from the object that is there. What is secret in
/// the template is secret in what stands in its place.
pub(in crate::plan) fn keep(ignore: &IgnoreChanges, schema: &Schema, config: &Value, prior: &Value) -> Value {
    let kept = match ignore {
        IgnoreChanges::None => return config.clone(),
        IgnoreChanges::All => inputs(&schema.block, config, prior),
        IgnoreChanges::Only(list) => list.iter().fold(config.clone(), |config, traversal| {
            let root = Step { kind: StepKind::Attr(Arc::clone(&traversal.root.name)), span: traversal.root.span };
            let steps: Vec<Step> = std::iter::once(root).chain(traversal.steps.iter().cloned()).collect();
            replace(&config, prior, &steps)
        }),
    };
    let marks = super::rows::present(&kept, config.unmark_deep_with_paths().1);
    kept.mark_with_paths(&marks)
}

/// Returns an object whose inputs are the prior ones; what the resource decides stays as configured.
fn inputs(block: &Block, config: &Value, prior: &Value) -> Value {
    let (Kind::Object(fields), Kind::Object(_)) = (config.kind(), prior.kind()) else { return prior.clone() };
    let parts = fields.iter().map(|(name, value)| {
        let before = prior.attribute(name);
        let kept = match (block.attributes.get(name), block.blocks.get(name), before) {
            (Some(attribute), _, Some(before)) if attribute.is_input() => before.clone(),
            (None, Some(nested), Some(before)) => match nested.nesting {
                Nesting::Single | Nesting::Group => inputs(&nested.block, &nested_config(&nested.block, value), before),
                Nesting::List | Nesting::Set | Nesting::Map => stripped(&nested.block, before),
            },
            _ => value.clone(),
        };
        (Arc::clone(name), kept)
    });
    Value::object(parts).with_marks(config.marks())
}

/// A block that is not configured stands in as one of nulls, so that its inputs can be taken over.
fn nested_config(block: &Block, value: &Value) -> Value {
    if value.fields().is_some() { value.clone() } else { block.empty_value() }
}

/// Returns blocks as they could be configured: what only the resource decides is null.
fn stripped(block: &Block, value: &Value) -> Value {
    let strip = |value: &Value| -> Value {
        let Kind::Object(fields) = value.kind() else { return value.clone() };
        let parts = fields.iter().map(|(name, part)| {
            let part = match (block.attributes.get(name), block.blocks.get(name)) {
                (Some(attribute), _) if !attribute.is_input() => Value::null(part.ty()),
                (None, Some(nested)) => stripped(&nested.block, part),
                _ => part.clone(),
            };
            (Arc::clone(name), part)
        });
        Value::object(parts).with_marks(value.marks())
    };
    match value.kind() {
        Kind::List(items) => Value::list(items.element_type().clone(), items.iter().map(strip).collect()),
        Kind::Set(items) => Value::set(items.element_type().clone(), items.iter().map(strip).collect()),
        Kind::Tuple(items) => Value::tuple(items.iter().map(strip).collect()),
        Kind::Map(fields) => {
            Value::map(fields.element_type().clone(), fields.iter().map(|(key, value)| (Arc::clone(key), strip(value))))
        }
        _ => strip(value),
    }
}

/// Returns `config` with what stands at `steps` as it is in `prior`: there or not.
fn replace(config: &Value, prior: &Value, steps: &[Step]) -> Value {
    let Some((step, rest)) = steps.split_first() else { return prior.clone().with_marks(config.marks()) };
    let key = match &step.kind {
        StepKind::Attr(name) => Some(Arc::clone(name)),
        StepKind::Index(Literal::String(text)) => Some(Arc::clone(text)),
        StepKind::Index(_) | StepKind::LegacyIndex(_) => None,
    };
    match (config.kind(), key) {
        (Kind::Object(fields), Some(name)) => {
            let Some(before) = prior.attribute(&name) else { return config.clone() };
            let parts = fields.iter().map(|(field, value)| {
                let value = if *field == name { replace(value, before, rest) } else { value.clone() };
                (Arc::clone(field), value)
            });
            Value::object(parts).with_marks(config.marks())
        }
        (Kind::Map(fields), Some(name)) => {
            let before = prior.attribute(&name);
            let others =
                fields.iter().filter(|(key, _)| *key != name).map(|(key, value)| (Arc::clone(key), value.clone()));
            let own = match (before, fields.get(&name)) {
                (Some(before), Some(value)) => Some(replace(value, before, rest)),
                (Some(before), None) if rest.is_empty() => Some(before.clone()),
                _ => None,
            };
            let own = own.map(|value| (Arc::clone(&name), value));
            Value::map(fields.element_type().clone(), others.chain(own)).with_marks(config.marks())
        }
        (Kind::Null(_), Some(name)) if prior.fields().is_some() && rest.is_empty() => {
            match (prior.kind(), prior.attribute(&name)) {
                // Only the ignored key of a map that the template does not set.
                (Kind::Map(fields), Some(before)) => {
                    Value::map(fields.element_type().clone(), [(Arc::clone(&name), before.clone())])
                }
                _ => config.clone(),
            }
        }
        (Kind::List(items), None) => {
            let Some(parts) = at_index(items, prior, step, rest) else { return config.clone() };
            Value::list(items.element_type().clone(), parts).with_marks(config.marks())
        }
        (Kind::Tuple(items), None) => {
            let Some(parts) = at_index(items, prior, step, rest) else { return config.clone() };
            Value::tuple(parts).with_marks(config.marks())
        }
        _ => config.clone(),
    }
}

fn at_index(items: &[Value], prior: &Value, step: &Step, rest: &[Step]) -> Option<Vec<Value>> {
    let Some(Literal::Number(text)) = step.as_index() else { return None };
    let idx: usize = text.parse().ok()?;
    let before = prior.element_at(idx)?;
    let each = items.iter().enumerate();
    Some(each.map(|(at, value)| if at == idx { replace(value, before, rest) } else { value.clone() }).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        error::Span,
        schema::{Attribute, NestedBlock},
        template::syntax::{Ident, Traversal},
        value::{Marks, Type},
    };

    fn schema() -> Schema {
        Schema::new(0)
            .attribute("id", Attribute::computed(Type::String))
            .attribute("name", Attribute::optional(Type::String))
            .attribute("tags", Attribute::optional(Type::map(Type::String)))
            .block(
                "rule",
                NestedBlock::list(
                    Block::new()
                        .attribute("port", Attribute::optional(Type::Number))
                        .attribute("seen", Attribute::computed(Type::Number)),
                ),
            )
    }

    fn object(id: Value, name: &str, tags: &[(&str, &str)], rule: Value) -> Value {
        Value::object([
            ("id", id),
            ("name", Value::string(name)),
            ("tags", Value::map(Type::String, tags.iter().map(|(key, value)| (*key, Value::string(*value))))),
            ("rule", rule),
        ])
    }

    fn rule(port: i64, seen: Option<i64>) -> Value {
        let seen = seen.map_or_else(|| Value::null(Type::Number), Value::number);
        let rule = Value::object([("port", Value::number(port)), ("seen", seen)]);
        Value::list(rule.ty(), vec![rule])
    }

    fn only(root: &str, steps: Vec<StepKind>) -> IgnoreChanges {
        let span = Span::default();
        let steps = steps.into_iter().map(|kind| Step { kind, span }).collect();
        IgnoreChanges::Only(vec![Traversal { root: Ident::new(root, span), steps }])
    }

    #[test]
    fn what_the_template_marks_is_marked_in_what_stands_in_its_place() {
        let prior = object(Value::string("i"), "old", &[("a", "1")], rule(1, None));
        let secret = |text: &str| Value::string(text).with_marks(Marks::SENSITIVE);
        let config = Value::object([
            ("id", Value::null(Type::String)),
            ("name", secret("new")),
            ("tags", Value::map(Type::String, [("a", secret("2")), ("gone", secret("3"))])),
            ("rule", rule(2, None)),
        ]);
        for ignore in [IgnoreChanges::All, only("tags", vec![])] {
            let kept = keep(&ignore, &schema(), &config, &prior);
            let (plain, marks) = kept.unmark_deep_with_paths();
            assert!(
                plain
                    .attribute("tags")
                    .is_some_and(|tags| tags.same(&Value::map(Type::String, [("a", Value::string("1"))])))
            );
            let places: Vec<String> = marks.iter().map(|(path, _)| path.to_string()).collect();
            assert_eq!(places, [".name", ".tags[\"a\"]"], "{ignore:?}");
        }
    }

    #[test]
    fn takes_what_is_ignored_from_what_is_there() {
        let null = || Value::null(Type::String);
        let prior = object(Value::string("i"), "old", &[("a", "1"), ("b", "1")], rule(1, Some(7)));
        let config = object(null(), "new", &[("a", "2"), ("c", "2")], rule(2, None));
        let kept = |ignore| keep(&ignore, &schema(), &config, &prior);
        assert!(kept(IgnoreChanges::None).same(&config));
        assert!(kept(IgnoreChanges::All).same(&object(null(), "old", &[("a", "1"), ("b", "1")], rule(1, None))));
        assert!(kept(only("name", vec![])).same(&object(null(), "old", &[("a", "2"), ("c", "2")], rule(2, None))));
        let key = |key: &str| vec![StepKind::Index(Literal::String(key.into()))];
        assert!(kept(only("tags", key("a"))).same(&object(null(), "new", &[("a", "1"), ("c", "2")], rule(2, None))));
        assert!(kept(only("tags", key("b"))).same(&object(
            null(),
            "new",
            &[("a", "2"), ("b", "1"), ("c", "2")],
            rule(2, None)
        )));
        assert!(kept(only("tags", key("c"))).same(&object(null(), "new", &[("a", "2")], rule(2, None))));
        let port = vec![StepKind::Index(Literal::Number("0".into())), StepKind::Attr("port".into())];
        assert!(kept(only("rule", port)).same(&object(null(), "new", &[("a", "2"), ("c", "2")], rule(1, None))));
    }
}
