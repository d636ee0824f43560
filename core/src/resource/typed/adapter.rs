use std::sync::Arc;

use async_trait::async_trait;

use super::{
    Failed, Half, Made, TypedEvidence, TypedObject, TypedOutcome, TypedReadiness, TypedRecovery, TypedResource,
    failure::Left,
    planning,
    shape::{Shape, keep_untouched},
};
use crate::{
    error::{Error, Result},
    pricing::Prices,
    resource::{
        Context, Evidence, Object, ObjectState, Outcome, PlanRequest, PlanResponse, QuoteItem, Readiness, Recovery,
        Resource, Traits,
    },
    schema::Schema,
    state::Amount,
    value::Value,
};

/// A [`TypedResource`] as the engine sees it: a [`Resource`].
///
/// Made by [`typed`]; the schema is built then, once.
#[derive(Debug)]
pub struct Typed<R> {
    pub(super) resource: R,
    pub(super) shape: Shape,
}

/// Returns a typed resource as one that can be registered.
///
/// # Complexity
/// O(s), s fields of its structs at any depth.
pub fn typed<R: TypedResource>(resource: R) -> Typed<R> {
    let shape = Shape::new::<R::Inputs, R::Outputs>(resource.version(), resource.description());
    Typed { resource, shape }
}

/// An object as it is stored, and what its structs are written as.
struct Reference<'a> {
    stored: &'a Value,
    written: Value,
}

impl<R: TypedResource> Typed<R> {
    /// Returns the typed resource.
    pub fn inner(&self) -> &R {
        &self.resource
    }

    pub(super) fn read_object(&self, object: &Object) -> Result<TypedObject<R>> {
        let (inputs, outputs) = self.shape.stored(&object.attributes)?;
        Ok(TypedObject { id: object.id.clone(), inputs, outputs, private: object.private.clone() })
    }

    fn reference<'a>(&self, stored: &'a Value, object: &TypedObject<R>) -> Result<Reference<'a>> {
        Ok(Reference { stored, written: self.shape.object(&object.inputs, object.outputs.as_ref())? })
    }

    /// Writes an object down, keeping what is untouched since one of the references.
    fn write_object(
        &self,
        object: TypedObject<R>,
        private: Option<&Arc<[u8]>>,
        references: &[Reference<'_>],
    ) -> Result<Object> {
        let mut attributes = self.shape.object(&object.inputs, object.outputs.as_ref())?;
        for Reference { stored, written } in references {
            attributes = keep_untouched(&attributes, stored, written);
        }
        Ok(Object { id: object.id, attributes, private: object.private.or_else(|| private.cloned()) })
    }

    /// Writes down what a create or update came to. `base` has what the object is where nothing is said about it:
    /// what was asked for.
    fn outcome(&self, ended: TypedOutcome<R>, planned: &Value, prior: Option<&Object>) -> Outcome {
        match ended {
            Ok(made) => self.made(made, planned, prior, Vec::new()),
            Err(failed) => self.failed(failed, planned, prior),
        }
    }

    fn made(&self, made: Made<R::Outputs>, planned: &Value, prior: Option<&Object>, problems: Vec<Error>) -> Outcome {
        let Made { id, outputs, private } = made;
        match self.shape.with_outputs(planned, Some(&outputs)) {
            Ok(attributes) => {
                let object = Object { id, attributes, private: kept(private, prior) };
                Outcome { object: ObjectState::Complete(object), problems }
            }
            // The object is there, though what it is cannot be written down.
            Err(error) => {
                let attributes = match prior {
                    Some(prior) => prior.attributes.clone(),
                    None => self.shape.without_outputs(planned),
                };
                let object = Object { id, attributes, private: kept(private, prior) };
                let problems = problems.into_iter().chain([error]).collect();
                Outcome { object: ObjectState::Partial(object), problems }
            }
        }
    }

    fn failed(&self, failed: Failed<R>, planned: &Value, prior: Option<&Object>) -> Outcome {
        let (left, mut problems) = failed.into_parts();
        let object = match left {
            Left::Unchanged => ObjectState::Unchanged,
            Left::Gone => ObjectState::Gone,
            Left::Complete(made) => return self.made(made, planned, prior, problems),
            Left::Partial(half) => ObjectState::Partial(self.half(half, planned, prior, &mut problems)),
        };
        Outcome { object, problems }
    }

    fn half(&self, half: Half<R>, planned: &Value, prior: Option<&Object>, problems: &mut Vec<Error>) -> Object {
        let base = match prior {
            Some(prior) => prior.attributes.clone(),
            None => self.shape.without_outputs(planned),
        };
        let mut or_report = |attempt: Result<Value>, base: &Value| {
            attempt.unwrap_or_else(|error| {
                problems.push(error);
                base.clone()
            })
        };
        let attributes = match &half.inputs {
            Some(inputs) => or_report(self.shape.with_inputs(&base, inputs), &base),
            None => base,
        };
        let attributes = match &half.outputs {
            Some(outputs) => or_report(self.shape.with_outputs(&attributes, Some(outputs)), &attributes),
            None => attributes,
        };
        Object { id: half.id, attributes, private: kept(half.private, prior) }
    }

    /// Returns what an interrupted create was to become, as far as it is known.
    fn begun(&self, evidence: &Evidence) -> Option<Value> {
        let planned = evidence.planned.as_ref().map(|planned| self.shape.without_outputs(planned));
        let Some(partial) = &evidence.partial else { return planned };
        let base = planned.unwrap_or_else(|| self.shape.schema.block.empty_value());
        let attributes = base.entries().map(|(name, part)| {
            let noted = partial.attribute(name).filter(|noted| noted.is_wholly_known() && !noted.is_null());
            (Arc::clone(name), noted.unwrap_or(part).clone())
        });
        Some(Value::object(attributes))
    }
}

