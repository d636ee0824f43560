use std::{fmt, sync::Arc};

use async_trait::async_trait;
use serde::{Serialize, de::DeserializeOwned};

use super::{Attributes, shape::Shape};
use crate::{
    error::Result,
    event::Timestamp,
    resource::{Context, EphemeralResource, Opened, Renewed},
    schema::Schema,
    value::Value,
};

/// Something that is opened for a while and closed afterwards, in terms of structs.
///
/// Register [`typed_ephemeral(it)`](super::typed_ephemeral). Names in the structs work as they do for a
/// [`TypedResource`](super::TypedResource).
///
/// # Examples
/// ```
/// use async_trait::async_trait;
/// use serde::{Deserialize, Serialize};
/// use stackwright::{Result, resource::{Context, EphemeralResource, typed::*}};
///
/// #[derive(Serialize, Deserialize, Attributes)]
/// struct TokenInputs { scope: String }
///
/// #[derive(Serialize, Deserialize, Attributes)]
/// struct TokenOutputs {
///     #[attribute(sensitive)]
///     token: String,
/// }
///
/// #[derive(Debug)]
/// struct Token;
///
/// #[async_trait]
/// impl TypedEphemeral for Token {
///     type Inputs = TokenInputs;
///     type Outputs = TokenOutputs;
///     /// What renewing and closing need to know.
///     type Handle = String;
///
///     async fn open(&self, _: &Context, inputs: TokenInputs) -> Result<TypedOpened<Self>> {
///         let token = format!("token for {}", inputs.scope);
///         Ok(TypedOpened::new(TokenOutputs { token: token.clone() }, token))
///     }
///
///     async fn close(&self, _: &Context, _token: String) -> Result<()> {
///         Ok(()) // A call of the service that revokes the token would stand here.
///     }
/// }
///
/// assert!(typed_ephemeral(Token).schema().block.attributes["token"].computed);
/// ```
#[async_trait]
pub trait TypedEphemeral: fmt::Debug + Sized + Send + Sync + 'static {
    /// What the template sets.
    type Inputs: Attributes + Serialize + DeserializeOwned + Send + Sync + 'static;

    /// What it holds.
    type Outputs: Attributes + Serialize + DeserializeOwned + Send + Sync + 'static;

    /// What renewing and closing need to know; `()` if that is nothing. Kept in memory only.
    type Handle: Serialize + DeserializeOwned + Send + Sync + 'static;

    /// Returns what the type is, in sentences. By default what the inputs say.
    fn description(&self) -> String {
        Self::Inputs::description().to_owned()
    }

    /// Opens it.
    async fn open(&self, ctx: &Context, inputs: Self::Inputs) -> Result<TypedOpened<Self>>;

    /// Makes it last longer; returns what the next renewal and closing need to know, and when it has to be renewed again
    /// at the latest. By default it lasts as it is, and is not asked again.
    async fn renew(&self, ctx: &Context, handle: Self::Handle) -> Result<(Self::Handle, Option<Timestamp>)> {
        let _ = ctx;
        Ok((handle, None))
    }

    /// Gives it back.
    async fn close(&self, ctx: &Context, handle: Self::Handle) -> Result<()> {
        let (_, _) = (ctx, handle);
        Ok(())
    }
}

/// What opening a [`TypedEphemeral`] came to. `Debug` shows nothing of it.
pub struct TypedOpened<E: TypedEphemeral> {
    outputs: E::Outputs,
    handle: E::Handle,
    renew_at: Option<Timestamp>,
}

impl<E: TypedEphemeral> TypedOpened<E> {
    /// Returns what is open until it is closed.
    pub fn new(outputs: E::Outputs, handle: E::Handle) -> Self {
        Self { outputs, handle, renew_at: None }
    }

    /// Sets when it has to be renewed at the latest.
    pub fn renew_at(mut self, at: Timestamp) -> Self {
        self.renew_at = Some(at);
        self
    }
}

impl<E: TypedEphemeral> fmt::Debug for TypedOpened<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TypedOpened").field("renew_at", &self.renew_at).finish_non_exhaustive()
    }
}

/// A [`TypedEphemeral`] as the engine sees it: an [`EphemeralResource`].
///
/// Made by [`typed_ephemeral`]; the schema is built then, once.
#[derive(Debug)]
pub struct TypedOpening<E> {
    inner: E,
    shape: Shape,
}

/// Returns a typed ephemeral resource type as one that can be registered.
///
/// # Complexity
/// O(s), s fields of its structs at any depth.
pub fn typed_ephemeral<E: TypedEphemeral>(inner: E) -> TypedOpening<E> {
    let shape = Shape::new::<E::Inputs, E::Outputs>(0, inner.description());
    TypedOpening { inner, shape }
}

fn packed(handle: &impl Serialize) -> Result<Option<Arc<[u8]>>> {
    // Serde's own words are not repeated; they may quote what they are about.
    let bytes = serde_json::to_vec(handle).map_err(|_| super::shape::breach("its handle cannot be serialised"))?;
    Ok(Some(bytes.into()))
}

fn unpacked<T: DeserializeOwned>(private: Option<&Arc<[u8]>>) -> Result<T> {
    let bytes = private.map(|bytes| &**bytes).unwrap_or_default();
    serde_json::from_slice(bytes).map_err(|_| super::shape::breach("its handle cannot be read back"))
}

#[async_trait]
impl<E: TypedEphemeral> EphemeralResource for TypedOpening<E> {
    fn schema(&self) -> Arc<Schema> {
        Arc::clone(&self.shape.schema)
    }

    async fn open(&self, ctx: &Context, config: Value) -> Result<Opened> {
        let opened = self.inner.open(ctx, self.shape.asked(&config)?).await?;
        Ok(Opened {
            value: self.shape.with_outputs(&config, Some(&opened.outputs))?,
            renew_at: opened.renew_at,
            private: packed(&opened.handle)?,
        })
    }

    async fn renew(&self, ctx: &Context, private: Option<Arc<[u8]>>) -> Result<Renewed> {
        let (handle, renew_at) = self.inner.renew(ctx, unpacked(private.as_ref())?).await?;
        Ok(Renewed { renew_at, private: packed(&handle)? })
    }

    async fn close(&self, ctx: &Context, private: Option<Arc<[u8]>>) -> Result<()> {
        self.inner.close(ctx, unpacked(private.as_ref())?).await
    }
}
