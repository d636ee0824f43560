use std::{collections::BTreeMap, sync::Arc};

use super::{
    Event, ModuleIdx, NodeId, NodeKind, Table, Touched,
    memo::{Memo, expressions},
};
use crate::{
    address::{Address, InstanceKey},
    error::{Diagnostic, Span},
    template::{
        Referent, Repetition, ephemeral, resolve,
        syntax::{self, Expr, ExprKind, Tail},
    },
    value::{Kind, Marks, Value},
};

/// The instances of something that can be repeated.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::plan) enum Keys<T> {
    /// It is not repeated.
    One(T),
    /// By `count`.
    Count(Vec<T>),
    /// By `for_each`.
    Each(BTreeMap<Arc<str>, T>),
}

impl<T> Keys<T> {
    /// Returns the instances in order of their keys.
    pub(in crate::plan) fn iter(&self) -> impl Iterator<Item = &T> {
        let (one, list, map) = match self {
            Self::One(one) => (Some(one), None, None),
            Self::Count(list) => (None, Some(list), None),
            Self::Each(map) => (None, None, Some(map)),
        };
        one.into_iter().chain(list.into_iter().flatten()).chain(map.into_iter().flat_map(BTreeMap::values))
    }

    /// Returns the instance of a key.
    pub(in crate::plan) fn get(&self, key: Option<&InstanceKey>) -> Option<&T> {
        match (self, key) {
            (Self::One(one), None) => Some(one),
            (Self::Count(list), Some(InstanceKey::Int(idx))) => list.get(usize::try_from(*idx).ok()?),
            (Self::Each(map), Some(InstanceKey::Str(key))) => map.get(key),
            _ => None,
        }
    }

    /// Returns as many of another kind, key by key.
    fn map<U>(&self, mut f: impl FnMut(Option<InstanceKey>, &T) -> U) -> Keys<U> {
        match self {
            Self::One(one) => Keys::One(f(None, one)),
            Self::Count(list) => {
                Keys::Count((0_u64..).zip(list).map(|(idx, item)| f(Some(InstanceKey::Int(idx)), item)).collect())
            }
            Self::Each(map) => Keys::Each(
                map.iter()
                    .map(|(key, item)| (Arc::clone(key), f(Some(InstanceKey::Str(Arc::clone(key))), item)))
                    .collect(),
            ),
        }
    }
}

/// What `each.value` is.
#[derive(Clone, Debug, Default)]
pub(in crate::plan) enum EachValue {
    /// There is no `for_each`.
    #[default]
    None,
    /// An element of a collection, and what the collection was made with.
    Made(Value, Touched),
    /// An instance of the block that `for_each` names: that one alone is touched.
    Node(NodeId),
}

/// What `count` and `each` are for one instance.
#[derive(Clone, Debug, Default)]
pub(in crate::plan) struct Repeat {
    pub count_index: Option<u64>,
    pub each_key: Option<Arc<str>>,
    /// `each.key` where that is a number: of the elements of a list that an `import` block walks.
    pub each_index: Option<u64>,
    pub each_value: EachValue,
    /// The block or call that is repeated.
    pub owner: Option<NodeId>,
}

/// The instances of a block or a call.
#[derive(Clone, Debug)]
pub(in crate::plan) struct Expansion<T = NodeId> {
    pub keys: Keys<T>,
    /// The same keys with what `count` and `each` are.
    repeats: Keys<Repeat>,
}

impl<T> Expansion<T> {
    /// Returns what `count` and `each` are for one instance.
    pub(in crate::plan) fn repeat(&self, key: Option<&InstanceKey>) -> Option<&Repeat> {
        self.repeats.get(key)
    }
}

/// What became of an attempt to tell the instances.
enum Attempt {
    /// The instances, and what they were told with.
    Known(Keys<Repeat>, Touched),
    Waits(Vec<NodeId>),
    Failed,
}

