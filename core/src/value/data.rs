use std::{fmt, sync::Arc};

use super::{
    Fields, Items, Marks, Number, Refinement, Type,
    order::{by_set_order, sort_set},
    text::normalize,
};

/// A typed datum: maybe null, maybe not known yet, maybe marked.
///
/// Cloning is cheap: containers and text are shared. A value has no `Display`; `Debug` and [`repl`](super::repl) print
/// `(sensitive value)` in place of a marked part. `==` is identity of structure, see [`same`](Self::same); what a
/// template calls `==` is [`equals`](Self::equals).
///
/// # Examples
/// ```
/// use stackwright::value::{Marks, Path, Type, Value};
///
/// let server = Value::object([
///     ("name", Value::string("web")),
///     ("size", Value::number(2)),
///     ("password", Value::string("hunter2").with_marks(Marks::SENSITIVE)),
///     ("id", Value::unknown(Type::String)),
/// ]);
/// assert_eq!(server.attribute("name").and_then(Value::as_str), Some("web"));
/// assert!(server.is_known() && !server.is_wholly_known());
/// assert!(!format!("{server:?}").contains("hunter2"));
///
/// let (plain, paths) = server.unmark_deep_with_paths();
/// assert_eq!(paths, [(Path::root().attr("password"), Marks::SENSITIVE)]);
/// assert_eq!(plain.mark_with_paths(&paths), server);
/// ```
#[derive(Clone)]
pub struct Value {
    kind: Kind,
    marks: Marks,
}

/// What a value holds.
#[derive(Clone)]
pub enum Kind {
    /// Nothing, of that type.
    Null(Type),
    /// Something that is not known yet.
    Unknown(Arc<Unknown>),
    /// A truth value.
    Bool(bool),
    /// A number.
    Number(Number),
    /// Text in normal form C.
    String(Arc<str>),
    /// A list.
    List(Items),
    /// A set, in the order of sets.
    Set(Items),
    /// A map.
    Map(Fields),
    /// A tuple.
    Tuple(Items),
    /// An object.
    Object(Fields),
}

/// What is known of a value that is not known yet.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Unknown {
    /// The type it will have; [`Type::Any`] where that is not known either.
    pub ty: Type,
    /// What else will be true of it.
    pub refinement: Refinement,
}

impl Value {
    /// Returns the null of a type.
    pub fn null(ty: Type) -> Self {
        Self::from_kind(Kind::Null(ty))
    }

    /// Returns a value of that type that is not known yet.
    pub fn unknown(ty: Type) -> Self {
        Self::from_kind(Kind::Unknown(Arc::new(Unknown { ty, refinement: Refinement::none() })))
    }

    /// Returns a value that is not known yet, but about which something is.
    ///
    /// What does not fit the type is dropped. Where the refinement leaves only one value, that is returned: equal bounds
    /// of a number that is not null, no elements, a set of one, a list of so many unknown elements.
    pub fn unknown_with(ty: Type, refinement: Refinement) -> Self {
        let refinement = refinement.fitting(&ty);
        if refinement.not_null
            && let Some(known) = Self::only_value(&ty, &refinement)
        {
            return known;
        }
        Self::from_kind(Kind::Unknown(Arc::new(Unknown { ty, refinement })))
    }

    fn only_value(ty: &Type, refinement: &Refinement) -> Option<Self> {
        /// A refinement of a hostile length must not become a list of that length.
        const MOST: usize = 1024;
        match (ty, &refinement.min, &refinement.max) {
            (Type::Number, Some(min), Some(max)) if min == max && min.inclusive => {
                return Some(Self::number(min.value.clone()));
            }
            _ => {}
        }
        let length = refinement.max_length.filter(|&max| max == refinement.min_length && max <= MOST)?;
        match ty {
            Type::List(element) => {
                Some(Self::list((**element).clone(), vec![Self::unknown((**element).clone()); length]))
            }
            Type::Set(element) if length <= 1 => {
                Some(Self::set((**element).clone(), vec![Self::unknown((**element).clone()); length]))
            }
            Type::Map(element) if length == 0 => {
                Some(Self::map((**element).clone(), std::iter::empty::<(Arc<str>, Self)>()))
            }
            _ => None,
        }
    }

    /// Returns a truth value.
    pub fn bool(value: bool) -> Self {
        Self::from_kind(Kind::Bool(value))
    }

    /// Returns a number.
    pub fn number(value: impl Into<Number>) -> Self {
        Self::from_kind(Kind::Number(value.into()))
    }

