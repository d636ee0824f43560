use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use crate::{
    error::Span,
    template::{reference::Referent, syntax::Expr},
    value::{Marks, Value},
};

use super::{
    Check, Import, Moved, PassedProvider, ProviderBlock, ProviderName, Removed, ResourceBlock, ResourceKey, Settings,
    TypeConstraint,
};

/// What the files of one folder declare.
///
/// It does not say where it is called: several calls share one module. [`Template::module`](super::Template::module)
/// finds the module of a call.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Module {
    /// The folder, relative to the root's, `/` between its parts; empty for the root.
    pub dir: Arc<str>,
    /// `variable` blocks by name.
    pub variables: BTreeMap<Arc<str>, Variable>,
    /// The entries of all `locals` blocks by name.
    pub locals: BTreeMap<Arc<str>, Local>,
    /// `output` blocks by name.
    pub outputs: BTreeMap<Arc<str>, Output>,
    /// `resource`, `data` and `ephemeral` blocks.
    pub resources: BTreeMap<ResourceKey, Arc<ResourceBlock>>,
    /// `module` blocks by name.
    pub calls: BTreeMap<Arc<str>, ModuleCall>,
    /// `provider` blocks by what they are called.
    pub providers: BTreeMap<ProviderName, ProviderBlock>,
    /// `moved` blocks, in order of place.
    pub moved: Vec<Moved>,
    /// `removed` blocks, in order of place.
    pub removed: Vec<Removed>,
    /// `check` blocks by name.
    pub checks: BTreeMap<Arc<str>, Check>,
    /// `import` blocks, in order of place.
    pub imports: Vec<Import>,
    /// What the `terraform` blocks say.
    pub settings: Settings,
    /// Names that stand where a block was given up after a mistake; nobody complains that they are not declared.
    pub(crate) lost: BTreeSet<Arc<str>>,
    /// Places where the text could not be read.
    pub(crate) damage: Vec<Span>,
}

/// A `variable` block.
#[derive(Clone, Debug, PartialEq)]
pub struct Variable {
    /// The name.
    pub name: Arc<str>,
    /// What values it takes; any where none was given.
    pub constraint: TypeConstraint,
    /// The value where none is given; without it, one must be. Converted, with inner defaults, and marked if the variable
    /// is sensitive; unknown where the text of the default had an error.
    pub default: Option<Value>,
    /// What must hold of the value.
    pub validations: Vec<Condition>,
    /// Whether text from outside is the value itself, not an expression: the type is primitive, or none was given.
    pub literal: bool,
    /// Whether the value is marked sensitive.
    pub sensitive: bool,
    /// Whether the value is marked ephemeral: used, and never stored.
    pub ephemeral: bool,
    /// Whether null stays null; otherwise null means the default.
    pub nullable: bool,
    /// What it is for.
    pub description: Option<Arc<str>>,
    /// The kind and the label of the block.
    pub span: Span,
}

impl Variable {
    /// Returns whether a value must be given.
    pub fn is_required(&self) -> bool {
        self.default.is_none()
    }

    /// Returns the marks that its value has, whoever gave it.
    pub fn marks(&self) -> Marks {
        marks(self.sensitive, self.ephemeral)
    }
}

/// An entry of a `locals` block.
#[derive(Clone, Debug, PartialEq)]
pub struct Local {
    /// The name.
    pub name: Arc<str>,
    /// The value.
    pub expr: Arc<Expr>,
    /// Where the name stands.
    pub span: Span,
}

/// An `output` block.
#[derive(Clone, Debug, PartialEq)]
pub struct Output {
    /// The name.
    pub name: Arc<str>,
    /// The value.
    pub expr: Arc<Expr>,
    /// What it is for.
    pub description: Option<Arc<str>>,
    /// Whether the value is marked sensitive.
    pub sensitive: bool,
    /// Whether the value is ephemeral; only that of a called module can be.
    pub ephemeral: bool,
    /// What it must wait for although the value does not refer to it.
    pub depends_on: Vec<Dependency>,
    /// What must hold before the value is used.
    pub preconditions: Vec<Condition>,
    /// The kind and the label of the block.
    pub span: Span,
}

impl Output {
    /// Returns the marks that its value has.
    pub fn marks(&self) -> Marks {
        marks(self.sensitive, self.ephemeral)
    }
}

fn marks(sensitive: bool, ephemeral: bool) -> Marks {
    let sensitive = if sensitive { Marks::SENSITIVE } else { Marks::NONE };
    if ephemeral { sensitive | Marks::EPHEMERAL } else { sensitive }
}

/// A `validation`, `precondition` or `postcondition` block.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    /// What must be true.
    pub condition: Arc<Expr>,
    /// What to say where it is false.
    pub error_message: Arc<Expr>,
    /// The kind of the block.
    pub span: Span,
}

/// One entry of a `depends_on` list.
#[derive(Clone, Debug, PartialEq)]
pub struct Dependency {
    /// What is waited for, as a whole: all instances, all of a module.
    pub referent: Referent,
    /// Where it stands.
    pub span: Span,
}

/// How many instances a block has.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Repetition {
    /// One, without a key.
    #[default]
    One,
    /// As many as the number says, with keys from 0.
    Count(Arc<Expr>),
    /// One per element of the map, object or set of strings.
    ForEach(Arc<Expr>),
}

impl Repetition {
    /// Returns the expression, if there is one.
    pub fn expr(&self) -> Option<&Arc<Expr>> {
        match self {
            Self::One => None,
            Self::Count(expr) | Self::ForEach(expr) => Some(expr),
        }
    }
}

/// A `module` block.
#[derive(Clone, Debug, PartialEq)]
pub struct ModuleCall {
    /// The name of the call.
    pub name: Arc<str>,
    /// The source as it was written, such as `./net`.
    pub source: Arc<str>,
    /// The folder of the called module, relative to the root's; the [`Module::dir`] of the module called.
    pub dir: Arc<str>,
    /// How many instances.
    pub repetition: Repetition,
    /// What everything in it must wait for.
    pub depends_on: Vec<Dependency>,
    /// Values for the variables of the called module, by name.
    pub inputs: BTreeMap<Arc<str>, Arc<Expr>>,
    /// The configurations of providers that are handed in, by what the called module calls them.
    pub providers: BTreeMap<ProviderName, PassedProvider>,
    /// Where the name of each input stands.
    pub input_spans: BTreeMap<Arc<str>, Span>,
    /// The kind and the label of the block.
    pub span: Span,
    /// Where the source stands.
    pub source_span: Span,
    /// The whole block.
    pub extent: Span,
}
