use std::{collections::BTreeMap, sync::Arc};

use crate::{
    address::ModulePath,
    error::{Diagnostic, Sources},
    template::{decode, load::Files},
};

use super::{Module, ModuleCall};

/// A whole template: the root module and everything that it calls, directly or not.
///
/// Cloning is cheap: modules and texts are shared.
#[derive(Clone, Debug, Default)]
pub struct Template {
    pub(crate) modules: BTreeMap<ModulePath, Arc<Module>>,
    pub(crate) sources: Sources,
    pub(crate) files: Files,
}

/// How a template is read.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    /// The edition of the language.
    pub edition: Edition,
    /// The most modules that the calls may lead to, each call counted: a template in which every module calls two others
    /// doubles with every level.
    pub module_limit: usize,
}

impl Default for Options {
    /// Today's edition, 4,096 modules.
    fn default() -> Self {
        Self { edition: Edition::default(), module_limit: 4096 }
    }
}

/// An edition of the language. A template keeps its meaning when the engine grows: what would change it comes with a new
/// edition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Edition {
    /// The language of Terraform 1.11.
    #[default]
    First,
}

impl Edition {
    /// Returns the version (major, minor, patch) that `required_version` is compared with.
    pub const fn language_version(self) -> [u64; 3] {
        match self {
            Self::First => [1, 11, 4],
        }
    }
}

impl Template {
    /// Reads a template. Pure: everything it needs is in `files`, and module sources are looked up there.
    ///
    /// All problems are returned at once, in order of place; what could be read is in the template, so that
    /// [`check`](crate::template::check) can go on and find the others. A template whose reading gave an error must not be
    /// planned.
    ///
    /// # Complexity
    /// O(bytes + called modules).
    ///
    /// # Examples
    /// ```
    /// use stackwright::template::{Files, Options, Template};
    ///
    /// let files = Files::from_texts([("main.tf", "output \"port\" {\n  value = 80\n}\n")]);
    /// let (template, problems) = Template::parse(&files, &Options::default());
    /// assert!(problems.is_empty());
    /// assert!(template.root().outputs.contains_key("port"));
    /// ```
    pub fn parse(files: &Files, options: &Options) -> (Self, Vec<Diagnostic>) {
        decode::template(files, options)
    }

    /// Returns the root module.
    pub fn root(&self) -> &Module {
        static EMPTY: std::sync::LazyLock<Module> = std::sync::LazyLock::new(Module::default);
        self.modules.get(&ModulePath::root()).map_or(&EMPTY, |module| module)
    }

    /// Returns the module that these calls lead to.
    pub fn module(&self, path: &ModulePath) -> Option<&Arc<Module>> {
        self.modules.get(path)
    }

    /// Returns all modules: the root first, every other one under each path that calls lead to. A folder that several
    /// calls name is one module under several paths.
    pub fn modules(&self) -> impl Iterator<Item = (&ModulePath, &Arc<Module>)> {
        self.modules.iter()
    }

    /// Returns the block that calls the module at `path`; nothing for the root.
    pub fn call(&self, path: &ModulePath) -> Option<&ModuleCall> {
        self.modules.get(&path.parent()?)?.calls.get(path.names().last()?)
    }

    /// Returns the texts that spans point into.
    pub fn sources(&self) -> &Sources {
        &self.sources
    }

    /// Returns the texts that spans point into, to add others that spans will point into, such as files of variables.
    pub fn sources_mut(&mut self) -> &mut Sources {
        &mut self.sources
    }

    /// Returns the files that it was read from.
    pub fn files(&self) -> &Files {
        &self.files
    }
}
