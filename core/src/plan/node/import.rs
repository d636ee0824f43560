use std::sync::Arc;

use super::{ModuleIdx, NodeId, NodeKind, Repeat, Table, Touched, expand::EachValue};
use crate::{
    address::{Address, InstanceKey, ModuleInstance, ModuleStep, ResourcePath},
    error::{Diagnostic, Span},
    template::{Import, syntax::Expr},
    value::{Kind, Type, Value},
};

/// An object that an `import` block adopts.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::plan) struct Adoption {
    /// The instance that it becomes.
    pub address: Address,
    /// The id that people use for it.
    pub id: String,
    /// The same as it may be shown.
    pub shown: String,
    /// Where the address is written.
    pub span: Span,
}

/// Why an `import` block comes to nothing yet.
enum Obstacle {
    Waits(Vec<NodeId>),
    /// It was reported.
    Failed,
}

impl Table {
    /// Adds a node for each `import` block of the root module.
    pub(super) fn open_imports(&mut self) {
        let module = Arc::clone(&self.root().module);
        for (idx, import) in (0..).zip(&module.imports) {
            let id = self.add(NodeKind::Import { idx });
            self.imports.entry(import.target.path()).or_default().push(id);
            if self.options.eager {
                self.demand(id);
            }
        }
    }

    /// Returns the nodes of the `import` blocks that are about a resource.
    pub(in crate::plan) fn imports_of(&self, path: impl FnOnce() -> ResourcePath) -> &[NodeId] {
        if self.imports.is_empty() {
            return &[];
        }
        self.imports.get(&path()).map(Vec::as_slice).unwrap_or_default()
    }

    /// Returns what the `import` blocks that were evaluated adopt, in order of place; of several about one instance the
    /// last counts.
    pub(in crate::plan) fn adoptions(&self) -> impl Iterator<Item = &Adoption> {
        self.adoptions.values().flatten()
    }

    /// Returns what an `import` block adopts.
    pub(in crate::plan) fn adoptions_of(&self, id: NodeId) -> &[Adoption] {
        self.adoptions.get(&id).map(Vec::as_slice).unwrap_or_default()
    }

    /// Works out what an `import` block adopts.
    pub(super) fn import(&mut self, id: NodeId, idx: u32) {
        let Some(import) = self.root().module.imports.get(idx as usize).cloned() else { return self.fail(id) };
        let result = self.elements(&import).and_then(|repeats| {
            let mut found = Vec::with_capacity(repeats.len());
            let mut waits = Vec::new();
            let mut failed = false;
            for repeat in &repeats {
                match self.adoption(&import, repeat) {
                    Ok(adoption) => found.push(adoption),
                    Err(Obstacle::Waits(on)) => waits.extend(on),
                    Err(Obstacle::Failed) => failed = true,
                }
            }
            match (waits.is_empty(), failed) {
                (false, _) => Err(Obstacle::Waits(waits)),
                (true, true) => Err(Obstacle::Failed),
                (true, false) => Ok(found),
            }
        });
        match result {
            Err(Obstacle::Waits(on)) => self.wait(id, on),
            Err(Obstacle::Failed) => self.fail(id),
            Ok(found) => {
                self.adoptions.insert(id, found);
                self.finish(id, Self::nothing(), Touched::default());
            }
        }
    }

