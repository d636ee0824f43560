//! What of a package cannot be right.

use std::{collections::BTreeMap, sync::Arc};

use super::{Action, Manifest, Package, Shows, System, Target};
use crate::{
    error::{Diagnostic, Diagnostics as _, Span, suggest},
    form,
    template::{SchemaSource, check},
    value::{Safety, can_convert},
};

/// What pictures end in.
const PICTURES: [&str; 5] = [".svg", ".png", ".jpg", ".jpeg", ".webp"];

/// Holds the parts of a package against each other: manifest, template, form, plans, actions, charts, files.
///
/// `types` are the resource types that the template will be used with, if that is known. Diagnostics of [`Package::read`] are
/// not among them.
///
/// # Complexity
/// That of [`check`] and of [`form::lint`], and O(files).
pub fn lint(package: &Package, types: Option<&dyn SchemaSource>) -> Vec<Diagnostic> {
    let mut problems = Vec::new();
    if let Some(types) = types {
        problems.extend(check(&package.template, types));
    }
    if !package.form_is_derived {
        problems.extend(form::lint(&package.form, Some(&package.template)));
    }
    for (_, form) in &package.action_forms {
        problems.extend(form::lint(form, None));
    }
    let mut linter = Linter { package, problems: &mut problems };
    linter.system();
    linter.policies();
    if let Some(manifest) = &package.manifest {
        linter.manifest(manifest);
        linter.views(manifest);
        linter.files(manifest);
    }
    problems.tidy();
    problems
}

struct Linter<'a, 'p> {
    package: &'a Package,
    problems: &'p mut Vec<Diagnostic>,
}

impl Linter<'_, '_> {
    fn error(&mut self, code: &'static str, message: String, span: Span) {
        self.problems.push(Diagnostic::error(code, message).at(span));
    }

    fn manifest(&mut self, manifest: &Manifest) {
        if self.package.template.files().is_empty() {
            let message = format!("there is no template in `{}`", manifest.template.path);
            self.error("package.file", message, manifest.template.span);
        }
        if let Some(icon) = &manifest.icon {
            let lower = icon.path.to_lowercase();
            if !self.package.files.contains_key(&icon.path) {
                self.error("package.file", format!("the picture `{}` is not in the package", icon.path), icon.span);
            } else if !PICTURES.iter().any(|ending| lower.ends_with(ending)) {
                let message = format!("`{}` is no picture that browsers show: {}", icon.path, PICTURES.join(", "));
                self.error("package.file", message, icon.span);
            }
        }
        for chart in &manifest.charts {
            if !self.package.files.contains_key(format!("{}/Chart.yaml", chart.path).as_str()) {
                let message = format!("`{}` is no chart: it has no `Chart.yaml`", chart.path);
                self.error("package.file", message, chart.span);
            }
        }
        for plan in &manifest.plans {
            if self.package.form.preset(&plan.preset).is_none() {
                let message = format!("the form has no preset `{}`", plan.preset);
                let problem = Diagnostic::error("package.plan", message).at(plan.span);
                let known = self.package.form.presets.iter().map(|preset| &*preset.name);
                self.problems.push(match suggest(&plan.preset, known) {
                    Some(near) => problem.help(format!("did you mean `{near}`?")),
                    None => problem.help("declare it in the form, under the root key `presets`"),
                });
            }
        }
        let mut seen: BTreeMap<&Arc<str>, Span> = BTreeMap::new();
        for action in &manifest.actions {
            if let Some(first) = seen.insert(&action.name, action.span) {
                let message = format!("there are two actions `{}`", action.name);
                let problem = Diagnostic::error("package.action", message);
                self.problems.push(problem.label(action.span, "again here").label(first, "first here"));
            }
            self.action(action);
        }
    }

    /// Looks at texts that are worked out for what was filled in.
    fn policies(&mut self) {
        let package = self.package;
        let variables = &package.template.root().variables;
        for (text, is_action) in package.policies() {
            for reference in text.references() {
                let name = reference.traversal.root_name();
                match variables.get(name) {
                    None if is_action && name == "targets" => {}
                    None => {
                        let message = format!("the template has no variable `{name}`");
                        let problem = Diagnostic::error("package.policy", message).at(reference.span);
                        self.problems.push(match suggest(name, variables.keys().map(|known| &**known)) {
                            Some(near) => problem.help(format!("did you mean `{near}`?")),
                            None => problem.help("it knows the variables of the template by their names: `${name}`"),
                        });
                    }
                    Some(variable) if variable.sensitive => {
                        let message = format!("`{name}` is sensitive, and this text is read by others");
                        self.error("package.policy", message, reference.span);
                    }
                    Some(_) => {}
                }
            }
        }
    }

