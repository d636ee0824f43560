use std::sync::Arc;

use super::{
    ConvertError, Path, Type, Value,
    convert::{Safety, can_convert, convert},
};

/// Returns the one type that values of all these types can be converted to, as Terraform chooses it; `None` if there is
/// none. Conversions that may fail for some values (`string` to `number`) are allowed.
///
/// Objects with the same attributes and tuples of the same length unify part by part; otherwise they become maps and
/// lists if their parts unify. Numbers and bools unify with strings to strings. Where a compound type meets
/// [`Type::Any`], nothing can be said: `Any`.
///
/// # Examples
/// ```
/// use stackwright::value::{Type, unify};
///
/// assert_eq!(unify(&[Type::Number, Type::String]), Some(Type::String));
/// assert_eq!(unify(&[Type::tuple([]), Type::tuple([Type::String])]), Some(Type::list(Type::String)));
/// assert_eq!(unify(&[Type::String, Type::list(Type::String)]), None);
/// ```
pub fn unify(types: &[Type]) -> Option<Type> {
    unify_with(types, Safety::Unsafe)
}

/// Returns the one type that values of all these types can be converted to, with conversions of that safety.
pub fn unify_with(types: &[Type], safety: Safety) -> Option<Type> {
    unify_types(&mut types.iter(), safety).map(|unified| unified.ty)
}

/// Returns the unified type and the values converted to it.
///
/// Where the type stays open although the values' kinds are known, the values become unknown, as in Terraform.
///
/// # Errors
/// [`ConvertError`] where there is no such type, or where a value does not convert (`"x"` to a number).
pub fn unify_values(values: &[Value]) -> Result<(Type, Vec<Value>), ConvertError> {
    let types: Vec<Type> = values.iter().map(Value::ty).collect();
    let unified = unify_types(&mut types.iter(), Safety::Unsafe)
        .ok_or_else(|| ConvertError::new(&Path::root(), "the values have no type in common"))?;
    if unified.undecided {
        let unknown = |value: &Value| Value::unknown(Type::Any).with_marks(value.marks_deep());
        return Ok((unified.ty, values.iter().map(unknown).collect()));
    }
    let values = values.iter().map(|value| convert(value, &unified.ty)).collect::<Result<_, _>>()?;
    Ok((unified.ty, values))
}

struct Unified {
    ty: Type,
    /// A compound type met an open one: conversions give unknown values.
    undecided: bool,
}

impl Unified {
    fn decided(ty: Type) -> Self {
        Self { ty, undecided: false }
    }
}

#[derive(Default)]
struct Census {
    map: usize,
    list: usize,
    set: usize,
    object: usize,
    tuple: usize,
    any: usize,
}

impl Census {
    fn of(types: &[&Type]) -> Self {
        let mut census = Self::default();
        for ty in types {
            match ty {
                Type::Map(_) => census.map += 1,
                Type::List(_) => census.list += 1,
                Type::Set(_) => census.set += 1,
                Type::Object(_) => census.object += 1,
                Type::Tuple(_) => census.tuple += 1,
                Type::Any => census.any += 1,
                Type::Bool | Type::Number | Type::String => {}
            }
        }
        census
    }
}