    /// Returns text, normalised to NFC.
    pub fn string(text: impl AsRef<str> + Into<Arc<str>>) -> Self {
        Self::from_kind(Kind::String(normalize(text)))
    }

    /// Returns a list. Each value must be of the element type.
    pub fn list(element: Type, values: Vec<Self>) -> Self {
        Self::from_kind(Kind::List(Items::new(element, values)))
    }

    /// Returns a set: sorted, without duplicates. Each value must be of the element type.
    ///
    /// Marks of the elements, at any depth, move to the set: it would otherwise depend on what is hidden.
    ///
    /// # Complexity
    /// O(n log n) comparisons.
    pub fn set(element: Type, values: Vec<Self>) -> Self {
        let marks = values.iter().map(Self::marks_deep).collect::<Marks>();
        let values = if marks.is_empty() { values } else { values.iter().map(|value| value.unmark_deep().0).collect() };
        Self::from_kind(Kind::Set(Items::new(element, sort_set(values)))).with_marks(marks)
    }

    /// Returns a map. Each value must be of the element type; of equal keys the last one counts.
    pub fn map<K: AsRef<str> + Into<Arc<str>>>(element: Type, entries: impl IntoIterator<Item = (K, Self)>) -> Self {
        let entries = entries.into_iter().map(|(key, value)| (normalize(key), value)).collect();
        Self::from_kind(Kind::Map(Fields::new(element, entries)))
    }

    /// Returns a tuple.
    pub fn tuple(values: Vec<Self>) -> Self {
        Self::from_kind(Kind::Tuple(Items::new(Type::Any, values)))
    }

    /// Returns an object; of equal names the last one counts.
    pub fn object<K: AsRef<str> + Into<Arc<str>>>(attributes: impl IntoIterator<Item = (K, Self)>) -> Self {
        let entries = attributes.into_iter().map(|(name, value)| (normalize(name), value)).collect();
        Self::from_kind(Kind::Object(Fields::new(Type::Any, entries)))
    }

    /// Returns the object without attributes.
    pub fn empty_object() -> Self {
        Self::object(std::iter::empty::<(Arc<str>, Self)>())
    }

    pub(super) fn from_kind(kind: Kind) -> Self {
        Self { kind, marks: Marks::NONE }
    }

    /// Returns what the value holds, whatever its marks.
    pub fn kind(&self) -> &Kind {
        &self.kind
    }

    /// Returns the type. O(1) but for tuples and objects, where it is O(size of the type).
    pub fn ty(&self) -> Type {
        match &self.kind {
            Kind::Null(ty) => ty.clone(),
            Kind::Unknown(unknown) => unknown.ty.clone(),
            Kind::Bool(_) => Type::Bool,
            Kind::Number(_) => Type::Number,
            Kind::String(_) => Type::String,
            Kind::List(items) => Type::list(items.element_type().clone()),
            Kind::Set(items) => Type::set(items.element_type().clone()),
            Kind::Map(fields) => Type::map(fields.element_type().clone()),
            Kind::Tuple(items) => Type::tuple(items.iter().map(Self::ty)),
            Kind::Object(fields) => Type::object(fields.iter().map(|(name, value)| (Arc::clone(name), value.ty()))),
        }
    }

    /// Returns whether the value is of exactly that type, without building its own. Optional attributes of `ty` count as
    /// required ones.
    pub fn has_type(&self, ty: &Type) -> bool {
        match (&self.kind, ty) {
            (Kind::Null(own), ty) => own == ty,
            (Kind::Unknown(unknown), ty) => unknown.ty == *ty,
            (Kind::Bool(_), Type::Bool) | (Kind::Number(_), Type::Number) | (Kind::String(_), Type::String) => true,
            (Kind::List(items), Type::List(element)) | (Kind::Set(items), Type::Set(element)) => {
                items.element_type() == &**element
            }
            (Kind::Map(fields), Type::Map(element)) => fields.element_type() == &**element,
            (Kind::Tuple(items), Type::Tuple(types)) => {
                items.len() == types.len() && items.iter().zip(&**types).all(|(value, ty)| value.has_type(ty))
            }
            (Kind::Object(fields), Type::Object(object)) => {
                fields.len() == object.attributes.len()
                    && fields
                        .iter()
                        .zip(&object.attributes)
                        .all(|((name, value), (expected, ty))| name == expected && value.has_type(ty))
            }
            _ => false,
        }
    }

    /// Returns whether it is null.
    pub fn is_null(&self) -> bool {
        matches!(self.kind, Kind::Null(_))
    }

