use std::{convert::Infallible, sync::Arc};

use crate::{
    resource::Object,
    schema::Schema,
    value::{Bound, Kind, Marks, Path, Refinement, Step, Type, Value},
};

/// Checks that `final_value` keeps everything that `approved` said: what was known is equal, what was not known is of
/// the promised type and in the promised bounds. Marks are not compared.
///
/// # Errors
/// The paths that differ, outermost first and at most one below another; never empty.
///
/// # Complexity
/// O(size of both), but for sets with unknown elements, where it is quadratic in their elements.
pub fn refines(approved: &Value, final_value: &Value) -> Result<(), Vec<Path>> {
    let (approved, _) = approved.unmark_deep();
    let (final_value, _) = final_value.unmark_deep();
    let mut breaches = Vec::new();
    compare(&approved, &final_value, &mut Path::root(), &mut breaches);
    if breaches.is_empty() { Ok(()) } else { Err(breaches) }
}

fn compare(approved: &Value, found: &Value, path: &mut Path, breaches: &mut Vec<Path>) {
    if approved.is_wholly_known() {
        if !approved.same(found) {
            locate(approved, found, path, breaches);
        }
        return;
    }
    if let Some(unknown) = approved.as_unknown() {
        if !fits_type(&unknown.ty, found) || !fits(&unknown.refinement, found) {
            breaches.push(path.clone());
        }
        return;
    }
    match (approved.kind(), found.kind()) {
        (Kind::Set(items), Kind::Set(others)) => {
            // Elements that were unknown may have become equal to others.
            let known = |value: &&Value| value.is_wholly_known();
            let kept = items.iter().filter(known).all(|item| others.iter().any(|other| other.same(item)));
            if !kept || others.len() > items.len() {
                breaches.push(path.clone());
            }
        }
        _ => compare_parts(approved, found, path, breaches),
    }
}

/// Descends as long as both sides have the same parts, so that the message names the part and not the whole.
fn locate(approved: &Value, found: &Value, path: &mut Path, breaches: &mut Vec<Path>) {
    match approved.kind() {
        Kind::Set(_) => breaches.push(path.clone()),
        _ => compare_parts(approved, found, path, breaches),
    }
}

fn compare_parts(approved: &Value, found: &Value, path: &mut Path, breaches: &mut Vec<Path>) {
    let Some(pairs) = pairs(approved, found) else {
        breaches.push(path.clone());
        return;
    };
    let before = breaches.len();
    for (step, approved, found) in pairs {
        path.push(step);
        compare(approved, found, path, breaches);
        path.pop();
    }
    // Equal parts of unequal wholes: the types differ.
    if breaches.len() == before && approved.is_wholly_known() {
        breaches.push(path.clone());
    }
}

/// Returns the parts of both side by side, or `None` where they do not have the same ones.
fn pairs<'a>(approved: &'a Value, found: &'a Value) -> Option<Vec<(Step, &'a Value, &'a Value)>> {
    match (approved.kind(), found.kind()) {
        (Kind::List(a), Kind::List(b)) | (Kind::Tuple(a), Kind::Tuple(b)) if a.len() == b.len() && !a.is_empty() => {
            Some(a.iter().zip(b.iter()).enumerate().map(|(idx, (a, b))| (Step::Index(idx), a, b)).collect())
        }
        (Kind::Map(a), Kind::Map(b)) | (Kind::Object(a), Kind::Object(b)) if a.len() == b.len() && !a.is_empty() => {
            let step = |name: &Arc<str>| match approved.kind() {
                Kind::Map(_) => Step::Key(Arc::clone(name)),
                _ => Step::Attr(Arc::clone(name)),
            };
            a.iter().map(|(name, value)| Some((step(name), value, b.get(name)?))).collect()
        }
        _ => None,
    }
}

fn fits_type(ty: &Type, found: &Value) -> bool {
    // What was any type may be every type; below that the schema has converted both sides alike.
    ty.has_any() || found.has_type(ty)
}

