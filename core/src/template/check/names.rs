use std::{collections::BTreeSet, sync::Arc};

use crate::{
    address::Mode,
    error::{Diagnostic, Span, suggest},
    schema::Schema,
    template::{
        decode::walk,
        model::{Repetition, ResourceBlock, ResourceKey},
        reference::{EachPart, Reference, Referent, resolve, steps_of_each},
        syntax::{self, Step, StepKind, Tail},
    },
};

use super::{
    scene::Scene,
    sites::{Owner, Role, Site, for_each_site},
};

/// Checks what every expression of a module refers to. Returns the places of references that were reported, so that nobody
/// reports what follows from them.
pub(super) fn check(scene: &Scene<'_>, problems: &mut Vec<Diagnostic>) -> BTreeSet<Place> {
    let mut names = Names { scene, problems, reported: BTreeSet::new() };
    for_each_site(scene.module, &mut |site, bound| names.site(site, bound));
    names.dependencies();
    names.reported
}

/// Where a reference begins: source and offset.
pub(super) type Place = (u32, u32);

pub(super) fn place(span: Span) -> Place {
    (span.source.0, span.start)
}

struct Names<'a, 'p> {
    scene: &'a Scene<'a>,
    problems: &'p mut Vec<Diagnostic>,
    reported: BTreeSet<Place>,
}

