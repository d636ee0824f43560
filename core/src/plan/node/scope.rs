use std::{cell::RefCell, sync::Arc};

use super::{
    Keys, ModuleIdx, NodeId, Repeat, Table, Touched,
    expand::EachValue,
    memo::{Known, Memo},
};
use crate::{
    address::{InstanceKey, Mode},
    error::{Diagnostic, Span, suggest},
    template::{
        eval::{Recall, Request, Resolution, Scope},
        syntax::Expr,
    },
    value::{Kind, Marks, Type, Value},
};

/// What names stand for in one place of one module instance; notes all that evaluation asks for.
pub(in crate::plan) struct NodeScope<'a> {
    table: &'a Table,
    module: ModuleIdx,
    repeat: &'a Repeat,
    this: Option<&'a Value>,
    /// What is the same for all instances.
    memo: Option<&'a Memo>,
    asked: RefCell<Asked>,
}

/// What evaluation asked for.
#[derive(Debug, Default)]
pub(in crate::plan) struct Asked {
    /// Nodes that are not there yet.
    pub waits: Vec<NodeId>,
    /// Nodes whose values were used.
    pub used: Vec<NodeId>,
    /// Whether something that failed was used.
    pub poisoned: bool,
    each: bool,
    /// How many nodes had been used where expressions began that are to be remembered.
    marks: Vec<usize>,
}

impl<'a> NodeScope<'a> {
    /// Returns the scope of a place in a module instance. `repeat` says what `count` and `each` are, `this` what `self`
    /// is.
    pub(in crate::plan) fn new(
        table: &'a Table,
        module: ModuleIdx,
        repeat: &'a Repeat,
        this: Option<&'a Value>,
    ) -> Self {
        let memo = repeat.owner.and_then(|owner| table.memos.get(&owner));
        Self { table, module, repeat, this, memo, asked: RefCell::default() }
    }

    /// Returns what was asked for.
    pub(in crate::plan) fn into_asked(self) -> (Asked, Touched) {
        let asked = self.asked.into_inner();
        let each = match &self.repeat.each_value {
            EachValue::Made(_, touched) if asked.each => Some(touched),
            _ => None,
        };
        let touched = Touched::union(asked.used.iter().map(|id| self.table.touched(*id)).chain(each));
        (asked, touched)
    }

    /// Returns the value of a node, or notes that it is not there yet.
    fn of(&self, id: NodeId) -> Resolution {
        if !self.table.is_done(id) {
            self.asked.borrow_mut().waits.push(id);
            return Resolution::Pending;
        }
        let mut asked = self.asked.borrow_mut();
        asked.used.push(id);
        asked.poisoned |= self.table.has_failed(id);
        Resolution::Value(self.table.value(id).clone())
    }

    /// Returns the member of an expansion that a key as written means.
    fn pick<T: Copy>(keys: &Keys<T>, key: &InstanceKey) -> Option<T> {
        match (keys, key) {
            (Keys::One(_), _) => None,
            (Keys::Count(list), InstanceKey::Int(idx)) => list.get(usize::try_from(*idx).ok()?).copied(),
            (Keys::Count(list), InstanceKey::Str(text)) => list.get(text.parse::<usize>().ok()?).copied(),
            (Keys::Each(map), InstanceKey::Str(text)) => map.get(text).copied(),
            (Keys::Each(map), InstanceKey::Int(idx)) => map.get(idx.to_string().as_str()).copied(),
        }
    }

