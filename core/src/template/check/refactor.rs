use std::collections::BTreeMap;

use crate::{
    address::{Mode, ModuleInstance, ModulePath},
    error::{Diagnostic, Span},
    template::{
        decode::{Problems, constant},
        model::{Endpoint, Import, RemovedFrom, Repetition, ResourceKey, Template},
        refactor::{Move, declared_moves, order_moves},
        reference::{Referent, references},
    },
    value::Value,
};

/// Checks what `moved`, `removed` and `import` blocks say, as far as that can be told without instances.
pub(super) fn check(template: &Template, problems: &mut Vec<Diagnostic>) {
    moves(template, problems);
    removals(template, problems);
    imports(template, problems);
}

fn moves(template: &Template, problems: &mut Vec<Diagnostic>) {
    let moves = declared_moves(template);
    if moves.is_empty() {
        return;
    }
    let mut seen = Seen::default();
    let mut sound: Vec<Move> = Vec::new();
    for one in moves {
        let before = problems.len();
        still_declared(template, &one, problems);
        seen.ambiguous(&one, problems);
        if let (true, Some(spans)) = (one.from == one.to, one.spans) {
            problems.push(
                Diagnostic::error("template.moved", format!("`{}` moves to where it is", one.name(&one.from)))
                    .at(spans.block)
                    .help("take the block away, or correct one of its addresses"),
            );
        }
        if let (Some(resource), Some(spans)) = (one.from.resource(), one.spans) {
            match resource.mode {
                Mode::Managed => {}
                Mode::Data => problems.push(
                    Diagnostic::warning("template.moved", "a data source has no object that could move")
                        .at(spans.from)
                        .help("take the block away; a data source is simply read under its new name"),
                ),
                Mode::Ephemeral => problems.push(
                    Diagnostic::error("template.moved", "an ephemeral resource has no object that could move")
                        .at(spans.from)
                        .help("take the block away; an ephemeral resource is simply opened under its new name"),
                ),
            }
        }
        if problems.len() == before {
            sound.push(one);
        }
    }
    let Err(cycles) = order_moves(&sound) else { return };
    for cycle in cycles {
        let path: Vec<&Move> = cycle.iter().filter_map(|at| sound.get(*at)).collect();
        let hops: Vec<String> = path
            .iter()
            .rev()
            .map(|one| format!("`{}` moves to `{}`", one.name(&one.from), one.name(&one.to)))
            .collect();
        let mut problem =
            Diagnostic::error("template.moved", format!("these moves lead in a circle: {}", hops.join(", ")))
                .help("a chain of moves ends at an address that is declared; take one of these blocks away");
        for spans in path.iter().rev().filter_map(|one| one.spans) {
            problem = problem.label(spans.block, "");
        }
        problems.push(problem);
    }
}

/// Moves by where they begin and where they end.
#[derive(Default)]
struct Seen {
    by_from: BTreeMap<(bool, String), Move>,
    by_to: BTreeMap<(bool, String), Move>,
}

impl Seen {
    fn ambiguous(&mut self, one: &Move, problems: &mut Vec<Diagnostic>) {
        let Some(spans) = one.spans else { return };
        // One instance and all instances are told apart, as Terraform does.
        let key = |end: &Endpoint| (matches!(end, Endpoint::Module(_) | Endpoint::Instance(_)), one.name(end));
        let other = self.by_from.entry(key(&one.from)).or_insert_with(|| one.clone());
        if other.name(&other.to) != one.name(&one.to) {
            let mut problem = Diagnostic::error(
                "template.moved",
                format!(
                    "`{}` moves to `{}` and to `{}`",
                    one.name(&one.from),
                    other.name(&other.to),
                    one.name(&one.to)
                ),
            )
            .label(spans.to, "here it moves elsewhere")
            .help("one thing moves to one place; take one of the blocks away");
            if let Some(first) = other.spans {
                problem = problem.label(first.to, "first here");
            }
            problems.push(problem);
        }
        let other = self.by_to.entry(key(&one.to)).or_insert_with(|| one.clone());
        if other.name(&other.from) != one.name(&one.from) {
            let mut problem = Diagnostic::error(
                "template.moved",
                format!(
                    "`{}` and `{}` both move to `{}`",
                    other.name(&other.from),
                    one.name(&one.from),
                    one.name(&one.to)
                ),
            )
            .label(spans.from, "this moves there, too")
            .help("there is room for one; take one of the blocks away");
            if let Some(first) = other.spans {
                problem = problem.label(first.from, "first this");
            }
            problems.push(problem);
        }
    }
}

