use std::{fmt, sync::Arc};

use crate::error::Span;

use super::{Ident, Literal, Step, Template, Traversal};

/// An expression and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Expr {
    /// What it is.
    pub kind: ExprKind,
    /// Where it stands, quotes and brackets included.
    pub span: Span,
}

impl Expr {
    /// Returns an expression.
    pub fn new(kind: ExprKind, span: Span) -> Self {
        Self { kind, span }
    }

    /// Returns the expression inside any number of parentheses.
    pub fn unparen(&self) -> &Self {
        let mut expr = self;
        while let ExprKind::Paren(inner) = &expr.kind {
            expr = inner;
        }
        expr
    }

    /// Returns whether some of it could not be read.
    pub fn is_invalid(&self) -> bool {
        matches!(self.kind, ExprKind::Invalid)
    }
}

/// What an expression is.
#[derive(Clone, Debug, PartialEq)]
pub enum ExprKind {
    /// `null`, `true`, `1.5`, or a quoted string without sequences.
    Literal(Literal),
    /// A quoted string with sequences, or any heredoc.
    Template(Template),
    /// `[a, b]`.
    Tuple(Vec<Expr>),
    /// `{ a = b }`.
    Object(Vec<ObjectItem>),
    /// `[for k, v in c : e if p]`.
    ForTuple(Box<ForTuple>),
    /// `{for k, v in c : n => e... if p}`.
    ForObject(Box<ForObject>),
    /// `name(a, b...)`.
    Call(Box<Call>),
    /// `-a`, `!a`.
    Unary(UnaryOp, Box<Expr>),
    /// `a + b`.
    Binary(Box<Binary>),
    /// `a ? b : c`.
    Conditional(Box<Conditional>),
    /// `(a)`.
    Paren(Box<Expr>),
    /// A variable and the literal steps after it: `a`, `a.b[0]`.
    Traversal(Traversal),
    /// Literal steps after anything else: `f(x).b[0]`, `a[i].b`.
    Relative(Box<Relative>),
    /// `a[key]` where the key is not a literal.
    Index(Box<Index>),
    /// `a.*.b`, `a[*].b[0]`.
    Splat(Box<Splat>),
    /// The element at hand, inside [`Splat::each`] of the nearest splat around it.
    SplatItem,
    /// Text that could not be read; an error was reported.
    Invalid,
}

/// `key = value` in an object.
#[derive(Clone, Debug, PartialEq)]
pub struct ObjectItem {
    /// The key.
    pub key: ObjectKey,
    /// The value.
    pub value: Expr,
}

/// The key of an object's item.
#[derive(Clone, Debug, PartialEq)]
pub enum ObjectKey {
    /// A bare word, which means itself (also `true`, `false` and `null`).
    Ident(Ident),
    /// Anything else, evaluated and converted to a string. A variable stands in parentheses here; one that does not
    /// is [ambiguous](Self::ambiguous).
    Expr(Expr),
}

impl ObjectKey {
    /// Returns where it stands.
    pub fn span(&self) -> Span {
        match self {
            Self::Ident(ident) => ident.span,
            Self::Expr(expr) => expr.span,
        }
    }

    /// Returns the traversal of a key such as `a.b`, which may mean a name with dots or a reference.
    ///
    /// Fit to be read (`providers = { acme.east = acme.west }`), not to be evaluated: whoever evaluates reports
    /// `syntax.object_key`.
    pub fn ambiguous(&self) -> Option<&Traversal> {
        match self {
            Self::Expr(Expr { kind: ExprKind::Traversal(traversal), .. }) => Some(traversal),
            Self::Ident(_) | Self::Expr(_) => None,
        }
    }

    /// Returns the text of a key that is known without evaluation.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Ident(ident) => Some(&ident.name),
            Self::Expr(expr) => expr.as_string(),
        }
    }
}

/// `[for key, value in collection : body if condition]`.
#[derive(Clone, Debug, PartialEq)]
pub struct ForTuple {
    /// The variable for the key, where it was named.
    pub key: Option<Ident>,
    /// The variable for the value.
    pub value: Ident,
    /// What is walked; does not see the variables.
    pub collection: Expr,
    /// The element, once per kept item.
    pub body: Expr,
    /// Keeps an item where true.
    pub condition: Option<Expr>,
}

