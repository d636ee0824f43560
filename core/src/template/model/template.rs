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
    pub(crate) edition: Edition,
}

/// How a template is read.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    /// The edition of the language for templates that ask for none; see [`Edition`].
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

impl Options {
    /// Sets the edition of the language for templates that ask for none.
    pub fn edition(mut self, edition: Edition) -> Self {
        self.edition = edition;
        self
    }
}

/// An edition of the language. A template keeps its meaning when the engine grows: what would change it comes with a new
/// edition.
///
/// The root module decides for the whole template. `required_version` asks for the earliest edition that it allows
/// (`>= 1.12` is edition `1.12`); `language = stackwright` in its `terraform` block asks for ours, and keeps Terraform
/// from reading the template in another sense. Without either, [`Options::edition`] counts.
///
/// Editions are ordered: each understands what the earlier ones do.
///
/// # Examples
/// ```
/// use stackwright::template::Edition;
///
/// assert_eq!("1.12".parse(), Ok(Edition::V1_12));
/// assert!(Edition::V1_11 < Edition::Stackwright && !Edition::V1_11.short_circuits());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Edition {
    /// The language of Terraform 1.11, and nothing else.
    #[default]
    V1_11,
    /// The language of Terraform 1.12: `&&` and `||` leave the right side alone where the left one decides.
    V1_12,
    /// The language of Terraform 1.12 with what this engine can do beyond.
    Stackwright,
}

impl Edition {
    /// Every edition, the earliest first.
    pub const ALL: [Self; 3] = [Self::V1_11, Self::V1_12, Self::Stackwright];

    /// Returns the name: `1.11`, `1.12` or `stackwright`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V1_11 => "1.11",
            Self::V1_12 => "1.12",
            Self::Stackwright => "stackwright",
        }
    }

    /// Returns the versions (major, minor, patch) of which `required_version` has to allow one.
    pub const fn versions(self) -> &'static [[u64; 3]] {
        match self {
            Self::V1_11 => &[[1, 11, 4]],
            Self::V1_12 => &[[1, 12, 2], [1, 13, 5], [1, 14, 0]],
            Self::Stackwright => &[[1, 11, 4], [1, 12, 2], [1, 13, 5], [1, 14, 0]],
        }
    }

    /// Returns whether `&&` and `||` leave the right side alone where the left one decides.
    pub const fn short_circuits(self) -> bool {
        !matches!(self, Self::V1_11)
    }
}

impl std::fmt::Display for Edition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for Edition {
    type Err = String;

    /// Reads a name.
    ///
    /// # Errors
    /// A fragment for people that says which names there are.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|edition| edition.as_str() == text);
        found.ok_or_else(|| format!("there is no edition `{text}`; there are `1.11`, `1.12` and `stackwright`"))
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

    /// Returns the edition of the language that it is written in.
    pub fn edition(&self) -> Edition {
        self.edition
    }

    /// Returns the files that it was read from.
    pub fn files(&self) -> &Files {
        &self.files
    }
}
