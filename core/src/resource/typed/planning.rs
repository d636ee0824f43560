use std::sync::Arc;

use super::{Typed, TypedChange, TypedPlan, TypedResource, change::Word, shape::Shape};
use crate::{
    error::{Error, ErrorKind, Result},
    resource::{Context, PlanRequest, PlanResponse},
    schema::Attribute,
    value::{Refinement, Value, convert},
};

/// What is proposed, compared with what is there.
struct Proposal {
    is_new: bool,
    is_change: bool,
    replaces: bool,
}

impl Proposal {
    fn new(shape: &Shape, request: &PlanRequest) -> Self {
        let Some(prior) = &request.prior else { return Self { is_new: true, is_change: true, replaces: false } };
        // What is never stored always differs from what is.
        let (proposed, _) = shape.schema.strip_write_only(&request.proposed).unmark_deep();
        let (prior, _) = shape.schema.strip_write_only(&prior.attributes).unmark_deep();
        Self {
            is_new: false,
            is_change: !shape.schema.changed_paths(&prior, &proposed).is_empty(),
            replaces: !shape.schema.forces_replacement(&prior, &proposed).is_empty(),
        }
    }
}

/// Asks a typed resource about a change and makes a planned object of what it says.
pub(super) async fn plan<R: TypedResource>(
    typed: &Typed<R>,
    ctx: &Context,
    request: PlanRequest,
) -> Result<PlanResponse> {
    let shape = &typed.shape;
    let proposal = Proposal::new(shape, &request);
    let prior = request.prior.as_ref().map(|prior| typed.read_object(prior)).transpose()?;
    let change = TypedChange {
        prior,
        inputs: shape.asked_if_known(&request.proposed)?,
        is_change: proposal.is_change,
        replaces: proposal.replaces,
    };
    let said = typed.resource.plan(ctx, change).await?;
    respond(shape, &proposal, request, said)
}

fn respond(shape: &Shape, proposal: &Proposal, request: PlanRequest, said: TypedPlan) -> Result<PlanResponse> {
    let breach = |what: String| Err(Error::new(ErrorKind::Bug, "resource.inconsistent", what));
    if let Some((name, _)) = said.words.iter().find(|(name, _)| !shape.schema.block.attributes.contains_key(name)) {
        return breach(format!("the resource type plans `{name}`, which is no attribute of its schema"));
    }
    let is_replaced = proposal.replaces || !said.replace.is_empty();
    let mut planned = Vec::new();
    for (name, attribute, nullable, stable) in shape.computed() {
        let Some(proposed) = request.proposed.attribute(name) else { continue };
        if request.config.attribute(name).is_some_and(|config| !config.is_null()) {
            continue;
        }
        let kept = || if proposal.is_new || is_replaced { later(attribute, nullable) } else { proposed.clone() };
        let word = said.words.iter().rev().find(|(said, _)| said == name).map(|(_, word)| word);
        let value = match word {
            Some(Word::Predict(value)) => match convert(value, &attribute.ty) {
                Ok(value) => value,
                Err(error) => return breach(format!("the resource type predicts another type for `{name}`: {error}")),
            },
            Some(Word::Recompute) => later(attribute, nullable),
            Some(Word::Keep) => kept(),
            None if stable || !proposal.is_change => kept(),
            None => later(attribute, nullable),
        };
        planned.push((Arc::clone(name), value.with_marks(proposed.marks())));
    }
    let changed = |name: &Arc<str>| planned.iter().find(|(planned, _)| planned == name).map(|(_, value)| value.clone());
    let attributes = request
        .proposed
        .entries()
        .map(|(name, part)| (Arc::clone(name), changed(name).unwrap_or_else(|| part.clone())));
    Ok(PlanResponse {
        planned: Value::object(attributes).with_marks(request.proposed.marks()),
        requires_replace: said.replace,
        private: said.private,
    })
}

/// Returns a value that is known only when the object is made.
fn later(attribute: &Attribute, nullable: bool) -> Value {
    let ty = attribute.ty.without_optional();
    if nullable { Value::unknown(ty) } else { Value::unknown_with(ty, Refinement::not_null()) }
}
