use std::{collections::BTreeMap, fmt, sync::Arc};

use async_trait::async_trait;

use super::{Actor, OperationId};
use crate::{error::Result, event::Timestamp, resource::Object, value::Value};

/// A call of an action.
#[derive(Clone, Debug)]
pub struct ActionCall {
    /// Who wants it.
    pub actor: Actor,
    /// Whose installation it is.
    pub tenant: Arc<str>,
    /// The name of the installation.
    pub installation: Arc<str>,
    /// What it is called in tags.
    pub app_id: Arc<str>,
    /// Which call it is: the same for a repeat of the same call.
    pub operation: OperationId,
    /// The action.
    pub action: Arc<str>,
    /// What was filled in, an object by name of the field; secrets are marked.
    pub inputs: Value,
    /// What the installation says of itself, by name of the output; secrets are marked.
    pub outputs: BTreeMap<String, Value>,
    /// The objects that the action is for, in order of address: all instances of the resource that the manifest names.
    /// Empty for actions of the host's own.
    pub targets: Vec<Object>,
    /// Credentials for this call alone, where the host leases any.
    pub credentials: Option<Credentials>,
    /// When nobody waits for it any more.
    pub deadline: Timestamp,
}

/// Carries out an action of a package.
#[async_trait]
pub trait ActionHandler: fmt::Debug + Send + Sync + 'static {
    /// Carries it out, and returns what there is to tell: any value; nobody stores it.
    ///
    /// # Errors
    /// Whatever went wrong, free of secrets. The ledger gets the code.
    async fn call(&self, call: ActionCall) -> Result<Value>;
}

/// What credentials are wanted for.
#[derive(Clone, Debug)]
pub struct CredentialRequest {
    /// Who acts.
    pub actor: Actor,
    /// Whose installation it is.
    pub tenant: Arc<str>,
    /// The name of the installation.
    pub installation: Arc<str>,
    /// Which operation.
    pub operation: OperationId,
    /// The action.
    pub action: Arc<str>,
    /// The role that the installation runs in; credentials must not reach further.
    pub role: Option<Arc<str>>,
    /// The objects that the action is for, by their remote ids: what a session policy narrows to.
    pub targets: Vec<Arc<str>>,
    /// What the package says that they may do, worked out for what was filled in: a session policy in the host's own words.
    /// Credentials must not reach further, either.
    pub policy: Option<Arc<str>>,
    /// Until when they are needed.
    pub until: Timestamp,
}

/// Credentials for one operation. Never stored, never logged: its `Debug` shows nothing.
#[derive(Clone)]
pub struct Credentials {
    /// What the broker calls them, to give them back. No secret.
    pub id: Arc<str>,
    /// Whatever the handler needs.
    pub secret: Value,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Leases credentials, one operation at a time.
#[async_trait]
pub trait CredentialBroker: fmt::Debug + Send + Sync + 'static {
    /// Leases credentials.
    ///
    /// # Errors
    /// Whatever keeps it from that; then nothing is done.
    async fn lease(&self, request: &CredentialRequest) -> Result<Credentials>;

    /// Takes them back. Called once for each lease, however the operation ended; what is lost in a crash expires.
    async fn give_back(&self, request: &CredentialRequest, id: &str);
}

/// What role a package wants to run in.
#[derive(Clone, Debug)]
pub struct RoleRequest {
    /// Who installs it.
    pub actor: Actor,
    /// Whose installation it is.
    pub tenant: Arc<str>,
    /// The name of the installation.
    pub installation: Arc<str>,
    /// What it is called in tags.
    pub app_id: Arc<str>,
    /// What the role must be allowed to do: the package's document with what was filled in.
    pub policy: Arc<str>,
}

/// Makes the roles that installations run in.
#[async_trait]
pub trait RoleBroker: fmt::Debug + Send + Sync + 'static {
    /// Looks at what a role would be allowed to do, and returns what it is called. The same request gives the same role.
    ///
    /// # Errors
    /// Why there is no such role; then nothing is installed.
    async fn role(&self, request: &RoleRequest) -> Result<Arc<str>>;
}

/// Where an installation answers to actions of its own.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// Whose installation it is.
    pub tenant: Arc<str>,
    /// The name of the installation.
    pub installation: Arc<str>,
    /// What it is called in tags.
    pub app_id: Arc<str>,
    /// What the output `stackwright_action_endpoint` says: an object with `address` and `key`; secrets are marked.
    pub value: Value,
}

/// Knows where installations answer.
#[async_trait]
pub trait Gateway: fmt::Debug + Send + Sync + 'static {
    /// Lets an endpoint be called; after the run that made it succeeded. May be called again with the same.
    ///
    /// # Errors
    /// Whatever keeps it from that.
    async fn register(&self, endpoint: &Endpoint) -> Result<()>;

    /// Lets it be called no more; before the run that removes it begins. May be called for what is not there.
    ///
    /// # Errors
    /// Whatever keeps it from that; then nothing is removed.
    async fn withdraw(&self, tenant: &str, installation: &str) -> Result<()>;
}
