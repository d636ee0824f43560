use std::sync::Arc;

use super::{
    ConvertError, Kind, Number, ObjectType, Path, Refinement, Step, Type, Value,
    elements::{common_type, give_type},
    unify::unify_with,
};

mod mismatch;

pub use mismatch::mismatch_message;

/// Which conversions are allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Safety {
    /// Only those that succeed for every value: number to string, but not back; not list to set, nor map to object.
    Safe,
    /// Also those that depend on the value.
    Unsafe,
}

/// Returns whether values of one type convert to another; with [`Safety::Unsafe`], whether some do.
///
/// Every type converts to itself and to [`Type::Any`].
pub fn can_convert(from: &Type, to: &Type, safety: Safety) -> bool {
    match (from, to) {
        (_, Type::Any) => true,
        (Type::Any, _) => safety == Safety::Unsafe,
        (Type::Bool, Type::Bool) | (Type::Number, Type::Number) => true,
        (Type::Bool | Type::Number | Type::String, Type::String) => true,
        (Type::String, Type::Bool | Type::Number) => safety == Safety::Unsafe,
        (Type::Object(from), Type::Object(to)) => to.attributes.iter().all(|(name, ty)| {
            from.attributes.get(name).map_or(to.optional.contains(name), |own| can_convert(own, ty, safety))
        }),
        (Type::Tuple(from), Type::Tuple(to)) => {
            from.len() == to.len() && from.iter().zip(&**to).all(|(from, to)| can_convert(from, to, safety))
        }
        (Type::List(_), Type::Set(_)) if safety == Safety::Safe => false,
        (Type::List(from) | Type::Set(from), Type::List(to) | Type::Set(to)) | (Type::Map(from), Type::Map(to)) => {
            can_convert(from, to, safety)
        }
        (Type::Tuple(from), Type::List(to) | Type::Set(to)) => {
            all_become(&mut from.iter(), to, safety, OpenElement::Refused)
        }
        (Type::Object(from), Type::Map(to)) => {
            all_become(&mut from.attributes.values(), to, safety, OpenElement::Allowed)
        }
        (Type::Map(from), Type::Object(to)) => {
            safety == Safety::Unsafe
                && to.attributes.iter().all(|(name, ty)| can_convert(from, ty, safety) || to.optional.contains(name))
        }
        _ => false,
    }
}

/// Whether parts of different types may stay of no certain type.
#[derive(Clone, Copy, PartialEq, Eq)]
enum OpenElement {
    Allowed,
    Refused,
}

/// Whether the parts of a tuple or object can become elements of one type.
fn all_become(parts: &mut dyn Iterator<Item = &Type>, to: &Type, safety: Safety, open: OpenElement) -> bool {
    let parts: Vec<&Type> = parts.collect();
    match element_type(&parts, to, safety, open) {
        Some(element) => parts.iter().all(|part| can_convert(part, &element, safety)),
        None => parts.is_empty(),
    }
}

/// The type that the elements take: what is wanted, or if that is open, what the parts have in common.
fn element_type(parts: &[&Type], to: &Type, safety: Safety, open: OpenElement) -> Option<Type> {
    if *to != Type::Any || parts.is_empty() {
        return Some(to.clone());
    }
    let types: Vec<Type> = parts.iter().map(|ty| (*ty).clone()).collect();
    let element = unify_with(&types, safety)?;
    let stays_open = element == Type::Any && types.iter().any(|ty| *ty != Type::Any);
    (open == OpenElement::Allowed || !stays_open).then_some(element)
}

/// Returns the value as one of another type, as Terraform converts: text and numbers and bools into one another where
/// they say the same; tuples to lists and sets, objects to maps and back, part by part; objects to objects with fewer
/// attributes, optional ones becoming null.
///
/// Where `to` holds [`Type::Any`], the value's own type stands, made the same for all elements of a collection. Nulls
/// stay null, unknown values unknown, marks stay where they were.
///
/// # Errors
/// [`ConvertError`] with the place and what is required there.
///
/// # Complexity
/// O(1) where the value is of the type already (tuples and objects: O(size of the type)), otherwise O(size).
///
/// # Examples
/// ```
/// use stackwright::value::{Type, Value, convert};
///
/// let ports = Value::tuple(vec![Value::number(80), Value::string("443")]);
/// let ports = convert(&ports, &Type::list(Type::Number))?;
/// assert_eq!(ports, Value::list(Type::Number, vec![Value::number(80), Value::number(443)]));
///
/// let error = convert(&Value::tuple(vec![Value::string("http")]), &Type::list(Type::Number)).unwrap_err();
/// assert_eq!(error.to_string(), "[0]: a number is required");
/// # Ok::<(), stackwright::value::ConvertError>(())
/// ```
pub fn convert(value: &Value, to: &Type) -> Result<Value, ConvertError> {
    if value.has_type(to) {
        return Ok(value.clone());
    }
    let converted = Conversion { safety: Safety::Unsafe, path: Path::root() }.run(value, to);
    converted.map_err(|error| match has_secret_names(value) {
        // What is wrong, and where, is told in names of attributes and keys of maps.
        true => ConvertError::new(&Path::root(), format!("{} required", to.friendly_constraint())),
        false => error,
    })
}

