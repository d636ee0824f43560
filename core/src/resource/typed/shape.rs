use std::sync::Arc;

use serde::{Serialize, de::DeserializeOwned};

use super::{Attributes, Field, FieldShape};
use crate::{
    error::{Error, ErrorKind, Result},
    schema::{Attribute, NestedBlock, Problems, Schema},
    value::{Marks, Type, Value, convert, from_json_value, to_serde},
};

/// The schema of two structs, and the way between them and its values.
#[derive(Debug)]
pub(super) struct Shape {
    pub(super) schema: Arc<Schema>,
    inputs: Part,
    outputs: Part,
}

/// What one of the structs has.
#[derive(Debug)]
struct Part {
    names: Vec<Named>,
    ty: Type,
}

#[derive(Debug)]
struct Named {
    name: Arc<str>,
    nullable: bool,
    stable: bool,
}

impl Part {
    fn new(fields: &[Field], schema: &Schema) -> Self {
        let named =
            |field: &Field| Named { name: Arc::from(field.name), nullable: field.nullable, stable: field.stable };
        Self {
            names: fields.iter().map(named).collect(),
            ty: Type::object(fields.iter().map(|field| (field.name, type_of(field, schema)))),
        }
    }

    fn find(&self, name: &str) -> Option<&Named> {
        self.names.iter().find(|named| &*named.name == name)
    }

    /// Returns the part of an object that belongs to the struct.
    fn of(&self, object: &Value) -> Value {
        let attributes = self.names.iter().map(|Named { name, .. }| {
            let part = object.attribute(name).cloned();
            (Arc::clone(name), part.unwrap_or_else(|| Value::null(Type::Any)))
        });
        Value::object(attributes)
    }

    fn encode(&self, data: &impl Serialize) -> Result<Value> {
        // Serde's own words are not repeated; they may quote what they are about.
        let json = serde_json::to_value(data).map_err(|_| breach("it cannot be serialised"))?;
        from_json_value(&json, &self.ty).map_err(|error| breach(&error.to_string()))
    }
}

/// Returns the type that the values of a field have: that of the schema, where an input counts before an output.
fn type_of(field: &Field, schema: &Schema) -> Type {
    let attribute = schema.block.attributes.get(field.name).map(|attribute| attribute.ty.without_optional());
    let block = || schema.block.blocks.get(field.name).map(NestedBlock::implied_type);
    attribute.or_else(block).unwrap_or_else(|| field.value_type())
}

pub(super) fn breach(what: &str) -> Error {
    let message = format!("what the resource type returned does not follow its schema: {what}");
    Error::new(ErrorKind::Bug, "resource.inconsistent", message)
}

fn listed(problems: &Problems) -> String {
    problems.iter().map(|(path, what)| format!("{path}: {what}")).collect::<Vec<_>>().join("; ")
}

/// Reads the part of a struct, whose contents never get into a message: of what is marked, the data's own
/// words are left out.
fn decode<T: DeserializeOwned>(part: Value) -> Result<T> {
    to_serde(&part.with_marks(Marks::SENSITIVE))
}

impl Shape {
    pub(super) fn new<I: Attributes, O: Attributes>(version: u64, description: String) -> Self {
        let (inputs, outputs) = (I::fields(), O::fields());
        let schema = assemble(&inputs, &outputs, Schema::new(version).describe(description));
        let (inputs, outputs) = (Part::new(&inputs, &schema), Part::new(&outputs, &schema));
        Self { schema: Arc::new(schema), inputs, outputs }
    }

    /// Returns the attributes that the resource decides where the template does not: names, types, whether null is a
    /// value and whether the value outlives an update.
    pub(super) fn computed(&self) -> impl Iterator<Item = (&Arc<str>, &Attribute, bool, bool)> {
        self.schema.block.attributes.iter().filter(|(_, attribute)| attribute.computed).map(|(name, attribute)| {
            let output = self.outputs.find(name);
            let nullable = output.is_none_or(|output| output.nullable);
            let stable = [output, self.inputs.find(name)].into_iter().flatten().any(|named| named.stable);
            (name, attribute, nullable, stable)
        })
    }

    /// Returns whether an attribute is one that the resource decides alone.
    fn is_output_only(&self, name: &str) -> bool {
        self.outputs.find(name).is_some() && self.inputs.find(name).is_none()
    }

    /// Returns the inputs in what was asked for; what is left to the resource is not known and none.
    ///
    /// # Errors
    /// `resource.input` where the schema takes a value that the struct does not.
    pub(super) fn asked<I: DeserializeOwned>(&self, planned: &Value) -> Result<I> {
        decode(self.inputs.of(&self.settled(&self.filled(planned)))).map_err(|error| {
            let message = format!("an attribute has a value that the resource type does not take: {error}");
            Error::new(ErrorKind::InvalidInput, "resource.input", message)
        })
    }

    /// Returns the inputs in what is asked for; `None` while a part of them is not known that the resource does not
    /// decide.
    ///
    /// # Errors
    /// As [`asked`](Self::asked).
    pub(super) fn asked_if_known<I: DeserializeOwned>(&self, planned: &Value) -> Result<Option<I>> {
        let is_known = self.inputs.of(&self.settled(planned)).is_wholly_known();
        is_known.then(|| self.asked(planned)).transpose()
    }

