//! Lists and tuples: picking, cutting, joining, ordering.

use std::collections::HashSet;

use super::{Call, Function, Functions, Parameter};
use crate::{
    template::eval::{Context, Problem},
    value::{Kind, Marks, Number, Refinement, Type, Value, convert, unify},
};

pub(super) fn register(table: &mut Functions) {
    let any_list = || Parameter::new("list", Type::list(Type::Any));
    register_picks(table);
    register_joins(table);
    table.add(
        Function::new("chunklist", "Returns a list cut into lists of a size.")
            .takes([any_list().marked(), Parameter::new("size", Type::Number).marked()])
            .returns_by(|arguments, _| Ok(Type::list(type_of(arguments, 0))))
            .computes(chunk_list),
    );
    table.add(
        Function::new("compact", "Returns a list of texts without those that are empty or null.")
            .takes([Parameter::new("list", Type::list(Type::String))])
            .returns(Type::list(Type::String))
            .computes(|call| {
                if !call.value(0)?.is_wholly_known() {
                    return Ok(Value::unknown(Type::list(Type::String)));
                }
                let kept = call.items(0).iter().filter(|item| item.as_str().is_some_and(|text| !text.is_empty()));
                Ok(Value::list(Type::String, kept.cloned().collect()))
            }),
    );
    table.add(
        Function::new("distinct", "Returns a list without the elements that came before.")
            .takes([any_list()])
            .returns_by(|arguments, _| Ok(type_of(arguments, 0)))
            .computes(distinct),
    );
    table.add(
        Function::new("range", "Returns the numbers from a start up to a limit, a step apart.")
            .then_any_number_of(Parameter::new("params", Type::Number))
            .returns(Type::list(Type::Number))
            .computes(range),
    );
    table.add(
        Function::new("reverse", "Returns a list, tuple or set in reverse order.")
            .takes([Parameter::new("list", Type::Any).marked()])
            .returns_by(|arguments, _| match type_of(arguments, 0) {
                Type::Tuple(types) => Ok(Type::tuple(types.iter().rev().cloned())),
                Type::List(element) | Type::Set(element) => Ok(Type::List(element)),
                ty => {
                    Err(Problem::argument(0, format!("a list, tuple or set is required, not {}", ty.friendly_name())))
                }
            })
            .computes(|call| {
                let list = call.value(0)?;
                let reversed: Vec<Value> = list.elements().rev().cloned().collect();
                Ok(sequence(call.returns, reversed).with_marks(list.marks()))
            }),
    );
    table.add(
        Function::new("slice", "Returns the elements of a list or tuple from an index up to another.")
            .takes([
                Parameter::new("list", Type::Any).marked(),
                Parameter::new("start_index", Type::Number),
                Parameter::new("end_index", Type::Number),
            ])
            .returns_by(slice_type)
            .computes(|call| {
                let list = call.value(0)?;
                let (start, end) = bounds(call.arguments, list.len())?;
                let part = call.items(0).get(start..end).unwrap_or(&[]).to_vec();
                Ok(sequence(call.returns, part).with_marks(list.marks()))
            }),
    );
    table.add(
        Function::new("sort", "Returns a list of texts in the order of their bytes.")
            .takes([Parameter::new("list", Type::list(Type::String)).unknown()])
            .returns(Type::list(Type::String))
            .computes(|call| {
                let list = call.value(0)?;
                if !list.is_wholly_known() {
                    let (least, most) = list.length_bounds().unwrap_or((0, None));
                    let refinement = Refinement::not_null().with_length(least, most);
                    return Ok(Value::unknown_with(Type::list(Type::String), refinement));
                }
                if let Some(idx) = call.items(0).iter().position(Value::is_null) {
                    return Err(Problem::argument(0, format!("element {idx} is null, which has no place in an order")));
                }
                let mut sorted = call.items(0).to_vec();
                sorted.sort_by(Value::set_order);
                Ok(Value::list(Type::String, sorted))
            }),
    );
}

