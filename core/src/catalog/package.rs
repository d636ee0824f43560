use std::{path::Path, sync::Arc};

use super::{Limits, Manifest, PackageFiles, Place, Version, View, folder, read};
use crate::{
    error::{Diagnostic, Diagnostics as _, Error, ErrorKind, Result, Sources},
    form::{self, Form, Widgets},
    pricing::Bundle,
    template::{
        self, Edition, Files, Template, document,
        eval::{self, Budget, EmptyScope, Evaluator, Functions, MemoryFiles},
        hcl,
        syntax::Expr,
    },
    value::{Type, Value},
};

/// The names that a manifest may have.
const MANIFESTS: [&str; 3] = ["package.yaml", "package.yml", "package.json"];

/// A package, read: its manifest, and everything that it names.
#[derive(Clone, Debug)]
pub struct Package {
    /// What it says of itself; `None` where that cannot be read.
    pub manifest: Option<Manifest>,
    /// Its template. All places in the package are places in its [`sources`](Template::sources).
    pub template: Template,
    /// The form that is filled in to install it, bound to the template.
    pub form: Form,
    /// Whether the form follows from the template: the package has none.
    pub form_is_derived: bool,
    /// The forms of its actions, by the action's name.
    pub action_forms: Vec<(Arc<str>, Form)>,
    /// Its bundle rules.
    pub bundles: Vec<Bundle>,
    /// The folder of its template.
    folder: String,
    /// What the role of an installation must be allowed to do: a text with `${…}`.
    role: Option<Expr>,
    /// What credentials for its actions may do, by the action's name.
    policies: Vec<(Arc<str>, Expr)>,
    /// All of its files.
    pub files: PackageFiles,
}

impl Package {
    /// Reads the files of a package. Pure: nothing else is read.
    ///
    /// All problems are returned at once; a package whose reading gave an error must be used for nothing else. Whether its
    /// parts fit each other is for [`lint`](super::lint) to say.
    ///
    /// # Complexity
    /// O(bytes), and what reading template and forms costs.
    pub fn read(files: PackageFiles, widgets: &Widgets) -> (Self, Vec<Diagnostic>) {
        let mut problems = Vec::new();
        let mut reader = Reader { files: &files, problems: &mut problems };
        let found = MANIFESTS.iter().find_map(|name| Some((*name, reader.text(name)?)));
        // The template's texts come first, so that their places are those of its own sources.
        let shape = found.as_ref().and_then(|(name, text)| shape(name, text));
        let folder = shape.as_deref().unwrap_or("template");
        let template_files = reader.below(folder);
        let (mut template, found_in_template) = Template::parse(&template_files, &template::Options::default());
        reader.problems.extend(found_in_template);
        let sources = template.sources_mut();
        if !folder.is_empty() {
            sources.prefix_names(folder);
        }
        let mut manifest = None;
        if let Some((name, text)) = found {
            let source = sources.add(name, Arc::clone(&text));
            match document::read(source, name, &text) {
                Ok(node) => {
                    reader.problems.extend(document::repeated(&node));
                    manifest = read::manifest(source, &node, reader.problems);
                }
                Err(problem) => reader.problems.push(*problem),
            }
        } else {
            let source = sources.add(MANIFESTS[0], "");
            let problem = Diagnostic::error("package.manifest", "there is no `package.yaml`");
            reader
                .problems
                .push(problem.at(read::nowhere(source)).help("write `stackwright package init` to begin one"));
        }
        let mut bundles = Vec::new();
        let mut role = None;
        let (mut action_forms, mut policies) = (Vec::new(), Vec::new());
        let mut given = None;
        if let Some(manifest) = &manifest {
            given = manifest.form.as_ref().and_then(|place| reader.form(place, widgets, sources));
            for action in &manifest.actions {
                let form = action.form.as_ref().and_then(|place| reader.form(place, widgets, sources));
                action_forms.extend(form.map(|form| (Arc::clone(&action.name), form)));
                let policy = action.policy.as_ref().and_then(|place| reader.policy(place, "the policy", sources));
                policies.extend(policy.map(|policy| (Arc::clone(&action.name), policy)));
            }
            role = manifest.role.as_ref().and_then(|place| reader.policy(place, "the role's document", sources));
            if let Some(place) = &manifest.bundles {
                bundles = reader.bundles(place, sources);
            }
        }
        let form_is_derived = given.is_none();
        let form = match given {
            Some(mut form) => {
                form.bind(template.root());
                form
            }
            None => form::derive(template.root(), widgets),
        };
        problems.tidy();
        let folder = folder.to_owned();
        (
            Self { manifest, template, form, form_is_derived, action_forms, bundles, folder, role, policies, files },
            problems,
        )
    }

