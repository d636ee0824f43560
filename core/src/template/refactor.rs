//! Moves, before anything is known of state: which are declared, and which has to be followed before which.

use std::{collections::HashMap, sync::Arc};

use crate::{
    address::{Address, InstanceKey, Mode, ModuleInstance, ModulePath, ModuleStep, ResourceAddress},
    error::Span,
    graph::{Cycle, Graph, NodeIdx},
};

use super::model::{Endpoint, Template};

/// A move that the template declares, or that follows from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Move {
    /// The module that declares it; the ends are relative to each of its instances.
    pub(crate) module: ModulePath,
    pub(crate) from: Endpoint,
    pub(crate) to: Endpoint,
    /// Where it is declared; nothing where it follows from a changed `count`.
    pub(crate) spans: Option<MoveSpans>,
}

/// Where the parts of a `moved` block are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MoveSpans {
    pub(crate) block: Span,
    pub(crate) from: Span,
    pub(crate) to: Span,
}

impl Move {
    /// Returns an end as people write it seen from the root.
    pub(crate) fn name(&self, end: &Endpoint) -> String {
        if self.module.is_root() { end.to_string() } else { format!("{}.{end}", self.module) }
    }

    /// Returns where this move takes an address; nothing where it is not concerned.
    ///
    /// # Complexity
    /// O(d), d steps of the module.
    pub(crate) fn destination(&self, address: &Address) -> Option<Address> {
        match (&self.from, &self.to) {
            (Endpoint::Call(_) | Endpoint::Module(_), _) => {
                let module = self.module_destination(address.module())?;
                Some(Address {
                    resource: ResourceAddress { module, ..address.resource.clone() },
                    key: address.key.clone(),
                })
            }
            (Endpoint::Resource(from), Endpoint::Resource(to)) => {
                let module = self.exact(address.module(), &from.module, &to.module)?;
                same_resource(from, &address.resource).then(|| renamed(to, module).instance(address.key.clone()))
            }
            (Endpoint::Instance(from), Endpoint::Instance(to)) => {
                let module = self.exact(address.module(), from.module(), to.module())?;
                (same_resource(&from.resource, &address.resource) && from.key == address.key)
                    .then(|| renamed(&to.resource, module).instance(to.key.clone()))
            }
            _ => None,
        }
    }

    /// Returns where this move takes a module instance; nothing where it is not about modules, or not about this one.
    pub(crate) fn module_destination(&self, module: &ModuleInstance) -> Option<ModuleInstance> {
        let (above, rest) = self.within(module)?;
        let joined = |to: &[ModuleStep], rest: &[ModuleStep]| {
            ModuleInstance::from_steps(above.iter().chain(to).chain(rest).cloned())
        };
        match (&self.from, &self.to) {
            (Endpoint::Module(from), Endpoint::Module(to)) => {
                Some(joined(to.steps(), rest.strip_prefix(from.steps())?))
            }
            (Endpoint::Call(from), Endpoint::Call(to)) => {
                let (last, outer) = from.steps().split_last()?;
                let (moved, rest) = rest.strip_prefix(outer)?.split_first()?;
                let (to_last, to_outer) = to.steps().split_last()?;
                let step = ModuleStep { name: Arc::clone(&to_last.name), key: moved.key.clone() };
                let to: Vec<ModuleStep> = to_outer.iter().cloned().chain([step]).collect();
                (moved.name == last.name).then(|| joined(&to, rest))
            }
            _ => None,
        }
    }

    /// Splits the steps of a module instance into those of the declaring module and what is below.
    fn within<'m>(&self, module: &'m ModuleInstance) -> Option<(&'m [ModuleStep], &'m [ModuleStep])> {
        let (above, rest) = module.steps().split_at_checked(self.module.names().len())?;
        above.iter().map(|step| &step.name).eq(self.module.names()).then_some((above, rest))
    }

    fn exact(&self, module: &ModuleInstance, from: &ModuleInstance, to: &ModuleInstance) -> Option<ModuleInstance> {
        let (above, rest) = self.within(module)?;
        (rest == from.steps()).then(|| ModuleInstance::from_steps(above.iter().chain(to.steps()).cloned()))
    }

    fn pattern(&self, end: &Endpoint) -> Pattern {
        let above = self.module.names().iter().map(|name| (Arc::clone(name), Which::Any));
        let mut modules: Vec<(Arc<str>, Which)> = above
            .chain(end.module().steps().iter().map(|step| (Arc::clone(&step.name), Which::One(step.key.clone()))))
            .collect();
        if let (Endpoint::Call(_), Some((_, which))) = (end, modules.last_mut()) {
            *which = Which::Any;
        }
        let object = end.resource().map(|resource| {
            let which = match end {
                Endpoint::Instance(instance) => Which::One(instance.key.clone()),
                _ => Which::Any,
            };
            (resource.mode, Arc::clone(&resource.type_name), Arc::clone(&resource.name), which)
        });
        Pattern { modules, object }
    }
}

fn same_resource(wanted: &ResourceAddress, found: &ResourceAddress) -> bool {
    (wanted.mode, &wanted.type_name, &wanted.name) == (found.mode, &found.type_name, &found.name)
}

fn renamed(to: &ResourceAddress, module: ModuleInstance) -> ResourceAddress {
    ResourceAddress { module, ..to.clone() }
}

