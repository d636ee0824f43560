use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use crate::{
    error::{Diagnostic, Span, suggest},
    template::{
        model::{Defaults, TypeConstraint},
        syntax::{Expr, StaticItem},
    },
    value::{ObjectType, Type, Value, convert},
};

use super::{Problems, constant::constant};

/// A constraint, and whether `optional(…)` stood around it.
struct Read {
    ty: Type,
    defaults: Option<Defaults>,
}

impl From<Type> for Read {
    fn from(ty: Type) -> Self {
        Self { ty, defaults: None }
    }
}

const NAMES: [&str; 9] = ["any", "string", "number", "bool", "list", "set", "map", "object", "tuple"];

/// Reads a type constraint, which is spelled like an expression but never evaluated.
///
/// What is wrong is reported, and takes any value.
pub(in crate::template) fn constraint(expr: &Expr, problems: &mut Problems) -> TypeConstraint {
    // Only at the very top may `list` and `map` stand without their element.
    let read = match expr.as_keyword() {
        Some("list") => Type::list(Type::Any).into(),
        Some("map") => Type::map(Type::Any).into(),
        _ => read(expr, problems),
    };
    TypeConstraint { ty: read.ty, defaults: read.defaults.map(Arc::new) }
}

fn read(expr: &Expr, problems: &mut Problems) -> Read {
    let refuse = |problems: &mut Problems, message: String, help: &str| {
        problems.push(Diagnostic::error("template.type", message).at(expr.span).help(help));
        Read::from(Type::Any)
    };
    if expr.is_invalid() {
        return Type::Any.into();
    }
    if let Some(text) = expr.as_string() {
        return refuse(problems, format!("the type `{text}` is written in quotes"), "remove the quotes");
    }
    if let Some(word) = expr.as_keyword() {
        return match word {
            "any" => Type::Any.into(),
            "string" => Type::String.into(),
            "number" => Type::Number.into(),
            "bool" => Type::Bool.into(),
            "list" | "set" | "map" => {
                refuse(problems, format!("`{word}` needs the type of its elements"), "write it as in `list(string)`")
            }
            "object" => refuse(problems, "`object` needs its attributes".into(), "write `object({ name = string })`"),
            "tuple" => refuse(problems, "`tuple` needs the types of its elements".into(), "write `tuple([string])`"),
            other => unknown_type(other, expr.span, problems),
        };
    }
    let Some(call) = expr.static_call() else {
        return refuse(problems, "this is not a type".into(), "a type is one such as `string` or `list(string)`");
    };
    let name = call.name.as_str();
    match (name, call.args) {
        ("list", [element]) => collection(Type::list, read(element, problems)),
        ("set", [element]) => collection(Type::set, read(element, problems)),
        ("map", [element]) => collection(Type::map, read(element, problems)),
        ("object", [attributes]) => match attributes.static_map() {
            Some(items) => object(&items, problems),
            None if attributes.is_invalid() => Type::Any.into(),
            None => refuse(problems, "`object` takes a map of types".into(), "write `object({ name = string })`"),
        },
        ("tuple", [elements]) => match elements.static_list() {
            Some(elements) => tuple(elements, problems),
            None if elements.is_invalid() => Type::Any.into(),
            None => refuse(problems, "`tuple` takes a list of types".into(), "write `tuple([string, number])`"),
        },
        ("list" | "set" | "map" | "object" | "tuple", _) => {
            refuse(problems, format!("`{name}` takes one argument, not {}", call.args.len()), "as in `list(string)`")
        }
        ("optional", _) => refuse(
            problems,
            "`optional` stands only right at an attribute of an object type".into(),
            "write `object({ name = optional(string) })`",
        ),
        ("any" | "string" | "number" | "bool", _) => {
            refuse(problems, format!("the type `{name}` takes no argument"), "remove the parentheses")
        }
        (other, _) => unknown_type(other, call.name.span, problems),
    }
}

fn unknown_type(name: &str, span: Span, problems: &mut Problems) -> Read {
    let problem = Diagnostic::error("template.type", format!("there is no type `{name}`")).at(span);
    problems.push(match suggest(name, NAMES) {
        Some(near) => problem.help(format!("did you mean `{near}`?")),
        None => problem.help(format!("the types are `{}`", NAMES.join("`, `"))),
    });
    Type::Any.into()
}

fn collection(make: fn(Type) -> Type, element: Read) -> Read {
    Read { ty: make(element.ty), defaults: element.defaults.map(|inner| Defaults::Elements(Box::new(inner))) }
}

fn tuple(elements: &[Expr], problems: &mut Problems) -> Read {
    let mut places = BTreeMap::new();
    let types: Vec<Type> = elements
        .iter()
        .enumerate()
        .map(|(place, element)| {
            let Read { ty, defaults } = read(element, problems);
            places.extend(defaults.map(|defaults| (place, defaults)));
            ty
        })
        .collect();
    Read { ty: Type::tuple(types), defaults: (!places.is_empty()).then_some(Defaults::Tuple(places)) }
}

