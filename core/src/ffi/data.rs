use std::{fmt, sync::Arc};

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use super::{Call, CallContext, DataDescriptor, Document, Facts, Host, Reply, Request, host::wrong};
use crate::{
    error::Result,
    resource::{Context, DataSource, layer::Verb},
    schema::Schema,
    value::{Type, Value},
};

/// A data source that a host looks up.
pub struct HostDataSource {
    host: Arc<dyn Host>,
    schema: Arc<Schema>,
    ty: Type,
}

impl HostDataSource {
    /// Returns the data source that a host describes.
    pub fn new(descriptor: DataDescriptor, host: Arc<dyn Host>) -> Self {
        let schema = Arc::new(descriptor.schema);
        Self { host, ty: schema.block.implied_type(), schema }
    }
}

#[async_trait]
impl DataSource for HostDataSource {
    fn schema(&self) -> Arc<Schema> {
        Arc::clone(&self.schema)
    }

    async fn read(&self, ctx: &Context, config: Value) -> Result<Value> {
        let call = Call::ReadData { config: Document::of(&config) };
        let ended = CancellationToken::new();
        let live = CallContext::new(ctx.clone(), self.ty.clone(), ended.clone());
        let _ended = ended.drop_guard();
        match self.host.call(live, Request { context: Facts::from(ctx), call }).await? {
            Reply::Data(document) => document.read(&self.ty),
            Reply::Error(failure) => Err(failure.into()),
            other => Err(wrong(Verb::Read, &other)),
        }
    }
}

impl fmt::Debug for HostDataSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HostDataSource").field("host", &self.host).finish_non_exhaustive()
    }
}