    /// Returns whether it is known. A container is known even when parts of it are not.
    pub fn is_known(&self) -> bool {
        !matches!(self.kind, Kind::Unknown(_))
    }

    /// Returns whether it and every part of it is known. O(1).
    pub fn is_wholly_known(&self) -> bool {
        match &self.kind {
            Kind::Unknown(_) => false,
            Kind::List(items) | Kind::Set(items) | Kind::Tuple(items) => items.deep().known,
            Kind::Map(fields) | Kind::Object(fields) => fields.deep().known,
            _ => true,
        }
    }

    /// Returns the marks of the value itself, not those of its parts.
    pub fn marks(&self) -> Marks {
        self.marks
    }

    /// Returns the marks of the value and of every part of it. O(1).
    pub fn marks_deep(&self) -> Marks {
        let inner = match &self.kind {
            Kind::List(items) | Kind::Set(items) | Kind::Tuple(items) => items.deep().marks,
            Kind::Map(fields) | Kind::Object(fields) => fields.deep().marks,
            _ => Marks::NONE,
        };
        self.marks | inner
    }

    /// Returns whether the value itself must not be shown.
    pub fn is_sensitive(&self) -> bool {
        self.marks.contains(Marks::SENSITIVE)
    }

    /// Adds marks to the value itself.
    pub fn with_marks(mut self, marks: Marks) -> Self {
        self.marks |= marks;
        self
    }

    /// Sets the marks of the value itself, dropping those that it had.
    pub fn with_only_marks(mut self, marks: Marks) -> Self {
        self.marks = marks;
        self
    }

    /// Returns the truth value, whatever the marks; `None` if it is null, unknown, or no bool.
    pub fn as_bool(&self) -> Option<bool> {
        match self.kind {
            Kind::Bool(value) => Some(value),
            _ => None,
        }
    }

    /// Returns the number, whatever the marks; `None` if it is null, unknown, or no number.
    pub fn as_number(&self) -> Option<&Number> {
        match &self.kind {
            Kind::Number(number) => Some(number),
            _ => None,
        }
    }

    /// Returns the text, whatever the marks; `None` if it is null, unknown, or no string.
    pub fn as_str(&self) -> Option<&str> {
        match &self.kind {
            Kind::String(text) => Some(text),
            _ => None,
        }
    }