fn object(items: &[StaticItem<'_>], problems: &mut Problems) -> Read {
    let mut attributes: BTreeMap<Arc<str>, Type> = BTreeMap::new();
    let mut optional: BTreeSet<Arc<str>> = BTreeSet::new();
    let mut values = BTreeMap::new();
    let mut inner = BTreeMap::new();
    for item in items {
        let Some(name) = item.key.as_str().map(Arc::<str>::from) else {
            problems.push(
                Diagnostic::error("template.type", "the name of an attribute is a plain word")
                    .at(item.key.span())
                    .help("write `object({ name = string })`"),
            );
            continue;
        };
        if attributes.contains_key(&name) {
            let message = format!("the attribute `{name}` is there twice");
            problems.push(Diagnostic::error("template.duplicate", message).at(item.key.span()));
            continue;
        }
        let (ty, default, is_optional) = match item.value.static_call() {
            Some(call) if call.name.as_str() == "optional" => (call.args.first(), call.args.get(1), true),
            _ => (Some(item.value), None, false),
        };
        let arguments = item.value.static_call().filter(|_| is_optional).map_or(1, |call| call.args.len());
        let (Some(ty), 1..=2) = (ty, arguments) else {
            let message = format!("`optional` takes a type and perhaps a default, not {arguments} arguments");
            problems.push(Diagnostic::error("template.type", message).at(item.value.span));
            attributes.insert(name, Type::Any);
            continue;
        };
        let Read { ty, defaults } = read(ty, problems);
        if let Some(default) = default.and_then(|default| converted(default, &ty, defaults.as_ref(), problems)) {
            values.insert(Arc::clone(&name), default);
        }
        inner.extend(defaults.map(|defaults| (Arc::clone(&name), defaults)));
        if is_optional {
            optional.insert(Arc::clone(&name));
        }
        attributes.insert(name, ty);
    }
    let has_defaults = !values.is_empty() || !inner.is_empty();
    Read {
        ty: Type::Object(Arc::new(ObjectType { attributes, optional })),
        defaults: has_defaults.then_some(Defaults::Object { values, inner }),
    }
}

/// Returns the default of an attribute as a value of the attribute's type.
fn converted(expr: &Expr, ty: &Type, defaults: Option<&Defaults>, problems: &mut Problems) -> Option<Value> {
    let value = constant(expr, problems)?;
    let filled = defaults.map_or_else(|| value.clone(), |defaults| defaults.apply(&value));
    match convert(&filled, ty) {
        Ok(value) => Some(value),
        Err(error) => {
            problems.push(
                Diagnostic::error("template.type", format!("the default does not fit the attribute's type: {error}"))
                    .label(expr.span, format!("a {} is required", ty.friendly_constraint())),
            );
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{error::SourceId, template::hcl};

    fn parse(text: &str) -> (TypeConstraint, Vec<String>) {
        let (expr, found) = hcl::parse_expression(SourceId(0), text);
        assert!(found.is_empty(), "{text}: {found:?}");
        let mut problems = Problems::default();
        let constraint = constraint(&expr, &mut problems);
        (constraint, problems.list.into_iter().map(|problem| problem.message).collect())
    }

    fn check(text: &str, expect: &str) {
        let (constraint, problems) = parse(text);
        assert_eq!((constraint.ty.to_string().as_str(), problems), (expect, vec![]), "{text}");
    }

    fn refuse(text: &str, expect: &str) {
        let (_, problems) = parse(text);
        assert_eq!(problems, [expect], "{text}");
    }

    #[test]
    fn types_are_read() {
        check("string", "string");
        check("any", "any");
        check("list", "list(any)");
        check("map", "map(any)");
        check("list(set(map(number)))", "list(set(map(number)))");
        check("tuple([string, bool])", "tuple([string,bool])");
        check(
            "object({ a = string, b = optional(list(any)), \"c d\" = bool })",
            "object({a=string,b=optional(list(any)),\"c d\"=bool})",
        );
        check("object({})", "object({})");
    }

    #[test]
    fn what_is_no_type_is_refused() {
        refuse("strin", "there is no type `strin`");
        refuse("\"string\"", "the type `string` is written in quotes");
        refuse("list(list)", "`list` needs the type of its elements");
        refuse("set", "`set` needs the type of its elements");
        refuse("list(string, number)", "`list` takes one argument, not 2");
        refuse("optional(string)", "`optional` stands only right at an attribute of an object type");
        refuse("list(optional(string))", "`optional` stands only right at an attribute of an object type");
        refuse("object({ a = optional() })", "`optional` takes a type and perhaps a default, not 0 arguments");
        refuse("object([string])", "`object` takes a map of types");
        refuse("object({ a = string, a = number })", "the attribute `a` is there twice");
        refuse("string()", "the type `string` takes no argument");
        refuse("1", "this is not a type");
        refuse(
            "object({ a = optional(number, \"x\") })",
            "the default does not fit the attribute's type: a number is required",
        );
    }

    #[test]
    fn defaults_are_kept_at_any_depth() {
        let (constraint, problems) = parse(
            "list(object({ a = optional(string, 1), net = optional(object({ port = optional(number, 80) }), {}) }))",
        );
        assert!(problems.is_empty(), "{problems:?}");
        let value = constraint.apply_defaults(&Value::tuple(vec![Value::empty_object()]));
        let net = Value::object([("port", Value::number(80))]);
        assert_eq!(value, Value::tuple(vec![Value::object([("a", Value::from("1")), ("net", net)])]));
    }
}
