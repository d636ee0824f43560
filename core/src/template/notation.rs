use std::sync::Arc;

use crate::{
    address::is_identifier,
    error::{Diagnostic, SourceId},
    schema,
    template::{
        SchemaSource, hcl, json,
        syntax::{Block, Body, Expr, ExprKind, Heredoc, Ident, Literal, ObjectKey, Template, TemplatePart},
        with_schema_blocks, yaml,
    },
};

/// How a part of a module is written down. All notations say the same things.
///
/// # Examples
/// ```
/// use stackwright::{error::SourceId, template::Notation};
///
/// let (body, problems) = Notation::Hcl.parse(SourceId(0), "output \"sum\" {\n  value = 1 + var.more\n}\n");
/// assert!(problems.is_empty());
/// assert_eq!(Notation::Yaml.print(&body), "output:\n  sum:\n    value: ${1 + var.more}\n");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Notation {
    /// `*.tf`: what people write.
    Hcl,
    /// `*.tf.json`, `*.stack.json`: what programs write.
    Json,
    /// `*.tf.yaml`, `*.stack.yaml` and the same with `.yml`: the structure of JSON, for both.
    Yaml,
}

impl Notation {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Hcl, Self::Json, Self::Yaml];

    /// Returns the notation of the file at a path, by its name; HCL where the name says nothing.
    pub fn of(path: &str) -> Self {
        match path.rsplit_once('.').map_or("", |(_, extension)| extension) {
            "json" => Self::Json,
            "yaml" | "yml" => Self::Yaml,
            _ => Self::Hcl,
        }
    }

    /// Returns its name: `hcl`, `json` or `yaml`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hcl => "hcl",
            Self::Json => "json",
            Self::Yaml => "yaml",
        }
    }

    /// Reads a part of a module, and returns all that is wrong with the text. What the text means is not looked at.
    ///
    /// HCL goes on after mistakes; JSON and YAML stop at the first one that leaves open what follows.
    ///
    /// # Complexity
    /// Linear in the text, in a bounded stack.
    pub fn parse(self, source: SourceId, text: &str) -> (Body, Vec<Diagnostic>) {
        match self {
            Self::Hcl => hcl::parse(source, text),
            Self::Json => json::parse_body(source, text),
            Self::Yaml => yaml::parse_body(source, text),
        }
    }

    /// Returns a body in this notation; reading that gives a body that means the same, as long as it is free of mistakes.
    ///
    /// Comments are no part of a body. A body that was read from JSON or YAML does not tell blocks of a resource type from
    /// arguments; before it is printed as HCL, [`sort_blocks`] does.
    ///
    /// # Complexity
    /// Linear in the body.
    pub fn print(self, body: &Body) -> String {
        match self {
            Self::Hcl => hcl::print(body),
            Self::Json => json::print(body),
            Self::Yaml => yaml::print(body),
        }
    }
}

/// Returns a part of a module in which the blocks of resource types, data sources and providers are blocks, at every level.
///
/// Those of types that `schemas` does not know stay as they are. What was read from HCL has them already, and comes back
/// unchanged. Interpolations that are all of a value (`"${x}"`), which JSON cannot do without, become what they hold.
///
/// # Complexity
/// Linear in the body.
pub fn sort_blocks(body: &Body, schemas: &dyn SchemaSource) -> Body {
    let mut sorted = body.clone();
    if !body.is_json {
        return sorted;
    }
    for block in &mut sorted.blocks {
        let label = block.labels.first().map(|label| &*label.text).unwrap_or_default();
        let schema = match block.kind.as_str() {
            "resource" => schemas.resource(label),
            "data" => schemas.data_source(label),
            "provider" => schemas.provider(label).flatten(),
            _ => None,
        };
        if let Some(schema) = schema {
            block.body = sorted_by(&block.body, &schema.block);
        }
        unwrap(&mut block.body);
    }
    sorted
}

fn sorted_by(body: &Body, schema: &schema::Block) -> Body {
    let mut sorted = with_schema_blocks(body, schema).into_owned();
    for block in &mut sorted.blocks {
        let name = if block.kind.as_str() == "dynamic" { label(block) } else { block.kind.as_str() };
        let Some(nested) = schema.blocks.get(name) else { continue };
        match block.kind.as_str() {
            "dynamic" => {
                let contents = block.body.blocks.iter_mut().filter(|inner| inner.kind.as_str() == "content");
                contents.for_each(|content| content.body = sorted_by(&content.body, &nested.block));
            }
            _ => block.body = sorted_by(&block.body, &nested.block),
        }
    }
    sorted
}

fn label(block: &Block) -> &str {
    block.labels.first().map(|label| &*label.text).unwrap_or_default()
}

/// Takes interpolations away that are all of a value.
fn unwrap(body: &mut Body) {
    for attribute in &mut body.attributes {
        let mut expr = (*attribute.expr).clone();
        unwrap_expr(&mut expr);
        attribute.expr = Arc::new(expr);
    }
    body.blocks.iter_mut().for_each(|block| unwrap(&mut block.body));
}

fn unwrap_expr(expr: &mut Expr) {
    while let ExprKind::Template(template) = &expr.kind
        && template.heredoc.is_none()
        && let Some(inner) = template.unwrapped()
    {
        let mut inner = inner.clone();
        inner.span = expr.span;
        *expr = inner;
    }
    if let Some(parts) = lines(expr) {
        let heredoc = Some(Heredoc { marker: "EOT".into(), indented: true });
        expr.kind = ExprKind::Template(Template { parts, heredoc });
    }
    match &mut expr.kind {
        ExprKind::Tuple(items) => items.iter_mut().for_each(unwrap_expr),
        ExprKind::Object(items) => {
            for item in items {
                unwrap_expr(&mut item.value);
                if let ObjectKey::Expr(key) = &item.key
                    && let Some(name) = key.as_string().filter(|name| is_identifier(name))
                {
                    item.key = ObjectKey::Ident(Ident::new(name, key.span));
                }
            }
        }
        _ => {}
    }
}

/// Returns the parts of a text of several lines, which people write as a heredoc.
fn lines(expr: &Expr) -> Option<Vec<TemplatePart>> {
    let fits = |text: &str| text.chars().all(|char| !char.is_control() || matches!(char, '\n' | '\t'));
    let parts = match &expr.kind {
        ExprKind::Literal(Literal::String(text)) => {
            vec![TemplatePart::Literal { text: Arc::clone(text), span: expr.span }]
        }
        ExprKind::Template(template) if template.heredoc.is_none() => template.parts.clone(),
        _ => return None,
    };
    let all_fit = parts.iter().all(|part| !matches!(part, TemplatePart::Literal { text, .. } if !fits(text)));
    let ends_line = matches!(parts.last(), Some(TemplatePart::Literal { text, .. }) if text.ends_with('\n'));
    (all_fit && ends_line).then_some(parts)
}