fn unify_types(types: &mut dyn Iterator<Item = &Type>, safety: Safety) -> Option<Unified> {
    let types = distinct(types);
    let [first, rest @ ..] = types.as_slice() else {
        return None;
    };
    if rest.is_empty() {
        return Some(Unified::decided((*first).clone()));
    }
    // A type made of all may be better than any one of them, and objects would convert to a subset of themselves.
    let census = Census::of(&types);
    let all = |kinds: usize| kinds + census.any == types.len();
    if census.map > 0 && all(census.map) {
        return unify_collections(&types, &census, Type::map, safety);
    }
    if census.map > 0 && all(census.map + census.object) {
        let objects = types.iter().copied().filter(|ty| matches!(ty, Type::Object(_)));
        if let Some(map) = objects_to_map(objects, safety) {
            let mapped = replace(&types, |ty| matches!(ty, Type::Object(_)), &map);
            if let Some(unified) =
                unify_types(&mut mapped.iter().copied(), safety).filter(|unified| matches!(unified.ty, Type::Map(_)))
            {
                return all_convert(&mapped, unified.ty, safety).map(Unified::decided);
            }
        }
    } else if census.list > 0 && all(census.list) {
        return unify_collections(&types, &census, Type::list, safety);
    } else if census.list > 0 && all(census.list + census.tuple) {
        let tuples = types.iter().copied().filter(|ty| matches!(ty, Type::Tuple(_)));
        if let Some(list) = tuples_to_list(tuples, safety) {
            let listed = replace(&types, |ty| matches!(ty, Type::Tuple(_)), &list);
            if let Some(unified) =
                unify_types(&mut listed.iter().copied(), safety).filter(|unified| matches!(unified.ty, Type::List(_)))
            {
                return all_convert(&listed, unified.ty, safety).map(Unified::decided);
            }
        }
    } else if census.set > 0 && all(census.set) {
        return unify_collections(&types, &census, Type::set, safety);
    } else if census.object > 0 && all(census.object) {
        return unify_objects(&types, &census, safety);
    } else if census.tuple > 0 && all(census.tuple) {
        return unify_tuples(&types, &census, safety);
    } else if census.object > 0 && census.tuple > 0 {
        return None;
    }
    by_preference(&types, safety).map(Unified::decided)
}

/// Each type once, in order of first appearance. Long tuples mostly hold few types.
fn distinct<'a>(types: &mut dyn Iterator<Item = &'a Type>) -> Vec<&'a Type> {
    let mut seen = std::collections::HashSet::new();
    types.filter(|ty| seen.insert(*ty)).collect()
}

fn replace<'a>(types: &[&'a Type], which: impl Fn(&Type) -> bool, by: &'a Type) -> Vec<&'a Type> {
    types.iter().map(|ty| if which(ty) { by } else { *ty }).collect()
}

const UNDECIDED: Unified = Unified { ty: Type::Any, undecided: true };

fn unify_collections(types: &[&Type], census: &Census, of: fn(Type) -> Type, safety: Safety) -> Option<Unified> {
    if census.any > 0 {
        return Some(UNDECIDED);
    }
    let element = unify_types(&mut types.iter().filter_map(|ty| ty.element()), safety)?;
    all_convert(types, of(element.ty), safety).map(Unified::decided)
}

fn unify_objects(types: &[&Type], census: &Census, safety: Safety) -> Option<Unified> {
    if census.any > 0 {
        return Some(UNDECIDED);
    }
    let objects: Vec<_> = types.iter().filter_map(|ty| ty.as_object()).collect();
    let (first, rest) = objects.split_first()?;
    let to_map = || objects_to_map(types.iter().copied(), safety).map(Unified::decided);
    if rest.iter().any(|object| !object.attributes.keys().eq(first.attributes.keys())) {
        return to_map();
    }
    let attributes = first
        .attributes
        .keys()
        .map(|name| {
            let mut across = objects.iter().filter_map(|object| object.attributes.get(name));
            Some((Arc::clone(name), unify_types(&mut across, safety)?.ty))
        })
        .collect::<Option<Vec<_>>>()?;
    match all_convert(types, Type::object(attributes), safety) {
        Some(ty) => Some(Unified::decided(ty)),
        None => to_map(),
    }
}

fn unify_tuples(types: &[&Type], census: &Census, safety: Safety) -> Option<Unified> {
    if census.any > 0 {
        return Some(UNDECIDED);
    }
    let tuples: Vec<_> = types.iter().filter_map(|ty| ty.as_tuple()).collect();
    let (first, rest) = tuples.split_first()?;
    let to_list = || tuples_to_list(types.iter().copied(), safety).map(Unified::decided);
    if rest.iter().any(|tuple| tuple.len() != first.len()) {
        return to_list();
    }
    let elements = (0..first.len())
        .map(|idx| Some(unify_types(&mut tuples.iter().filter_map(|tuple| tuple.get(idx)), safety)?.ty))
        .collect::<Option<Vec<_>>>()?;
    match all_convert(types, Type::tuple(elements), safety) {
        Some(ty) => Some(Unified::decided(ty)),
        None => to_list(),
    }
}

fn objects_to_map<'a>(types: impl Iterator<Item = &'a Type> + Clone, safety: Safety) -> Option<Type> {
    let mut attributes = types.clone().filter_map(Type::as_object).flat_map(|object| object.attributes.values());
    let map = Type::map(unify_types(&mut attributes, safety)?.ty);
    all_convert(&types.collect::<Vec<_>>(), map, safety)
}