impl Table {
    /// Works out the instances of a block.
    pub(super) fn expand_block(&mut self, id: NodeId) {
        let Some((module, key, _)) = self.block_of(id) else { return self.fail(id) };
        let Some(block) = self.module(module).module.resources.get(key) else { return self.fail(id) };
        let (repetition, span, name) = (block.repetition.clone(), block.span, key.to_string());
        match self.repetition(id, module, &repetition, span, &name) {
            Attempt::Waits(on) => self.wait(id, on),
            Attempt::Failed => self.fail(id),
            Attempt::Known(repeats, touched) => {
                if repeats.iter().nth(1).is_some() {
                    self.share_block(id);
                }
                let keys = repeats.map(|key, _| self.add(NodeKind::Instance { block: id, key }));
                let wanted: Vec<NodeId> = keys.iter().copied().collect();
                self.node_mut(id).expansion = Some(Arc::new(Expansion { keys, repeats }));
                self.tell(Event::Expanded(id));
                self.finish_with(id, Self::nothing(), touched);
                if self.options.eager {
                    wanted.into_iter().for_each(|id| self.demand(id));
                }
            }
        }
    }

    /// Works out the instances of a call.
    pub(super) fn expand_call(&mut self, id: NodeId, module: ModuleIdx, name: &Arc<str>) {
        let Some(call) = self.module(module).module.calls.get(name) else { return self.fail(id) };
        let (repetition, span) = (call.repetition.clone(), call.span);
        match self.repetition(id, module, &repetition, span, &format!("module.{name}")) {
            Attempt::Waits(on) => self.wait(id, on),
            Attempt::Failed => self.fail(id),
            Attempt::Known(repeats, touched) => {
                if repeats.iter().nth(1).is_some() {
                    let call = self.module(module).module.calls.get(name);
                    let inputs = call.into_iter().flat_map(|call| call.inputs.values());
                    let memo = Memo::of(inputs.map(AsRef::as_ref));
                    self.memos.extend(memo.map(|memo| (id, memo)));
                }
                let mut broken = false;
                let keys = repeats.map(|key, repeat| {
                    let opened = self.open_called(module, name, id, key, repeat.clone());
                    broken |= opened.is_none();
                    opened.unwrap_or(ModuleIdx::ROOT)
                });
                if broken {
                    // Reading the template reported the missing module.
                    return self.fail(id);
                }
                self.calls.insert(id, Arc::new(Expansion { keys, repeats }));
                self.tell(Event::Expanded(id));
                self.finish_with(id, Self::nothing(), touched);
            }
        }
    }

    fn repetition(
        &mut self,
        owner: NodeId,
        module: ModuleIdx,
        repetition: &Repetition,
        span: Span,
        name: &str,
    ) -> Attempt {
        let Some(expr) = repetition.expr() else {
            let only = Keys::One(Repeat::default());
            return if self.spend(1, span) { Attempt::Known(only, Touched::default()) } else { Attempt::Failed };
        };
        if let Repetition::ForEach(_) = repetition
            && let Some(attempt) = self.for_each_of_block(owner, module, expr)
        {
            return attempt;
        }
        let none = Repeat::default();
        let evaluated = self.evaluate(module, &none, None, expr);
        if !evaluated.waits.is_empty() {
            return Attempt::Waits(evaluated.waits);
        }
        let (poisoned, touched) = (evaluated.poisoned, evaluated.touched.clone());
        let Some(value) = self.settle(evaluated, None) else { return Attempt::Failed };
        let keys = match repetition {
            Repetition::Count(_) => count(owner, &value, self.options.instance_limit),
            _ => for_each(owner, &value, &touched),
        };
        match keys {
            Ok(keys) => {
                let amount = keys.iter().count();
                let touched = if self.only_counts(module, expr) { Touched::default() } else { touched };
                if self.spend(amount, expr.span) { Attempt::Known(keys, touched) } else { Attempt::Failed }
            }
            // A value that stands in for something broken is unknown; the real problem was reported.
            Err(_) if poisoned => Attempt::Failed,
            Err(problem) => {
                self.problems.push(problem.diagnostic(expr.span, name));
                Attempt::Failed
            }
        }
    }