/// Returns the moves that a template declares, in order of modules and then of place.
pub(crate) fn declared_moves(template: &Template) -> Vec<Move> {
    let mut moves = Vec::new();
    for (path, module) in template.modules() {
        moves.extend(module.moved.iter().map(|moved| Move {
            module: path.clone(),
            from: moved.from.clone(),
            to: moved.to.clone(),
            spans: Some(MoveSpans { block: moved.span, from: moved.from_span, to: moved.to_span }),
        }));
    }
    moves
}

/// Puts moves into the order in which they are followed: what arrives somewhere before what goes on from there, what lies
/// inside of something by its old name before that, by its new name after it.
///
/// # Errors
/// The loops, as places in the list.
///
/// # Complexity
/// O(m) for m moves of different things; declared ones of one resource of the root, or within one of its modules, are
/// compared with all others there.
pub(crate) fn order_moves(moves: &[Move]) -> Result<Vec<usize>, Vec<Vec<usize>>> {
    let patterns: Vec<[Pattern; 2]> = moves.iter().map(|one| [one.pattern(&one.from), one.pattern(&one.to)]).collect();
    let mut graph: Graph<usize, ()> = Graph::new();
    let nodes: Vec<NodeIdx> = (0..moves.len()).map(|at| graph.add_node(at)).collect();
    // Only ends that begin with the same word can have to do with each other.
    let mut by_head: HashMap<Head<'_>, Vec<usize>> = HashMap::new();
    for (at, [from, to]) in patterns.iter().enumerate() {
        let mut heads = vec![from.head(), to.head()];
        heads.dedup();
        heads.into_iter().for_each(|head| by_head.entry(head).or_default().push(at));
    }
    for group in by_head.values() {
        // Moves that follow from a changed `count` concern instances of their own: they meet none of their kind.
        let (declared, implied): (Vec<usize>, Vec<usize>) =
            group.iter().partition(|at| moves.get(**at).is_some_and(|one| one.spans.is_some()));
        let pairs = declared.iter().flat_map(|a| group.iter().map(move |b| (*a, *b)));
        for (later, earlier) in pairs.chain(implied.iter().flat_map(|a| declared.iter().map(move |b| (*a, *b)))) {
            if let (true, Some(a), Some(b)) = (later != earlier, patterns.get(later), patterns.get(earlier))
                && waits(a, b)
                && let (Some(later), Some(earlier)) = (nodes.get(later), nodes.get(earlier))
            {
                graph.add_edge(*later, *earlier, ());
            }
        }
    }
    let places = |list: &[NodeIdx]| list.iter().filter_map(|node| graph.get(*node)).copied().collect::<Vec<_>>();
    match graph.topological_order() {
        Ok(order) => Ok(places(&order)),
        Err(cycles) => Err(cycles.iter().map(|cycle: &Cycle| places(cycle.path())).collect()),
    }
}

/// Returns whether a move is followed after another.
///
/// What a called module declares is about every instance of it: where one instance takes the place of another, it holds
/// before and after, and the order does not matter.
fn waits([from, to]: &[Pattern; 2], [other_from, other_to]: &[Pattern; 2]) -> bool {
    let arrives = |end: &Pattern| end.is_inside(other_to) && !end.is_inside(other_from);
    let leaves = |end: &Pattern| end.is_inside(from) && !end.is_inside(to);
    from.meets(other_to) || arrives(from) || arrives(to) || leaves(other_from) || leaves(other_to)
}

/// Which instances are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Which {
    Any,
    One(Option<InstanceKey>),
}

impl Which {
    fn fits(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::One(a), Self::One(b)) => a == b,
            _ => true,
        }
    }
}

/// All addresses that an end of a move may mean.
#[derive(Clone, Debug)]
struct Pattern {
    modules: Vec<(Arc<str>, Which)>,
    object: Option<(Mode, Arc<str>, Arc<str>, Which)>,
}

/// The first word of a pattern: a module, or the type and name of a resource.
type Head<'p> = (&'p str, Option<&'p str>);

impl Pattern {
    fn head(&self) -> Head<'_> {
        match (self.modules.first(), &self.object) {
            (Some((name, _)), _) => (name, None),
            (None, Some((_, type_name, name, _))) => (type_name, Some(name)),
            (None, None) => ("", None),
        }
    }

    /// Returns whether the modules of another lie in this one's.
    fn leads_to(&self, other: &Self) -> bool {
        self.modules.len() <= other.modules.len()
            && self.modules.iter().zip(&other.modules).all(|(a, b)| a.0 == b.0 && a.1.fits(&b.1))
    }

    /// Returns whether both may mean the same.
    fn meets(&self, other: &Self) -> bool {
        let objects = match (&self.object, &other.object) {
            (None, None) => true,
            (Some(a), Some(b)) => (a.0, &a.1, &a.2) == (b.0, &b.1, &b.2) && a.3.fits(&b.3),
            _ => false,
        };
        objects && self.modules.len() == other.modules.len() && self.leads_to(other)
    }

    /// Returns whether it means something inside of what another means.
    fn is_inside(&self, other: &Self) -> bool {
        match (&self.object, &other.object) {
            (Some((.., Which::One(_))), Some((.., Which::Any))) => self.meets(other),
            (_, Some(_)) => false,
            (Some(_), None) => other.leads_to(self),
            (None, None) if self.modules.len() == other.modules.len() => {
                let last = |pattern: &Self| pattern.modules.last().map(|(_, which)| which.clone());
                matches!((last(self), last(other)), (Some(Which::One(_)), Some(Which::Any))) && other.leads_to(self)
            }
            (None, None) => other.leads_to(self),
        }
    }
}