fn tuples_to_list<'a>(types: impl Iterator<Item = &'a Type> + Clone, safety: Safety) -> Option<Type> {
    let mut elements = types.clone().filter_map(Type::as_tuple).flatten();
    let list = Type::list(unify_types(&mut elements, safety)?.ty);
    all_convert(&types.collect::<Vec<_>>(), list, safety)
}

fn all_convert(types: &[&Type], to: Type, safety: Safety) -> Option<Type> {
    types.iter().all(|ty| **ty == to || can_convert(ty, &to, safety)).then_some(to)
}

/// The first type, more general ones before, that all others convert to.
fn by_preference(types: &[&Type], safety: Safety) -> Option<Type> {
    let order = generality(types);
    let wanted = order.into_iter().filter_map(|idx| types.get(idx));
    wanted.copied().find_map(|want| all_convert(types, want.clone(), safety))
}

/// Indices of the types, more general ones before, otherwise in the order given (a breadth-first topological sort).
fn generality(types: &[&Type]) -> Vec<usize> {
    let mut less_general: Vec<Vec<usize>> = vec![Vec::new(); types.len()];
    let mut waiting_for = vec![0usize; types.len()];
    let mut edge = |from: usize, to: usize| {
        if let (Some(edges), Some(count)) = (less_general.get_mut(from), waiting_for.get_mut(to)) {
            edges.push(to);
            *count += 1;
        }
    };
    for (i, a) in types.iter().enumerate() {
        for (j, b) in types.iter().enumerate().skip(i + 1) {
            match compare(a, b) {
                Preference::First => edge(i, j),
                Preference::Second => edge(j, i),
                Preference::Neither => {}
            }
        }
    }
    let ready = waiting_for.iter().enumerate().filter(|(_, count)| **count == 0);
    let mut order: Vec<usize> = ready.map(|(idx, _)| idx).collect();
    let mut next = 0;
    while let Some(&idx) = order.get(next) {
        next += 1;
        for &to in less_general.get(idx).into_iter().flatten() {
            if let Some(count) = waiting_for.get_mut(to) {
                *count -= 1;
                if *count == 0 {
                    order.push(to);
                }
            }
        }
    }
    order
}

/// Which of two types can stand for both.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Preference {
    First,
    Second,
    Neither,
}

fn compare(a: &Type, b: &Type) -> Preference {
    match (a, b) {
        (Type::Any, Type::Any) => Preference::Neither,
        // Open types hope to become what their neighbours are.
        (_, Type::Any) => Preference::First,
        (Type::Any, _) => Preference::Second,
        (Type::String, Type::Bool | Type::Number) => Preference::First,
        (Type::Bool | Type::Number, Type::String) => Preference::Second,
        (Type::List(a), Type::List(b)) | (Type::Set(a), Type::Set(b)) | (Type::Map(a), Type::Map(b)) => compare(a, b),
        (Type::Tuple(_) | Type::List(_), Type::Set(_)) | (Type::List(_), Type::Tuple(_)) => Preference::First,
        (Type::Set(_), Type::Tuple(_) | Type::List(_)) | (Type::Tuple(_), Type::List(_)) => Preference::Second,
        (Type::Map(_), Type::Object(_)) => Preference::First,
        (Type::Object(_), Type::Map(_)) => Preference::Second,
        (Type::Object(a), Type::Object(b)) => {
            if !a.attributes.keys().eq(b.attributes.keys()) {
                return Preference::Neither;
            }
            compare_all(a.attributes.values().zip(b.attributes.values()))
        }
        (Type::Tuple(a), Type::Tuple(b)) if a.len() == b.len() => compare_all(a.iter().zip(&**b)),
        _ => Preference::Neither,
    }
}

fn compare_all<'a>(pairs: impl Iterator<Item = (&'a Type, &'a Type)>) -> Preference {
    let (mut first, mut second) = (false, false);
    for (a, b) in pairs {
        match compare(a, b) {
            Preference::First => first = true,
            Preference::Second => second = true,
            Preference::Neither => {}
        }
    }
    match (first, second) {
        (true, false) => Preference::First,
        (false, true) => Preference::Second,
        _ => Preference::Neither,
    }
}
