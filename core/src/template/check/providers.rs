//! Whether every configuration of a provider that is named is there, and what is handed into modules fits.

use std::sync::Arc;

use crate::{
    address::ModulePath,
    error::{Diagnostic, Span},
    template::{
        model::{Edition, Module, ModuleCall, ProviderName, ProviderRef, Repetition, Template},
        provider::{Found, look},
    },
};

pub(super) fn check(template: &Template, problems: &mut Vec<Diagnostic>) {
    for (path, module) in template.modules() {
        let mut checker = Checker { template, path, module, problems };
        checker.editions();
        checker.references();
        for call in module.calls.values() {
            if let Some(child) = template.module(&path.child(call.name.as_ref())) {
                checker.call(call, child);
            }
        }
        if path.is_root() {
            checker.root();
        } else {
            checker.declarations();
        }
    }
}

struct Checker<'a> {
    template: &'a Template,
    path: &'a ModulePath,
    module: &'a Module,
    problems: &'a mut Vec<Diagnostic>,
}

impl Checker<'_> {
    /// Several configurations of one block are no Terraform.
    fn editions(&mut self) {
        if self.template.edition() >= Edition::Stackwright {
            return;
        }
        for expr in self.module.providers.values().filter_map(|block| block.for_each.as_ref()) {
            self.problems.push(
                Diagnostic::error("template.unsupported", "a `provider` block has no `for_each` in this edition")
                    .at(expr.span)
                    .help("write one block for each configuration, or `terraform { language = stackwright }`"),
            );
        }
    }

    fn references(&mut self) {
        for resource in self.module.resources.values() {
            self.reference(resource.provider.as_ref());
        }
        for call in self.module.calls.values() {
            for passed in call.providers.values() {
                self.reference(Some(&passed.outer));
            }
        }
    }

    fn reference(&mut self, named: Option<&ProviderRef>) {
        let Some(named) = named else { return };
        self.named(&named.name, named.span);
        if let Some((is_several, block)) = self.is_several(named) {
            let problem = match (is_several, &named.key) {
                (true, None) => {
                    Diagnostic::error("template.provider", format!("`{}` is several configurations", named.name))
                        .label(named.span, "which one is not said")
                        .help(format!("say which, as in `{}[each.key]`", named.name))
                }
                (false, Some(_)) => Diagnostic::error(
                    "template.provider",
                    format!("`{}` is one configuration, not several", named.name),
                )
                .label(named.span, "has no keys")
                .help("leave the key in brackets out"),
                _ => return,
            };
            self.problems.push(match block {
                Some(block) => problem.label(block, "configured here"),
                None => problem,
            });
        }
    }

    /// Returns whether what a reference leads to has one configuration for each key, and where it is configured. Nothing
    /// where it leads nowhere.
    fn is_several(&self, named: &ProviderRef) -> Option<(bool, Option<Span>)> {
        let provider = self.module.provider_called(&named.name.name);
        let mut alias: Option<Arc<str>> = named.name.alias.clone();
        let mut path = self.path.clone();
        loop {
            let module = self.template.module(&path)?;
            match look(module, self.template.call(&path), provider, alias.as_deref()) {
                Found::Block(block) => return Some((block.for_each.is_some(), Some(block.span))),
                // What is handed in is one, whatever it was taken from.
                Found::Passed(outer) if outer.key.is_some() => return Some((false, None)),
                Found::Passed(outer) => alias.clone_from(&outer.name.alias),
                Found::Implied => return Some((false, None)),
                Found::Inherited => {}
                Found::Missing => return None,
            }
            path = path.parent()?;
        }
    }

    /// Reports a configuration that is named and not there.
    fn named(&mut self, name: &ProviderName, span: crate::error::Span) {
        let provider = self.module.provider_called(&name.name);
        let is_lost = name.alias.as_ref().is_some_and(|_| self.module.lost.contains(&name.name));
        if is_lost || self.template.provider_address(self.path, provider, name.alias.as_deref()).is_some() {
            return;
        }
        // A module that asks its caller for it is right; the call is not.
        if self.is_declared(self.module, name) {
            return;
        }
        let problem =
            Diagnostic::error("template.provider", format!("there is no configuration `{name}` of a provider"))
                .at(span);
        let known = self.module.providers.keys().filter(|known| known.alias.is_some()).map(ToString::to_string);
        let known: Vec<String> = known.collect();
        let wanted = name.to_string();
        self.problems.push(match crate::error::suggest(&wanted, known.iter().map(String::as_str)) {
            Some(near) => problem.help(format!("did you mean `{near}`?")),
            None => problem.help("add a `provider` block with that `alias`, or hand one in with `providers`"),
        });
    }

    /// Returns whether a module says that its caller hands in a configuration.
    fn is_declared(&self, module: &Module, name: &ProviderName) -> bool {
        match &name.alias {
            None => module.settings.required_providers.contains_key(&name.name) || module.providers.contains_key(name),
            Some(alias) => {
                let required = module.settings.required_providers.get(&name.name);
                required.is_some_and(|required| required.aliases.contains_key(alias))
                    || module.providers.contains_key(name)
            }
        }
    }

    fn call(&mut self, call: &ModuleCall, child: &Module) {
        for (inner, passed) in &call.providers {
            let outer = self.module.provider_called(&passed.outer.name.name);
            let wanted = child.provider_called(&inner.name);
            if !self.is_declared(child, inner) {
                let what = format!("the module `{}` does not ask for a configuration `{inner}`", call.name);
                let problem = match inner.alias {
                    Some(_) => Diagnostic::error("template.provider", what)
                        .help("the module declares it with `configuration_aliases`, in `required_providers`"),
                    None => Diagnostic::warning("template.provider", what)
                        .help("the module declares it in `required_providers`"),
                };
                self.problems.push(problem.at(passed.span));
            }
            if outer != wanted {
                let what =
                    format!("`{}` is of provider `{outer}`, `{inner}` is of provider `{wanted}`", passed.outer.name);
                self.problems.push(Diagnostic::error("template.provider", what).at(passed.outer.span));
            }
            if let Some(block) = child.providers.get(inner).filter(|block| !block.is_empty()) {
                self.problems.push(
                    Diagnostic::error(
                        "template.provider",
                        format!("the module `{}` has a configuration `{inner}` of its own", call.name),
                    )
                    .label(passed.span, "another is handed in here")
                    .label(block.span, "its own"),
                );
            }
        }
        for required in child.settings.required_providers.values() {
            for (alias, span) in &required.aliases {
                let name = ProviderName { name: required.name.clone(), alias: Some(alias.clone()) };
                if !call.providers.contains_key(&name) && !child.providers.contains_key(&name) {
                    self.problems.push(
                        Diagnostic::error(
                            "template.provider",
                            format!("the module `{}` needs a configuration `{name}` of a provider", call.name),
                        )
                        .label(call.span, "is not handed in")
                        .label(*span, "asked for here")
                        .help(format!("write `providers = {{ {name} = … }}`")),
                    );
                }
            }
        }
        let repeated = call.repetition != Repetition::One || !call.depends_on.is_empty();
        let configured = repeated.then(|| self.configured_below(&self.path.child(call.name.as_ref()))).flatten();
        if let Some(span) = configured {
            self.problems.push(
                Diagnostic::error(
                    "template.provider",
                    format!("the module `{}` configures a provider, so it cannot be repeated or wait", call.name),
                )
                .label(call.span, "has `count`, `for_each` or `depends_on`")
                .label(span, "configured here")
                .help("configure the provider outside, and hand it in with `providers`"),
            );
        }
    }

    /// Returns where a module, or one that it calls, configures a provider.
    fn configured_below(&self, path: &ModulePath) -> Option<crate::error::Span> {
        let module = self.template.module(path)?;
        let own = module.providers.values().find(|block| !block.is_empty()).map(|block| block.span);
        own.or_else(|| module.calls.keys().find_map(|call| self.configured_below(&path.child(call.as_ref()))))
    }

    /// Nobody calls the root.
    fn root(&mut self) {
        for output in self.module.outputs.values().filter(|output| output.ephemeral) {
            self.problems.push(
                Diagnostic::error("template.context", "an output of the root cannot be ephemeral: it is stored")
                    .at(output.span)
                    .help("remove `ephemeral`, or put out `ephemeralasnull(…)`"),
            );
        }
        for required in self.module.settings.required_providers.values() {
            for (alias, span) in &required.aliases {
                let name = ProviderName { name: required.name.clone(), alias: Some(alias.clone()) };
                if !self.module.providers.contains_key(&name) {
                    self.problems.push(
                        Diagnostic::error("template.provider", format!("nobody hands in the configuration `{name}`"))
                            .at(*span)
                            .help("only modules that are called can ask for it; add a `provider` block"),
                    );
                }
            }
        }
    }

    fn declarations(&mut self) {
        for block in self.module.providers.values().filter(|block| block.is_empty()) {
            self.problems.push(
                Diagnostic::warning("template.deprecated", "an empty `provider` block in a module says little")
                    .at(block.span)
                    .help("declare the provider in `required_providers`, aliases in `configuration_aliases`"),
            );
        }
    }
}