    /// Reads a package from a folder. Names that begin with a dot are left out.
    ///
    /// # Errors
    /// `catalog.unavailable` where something cannot be read; `catalog.archive` for links and paths that cannot be;
    /// `catalog.too_large`.
    pub fn from_dir(path: impl AsRef<Path>, widgets: &Widgets) -> Result<(Self, Vec<Diagnostic>)> {
        Ok(Self::read(folder::read(path.as_ref(), Limits::default())?, widgets))
    }

    /// Returns the texts that places point into.
    pub fn sources(&self) -> &Sources {
        self.template.sources()
    }

    /// Returns what the role of an installation must be allowed to do, for the values of its variables; `None` where the
    /// package wants none. Pure.
    ///
    /// # Errors
    /// `installation.role` where it cannot be worked out, or would hold a secret.
    ///
    /// # Complexity
    /// O(its text + the values that it names); bounded.
    pub fn role_policy(&self, variables: &Value) -> Result<Option<Arc<str>>> {
        let what = "what the role must be allowed to do";
        self.role.as_ref().map(|expr| worked_out(expr, variables, what)).transpose()
    }

    /// Returns what credentials for an action may do, for the values of the installation's variables and the objects that the
    /// action is for, which the text knows as `targets`: a list of ids. `None` where the action does not say. Pure.
    ///
    /// # Errors
    /// As [`role_policy`](Self::role_policy).
    ///
    /// # Complexity
    /// As there.
    pub fn action_policy(&self, action: &str, variables: &Value, targets: &[Arc<str>]) -> Result<Option<Arc<str>>> {
        let Some((_, expr)) = self.policies.iter().find(|(of, _)| **of == *action) else { return Ok(None) };
        let targets = targets.iter().map(|id| Value::string(&**id)).collect();
        let entries = variables.entries().map(|(name, value)| (Arc::clone(name), value.clone()));
        let all = entries.chain([("targets".into(), Value::list(Type::String, targets))]);
        worked_out(expr, &Value::object(all), "what the credentials may do").map(Some)
    }

    /// Returns the texts that say what may be done, and whether they are an action's.
    pub(super) fn policies(&self) -> impl Iterator<Item = (&Expr, bool)> {
        self.role.iter().map(|text| (text, false)).chain(self.policies.iter().map(|(_, text)| (text, true)))
    }

    /// Returns what functions of its template may read: all files of the package, from the template's folder on.
    pub fn readable(&self) -> MemoryFiles {
        let files = self.files.iter().map(|(path, bytes)| (Arc::clone(path), Arc::clone(bytes)));
        MemoryFiles::new(files, &self.folder)
    }

    /// Returns what people see of an installation.
    pub fn views(&self) -> Vec<View> {
        self.manifest.iter().flat_map(|manifest| &manifest.views).map(|declared| declared.view.clone()).collect()
    }

    /// Returns name and version.
    pub fn identity(&self) -> Option<(&Arc<str>, &Version)> {
        self.manifest.as_ref().map(|manifest| (&manifest.name, &manifest.version))
    }
}

/// Works a text with `${…}` out, which is handed to others as it is.
pub(super) fn worked_out(expr: &Expr, values: &Value, what: &str) -> Result<Arc<str>> {
    let refused = |problem: &str| {
        let message = format!("{what} cannot be worked out: {problem}");
        Error::new(ErrorKind::InvalidInput, "installation.role", message)
    };
    let budget = Budget { elements: 100_000, text_bytes: 1 << 20, ..Budget::default() };
    let options = eval::Options { edition: Edition::Stackwright, budget, ..eval::Options::default() };
    let functions = Functions::standard();
    let mut evaluator = Evaluator::new(&EmptyScope, &functions, options);
    let values: Vec<(&str, Value)> = values.entries().map(|(name, value)| (&**name, value.clone())).collect();
    let text = evaluator.eval_with(expr, &values);
    let problem = evaluator.finish().diagnostics.into_iter().find(Diagnostic::is_error);
    if let Some(problem) = problem {
        return Err(refused(&problem.message));
    }
    if !text.marks_deep().is_empty() {
        return Err(refused("it names something secret"));
    }
    text.as_str().map(Arc::from).ok_or_else(|| refused("it is no text"))
}

