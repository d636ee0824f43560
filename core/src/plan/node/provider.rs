use std::sync::Arc;

use super::{Evaluated, ModuleIdx, NodeId, NodeKind, Repeat, Table, expand::EachValue};
use crate::{
    address::{InstanceKey, ModulePath},
    error::{Diagnostic, Span},
    schema::Schema,
    template::{Found, ProviderAddress, ProviderBlock, ProviderRef, look, syntax::Expr},
    value::{Kind, Type, Value},
};

/// What came of looking for a configuration.
pub(in crate::plan) enum Lookup {
    /// This is it.
    Found(ProviderAddress),
    /// There is none; a problem was reported.
    Missing,
    /// These nodes have to be there first.
    Waits(Vec<NodeId>),
}

impl Table {
    /// Returns the node of a provider's configuration, by the text of its address.
    pub(in crate::plan) fn provider_node(&mut self, name: &str) -> NodeId {
        if let Some(id) = self.providers.get(name) {
            return *id;
        }
        let name: Arc<str> = Arc::from(name);
        let id = self.add(NodeKind::Provider { name: Arc::clone(&name) });
        self.providers.insert(name, id);
        id
    }

    /// Returns the same for a configuration that manages an object in state.
    pub(in crate::plan) fn remembered_provider_node(&mut self, name: &Arc<str>) -> NodeId {
        self.remembered.insert(Arc::clone(name));
        self.provider_node(name)
    }

    /// Returns the configurations that were asked for, by the text of their addresses.
    pub(in crate::plan) fn provider_nodes(&self) -> impl Iterator<Item = (&Arc<str>, NodeId)> {
        self.providers.iter().map(|(name, id)| (name, *id))
    }

    /// Returns the configuration that a block of a module instance uses. `named` says which; without, it is the default one
    /// of `provider`. `repeat` is what `each` and `count` are in the block.
    pub(in crate::plan) fn provider_lookup(
        &mut self,
        module: ModuleIdx,
        named: Option<&ProviderRef>,
        provider: &str,
        repeat: &Repeat,
        span: Span,
    ) -> Lookup {
        let mut at = module;
        let inst = self.module(at);
        let (provider, mut alias) = match named {
            Some(named) => (Arc::from(inst.module.provider_called(&named.name.name)), named.name.alias.clone()),
            None => (Arc::from(provider), None),
        };
        let mut key = match named.and_then(|named| named.key.as_deref()) {
            Some(expr) => match self.provider_key(at, repeat, expr) {
                Ok(key) => Some(key),
                Err(lookup) => return lookup,
            },
            None => None,
        };
        loop {
            let inst = self.module(at);
            let template = Arc::clone(&self.template);
            let declared = Arc::clone(&inst.module);
            let up = match look(&declared, template.call(&inst.path), &provider, alias.as_deref()) {
                Found::Block(block) => {
                    let fits = block.for_each.is_some() == key.is_some();
                    let found = ProviderAddress { module: inst.path.clone(), provider, alias, key };
                    return if fits { Lookup::Found(found) } else { self.misfit(&found, block.span, span) };
                }
                Found::Implied => return Lookup::Found(ProviderAddress::root_default(provider)),
                Found::Inherited => None,
                Found::Passed(outer) => Some(outer),
                Found::Missing => {
                    let alias = alias.unwrap_or_default();
                    self.problems.push(no_such(&provider, &alias, span));
                    return Lookup::Missing;
                }
            };
            let (Some(parent), repeat) = (inst.parent, inst.repeat.clone()) else {
                return Lookup::Found(ProviderAddress::root_default(provider));
            };
            if let Some(outer) = up {
                alias.clone_from(&outer.name.alias);
                if let Some(expr) = &outer.key {
                    match self.provider_key(parent, &repeat, expr) {
                        Ok(_) if key.is_some() => {
                            let message =
                                format!("the module is handed one configuration of `{provider}`, not several");
                            self.problems.push(
                                Diagnostic::error("plan.provider_missing", message)
                                    .at(span)
                                    .label(expr.span, "handed to the module here")
                                    .help("leave the key in brackets out inside of the module"),
                            );
                            return Lookup::Missing;
                        }
                        Ok(found) => key = Some(found),
                        Err(lookup) => return lookup,
                    }
                }
            }
            at = parent;
        }
    }

    fn misfit(&mut self, found: &ProviderAddress, block: Span, span: Span) -> Lookup {
        let problem = if found.key.is_some() {
            Diagnostic::error("plan.provider_missing", format!("`{found}` is one configuration, not several"))
                .at(span)
                .help("leave the key in brackets out")
        } else {
            Diagnostic::error("plan.provider_missing", format!("`{found}` is several configurations"))
                .at(span)
                .help("say which, as in `provider = acme.east[each.key]`")
        };
        self.problems.push(problem.label(block, "configured here"));
        Lookup::Missing
    }

    /// Evaluates which of several configurations is meant.
    fn provider_key(&mut self, module: ModuleIdx, repeat: &Repeat, expr: &Expr) -> Result<InstanceKey, Lookup> {
        let evaluated = self.evaluate(module, repeat, None, expr);
        if !evaluated.waits.is_empty() {
            return Err(Lookup::Waits(evaluated.waits));
        }
        let value = self.settle(evaluated, None).ok_or(Lookup::Missing)?;
        let text = crate::value::convert(&value, &Type::String).ok();
        match text.as_ref().and_then(Value::as_str) {
            Some(text) => Ok(InstanceKey::from(text)),
            None => {
                self.problems.push(
                    Diagnostic::error(
                        "plan.provider_missing",
                        "the key of a provider's configuration must be a known text",
                    )
                    .at(expr.span),
                );
                Err(Lookup::Missing)
            }
        }
    }