fn register_picks(table: &mut Functions) {
    table.add(
        Function::new("element", "Returns the element of a list at an index, counted round and round.")
            .takes([Parameter::new("list", Type::Any).marked(), Parameter::new("index", Type::Number)])
            .returns_by(element_type)
            .may_return_null()
            .computes(|call| {
                let list = call.value(0)?;
                let at = wrapped(call.value(1)?, list.len())?;
                let found = call.items(0).get(at).cloned().unwrap_or_else(|| Value::unknown(call.returns.clone()));
                Ok(found.with_marks(list.marks()))
            }),
    );
    table.add(
        Function::new("index", "Returns the index of the first element of a list that equals a value.")
            .takes([Parameter::new("list", Type::Any), Parameter::new("value", Type::Any)])
            .returns(Type::Number)
            .computes(|call| {
                let list = call.value(0)?;
                if !matches!(list.kind(), Kind::List(_) | Kind::Tuple(_)) {
                    let ty = list.ty().friendly_name();
                    return Err(Problem::argument(0, format!("a list or tuple is required, not {ty}")));
                }
                for (idx, element) in call.items(0).iter().enumerate() {
                    match element.equals(call.value(1)?).as_bool() {
                        Some(true) => return Ok(Value::number(idx)),
                        Some(false) => {}
                        None => return Ok(Value::unknown(Type::Number)),
                    }
                }
                Err(Problem::argument(1, "no element of the list equals it").help("ask `contains` first"))
            }),
    );
    table.add(
        Function::new("contains", "Returns whether a list, set or tuple has an element that equals a value.")
            .takes([Parameter::new("list", Type::Any), Parameter::new("value", Type::Any)])
            .returns(Type::Bool)
            .computes(|call| {
                let list = call.value(0)?;
                if !matches!(list.kind(), Kind::List(_) | Kind::Tuple(_) | Kind::Set(_)) {
                    let ty = list.ty().friendly_name();
                    return Err(Problem::argument(0, format!("a list, set or tuple is required, not {ty}")));
                }
                let mut known = true;
                for element in call.items(0) {
                    match element.equals(call.value(1)?).as_bool() {
                        Some(true) => return Ok(Value::bool(true)),
                        Some(false) => {}
                        None => known = false,
                    }
                }
                Ok(if known { Value::bool(false) } else { Value::unknown(Type::Bool) })
            }),
    );
    table.add(
        Function::new("one", "Returns the only element of a list, set or tuple, or null where there is none.")
            // Of what is inside, nothing can be told apart any more: its marks are the result's.
            .takes([Parameter::new("list", Type::Any).unknown()])
            .returns_by(|arguments, _| match type_of(arguments, 0) {
                Type::List(element) | Type::Set(element) => Ok((*element).clone()),
                Type::Tuple(types) if types.len() < 2 => Ok(types.first().cloned().unwrap_or(Type::Any)),
                Type::Tuple(types) => {
                    Err(Problem::argument(0, format!("at most one element is required, not {}", types.len())))
                }
                ty => Err(Problem::argument(
                    0,
                    format!("a list, set or tuple of at most one element is required, not {}", ty.friendly_name()),
                )),
            })
            .may_return_null()
            .computes(|call| {
                let list = call.value(0)?;
                let ty = call.returns.clone();
                if !list.is_known() {
                    return Ok(Value::unknown(ty));
                }
                match (call.items(0), list.length_bounds()) {
                    ([], _) => Ok(Value::null(ty)),
                    ([only], _) => Ok(only.clone()),
                    // A set whose elements are not known may still collapse to one.
                    (_, Some((1, _))) => Ok(Value::unknown(ty)),
                    (items, _) => {
                        let message = format!("at most one element is required, not {}", items.len());
                        Err(Problem::argument(0, message))
                    }
                }
            }),
    );
}

