//! Sets, as mathematics knows them.

use super::{Call, Function, Functions, Parameter, sequence::type_of};
use crate::{
    template::eval::{Context, Problem},
    value::{Refinement, Type, Value, convert, unify},
};

pub(super) fn register(table: &mut Functions) {
    let many = |name: &'static str, summary: &'static str| {
        Function::new(name, summary)
            .takes([Parameter::new("first_set", Type::set(Type::Any)).any()])
            .then_any_number_of(Parameter::new("other_sets", Type::set(Type::Any)).any())
            .returns_by(common)
    };
    table.add(many("setunion", "Returns the set of all elements of some sets.").computes(|call| {
        let sets = converted(call)?;
        call.room(sets.iter().map(Value::len).sum())?;
        let all = sets.iter().flat_map(|set| set.elements().cloned()).collect();
        Ok(Value::set(element(call), all))
    }));
    table.add(
        many("setintersection", "Returns the set of the elements that all sets have.")
            .computes(|call| combine(call, |first, others| others.iter().all(|other| has(other, first)))),
    );
    table.add(
        Function::new("setsubtract", "Returns the elements of a set that another does not have.")
            .takes(["a", "b"].map(|name| Parameter::new(name, Type::set(Type::Any)).any()))
            .returns_by(common)
            .computes(|call| combine(call, |first, others| !others.iter().any(|other| has(other, first)))),
    );
    table.add(
        Function::new("setproduct", "Returns every combination of one element of each list or set.")
            .then_any_number_of(Parameter::new("sets", Type::Any).marked().unknown())
            .returns_by(product_type)
            .computes(product),
    );
}

/// The type of sets of what all elements can be converted to; empty sets without a type do not count.
fn common(arguments: &[Value], _: &Context<'_>) -> Result<Type, Problem> {
    let mut types = Vec::new();
    for argument in arguments {
        match argument.ty().element() {
            Some(Type::Any) if argument.is_known() && argument.len() == 0 => {}
            Some(element) => types.push(element.clone()),
            None => types.push(Type::Any),
        }
    }
    if types.is_empty() {
        return Ok(Type::set(Type::Any));
    }
    match unify(&types) {
        Some(element) => Ok(Type::set(element)),
        None => Err(Problem::new("the elements of the sets have no type in common")),
    }
}

fn element(call: Call<'_>) -> Type {
    call.returns.element().cloned().unwrap_or(Type::Any)
}

fn converted(call: Call<'_>) -> Result<Vec<Value>, Problem> {
    let each = call.arguments.iter().enumerate();
    each.map(|(idx, set)| convert(set, call.returns).map_err(|error| Problem::argument(idx, error.to_string())))
        .collect()
}

fn combine(call: Call<'_>, keep: impl Fn(&Value, &[Value]) -> bool) -> Result<Value, Problem> {
    let sets = converted(call)?;
    if !sets.iter().all(Value::is_wholly_known) {
        return Ok(Value::unknown(call.returns.clone()));
    }
    let Some((first, others)) = sets.split_first() else { return Ok(Value::set(element(call), Vec::new())) };
    let kept = first.elements().filter(|value| keep(value, others)).cloned().collect();
    Ok(Value::set(element(call), kept))
}

fn has(set: &Value, wanted: &Value) -> bool {
    set.items().is_some_and(|items| items.binary_search_by(|item| item.set_order(wanted)).is_ok())
}

fn product_type(arguments: &[Value], _: &Context<'_>) -> Result<Type, Problem> {
    if arguments.len() < 2 {
        return Err(Problem::new("it takes at least two lists or sets"));
    }
    let mut elements = Vec::with_capacity(arguments.len());
    let mut all_lists = true;
    for idx in 0..arguments.len() {
        match type_of(arguments, idx) {
            Type::Set(element) => {
                all_lists = false;
                elements.push((*element).clone());
            }
            Type::List(element) => elements.push((*element).clone()),
            Type::Tuple(types) => {
                let element = if types.is_empty() { Some(Type::Any) } else { unify(&types) };
                elements.push(element.ok_or_else(|| Problem::argument(idx, "its elements have no type in common"))?);
            }
            ty => {
                let message = format!("a list, tuple or set is required, not {}", ty.friendly_name());
                return Err(Problem::argument(idx, message));
            }
        }
    }
    let element = Type::tuple(elements);
    Ok(if all_lists { Type::list(element) } else { Type::set(element) })
}

/// Elements of a set that are not known yet may turn out to be equal.
fn has_unknown_length(set: &Value) -> bool {
    set.length_bounds().is_none_or(|(least, most)| most != Some(least))
}

/// How many combinations there are at most, as far as that is known. Terraform says so of small numbers only.
fn most_products(sets: &[Value]) -> Option<usize> {
    sets.iter().try_fold(1_usize, |product, set| {
        let (_, most) = set.length_bounds().filter(|_| !set.is_known() || !has_unknown_length(set))?;
        let most = most.filter(|most| *most <= 1024)?;
        product.checked_mul(most).filter(|product| *product <= 2048)
    })
}

fn product(call: Call<'_>) -> Result<Value, Problem> {
    let marks = call.arguments.iter().map(Value::marks).collect();
    // A set with something unknown in it may turn out to have fewer elements.
    let is_open = |set: &Value| !set.is_known() || has_unknown_length(set);
    if call.arguments.iter().any(is_open) {
        let mut refinement = Refinement::not_null();
        if let Some(most) = most_products(call.arguments) {
            // Elements that turn out to be equal leave at least one.
            refinement = refinement.with_length(most.min(1), Some(most));
        }
        return Ok(Value::unknown_with(call.returns.clone(), refinement).with_marks(marks));
    }
    let element = element(call);
    let types = element.as_tuple().unwrap_or(&[]);
    let is_set = matches!(call.returns, Type::Set(_));
    let count = call.arguments.iter().map(Value::len).try_fold(1_usize, usize::checked_mul);
    call.room(count.and_then(|count| count.checked_mul(types.len())).unwrap_or(usize::MAX))?;
    let mut rows: Vec<Vec<Value>> = vec![Vec::new()];
    for (idx, (list, ty)) in call.arguments.iter().zip(types).enumerate() {
        let convert = |value: &Value| convert(value, ty).map_err(|error| Problem::argument(idx, error.to_string()));
        let values = list.elements().map(convert).collect::<Result<Vec<_>, _>>()?;
        // With a null, elements of any types have one in common, and yet no list or set can hold them.
        if let Some(first) = values.first().filter(|_| ty.has_any() && count != Some(0)).map(Value::ty)
            && values.iter().any(|value| value.ty() != first)
        {
            return Err(Problem::argument(idx, "its elements have no type in common"));
        }
        rows = rows
            .iter()
            .flat_map(|row| values.iter().map(move |value| row.iter().chain([value]).cloned().collect()))
            .collect();
    }
    let rows: Vec<Value> = rows.into_iter().map(Value::tuple).collect();
    let all = if is_set { Value::set(element.clone(), rows) } else { Value::list(element.clone(), rows) };
    Ok(all.with_marks(marks))
}
