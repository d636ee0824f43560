use std::sync::Arc;

use async_trait::async_trait;

use super::{TypedDataSource, shape::Shape};
use crate::{
    error::Result,
    resource::{Context, DataSource},
    schema::Schema,
    value::Value,
};

/// A [`TypedDataSource`] as the engine sees it: a [`DataSource`].
///
/// Made by [`typed_data`]; the schema is built then, once.
#[derive(Debug)]
pub struct TypedData<S> {
    source: S,
    shape: Shape,
}

/// Returns a typed data source as one that can be registered.
///
/// # Complexity
/// O(s), s fields of its structs at any depth.
pub fn typed_data<S: TypedDataSource>(source: S) -> TypedData<S> {
    let shape = Shape::new::<S::Inputs, S::Outputs>(0, source.description());
    TypedData { source, shape }
}

#[async_trait]
impl<S: TypedDataSource> DataSource for TypedData<S> {
    fn schema(&self) -> Arc<Schema> {
        Arc::clone(&self.shape.schema)
    }

    async fn read(&self, ctx: &Context, config: Value) -> Result<Value> {
        let outputs = self.source.read(ctx, self.shape.asked(&config)?).await?;
        self.shape.with_outputs(&config, Some(&outputs))
    }
}