/// Returns private bytes, or those that there were.
fn kept(private: Option<Arc<[u8]>>, prior: Option<&Object>) -> Option<Arc<[u8]>> {
    private.or_else(|| prior.and_then(|prior| prior.private.clone()))
}

#[async_trait]
impl<R: TypedResource> Resource for Typed<R> {
    fn schema(&self) -> Arc<Schema> {
        Arc::clone(&self.shape.schema)
    }

    fn traits(&self) -> Traits {
        self.resource.traits()
    }

    async fn validate(&self, ctx: &Context, config: &Value) -> Result<()> {
        match self.shape.asked_if_known(config)? {
            Some(inputs) => self.resource.validate(ctx, &inputs).await,
            None => Ok(()),
        }
    }

    async fn plan(&self, ctx: &Context, request: PlanRequest) -> Result<PlanResponse> {
        planning::plan(self, ctx, request).await
    }

    async fn create(&self, ctx: &Context, planned: Value) -> Outcome {
        let inputs = match self.shape.asked(&planned) {
            Ok(inputs) => inputs,
            Err(error) => return Outcome::failed(error),
        };
        self.outcome(self.resource.create(ctx, inputs).await, &planned, None)
    }

    async fn read(&self, ctx: &Context, object: &Object) -> Result<Option<Object>> {
        let before = self.read_object(object)?;
        let reference = self.reference(&object.attributes, &before)?;
        let found = self.resource.read(ctx, before).await?;
        found.map(|found| self.write_object(found, object.private.as_ref(), &[reference])).transpose()
    }

    async fn update(&self, ctx: &Context, prior: &Object, planned: Value) -> Outcome {
        let (before, inputs) = match (self.read_object(prior), self.shape.asked(&planned)) {
            (Ok(before), Ok(inputs)) => (before, inputs),
            (Err(error), _) | (_, Err(error)) => return Outcome::failed(error),
        };
        self.outcome(self.resource.update(ctx, before, inputs).await, &planned, Some(prior))
    }

    async fn delete(&self, ctx: &Context, prior: &Object) -> Outcome {
        let before = match self.read_object(prior) {
            Ok(before) => before,
            Err(error) => return Outcome::failed(error),
        };
        match self.resource.delete(ctx, before).await {
            Ok(()) => Outcome::gone(),
            Err(failed) => self.failed(failed, &prior.attributes, Some(prior)),
        }
    }

    async fn import(&self, ctx: &Context, id: &str) -> Result<Option<Object>> {
        let found = self.resource.import(ctx, id).await?;
        found.map(|found| self.write_object(found, None, &[])).transpose()
    }

    async fn ready(&self, ctx: &Context, object: &Object) -> Result<Readiness> {
        Ok(match self.resource.ready(ctx, self.read_object(object)?).await? {
            TypedReadiness::Ready => Readiness::Ready(object.clone()),
            TypedReadiness::ReadyWith(outputs) => {
                let attributes = self.shape.with_outputs(&object.attributes, Some(&outputs))?;
                Readiness::Ready(Object { attributes, ..object.clone() })
            }
            TypedReadiness::NotYet { reason } => Readiness::NotYet { reason },
            TypedReadiness::Failed { reason } => Readiness::Failed { reason },
        })
    }

    async fn recover(&self, ctx: &Context, evidence: &Evidence) -> Result<Recovery> {
        let prior = evidence.prior.as_ref();
        let begun = self.begun(evidence);
        let asked = |planned: &Value| self.shape.asked::<R::Inputs>(planned);
        let object = match (prior, &evidence.id, &begun) {
            (Some(prior), ..) => Some(self.read_object(prior)?),
            (None, Some(id), Some(begun)) => Some(self.read_object(&Object::new(id.clone(), begun.clone()))?),
            _ => None,
        };
        // What is found may be as it was before or as it was to become; either is kept as it was written.
        let mut references = Vec::new();
        if let (Some(prior), Some(object)) = (prior, &object) {
            references.push(self.reference(&prior.attributes, object)?);
        }
        if let (Some(begun), Some(planned)) = (&begun, &evidence.planned) {
            let written = self.shape.object(&asked(planned)?, None::<&R::Outputs>)?;
            references.push(Reference { stored: begun, written });
        }
        let typed = TypedEvidence {
            id: evidence.id.clone().or_else(|| prior.map(|prior| prior.id.clone())),
            object,
            asked: evidence.planned.as_ref().map(asked).transpose()?,
            is_create: prior.is_none(),
        };
        Ok(match self.resource.recover(ctx, typed).await? {
            TypedRecovery::Found(found) => {
                let private = prior.and_then(|prior| prior.private.as_ref());
                Recovery::Found(self.write_object(found, private, &references)?)
            }
            TypedRecovery::Absent => Recovery::Absent,
            TypedRecovery::CannotTell { reason } => Recovery::CannotTell { reason },
        })
    }

    async fn quote(&self, ctx: &Context, items: &[QuoteItem]) -> Result<Vec<Prices>> {
        self.resource.quote(ctx, items).await
    }

    fn consumes(&self, attributes: &Value) -> Vec<(Arc<str>, Amount)> {
        self.resource.consumes(attributes)
    }

    async fn upgrade(&self, ctx: &Context, version: u64, attributes: serde_json::Value) -> Result<Value> {
        let (inputs, outputs) = self.resource.upgrade(ctx, version, attributes).await?;
        self.shape.object(&inputs, outputs.as_ref())
    }
}