    /// Returns what `each` is for every object of a block.
    fn elements(&mut self, import: &Import) -> Result<Vec<Repeat>, Obstacle> {
        let Some(expr) = import.repetition.expr() else { return Ok(vec![Repeat::default()]) };
        let value = self.known(&Repeat::default(), expr)?;
        let of = |key: Option<Arc<str>>, index: Option<u64>, value: Value| Repeat {
            each_key: key,
            each_index: index,
            each_value: EachValue::Made(value, Touched::default()),
            ..Repeat::default()
        };
        let wrong = |table: &mut Self, what: &str| {
            table.problems.push(
                Diagnostic::error("plan.import_invalid", format!("the `for_each` of an `import` block {what}"))
                    .at(expr.span)
                    .help("it takes a map, a set or a list whose elements are known while planning"),
            );
            Err(Obstacle::Failed)
        };
        let repeats: Vec<Repeat> = match value.kind() {
            Kind::Null(_) => Vec::new(),
            Kind::Unknown(_) => return wrong(self, "is not known before apply"),
            Kind::Map(fields) | Kind::Object(fields) => {
                fields.iter().map(|(key, value)| of(Some(Arc::clone(key)), None, value.clone())).collect()
            }
            Kind::List(items) | Kind::Tuple(items) => {
                (0..).zip(items.iter()).map(|(idx, item)| of(None, Some(idx), item.clone())).collect()
            }
            Kind::Set(items) => {
                let mut repeats = Vec::new();
                for item in items.iter() {
                    match crate::value::convert(item, &Type::String) {
                        Ok(text) if text.as_str().is_some() => {
                            repeats.push(of(text.as_str().map(Arc::from), None, item.clone()));
                        }
                        _ => return wrong(self, "holds something that is no text, or is not known before apply"),
                    }
                }
                repeats
            }
            _ => return wrong(self, "has no elements"),
        };
        if self.spend(repeats.len(), expr.span) { Ok(repeats) } else { Err(Obstacle::Failed) }
    }

    fn adoption(&mut self, import: &Import, repeat: &Repeat) -> Result<Adoption, Obstacle> {
        let mut steps = Vec::with_capacity(import.target.modules.len());
        for (name, key) in &import.target.modules {
            let key = key.as_ref().map(|key| self.key(repeat, key)).transpose()?;
            steps.push(ModuleStep { name: Arc::clone(name), key });
        }
        let key = import.target.key.as_ref().map(|key| self.key(repeat, key)).transpose()?;
        let module = ModuleInstance::from_steps(steps);
        let address = import.target.path().within(module).instance(key);
        let value = self.known(repeat, &import.id)?;
        let text = crate::value::convert(&value, &Type::String).ok();
        let refuse = |table: &mut Self, what: &str, help: &str| {
            table.problems.push(
                Diagnostic::error("plan.import_invalid", format!("the id of `{address}` {what}"))
                    .at(import.id.span)
                    .address(address.to_string())
                    .help(help.to_owned()),
            );
            Err(Obstacle::Failed)
        };
        let id = match &text {
            Some(text) if !text.is_known() => {
                let help =
                    "an object is adopted while planning; take the id from variables or from what exists already";
                return refuse(self, "is not known before apply", help);
            }
            Some(text) => text.as_str().map(ToOwned::to_owned),
            None => None,
        };
        match id {
            Some(id) if id.is_empty() => refuse(self, "is empty", "write the id that people use for the object"),
            Some(id) => {
                let shown = if value.marks_deep().is_empty() { id.clone() } else { "(sensitive value)".to_owned() };
                Ok(Adoption { address, id, shown, span: import.to_span })
            }
            None if value.is_null() => refuse(self, "is null", "write the id that people use for the object"),
            None => refuse(self, &format!("is {}, not a text", value.ty().friendly_name()), "an id is a text"),
        }
    }

    /// Returns the value of an expression of the root module.
    fn known(&mut self, repeat: &Repeat, expr: &Expr) -> Result<Value, Obstacle> {
        let evaluated = self.evaluate(ModuleIdx::ROOT, repeat, None, expr);
        if !evaluated.waits.is_empty() {
            return Err(Obstacle::Waits(evaluated.waits));
        }
        let poisoned = evaluated.poisoned;
        self.settle(evaluated, None).filter(|_| !poisoned).ok_or(Obstacle::Failed)
    }

    fn key(&mut self, repeat: &Repeat, expr: &Expr) -> Result<InstanceKey, Obstacle> {
        let value = self.known(repeat, expr)?;
        let what = match value.kind() {
            _ if !value.marks_deep().is_empty() => "a key is sensitive, and would show in addresses",
            Kind::Number(number) => match number.to_u64() {
                Some(idx) => return Ok(InstanceKey::Int(idx)),
                None => "a key is no whole number",
            },
            Kind::String(text) => return Ok(InstanceKey::from(&**text)),
            Kind::Unknown(_) => "a key is not known before apply",
            _ => "a key is neither a number nor a text",
        };
        self.problems.push(
            Diagnostic::error("plan.import_invalid", what)
                .at(expr.span)
                .help("keys of what is adopted are numbers or texts that are known while planning"),
        );
        Err(Obstacle::Failed)
    }
}