impl<'a> Names<'a, '_> {
    fn site(&mut self, site: Site<'a>, bound: &[&'a str]) {
        let mut found = Vec::new();
        let mut subjects = 0_u32;
        site.expr.for_each_reference(&mut |reference| {
            if bound.contains(&reference.traversal.root_name()) {
                subjects += 1;
                return;
            }
            match resolve(&reference) {
                Ok(resolved) => {
                    subjects += u32::from(!matches!(resolved.referent, Referent::Path(_) | Referent::Terraform(_)));
                    found.push((resolved, reference));
                }
                Err(problem) => {
                    subjects += 1;
                    self.report(reference.span, problem);
                }
            }
        });
        for (reference, written) in &found {
            if let Some(problem) = self.problem(site, reference, written) {
                self.report(reference.span, problem);
            }
        }
        if matches!(site.role, Role::Condition | Role::Postcondition) {
            self.condition(site, &found, subjects);
        }
    }

    fn report(&mut self, span: Span, problem: Diagnostic) {
        self.reported.insert(place(span));
        self.problems.push(problem);
    }

    /// A condition that looks at nothing checks nothing.
    fn condition(&mut self, site: Site<'a>, found: &[(Reference<'_>, syntax::Reference<'_>)], subjects: u32) {
        let mut broken = false;
        walk(site.expr, &mut |expr| broken |= expr.is_invalid());
        if broken {
            return;
        }
        if let Owner::Variable(variable) = site.owner {
            let own = Referent::Variable(Arc::clone(&variable.name));
            if found.iter().all(|(reference, _)| reference.referent != own) {
                let message = format!("the condition does not look at `var.{}`", variable.name);
                self.problems.push(
                    Diagnostic::error("template.condition", message)
                        .at(site.expr.span)
                        .help("a validation says what must hold of the variable's own value"),
                );
            }
        } else if subjects == 0 {
            self.problems.push(
                Diagnostic::error("template.condition", "the condition always has the same result")
                    .at(site.expr.span)
                    .help("refer to something, or it checks nothing"),
            );
        }
    }

    fn dependencies(&mut self) {
        let module = self.scene.module;
        let resources = module.resources.values().map(|found| (&found.depends_on, Some(&found.key)));
        let outputs = module.outputs.values().map(|found| (&found.depends_on, None));
        let calls = module.calls.values().map(|found| (&found.depends_on, None));
        for (list, own) in resources.chain(outputs).chain(calls) {
            for dependency in list {
                let problem = match &dependency.referent {
                    Referent::Resource(key) if Some(key) == own => Some(itself(key, dependency.span)),
                    Referent::Resource(key) => match module.resources.get(key) {
                        Some(resource) => scoped(resource, None, dependency.span),
                        None => self.resource_missing(key, dependency.span),
                    },
                    referent => self.declared(referent, dependency.span),
                };
                self.problems.extend(problem);
            }
        }
    }

    fn problem(
        &self,
        site: Site<'a>,
        reference: &Reference<'_>,
        written: &syntax::Reference<'_>,
    ) -> Option<Diagnostic> {
        let span = reference.span;
        match &reference.referent {
            Referent::Each(_) if site.has_each() => None,
            Referent::Each(part) => {
                Some(out_of_place(if *part == EachPart::Key { "each.key" } else { "each.value" }, "for_each", span))
            }
            Referent::CountIndex => match site.repetition() {
                Some(Repetition::Count(_)) => None,
                _ => Some(out_of_place("count.index", "count", span)),
            },
            Referent::SelfObject => match (site.role, site.owner) {
                (Role::Postcondition | Role::PostconditionMessage, Owner::Resource(resource)) => {
                    self.attribute(resource, reference.steps, span)
                }
                _ => Some(
                    Diagnostic::error("template.context", "`self` means nothing here")
                        .at(span)
                        .help("only a `postcondition` can look at its own resource"),
                ),
            },
            Referent::Resource(key) => {
                if let Owner::Resource(own) = site.owner
                    && own.key == *key
                {
                    return Some(itself(key, span));
                }
                match self.scene.module.resources.get(key) {
                    Some(resource) => {
                        let here = match site.owner {
                            Owner::Check(check) => Some(&check.name),
                            _ => None,
                        };
                        scoped(resource, here, span).or_else(|| self.use_of(resource, reference))
                    }
                    None => self.resource_missing(key, span),
                }
            }
            Referent::Module { name, .. } => {
                self.declared(&reference.referent, span).or_else(|| self.use_of_module(name, reference, written))
            }
            referent => self.declared(referent, span),
        }
    }

    /// Returns the problem that a variable, local, module or output does not exist.
    fn declared(&self, referent: &Referent, span: Span) -> Option<Diagnostic> {
        let module = self.scene.module;
        match referent {
            Referent::Variable(name) if !module.variables.contains_key(name) => {
                self.undeclared("variable", "var.", name, module.variables.keys(), span)
            }
            Referent::Local(name) if !module.locals.contains_key(name) => {
                self.undeclared("local", "local.", name, module.locals.keys(), span)
            }
            Referent::Module { name, .. } if !module.calls.contains_key(name) => {
                self.undeclared("module call", "module.", name, module.calls.keys(), span)
            }
            Referent::Module { name, output: Some(output) } => {
                let child = self.scene.child(name)?;
                if child.outputs.contains_key(output) || child.lost.contains(output) {
                    return None;
                }
                let problem =
                    Diagnostic::error("template.reference", format!("the module `{name}` has no output `{output}`"));
                Some(with_suggestion(problem.at(span), output, child.outputs.keys(), &format!("module.{name}.")))
            }
            _ => None,
        }
    }

    fn undeclared<'n>(
        &self,
        sort: &str,
        prefix: &str,
        name: &str,
        known: impl Iterator<Item = &'n Arc<str>>,
        span: Span,
    ) -> Option<Diagnostic> {
        if self.scene.module.lost.contains(name) {
            return None;
        }
        let problem = Diagnostic::error("template.reference", format!("there is no {sort} `{name}`")).at(span);
        Some(with_suggestion(problem, name, known, prefix))
    }

    fn resource_missing(&self, key: &ResourceKey, span: Span) -> Option<Diagnostic> {
        let module = self.scene.module;
        if module.resources.contains_key(key) || module.lost.contains(&key.name) {
            return None;
        }
        let sort = match key.mode {
            Mode::Managed => "resource",
            Mode::Data => "data source",
            Mode::Ephemeral => "ephemeral resource",
        };
        let problem = Diagnostic::error("template.reference", format!("there is no {sort} `{key}`")).at(span);
        let others = [Mode::Managed, Mode::Data, Mode::Ephemeral].map(|mode| ResourceKey { mode, ..key.clone() });
        if let Some(other) = others.iter().find(|other| module.resources.contains_key(other)) {
            return Some(problem.help(format!("did you mean `{other}`?")));
        }
        let same = |wanted: &dyn Fn(&ResourceKey) -> bool| {
            module.resources.keys().filter(|found| found.mode == key.mode && wanted(found)).cloned().collect::<Vec<_>>()
        };
        let of_type = same(&|found| found.type_name == key.type_name);
        if let Some(near) = suggest(&key.name, of_type.iter().map(|found| &*found.name)) {
            return Some(problem.help(format!("did you mean `{}{}.{near}`?", key.mode.prefix(), key.type_name)));
        }
        let of_name = same(&|found| found.name == key.name);
        if let Some(near) = suggest(&key.type_name, of_name.iter().map(|found| &*found.type_name)) {
            return Some(problem.help(format!("did you mean `{}{near}.{}`?", key.mode.prefix(), key.name)));
        }
        let roots = ["var", "local", "module", "data", "ephemeral", "each", "count", "path", "terraform"];
        Some(match suggest(&key.type_name, roots) {
            Some(near) if key.mode == Mode::Managed && key.type_name.len() > 2 => {
                problem.help(format!("did you mean `{near}.{}`?", key.name))
            }
            _ => problem,
        })
    }

    /// Checks that an instance is named where there are several, and that the attribute exists.
    fn use_of(&self, resource: &ResourceBlock, reference: &Reference<'_>) -> Option<Diagnostic> {
        let instance = instance(&resource.repetition, reference, &resource.key.to_string());
        let steps = match instance {
            Ok(steps) => steps,
            Err(problem) => return Some(problem),
        };
        self.attribute(resource, steps, reference.span)
    }

    fn attribute(&self, resource: &ResourceBlock, steps: &[Step], span: Span) -> Option<Diagnostic> {
        let name = steps.first()?.as_attr()?;
        let schema: Arc<Schema> = self.scene.schema(&resource.key)?;
        if schema.block.names().any(|known| known == name) {
            return None;
        }
        let message = format!("`{}` has no attribute `{name}`", resource.key);
        let problem = Diagnostic::error("template.attribute", message).at(span);
        Some(match suggest(name, schema.block.names()) {
            Some(near) => problem.help(format!("did you mean `{near}`?")),
            None => problem,
        })
    }

    /// Checks that an instance of a module is named where there are several.
    fn use_of_module(
        &self,
        name: &Arc<str>,
        reference: &Reference<'_>,
        written: &syntax::Reference<'_>,
    ) -> Option<Diagnostic> {
        let call = self.scene.module.calls.get(name)?;
        let steps = written.traversal.steps.get(1..).unwrap_or_default();
        let whole = Reference { referent: reference.referent.clone(), steps, tail: written.tail, span: reference.span };
        instance(&call.repetition, &whole, &format!("module.{name}")).err()
    }
}

