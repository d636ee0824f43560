//! Collections of every kind: lengths, choices, maps and sets.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    Call, Function, Functions, Parameter,
    sequence::{sequence, type_of},
    text,
};
use crate::{
    template::eval::{Context, Problem},
    value::{Kind, Marks, Number, Refinement, Type, Value, convert, unify},
};

pub(super) fn register(table: &mut Functions) {
    table.add(
        Function::new("length", "Returns how many elements a collection has, or characters a text.")
            .takes([Parameter::new("value", Type::Any).unknown().any().marked()])
            .returns(Type::Number)
            .computes(length),
    );
    let truth = |name: &'static str, summary: &'static str, decisive: bool| {
        Function::new(name, summary)
            .takes([Parameter::new("list", Type::list(Type::Bool))])
            .returns(Type::Bool)
            .computes(move |call| {
                let mut known = true;
                for item in call.items(0) {
                    // A null counts as false.
                    match item.as_bool().or(item.is_null().then_some(false)) {
                        Some(value) if value == decisive => return Ok(Value::bool(decisive)),
                        Some(_) => {}
                        // As in Terraform: `alltrue` does not look behind what is not known, `anytrue` does.
                        None if !decisive => return Ok(Value::unknown(Type::Bool)),
                        None => known = false,
                    }
                }
                Ok(if known { Value::bool(!decisive) } else { Value::unknown(Type::Bool) })
            })
    };
    table.add(truth("alltrue", "Returns whether every element of a list is true.", false));
    table.add(truth("anytrue", "Returns whether some element of a list is true.", true));
    table.add(
        Function::new("coalesce", "Returns the first argument that is neither null nor an empty text.")
            .then_any_number_of(Parameter::new("vals", Type::Any).null().unknown().any())
            .returns_by(|arguments, _| {
                let types: Vec<Type> = arguments.iter().map(Value::ty).collect();
                let unified = if types.is_empty() { None } else { unify(&types) };
                unified.ok_or_else(|| Problem::new("it takes at least one argument, all of one type"))
            })
            .computes(coalesce),
    );
    table.add(
        Function::new("coalescelist", "Returns the first argument that is a list with elements.")
            .then_any_number_of(Parameter::new("vals", Type::Any).null().unknown().any())
            .returns_by(coalesce_list_type)
            .computes(coalesce_list),
    );
    register_maps(table);
    super::set::register(table);
}

fn length(call: Call<'_>) -> Result<Value, Problem> {
    let value = call.value(0)?;
    let counted = match value.kind() {
        Kind::String(content) => Value::number(text::grapheme_count(content)),
        Kind::Unknown(unknown) if unknown.ty == Type::Any => Value::unknown(Type::Number),
        Kind::Unknown(unknown) if unknown.ty == Type::String => {
            at_least(unknown.refinement.prefix.as_deref().map_or(0, text::grapheme_count))
        }
        _ => match value.length_bounds() {
            Some((min, Some(max))) if min == max => Value::number(min),
            Some((min, max)) => {
                let refinement = Refinement::not_null().with_min(Number::from(min), true);
                // No collection has more elements than that.
                let max = max.map_or(Number::from(i64::MAX), Number::from);
                Value::unknown_with(Type::Number, refinement.with_max(max, true))
            }
            None => {
                let ty = value.ty().friendly_name();
                return Err(Problem::argument(0, format!("a text or a collection is required, not {ty}")));
            }
        },
    };
    Ok(counted.with_marks(value.marks()))
}

fn at_least(min: usize) -> Value {
    Value::unknown_with(Type::Number, Refinement::not_null().with_min(Number::from(min), true))
}

fn coalesce(call: Call<'_>) -> Result<Value, Problem> {
    for argument in call.arguments {
        // As in Terraform: what only its type has in common with the others is passed over.
        let Ok(value) = convert(argument, call.returns) else { continue };
        if !value.is_known() {
            return Ok(Value::unknown(call.returns.clone()));
        }
        if !value.is_null() && value.as_str().is_none_or(|text| !text.is_empty()) {
            return Ok(value);
        }
    }
    Err(Problem::new("every argument is null or an empty text").help("add a last argument that is neither"))
}

fn coalesce_list_type(arguments: &[Value], _: &Context<'_>) -> Result<Type, Problem> {
    if arguments.is_empty() {
        return Err(Problem::new("it takes at least one list"));
    }
    let mut same = true;
    for (idx, argument) in arguments.iter().enumerate() {
        if !argument.is_known() {
            return Ok(Type::Any);
        }
        let ty = argument.ty();
        if !matches!(ty, Type::List(_) | Type::Tuple(_)) {
            let message = format!("a list or tuple is required, not {}", ty.friendly_name());
            return Err(Problem::argument(idx, message));
        }
        same &= ty == type_of(arguments, 0);
    }
    Ok(if same { type_of(arguments, 0) } else { Type::Any })
}