    /// Returns the only instance of a module, or the node to wait for.
    fn only_instance(&self, path: &ModulePath) -> Result<Option<ModuleIdx>, NodeId> {
        let mut at = ModuleIdx::ROOT;
        for name in path.names() {
            let Some(call) = self.module(at).calls.get(name).map(|nodes| nodes.call) else { return Ok(None) };
            if !self.is_done(call) {
                return Err(call);
            }
            match self.calls(call).and_then(|expansion| expansion.keys.iter().next().copied()) {
                Some(inst) => at = inst,
                None => return Ok(None),
            }
        }
        Ok(Some(at))
    }

    /// Evaluates a configuration.
    pub(super) fn provider(&mut self, id: NodeId, name: &Arc<str>) {
        let Ok(address) = name.parse::<ProviderAddress>() else { return self.provider_gone(id, name) };
        let module = match self.only_instance(&address.module) {
            Ok(Some(module)) => module,
            Ok(None) => return self.provider_gone(id, name),
            Err(call) => return self.wait(id, vec![call]),
        };
        let block = self.module(module).module.provider_block(&address.provider, address.alias.as_deref()).cloned();
        let schema = self.types.provider_schema(&address.provider);
        let evaluated = match (block, &schema) {
            (None, _) if !address.is_root_default() => return self.provider_gone(id, name),
            (None, Some(schema)) => unconfigured(&address.provider, schema),
            (Some(block), _) => match self.provider_repeat(id, module, &block, &address) {
                Some(repeat) => match &schema {
                    Some(schema) => self.evaluate_body(module, &repeat, &block.body, schema, block.span),
                    None => Evaluated::of(Value::null(Type::Any)),
                },
                None => return,
            },
            (None, None) => Evaluated::of(Value::null(Type::Any)),
        };
        self.conclude(id, evaluated, |value| match &schema {
            Some(schema) => schema.mark_sensitive(&value),
            None => value,
        });
    }

    /// Returns what `each` is for one of several configurations. `None` where the node waits or failed.
    fn provider_repeat(
        &mut self,
        id: NodeId,
        module: ModuleIdx,
        block: &ProviderBlock,
        address: &ProviderAddress,
    ) -> Option<Repeat> {
        let (Some(expr), Some(InstanceKey::Str(key))) = (&block.for_each, &address.key) else {
            return Some(Repeat::default());
        };
        let evaluated = self.evaluate(module, &Repeat::default(), None, expr);
        if !evaluated.waits.is_empty() {
            self.wait(id, evaluated.waits);
            return None;
        }
        let touched = evaluated.touched.clone();
        let Some(value) = self.settle(evaluated, None) else {
            self.fail(id);
            return None;
        };
        let element = match value.kind() {
            Kind::Map(_) | Kind::Object(_) => value.attribute(key).cloned(),
            Kind::Set(items) => items.iter().find(|item| item.as_str() == Some(&**key)).cloned(),
            _ => None,
        };
        let Some(element) = element.filter(|_| value.is_known()) else {
            let name = address.to_string();
            if value.is_known() && self.remembered.contains(name.as_str()) {
                self.provider_gone(id, &name);
                return None;
            }
            let problem = if value.is_wholly_known() {
                Diagnostic::error("plan.provider_missing", format!("there is no configuration `{address}`"))
            } else {
                Diagnostic::error("plan.provider_missing", "the keys of configurations must be known while planning")
            };
            self.problems.push(problem.at(block.span).help("compare the key with what `for_each` holds"));
            self.fail(id);
            return None;
        };
        Some(Repeat {
            each_key: Some(Arc::clone(key)),
            each_value: EachValue::Made(element, touched),
            ..Repeat::default()
        })
    }

    fn provider_gone(&mut self, id: NodeId, name: &str) {
        self.problems.push(
            Diagnostic::error(
                "plan.provider_gone",
                format!("objects in state are managed by `{name}`, which the template does not configure any more"),
            )
            .help(
                "put the `provider` block back until what it manages is deleted, or have the objects' blocks name \
                 another configuration",
            ),
        );
        self.fail(id);
    }
}

fn no_such(provider: &str, alias: &str, span: Span) -> Diagnostic {
    Diagnostic::error("plan.provider_missing", format!("there is no configuration `{provider}.{alias}`")).at(span)
}

/// Returns the configuration of a provider that no block configures: its defaults, if that is enough.
fn unconfigured(name: &str, schema: &Schema) -> Evaluated {
    match schema.coerce(&Value::empty_object()) {
        Ok(value) => Evaluated::of(value),
        Err(problems) => {
            let list: Vec<String> = problems.into_iter().map(|(_, what)| what).collect();
            let problem = Diagnostic::error(
                "plan.provider_missing",
                format!("provider `{name}` is not configured: {}", list.join("; ")),
            )
            .help(format!("add a `provider \"{name}\" {{ … }}` block to the root module"));
            Evaluated { problems: vec![problem], ..Evaluated::of(Value::unknown(Type::Any)) }
        }
    }
}
