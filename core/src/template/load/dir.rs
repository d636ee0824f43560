use std::{
    collections::{BTreeSet, VecDeque},
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
};

use crate::{
    error::{Error, ErrorKind, Result},
    template::decode,
};

use super::{FileKind, Files, join, module_folder};

/// How far reading a folder may go.
#[derive(Clone, Debug)]
pub struct LoadOptions {
    /// The folder that modules and files (also those behind symbolic links) must lie in; the template's own where `None`.
    /// What lies outside is not read.
    pub boundary: Option<PathBuf>,
    /// The most files.
    pub file_limit: usize,
    /// The most bytes, of all files together.
    pub byte_limit: u64,
}

impl Default for LoadOptions {
    /// The template's own folder, 10,000 files, 64 MiB.
    fn default() -> Self {
        Self { boundary: None, file_limit: 10_000, byte_limit: 64 << 20 }
    }
}

pub(super) fn read(root: &Path, options: &LoadOptions) -> Result<Files> {
    let root = root.canonicalize().map_err(|error| failure(root, error))?;
    let boundary = match &options.boundary {
        Some(boundary) => boundary.canonicalize().map_err(|error| failure(boundary, error))?,
        None => root.clone(),
    };
    let mut reader = Reader { boundary, options, files: Files::new(), bytes: 0 };
    let mut seen = BTreeSet::from([String::new()]);
    let mut waiting = VecDeque::from([String::new()]);
    while let Some(dir) = waiting.pop_front() {
        reader.folder(&root, &dir)?;
        for (path, text) in reader.files.in_dir(&dir) {
            for call in decode::called_modules(path, text) {
                let child = module_folder(&dir, &call.source, call.version.as_deref());
                if let Some(child) = child.filter(|child| seen.insert(child.clone())) {
                    waiting.push_back(child);
                }
            }
        }
    }
    Ok(reader.files)
}

struct Reader<'a> {
    boundary: PathBuf,
    options: &'a LoadOptions,
    files: Files,
    bytes: u64,
}

impl Reader<'_> {
    /// Reads the files of one folder; one that is missing or outside the boundary has none.
    fn folder(&mut self, root: &Path, dir: &str) -> Result<()> {
        let folder = if dir.is_empty() { root.to_owned() } else { root.join(dir) };
        let entries = match self.inside(&folder).and_then(|found| found.map(fs::read_dir).transpose()) {
            Ok(Some(entries)) => entries,
            Ok(None) => return Ok(()),
            Err(error) if is_absent(&error) && !dir.is_empty() => return Ok(()),
            Err(error) => return Err(failure(&folder, error)),
        };
        for entry in entries {
            let path = entry.map_err(|error| failure(&folder, error))?.path();
            let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
            let kind = FileKind::of(name);
            let wanted = kind.is_part() || kind == FileKind::Values && dir.is_empty();
            if wanted {
                let text = self.text(&path).map_err(|error| failure(&path, error))?;
                if let Some(text) = text {
                    self.count(text.len())?;
                    self.files.insert(&join(dir, name), text);
                }
            }
        }
        Ok(())
    }

    /// Returns the real path, if it is inside the boundary.
    fn inside(&self, path: &Path) -> io::Result<Option<PathBuf>> {
        let real = path.canonicalize()?;
        Ok(real.starts_with(&self.boundary).then_some(real))
    }

    fn text(&self, path: &Path) -> io::Result<Option<String>> {
        // A pipe or a device could keep us waiting for ever.
        let Some(real) = self.inside(path)?.filter(|real| real.is_file()) else { return Ok(None) };
        let mut text = String::new();
        // One byte more than allowed is enough to know.
        File::open(real)?.take(self.options.byte_limit + 1).read_to_string(&mut text)?;
        Ok(Some(text))
    }

    fn count(&mut self, bytes: usize) -> Result<()> {
        self.bytes += bytes as u64;
        let refuse = |what: String| Err(Error::new(ErrorKind::InvalidInput, "template.budget", what));
        if self.files.len() >= self.options.file_limit {
            return refuse(format!("the template has more than {} files", self.options.file_limit));
        }
        if self.bytes > self.options.byte_limit {
            return refuse(format!("the files of the template are larger than {} bytes", self.options.byte_limit));
        }
        Ok(())
    }
}

fn is_absent(error: &io::Error) -> bool {
    // A path that no file system would take leads nowhere, too.
    matches!(
        error.kind(),
        io::ErrorKind::NotFound
            | io::ErrorKind::NotADirectory
            | io::ErrorKind::InvalidInput
            | io::ErrorKind::InvalidFilename
    )
}