fn register_joins(table: &mut Functions) {
    table.add(
        Function::new("concat", "Returns the elements of several lists, one list after another.")
            .then_any_number_of(Parameter::new("seqs", Type::Any).marked().unknown())
            .returns_by(concat_type)
            .computes(concat),
    );
    table.add(
        Function::new("flatten", "Returns the elements of lists inside lists, as one tuple.")
            .takes([Parameter::new("list", Type::Any).marked()])
            .returns_by(|arguments, _| match type_of(arguments, 0) {
                _ if !arguments.iter().all(Value::is_wholly_known) => Ok(Type::Any),
                Type::List(_) | Type::Set(_) | Type::Tuple(_) => Ok(Type::Any),
                ty => {
                    Err(Problem::argument(0, format!("a list, set or tuple is required, not {}", ty.friendly_name())))
                }
            })
            .computes(|call| {
                let mut flat = Flat { elements: Vec::new(), marks: Marks::NONE, known: true };
                flat.add(call.value(0)?, call)?;
                let value = if flat.known { Value::tuple(flat.elements) } else { Value::unknown(Type::Any) };
                Ok(value.with_marks(flat.marks))
            }),
    );
}

pub(super) fn type_of(arguments: &[Value], idx: usize) -> Type {
    arguments.get(idx).map_or(Type::Any, Value::ty)
}

/// Makes a list or a tuple, whichever the type says.
pub(super) fn sequence(ty: &Type, values: Vec<Value>) -> Value {
    match ty {
        Type::List(element) => Value::list((**element).clone(), values),
        _ => Value::tuple(values),
    }
}

/// Looks at no more than the element that is meant: `element` is called in loops.
fn element_type(arguments: &[Value], _: &Context<'_>) -> Result<Type, Problem> {
    let (Some(list), Some(index)) = (arguments.first(), arguments.get(1)) else { return Ok(Type::Any) };
    match list.kind() {
        Kind::List(items) => Ok(items.element_type().clone()),
        Kind::Tuple(items) if index.is_known() => {
            let at = wrapped(index, items.len())?;
            Ok(items.get(at).map_or(Type::Any, Value::ty))
        }
        Kind::Tuple(_) => Ok(Type::Any),
        _ => match list.ty() {
            Type::List(element) => Ok((*element).clone()),
            Type::Tuple(types) if index.is_known() => {
                Ok(types.get(wrapped(index, types.len())?).cloned().unwrap_or(Type::Any))
            }
            Type::Tuple(_) => Ok(Type::Any),
            ty => Err(Problem::argument(0, format!("a list or tuple is required, not {}", ty.friendly_name()))),
        },
    }
}

fn wrapped(index: &Value, length: usize) -> Result<usize, Problem> {
    let index = index.as_number().cloned().unwrap_or(Number::ZERO);
    if length == 0 {
        return Err(Problem::argument(0, "the list is empty, so it has no element to return"));
    }
    let whole =
        index.to_i64().ok_or_else(|| Problem::argument(1, format!("a whole number is required, not {index}")))?;
    // Backwards from the end below zero. Terraform does that for lists, and panics for tuples.
    let length = i64::try_from(length).unwrap_or(i64::MAX);
    Ok(usize::try_from(whole.rem_euclid(length)).unwrap_or(0))
}

fn chunk_list(call: Call<'_>) -> Result<Value, Problem> {
    let size = usize::try_from(call.integer(1)?).map_err(|_| Problem::argument(1, "a size must not be negative"))?;
    let inner = call.returns.element().cloned().unwrap_or(Type::Any);
    let element = inner.element().cloned().unwrap_or(Type::Any);
    let items = call.items(0);
    call.room(items.len())?;
    let size = if size == 0 { items.len().max(1) } else { size };
    let chunks = items.chunks(size).map(|chunk| Value::list(element.clone(), chunk.to_vec())).collect();
    Ok(Value::list(inner, chunks).with_marks(call.value(0)?.marks() | call.value(1)?.marks()))
}