/// Returns whether names of attributes or keys of maps may be secret: those of what is marked as a whole.
fn has_secret_names(value: &Value) -> bool {
    let is_marked = !value.marks().is_empty() && !value.ty().is_primitive();
    is_marked || value.elements().any(has_secret_names) || value.entries().any(|(_, part)| has_secret_names(part))
}

struct Conversion {
    safety: Safety,
    path: Path,
}

impl Conversion {
    /// Checks the types as a whole, so that a mismatch is told in terms of the whole, then converts.
    fn run(&mut self, value: &Value, to: &Type) -> Result<Value, ConvertError> {
        let from = value.ty();
        if !can_convert(&from, to, self.safety) {
            return Err(self.fail(mismatch_message(&from, to)));
        }
        self.apply(value, to)
    }

    fn fail(&self, message: impl Into<String>) -> ConvertError {
        ConvertError::new(&self.path, message)
    }

    fn apply(&mut self, value: &Value, to: &Type) -> Result<Value, ConvertError> {
        if *to == Type::Any || value.has_type(to) {
            return Ok(value.clone());
        }
        let converted = match value.kind() {
            Kind::Null(from) => Value::null(fill_open(from, &to.without_optional())),
            Kind::Unknown(unknown) => {
                let target = fill_open(&unknown.ty, &to.without_optional());
                let refinement = carry_over(&unknown.ty, &unknown.refinement, &target);
                Value::unknown_with(target, refinement)
            }
            _ => self.apply_known(value, to)?,
        };
        Ok(converted.with_marks(value.marks()))
    }

    /// `value` is neither null nor unknown; its marks are the caller's.
    fn apply_known(&mut self, value: &Value, to: &Type) -> Result<Value, ConvertError> {
        match (value.kind(), to) {
            (Kind::Bool(value), Type::String) => Ok(Value::string(if *value { "true" } else { "false" })),
            (Kind::Number(number), Type::String) => Ok(Value::string(number.to_string())),
            (Kind::String(text), Type::Number) => match Number::parse(text) {
                Ok(number) => Ok(Value::number(number)),
                Err(error) => Err(self.fail(error.to_string())),
            },
            (Kind::String(text), Type::Bool) => self.parse_bool(text),
            (Kind::List(items) | Kind::Set(items), Type::List(element) | Type::Set(element)) => {
                let own = items.element_type();
                let may_shrink = matches!(value.kind(), Kind::Set(_)) && !value.is_wholly_known() && items.len() > 1;
                if may_shrink && matches!(to, Type::List(_)) {
                    // How many elements there will be is not known, nor in which order.
                    return Ok(Value::unknown(Type::list(fill_open(own, &element.without_optional()))));
                }
                let parts = self.each(items.iter().enumerate(), |(idx, _)| Step::Index(*idx), |(_, v)| (v, element))?;
                let empty = if **element == Type::Any { own.clone() } else { element.without_optional() };
                self.collect(parts, element, empty, to)
            }
            (Kind::Tuple(items), Type::List(element) | Type::Set(element)) => {
                let types: Vec<Type> = items.iter().map(Value::ty).collect();
                let types: Vec<&Type> = types.iter().collect();
                let Some(wanted) = element_type(&types, element, self.safety, OpenElement::Refused) else {
                    return Err(self.fail(mismatch_message(&value.ty(), to)));
                };
                let parts = self.each(items.iter().enumerate(), |(idx, _)| Step::Index(*idx), |(_, v)| (v, &wanted))?;
                let parts = if matches!(to, Type::List(_)) { self.unify_parts(parts, &wanted)? } else { parts };
                self.collect(parts, &wanted, element.without_optional(), to)
            }
            (Kind::Tuple(items), Type::Tuple(types)) => {
                let pairs = items.iter().zip(&**types).enumerate();
                Ok(Value::tuple(self.each(pairs, |(idx, _)| Step::Index(*idx), |(_, (v, ty))| (v, ty))?))
            }
            (Kind::Map(fields), Type::Map(element)) => {
                let parts = self.each(fields.iter(), |(key, _)| Step::Key(Arc::clone(key)), |(_, v)| (v, element))?;
                let parts = self.unify_compound_parts(parts, element)?;
                let own = fields.element_type().clone();
                let empty = if **element == Type::Any { own } else { element.without_optional() };
                let (ty, parts) =
                    self.same_type(parts, element, empty, "element types must all match for conversion to map")?;
                Ok(Value::map(ty, fields.names().map(Arc::clone).zip(parts)))
            }
            (Kind::Object(fields), Type::Map(element)) => {
                let types: Vec<Type> = fields.iter().map(|(_, value)| value.ty()).collect();
                let types: Vec<&Type> = types.iter().collect();
                let Some(wanted) = element_type(&types, element, self.safety, OpenElement::Allowed) else {
                    return Err(self.fail(mismatch_message(&value.ty(), to)));
                };
                let parts = self.each(fields.iter(), |(key, _)| Step::Key(Arc::clone(key)), |(_, v)| (v, &wanted))?;
                let parts = self.unify_compound_parts(parts, &wanted)?;
                let message = "attribute types must all match for conversion to map";
                let (ty, parts) = self.same_type(parts, &wanted, element.without_optional(), message)?;
                Ok(Value::map(ty, fields.names().map(Arc::clone).zip(parts)))
            }
            (Kind::Object(_), Type::Object(object)) => self.object_to_object(value, object),
            (Kind::Map(_), Type::Object(object)) => self.map_to_object(value, object),
            _ => Err(self.fail(mismatch_message(&value.ty(), to))),
        }
    }