/// Returns the folder that a manifest names, as far as can be said before it is really read.
fn shape(name: &str, text: &str) -> Option<String> {
    let node = document::read(crate::error::SourceId(0), name, text).ok()?;
    let manifest = document::json_of(&node);
    let path = manifest.get("template")?.as_str()?.trim_end_matches('/').trim_start_matches("./").to_owned();
    Some(if path == "." { String::new() } else { path })
}

struct Reader<'a> {
    files: &'a PackageFiles,
    problems: &'a mut Vec<Diagnostic>,
}

impl Reader<'_> {
    fn text(&self, path: &str) -> Option<Arc<str>> {
        std::str::from_utf8(self.files.get(path)?).ok().map(Arc::from)
    }

    /// Returns the texts in a folder of the package, with paths from there.
    fn below(&self, folder: &str) -> Files {
        let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        let texts = self.files.iter().filter_map(|(path, bytes)| {
            let path = path.strip_prefix(prefix.as_str())?;
            Some((path, Arc::<str>::from(std::str::from_utf8(bytes).ok()?)))
        });
        Files::from_texts(texts)
    }

    /// Returns a file that the manifest names.
    fn named(&mut self, place: &Place, what: &str) -> Option<Arc<str>> {
        let text = self.text(&place.path);
        if text.is_none() {
            let is_there = self.files.contains_key(&place.path);
            let problem = if is_there { "is no text" } else { "is not in the package" };
            let message = format!("{what} `{}` {problem}", place.path);
            self.problems.push(Diagnostic::error("package.file", message).at(place.span));
        }
        text
    }

    fn form(&mut self, place: &Place, widgets: &Widgets, sources: &mut Sources) -> Option<Form> {
        let text = self.named(place, "the form")?;
        let source = sources.add(Arc::clone(&place.path), Arc::clone(&text));
        let (form, problems) = Form::parse(source, &place.path, &text, widgets);
        self.problems.extend(problems);
        Some(form)
    }

    fn policy(&mut self, place: &Place, what: &str, sources: &mut Sources) -> Option<Expr> {
        let text = self.named(place, what)?;
        let source = sources.add(Arc::clone(&place.path), Arc::clone(&text));
        let (expr, problems) = hcl::parse_template(source, &text);
        let is_sound = !problems.has_errors();
        self.problems.extend(problems);
        is_sound.then_some(expr)
    }

    fn bundles(&mut self, place: &Place, sources: &mut Sources) -> Vec<Bundle> {
        let Some(text) = self.named(place, "the file of bundle rules") else { return Vec::new() };
        let source = sources.add(Arc::clone(&place.path), Arc::clone(&text));
        let node = match document::read(source, &place.path, &text) {
            Ok(node) => node,
            Err(problem) => {
                self.problems.push(*problem);
                return Vec::new();
            }
        };
        self.problems.extend(document::repeated(&node));
        let document::NodeKind::Array(items) = &node.kind else {
            let problem = Diagnostic::error("package.bundle", "bundle rules are a list");
            self.problems.push(problem.at(node.span));
            return Vec::new();
        };
        let mut rules: Vec<Bundle> = Vec::with_capacity(items.len());
        for item in items {
            let read = serde_json::from_value::<Bundle>(document::json_of(item)).map_err(|error| error.to_string());
            let problem = match read {
                Ok(rule) if rules.iter().any(|known| known.id == rule.id) => {
                    format!("the rule `{}` is there twice", rule.id)
                }
                Ok(rule) => match rule.check() {
                    Ok(()) => {
                        rules.push(rule);
                        continue;
                    }
                    Err(error) => error.to_string(),
                },
                Err(error) => error,
            };
            self.problems.push(Diagnostic::error("package.bundle", problem).at(item.span));
        }
        rules
    }
}
