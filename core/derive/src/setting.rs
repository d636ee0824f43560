use proc_macro2::Span;
use syn::{Attribute, Expr, ExprArray, Lit, LitInt, LitStr, Token, UnOp, meta::ParseNestedMeta, spanned::Spanned as _};

/// Every setting, in the order of the documentation.
const NAMES: [&str; 17] = [
    "force_new",
    "sensitive",
    "write_only",
    "required",
    "default",
    "pattern",
    "one_of",
    "min",
    "max",
    "min_length",
    "max_length",
    "stable",
    "takes_tags",
    "block",
    "min_items",
    "max_items",
    "deprecated",
];

/// Settings that a field may have which is written as nested blocks.
const OF_BLOCKS: [&str; 5] = ["block", "force_new", "min_items", "max_items", "deprecated"];

/// Pairs of settings that contradict each other, and why.
const CONTRADICTIONS: [(&str, &str, &str); 3] = [
    ("required", "default", "what the template must set has no default"),
    ("write_only", "force_new", "no change of what is never stored can be seen"),
    ("write_only", "stable", "what is never stored is no output"),
];

/// What stands in a field's `#[attribute(...)]`.
#[derive(Default)]
pub(crate) struct Settings {
    /// Which settings are given, and where.
    given: Vec<(&'static str, Span)>,
    pub(crate) default: Option<Fallback>,
    pub(crate) pattern: Option<LitStr>,
    pub(crate) one_of: Option<ExprArray>,
    pub(crate) min: Option<Expr>,
    pub(crate) max: Option<Expr>,
    pub(crate) min_length: Option<LitInt>,
    pub(crate) max_length: Option<LitInt>,
    pub(crate) min_items: Option<LitInt>,
    pub(crate) max_items: Option<LitInt>,
    pub(crate) deprecated: Option<LitStr>,
}

/// What a field is when it is not set.
pub(crate) enum Fallback {
    /// Its type's `Default`.
    OfType,
    /// A value.
    Is(Box<Expr>),
}

impl Settings {
    /// Reads the settings of a field.
    ///
    /// # Errors
    /// All contradictions; of the settings that cannot be read, the first.
    pub(crate) fn parse(attributes: &[Attribute]) -> syn::Result<Self> {
        let mut settings = Self::default();
        for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("attribute")) {
            attribute.parse_nested_meta(|meta| settings.read(&meta))?;
        }
        settings.check()?;
        Ok(settings)
    }

    /// Returns whether a setting is given.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.place(name).is_some()
    }

    fn place(&self, name: &str) -> Option<Span> {
        self.given.iter().find(|(given, _)| *given == name).map(|(_, span)| *span)
    }

    fn read(&mut self, meta: &ParseNestedMeta<'_>) -> syn::Result<()> {
        let Some(name) = NAMES.into_iter().find(|name| meta.path.is_ident(name)) else {
            return Err(meta.error(format!("no such setting; there are `{}`", NAMES.join("`, `"))));
        };
        if self.has(name) {
            return Err(meta.error(format!("`{name}` is given twice")));
        }
        self.given.push((name, meta.path.span()));
        match name {
            "default" if meta.input.peek(Token![=]) => {
                self.default = Some(Fallback::Is(Box::new(meta.value()?.parse()?)));
            }
            "default" => self.default = Some(Fallback::OfType),
            "pattern" => self.pattern = Some(meta.value()?.parse()?),
            "one_of" => self.one_of = Some(meta.value()?.parse()?),
            "min" => self.min = Some(number(meta)?),
            "max" => self.max = Some(number(meta)?),
            "min_length" => self.min_length = Some(count(meta)?),
            "max_length" => self.max_length = Some(count(meta)?),
            "min_items" => self.min_items = Some(count(meta)?),
            "max_items" => self.max_items = Some(count(meta)?),
            "deprecated" => self.deprecated = Some(meta.value()?.parse()?),
            _ => {}
        }
        Ok(())
    }

    fn check(&self) -> syn::Result<()> {
        let mut problems = Problems::default();
        for (name, span) in &self.given {
            if self.has("block") && !OF_BLOCKS.contains(name) {
                problems.add(syn::Error::new(*span, format!("a block has no `{name}`; its own fields may")));
            }
            if !self.has("block") && ["min_items", "max_items"].contains(name) {
                problems.add(syn::Error::new(*span, format!("only a `block` has `{name}`")));
            }
        }
        for (one, other, why) in CONTRADICTIONS {
            if let (true, Some(span)) = (self.has(one), self.place(other)) {
                problems.add(syn::Error::new(span, format!("`{other}` contradicts `{one}`: {why}")));
            }
        }
        problems.into_result(())
    }
}

/// Reads a number: a literal, perhaps with a minus.
fn number(meta: &ParseNestedMeta<'_>) -> syn::Result<Expr> {
    let expression: Expr = meta.value()?.parse()?;
    let literal = match &expression {
        Expr::Unary(unary) if matches!(unary.op, UnOp::Neg(_)) => &*unary.expr,
        other => other,
    };
    match literal {
        Expr::Lit(literal) if matches!(literal.lit, Lit::Int(_) | Lit::Float(_)) => Ok(widened(expression)),
        _ => Err(syn::Error::new(expression.span(), "a number is required, written out")),
    }
}

/// Reads a count: a whole number of 64 bits, without a sign.
fn count(meta: &ParseNestedMeta<'_>) -> syn::Result<LitInt> {
    let literal: LitInt = meta.value()?.parse()?;
    let count: u64 = literal.base10_parse()?;
    Ok(LitInt::new(&format!("{count}u64"), literal.span()))
}

/// Gives whole numbers without a suffix the widest type, so that none is out of range.
pub(crate) fn widened(expression: Expr) -> Expr {
    match expression {
        Expr::Unary(mut unary) => {
            unary.expr = Box::new(widened(*unary.expr));
            Expr::Unary(unary)
        }
        Expr::Lit(mut literal) => {
            if let Lit::Int(number) = &literal.lit
                && number.suffix().is_empty()
            {
                literal.lit = Lit::Int(LitInt::new(&format!("{}i128", number.base10_digits()), number.span()));
            }
            Expr::Lit(literal)
        }
        other => other,
    }
}

/// Errors at several places, reported together.
#[derive(Default)]
pub(crate) struct Problems(Option<syn::Error>);

impl Problems {
    pub(crate) fn add(&mut self, problem: syn::Error) {
        match &mut self.0 {
            Some(first) => first.combine(problem),
            None => self.0 = Some(problem),
        }
    }

    /// Returns what a result holds, and keeps its error.
    pub(crate) fn keep<T>(&mut self, result: syn::Result<T>) -> Option<T> {
        result.map_err(|problem| self.add(problem)).ok()
    }

    pub(crate) fn into_result<T>(self, value: T) -> syn::Result<T> {
        self.0.map_or(Ok(value), Err)
    }
}
