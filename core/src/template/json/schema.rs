use std::{borrow::Cow, sync::Arc};

use crate::{
    schema::{self, Nesting},
    template::syntax::{Attribute, Block, Body, Expr, ExprKind, Ident, Label, Literal, Traversal},
};

/// Returns a body in which the blocks of a schema are blocks. A body that was not read from JSON is returned as it is.
///
/// In JSON, a nested block is a property that holds an object, or an array of objects, one for each block; blocks with a
/// label are the properties of an object. What has another form stays an argument.
///
/// `dynamic` is a block at every level, unless the schema knows better.
///
/// Blocks inside blocks are sorted out when the inner body is looked at: call this for every level.
///
/// # Complexity
/// O(size of the body), for JSON; otherwise nothing is done.
pub fn with_schema_blocks<'a>(body: &'a Body, schema: &schema::Block) -> Cow<'a, Body> {
    if !body.is_json {
        return Cow::Borrowed(body);
    }
    let is_block = |attribute: &Attribute| {
        let name = attribute.name.as_str();
        schema.blocks.contains_key(name) && !schema.attributes.contains_key(name)
    };
    let is_dynamic = |attribute: &Attribute| {
        attribute.name.as_str() == "dynamic"
            && !schema.attributes.contains_key("dynamic")
            && !schema.blocks.contains_key("dynamic")
    };
    if !body.attributes.iter().any(|attribute| is_block(attribute) || is_dynamic(attribute)) {
        return Cow::Borrowed(body);
    }
    let mut sorted = Body { attributes: Vec::new(), ..body.clone() };
    for attribute in &body.attributes {
        let nested = schema.blocks.get(attribute.name.as_str()).filter(|_| is_block(attribute));
        let labelled = nested.is_some_and(|nested| nested.nesting == Nesting::Map);
        let blocks = match nested {
            Some(_) => blocks(&attribute.name, &attribute.expr, labelled),
            None if is_dynamic(attribute) => dynamic_blocks(&attribute.name, &attribute.expr),
            None => None,
        };
        match blocks {
            Some(blocks) => sorted.blocks.extend(blocks),
            None => sorted.attributes.push(attribute.clone()),
        }
    }
    Cow::Owned(sorted)
}

fn blocks(kind: &Ident, expr: &Expr, labelled: bool) -> Option<Vec<Block>> {
    match &expr.kind {
        ExprKind::Literal(Literal::Null) => Some(Vec::new()),
        ExprKind::Tuple(items) => {
            let lists = items.iter().map(|item| blocks(kind, item, labelled)).collect::<Option<Vec<_>>>()?;
            Some(lists.into_iter().flatten().collect())
        }
        ExprKind::Object(items) if labelled => {
            let mut found = Vec::new();
            for item in items {
                let label = Label { text: Arc::from(item.key.as_str()?), quoted: true, span: item.key.span() };
                let inner = blocks(kind, &item.value, false)?;
                found.extend(inner.into_iter().map(|block| Block { labels: vec![label.clone()], ..block }));
            }
            Some(found)
        }
        ExprKind::Object(items) => {
            let mut body = Body { span: expr.span, is_json: true, ..Body::default() };
            for item in items.iter().filter(|item| item.key.as_str() != Some("//")) {
                let name = Ident::new(item.key.as_str()?, item.key.span());
                let span = name.span.to(item.value.span);
                body.attributes.push(Attribute { name, expr: Arc::new(item.value.clone()), span });
            }
            let open = crate::error::Span { end: expr.span.start, ..expr.span };
            let close = crate::error::Span { start: expr.span.end, ..expr.span };
            let span = kind.span.to(expr.span);
            Some(vec![Block { kind: kind.clone(), labels: Vec::new(), body, span, open, close }])
        }
        _ => None,
    }
}

/// Returns `dynamic` blocks inside a block of the schema, which reading could not tell from an argument.
fn dynamic_blocks(kind: &Ident, expr: &Expr) -> Option<Vec<Block>> {
    let mut found = blocks(kind, expr, true)?;
    for block in &mut found {
        let (content, mut rest): (Vec<_>, Vec<_>) = std::mem::take(&mut block.body.attributes)
            .into_iter()
            .partition(|attribute| attribute.name.as_str() == "content");
        for attribute in rest.iter_mut().filter(|attribute| attribute.name.as_str() == "iterator") {
            // The text is the name of a variable.
            if let Some(name) = attribute.expr.as_string() {
                let root = Ident::new(name, attribute.expr.span);
                let word = ExprKind::Traversal(Traversal { root, steps: Vec::new() });
                attribute.expr = Arc::new(Expr::new(word, attribute.expr.span));
            }
        }
        for attribute in content {
            block.body.blocks.extend(blocks(&attribute.name, &attribute.expr, false)?);
        }
        block.body.attributes = rest;
    }
    Some(found)
}
