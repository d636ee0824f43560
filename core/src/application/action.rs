use std::{collections::BTreeMap, sync::Arc};

use super::{
    ActionCall, ActionHandler, CredentialRequest, Fact, GrantId, Installation, OperationId, Outcome, Parcel, Standing,
    Verb, fold::Folded, problem, propose::sealed,
};
use crate::{
    address,
    catalog::Target,
    error::{Error, ErrorKind, Result},
    event::Timestamp,
    form::{self, Inputs, Phase},
    resource::Object,
    run::guarded,
    state::{LedgerDraft, RowStatus},
    value::Value,
};

/// What came of an action.
#[derive(Clone, Debug)]
pub struct ActionReport {
    /// Which operation it was.
    pub operation: OperationId,
    /// What the handler says; nobody stores it.
    pub answer: Value,
}

impl Installation {
    /// Carries an action of the installed package out, and waits for its end.
    ///
    /// `parcel` is the version that is installed. That it is about to happen, and how it ended, is in the ledger; what was
    /// filled in is stored there sealed, and what the handler answers is not.
    ///
    /// # Errors
    /// `installation.denied`; `installation.standing` where nothing is installed; `installation.package` where the parcel is
    /// another version; `installation.action` where the package has no such action, or nobody carries it out here;
    /// `installation.form`; those of broker and handler; what any call gets that takes too long or panics.
    ///
    /// # Cancellation
    /// Dropping the future ends the call; the ledger says `interrupted` once [`recover`](Self::recover) looks.
    pub async fn act(&self, parcel: &Parcel, action: &str, inputs: &Inputs, why: &str) -> Result<ActionReport> {
        self.permit(Verb::Act, Some(parcel.reference()), Some(action)).await?;
        self.act_granted(parcel, action, inputs, why, None).await
    }

    pub(super) async fn act_granted(
        &self,
        parcel: &Parcel,
        action: &str,
        inputs: &Inputs,
        why: &str,
        grant: Option<GrantId>,
    ) -> Result<ActionReport> {
        let folded = self.load().await?;
        let is_there = matches!(folded.view.standing, Standing::Installed | Standing::Broken(_));
        let Some(good) = folded.good.as_ref().filter(|_| is_there) else {
            return Err(problem::standing(&folded.view, "operated"));
        };
        if good.package != *parcel.reference() {
            let message = format!("{} is installed, and this is {}", good.package, parcel.reference());
            return Err(problem::package(message));
        }
        let role = good.role.clone();
        let prepared = self.prepare(parcel, action, inputs, &folded).await?;
        let targets: Vec<Arc<str>> = prepared.targets.iter().map(|object| object.id.as_str().into()).collect();
        let policy = parcel.package().action_policy(action, &good.variables, &targets)?;
        let operation = OperationId::mint();
        let now = self.now();
        let deadline = now.plus(self.apps.platform.inner.action_timeout);
        let fact = Fact::ActionIntended {
            operation,
            action: action.into(),
            by: (*self.apps.actor).clone(),
            why: why.into(),
            grant,
            deadline,
        };
        let draft = LedgerDraft::new(&fact)?.with("inputs", sealed(&prepared.filled));
        self.record(|folded| match folded.view.standing {
            Standing::Leaving => Err(problem::standing(&folded.view, "operated")),
            _ => Ok(vec![draft.clone()]),
        })
        .await?;
        let request = CredentialRequest {
            actor: (*self.apps.actor).clone(),
            tenant: Arc::clone(&self.key.tenant),
            installation: Arc::clone(&self.key.name),
            operation,
            action: action.into(),
            role,
            targets,
            policy,
            until: deadline,
        };
        let called = self.call(prepared, &folded, &request).await;
        let (outcome, problems) = match &called {
            Ok(_) => (Outcome::Succeeded, Vec::new()),
            Err(error) => (Outcome::Failed, vec![Arc::from(error.code())]),
        };
        let noted = self.note_end(operation, outcome, problems).await;
        let answer = called?;
        noted?;
        Ok(ActionReport { operation, answer })
    }

