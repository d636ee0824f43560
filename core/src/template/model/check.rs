use std::sync::Arc;

use crate::error::Span;

use super::{Condition, ResourceKey};

/// A `check` block: what should hold of what there is. It warns, and never stops anything.
#[derive(Clone, Debug, PartialEq)]
pub struct Check {
    /// The name.
    pub name: Arc<str>,
    /// The data source inside of it, which nothing else can refer to; it is among the resources of the module.
    pub data: Option<ResourceKey>,
    /// What should hold; at least one.
    pub asserts: Vec<Condition>,
    /// The kind and the label of the block.
    pub span: Span,
}
