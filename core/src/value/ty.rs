use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value as Json;

/// The type of a value, or a constraint on it.
///
/// [`Type::Any`] stands for "not known yet" (the type of an untyped null or unknown) and, in a constraint, for "whatever
/// is given". Cloning is cheap: parts are shared.
///
/// `Display` prints Terraform's type constraint syntax; serde uses Terraform's type JSON (`["list","string"]`).
///
/// # Examples
/// ```
/// use stackwright::value::Type;
///
/// let ty = Type::list(Type::object([("name", Type::String), ("size", Type::Number)]));
/// assert_eq!(ty.to_string(), "list(object({name=string,size=number}))");
/// assert_eq!(ty.friendly_name(), "list of object");
/// let json = serde_json::to_string(&ty)?;
/// assert_eq!(json, r#"["list",["object",{"name":"string","size":"number"}]]"#);
/// assert_eq!(serde_json::from_str::<Type>(&json)?, ty);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Type {
    /// Any type: not decided yet.
    Any,
    /// `true` or `false`.
    Bool,
    /// A number, see [`Number`](super::Number).
    Number,
    /// Text, Unicode normalised (NFC).
    String,
    /// A sequence of values of one type.
    List(Arc<Type>),
    /// Distinct values of one type, without order.
    Set(Arc<Type>),
    /// Values of one type by name.
    Map(Arc<Type>),
    /// A fixed number of values, each of its own type.
    Tuple(Arc<[Type]>),
    /// Fixed names, each with a value of its own type.
    Object(Arc<ObjectType>),
}

/// The attributes of an object type.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectType {
    /// Attribute types by name.
    pub attributes: BTreeMap<Arc<str>, Type>,
    /// Attributes that a conversion may leave out (they become null). Only in constraints: a value's type has none.
    pub optional: BTreeSet<Arc<str>>,
}

impl Type {
    /// Returns the type of lists of `element`.
    pub fn list(element: Self) -> Self {
        Self::List(Arc::new(element))
    }

    /// Returns the type of sets of `element`.
    pub fn set(element: Self) -> Self {
        Self::Set(Arc::new(element))
    }

    /// Returns the type of maps from text to `element`.
    pub fn map(element: Self) -> Self {
        Self::Map(Arc::new(element))
    }

    /// Returns the type of tuples with these element types.
    pub fn tuple(elements: impl IntoIterator<Item = Self>) -> Self {
        Self::Tuple(elements.into_iter().collect())
    }

    /// Returns the type of objects with these attributes, all of them required.
    pub fn object<N: Into<Arc<str>>>(attributes: impl IntoIterator<Item = (N, Self)>) -> Self {
        Self::object_with_optional(attributes, std::iter::empty::<Arc<str>>())
    }

    /// Returns an object constraint in which `optional` attributes may be left out. Names that are no attributes
    /// are ignored.
    pub fn object_with_optional<N: Into<Arc<str>>, O: Into<Arc<str>>>(
        attributes: impl IntoIterator<Item = (N, Self)>,
        optional: impl IntoIterator<Item = O>,
    ) -> Self {
        let attributes: BTreeMap<Arc<str>, Self> = attributes.into_iter().map(|(name, ty)| (name.into(), ty)).collect();
        let optional = optional.into_iter().map(Into::into).filter(|name| attributes.contains_key(name)).collect();
        Self::Object(Arc::new(ObjectType { attributes, optional }))
    }

    /// Returns the type of the object without attributes.
    pub fn empty_object() -> Self {
        Self::Object(Arc::new(ObjectType::default()))
    }

    /// Returns whether the type is [`Any`](Self::Any) or holds it somewhere. O(size of the type).
    pub fn has_any(&self) -> bool {
        match self {
            Self::Any => true,
            Self::Bool | Self::Number | Self::String => false,
            Self::List(element) | Self::Set(element) | Self::Map(element) => element.has_any(),
            Self::Tuple(elements) => elements.iter().any(Self::has_any),
            Self::Object(object) => object.attributes.values().any(Self::has_any),
        }
    }

    /// Returns whether an object type is in it, whose attributes have names. O(size of the type).
    pub fn has_names(&self) -> bool {
        match self {
            Self::Any | Self::Bool | Self::Number | Self::String => false,
            Self::List(element) | Self::Set(element) | Self::Map(element) => element.has_names(),
            Self::Tuple(elements) => elements.iter().any(Self::has_names),
            Self::Object(object) => !object.attributes.is_empty(),
        }
    }

    /// Returns the element type of a list, set or map.
    pub fn element(&self) -> Option<&Self> {
        match self {
            Self::List(element) | Self::Set(element) | Self::Map(element) => Some(element),
            _ => None,
        }
    }

    /// Returns the object type, if it is one.
    pub fn as_object(&self) -> Option<&ObjectType> {
        match self {
            Self::Object(object) => Some(object),
            _ => None,
        }
    }