/// Returns the steps behind the instance, or why there cannot be such an instance.
fn instance<'a>(repetition: &Repetition, reference: &Reference<'a>, name: &str) -> Result<&'a [Step], Diagnostic> {
    let steps = reference.steps;
    let refuse = |message: String, help: String| {
        Err(Diagnostic::error("template.instance", message).at(reference.span).help(help))
    };
    match (repetition, steps.first(), reference.tail) {
        (Repetition::One, Some(step), _) if step.is_index() => refuse(
            format!("`{name}` has one instance, without a key"),
            format!("write `{name}`, or give the block `count` or `for_each`"),
        ),
        (Repetition::One, None, Tail::Index(..)) => refuse(
            format!("`{name}` has one instance, without a key"),
            format!("write `{name}`, or give the block `count` or `for_each`"),
        ),
        (Repetition::One, None, Tail::Splat(_, each)) => Ok(steps_of_each(each)),
        (Repetition::One, ..) => Ok(steps),
        (_, Some(Step { kind: StepKind::Attr(_), .. }), _) => {
            let (cause, key) = match repetition {
                Repetition::Count(_) => ("count", "[0]"),
                _ => ("for_each", "[\"key\"]"),
            };
            refuse(
                format!("`{name}` has several instances, because `{cause}` is set"),
                format!("name one, as in `{name}{key}`, or all of them with `{name}[*]` or a `for` expression"),
            )
        }
        (_, Some(_), _) => Ok(steps.get(1..).unwrap_or_default()),
        (_, None, Tail::Index(_, steps)) => Ok(steps),
        (Repetition::Count(_), None, Tail::Splat(_, each)) => Ok(steps_of_each(each)),
        (_, None, _) => Ok(&[]),
    }
}

/// Returns the problem with a reference from elsewhere to the data source of a `check` block.
fn scoped(resource: &ResourceBlock, here: Option<&Arc<str>>, span: Span) -> Option<Diagnostic> {
    let check = resource.check.as_ref().filter(|check| Some(*check) != here)?;
    let message = format!("`{}` is there for the check `{check}` alone", resource.key);
    Some(
        Diagnostic::error("template.reference", message)
            .at(span)
            .help("move the `data` block out of the `check` block, and refer to it in both places"),
    )
}

fn itself(key: &ResourceKey, span: Span) -> Diagnostic {
    Diagnostic::error("template.self_reference", format!("`{key}` refers to itself"))
        .at(span)
        .help("a block cannot use its own results, nor those of its other instances; a `postcondition` can say `self`")
}

fn out_of_place(what: &str, argument: &str, span: Span) -> Diagnostic {
    Diagnostic::error("template.context", format!("`{what}` means nothing here"))
        .at(span)
        .help(format!("it exists inside a `resource`, `data`, `ephemeral` or `module` block that sets `{argument}`"))
}

fn with_suggestion<'n>(
    problem: Diagnostic,
    name: &str,
    known: impl Iterator<Item = &'n Arc<str>>,
    prefix: &str,
) -> Diagnostic {
    match suggest(name, known.map(|known| &**known)) {
        Some(near) => problem.help(format!("did you mean `{prefix}{near}`?")),
        None => problem,
    }
}