fn fits(refinement: &Refinement, found: &Value) -> bool {
    if found.is_null() {
        return !refinement.not_null;
    }
    match found.kind() {
        Kind::String(text) => refinement.prefix.as_ref().is_none_or(|prefix| text.starts_with(&**prefix)),
        Kind::Number(number) => {
            let above = |bound: &Bound| *number > bound.value || bound.inclusive && *number == bound.value;
            let below = |bound: &Bound| *number < bound.value || bound.inclusive && *number == bound.value;
            refinement.min.as_ref().is_none_or(above) && refinement.max.as_ref().is_none_or(below)
        }
        Kind::List(_) | Kind::Set(_) | Kind::Map(_) => {
            found.len() >= refinement.min_length && refinement.max_length.is_none_or(|max| found.len() <= max)
        }
        _ => true,
    }
}

/// Returns the value with null in place of every part for which `gone` holds; types and other marks stay.
///
/// O(size of the value).
fn null_parts(value: &Value, gone: impl Fn(&Value) -> bool) -> Value {
    let without = value.transform::<Infallible>(|_, part| {
        let keeps = !gone(&part);
        let marks = part.marks().without(Marks::EPHEMERAL);
        Ok(if keeps { part } else { Value::null(part.ty()).with_marks(marks) })
    });
    match without {
        Ok(without) => without,
        Err(never) => match never {},
    }
}

/// Returns the value without what must not be stored, and whether there was any.
pub(super) fn storable(value: &Value) -> (Value, bool) {
    if !value.marks_deep().contains(Marks::EPHEMERAL) {
        return (value.clone(), false);
    }
    (null_parts(value, |part| part.marks().contains(Marks::EPHEMERAL)), true)
}

/// Returns the known part of a planned object: null where it was not known yet.
pub(super) fn known_part(planned: &Value) -> Value {
    if planned.is_wholly_known() { planned.clone() } else { null_parts(planned, |part| !part.is_known()) }
}

/// Marks what a resource type returned: by the schema, and wherever what was planned is marked.
pub(super) fn remark(found: &Value, planned: Option<&Value>, schema: &Schema) -> Value {
    schema.mark_sensitive(&as_planned(found, planned))
}

/// Returns an object as it may be stored: marked, write-only attributes and ephemeral parts null.
pub(super) fn for_state(found: &Value, planned: Option<&Value>, schema: &Schema) -> Value {
    storable(&schema.storable(&as_planned(found, planned))).0
}

/// Marks a value wherever what was planned is marked.
fn as_planned(found: &Value, planned: Option<&Value>) -> Value {
    let paths = planned.map(|planned| planned.unmark_deep_with_paths().1).unwrap_or_default();
    if paths.is_empty() { found.clone() } else { found.mark_with_paths(&paths) }
}