    /// Returns the elements of a list, set or tuple; nothing for any other value. A set's are in its order.
    ///
    /// The elements carry their own marks, not those of the container.
    pub fn elements(&self) -> std::slice::Iter<'_, Self> {
        self.items().map_or(&[][..], |items| items).iter()
    }

    /// Returns the entries of a map or object in order of name; nothing for any other value.
    pub fn entries(&self) -> impl ExactSizeIterator<Item = (&Arc<str>, &Self)> + DoubleEndedIterator {
        self.fields().map_or(&[][..], |fields| fields).iter().map(|(name, value)| (name, value))
    }

    /// Returns the items of a known list, set or tuple.
    pub fn items(&self) -> Option<&Items> {
        match &self.kind {
            Kind::List(items) | Kind::Set(items) | Kind::Tuple(items) => Some(items),
            _ => None,
        }
    }

    /// Returns the fields of a known map or object.
    pub fn fields(&self) -> Option<&Fields> {
        match &self.kind {
            Kind::Map(fields) | Kind::Object(fields) => Some(fields),
            _ => None,
        }
    }

    /// Returns how many elements or attributes a known container holds; 0 for any other value.
    ///
    /// A set with unknown elements may become smaller: see [`length_bounds`](Self::length_bounds).
    #[expect(clippy::len_without_is_empty, reason = "of most values neither makes sense; `is_empty` would mislead")]
    pub fn len(&self) -> usize {
        self.items().map(|items| items.len()).or_else(|| self.fields().map(|fields| fields.len())).unwrap_or(0)
    }

    /// Returns the fewest and the most elements that a list, set, map, tuple or object may have once it is known; `None`
    /// for values that have no length, such as nulls. No upper bound is `None` inside.
    pub fn length_bounds(&self) -> Option<(usize, Option<usize>)> {
        match &self.kind {
            Kind::Set(items) if !items.deep().known => Some((1, Some(items.len()))),
            Kind::List(_) | Kind::Set(_) | Kind::Map(_) | Kind::Tuple(_) | Kind::Object(_) => {
                Some((self.len(), Some(self.len())))
            }
            Kind::Unknown(unknown) => match &unknown.ty {
                Type::List(_) | Type::Set(_) | Type::Map(_) => {
                    Some((unknown.refinement.min_length, unknown.refinement.max_length))
                }
                Type::Tuple(types) => Some((types.len(), Some(types.len()))),
                Type::Object(object) => Some((object.attributes.len(), Some(object.attributes.len()))),
                _ => None,
            },
            _ => None,
        }
    }

    /// Returns what is known of an unknown value; `None` if it is known.
    pub fn as_unknown(&self) -> Option<&Unknown> {
        match &self.kind {
            Kind::Unknown(unknown) => Some(unknown),
            _ => None,
        }
    }

    /// Returns whether the value will never be null.
    pub fn is_definitely_not_null(&self) -> bool {
        match &self.kind {
            Kind::Null(_) => false,
            Kind::Unknown(unknown) => unknown.refinement.not_null,
            _ => true,
        }
    }

    /// Adds to what is known of an unknown value; a known one stays as it is.
    pub fn refine(&self, refinement: Refinement) -> Self {
        match &self.kind {
            Kind::Unknown(unknown) => {
                Self::unknown_with(unknown.ty.clone(), unknown.refinement.clone().and(refinement))
                    .with_marks(self.marks)
            }
            _ => self.clone(),
        }
    }

    /// Returns an attribute of an object or an element of a map as it is, without the container's marks. O(log n).
    pub fn attribute(&self, name: &str) -> Option<&Self> {
        self.fields()?.get(name)
    }

    /// Returns an element of a list, set or tuple as it is, without the container's marks; a set's in its order.
    pub fn element_at(&self, idx: usize) -> Option<&Self> {
        self.items()?.get(idx)
    }

    /// Returns whether both are the same structure: kinds, types, contents, marks, what is known of unknowns.
    ///
    /// Numbers are the same if they are equal.
    pub fn same(&self, other: &Self) -> bool {
        self.marks == other.marks
            && match (&self.kind, &other.kind) {
                (Kind::Null(a), Kind::Null(b)) => a == b,
                (Kind::Unknown(a), Kind::Unknown(b)) => a == b,
                (Kind::Bool(a), Kind::Bool(b)) => a == b,
                (Kind::Number(a), Kind::Number(b)) => a == b,
                (Kind::String(a), Kind::String(b)) => a == b,
                (Kind::List(a), Kind::List(b)) | (Kind::Set(a), Kind::Set(b)) | (Kind::Tuple(a), Kind::Tuple(b)) => {
                    a.shares_with(b) || a.element_type() == b.element_type() && **a == **b
                }
                (Kind::Map(a), Kind::Map(b)) | (Kind::Object(a), Kind::Object(b)) => {
                    a.shares_with(b) || a.element_type() == b.element_type() && **a == **b
                }
                _ => false,
            }
    }

    /// Orders values as sets do: strings by bytes, numbers by value, false before true, null last and unknown after it;
    /// others by a fixed order of their structure. Marks do not count.
    pub fn set_order(&self, other: &Self) -> std::cmp::Ordering {
        by_set_order(self, other)
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        self.same(other)
    }
}

impl Eq for Value {}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::bool(value)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::string(text)
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::string(text)
    }
}

impl From<Number> for Value {
    fn from(number: Number) -> Self {
        Self::number(number)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::number(number)
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.marks.is_empty() {
            return f.write_str(super::display::hidden(self.marks));
        }
        match &self.kind {
            Kind::Null(ty) => write!(f, "null({ty})"),
            Kind::Unknown(unknown) => unknown.fmt(f),
            Kind::Bool(value) => value.fmt(f),
            Kind::Number(number) => number.fmt(f),
            Kind::String(text) => text.fmt(f),
            Kind::List(items) => f.write_str("list").and_then(|()| f.debug_list().entries(items.iter()).finish()),
            Kind::Set(items) => f.write_str("set").and_then(|()| f.debug_list().entries(items.iter()).finish()),
            Kind::Tuple(items) => f.debug_list().entries(items.iter()).finish(),
            Kind::Map(fields) => f.write_str("map").and_then(|()| fmt_fields(fields, f)),
            Kind::Object(fields) => fmt_fields(fields, f),
        }
    }
}

fn fmt_fields(fields: &Fields, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.debug_map().entries(fields.iter().map(|(name, value)| (name, value))).finish()
}