    fn resource(&self, mode: Mode, type_name: &str, name: &str, key: Option<&InstanceKey>, span: Span) -> Resolution {
        let inst = self.table.module(self.module);
        let Some(nodes) = inst.block(mode, type_name, name) else {
            let known = inst.module.resources.keys().map(ToString::to_string).collect::<Vec<_>>();
            let word = format!("{}{type_name}.{name}", mode.prefix());
            return undeclared(&word, known.iter().map(String::as_str), span);
        };
        let Some(expansion) = self.table.expansion(nodes.block) else { return self.of(nodes.block) };
        match (key, &expansion.keys) {
            (None, Keys::One(instance)) => self.of(*instance),
            (None, _) => self.of(nodes.whole),
            (Some(key), keys) => match Self::pick(keys, key) {
                Some(instance) => self.of(instance),
                None => {
                    let word = format!("{}{type_name}.{name}", mode.prefix());
                    no_such_instance(&word, key, keys, span)
                }
            },
        }
    }

    /// Answers with one node of a call, by way of `take`.
    fn call(
        &self,
        name: &str,
        key: Option<&InstanceKey>,
        output: Option<&str>,
        span: Span,
        take: fn(&Self, NodeId) -> Resolution,
    ) -> Resolution {
        let inst = self.table.module(self.module);
        let Some(nodes) = inst.calls.get(name) else {
            return undeclared(&format!("module.{name}"), inst.calls.keys().map(AsRef::as_ref), span);
        };
        let Some(expansion) = self.table.calls(nodes.call) else { return self.of(nodes.call) };
        let word = format!("module.{name}");
        let instance = match (key, &expansion.keys) {
            (None, Keys::One(instance)) => *instance,
            (None, _) if output.is_none() => return take(self, nodes.value),
            (None, _) => {
                return Resolution::Failed(
                    Diagnostic::error(
                        "template.reference",
                        format!("`{word}` has several instances; say which is meant"),
                    )
                    .at(span)
                    .help(format!(
                        "write `{word}[…].{}`, or `{word}[*].…` for all of them",
                        output.unwrap_or_default()
                    )),
                );
            }
            (Some(key), keys) => match Self::pick(keys, key) {
                Some(instance) => instance,
                None => return no_such_instance(&word, key, keys, span),
            },
        };
        let called = self.table.module(instance);
        match output {
            None => take(self, called.object),
            Some(output) => match called.outputs.get(output) {
                Some(id) => take(self, *id),
                None => undeclared(&format!("{word}.{output}"), called.outputs.keys().map(AsRef::as_ref), span),
            },
        }
    }

    fn each_value(&self, span: Span) -> Resolution {
        self.asked.borrow_mut().each = true;
        match &self.repeat.each_value {
            EachValue::None => misplaced("each.value", "`for_each`", span),
            EachValue::Made(value, _) => Resolution::Value(value.clone()),
            EachValue::Node(id) => self.of(*id),
        }
    }
}

/// Types without values: nothing is used, and instances are not waited for.
impl NodeScope<'_> {
    /// Returns a stand-in for the value of a node: of its type, and nothing else of it. What was made without any instance
    /// stands for itself.
    fn typed(&self, id: NodeId) -> Resolution {
        if !self.table.is_done(id) || self.table.has_failed(id) || self.table.touched(id).nodes().is_empty() {
            return self.of(id);
        }
        Resolution::Value(stand_in(self.table.value(id)))
    }

    /// Returns a stand-in for an instance, by its schema alone; nothing where there is no schema.
    fn typed_instance(&self, mode: Mode, type_name: &str) -> Option<Value> {
        let schema = self.table.types.schema(mode, type_name)?;
        let ty = schema.block.implied_type();
        let Some(object) = ty.as_object() else { return Some(Value::unknown(ty)) };
        let open = object.attributes.iter().map(|(name, ty)| (Arc::clone(name), Value::unknown(ty.clone())));
        let instance = schema.mark_sensitive(&Value::object(open));
        Some(if mode == Mode::Ephemeral { instance.with_marks(Marks::EPHEMERAL) } else { instance })
    }

    fn resource_type(
        &self,
        mode: Mode,
        type_name: &str,
        name: &str,
        key: Option<&InstanceKey>,
        span: Span,
    ) -> Resolution {
        let nodes = self.table.module(self.module).block(mode, type_name, name);
        let expansion = nodes.and_then(|nodes| self.table.expansion(nodes.block));
        let (Some(expansion), Some(instance)) = (expansion, self.typed_instance(mode, type_name)) else {
            return self.resource(mode, type_name, name, key, span);
        };
        match (key, &expansion.keys) {
            (Some(key), keys) if Self::pick(keys, key).is_none() => {
                self.resource(mode, type_name, name, Some(key), span)
            }
            (Some(_), _) | (None, Keys::One(_)) => Resolution::Value(instance),
            (None, Keys::Count(list)) => Resolution::Value(Value::tuple(vec![instance; list.len()])),
            (None, Keys::Each(map)) => {
                Resolution::Value(Value::object(map.keys().map(|key| (Arc::clone(key), instance.clone()))))
            }
        }
    }
}