    /// `for_each = type.name`: the instances of one block follow those of another, key by key.
    fn for_each_of_block(&mut self, owner: NodeId, module: ModuleIdx, expr: &Expr) -> Option<Attempt> {
        let block = self.whole_block(module, expr)?;
        if !self.is_done(block) {
            return Some(Attempt::Waits(vec![block]));
        }
        if self.has_failed(block) {
            return Some(Attempt::Failed);
        }
        let expansion = Arc::clone(self.expansion(block)?);
        let Keys::Each(map) = &expansion.keys else { return None };
        let repeat = |(key, node): (&Arc<str>, &NodeId)| {
            let repeat = Repeat {
                each_key: Some(Arc::clone(key)),
                each_value: EachValue::Node(*node),
                owner: Some(owner),
                ..Repeat::default()
            };
            (Arc::clone(key), repeat)
        };
        let amount = map.len();
        if !self.spend(amount, expr.span) {
            return Some(Attempt::Failed);
        }
        Some(Attempt::Known(Keys::Each(map.iter().map(repeat).collect()), Touched::default()))
    }

    /// Returns the block that an expression means as a whole: `type.name` and nothing else.
    fn whole_block(&self, module: ModuleIdx, expr: &Expr) -> Option<NodeId> {
        let ExprKind::Traversal(traversal) = &expr.unparen().kind else { return None };
        let reference = syntax::Reference { traversal, tail: Tail::None, span: expr.span };
        let resolved = resolve(&reference).ok()?;
        let Referent::Resource(key) = &resolved.referent else { return None };
        let nodes = self.module(module).block(key.mode, &key.type_name, &key.name)?;
        resolved.steps.is_empty().then_some(nodes.block)
    }

    /// Returns whether an expression asks of a repeated block only which instances there are, as `length(type.name)` and
    /// `keys(type.name)` do. The template tells that, and no object has to be there for it.
    fn only_counts(&self, module: ModuleIdx, expr: &Expr) -> bool {
        let Some(call) = expr.unparen().static_call() else { return false };
        let [argument] = call.args else { return false };
        match call.name.as_str() {
            "toset" => self.only_counts(module, argument),
            "length" | "keys" => self
                .whole_block(module, argument)
                .and_then(|block| self.expansion(block))
                .is_some_and(|expansion| !matches!(expansion.keys, Keys::One(_))),
            _ => false,
        }
    }

    /// Has the instances of a block share what is the same for all of them.
    fn share_block(&mut self, id: NodeId) {
        let Some((module, key, _)) = self.block_of(id) else { return };
        let Some(block) = self.module(module).module.resources.get(key) else { return };
        let lifecycle = &block.lifecycle;
        let conditions = lifecycle.preconditions.iter().chain(&lifecycle.postconditions);
        let conditions = conditions.flat_map(|condition| [&*condition.condition, &*condition.error_message]);
        let memo = Memo::of(expressions(&block.body).into_iter().chain(conditions));
        self.memos.extend(memo.map(|memo| (id, memo)));
    }

    /// Takes room for instances from the budget.
    pub(super) fn spend(&mut self, amount: usize, span: Span) -> bool {
        let limit = self.options.instance_limit;
        self.instance_count = self.instance_count.saturating_add(amount);
        if self.instance_count <= limit {
            return true;
        }
        self.problems.push(too_many(limit, span));
        false
    }

    /// Returns the instances of a call, once they are known.
    pub(in crate::plan) fn calls(&self, call: NodeId) -> Option<&Arc<Expansion<ModuleIdx>>> {
        self.calls.get(&call)
    }

    /// Returns the address of an instance.
    pub(in crate::plan) fn address(&self, id: NodeId) -> Option<Address> {
        let NodeKind::Instance { key, .. } = self.kind(id) else { return None };
        let (module, resource, _) = self.block_of(id)?;
        let path = resource.path(&self.module(module).path);
        Some(path.within(self.module(module).address.clone()).instance(key.clone()))
    }

    /// Returns what `count` and `each` are for an instance.
    pub(in crate::plan) fn repeat_of(&self, id: NodeId) -> Repeat {
        let NodeKind::Instance { block, key } = self.kind(id) else { return Repeat::default() };
        self.expansion(*block).and_then(|expansion| expansion.repeat(key.as_ref())).cloned().unwrap_or_default()
    }
}