/// Reports a move away from something that the template declares.
fn still_declared(template: &Template, one: &Move, problems: &mut Vec<Diagnostic>) {
    let Some(spans) = one.spans else { return };
    let steps = one.from.module().steps();
    let path = |count: usize| {
        let names = one.module.names().iter().chain(steps.iter().take(count).map(|step| &step.name));
        ModulePath::from_names(names.cloned())
    };
    let (declared, sort): (Option<Span>, _) = match &one.from {
        Endpoint::Call(_) => {
            let call = steps.split_last().and_then(|(last, above)| {
                template.module(&path(above.len()))?.calls.get(&last.name).map(|call| call.span)
            });
            (call, "module")
        }
        Endpoint::Resource(resource) => {
            (declared(template, &path(steps.len()), resource).map(|block| block.1), "resource")
        }
        // Of a repeated one, planning knows the instances.
        Endpoint::Module(_) => {
            let call = steps.split_last().and_then(|(last, above)| {
                let call = template.module(&path(above.len()))?.calls.get(&last.name)?;
                (last.key.is_none() && call.repetition == Repetition::One).then_some(call.span)
            });
            (call.filter(|_| steps.iter().all(|step| step.key.is_none())), "module")
        }
        Endpoint::Instance(instance) => {
            let block = declared(template, &path(steps.len()), &instance.resource)
                .filter(|block| instance.key.is_none() && block.0 && steps.iter().all(|step| step.key.is_none()));
            (block.map(|block| block.1), "resource")
        }
    };
    if let Some(declared) = declared {
        problems.push(
            Diagnostic::error(
                "template.moved",
                format!("`{}` is said to have moved, but it is still declared", one.name(&one.from)),
            )
            .label(spans.from, format!("moves to `{}`", one.name(&one.to)))
            .label(declared, format!("this {sort} is still here"))
            .help(format!("rename what is declared to `{}`, or take the `moved` block away", one.name(&one.to))),
        );
    }
}

/// Returns whether a declared resource is not repeated, and where it is declared.
fn declared(
    template: &Template,
    path: &ModulePath,
    resource: &crate::address::ResourceAddress,
) -> Option<(bool, Span)> {
    let key = ResourceKey { mode: resource.mode, type_name: resource.type_name.clone(), name: resource.name.clone() };
    let block = template.module(path)?.resources.get(&key)?;
    Some((block.repetition == Repetition::One, block.span))
}

fn removals(template: &Template, problems: &mut Vec<Diagnostic>) {
    let mut seen: BTreeMap<String, (bool, Span)> = BTreeMap::new();
    for (path, module) in template.modules() {
        for removed in &module.removed {
            let below = |inner: &ModulePath| ModulePath::from_names(path.names().iter().chain(inner.names()).cloned());
            let declared = match &removed.from {
                RemovedFrom::Module(module) => template.call(&below(module)).map(|call| call.span),
                RemovedFrom::Resource(resource) => {
                    let address = resource.within(ModuleInstance::root());
                    declared(template, &below(&resource.module), &address).map(|block| block.1)
                }
            };
            if let Some(declared) = declared {
                problems.push(
                    Diagnostic::error(
                        "template.removed",
                        format!("`{}` is said to be removed, but it is still declared", removed.from),
                    )
                    .label(removed.from_span, "")
                    .label(declared, "here")
                    .help("take one of the two blocks away"),
                );
            }
            let name = if path.is_root() { removed.from.to_string() } else { format!("{path}.{}", removed.from) };
            match seen.get(&name) {
                Some((destroy, first)) if *destroy != removed.destroy => problems.push(
                    Diagnostic::warning("template.removed", format!("two blocks say different things about `{name}`"))
                        .label(removed.span, "this one is not looked at")
                        .label(*first, "this one counts")
                        .help("take one of them away"),
                ),
                Some(_) => {}
                None => _ = seen.insert(name, (removed.destroy, removed.span)),
            }
        }
    }
}

fn imports(template: &Template, problems: &mut Vec<Diagnostic>) {
    let mut seen: Vec<(&Import, Vec<Value>)> = Vec::new();
    for (path, module) in template.modules() {
        for import in &module.imports {
            if !path.is_root() {
                problems.push(
                    Diagnostic::error("template.import", "only the root module can adopt objects")
                        .at(import.span)
                        .help(format!("write the block there, with `to = {path}.{}`", import.target.resource)),
                );
                continue;
            }
            let target = import.target.path();
            let block =
                template.module(&target.module).and_then(|module| module.resources.get(&import.target.resource));
            if block.is_none() && !template.root().lost.contains(&import.target.resource.name) {
                problems.push(
                    Diagnostic::error("template.import", format!("the template does not declare `{target}`"))
                        .at(import.to_span)
                        .help(format!(
                            "write its block first, such as `resource \"{}\" \"{}\" {{ … }}`; what is adopted is compared with it",
                            target.type_name, target.name
                        )),
                );
            }
            let own = references(&import.id).into_iter().find(|reference| {
                target.module.is_root() && reference.referent == Referent::Resource(import.target.resource.clone())
            });
            if let Some(own) = own {
                problems.push(
                    Diagnostic::error("template.import", "the id cannot come from what is being adopted")
                        .at(own.span)
                        .help("write the id that the object has now"),
                );
            }
            if import.repetition != Repetition::One {
                continue;
            }
            let mut ignored = Problems::default();
            let keys: Vec<Value> = import.target.keys().filter_map(|key| constant(key, &mut ignored)).collect();
            let same =
                |(other, other_keys): &&(&Import, Vec<Value>)| other.target.path() == target && *other_keys == keys;
            if let Some((first, _)) = seen.iter().find(same) {
                problems.push(
                    Diagnostic::error("template.import", format!("`{target}` is adopted twice"))
                        .label(import.to_span, "again here")
                        .label(first.to_span, "first here")
                        .help("one instance is one object; take one of the blocks away"),
                );
            }
            seen.push((import, keys));
        }
    }
}

#[cfg(test)]
mod tests;