/// `{for key, value in collection : body_key => body_value... if condition}`.
#[derive(Clone, Debug, PartialEq)]
pub struct ForObject {
    /// The variable for the key, where it was named.
    pub key: Option<Ident>,
    /// The variable for the value.
    pub value: Ident,
    /// What is walked; does not see the variables.
    pub collection: Expr,
    /// The key of the result, once per kept item.
    pub body_key: Expr,
    /// The value of the result, once per kept item.
    pub body_value: Expr,
    /// Whether values of one key are collected into a tuple (`...`); without, a repeated key is an error.
    pub group: bool,
    /// Keeps an item where true.
    pub condition: Option<Expr>,
}

/// `name(args)`, `provider::x::name(args...)`.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// The segments of the name that `::` separates; at least one.
    pub name: Vec<Ident>,
    /// The arguments, in order.
    pub args: Vec<Expr>,
    /// Whether the last argument is a collection whose elements are the arguments (`...`).
    pub expand_final: bool,
}

impl Call {
    /// Returns the name with `::` between its segments.
    pub fn full_name(&self) -> Arc<str> {
        match self.name.as_slice() {
            [one] => Arc::clone(&one.name),
            many => many.iter().map(Ident::as_str).collect::<Vec<_>>().join("::").into(),
        }
    }

    /// Returns the span of the name.
    pub fn name_span(&self) -> Span {
        match self.name.as_slice() {
            [first, .., last] => first.span.to(last.span),
            [one] => one.span,
            [] => Span::default(),
        }
    }
}

/// `left op right`.
#[derive(Clone, Debug, PartialEq)]
pub struct Binary {
    /// The operator.
    pub op: BinaryOp,
    /// Where the operator stands.
    pub op_span: Span,
    /// The left operand; chains of equal precedence lean to the left.
    pub left: Expr,
    /// The right operand.
    pub right: Expr,
}

/// `condition ? then : otherwise`.
#[derive(Clone, Debug, PartialEq)]
pub struct Conditional {
    /// What is asked.
    pub condition: Expr,
    /// The result for true.
    pub then: Expr,
    /// The result for false.
    pub otherwise: Expr,
}

/// Literal steps after an expression that is not a variable.
#[derive(Clone, Debug, PartialEq)]
pub struct Relative {
    /// Where the steps start.
    pub source: Expr,
    /// The steps; at least one.
    pub steps: Vec<Step>,
}

/// `collection[key]`, the key not being a literal.
#[derive(Clone, Debug, PartialEq)]
pub struct Index {
    /// What is looked into.
    pub collection: Expr,
    /// Where to look.
    pub key: Expr,
}

/// `source.*…` or `source[*]…`.
#[derive(Clone, Debug, PartialEq)]
pub struct Splat {
    /// What is walked: a list, set or tuple; null gives no element, anything else is its own only element.
    pub source: Expr,
    /// How it was written.
    pub kind: SplatKind,
    /// What is made of every element, written with [`ExprKind::SplatItem`] for the element.
    ///
    /// An attribute splat owns the attribute (and `.0`) steps behind it; an index in brackets after those
    /// applies to the result. A full splat owns every step behind it.
    pub each: Expr,
    /// The `.*` or `[*]`.
    pub marker: Span,
}

/// How a splat was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SplatKind {
    /// `.*`.
    Attribute,
    /// `[*]`.
    Full,
}

/// An operator with one operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnaryOp {
    /// `-`.
    Negate,
    /// `!`.
    Not,
}

impl UnaryOp {
    /// Returns the operator as written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Negate => "-",
            Self::Not => "!",
        }
    }
}

impl fmt::Display for UnaryOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An operator with two operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BinaryOp {
    /// `||`.
    Or,
    /// `&&`.
    And,
    /// `==`.
    Equal,
    /// `!=`.
    NotEqual,
    /// `<`.
    Less,
    /// `<=`.
    LessOrEqual,
    /// `>`.
    Greater,
    /// `>=`.
    GreaterOrEqual,
    /// `+`.
    Add,
    /// `-`.
    Subtract,
    /// `*`.
    Multiply,
    /// `/`.
    Divide,
    /// `%`.
    Modulo,
}

impl BinaryOp {
    /// Returns the operator as written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Or => "||",
            Self::And => "&&",
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Modulo => "%",
        }
    }

    /// Returns how strongly it binds: 1 (`||`) to 6 (`*`); equal ones associate to the left.
    pub const fn precedence(self) -> u8 {
        match self {
            Self::Or => 1,
            Self::And => 2,
            Self::Equal | Self::NotEqual => 3,
            Self::Less | Self::LessOrEqual | Self::Greater | Self::GreaterOrEqual => 4,
            Self::Add | Self::Subtract => 5,
            Self::Multiply | Self::Divide | Self::Modulo => 6,
        }
    }
}

impl fmt::Display for BinaryOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
