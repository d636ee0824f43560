use std::fmt;

use async_trait::async_trait;
use napi::{
    Status,
    bindgen_prelude::{FnArgs, Promise},
    threadsafe_function::ThreadsafeFunction,
};
use stackwright::{
    Error, Result,
    ffi::{self, Host, Reply, Request, host_failed},
};

use crate::context::CallContext;

/// The arguments of the function that performs calls.
type Arguments = FnArgs<(CallContext, String)>;

/// The async function that performs calls. The callee sees no `error` argument; the function alone does not keep Node
/// alive, since whoever awaits a run does.
pub(crate) type Dispatch = ThreadsafeFunction<Arguments, Promise<String>, Arguments, Status, false, true>;

pub(crate) struct NodeHost {
    dispatch: Dispatch,
}

impl NodeHost {
    pub(crate) fn new(dispatch: Dispatch) -> Self {
        Self { dispatch }
    }
}

#[async_trait]
impl Host for NodeHost {
    async fn call(&self, ctx: ffi::CallContext, request: Request) -> Result<Reply> {
        let arguments = FnArgs::from((CallContext::new(ctx), request.to_json()?));
        // Twice: once for the call on the main thread, once for the promise that it returns.
        let promise = self.dispatch.call_async_catch(arguments).await.map_err(raised)?;
        let text = promise.await.map_err(raised)?;
        Reply::from_json(&text)
    }
}

/// Class and code of what was thrown do not cross; the message is not repeated, as it may quote a secret.
fn raised(error: napi::Error) -> Error {
    host_failed(error.status.as_ref())
}

impl fmt::Debug for NodeHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NodeHost")
    }
}
