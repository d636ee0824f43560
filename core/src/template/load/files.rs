use std::{collections::BTreeMap, path::Path, sync::Arc};

use crate::error::Result;

use super::LoadOptions;

/// Texts by path. Paths are relative to the root module's folder, with `/` between their parts.
///
/// Ordered by path, so that whatever is made of it does not depend on how it was filled. Cloning shares the texts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Files {
    texts: BTreeMap<Arc<str>, Arc<str>>,
}

/// What a file is for, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// `*.tf`: a part of a module.
    Native,
    /// `*.tf.json`, `*.stack.json`: a part of a module.
    Json,
    /// `*.tf.yaml`, `*.stack.yaml` and the same with `.yml`: a part of a module.
    Yaml,
    /// `override.tf`, `*_override.tf` and the same with `.json`, `.yaml` or `.yml`: changes to a module.
    Override,
    /// `terraform.tfvars`, `*.auto.tfvars` and the same with `.json`: values that are always read.
    Values,
    /// Anything else, or a name that editors give to what is not yet, or no longer, a file.
    Other,
}

impl FileKind {
    /// Returns what the file at this path is for.
    pub fn of(path: &str) -> Self {
        let name = path.rsplit('/').next().unwrap_or(path);
        let is_hidden = name.starts_with('.') || name.ends_with('~') || name.starts_with('#') && name.ends_with('#');
        let (bare, kind) = match name.rsplit_once('.') {
            Some((bare, "json")) => (bare, Self::Json),
            Some((bare, "yaml" | "yml")) => (bare, Self::Yaml),
            _ => (name, Self::Native),
        };
        // Terraform knows neither YAML nor `.stack`: such files are ours alone.
        let stem = bare.strip_suffix(".tf").or_else(|| bare.strip_suffix(".stack").filter(|_| kind != Self::Native));
        if let Some(stem) = stem {
            if is_hidden {
                return Self::Other;
            }
            return if stem == "override" || stem.ends_with("_override") { Self::Override } else { kind };
        }
        // Hidden ones too, as in Terraform.
        let is_values = kind != Self::Yaml && (bare == "terraform.tfvars" || bare.ends_with(".auto.tfvars"));
        if is_values { Self::Values } else { Self::Other }
    }
}

impl FileKind {
    /// Returns whether the file is a part of a module, in whatever notation.
    pub const fn is_part(self) -> bool {
        matches!(self, Self::Native | Self::Json | Self::Yaml | Self::Override)
    }
}

impl Files {
    /// Returns an empty set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns these texts. `.` and `..` in paths are resolved; a path may lead out of the root's folder.
    pub fn from_texts<P: AsRef<str>, T: Into<Arc<str>>>(texts: impl IntoIterator<Item = (P, T)>) -> Self {
        let mut files = Self::new();
        for (path, text) in texts {
            files.insert(path.as_ref(), text);
        }
        files
    }

    /// Reads the template in a folder: its `*.tf`, `*.tf.json`, `*.tf.yaml` (see [`FileKind`]), `terraform.tfvars` and
    /// `*.auto.tfvars` (`.json` too), and the modules that it calls by a local path, as long as they lie within the folder. This blocks.
    ///
    /// What cannot be found is not complained about here: [`Template::parse`](crate::template::Template::parse) does, and
    /// points at the call.
    ///
    /// # Errors
    /// `template.files` (not found, denied, unavailable) where the folder or a file in it cannot be read or is not UTF-8;
    /// `template.budget` where there is too much of it, see [`LoadOptions`].
    pub fn from_dir(path: impl AsRef<Path>) -> Result<Self> {
        Self::from_dir_with(path, &LoadOptions::default())
    }

    /// Reads the template in a folder as the options say; see [`from_dir`](Self::from_dir).
    ///
    /// # Errors
    /// As [`from_dir`](Self::from_dir).
    pub fn from_dir_with(path: impl AsRef<Path>, options: &LoadOptions) -> Result<Self> {
        super::dir::read(path.as_ref(), options)
    }