    async fn call(&self, prepared: Prepared, folded: &Folded, request: &CredentialRequest) -> Result<Value> {
        let outputs = self.stack.outputs().await?;
        // Last, so that nothing stands between a lease and its return.
        let broker = self.apps.platform.inner.broker.clone();
        let credentials = match &broker {
            Some(broker) => Some(broker.lease(request).await?),
            None => None,
        };
        let lease = credentials.as_ref().map(|credentials| Arc::clone(&credentials.id));
        let call = ActionCall {
            actor: request.actor.clone(),
            tenant: Arc::clone(&self.key.tenant),
            installation: Arc::clone(&self.key.name),
            app_id: Arc::clone(&folded.view.app_id),
            operation: request.operation,
            action: Arc::clone(&request.action),
            inputs: prepared.values,
            outputs: outputs.into_iter().map(|(name, output)| (name, output.value)).collect(),
            targets: prepared.targets,
            credentials,
            deadline: request.until,
        };
        let limit = self.apps.platform.inner.action_timeout;
        let answer = guarded(self.apps.platform.engine().clock(), limit, prepared.handler.call(call)).await;
        if let (Some(broker), Some(id)) = (broker, lease) {
            broker.give_back(request, &id).await;
        }
        answer
    }

    /// Finds out who carries an action out, on what, and with which inputs.
    async fn prepare(&self, parcel: &Parcel, name: &str, inputs: &Inputs, folded: &Folded) -> Result<Prepared> {
        let package = parcel.package();
        let actions = package.manifest.as_ref().map(|manifest| manifest.actions.as_slice()).unwrap_or_default();
        let Some(action) = actions.iter().find(|action| *action.name == *name) else {
            let known: Vec<&str> = actions.iter().map(|action| &*action.name).collect();
            let near = crate::error::suggest(name, known.iter().copied());
            let hint = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
            return Err(unfit(format!("{} has no action `{name}`{hint}", parcel.reference())));
        };
        let (values, filled) = match package.action_forms.iter().find(|(of, _)| *of == action.name) {
            None => (Value::empty_object(), BTreeMap::new()),
            Some((_, form)) => {
                let context = self.context_of(form, Phase::Action, folded);
                let state = form::eval(form, inputs, &context);
                if !state.ready {
                    return Err(problem::form(&state));
                }
                (state.values, inputs.values.clone())
            }
        };
        let (key, targets) = match &action.target {
            Target::Handler(handler) => (handler.to_string(), Vec::new()),
            Target::Resource(place) => {
                let (type_name, objects) = self.objects(&place.path).await?;
                (format!("{type_name}.{name}"), objects)
            }
        };
        let handler = self.apps.platform.inner.handlers.get(&key).cloned();
        let handler = handler.ok_or_else(|| unfit(format!("nobody carries out `{key}` here")))?;
        Ok(Prepared { handler, values, filled, targets })
    }

    /// Returns the objects that an address stands for, in its order, and their type.
    async fn objects(&self, address: &str) -> Result<(Arc<str>, Vec<Object>)> {
        let target: address::Target = address.parse()?;
        let state = self.stack.state().await?;
        let rows = state.sorted().into_iter();
        let there = rows.filter(|row| row.status == RowStatus::Current && target.contains(&row.address));
        let mut type_name = None;
        let mut objects = Vec::new();
        for row in there {
            let Some(id) = &row.remote_id else { continue };
            type_name.get_or_insert_with(|| Arc::clone(&row.type_name));
            objects.push(Object::new(id, row.attributes.clone()));
        }
        let type_name = type_name.ok_or_else(|| unfit(format!("the installation has nothing at `{address}`")))?;
        Ok((type_name, objects))
    }
}

struct Prepared {
    handler: Arc<dyn ActionHandler>,
    values: Value,
    filled: BTreeMap<Arc<str>, Value>,
    targets: Vec<Object>,
}

fn unfit(message: String) -> Error {
    Error::new(ErrorKind::NotFound, "installation.action", message)
}

/// Returns whether a moment has come.
pub(super) fn is_over(until: Timestamp, now: Timestamp) -> bool {
    now >= until
}
