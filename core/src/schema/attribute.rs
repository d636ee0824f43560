use std::sync::Arc;

use crate::value::{Number, Type, Value};

use super::{Check, Pattern};

/// One attribute: its type, who sets it, and what follows from changing it.
///
/// Made with [`required`](Self::required), [`optional`](Self::optional), [`computed`](Self::computed) or
/// [`optional_computed`](Self::optional_computed), then refined.
///
/// # Examples
/// ```
/// use stackwright::{schema::Attribute, value::Type};
///
/// let size = Attribute::optional(Type::Number).default(10).at_least(1).describe("Size in GiB.");
/// assert!(size.optional && !size.required);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Attribute {
    /// The type; attributes of objects in it may be optional.
    pub ty: Type,
    /// The template must set it.
    pub required: bool,
    /// The template may set it.
    pub optional: bool,
    /// The resource decides it, if the template does not.
    pub computed: bool,
    /// Its value is never shown.
    pub sensitive: bool,
    /// The attribute beside it whose value it repeats, and whose marks it therefore bears: what is secret there is
    /// secret here.
    pub echoes: Option<Arc<str>>,
    /// Its value reaches the resource, but is never stored: neither in plans nor in state.
    pub write_only: bool,
    /// It cannot be changed in place: another value means another object.
    pub forces_replacement: bool,
    /// The object bears its tags there: a map of texts, into which the engine puts the locked ones.
    pub takes_tags: bool,
    /// What it is if it is optional and not set.
    pub default: Option<Value>,
    /// What its values must satisfy beyond their type; all of them.
    pub checks: Vec<Check>,
    /// What it is, in sentences.
    pub description: String,
    /// What to use instead, if it should not be used any more.
    pub deprecated: Option<String>,
}

impl Attribute {
    /// Returns an attribute that the template must set.
    pub fn required(ty: Type) -> Self {
        Self { required: true, ..Self::bare(ty) }
    }

    /// Returns an attribute that the template may set.
    pub fn optional(ty: Type) -> Self {
        Self { optional: true, ..Self::bare(ty) }
    }

    /// Returns an attribute that the resource decides.
    pub fn computed(ty: Type) -> Self {
        Self { computed: true, ..Self::bare(ty) }
    }

    /// Returns an attribute that the template may set, and that the resource decides otherwise.
    pub fn optional_computed(ty: Type) -> Self {
        Self { optional: true, computed: true, ..Self::bare(ty) }
    }

    fn bare(ty: Type) -> Self {
        Self {
            ty,
            required: false,
            optional: false,
            computed: false,
            sensitive: false,
            echoes: None,
            write_only: false,
            forces_replacement: false,
            takes_tags: false,
            default: None,
            checks: Vec::new(),
            description: String::new(),
            deprecated: None,
        }
    }

    /// Never shows its value.
    pub fn sensitive(self) -> Self {
        Self { sensitive: true, ..self }
    }

    /// Bears the marks of the attribute beside it whose value it repeats; only for attributes outside of blocks.
    pub fn echoes(self, source: impl Into<Arc<str>>) -> Self {
        Self { echoes: Some(source.into()), ..self }
    }

    /// Never stores its value.
    pub fn write_only(self) -> Self {
        Self { write_only: true, ..self }
    }

    /// Makes a new object when it changes.
    pub fn forces_replacement(self) -> Self {
        Self { forces_replacement: true, ..self }
    }

    /// Bears the tags of the object. The engine puts the locked tags there, beside those of the template; a type has at most
    /// one such attribute, outside of blocks, which is a map of strings that the template may set.
    pub fn takes_tags(self) -> Self {
        Self { takes_tags: true, ..self }
    }

    /// Sets what an optional attribute is when it is not set.
    pub fn default(self, value: impl Into<Value>) -> Self {
        Self { default: Some(value.into()), ..self }
    }

    /// Says what it is.
    pub fn describe(self, text: impl Into<String>) -> Self {
        Self { description: text.into(), ..self }
    }

    /// Advises against it, and says what to use instead.
    pub fn deprecated(self, instead: impl Into<String>) -> Self {
        Self { deprecated: Some(instead.into()), ..self }
    }

    /// Adds a check.
    pub fn check(mut self, check: Check) -> Self {
        self.checks.push(check);
        self
    }

    /// Allows these values only.
    pub fn one_of<V: Into<Value>>(self, values: impl IntoIterator<Item = V>) -> Self {
        self.check(Check::OneOf(values.into_iter().map(Into::into).collect()))
    }

    /// Allows numbers from `min` on.
    pub fn at_least(self, min: impl Into<Number>) -> Self {
        self.check(Check::Range { min: Some(min.into()), max: None })
    }

    /// Allows numbers up to `max`.
    pub fn at_most(self, max: impl Into<Number>) -> Self {
        self.check(Check::Range { min: None, max: Some(max.into()) })
    }

    /// Allows numbers from `min` to `max`, both included.
    pub fn between(self, min: impl Into<Number>, max: impl Into<Number>) -> Self {
        self.check(Check::Range { min: Some(min.into()), max: Some(max.into()) })
    }

    /// Allows strings that a regular expression matches somewhere (anchor it with `^` and `$`).
    pub fn pattern(self, expression: impl Into<String>) -> Self {
        self.check(Check::Pattern(Pattern::new(expression)))
    }

    /// Allows strings of `min` to `max` characters (grapheme clusters), or collections of so many elements.
    pub fn length(self, min: u64, max: Option<u64>) -> Self {
        self.check(Check::Length { min, max })
    }

    /// Returns whether the template can set it.
    pub fn is_input(&self) -> bool {
        self.required || self.optional
    }
}
