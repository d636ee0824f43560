use std::{
    cell::RefCell,
    collections::{HashMap, HashSet},
};

use super::NodeId;
use crate::{
    template::syntax::{Body, Expr, ExprKind},
    value::Value,
};

/// What expressions of a repeated block or call come to that are the same for all of its instances, computed once.
///
/// `length(type.name[*].id)` walks all of a block; each of n instances that say so would walk it again. Only calls, splats
/// and loops are kept, the outermost that hang on nothing but the module.
#[derive(Debug, Default)]
pub(in crate::plan) struct Memo {
    /// The places in memory of those expressions; the template stays where it is as long as its table lives.
    shared: HashSet<usize>,
    known: RefCell<HashMap<(usize, bool), Known>>,
    #[cfg(test)]
    computed: std::cell::Cell<usize>,
}

/// What an expression came to.
#[derive(Clone, Debug)]
pub(in crate::plan) struct Known {
    pub value: Value,
    /// Whether it met something that is not known.
    pub met_unknown: bool,
    /// The nodes whose values were used.
    pub used: Vec<NodeId>,
}

impl Memo {
    /// Returns the memo of these expressions; nothing where none is worth keeping.
    pub(super) fn of<'a>(exprs: impl IntoIterator<Item = &'a Expr>) -> Option<Self> {
        let mut shared = HashSet::new();
        for expr in exprs {
            collect(expr, &mut shared);
        }
        (!shared.is_empty()).then(|| Self { shared, ..Self::default() })
    }

    /// Returns whether an expression is kept.
    pub(super) fn keeps(&self, expr: &Expr) -> bool {
        self.shared.contains(&place(expr))
    }

    /// Returns what an expression came to; `typing` tells stand-ins of types from values.
    pub(super) fn recall(&self, expr: &Expr, typing: bool) -> Option<Known> {
        self.known.borrow().get(&(place(expr), typing)).cloned()
    }

    pub(super) fn remember(&self, expr: &Expr, typing: bool, known: Known) {
        #[cfg(test)]
        self.computed.set(self.computed.get() + 1);
        self.known.borrow_mut().insert((place(expr), typing), known);
    }

    /// Forgets all values: something that they were made with changed.
    pub(super) fn clear(&mut self) {
        self.known.get_mut().clear();
    }

    /// Returns how often a value was computed.
    #[cfg(test)]
    pub(in crate::plan) fn computed_count(&self) -> usize {
        self.computed.get()
    }
}

/// Returns all expressions of a body.
pub(super) fn expressions(body: &Body) -> Vec<&Expr> {
    let own = body.attributes.iter().map(|attribute| &*attribute.expr);
    own.chain(body.blocks.iter().flat_map(|block| expressions(&block.body))).collect()
}

fn place(expr: &Expr) -> usize {
    std::ptr::from_ref(expr).addr()
}

/// Collects the outermost expressions that are worth keeping.
fn collect(expr: &Expr, shared: &mut HashSet<usize>) {
    let works =
        matches!(expr.kind, ExprKind::Call(_) | ExprKind::Splat(_) | ExprKind::ForTuple(_) | ExprKind::ForObject(_));
    if works && is_shared(expr) {
        shared.insert(place(expr));
    } else {
        expr.for_each_child(&mut |child, _| collect(child, shared));
    }
}

/// Returns whether an expression hangs on nothing but the module: not on the instance, nor on when it is evaluated.
fn is_shared(expr: &Expr) -> bool {
    let own = |name: &str| matches!(name, "count" | "each" | "self");
    expr.references().iter().all(|reference| !own(reference.traversal.root_name())) && is_pure(expr)
}

fn is_pure(expr: &Expr) -> bool {
    let mut pure = match &expr.kind {
        // The text of a template may call anything.
        ExprKind::Call(call) => call.name.iter().all(|name| {
            !matches!(name.as_str(), "timestamp" | "uuid" | "bcrypt" | "templatefile" | "templatestring" | "type")
        }),
        _ => true,
    };
    expr.for_each_child(&mut |child, _| pure = pure && is_pure(child));
    pure
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{error::SourceId, template::hcl};

    #[test]
    fn what_is_the_same_for_all_instances_is_kept() {
        let kept = |text: &str| {
            let (expr, problems) = hcl::parse_expression(SourceId(0), text);
            assert_eq!(problems, []);
            let memo = Memo::of([&expr]);
            (memo.as_ref().map_or(0, |memo| memo.shared.len()), memo.is_some_and(|memo| memo.keeps(&expr)))
        };
        for text in
            ["length(a.b[*].id)", "a.b[*].id", "[for x in var.l : x]", "{ for x in a.b : x.id => x }", "upper(var.x)"]
        {
            assert_eq!(kept(text), (1, true), "{text}");
        }
        // Parts of what differs.
        assert_eq!(kept("\"${count.index} of ${length(a.b[*].id)}\""), (1, false));
        assert_eq!(kept("join(each.key, a.b[*].id)"), (1, false));
        assert_eq!(kept("[for x in a.b[*].id : \"${each.key}-${upper(\"x\")}\"]"), (2, false));
        // Nothing to keep.
        for text in ["a.b.id", "var.x + 1", "uuid()", "join(\"\", [timestamp()])", "templatefile(\"x\", {})", "self.id"]
        {
            assert_eq!(kept(text), (0, false), "{text}");
        }
    }
}