fn coalesce_list(call: Call<'_>) -> Result<Value, Problem> {
    for argument in call.arguments {
        if !argument.is_known() {
            return Ok(Value::unknown(call.returns.clone()));
        }
        if argument.len() > 0 {
            return Ok(argument.clone());
        }
    }
    Err(Problem::new("every list is empty or null").help("add a last argument that is not"))
}

fn register_maps(table: &mut Functions) {
    let map = |name: &'static str| Parameter::new(name, Type::Any).marked();
    table.add(
        Function::new("keys", "Returns the keys of a map or object, in order.")
            .takes([map("inputMap").unknown()])
            .returns_by(|arguments, _| match type_of(arguments, 0) {
                Type::Map(_) => Ok(Type::list(Type::String)),
                Type::Object(object) => Ok(Type::tuple(vec![Type::String; object.attributes.len()])),
                ty => Err(not_a_map(0, &ty)),
            })
            .computes(|call| {
                let map = call.value(0)?;
                let names: Vec<Value> = match map.kind() {
                    Kind::Unknown(unknown) => match unknown.ty.as_object() {
                        Some(object) => object.attributes.keys().map(|name| Value::string(Arc::clone(name))).collect(),
                        None => return Ok(Value::unknown(call.returns.clone()).with_marks(map.marks())),
                    },
                    _ => map.entries().map(|(name, _)| Value::string(Arc::clone(name))).collect(),
                };
                call.room(names.len())?;
                Ok(sequence(call.returns, names).with_marks(map.marks()))
            }),
    );
    table.add(
        Function::new("values", "Returns the values of a map or object, in the order of its keys.")
            .takes([map("mapping")])
            .returns_by(|arguments, _| match type_of(arguments, 0) {
                Type::Map(element) => Ok(Type::List(element)),
                Type::Object(object) => Ok(Type::tuple(object.attributes.values().cloned())),
                ty => Err(not_a_map(0, &ty)),
            })
            .computes(|call| {
                let map = call.value(0)?;
                call.room(map.len())?;
                let values = map.entries().map(|(_, value)| value.clone()).collect();
                Ok(sequence(call.returns, values).with_marks(map.marks()))
            }),
    );
    table.add(
        Function::new("lookup", "Returns the value of a map or object at a key, or a default.")
            .takes([map("inputMap").unknown(), Parameter::new("key", Type::String).unknown().marked()])
            .then_any_number_of(Parameter::new("default", Type::Any).null().unknown().any().marked())
            .returns_by(lookup_type)
            .may_return_null()
            .computes(lookup),
    );
    table.add(
        Function::new("merge", "Returns the entries of several maps or objects; of equal keys the last one counts.")
            .then_any_number_of(Parameter::new("maps", Type::Any).null().any().marked())
            .returns_by(merge_type)
            .computes(merge),
    );
    table.add(
        Function::new("zipmap", "Returns a map or object with keys from one list and values from another.")
            .takes([Parameter::new("keys", Type::list(Type::String)).marked(), map("values")])
            .returns_by(zip_type)
            .computes(zip),
    );
    table.add(
        Function::new("transpose", "Returns a map of lists the other way round: from elements to the keys they had.")
            .takes([Parameter::new("values", Type::map(Type::list(Type::String)))])
            .returns(Type::map(Type::list(Type::String)))
            .computes(transpose),
    );
    table.add(
        Function::new("matchkeys", "Returns the elements of a list whose keys, in another list, are searched for.")
            .takes(["values", "keys", "searchset"].map(|name| Parameter::new(name, Type::list(Type::Any))))
            .returns_by(|arguments, _| match unify(&key_types(arguments)) {
                Some(_) => Ok(type_of(arguments, 0)),
                None => Err(Problem::argument(2, "its elements have no type in common with the keys")),
            })
            .computes(match_keys),
    );
}

fn not_a_map(idx: usize, ty: &Type) -> Problem {
    Problem::argument(idx, format!("a map or object is required, not {}", ty.friendly_name()))
}