    /// Adds or replaces a text.
    pub fn insert(&mut self, path: &str, text: impl Into<Arc<str>>) {
        self.texts.insert(join("", path).into(), text.into());
    }

    /// Returns the text at a path.
    pub fn get(&self, path: &str) -> Option<&Arc<str>> {
        self.texts.get(path).or_else(|| self.texts.get(join("", path).as_str()))
    }

    /// Returns all texts by path.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&Arc<str>, &Arc<str>)> {
        self.texts.iter()
    }

    /// Returns the texts right in a folder (not in folders below it) by path; the root's folder is the empty path.
    ///
    /// # Complexity
    /// O(log n + texts in the folder and below it).
    pub fn in_dir<'a>(&'a self, dir: &'a str) -> impl Iterator<Item = (&'a Arc<str>, &'a Arc<str>)> {
        let from = if dir.is_empty() { String::new() } else { format!("{dir}/") };
        let length = from.len();
        let inside = from.clone();
        self.texts
            .range(Arc::<str>::from(from)..)
            .take_while(move |(path, _)| path.starts_with(&inside))
            .filter(move |(path, _)| path.get(length..).is_some_and(|name| !name.contains('/')))
    }

    /// Returns the number of files.
    pub fn len(&self) -> usize {
        self.texts.len()
    }

    /// Returns whether there is no file.
    pub fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }
}

/// Returns `path` as seen from `dir`, with `.` and `..` resolved as far as they can be by text alone.
pub(crate) fn join(dir: &str, path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in dir.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_resolved() {
        let check = |dir, path, expect: &str| assert_eq!(join(dir, path), expect, "{dir} {path}");
        check("", "./a//b/", "a/b");
        check("a/b", "../c", "a/c");
        check("a", "../../c", "../c");
        check("../x", "../y", "../y");
        check("", ".", "");
    }

    #[test]
    fn names_tell_what_a_file_is_for() {
        let check = |name, expect| assert_eq!(FileKind::of(name), expect, "{name}");
        check("main.tf", FileKind::Native);
        check("a/b.c.tf", FileKind::Native);
        check("main.tf.json", FileKind::Json);
        check("main.tf.yaml", FileKind::Yaml);
        check("main.tf.yml", FileKind::Yaml);
        check("main.stack.yaml", FileKind::Yaml);
        check("main.stack.json", FileKind::Json);
        check("main.stack", FileKind::Other);
        check("main.yaml", FileKind::Other);
        check("main.json", FileKind::Other);
        check("x.auto.tfvars.yaml", FileKind::Other);
        check("a_override.tf.yml", FileKind::Override);
        check("override.tf", FileKind::Override);
        check("a_override.tf.json", FileKind::Override);
        check("overrides.tf", FileKind::Native);
        check("terraform.tfvars", FileKind::Values);
        check("x.auto.tfvars.json", FileKind::Values);
        check(".auto.tfvars", FileKind::Values);
        check(".x.auto.tfvars.json", FileKind::Values);
        check("x.auto.tfvars~", FileKind::Other);
        check("prod.tfvars", FileKind::Other);
        check(".main.tf", FileKind::Other);
        check("main.tf~", FileKind::Other);
        check("#main.tf#", FileKind::Other);
        check("main.tofu", FileKind::Other);
    }

    #[test]
    fn a_folder_is_not_what_is_below_it() {
        let files = Files::from_texts([("main.tf", ""), ("./a/main.tf", ""), ("a/b/main.tf", ""), ("ab/main.tf", "")]);
        let names = |dir| files.in_dir(dir).map(|(path, _)| &**path).collect::<Vec<_>>();
        assert_eq!(names(""), ["main.tf"]);
        assert_eq!(names("a"), ["a/main.tf"]);
        assert_eq!(names("b"), Vec::<&str>::new());
        assert!(files.get("./a/../ab/main.tf").is_some());
    }
}