    /// Returns the element types of a tuple.
    pub fn as_tuple(&self) -> Option<&[Self]> {
        match self {
            Self::Tuple(elements) => Some(elements),
            _ => None,
        }
    }

    /// Returns whether it is a bool, number or string.
    pub fn is_primitive(&self) -> bool {
        matches!(self, Self::Bool | Self::Number | Self::String)
    }

    /// Returns whether it is a list, set or map.
    pub fn is_collection(&self) -> bool {
        matches!(self, Self::List(_) | Self::Set(_) | Self::Map(_))
    }

    /// Returns the type with no attribute optional, at any depth: the type of a converted value.
    pub fn without_optional(&self) -> Self {
        match self {
            Self::Any | Self::Bool | Self::Number | Self::String => self.clone(),
            Self::List(element) => Self::list(element.without_optional()),
            Self::Set(element) => Self::set(element.without_optional()),
            Self::Map(element) => Self::map(element.without_optional()),
            Self::Tuple(elements) => Self::tuple(elements.iter().map(Self::without_optional)),
            Self::Object(object) => {
                Self::object(object.attributes.iter().map(|(name, ty)| (Arc::clone(name), ty.without_optional())))
            }
        }
    }

    /// Returns the name that people read in messages, such as `list of string`.
    pub fn friendly_name(&self) -> String {
        match self {
            Self::Any => "dynamic".to_owned(),
            Self::Bool => "bool".to_owned(),
            Self::Number => "number".to_owned(),
            Self::String => "string".to_owned(),
            Self::List(element) => format!("list of {}", element.friendly_name()),
            Self::Set(element) => format!("set of {}", element.friendly_name()),
            Self::Map(element) => format!("map of {}", element.friendly_name()),
            Self::Tuple(_) => "tuple".to_owned(),
            Self::Object(_) => "object".to_owned(),
        }
    }

    /// Returns the name of the type as a requirement: `any type` and `list of any single type` where it is open.
    pub fn friendly_constraint(&self) -> String {
        let element = |ty: &Self| match ty {
            Self::Any => "any single type".to_owned(),
            other => other.friendly_constraint(),
        };
        match self {
            Self::Any => "any type".to_owned(),
            Self::List(ty) => format!("list of {}", element(ty)),
            Self::Set(ty) => format!("set of {}", element(ty)),
            Self::Map(ty) => format!("map of {}", element(ty)),
            other => other.friendly_name(),
        }
    }

    /// Returns the type JSON: `"string"`, `["list","string"]`, `["object",{..},["optional"]]`, `"dynamic"`.
    pub fn to_json(&self) -> Json {
        serde_json::to_value(self).unwrap_or(Json::Null)
    }

    /// Returns the type that a type JSON stands for.
    ///
    /// # Errors
    /// A sentence for people, when it is no type.
    pub fn from_json(json: &Json) -> Result<Self, String> {
        match json {
            Json::String(name) => match name.as_str() {
                "dynamic" => Ok(Self::Any),
                "bool" => Ok(Self::Bool),
                "number" => Ok(Self::Number),
                "string" => Ok(Self::String),
                other => Err(format!("`{other}` is not a primitive type")),
            },
            Json::Array(parts) => Self::from_json_parts(parts),
            _ => Err("a type is a string or an array".to_owned()),
        }
    }

    fn from_json_parts(parts: &[Json]) -> Result<Self, String> {
        let (Some(Json::String(kind)), Some(inner)) = (parts.first(), parts.get(1)) else {
            return Err("a compound type is an array of a kind and its parts".to_owned());
        };
        let most = if kind == "object" { 3 } else { 2 };
        if parts.len() > most {
            return Err(format!("a type of kind `{kind}` has at most {most} parts"));
        }
        match (kind.as_str(), inner) {
            ("list", inner) => Ok(Self::list(Self::from_json(inner)?)),
            ("set", inner) => Ok(Self::set(Self::from_json(inner)?)),
            ("map", inner) => Ok(Self::map(Self::from_json(inner)?)),
            ("tuple", Json::Array(elements)) => {
                Ok(Self::Tuple(elements.iter().map(Self::from_json).collect::<Result<_, _>>()?))
            }
            ("object", Json::Object(attributes)) => {
                let attributes = attributes
                    .iter()
                    .map(|(name, ty)| Ok((Arc::from(name.as_str()), Self::from_json(ty)?)))
                    .collect::<Result<BTreeMap<Arc<str>, Self>, String>>()?;
                let mut optional = BTreeSet::new();
                for name in parts.get(2).map(names).transpose()?.into_iter().flatten() {
                    if !attributes.contains_key(name) {
                        return Err(format!("optional `{name}` is not an attribute"));
                    }
                    optional.insert(Arc::from(name));
                }
                Ok(Self::Object(Arc::new(ObjectType { attributes, optional })))
            }
            (kind, _) => Err(format!("`{kind}` is not a kind of type, or its parts have the wrong shape")),
        }
    }
}