    /// Returns the inputs and outputs in an object that was stored. The outputs are `None` where one is null that the
    /// struct does not take as null: the object was left half made.
    ///
    /// # Errors
    /// `resource.stored_shape` where the object does not fit the structs.
    pub(super) fn stored<I: DeserializeOwned, O: DeserializeOwned>(&self, object: &Value) -> Result<(I, Option<O>)> {
        let misfit = |what: String| {
            let message = format!("a stored object does not fit the structs of its type: {what}");
            Error::new(ErrorKind::Unsupported, "resource.stored_shape", message)
        };
        let conformed = self.schema.conform(object).map_err(|problems| misfit(listed(&problems)))?;
        let object = self.filled(&conformed);
        let inputs = decode(self.inputs.of(&object)).map_err(|error| misfit(error.to_string()))?;
        let outputs = self.outputs.of(&object);
        let is_null = |name: &str| outputs.attribute(name).is_none_or(Value::is_null);
        let is_half_made = self.outputs.names.iter().any(|output| !output.nullable && is_null(&output.name));
        let outputs = (!is_half_made).then(|| decode(outputs)).transpose();
        Ok((inputs, outputs.map_err(|error| misfit(error.to_string()))?))
    }

    /// Returns inputs and outputs as an object.
    ///
    /// # Errors
    /// `resource.inconsistent` where the structs are written as something else than their schema says.
    pub(super) fn object<I: Serialize, O: Serialize>(&self, inputs: &I, outputs: Option<&O>) -> Result<Value> {
        let object = self.with_inputs(&self.schema.block.empty_value(), inputs)?;
        let object = self.with_outputs(&object, outputs)?;
        self.schema.conform(&object).map_err(|problems| breach(&listed(&problems)))
    }

    /// Returns an object with other inputs.
    pub(super) fn with_inputs<I: Serialize>(&self, object: &Value, inputs: &I) -> Result<Value> {
        let inputs = self.inputs.encode(inputs)?;
        Ok(self.rebuilt(object, &|name, part| inputs.attribute(name).unwrap_or(part).clone()))
    }

    /// Returns an object with other outputs, and null for what else is not known.
    ///
    /// An output that is an input too and null says nothing; the input stays.
    pub(super) fn with_outputs<O: Serialize>(&self, object: &Value, outputs: Option<&O>) -> Result<Value> {
        let outputs = outputs.map(|outputs| self.outputs.encode(outputs)).transpose()?;
        let object = self.settled(object);
        Ok(self.rebuilt(&object, &|name, part| {
            let output = outputs.as_ref().and_then(|outputs| outputs.attribute(name));
            let output = output.filter(|output| !output.is_null() || self.is_output_only(name));
            output.unwrap_or(part).clone()
        }))
    }

    /// Returns an object with null for every output and for what else is not known.
    pub(super) fn without_outputs(&self, object: &Value) -> Value {
        self.rebuilt(&self.settled(object), &|name, part| {
            if self.is_output_only(name) { Value::null(part.ty()) } else { part.clone() }
        })
    }

    /// Returns an object in which null stands for what is not known and left to the resource.
    pub(super) fn settled(&self, object: &Value) -> Value {
        if object.is_wholly_known() {
            return object.clone();
        }
        self.rebuilt(object, &|name, part| match self.schema.block.attributes.get(name) {
            Some(attribute) if attribute.computed && !part.is_wholly_known() => {
                Value::null(attribute.ty.without_optional())
            }
            _ => part.clone(),
        })
    }

    /// Returns an object in which defaults stand for nulls: those that were stored before there was a default.
    fn filled(&self, object: &Value) -> Value {
        if !self.schema.block.any_attribute(&|attribute| attribute.default.is_some()) {
            return object.clone();
        }
        self.schema.block.map_attributes(object, &|attribute, part| match &attribute.default {
            Some(default) if part.is_null() => convert(default, &attribute.ty).unwrap_or_else(|_| part.clone()),
            _ => part.clone(),
        })
    }

    fn rebuilt(&self, object: &Value, part: &dyn Fn(&str, &Value) -> Value) -> Value {
        let attributes = object.entries().map(|(name, value)| (Arc::clone(name), part(name, value)));
        Value::object(attributes).with_marks(object.marks())
    }
}

/// Returns `found` with what was stored wherever the structs say the same: what was not touched stays exactly as it was.
///
/// `stored` is an object, `written` what its structs are written as.
pub(super) fn keep_untouched(found: &Value, stored: &Value, written: &Value) -> Value {
    Value::object(found.entries().map(|(name, part)| {
        let before = written.attribute(name).filter(|before| before.same(part));
        let kept = before.and_then(|_| stored.attribute(name));
        (Arc::clone(name), kept.unwrap_or(part).clone())
    }))
}

fn assemble(inputs: &[Field], outputs: &[Field], schema: Schema) -> Schema {
    let mut schema = schema;
    for field in inputs {
        schema = match &field.shape {
            FieldShape::Attribute(attribute) => schema.attribute(field.name, attribute.clone()),
            FieldShape::Block(nested) => schema.block(field.name, nested.clone()),
        };
    }
    for field in outputs {
        let computed = match &field.shape {
            FieldShape::Attribute(attribute) => {
                Attribute { required: false, optional: false, computed: true, ..attribute.clone() }
            }
            // The resource writes no blocks; what it decides are attributes.
            FieldShape::Block(nested) => {
                Attribute::computed(nested.implied_type()).describe(nested.block.description.clone())
            }
        };
        if schema.block.blocks.contains_key(field.name) {
            continue;
        }
        let attribute = match schema.block.attributes.remove(field.name) {
            Some(input) => shared(input, computed),
            None => computed,
        };
        schema = schema.attribute(field.name, attribute);
    }
    schema
}

/// Returns the attribute of a name that is both an input and an output.
fn shared(input: Attribute, output: Attribute) -> Attribute {
    let description = if input.description.is_empty() { output.description } else { input.description };
    Attribute {
        computed: input.optional && input.default.is_none() && !input.write_only,
        sensitive: input.sensitive || output.sensitive,
        description,
        ..input
    }
}
