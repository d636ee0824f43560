use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

use crate::{
    address::ModulePath,
    error::{Diagnostic, Diagnostics, Sources},
    template::{
        load::{FileKind, Files, is_local},
        model::{Module, ModuleCall, Options, Template},
    },
};

use super::{module::module, settings};

/// Reads the root module and all that it calls. Each folder is read once, however many calls name it.
pub(in crate::template) fn template(files: &Files, options: &Options) -> (Template, Vec<Diagnostic>) {
    let mut problems = Vec::new();
    let mut tree = Tree {
        files,
        options,
        sources: Sources::new(),
        by_dir: BTreeMap::new(),
        blamed: BTreeSet::new(),
        problems: &mut problems,
    };
    let modules = tree.walk();
    let (sources, by_dir) = (tree.sources, tree.by_dir);
    let nothing = Module::default();
    let root = modules.get(&ModulePath::root()).map_or(&nothing, |module| module);
    let all: Vec<&Module> = by_dir.values().map(|module| &**module).collect();
    let edition = settings::edition(root, &all, options.edition, &mut problems);
    let template = Template { modules, sources, files: files.clone(), edition };
    problems.tidy();
    (template, problems)
}

struct Tree<'a> {
    files: &'a Files,
    options: &'a Options,
    sources: Sources,
    by_dir: BTreeMap<Arc<str>, Arc<Module>>,
    /// Calls whose source was reported: the folder and the name of the call.
    blamed: BTreeSet<(Arc<str>, Arc<str>)>,
    problems: &'a mut Vec<Diagnostic>,
}

impl Tree<'_> {
    fn walk(&mut self) -> BTreeMap<ModulePath, Arc<Module>> {
        let mut modules: BTreeMap<ModulePath, Arc<Module>> = BTreeMap::new();
        let root: Arc<str> = Arc::from("");
        let mut waiting = VecDeque::from([(ModulePath::root(), root)]);
        while let Some((path, dir)) = waiting.pop_front() {
            let module = self.module(&dir);
            modules.insert(path.clone(), Arc::clone(&module));
            for call in module.calls.values() {
                if !self.can_call(&path, &dir, call, &modules) {
                    continue;
                }
                if modules.len() + waiting.len() >= self.options.module_limit {
                    self.blame(&dir, call, || {
                        Diagnostic::error("template.budget", "the template calls too many modules")
                            .at(call.source_span)
                            .help(format!("{} are allowed, each call counted", self.options.module_limit))
                    });
                    return modules;
                }
                waiting.push_back((path.child(Arc::clone(&call.name)), Arc::clone(&call.dir)));
            }
        }
        modules
    }

    fn module(&mut self, dir: &Arc<str>) -> Arc<Module> {
        if let Some(module) = self.by_dir.get(dir) {
            return Arc::clone(module);
        }
        let module = module(dir, self.files, &mut self.sources, self.problems);
        let module = Arc::new(module);
        self.by_dir.insert(Arc::clone(dir), Arc::clone(&module));
        module
    }

    fn blame(&mut self, dir: &Arc<str>, call: &ModuleCall, problem: impl FnOnce() -> Diagnostic) {
        if self.blamed.insert((Arc::clone(dir), Arc::clone(&call.name))) {
            let problem = problem();
            self.problems.push(problem);
        }
    }

    /// Returns whether the called module is there and is none of those that lead to the call.
    fn can_call(
        &mut self,
        path: &ModulePath,
        dir: &Arc<str>,
        call: &ModuleCall,
        modules: &BTreeMap<ModulePath, Arc<Module>>,
    ) -> bool {
        let mut above = Some(path.clone());
        while let Some(path) = above {
            if modules.get(&path).is_some_and(|module| module.dir == call.dir) {
                self.blame(dir, call, || {
                    Diagnostic::error("template.source", format!("the module `{}` calls itself", call.name))
                        .label(call.source_span, "leads back to a module that leads here")
                        .help("a module cannot contain itself; break the loop")
                });
                return false;
            }
            above = path.parent();
        }
        if self.files.in_dir(&call.dir).any(|(path, _)| FileKind::of(path).is_part()) {
            return true;
        }
        self.blame(dir, call, || {
            if !is_local(&call.source) {
                return Diagnostic::error("template.source", format!("the module `{}` is not there yet", call.source))
                    .label(call.source_span, "neither a path nor fetched")
                    .help("the host fetches such modules first (`stackwright init`); a path beside this file starts with `./` or `../`");
            }
            let problem = Diagnostic::error("template.source", format!("there is no module at `{}`", call.source));
            if call.dir.starts_with("..") {
                problem
                    .label(call.source_span, "outside the folder of the template")
                    .help("move the module into the template, or let the host allow a wider folder")
            } else {
                problem
                    .label(call.source_span, format!("no `.tf` file in the folder `{}`", call.dir))
                    .help("the path is relative to the file that names it")
            }
        });
        false
    }
}