fn distinct(call: Call<'_>) -> Result<Value, Problem> {
    let list = call.value(0)?;
    if !list.is_wholly_known() {
        return Ok(Value::unknown(call.returns.clone()));
    }
    let element = call.returns.element().cloned().unwrap_or(Type::Any);
    let mut texts = HashSet::new();
    let mut order: Vec<(usize, &Value)> = Vec::new();
    let mut kept = Vec::new();
    for (idx, item) in call.items(0).iter().enumerate() {
        match item.kind() {
            Kind::String(text) => {
                if texts.insert(&**text) {
                    kept.push(idx);
                }
            }
            _ => order.push((idx, item)),
        }
    }
    // Equal ones end up beside one another, the first one first.
    order.sort_by(|(a, x), (b, y)| x.set_order(y).then(a.cmp(b)));
    order.dedup_by(|(_, later), (_, first)| first.set_order(later).is_eq());
    kept.extend(order.into_iter().map(|(idx, _)| idx));
    kept.sort_unstable();
    let items = call.items(0);
    Ok(Value::list(element, kept.into_iter().filter_map(|idx| items.get(idx)).cloned().collect()))
}

fn range(call: Call<'_>) -> Result<Value, Problem> {
    let zero = Number::ZERO;
    let (start, end, step) = match call.arguments.len() {
        1 => (&zero, call.number(0), None),
        2 => (call.number(0), call.number(1), None),
        3 => (call.number(0), call.number(1), Some(call.number(2))),
        count => return Err(Problem::new(format!("it takes one, two or three numbers, not {count}"))),
    };
    let step = step.cloned().unwrap_or_else(|| Number::from(if end < start { -1 } else { 1 }));
    if step.is_zero() && start != end {
        return Err(Problem::argument(2, "a step must not be zero"));
    }
    let down = step.is_negative();
    if down && end > start {
        return Err(Problem::argument(2, "a negative step never leads from the start up to the limit"));
    }
    if !down && end < start {
        return Err(Problem::argument(2, "a positive step never leads from the start down to the limit"));
    }
    let limit = call.context.options().budget.range;
    let mut numbers = Vec::new();
    let mut number = start.clone();
    while if down { number > *end } else { number < *end } {
        if numbers.len() >= limit {
            return Err(Problem::budget(format!("it would make more than {limit} numbers"))
                .help("bring start and limit closer together, or use a larger step"));
        }
        call.room(1)?;
        numbers.push(Value::number(number.clone()));
        number = number.add(&step).map_err(|_| Problem::new("infinities of both signs have no sum"))?;
    }
    Ok(Value::list(Type::Number, numbers))
}

fn slice_type(arguments: &[Value], _: &Context<'_>) -> Result<Type, Problem> {
    match type_of(arguments, 0) {
        Type::List(element) => {
            let length = arguments.first().filter(|list| list.is_known()).map_or(usize::MAX, Value::len);
            bounds(arguments, length)?;
            Ok(Type::List(element))
        }
        Type::Set(_) => Err(Problem::argument(0, "the elements of a set have no index")
            .help("make it a list with `tolist` if its order does not matter")),
        Type::Tuple(types) => {
            let (start, end) = bounds(arguments, types.len())?;
            if !arguments.iter().skip(1).all(Value::is_known) {
                return Ok(Type::Any);
            }
            Ok(Type::tuple(types.get(start..end).unwrap_or(&[]).iter().cloned()))
        }
        ty => Err(Problem::argument(0, format!("a list or tuple is required, not {}", ty.friendly_name()))),
    }
}

