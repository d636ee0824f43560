//! What refers to what, before anything is evaluated.
//!
//! Modules are no nodes: what is in them is. A reference to a module's output leads to that output, and a variable of a
//! module to what the call sets it to, so that modules that use each other criss-cross are no cycle. A few nodes stand for
//! no declaration; each is there so that edges stay few ([`StaticKind`] says which).

use std::{
    collections::{HashMap, HashSet},
    fmt,
    sync::Arc,
};

use crate::{
    address::ModulePath,
    error::Span,
    graph::{Graph, NodeIdx},
};

use super::{
    check::sites::{Owner, Site, for_each_site},
    model::{Dependency, Module, ResourceBlock, ResourceKey, Template},
    reference::{Referent, references},
};

/// A node of the static graph. Prints as people name it: `` `module.net.local.a` ``.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct StaticNode {
    /// The module that it is in; for those that stand for a call, the module that is called.
    pub module: ModulePath,
    /// What it is.
    pub kind: StaticKind,
}

/// What a node of the static graph stands for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum StaticKind {
    /// A variable: needs what the call sets it to.
    Variable(Arc<str>),
    /// A local.
    Local(Arc<str>),
    /// An output.
    Output(Arc<str>),
    /// A resource or data source, all of its instances.
    Resource(ResourceKey),
    /// The configuration of a provider.
    Provider(Arc<str>),
    /// How often the module is called: `count` or `for_each` of the call.
    Repetition,
    /// What everything in the module waits for: `depends_on` of the call.
    Order,
    /// All outputs of the module, as `module.name` without an output means them.
    Outputs,
    /// All resources and outputs of the module and of those below it, as `depends_on = [module.name]` means them.
    Everything,
}

impl fmt::Display for StaticNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dot = if self.module.is_root() { "" } else { "." };
        let module = &self.module;
        match &self.kind {
            StaticKind::Variable(name) => write!(f, "`{module}{dot}var.{name}`"),
            StaticKind::Local(name) => write!(f, "`{module}{dot}local.{name}`"),
            StaticKind::Output(name) if self.module.is_root() => write!(f, "the output `{name}`"),
            StaticKind::Output(name) => write!(f, "`{module}.{name}`"),
            StaticKind::Resource(key) => write!(f, "`{module}{dot}{key}`"),
            StaticKind::Provider(name) if self.module.is_root() => write!(f, "the provider `{name}`"),
            StaticKind::Provider(name) => write!(f, "the provider `{name}` of `{module}`"),
            StaticKind::Repetition => write!(f, "the repetition of `{module}`"),
            StaticKind::Order => write!(f, "`depends_on` of `{module}`"),
            StaticKind::Outputs => write!(f, "`{module}`"),
            StaticKind::Everything => write!(f, "everything in `{module}`"),
        }
    }
}

impl StaticNode {
    /// Returns its name as labels have it: `var.size`, `module.net.acme_vpc.main`, `output.url`.
    pub fn label(&self) -> String {
        match &self.kind {
            StaticKind::Output(name) if self.module.is_root() => format!("output.{name}"),
            StaticKind::Provider(name) if self.module.is_root() => format!("provider.{name}"),
            StaticKind::Provider(name) => format!("{}.provider.{name}", self.module),
            _ => self.to_string().trim_matches('`').to_owned(),
        }
    }

    /// Returns whether it stands for something that the template declares.
    pub fn is_declared(&self) -> bool {
        use StaticKind::{Everything, Order, Outputs, Repetition};
        !matches!(self.kind, Repetition | Order | Outputs | Everything)
    }
}

/// Returns the static graph of a template for people: only what is declared, each edge once, and none that follows from
/// others as long as there are at most 5,000 nodes.
///
/// # Complexity
/// That of [`static_graph`] for each node, since the nodes that are left out are looked through.
pub fn drawn_graph(template: &Template) -> Graph<StaticNode, ()> {
    let whole = static_graph(template);
    let mut graph = Graph::new();
    let declared: Vec<NodeIdx> = whole.nodes().filter(|node| whole[*node].is_declared()).collect();
    let drawn: HashMap<NodeIdx, NodeIdx> =
        declared.iter().map(|node| (*node, graph.add_node(whole[*node].clone()))).collect();
    for from in &declared {
        let mut seen = HashSet::from([*from]);
        let mut open = vec![*from];
        while let Some(node) = open.pop() {
            for (needed, _) in whole.needs(node).filter(|(needed, _)| seen.insert(*needed)).collect::<Vec<_>>() {
                match (drawn.get(from), drawn.get(&needed)) {
                    (Some(from), Some(needed)) => _ = graph.add_edge(*from, *needed, ()),
                    _ => open.push(needed),
                }
            }
        }
    }
    graph.reduced(5_000).map_or_else(
        || graph.map(|_, node| node.clone(), |()| ()),
        |reduced| reduced.map(|_, node| (*node).clone(), |&()| ()),
    )
}

