use serde::Serialize;

use super::{AttributeType, BlockType};
use crate::{
    schema::{Attribute, Check, NestedBlock, Pattern},
    value::{Number, Type, Value, from_serde},
};

/// One field of a struct, as its schema has it.
///
/// The derive macro makes them with [`attribute`](Self::attribute) and [`block`](Self::block) and refines them; who
/// implements [`Attributes`](super::Attributes) by hand does the same. A refinement that an attribute has and a block
/// has not (such as [`sensitive`](Self::sensitive)) leaves a block as it is; the macro refuses it.
///
/// # Examples
/// ```
/// use stackwright::resource::typed::{Field, FieldShape};
///
/// let field = Field::attribute::<u16>("port").describe("Where it listens.").default(80).min(1);
/// let FieldShape::Attribute(attribute) = field.shape else { unreachable!() };
/// assert!(attribute.optional);
/// assert_eq!(attribute.checks.len(), 1, "1 to 65535");
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// Its name in templates and in the data.
    pub name: &'static str,
    /// What it is.
    pub shape: FieldShape,
    /// Whether the Rust type takes null.
    pub nullable: bool,
    /// Whether an output keeps its value when the object is changed in place.
    pub stable: bool,
}

/// What a field of a struct is in the schema.
#[derive(Clone, Debug, PartialEq)]
pub enum FieldShape {
    /// An attribute.
    Attribute(Attribute),
    /// Nested blocks.
    Block(NestedBlock),
}

impl Field {
    /// Returns an attribute of a type: required, or optional if the type is.
    pub fn attribute<T: AttributeType>(name: &'static str) -> Self {
        let attribute = if T::OPTIONAL { Attribute::optional(T::ty()) } else { Attribute::required(T::ty()) };
        let shape = FieldShape::Attribute(Attribute { checks: T::checks(), ..attribute });
        Self { name, shape, nullable: T::OPTIONAL, stable: false }
    }

    /// Returns nested blocks; an empty description leaves that of the struct.
    pub fn block<T: BlockType>(name: &'static str, description: &str) -> Self {
        let mut nested = T::nested();
        if !description.is_empty() {
            description.clone_into(&mut nested.block.description);
        }
        Self { name, shape: FieldShape::Block(nested), nullable: T::OPTIONAL, stable: false }
    }

    /// Returns the type of its values, without optional attributes.
    pub fn value_type(&self) -> Type {
        match &self.shape {
            FieldShape::Attribute(attribute) => attribute.ty.without_optional(),
            FieldShape::Block(nested) => nested.implied_type(),
        }
    }

    fn with(mut self, refine: impl FnOnce(&mut Attribute)) -> Self {
        if let FieldShape::Attribute(attribute) = &mut self.shape {
            refine(attribute);
        }
        self
    }

    /// Says what it is.
    pub fn describe(mut self, text: &str) -> Self {
        match &mut self.shape {
            FieldShape::Attribute(attribute) => text.clone_into(&mut attribute.description),
            FieldShape::Block(nested) => text.clone_into(&mut nested.block.description),
        }
        self
    }

    /// Makes a new object when it changes.
    pub fn force_new(mut self) -> Self {
        match &mut self.shape {
            FieldShape::Attribute(attribute) => attribute.forces_replacement = true,
            FieldShape::Block(nested) => nested.forces_replacement = true,
        }
        self
    }

    /// Advises against it, and says what to use instead.
    pub fn deprecated(mut self, instead: &str) -> Self {
        let instead = Some(instead.to_owned());
        match &mut self.shape {
            FieldShape::Attribute(attribute) => attribute.deprecated = instead,
            FieldShape::Block(nested) => nested.block.deprecated = instead,
        }
        self
    }

    /// Never shows its value.
    pub fn sensitive(self) -> Self {
        self.with(|attribute| attribute.sensitive = true)
    }

    /// Never stores its value; the Rust type must be an `Option`, since stored objects do not have it.
    pub fn write_only(self) -> Self {
        self.with(|attribute| attribute.write_only = true)
    }

    /// Asks the template to set it although the Rust type takes null.
    pub fn required(self) -> Self {
        self.with(|attribute| (attribute.required, attribute.optional) = (true, false))
    }

    /// Keeps an output's value when the object is changed in place, so that plans know it.
    pub fn stable(self) -> Self {
        Self { stable: true, ..self }
    }

    /// Bears the tags of the object; see [`Attribute::takes_tags`].
    pub fn takes_tags(self) -> Self {
        self.with(|attribute| attribute.takes_tags = true)
    }

    /// Sets what it is when it is not set.
    ///
    /// A value that is not of its type makes a schema that [`Schema::check`](crate::schema::Schema::check) refuses.
    pub fn default(self, value: impl Serialize) -> Self {
        self.with(|attribute| {
            (attribute.required, attribute.optional) = (false, true);
            attribute.default = Some(literal(&value, &attribute.ty.without_optional()));
        })
    }

    /// Allows these values only.
    pub fn one_of<V: Serialize>(self, values: impl IntoIterator<Item = V>) -> Self {
        let values = values.into_iter().map(|value| literal(&value, &Type::Any)).collect();
        self.with(|attribute| attribute.checks.push(Check::OneOf(values)))
    }

    /// Allows texts that a regular expression matches somewhere (anchor it with `^` and `$`).
    pub fn pattern(self, expression: &str) -> Self {
        self.with(|attribute| attribute.checks.push(Check::Pattern(Pattern::new(expression))))
    }

    /// Allows texts of `min` to `max` characters (grapheme clusters), or collections of so many elements.
    pub fn length(self, min: u64, max: Option<u64>) -> Self {
        self.with(|attribute| attribute.checks.push(Check::Length { min, max }))
    }

    /// Allows numbers from `min` on; no number at all allows what it did before.
    pub fn min(self, min: impl Serialize) -> Self {
        let min = literal(&min, &Type::Number).as_number().cloned();
        self.bounded(min, None)
    }

    /// Allows numbers up to `max`; no number at all allows what it did before.
    pub fn max(self, max: impl Serialize) -> Self {
        let max = literal(&max, &Type::Number).as_number().cloned();
        self.bounded(None, max)
    }

    /// Narrows the range that there is, so that a number is refused once and for one reason.
    fn bounded(self, min: Option<Number>, max: Option<Number>) -> Self {
        self.with(|attribute| {
            let range = attribute.checks.iter_mut().find_map(|check| match check {
                Check::Range { min, max } => Some((min, max)),
                _ => None,
            });
            match range {
                Some((least, most)) => {
                    // None is less than every bound.
                    *least = least.take().max(min);
                    *most = tighter(most.take(), max);
                }
                None => attribute.checks.push(Check::Range { min, max }),
            }
        })
    }

    /// Asks for at least so many blocks.
    pub fn min_items(mut self, count: u64) -> Self {
        if let FieldShape::Block(nested) = &mut self.shape {
            nested.min_items = count;
        }
        self
    }

    /// Allows at most so many blocks.
    pub fn max_items(mut self, count: u64) -> Self {
        if let FieldShape::Block(nested) = &mut self.shape {
            nested.max_items = Some(count);
        }
        self
    }
}

/// Returns the smaller of two bounds, of which one may be missing.
fn tighter(one: Option<Number>, other: Option<Number>) -> Option<Number> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

/// Returns data as a value; one of another type where it does not fit, null where it is no data. The check of the
/// schema finds both.
fn literal(data: &impl Serialize, ty: &Type) -> Value {
    let value = from_serde(data, ty).or_else(|_| from_serde(data, &Type::Any));
    value.unwrap_or_else(|_| Value::null(Type::Any))
}