/// Returns a value of which only the type and the marks are told: both arms of a conditional mark its result.
fn stand_in(value: &Value) -> Value {
    let open = if value.marks_deep() == value.marks() {
        Value::unknown(value.ty())
    } else {
        match value.kind() {
            Kind::Object(fields) => Value::object(fields.iter().map(|(name, part)| (Arc::clone(name), stand_in(part)))),
            Kind::Tuple(items) => Value::tuple(items.iter().map(stand_in).collect()),
            Kind::Map(fields) => Value::map(
                fields.element_type().clone(),
                fields.iter().map(|(name, part)| (Arc::clone(name), stand_in(part))),
            ),
            Kind::List(items) => Value::list(items.element_type().clone(), items.iter().map(stand_in).collect()),
            _ => Value::unknown(value.ty()),
        }
    };
    open.with_marks(value.marks())
}

impl Scope for NodeScope<'_> {
    fn recall(&self, expr: &Expr, typing: bool) -> Recall {
        let Some(memo) = self.memo.filter(|memo| memo.keeps(expr)) else { return Recall::Never };
        let mut asked = self.asked.borrow_mut();
        let Some(known) = memo.recall(expr, typing) else {
            let used_count = asked.used.len();
            asked.marks.push(used_count);
            return Recall::Wanted;
        };
        asked.poisoned |= known.used.iter().any(|id| self.table.has_failed(*id));
        asked.used.extend(&known.used);
        Recall::Known { value: known.value, met_unknown: known.met_unknown }
    }

    fn remember(&self, expr: &Expr, typing: bool, outcome: Option<(Value, bool)>) {
        let mut asked = self.asked.borrow_mut();
        let Some(mark) = asked.marks.pop() else { return };
        if let (Some(memo), Some((value, met_unknown))) = (self.memo, outcome) {
            let used = asked.used.get(mark..).unwrap_or_default().to_vec();
            memo.remember(expr, typing, Known { value, met_unknown, used });
        }
    }

    fn provider_of_function<'a>(&'a self, local: &'a str) -> Option<&'a str> {
        let module = &self.table.module(self.module).module;
        module.settings.provider_of_function(local, self.table.template.edition())
    }

    fn resolve_type(&self, request: &Request<'_>, span: Span) -> Resolution {
        let inst = self.table.module(self.module);
        let own = match request {
            Request::Variable(name) => inst.variables.get(*name),
            Request::Local(name) => inst.locals.get(*name),
            Request::Resource { mode, type_name, name, key } => {
                return self.resource_type(*mode, type_name, name, *key, span);
            }
            Request::Module { name, key, output } => return self.call(name, *key, *output, span, Self::typed),
            Request::EachValue => {
                return match &self.repeat.each_value {
                    EachValue::Made(value, touched) if !touched.nodes().is_empty() => {
                        Resolution::Value(Value::unknown(value.ty()))
                    }
                    EachValue::Node(id) => {
                        let block = self.table.block_of(*id);
                        let instance = block.and_then(|(_, key, _)| self.typed_instance(key.mode, &key.type_name));
                        instance.map_or_else(|| self.resolve(request, span), Resolution::Value)
                    }
                    _ => self.resolve(request, span),
                };
            }
            _ => None,
        };
        own.map_or_else(|| self.resolve(request, span), |id| self.typed(*id))
    }

    fn resolve(&self, request: &Request<'_>, span: Span) -> Resolution {
        let inst = self.table.module(self.module);
        match request {
            Request::Variable(name) => match inst.variables.get(*name) {
                Some(id) => self.of(*id),
                None => undeclared(&format!("var.{name}"), inst.variables.keys().map(AsRef::as_ref), span),
            },
            Request::Local(name) => match inst.locals.get(*name) {
                Some(id) => self.of(*id),
                None => undeclared(&format!("local.{name}"), inst.locals.keys().map(AsRef::as_ref), span),
            },
            Request::Resource { mode, type_name, name, key } => self.resource(*mode, type_name, name, *key, span),
            Request::Module { name, key, output } => self.call(name, *key, *output, span, Self::of),
            Request::EachKey => match (&self.repeat.each_key, self.repeat.each_index) {
                (Some(key), _) => Resolution::Value(Value::string(Arc::clone(key))),
                (None, Some(idx)) => Resolution::Value(Value::number(idx)),
                (None, None) => misplaced("each.key", "`for_each`", span),
            },
            Request::EachValue => self.each_value(span),
            Request::CountIndex => match self.repeat.count_index {
                Some(idx) => Resolution::Value(Value::number(idx)),
                None => misplaced("count.index", "`count`", span),
            },
            Request::SelfObject => match self.this {
                Some(value) => Resolution::Value(value.clone()),
                None => misplaced("self", "conditions", span),
            },
            Request::PathModule => {
                Resolution::Value(Value::string(if inst.module.dir.is_empty() { "." } else { &*inst.module.dir }))
            }
            Request::PathRoot => Resolution::Value(Value::string(".")),
            Request::PathCwd => Resolution::Value(Value::string(self.table.env.root.as_str())),
            Request::Applying => Resolution::Value(Value::bool(self.table.env.applying).with_marks(Marks::EPHEMERAL)),
            Request::Workspace => Resolution::Value(Value::string(self.table.env.workspace.as_str())),
        }
    }
}