/// Returns the object with unmarked attributes, as a resource type may see it.
pub(super) fn bare(object: &Object) -> Object {
    Object { attributes: object.attributes.unmark_deep().0, ..object.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(entries: &[(&str, Value)]) -> Value {
        Value::object(entries.iter().map(|(name, value)| (*name, value.clone())))
    }

    fn check(approved: &Value, found: &Value, breaches: &[&str]) {
        let paths = refines(approved, found).err().unwrap_or_default();
        assert_eq!(paths.iter().map(ToString::to_string).collect::<Vec<_>>(), breaches, "{approved:?} → {found:?}");
    }

    #[test]
    fn what_is_write_only_is_stored_as_nothing_and_as_secret_as_the_schema_says() {
        let schema = Schema::new(0)
            .attribute("open", crate::schema::Attribute::optional(Type::String).write_only())
            .attribute("pin", crate::schema::Attribute::optional(Type::String).write_only().sensitive());
        let (none, secret) = (Value::null(Type::String), Marks::SENSITIVE);
        let given = |text| Value::string(text).with_marks(secret);
        let planned = object(&[("open", given("hunter2")), ("pin", given("hunter3"))]);
        let stored = object(&[("open", none.clone()), ("pin", none.with_marks(secret))]);
        assert_eq!(for_state(&planned.unmark_deep().0, Some(&planned), &schema), stored);
        assert_eq!(schema.storable(&stored), stored);
    }

    #[test]
    fn known_parts_are_kept() {
        let text = Value::string;
        let id = Value::unknown_with(Type::String, Refinement::not_null());
        let approved = object(&[("id", id), ("name", text("web")), ("size", Value::number(1))]);
        let good = object(&[("id", text("7")), ("name", text("web")), ("size", Value::number(1))]);
        let bad = object(&[("id", Value::null(Type::String)), ("name", text("db")), ("size", Value::number(2))]);
        check(&approved, &good, &[]);
        check(&approved, &bad, &[".id", ".name", ".size"]);
        check(&approved, &object(&[("id", text("7"))]), &[""]);
        check(&approved, &text("7"), &[""]);
        check(&good, &good, &[]);
        check(&good, &bad, &[".id", ".name", ".size"]);
    }

    #[test]
    fn unknown_parts_keep_type_and_bounds() {
        let number = Refinement::none().with_min(3.into(), true).with_max(5.into(), false);
        let number = Value::unknown_with(Type::Number, number);
        check(&number, &Value::number(3), &[]);
        check(&number, &Value::number(2), &[""]);
        check(&number, &Value::number(5), &[""]);
        check(&number, &Value::string("3"), &[""]);
        check(&number, &Value::null(Type::Number), &[]);
        let text = Value::unknown_with(Type::String, Refinement::not_null().with_full_prefix("vpc-"));
        check(&text, &Value::string("vpc-1"), &[]);
        check(&text, &Value::string("net-1"), &[""]);
        let list = Value::unknown_with(Type::list(Type::String), Refinement::none().with_length(1, Some(2)));
        check(&list, &Value::list(Type::String, vec![]), &[""]);
        check(&list, &Value::list(Type::String, vec![Value::string("a")]), &[]);
        check(&list, &Value::list(Type::String, vec![Value::string("a"); 3]), &[""]);
    }

    #[test]
    fn lists_and_sets_keep_their_known_elements() {
        let unknown = Value::unknown(Type::String);
        let [a, b, c] = ["a", "b", "c"].map(Value::string);
        let list = |items: &[&Value]| Value::list(Type::String, items.iter().map(|&item| item.clone()).collect());
        let set = |items: &[&Value]| Value::set(Type::String, items.iter().map(|&item| item.clone()).collect());
        check(&list(&[&a, &unknown]), &list(&[&a, &b]), &[]);
        check(&list(&[&a, &unknown]), &list(&[&c, &b]), &["[0]"]);
        check(&list(&[&a, &unknown]), &list(&[&a]), &[""]);
        check(&set(&[&a, &unknown]), &set(&[&a, &b]), &[]);
        check(&set(&[&a, &unknown]), &set(&[&a]), &[]);
        check(&set(&[&a, &unknown]), &set(&[&b, &c]), &[""]);
        check(&set(&[&a, &b]), &set(&[&a]), &[""]);
    }

    #[test]
    fn marks_are_not_compared_and_secrets_not_printed() {
        let secret = object(&[("key", Value::string("hunter2").with_marks(Marks::SENSITIVE))]);
        let bare = object(&[("key", Value::string("hunter2"))]);
        check(&secret, &bare, &[]);
        check(&bare, &secret, &[]);
    }

    #[test]
    fn ephemeral_parts_are_not_stored() {
        let token = Value::string("t").with_marks(Marks::EPHEMERAL | Marks::SENSITIVE);
        let (stored, dropped) = storable(&object(&[("token", token), ("name", Value::string("n"))]));
        assert!(dropped);
        let null = Value::null(Type::String).with_marks(Marks::SENSITIVE);
        assert_eq!(stored, object(&[("name", Value::string("n")), ("token", null)]));
        let plain = object(&[("name", Value::string("n"))]);
        assert_eq!(storable(&plain), (plain.clone(), false));
    }
}
