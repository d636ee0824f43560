use std::sync::{Arc, OnceLock};

use async_trait::async_trait;

use super::{Context, Evidence, Object, Outcome, PlanRequest, PlanResponse, Recovery, Resource, Traits};
use crate::{
    error::{Error, ErrorKind, Result},
    schema::{Attribute, Schema},
    value::{Path, Refinement, Type, Value},
};

/// Terraform's builtin `terraform_data`: remembers a value and has a life cycle, without touching the world.
///
/// `output` repeats `input`, and what is sensitive there is sensitive in it (Terraform shows it); another `triggers_replace` makes a new object. The id is the object id, so that making
/// one twice gives the same object.
#[derive(Clone, Copy, Debug, Default)]
pub struct TerraformData;

fn schema() -> Arc<Schema> {
    static SCHEMA: OnceLock<Arc<Schema>> = OnceLock::new();
    Arc::clone(SCHEMA.get_or_init(|| {
        Arc::new(
            Schema::new(0)
                .attribute("id", Attribute::computed(Type::String))
                .attribute("input", Attribute::optional(Type::Any))
                .attribute("output", Attribute::computed(Type::Any).echoes("input"))
                .attribute("triggers_replace", Attribute::optional(Type::Any)),
        )
    }))
}

fn attribute(object: &Value, name: &str) -> Value {
    object.attribute(name).cloned().unwrap_or_else(|| Value::null(Type::Any))
}

/// Returns `planned` with id and output set.
fn finish(planned: &Value, id: &str) -> Value {
    let input = attribute(planned, "input");
    Value::object([
        (Arc::from("id"), Value::string(id)),
        (Arc::from("output"), input.clone()),
        (Arc::from("input"), input),
        (Arc::from("triggers_replace"), attribute(planned, "triggers_replace")),
    ])
}

#[async_trait]
impl Resource for TerraformData {
    fn schema(&self) -> Arc<Schema> {
        schema()
    }

    fn traits(&self) -> Traits {
        Traits { idempotent_create: true, ready_at_once: true, free: true, ..Traits::default() }
    }

    async fn plan(&self, _ctx: &Context, request: PlanRequest) -> Result<PlanResponse> {
        let proposed = &request.proposed;
        let input = attribute(proposed, "input");
        let triggers = attribute(proposed, "triggers_replace");
        let prior = request.prior.as_ref().map(|object| &object.attributes);
        let before = |name: &str| prior.map(|prior| attribute(prior, name));
        let replace = prior.is_some() && before("triggers_replace").as_ref() != Some(&triggers);
        let id = match before("id") {
            Some(id) if !replace => id,
            _ => Value::unknown_with(Type::String, Refinement::not_null()),
        };
        // A value that does not change keeps its output; a null input makes a null output at once.
        let output = match before("output") {
            Some(output) if before("input").as_ref() == Some(&input) => output,
            _ if input.is_null() => Value::null(Type::Any),
            _ => Value::unknown(input.ty()),
        };
        Ok(PlanResponse {
            planned: Value::object([
                (Arc::from("id"), id),
                (Arc::from("input"), input),
                (Arc::from("output"), output),
                (Arc::from("triggers_replace"), triggers),
            ]),
            requires_replace: if replace { vec![Path::default().attr("triggers_replace")] } else { Vec::new() },
            private: None,
        })
    }

    async fn create(&self, ctx: &Context, planned: Value) -> Outcome {
        let id = ctx.idempotency_key();
        Outcome::complete(Object::new(id.clone(), finish(&planned, &id)))
    }

    async fn read(&self, _ctx: &Context, object: &Object) -> Result<Option<Object>> {
        Ok(Some(object.clone()))
    }

    async fn update(&self, _ctx: &Context, prior: &Object, planned: Value) -> Outcome {
        Outcome::complete(Object::new(prior.id.clone(), finish(&planned, &prior.id)))
    }

    async fn delete(&self, _ctx: &Context, _prior: &Object) -> Outcome {
        Outcome::gone()
    }

    async fn import(&self, _ctx: &Context, id: &str) -> Result<Option<Object>> {
        if id.is_empty() {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                "resource.import_id",
                "the id of a `terraform_data` is empty",
            ));
        }
        let empty = Value::object(std::iter::empty::<(Arc<str>, Value)>());
        Ok(Some(Object::new(id, finish(&empty, id))))
    }

    async fn recover(&self, ctx: &Context, evidence: &Evidence) -> Result<Recovery> {
        // Nothing outside remembers one: whether the call was made or not, its result is the same.
        let id = evidence.prior.as_ref().map_or_else(|| ctx.idempotency_key(), |prior| prior.id.clone());
        Ok(match &evidence.planned {
            Some(planned) => Recovery::Found(Object::new(id.clone(), finish(planned, &id))),
            None => Recovery::Absent,
        })
    }
}
