//! The syntax tree that all front ends share.
//!
//! Text of any supported syntax becomes a [`Body`]: attributes (a name and an [`Expr`]) and blocks (a kind,
//! labels and a body of their own). Nothing here knows schemas, types or values; nothing here fails.
//!
//! ```text
//! Body ─┬─ Attribute ── Expr ── ExprKind ─┬─ Literal Template Tuple Object ForTuple ForObject
//!       │                                 ├─ Call Unary Binary Conditional Paren
//!       └─ Block ── Label* ── Body        └─ Traversal Relative Index Splat SplatItem Invalid
//! ```
//!
//! Invariants: every node has a span in the text that it was read from; a span covers the spans of its
//! children, parentheses and quotes included; the tree is at most [`MAX_HEIGHT`] nodes high, so that recursion
//! over it is safe; names are shared (`Arc<str>`), and so are the expressions of attributes (`Arc<Expr>`).
//!
//! [`ExprKind::Invalid`] stands where text could not be read; a front end that makes one has also reported
//! an error.

mod analysis;
mod body;
mod expr;
mod literal;
mod shape;
mod template;
mod traversal;
mod visit;

pub use analysis::{StaticCall, StaticItem, StaticKey};
pub use body::{Attribute, Block, Body, Ident, Label};
pub use expr::{
    Binary, BinaryOp, Call, Conditional, Expr, ExprKind, ForObject, ForTuple, Index, ObjectItem, ObjectKey, Relative,
    Splat, SplatKind, UnaryOp,
};
pub use literal::Literal;
pub(crate) use template::write_escaped;
pub use template::{Heredoc, Template, TemplateFor, TemplateIf, TemplatePart};
pub use traversal::{Step, StepKind, Traversal};
pub use visit::{Reference, Tail};

/// The greatest height of a tree: nodes on the longest path from an attribute's expression to a leaf.
///
/// Front ends refuse higher ones with `syntax.nesting`.
pub const MAX_HEIGHT: u32 = 500;