    fn parse_bool(&self, text: &str) -> Result<Value, ConvertError> {
        match text {
            "true" | "1" => return Ok(Value::bool(true)),
            "false" | "0" => return Ok(Value::bool(false)),
            _ => {}
        }
        let lower = text.to_lowercase();
        Err(self.fail(if lower == "true" || lower == "false" {
            format!("a bool is required; to convert from string, use lowercase {lower:?}")
        } else {
            "a bool is required".to_owned()
        }))
    }

    fn each<'a, T>(
        &mut self,
        parts: impl Iterator<Item = T>,
        step: impl Fn(&T) -> Step,
        want: impl Fn(T) -> (&'a Value, &'a Type),
    ) -> Result<Vec<Value>, ConvertError> {
        parts
            .map(|part| {
                self.path.push(step(&part));
                let (value, ty) = want(part);
                let converted = self.apply(value, ty);
                self.path.pop();
                converted
            })
            .collect()
    }

    /// Makes a list or set of converted elements.
    fn collect(&self, parts: Vec<Value>, wanted: &Type, empty: Type, to: &Type) -> Result<Value, ConvertError> {
        let list = matches!(to, Type::List(_));
        let message = if list {
            "element types must all match for conversion to list"
        } else {
            "element types must all match for conversion to set"
        };
        let (ty, parts) = self.same_type(parts, wanted, empty, message)?;
        Ok(if list { Value::list(ty, parts) } else { Value::set(ty, parts) })
    }

    /// The one type of the parts (`empty` if there are none), and the parts with untyped ones given it.
    fn same_type(
        &self,
        parts: Vec<Value>,
        wanted: &Type,
        empty: Type,
        message: &str,
    ) -> Result<(Type, Vec<Value>), ConvertError> {
        if parts.is_empty() {
            return Ok((empty, parts));
        }
        if !wanted.has_any() {
            return Ok((wanted.without_optional(), parts));
        }
        let ty = common_type(&parts).ok_or_else(|| self.fail(message))?;
        let parts = parts.into_iter().map(|part| give_type(part, &ty)).collect();
        Ok((ty, parts))
    }

    fn unify_compound_parts(&mut self, parts: Vec<Value>, wanted: &Type) -> Result<Vec<Value>, ConvertError> {
        if wanted.is_collection() || wanted.as_object().is_some() { self.unify_parts(parts, wanted) } else { Ok(parts) }
    }

    /// Brings elements that were converted to an open type to one type.
    fn unify_parts(&mut self, parts: Vec<Value>, wanted: &Type) -> Result<Vec<Value>, ConvertError> {
        if !wanted.has_any() || parts.is_empty() {
            return Ok(parts);
        }
        let types: Vec<Type> = parts.iter().map(Value::ty).collect();
        let Some(unified) = unify_with(&types, self.safety) else {
            return Err(self.fail("cannot find a common base type for all elements"));
        };
        parts.iter().map(|part| self.apply(part, &unified)).collect()
    }

    fn object_to_object(&mut self, value: &Value, object: &ObjectType) -> Result<Value, ConvertError> {
        let mut attributes = Vec::with_capacity(object.attributes.len());
        for (name, ty) in &object.attributes {
            let converted = match value.attribute(name) {
                Some(part) => {
                    self.path.push(Step::Attr(Arc::clone(name)));
                    let converted = self.apply(part, ty);
                    self.path.pop();
                    converted?
                }
                None => Value::null(ty.without_optional()),
            };
            attributes.push((Arc::clone(name), converted));
        }
        Ok(Value::object(attributes))
    }

    fn map_to_object(&mut self, value: &Value, object: &ObjectType) -> Result<Value, ConvertError> {
        let mut attributes = Vec::with_capacity(object.attributes.len());
        for (name, ty) in &object.attributes {
            let converted = match value.attribute(name) {
                Some(part) => {
                    let own = part.ty();
                    if !can_convert(&own, ty, self.safety) {
                        let why = mismatch_message(&own, ty);
                        let message = format!("map element type is incompatible with attribute {name:?}: {why}");
                        return Err(self.fail(message));
                    }
                    self.path.push(Step::Key(Arc::clone(name)));
                    let converted = self.apply(part, ty);
                    self.path.pop();
                    converted?
                }
                None if object.optional.contains(name) => Value::null(ty.without_optional()),
                None => return Err(self.fail(format!("map has no element for required attribute {name:?}"))),
            };
            attributes.push((Arc::clone(name), converted));
        }
        Ok(Value::object(attributes))
    }
}

