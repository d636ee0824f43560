use super::{NodeId, NodeKind, Table};
use crate::error::Span;

impl Table {
    /// Returns what a node is called in messages.
    pub(in crate::plan) fn label(&self, id: NodeId) -> String {
        let within = |module: &super::ModuleIdx, name: String| {
            let address = &self.module(*module).address;
            if address.is_root() { name } else { format!("{address}.{name}") }
        };
        match self.kind(id) {
            NodeKind::Variable { module, name } | NodeKind::Validation { module, name } => {
                within(module, format!("var.{name}"))
            }
            NodeKind::Local { module, name } => within(module, format!("local.{name}")),
            NodeKind::Output { module, name } => within(module, format!("output.{name}")),
            NodeKind::Call { module, name }
            | NodeKind::CallValue { module, name }
            | NodeKind::CallDone { module, name } => within(module, format!("module.{name}")),
            NodeKind::ModuleObject { module } => self.module(*module).address.to_string(),
            NodeKind::Block { module, key } => within(module, key.to_string()),
            NodeKind::Whole { block } => self.label(*block),
            NodeKind::Instance { .. } => self.address(id).map(|address| address.to_string()).unwrap_or_default(),
            NodeKind::Provider { name } if name.contains('.') => name.to_string(),
            NodeKind::Provider { name } => format!("provider.{name}"),
            NodeKind::Check { module, name } => within(module, format!("check.{name}")),
            NodeKind::Import { idx } => {
                let import = self.root().module.imports.get(*idx as usize);
                import.map(|import| format!("import of {}", import.target.path())).unwrap_or_default()
            }
            NodeKind::Task { .. } => "a task of the engine".to_owned(),
        }
    }

    /// Returns where a node is declared.
    pub(in crate::plan) fn span(&self, id: NodeId) -> Option<Span> {
        let declared = |module: &super::ModuleIdx| &self.module(*module).module;
        match self.kind(id) {
            NodeKind::Variable { module, name } | NodeKind::Validation { module, name } => {
                declared(module).variables.get(name).map(|variable| variable.span)
            }
            NodeKind::Local { module, name } => declared(module).locals.get(name).map(|local| local.span),
            NodeKind::Output { module, name } => declared(module).outputs.get(name).map(|output| output.span),
            NodeKind::Call { module, name }
            | NodeKind::CallValue { module, name }
            | NodeKind::CallDone { module, name } => declared(module).calls.get(name).map(|call| call.span),
            NodeKind::ModuleObject { module } => {
                let inst = self.module(*module);
                let call = inst.path.names().last()?;
                declared(&inst.parent?).calls.get(call).map(|call| call.span)
            }
            NodeKind::Block { .. } | NodeKind::Whole { .. } | NodeKind::Instance { .. } => {
                let (module, key, _) = self.block_of(id)?;
                declared(&module).resources.get(key).map(|block| block.span)
            }
            NodeKind::Provider { name } => {
                let address: crate::template::ProviderAddress = name.parse().ok()?;
                let module = self.template.module(&address.module)?;
                module.provider_block(&address.provider, address.alias.as_deref()).map(|block| block.span)
            }
            NodeKind::Check { module, name } => declared(module).checks.get(name).map(|check| check.span),
            NodeKind::Import { idx } => self.root().module.imports.get(*idx as usize).map(|import| import.span),
            NodeKind::Task { .. } => None,
        }
    }
}