fn names(json: &Json) -> Result<Vec<&str>, String> {
    json.as_array()
        .and_then(|list| list.iter().map(Json::as_str).collect())
        .ok_or_else(|| "the optional attributes are an array of names".to_owned())
}

/// Returns whether `text` can stand as a bare attribute name in the template language.
pub(super) fn is_identifier(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next().is_some_and(unicode_ident::is_xid_start)
        && chars.all(|c| c == '-' || unicode_ident::is_xid_continue(c))
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("any"),
            Self::Bool => f.write_str("bool"),
            Self::Number => f.write_str("number"),
            Self::String => f.write_str("string"),
            Self::List(element) => write!(f, "list({element})"),
            Self::Set(element) => write!(f, "set({element})"),
            Self::Map(element) => write!(f, "map({element})"),
            Self::Tuple(elements) => {
                f.write_str("tuple([")?;
                for (idx, element) in elements.iter().enumerate() {
                    write!(f, "{}{element}", if idx == 0 { "" } else { "," })?;
                }
                f.write_str("])")
            }
            Self::Object(object) => {
                f.write_str("object({")?;
                for (idx, (name, ty)) in object.attributes.iter().enumerate() {
                    f.write_str(if idx == 0 { "" } else { "," })?;
                    if is_identifier(name) {
                        f.write_str(name)?;
                    } else {
                        write!(f, "{:?}", &**name)?;
                    }
                    if object.optional.contains(name) {
                        write!(f, "=optional({ty})")?;
                    } else {
                        write!(f, "={ty}")?;
                    }
                }
                f.write_str("})")
            }
        }
    }
}

impl fmt::Debug for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Type {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Any => serializer.serialize_str("dynamic"),
            Self::Bool => serializer.serialize_str("bool"),
            Self::Number => serializer.serialize_str("number"),
            Self::String => serializer.serialize_str("string"),
            Self::List(element) => ("list", &**element).serialize(serializer),
            Self::Set(element) => ("set", &**element).serialize(serializer),
            Self::Map(element) => ("map", &**element).serialize(serializer),
            Self::Tuple(elements) => ("tuple", &**elements).serialize(serializer),
            Self::Object(object) if object.optional.is_empty() => ("object", &object.attributes).serialize(serializer),
            Self::Object(object) => ("object", &object.attributes, &object.optional).serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Type {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::from_json(&Json::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(ty: &Type, constraint: &str, name: &str, json: &str) {
        assert_eq!(ty.to_string(), constraint);
        assert_eq!(ty.friendly_name(), name);
        assert_eq!(serde_json::to_string(ty).expect("a type is JSON"), json);
        assert_eq!(&serde_json::from_str::<Type>(json).expect("JSON is a type"), ty);
    }

    #[test]
    fn prints_and_reads() {
        check(&Type::Any, "any", "dynamic", r#""dynamic""#);
        check(
            &Type::set(Type::list(Type::Bool)),
            "set(list(bool))",
            "set of list of bool",
            r#"["set",["list","bool"]]"#,
        );
        check(&Type::tuple([]), "tuple([])", "tuple", r#"["tuple",[]]"#);
        check(
            &Type::tuple([Type::Number, Type::String]),
            "tuple([number,string])",
            "tuple",
            r#"["tuple",["number","string"]]"#,
        );
        check(
            &Type::object_with_optional([("b", Type::map(Type::Any)), ("a b", Type::String)], ["b"]),
            r#"object({"a b"=string,b=optional(map(any))})"#,
            "object",
            r#"["object",{"a b":"string","b":["map","dynamic"]},["b"]]"#,
        );
    }

    #[test]
    fn refuses_what_is_no_type() {
        for json in [
            "1",
            r#""text""#,
            "[]",
            r#"["list"]"#,
            r#"["list","string","string"]"#,
            r#"["tuple","string"]"#,
            r#"["object",{"a":"string"},["b"]]"#,
            r#"["object",{"a":"string"},[1]]"#,
            r#"["bag","string"]"#,
        ] {
            assert!(serde_json::from_str::<Type>(json).is_err(), "{json}");
        }
    }

    #[test]
    fn knows_open_types() {
        assert!(Type::list(Type::object([("a", Type::Any)])).has_any());
        assert!(!Type::list(Type::String).has_any());
        assert_eq!(Type::list(Type::Any).friendly_constraint(), "list of any single type");
        assert_eq!(Type::Any.friendly_constraint(), "any type");
        let open = Type::list(Type::object_with_optional([("a", Type::String)], ["a", "zz"]));
        assert_eq!(open.without_optional(), Type::list(Type::object([("a", Type::String)])));
    }
}