/// Returns the static graph of a template. An edge carries the place of the reference that it comes from, where there is
/// one; of several references the first.
///
/// Left out: what is not declared, references of a resource block to itself (both are reported by
/// [`check`](super::check())), and what validations of variables, `check` and `import` blocks look at, since no value waits for
/// that.
///
/// # Complexity
/// O(declarations + references), modules counted once per call.
pub fn static_graph(template: &Template) -> Graph<StaticNode, Option<Span>> {
    let mut builder = Builder { template, graph: Graph::new(), by_node: HashMap::new() };
    for (path, module) in template.modules() {
        builder.declare(path, module);
    }
    for (path, module) in template.modules() {
        builder.connect(path, module);
    }
    builder.graph
}

struct Builder<'a> {
    template: &'a Template,
    graph: Graph<StaticNode, Option<Span>>,
    by_node: HashMap<StaticNode, NodeIdx>,
}

impl Builder<'_> {
    fn node(&mut self, module: &ModulePath, kind: StaticKind) -> NodeIdx {
        let node = StaticNode { module: module.clone(), kind };
        if let Some(idx) = self.by_node.get(&node) {
            return *idx;
        }
        let idx = self.graph.add_node(node.clone());
        self.by_node.insert(node, idx);
        idx
    }

    fn find(&self, module: &ModulePath, kind: StaticKind) -> Option<NodeIdx> {
        self.by_node.get(&StaticNode { module: module.clone(), kind }).copied()
    }

    fn edge(&mut self, from: NodeIdx, needs: Option<NodeIdx>, span: Option<Span>) {
        if let Some(needs) = needs {
            self.graph.merge_edge(from, needs, span, |old, new| *old = old.or(new));
        }
    }

    fn declare(&mut self, path: &ModulePath, module: &Module) {
        let names = module.variables.keys().cloned().map(StaticKind::Variable);
        let names = names.chain(module.locals.keys().cloned().map(StaticKind::Local));
        let names = names.chain(module.resources.keys().cloned().map(StaticKind::Resource));
        let names = names.chain(module.outputs.keys().cloned().map(StaticKind::Output));
        for kind in names.chain(module.providers.keys().map(|name| StaticKind::Provider(Arc::from(name.to_string())))) {
            self.node(path, kind);
        }
        for kind in [StaticKind::Repetition, StaticKind::Order, StaticKind::Outputs, StaticKind::Everything] {
            self.node(path, kind);
        }
    }

    fn connect(&mut self, path: &ModulePath, module: &Module) {
        let [repetition, order, outputs, everything] =
            [StaticKind::Repetition, StaticKind::Order, StaticKind::Outputs, StaticKind::Everything]
                .map(|kind| self.node(path, kind));
        self.edge(outputs, Some(repetition), None);
        self.edge(everything, Some(repetition), None);
        if let Some(parent) = path.parent() {
            for (own, kind) in [(repetition, StaticKind::Repetition), (order, StaticKind::Order)] {
                let above = self.find(&parent, kind);
                self.edge(own, above, None);
            }
            let above = self.node(&parent, StaticKind::Everything);
            self.edge(above, Some(everything), None);
        }
        for (name, output) in &module.outputs {
            let node = self.node(path, StaticKind::Output(Arc::clone(name)));
            self.edge(outputs, Some(node), None);
            self.edge(everything, Some(node), None);
            self.order(path, node, &output.depends_on);
        }
        for (key, resource) in &module.resources {
            let node = self.node(path, StaticKind::Resource(key.clone()));
            self.edge(everything, Some(node), None);
            self.edge(node, Some(repetition), None);
            self.edge(node, Some(order), None);
            let provider = self.provider(path, module, resource);
            self.edge(node, provider, None);
            self.order(path, node, &resource.depends_on);
        }
        for call in module.calls.values() {
            let child = path.child(Arc::clone(&call.name));
            if let Some(node) = self.find(&child, StaticKind::Order) {
                self.order(path, node, &call.depends_on);
            }
        }
        let mut sites = Vec::new();
        for_each_site(module, &mut |site, bound| {
            sites.push((site, bound.iter().map(|name| Arc::<str>::from(*name)).collect::<Vec<_>>()));
        });
        for (site, bound) in sites {
            self.site(path, module, site, &bound);
        }
    }

    /// Returns the configuration that a block uses, if a block describes it.
    fn provider(&self, path: &ModulePath, module: &Module, resource: &ResourceBlock) -> Option<NodeIdx> {
        let (local, alias) = match &resource.provider {
            Some(named) => (&*named.name.name, named.name.alias.as_deref()),
            None => (resource.key.implied_provider(), None),
        };
        let provider = module.provider_called(local);
        let found = self.template.provider_address(path, provider, alias)?;
        let block = self.template.module(&found.module)?.provider_block(provider, found.alias.as_deref())?;
        self.find(&found.module, StaticKind::Provider(Arc::from(block.name.to_string())))
    }

    fn site(&mut self, path: &ModulePath, module: &Module, site: Site<'_>, bound: &[Arc<str>]) {
        let from = match site.owner {
            Owner::Variable(_) | Owner::Import(_) | Owner::Check(_) => return,
            Owner::Local(name) => (path.clone(), StaticKind::Local(Arc::clone(name))),
            Owner::Output(output) => (path.clone(), StaticKind::Output(Arc::clone(&output.name))),
            Owner::Resource(resource) => (path.clone(), StaticKind::Resource(resource.key.clone())),
            Owner::Provider(provider) => (path.clone(), StaticKind::Provider(Arc::from(provider.name.to_string()))),
            Owner::Call(call) => (path.child(Arc::clone(&call.name)), StaticKind::Repetition),
            Owner::Input(call, name) => (path.child(Arc::clone(&call.name)), StaticKind::Variable(Arc::clone(name))),
        };
        let Some(from) = self.find(&from.0, from.1) else { return };
        for reference in references(site.expr) {
            let hidden = |name: &str| bound.iter().any(|bound| **bound == *name);
            let own = match (&reference.referent, site.owner) {
                (Referent::Resource(key), Owner::Resource(resource)) => *key == resource.key,
                _ => false,
            };
            let is_hidden = matches!(&reference.referent, Referent::Resource(key) if hidden(&key.type_name));
            if !own && !is_hidden {
                self.refer(path, module, from, &reference.referent, site.owner, reference.span);
            }
        }
    }

    fn refer(
        &mut self,
        path: &ModulePath,
        module: &Module,
        from: NodeIdx,
        referent: &Referent,
        owner: Owner<'_>,
        span: Span,
    ) {
        let at = Some(span);
        match referent {
            Referent::Variable(name) => {
                let needs = self.find(path, StaticKind::Variable(Arc::clone(name)));
                self.edge(from, needs, at);
            }
            Referent::Local(name) => {
                let needs = self.find(path, StaticKind::Local(Arc::clone(name)));
                self.edge(from, needs, at);
            }
            Referent::Resource(key) => {
                let needs = self.find(path, StaticKind::Resource(key.clone()));
                self.edge(from, needs, at);
            }
            Referent::Module { name, output } if module.calls.contains_key(name) => {
                let child = path.child(Arc::clone(name));
                let kind = match output {
                    Some(output) => StaticKind::Output(Arc::clone(output)),
                    None => StaticKind::Outputs,
                };
                let needs = self.find(&child, kind);
                self.edge(from, needs, at);
                let repetition = self.find(&child, StaticKind::Repetition);
                self.edge(from, repetition, at);
            }
            Referent::Each(_) | Referent::CountIndex => {
                if let Owner::Input(call, _) = owner {
                    let needs = self.find(&path.child(Arc::clone(&call.name)), StaticKind::Repetition);
                    self.edge(from, needs, at);
                }
            }
            _ => {}
        }
    }

    fn order(&mut self, path: &ModulePath, from: NodeIdx, list: &[Dependency]) {
        for dependency in list {
            let needs = match &dependency.referent {
                Referent::Variable(name) => self.find(path, StaticKind::Variable(Arc::clone(name))),
                Referent::Local(name) => self.find(path, StaticKind::Local(Arc::clone(name))),
                Referent::Resource(key) => self.find(path, StaticKind::Resource(key.clone())),
                Referent::Module { name, output: None } => {
                    self.find(&path.child(Arc::clone(name)), StaticKind::Everything)
                }
                Referent::Module { name, output: Some(output) } => {
                    self.find(&path.child(Arc::clone(name)), StaticKind::Output(Arc::clone(output)))
                }
                _ => None,
            };
            if needs != Some(from) {
                self.edge(from, needs, Some(dependency.span));
            }
        }
    }
}