impl fmt::Debug for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unknown({})", self.ty)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::testing::{l, m, n, null, o, s, set, t, unknown};

    #[test]
    fn values_are_small() {
        assert!(size_of::<Value>() <= 32);
        assert!(size_of::<Number>() <= 16);
    }

    #[test]
    fn text_is_normal_wherever_it_is() {
        let composed = "\u{e9}";
        assert_eq!(s("e\u{301}").as_str(), Some(composed));
        assert!(o([("e\u{301}", n("1"))]).attribute(composed).is_some());
        assert!(m(Type::Number, [("e\u{301}", n("1"))]).attribute(composed).is_some());
    }

    #[test]
    fn of_equal_names_the_last_counts() {
        let object = o([("b", n("1")), ("a", n("2")), ("b", n("3"))]);
        assert_eq!(format!("{object:?}"), r#"{"a": 2, "b": 3}"#);
        let names: Vec<&str> = object.entries().map(|(name, _)| &**name).collect();
        assert_eq!(names, ["a", "b"]);
    }

    #[test]
    fn containers_know_what_is_inside() {
        let secret = s("x").with_marks(Marks::SENSITIVE);
        let value = t([o([("a", l(Type::String, [secret, unknown(Type::String)]))])]);
        assert!(value.is_known() && !value.is_wholly_known());
        assert_eq!((value.marks(), value.marks_deep()), (Marks::NONE, Marks::SENSITIVE));
        let ty = Type::tuple([Type::object([("a", Type::list(Type::String))])]);
        assert!(value.ty() == ty && value.has_type(&ty) && !value.has_type(&Type::tuple([])));
    }

    #[test]
    fn what_can_only_be_one_value_is_that() {
        let exactly =
            |value| Refinement::none().with_min(Number::from(value), true).with_max(Number::from(value), true);
        let not_null = |refinement: Refinement| refinement.and(Refinement::not_null());
        assert_eq!(Value::unknown_with(Type::Number, not_null(exactly(3))), n("3"));
        assert!(!Value::unknown_with(Type::Number, exactly(3)).is_known());
        let empty = not_null(Refinement::none().with_length(0, Some(0)));
        assert_eq!(Value::unknown_with(Type::set(Type::Bool), empty.clone()), set(Type::Bool, []));
        assert_eq!(Value::unknown_with(Type::map(Type::Bool), empty), m(Type::Bool, []));
        let pair = not_null(Refinement::none().with_length(2, Some(2)));
        let list = l(Type::Bool, [unknown(Type::Bool), unknown(Type::Bool)]);
        assert_eq!(Value::unknown_with(Type::list(Type::Bool), pair.clone()), list);
        assert!(!Value::unknown_with(Type::set(Type::Bool), pair).is_known());
        let many = not_null(Refinement::none().with_length(1 << 40, Some(1 << 40)));
        assert!(!Value::unknown_with(Type::list(Type::Bool), many).is_known());
        // A refinement that does not fit says nothing; nothing is said of the open type.
        assert_eq!(Value::unknown_with(Type::String, exactly(3)), unknown(Type::String));
        assert_eq!(Value::unknown_with(Type::Any, Refinement::not_null()), unknown(Type::Any));
    }

    #[test]
    fn refining_adds_up() {
        let id = unknown(Type::String).refine(Refinement::not_null()).refine(Refinement::none().with_full_prefix("i-"));
        assert!(id.is_definitely_not_null());
        assert_eq!(id.as_unknown().and_then(|unknown| unknown.refinement.prefix.as_deref()), Some("i-"));
        assert_eq!(s("x").refine(Refinement::not_null()), s("x"));
    }

    #[test]
    fn lengths() {
        assert_eq!(s("x").length_bounds(), None);
        assert_eq!(null(Type::list(Type::Any)).length_bounds(), None);
        assert_eq!(unknown(Type::tuple([Type::Bool])).length_bounds(), Some((1, Some(1))));
        assert_eq!(unknown(Type::list(Type::Bool)).length_bounds(), Some((0, None)));
        assert_eq!(set(Type::String, [unknown(Type::String)]).length_bounds(), Some((1, Some(1))));
        assert_eq!(l(Type::String, [unknown(Type::String)]).length_bounds(), Some((1, Some(1))));
        assert_eq!(o([("a", n("1"))]).length_bounds(), Some((1, Some(1))));
    }

    #[test]
    fn large_sets_take_no_quadratic_time() {
        let values = |modulus: i64| (0..100_000i64).map(|idx| Value::number(idx * 7919 % modulus)).collect::<Vec<_>>();
        assert_eq!(Value::set(Type::Number, values(100_003)).len(), 100_000);
        assert_eq!(Value::set(Type::Number, values(10)).len(), 10);
        let objects = values(50_000).into_iter().map(|value| o([("a", value)])).collect();
        assert_eq!(Value::set(Type::object([("a", Type::Number)]), objects).len(), 50_000);
    }
}
