use std::sync::Arc;

use crate::{
    address::{ModulePath, ResourcePath},
    error::Span,
    template::syntax::Expr,
};

use super::{Repetition, ResourceKey};

/// An `import` block of the root module: an object that exists is adopted.
#[derive(Clone, Debug, PartialEq)]
pub struct Import {
    /// The instance that it becomes.
    pub target: ImportTarget,
    /// The id that people use for it; known while planning.
    pub id: Arc<Expr>,
    /// One object per element of `for_each`, or a single one.
    pub repetition: Repetition,
    /// The kind of the block.
    pub span: Span,
    /// Where `to` is written.
    pub to_span: Span,
}

/// The address in an `import` block; keys are constants, or made of `each`.
#[derive(Clone, Debug, PartialEq)]
pub struct ImportTarget {
    /// The modules that lead to it, each with its key.
    pub modules: Vec<(Arc<str>, Option<Arc<Expr>>)>,
    /// The resource.
    pub resource: ResourceKey,
    /// The key of the instance.
    pub key: Option<Arc<Expr>>,
}

impl ImportTarget {
    /// Returns where the resource is declared.
    pub fn path(&self) -> ResourcePath {
        let module = ModulePath::from_names(self.modules.iter().map(|(name, _)| Arc::clone(name)));
        self.resource.path(&module)
    }

    /// Returns its keys, outermost first.
    pub fn keys(&self) -> impl Iterator<Item = &Arc<Expr>> {
        self.modules.iter().filter_map(|(_, key)| key.as_ref()).chain(&self.key)
    }
}