fn lookup_type(arguments: &[Value], _: &Context<'_>) -> Result<Type, Problem> {
    if arguments.len() > 3 {
        return Err(Problem::new(format!("it takes two or three arguments, not {}", arguments.len())).at_argument(3));
    }
    let Some(map) = arguments.first() else { return Ok(Type::Any) };
    let element = match map.kind() {
        // Looks at no more than the entry that is meant: `lookup` is called in loops.
        Kind::Object(fields) => return entry_type(arguments, |key| fields.get(key).map(Value::ty)),
        Kind::Map(fields) => fields.element_type().clone(),
        _ => match map.ty() {
            Type::Object(object) => return entry_type(arguments, |key| object.attributes.get(key).cloned()),
            Type::Map(element) => (*element).clone(),
            ty => return Err(not_a_map(0, &ty)),
        },
    };
    if let Some(default) = arguments.get(2) {
        convert(default, &element).map_err(|_| {
            let (wanted, given) = (element.friendly_name(), default.ty().friendly_name());
            Problem::argument(2, format!("the elements of the map are {wanted}; a {given} cannot stand for one"))
        })?;
    }
    Ok(element)
}

fn entry_type(arguments: &[Value], get: impl Fn(&str) -> Option<Type>) -> Result<Type, Problem> {
    let Some(key) = arguments.get(1).and_then(Value::as_str) else { return Ok(Type::Any) };
    if let Some(ty) = get(key) {
        return Ok(ty);
    }
    if let Some(default) = arguments.get(2) {
        return Ok(default.ty());
    }
    let hidden = arguments.get(1).is_some_and(|key| !key.marks().is_empty());
    Err(no_key(if hidden { None } else { Some(key) }))
}

fn no_key(key: Option<&str>) -> Problem {
    let message = key.map_or_else(|| "the map has no such key".to_owned(), |key| format!("the map has no key `{key}`"));
    Problem::argument(1, message).help("pass a third argument, which is returned then")
}

fn lookup(call: Call<'_>) -> Result<Value, Problem> {
    let (map, key) = (call.value(0)?, call.value(1)?);
    let marks = map.marks() | key.marks();
    if !map.is_known() || !key.is_known() {
        return Ok(Value::unknown(call.returns.clone()).with_marks(marks));
    }
    let found = match (map.attribute(call.text(1)), call.get(2)) {
        (Some(found), _) => found.clone(),
        (None, Some(default)) => {
            convert(default, call.returns).map_err(|error| Problem::argument(2, error.to_string()))?
        }
        (None, None) => return Err(no_key(if marks.is_empty() { Some(call.text(1)) } else { None })),
    };
    Ok(found.with_marks(marks))
}

fn merge_type(arguments: &[Value], _: &Context<'_>) -> Result<Type, Problem> {
    let mut attributes: BTreeMap<Arc<str>, Type> = BTreeMap::new();
    let mut first: Option<Type> = None;
    let mut same = true;
    let mut open = false;
    for (idx, argument) in arguments.iter().enumerate() {
        let ty = argument.ty();
        match &ty {
            // As in Terraform, even where it is null: then the type is that of the entries.
            Type::Any => return Ok(Type::Any),
            Type::Object(object) => {
                if !argument.is_null() {
                    attributes.extend(object.attributes.iter().map(|(name, ty)| (Arc::clone(name), ty.clone())));
                }
            }
            Type::Map(element) => {
                open |= !argument.is_known();
                let names = argument.entries().map(|(name, _)| (Arc::clone(name), (**element).clone()));
                attributes.extend(names);
            }
            ty => return Err(not_a_map(idx, ty)),
        }
        match &first {
            Some(first) => same &= *first == ty,
            None => first = Some(ty),
        }
    }
    match first {
        Some(ty @ Type::Map(_)) if same => Ok(ty),
        _ if open => Ok(Type::Any),
        _ => Ok(Type::object(attributes)),
    }
}

fn merge(call: Call<'_>) -> Result<Value, Problem> {
    let marks = call.arguments.iter().filter(|argument| !argument.is_null()).map(Value::marks).collect::<Marks>();
    if !call.arguments.iter().all(Value::is_known) {
        return Ok(Value::unknown(call.returns.clone()).with_marks(marks));
    }
    for (idx, argument) in call.arguments.iter().enumerate() {
        let ty = argument.ty();
        if !argument.is_null() && !matches!(ty, Type::Map(_) | Type::Object(_)) {
            return Err(not_a_map(idx, &ty));
        }
    }
    call.room(call.arguments.iter().map(Value::len).sum())?;
    let entries = call
        .arguments
        .iter()
        .flat_map(|argument| argument.entries().map(|(name, value)| (Arc::clone(name), value.clone())));
    let merged = match call.returns {
        Type::Map(element) => Value::map((**element).clone(), entries),
        _ => Value::object(entries),
    };
    Ok(merged.with_marks(marks))
}