/// Why the instances cannot be told.
enum Trouble {
    Unknown(&'static str),
    Sensitive(&'static str),
    Ephemeral(&'static str),
    Wrong(&'static str, String),
    TooMany(usize),
}

impl Trouble {
    fn diagnostic(self, span: Span, name: &str) -> Diagnostic {
        match self {
            Self::TooMany(limit) => too_many(limit, span),
            Self::Unknown(word) => {
                Diagnostic::error("plan.unknown_repetition", format!("the `{word}` of `{name}` is not known before apply"))
                    .label(span, "depends on something that does not exist yet")
                    .help("apply what it depends on first (`-target`), or make it depend on values that are known, such as variables")
            }
            Self::Sensitive(word) => crate::template::sensitive_repetition(word, name, span),
            Self::Ephemeral(word) => ephemeral::repetition(word, name, span),
            Self::Wrong(word, what) => {
                Diagnostic::error("plan.repetition", format!("the `{word}` of `{name}` {what}")).at(span).help(match word {
                    "count" => "`count` takes a whole number, not negative",
                    _ => "`for_each` takes a map or a set of strings; a list becomes one with `toset()`",
                })
            }
        }
    }
}

fn too_many(limit: usize, span: Span) -> Diagnostic {
    Diagnostic::error("plan.budget", format!("the template has more than {limit} instances"))
        .label(span, "these are too many")
        .help("make `count` or `for_each` smaller, split the template, or have the host raise the limit")
}

fn count(owner: NodeId, value: &Value, limit: usize) -> Result<Keys<Repeat>, Trouble> {
    const WORD: &str = "count";
    if value.marks().contains(Marks::EPHEMERAL) {
        return Err(Trouble::Ephemeral(WORD));
    }
    if value.is_sensitive() {
        return Err(Trouble::Sensitive(WORD));
    }
    let wrong = |what: &str| Err(Trouble::Wrong(WORD, what.to_owned()));
    if !value.is_known() {
        return Err(Trouble::Unknown(WORD));
    }
    let converted = crate::value::convert(value, &crate::value::Type::Number);
    match converted.as_ref().map(Value::kind) {
        Ok(Kind::Number(number)) => match number.to_u64() {
            Some(count) if count > limit as u64 => Err(Trouble::TooMany(limit)),
            Some(count) => {
                let one = |idx| Repeat { count_index: Some(idx), owner: Some(owner), ..Repeat::default() };
                Ok(Keys::Count((0..count).map(one).collect()))
            }
            None if number.is_negative() => wrong("is negative"),
            None => wrong("is no whole number"),
        },
        Ok(Kind::Null(_)) => wrong("is null"),
        _ => wrong(&format!("is {}, not a number", value.ty().friendly_name())),
    }
}

fn for_each(owner: NodeId, value: &Value, touched: &Touched) -> Result<Keys<Repeat>, Trouble> {
    const WORD: &str = "for_each";
    if value.marks_deep().contains(Marks::EPHEMERAL) {
        return Err(Trouble::Ephemeral(WORD));
    }
    if value.marks().contains(Marks::SENSITIVE) {
        return Err(Trouble::Sensitive(WORD));
    }
    let repeat = |key: &Arc<str>, value: Value| {
        let repeat = Repeat {
            each_key: Some(Arc::clone(key)),
            each_value: EachValue::Made(value, touched.clone()),
            owner: Some(owner),
            ..Repeat::default()
        };
        (Arc::clone(key), repeat)
    };
    match value.kind() {
        Kind::Unknown(_) => Err(Trouble::Unknown(WORD)),
        Kind::Map(fields) | Kind::Object(fields) => {
            Ok(Keys::Each(fields.iter().map(|(key, value)| repeat(key, value.clone())).collect()))
        }
        Kind::Set(items) => {
            let mut map = BTreeMap::new();
            for item in items.iter() {
                match item.kind() {
                    Kind::String(text) => map.extend([repeat(text, item.clone())]),
                    Kind::Unknown(_) => return Err(Trouble::Unknown(WORD)),
                    Kind::Null(_) => return Err(Trouble::Wrong(WORD, "holds null".to_owned())),
                    _ => return Err(Trouble::Wrong(WORD, "is a set of other things than strings".to_owned())),
                }
            }
            Ok(Keys::Each(map))
        }
        Kind::Null(_) => Err(Trouble::Wrong(WORD, "is null".to_owned())),
        _ => Err(Trouble::Wrong(WORD, format!("is {}", value.ty().friendly_name()))),
    }
}