fn misplaced(word: &str, place: &str, span: Span) -> Resolution {
    Resolution::Failed(
        Diagnostic::error("template.reference", format!("`{word}` means something only in blocks with {place}"))
            .at(span),
    )
}

fn undeclared<'n>(word: &str, known: impl Iterator<Item = &'n str>, span: Span) -> Resolution {
    let last = word.rsplit_once('.').map_or(word, |(_, last)| last);
    let near = suggest(last, known);
    let problem = Diagnostic::error("template.reference", format!("`{word}` is not declared")).at(span);
    Resolution::Failed(match near {
        Some(near) => problem.help(format!("did you mean `{near}`?")),
        None => problem,
    })
}

fn no_such_instance<T>(word: &str, key: &InstanceKey, keys: &Keys<T>, span: Span) -> Resolution {
    let help = match keys {
        Keys::One(_) => format!("`{word}` has neither `count` nor `for_each`: leave the index out"),
        Keys::Count(list) if list.is_empty() => "its `count` is 0".to_owned(),
        Keys::Count(list) => format!("its `count` is {}, so the last index is {}", list.len(), list.len() - 1),
        Keys::Each(map) => match map.len() {
            0 => "its `for_each` is empty".to_owned(),
            _ => {
                let some: Vec<String> = map.keys().take(5).map(|key| format!("`{key}`")).collect();
                let more = if map.len() > some.len() { ", …" } else { "" };
                format!("its keys are {}{more}", some.join(", "))
            }
        },
    };
    Resolution::Failed(
        Diagnostic::error("eval.part", format!("there is no instance `{word}{key}`")).at(span).help(help),
    )
}

impl Table {
    /// Returns the stand-in for something that has no value.
    pub(in crate::plan) fn nothing() -> Value {
        Value::unknown(Type::Any)
    }
}