    fn views(&mut self, manifest: &Manifest) {
        let mut seen: BTreeMap<&Arc<str>, Span> = BTreeMap::new();
        for declared in &manifest.views {
            if let Some(first) = seen.insert(&declared.view.name, declared.span) {
                let message = format!("there are two views `{}`", declared.view.name);
                let problem = Diagnostic::error("package.view", message);
                self.problems.push(problem.label(declared.span, "again here").label(first, "first here"));
            }
            match &declared.view.shows {
                Shows::Text(_) => {
                    let references = declared.text.iter().flat_map(|text| text.references());
                    references.for_each(|reference| self.shown(reference.traversal.root_name(), reference.span));
                }
                Shows::Link(output) | Shows::Table { output, .. } => self.shown(output, declared.shows),
            }
        }
    }

    /// Looks at an output that a view shows.
    fn shown(&mut self, output: &str, span: Span) {
        let outputs = &self.package.template.root().outputs;
        match outputs.get(output) {
            None => {
                let problem = Diagnostic::error("package.view", format!("the template has no output `{output}`"));
                self.problems.push(match suggest(output, outputs.keys().map(|known| &**known)) {
                    Some(near) => problem.at(span).help(format!("did you mean `{near}`?")),
                    None => problem.at(span).help("declare it in the root module: `output \"NAME\" { value = … }`"),
                });
            }
            Some(known) if known.sensitive => {
                self.error("package.view", format!("the output `{output}` is sensitive, and views are shown"), span);
            }
            Some(_) => {}
        }
    }

    fn action(&mut self, action: &Action) {
        let Target::Resource(place) = &action.target else { return };
        let root = self.package.template.root();
        let mut parts = place.path.split('.');
        let (first, second) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let name = second.split('[').next().unwrap_or_default();
        let is_there = match first {
            "module" => root.calls.contains_key(name),
            _ => root.resources.keys().any(|key| *key.type_name == *first && *key.name == *name),
        };
        if !is_there {
            let message = format!("the template has no resource `{}`", place.path);
            let known: Vec<String> =
                root.resources.keys().map(|key| format!("{}.{}", key.type_name, key.name)).collect();
            let problem = Diagnostic::error("package.action", message).at(place.span);
            self.problems.push(match suggest(&place.path, known.iter().map(String::as_str)) {
                Some(near) => problem.help(format!("did you mean `{near}`?")),
                None => problem.help("name a resource of the root module: `TYPE.NAME`"),
            });
        }
    }

    /// Looks at the variables that the platform sets.
    fn system(&mut self) {
        for variable in self.package.template.root().variables.values().filter(|one| System::is_system(&one.name)) {
            let name = &variable.name;
            match System::type_of(name) {
                // CloudApp has others, which its own platform sets.
                None if name.starts_with("cloudapp_") && !variable.is_required() => {}
                None => {
                    let problem =
                        Diagnostic::error("package.system", format!("the platform sets no variable `{name}`"));
                    let names: Vec<String> = System::names().map(|name| format!("`{name}`")).collect();
                    self.problems.push(match suggest(name, System::names()) {
                        Some(near) => problem.at(variable.span).help(format!("did you mean `{near}`?")),
                        None => problem.at(variable.span).help(format!("it sets {}", names.join(", "))),
                    });
                }
                Some(ty) if !can_convert(&ty, &variable.constraint.ty, Safety::Unsafe) => {
                    let message = format!("the platform sets `{name}` to {}", ty.friendly_constraint());
                    let takes = format!("takes {}", variable.constraint.ty.friendly_constraint());
                    self.problems.push(Diagnostic::error("package.system", message).label(variable.span, takes));
                }
                Some(_) => {}
            }
        }
        for field in &self.package.form.fields.list {
            if let Some(name) = field.variable.as_ref().filter(|name| System::is_system(name)) {
                let message = format!("`{name}` is for the platform to set, not for people");
                self.error("package.system", message, field.span);
            }
        }
    }

    /// Looks for files that nobody should be handed.
    fn files(&mut self, manifest: &Manifest) {
        for (path, bytes) in &self.package.files {
            let is_key =
                bytes.starts_with(b"-----BEGIN") && bytes.windows(12).take(64).any(|part| part == b"PRIVATE KEY-");
            let is_state = path.ends_with(".tfstate") || path.ends_with(".tfstate.backup");
            if is_key || is_state {
                let what = if is_key { "a private key" } else { "the state of an installation, with its secrets" };
                let message = format!("`{path}` is {what}: everybody who installs the package can read it");
                let at = Span { end: manifest.span.start, ..manifest.span };
                self.problems.push(Diagnostic::error("package.secret", message).label(at, ""));
            }
        }
    }
}