/// `to` with what is open in it taken from `from`, which converts to it.
fn fill_open(from: &Type, to: &Type) -> Type {
    if *from == Type::Any {
        return to.clone();
    }
    let unified = |types: &mut dyn Iterator<Item = &Type>| {
        unify_with(&types.cloned().collect::<Vec<_>>(), Safety::Unsafe).unwrap_or(Type::Any)
    };
    match (from, to) {
        (_, Type::Any) => from.clone(),
        (Type::Map(own), Type::Map(element)) => Type::map(fill_open(own, element)),
        (Type::Object(own), Type::Map(element)) => {
            Type::map(fill_open(&unified(&mut own.attributes.values()), element))
        }
        (Type::Map(own), Type::Object(object)) => {
            Type::object(object.attributes.iter().map(|(name, ty)| (Arc::clone(name), fill_open(own, ty))))
        }
        (Type::Object(own), Type::Object(object)) => Type::object(object.attributes.iter().map(|(name, ty)| {
            let filled = own.attributes.get(name).map_or_else(|| ty.clone(), |own| fill_open(own, ty));
            (Arc::clone(name), filled)
        })),
        (Type::List(own) | Type::Set(own), Type::List(element)) => Type::list(fill_open(own, element)),
        (Type::List(own) | Type::Set(own), Type::Set(element)) => Type::set(fill_open(own, element)),
        (Type::Tuple(own), Type::List(element)) => Type::list(fill_open(&unified(&mut own.iter()), element)),
        (Type::Tuple(own), Type::Set(element)) => Type::set(fill_open(&unified(&mut own.iter()), element)),
        (Type::Tuple(own), Type::Tuple(types)) => {
            Type::tuple(own.iter().zip(&**types).map(|(own, ty)| fill_open(own, ty)))
        }
        _ => to.clone(),
    }
}

/// What stays true of an unknown value when it is converted.
fn carry_over(from: &Type, refinement: &Refinement, to: &Type) -> Refinement {
    let kept = Refinement { not_null: refinement.not_null, ..Refinement::none() };
    match (from, to) {
        (Type::Object(object), Type::Map(_)) => {
            let count = object.attributes.len();
            kept.with_length(count, Some(count))
        }
        (Type::Tuple(types), Type::List(_)) => kept.with_length(types.len(), Some(types.len())),
        (Type::Tuple(types), Type::Set(_)) => kept.with_length(types.len().min(1), Some(types.len())),
        (Type::List(_) | Type::Set(_), Type::Set(_)) => {
            kept.with_length(refinement.min_length.min(1), refinement.max_length)
        }
        (Type::List(_) | Type::Set(_), Type::List(_)) | (Type::Map(_), Type::Map(_)) => {
            kept.with_length(refinement.min_length, refinement.max_length)
        }
        _ => kept,
    }
}

#[cfg(test)]
mod tests;