fn failure(path: &Path, error: io::Error) -> Error {
    let kind = match error.kind() {
        io::ErrorKind::NotFound => ErrorKind::NotFound,
        io::ErrorKind::PermissionDenied => ErrorKind::Denied,
        io::ErrorKind::InvalidData | io::ErrorKind::NotADirectory => ErrorKind::InvalidInput,
        _ => ErrorKind::Unavailable,
    };
    Error::new(kind, "template.files", format!("`{}` cannot be read", path.display())).because(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(dir: &Path, path: &str, text: &str) {
        let path = dir.join(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(path, text).expect("a file");
    }

    fn paths(files: &Files) -> Vec<&str> {
        files.iter().map(|(path, _)| &**path).collect()
    }

    fn sample() -> tempfile::TempDir {
        let dir = tempfile::tempdir().expect("a folder");
        let root = dir.path();
        write(root, "app/main.tf", "module \"a\" {\n  source = \"./a\"\n}\nmodule \"up\" {\n  source = \"../up\"\n}\n");
        write(root, "app/extra.tf.json", r#"{"module": {"j": {"source": "./j"}}}"#);
        write(root, "app/j/main.tf", "");
        write(root, "app/terraform.tfvars", "x = 1\n");
        write(root, "app/x.auto.tfvars.json", "{}");
        write(root, "app/prod.tfvars", "x = 1\n");
        write(root, "app/readme.md", "");
        write(root, "app/unused/main.tf", "");
        write(
            root,
            "app/a/main.tf",
            "module \"b\" {\n  source = \"./b\"\n}\n# a module that calls itself\nmodule \"a\" {\n  source = \"../a\"\n}\nmodule \"none\" {\n  source = \"./none\"\n}\nmodule \"odd\" {\n  source = \"./\\u0000\"\n}\n",
        );
        write(root, "app/a/terraform.tfvars", "x = 1\n");
        write(root, "app/a/b/main.tf", "");
        write(root, "up/main.tf", "");
        dir
    }

    #[test]
    fn the_template_and_what_it_calls_are_read() {
        let dir = sample();
        let files = Files::from_dir(dir.path().join("app")).expect("files");
        assert_eq!(
            paths(&files),
            [
                "a/b/main.tf",
                "a/main.tf",
                "extra.tf.json",
                "j/main.tf",
                "main.tf",
                "terraform.tfvars",
                "x.auto.tfvars.json"
            ]
        );
    }

    #[test]
    fn only_the_host_lets_modules_lie_outside() {
        let dir = sample();
        let options = LoadOptions { boundary: Some(dir.path().to_owned()), ..LoadOptions::default() };
        let files = Files::from_dir_with(dir.path().join("app"), &options).expect("files");
        assert!(files.get("../up/main.tf").is_some());
    }

    #[cfg(unix)]
    #[test]
    fn links_do_not_lead_outside() {
        let dir = sample();
        let root = dir.path();
        std::os::unix::fs::symlink(root.join("up/main.tf"), root.join("app/link.tf")).expect("a link");
        std::os::unix::fs::symlink(root.join("up"), root.join("app/none")).expect("a link");
        write(root, "app/calls.tf", "module \"n\" {\n  source = \"./none\"\n}\n");
        let files = Files::from_dir(root.join("app")).expect("files");
        assert!(files.get("link.tf").is_none());
        assert!(files.get("none/main.tf").is_none());
    }

    #[test]
    fn too_much_is_refused() {
        let dir = sample();
        let check = |options: LoadOptions| {
            let error = Files::from_dir_with(dir.path().join("app"), &options).expect_err("too much");
            assert_eq!(error.code(), "template.budget");
        };
        check(LoadOptions { file_limit: 3, ..LoadOptions::default() });
        check(LoadOptions { byte_limit: 20, ..LoadOptions::default() });
    }

    #[test]
    fn what_is_missing_or_no_text_is_an_error() {
        let dir = sample();
        let error = Files::from_dir(dir.path().join("nowhere")).expect_err("nothing there");
        assert_eq!((error.kind(), error.code()), (ErrorKind::NotFound, "template.files"));
        fs::write(dir.path().join("app/bad.tf"), [0xff]).expect("a file");
        let error = Files::from_dir(dir.path().join("app")).expect_err("no text");
        assert_eq!((error.kind(), error.code()), (ErrorKind::InvalidInput, "template.files"));
    }
}