fn zip_type(arguments: &[Value], _: &Context<'_>) -> Result<Type, Problem> {
    match type_of(arguments, 1) {
        Type::List(element) => Ok(Type::Map(element)),
        Type::Tuple(types) => {
            let Some(keys) = arguments.first().filter(|keys| keys.is_wholly_known()) else { return Ok(Type::Any) };
            if keys.len() != types.len() {
                return Err(uneven(keys.len(), types.len()));
            }
            refuse_null_key(keys)?;
            let names = keys.elements().filter_map(Value::as_str).map(Arc::from);
            Ok(Type::object::<Arc<str>>(names.zip(types.iter().cloned())))
        }
        ty => Err(Problem::argument(1, format!("a list or tuple is required, not {}", ty.friendly_name()))),
    }
}

fn refuse_null_key(keys: &Value) -> Result<(), Problem> {
    match keys.elements().position(Value::is_null) {
        Some(idx) => Err(Problem::argument(0, format!("key {idx} is null"))),
        None => Ok(()),
    }
}

fn uneven(keys: usize, values: usize) -> Problem {
    Problem::argument(1, format!("there are {keys} keys but {values} values"))
}

fn zip(call: Call<'_>) -> Result<Value, Problem> {
    let (keys, values) = (call.value(0)?, call.value(1)?);
    if !keys.is_wholly_known() {
        return Ok(Value::unknown(call.returns.clone()).with_marks(keys.marks() | values.marks()));
    }
    let marks = keys.marks_deep() | values.marks();
    if keys.len() != values.len() {
        return Err(uneven(keys.len(), values.len()));
    }
    refuse_null_key(keys)?;
    call.room(keys.len())?;
    let entries = keys.elements().filter_map(Value::as_str).map(Arc::<str>::from).zip(values.elements().cloned());
    let zipped = match call.returns {
        Type::Map(element) => Value::map((**element).clone(), entries),
        _ => Value::object(entries),
    };
    Ok(zipped.with_marks(marks))
}

fn transpose(call: Call<'_>) -> Result<Value, Problem> {
    let map = call.value(0)?;
    let element = Type::list(Type::String);
    if !map.is_wholly_known() {
        return Ok(Value::unknown(Type::map(element)));
    }
    let mut turned: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    for (key, list) in map.entries() {
        if list.is_null() {
            return Err(Problem::argument(0, format!("the list at key `{key}` is null")));
        }
        for item in list.elements() {
            let Some(text) = item.as_str() else {
                return Err(Problem::argument(0, format!("the list at key `{key}` has a null element")));
            };
            call.room(1)?;
            turned.entry(text).or_default().push(Value::string(Arc::clone(key)));
        }
    }
    let entries = turned.into_iter().map(|(key, list)| (key, Value::list(Type::String, list)));
    Ok(Value::map(element, entries))
}

/// The types of the elements of keys and of what is searched for.
fn key_types(arguments: &[Value]) -> [Type; 2] {
    [1, 2].map(|idx| type_of(arguments, idx).element().cloned().unwrap_or(Type::Any))
}

fn match_keys(call: Call<'_>) -> Result<Value, Problem> {
    let (values, keys, searched) = (call.value(0)?, call.value(1)?, call.value(2)?);
    let ty = unify(&key_types(call.arguments)).unwrap_or(Type::Any);
    if values.len() != keys.len() {
        return Err(Problem::argument(1, format!("there are {} keys but {} values", keys.len(), values.len())));
    }
    if searched.is_known() && searched.len() == 0 {
        return Ok(Value::list(call.returns.element().cloned().unwrap_or(Type::Any), Vec::new()));
    }
    if !values.is_wholly_known() || !keys.is_wholly_known() {
        return Ok(Value::unknown(call.returns.clone()));
    }
    let list_type = Type::list(ty);
    let as_list = |idx: usize, value: &Value| {
        convert(value, &list_type).map_err(|error| Problem::argument(idx, error.to_string()))
    };
    let (keys, searched) = (as_list(1, keys)?, as_list(2, searched)?);
    if let Some(known) = searched.elements().position(|value| !value.is_wholly_known()) {
        // As in Terraform: nothing is kept if it cannot be told whether some key is wanted.
        let is_found = |key: &Value| searched.elements().take(known).any(|other| other.set_order(key).is_eq());
        if !keys.elements().all(is_found) {
            return Ok(Value::list(call.returns.element().cloned().unwrap_or(Type::Any), Vec::new()));
        }
    }
    let mut wanted: Vec<&Value> = searched.elements().collect();
    wanted.sort_by(|a, b| a.set_order(b));
    let kept = values
        .elements()
        .zip(keys.elements())
        .filter(|(_, key)| wanted.binary_search_by(|candidate| candidate.set_order(key)).is_ok())
        .map(|(value, _)| value.clone())
        .collect();
    let element = call.returns.element().cloned().unwrap_or(Type::Any);
    Ok(Value::list(element, kept))
}
