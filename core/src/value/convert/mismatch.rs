use super::{ObjectType, Safety, Type, can_convert};

/// Returns why values of type `got` do not convert to `want`, as Terraform says it: `string required`,
/// `attribute "size" is required`. Makes sense only where they do not.
pub fn mismatch_message(got: &Type, want: &Type) -> String {
    match (got, want) {
        (Type::Object(got), Type::Object(want)) => objects(got, want),
        (Type::Tuple(_), Type::List(element)) if **element == Type::Any => {
            "all list elements must have the same type".to_owned()
        }
        (Type::Tuple(_), Type::Set(element)) if **element == Type::Any => {
            "all set elements must have the same type".to_owned()
        }
        (Type::Object(_), Type::Map(element)) if **element == Type::Any => {
            "all map elements must have the same type".to_owned()
        }
        (Type::Tuple(parts), Type::List(element) | Type::Set(element)) => {
            let parts = parts.iter().enumerate().map(|(idx, ty)| (idx.to_string(), ty));
            first_unfit(parts, element)
        }
        (Type::Object(object), Type::Map(element)) => {
            first_unfit(object.attributes.iter().map(|(name, ty)| (format!("{name:?}"), ty)), element)
        }
        (Type::List(got) | Type::Set(got), Type::List(want)) => element("list", got, want),
        (Type::List(got) | Type::Set(got), Type::Set(want)) => element("set", got, want),
        (Type::Map(got), Type::Map(want)) => element("map", got, want),
        _ => format!("{} required", want.friendly_constraint()),
    }
}

fn element(noun: &str, got: &Type, want: &Type) -> String {
    format!("incorrect {noun} element type: {}", mismatch_message(got, want))
}

fn first_unfit<'a>(mut parts: impl Iterator<Item = (String, &'a Type)>, element: &Type) -> String {
    match parts.find(|(_, ty)| !can_convert(ty, element, Safety::Unsafe)) {
        Some((name, ty)) => format!("element {name}: {}", mismatch_message(ty, element)),
        None => format!("all elements must be {}", element.friendly_constraint()),
    }
}

/// What is missing comes first, then the first attribute that never fits, then one that may not.
fn objects(got: &ObjectType, want: &ObjectType) -> String {
    let missing: Vec<String> = want
        .attributes
        .keys()
        .filter(|name| !got.attributes.contains_key(*name) && !want.optional.contains(*name))
        .map(|name| format!("{name:?}"))
        .collect();
    match missing.as_slice() {
        [] => {}
        [one] => return format!("attribute {one} is required"),
        [one, two] => return format!("attributes {one} and {two} are required"),
        [most @ .., last] => return format!("attributes {}, and {last} are required", most.join(", ")),
    }
    let unfit = |safety| {
        want.attributes.iter().find_map(|(name, ty)| {
            let own = got.attributes.get(name)?;
            (!can_convert(own, ty, safety)).then(|| format!("attribute {name:?}: {}", mismatch_message(own, ty)))
        })
    };
    unfit(Safety::Unsafe).or_else(|| unfit(Safety::Safe)).unwrap_or_else(|| "incorrect object attributes".to_owned())
}