/// Reads start and end of a slice; one that is not known is the first or the last possible.
fn bounds(arguments: &[Value], length: usize) -> Result<(usize, usize), Problem> {
    let read = |idx: usize, unknown: usize| {
        let Some(number) = arguments.get(idx).and_then(Value::as_number) else { return Ok(unknown) };
        let whole = number
            .to_i64()
            .ok_or_else(|| Problem::argument(idx, format!("a whole number is required, not {number}")))?;
        usize::try_from(whole)
            .map_err(|_| Problem::argument(idx, format!("an index must not be negative, as {number} is")))
    };
    let (start, end) = (read(1, 0)?, read(2, length)?);
    for (idx, bound) in [(1, start), (2, end)] {
        if bound > length {
            let message = format!("the list has {length} elements, so {bound} is beyond its end");
            return Err(Problem::argument(idx, message));
        }
    }
    if start > end {
        return Err(Problem::argument(1, format!("the start, {start}, is after the end, {end}")));
    }
    Ok((start, end))
}

fn concat_type(arguments: &[Value], _: &Context<'_>) -> Result<Type, Problem> {
    if arguments.is_empty() {
        return Err(Problem::new("it takes at least one list"));
    }
    let elements: Vec<Type> = arguments
        .iter()
        .filter_map(|argument| match argument.ty() {
            Type::List(element) => Some((*element).clone()),
            _ => None,
        })
        .collect();
    if elements.len() == arguments.len()
        && let Some(element) = unify(&elements)
    {
        return Ok(Type::list(element));
    }
    let mut types = Vec::new();
    for (idx, argument) in arguments.iter().enumerate() {
        match argument.ty() {
            Type::Tuple(own) => types.extend(own.iter().cloned()),
            Type::List(element) if argument.is_known() => {
                types.extend(std::iter::repeat_n((*element).clone(), argument.len()));
            }
            Type::List(_) => return Ok(Type::Any),
            ty => {
                let message = format!("a list or tuple is required, not {}", ty.friendly_name());
                return Err(Problem::argument(idx, message));
            }
        }
    }
    Ok(Type::tuple(types))
}

fn concat(call: Call<'_>) -> Result<Value, Problem> {
    // Nothing of what is marked is in a list that is not known.
    if !call.arguments.iter().all(Value::is_known) {
        return Ok(Value::unknown(call.returns.clone()));
    }
    let marks = call.arguments.iter().map(Value::marks).collect::<Marks>();
    call.room(call.arguments.iter().map(Value::len).sum())?;
    let mut all = Vec::new();
    for (idx, argument) in call.arguments.iter().enumerate() {
        match call.returns.element() {
            Some(element) => {
                for item in argument.elements() {
                    all.push(convert(item, element).map_err(|error| Problem::argument(idx, error.to_string()))?);
                }
            }
            None => all.extend(argument.elements().cloned()),
        }
    }
    // A list without elements may say nothing about its type; the others do.
    if call.returns.element() == Some(&Type::Any)
        && let Some(element) = all.first().map(Value::ty)
        && all.iter().all(|item| item.has_type(&element))
    {
        return Ok(Value::list(element, all).with_marks(marks));
    }
    Ok(sequence(call.returns, all).with_marks(marks))
}

struct Flat {
    elements: Vec<Value>,
    marks: Marks,
    known: bool,
}

impl Flat {
    fn add(&mut self, list: &Value, call: Call<'_>) -> Result<(), Problem> {
        call.room(list.len())?;
        self.marks |= list.marks();
        if list.length_bounds().is_some_and(|(least, most)| most != Some(least)) {
            self.known = false;
            return Ok(());
        }
        for element in list.elements().chain(list.entries().map(|(_, value)| value)) {
            match element.kind() {
                Kind::List(_) | Kind::Set(_) | Kind::Tuple(_) => self.add(element, call)?,
                Kind::Unknown(unknown) if matches!(unknown.ty, Type::List(_) | Type::Set(_) | Type::Tuple(_)) => {
                    self.marks |= element.marks();
                    self.known = false;
                }
                // As in Terraform, which takes one with a mark for what it is.
                Kind::Unknown(unknown) if unknown.ty == Type::Any && element.marks().is_empty() => self.known = false,
                _ => self.elements.push(element.clone()),
            }
        }
        Ok(())
    }
}
