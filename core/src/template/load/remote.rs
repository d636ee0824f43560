use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
};

use async_trait::async_trait;
use sha2::{Digest as _, Sha256};

use crate::{
    error::{Error, ErrorKind, Result},
    template::{decode, model::VersionConstraint},
};

use super::{Files, join};

/// The folder that packages of modules are put into.
const PACKAGES: &str = ".stackwright/modules";

/// A package of modules that a template asks for and that does not lie beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModuleRequest {
    /// The source as it was written, without a `//folder` inside the package. A relative path in it (`./net.zip`,
    /// `git::../net`) counts from the template's root.
    pub source: Arc<str>,
    /// Which versions fit, where the call says so.
    pub version: Option<VersionConstraint>,
    /// Who asks: the folder of the calling module and the name of the call, for messages.
    pub caller: Arc<str>,
}

impl ModuleRequest {
    /// Returns the folder that the package's files belong into, relative to the template's root. The same source and
    /// version have the same folder.
    pub fn folder(&self) -> String {
        package_folder(&self.source, self.version.as_ref().map(VersionConstraint::as_str))
    }
}

/// What a source of modules found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModulePackage {
    /// The texts of the package by path, relative to its root, `/` between parts.
    pub files: BTreeMap<String, Arc<str>>,
    /// The version that was chosen, where there are versions.
    pub version: Option<String>,
}

/// Finds packages of modules: an archive, a version control system, a registry. The host has one; the engine itself
/// fetches nothing.
#[async_trait]
pub trait ModuleSource: fmt::Debug + Send + Sync + 'static {
    /// Returns a package; `None` where the source is not of a form that it knows.
    ///
    /// # Errors
    /// Whatever kept it from coming; nothing is tried again here.
    async fn fetch(&self, request: &ModuleRequest) -> Result<Option<ModulePackage>>;
}

/// How much fetching may bring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FetchLimits {
    /// The most packages.
    pub package_count: usize,
    /// The most files, of all packages together.
    pub file_count: usize,
    /// The most bytes, of all packages together.
    pub total_bytes: usize,
}

impl Default for FetchLimits {
    /// 256 packages, 10,000 files, 64 MiB.
    fn default() -> Self {
        Self { package_count: 256, file_count: 10_000, total_bytes: 64 << 20 }
    }
}

/// A package that was fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchedModule {
    /// What was asked for.
    pub request: ModuleRequest,
    /// The version that was chosen, where there are versions.
    pub version: Option<String>,
    /// The folder that its files were put into, relative to the template's root.
    pub folder: String,
}

impl Files {
    /// Returns the packages that the template, and the modules that are there, ask for and that are not there; each once.
    ///
    /// # Complexity
    /// O(bytes).
    pub fn missing_modules(&self) -> Vec<ModuleRequest> {
        let mut seen = BTreeSet::from([String::new()]);
        let mut waiting = vec![String::new()];
        let mut missing: BTreeMap<String, ModuleRequest> = BTreeMap::new();
        while let Some(dir) = waiting.pop() {
            for (path, text) in self.in_dir(&dir) {
                for call in decode::called_modules(path, text) {
                    let child = module_folder(&dir, &call.source, call.version.as_deref());
                    if let Some(request) = call.request(&dir) {
                        let folder = request.folder();
                        if !self.has_below(&folder) {
                            missing.entry(folder).or_insert(request);
                            continue;
                        }
                    }
                    if let Some(child) = child.filter(|child| seen.insert(child.clone())) {
                        waiting.push(child);
                    }
                }
            }
        }
        missing.into_values().collect()
    }

    /// Fetches all packages that are missing, those that fetched ones ask for too, and returns what was fetched.
    ///
    /// # Errors
    /// `template.source` where no source knows the form, or where a path leads out of the package; `template.budget`
    /// where there is too much; what the source says.
    pub async fn fetch_modules(
        &mut self,
        source: &dyn ModuleSource,
        limits: &FetchLimits,
    ) -> Result<Vec<FetchedModule>> {
        let mut fetched = Vec::new();
        let (mut file_count, mut bytes) = (0_usize, 0_usize);
        loop {
            let missing = self.missing_modules();
            if missing.is_empty() {
                return Ok(fetched);
            }
            for request in missing {
                if fetched.len() >= limits.package_count {
                    return Err(too_much(format!("more than {} packages of modules", limits.package_count)));
                }
                let Some(package) = source.fetch(&request).await? else { return Err(nobody(&request)) };
                file_count += package.files.len();
                bytes += package.files.values().map(|text| text.len()).sum::<usize>();
                if file_count > limits.file_count || bytes > limits.total_bytes {
                    return Err(too_much(format!("the modules are larger than allowed (`{}`)", request.source)));
                }
                let folder = request.folder();
                if package.files.is_empty() {
                    return Err(bad_source(&request, "it is empty"));
                }
                for (path, text) in package.files {
                    let inside = join("", &path);
                    let is_plain = !path.starts_with('/') && !path.contains('\\') && !path.contains(':');
                    if inside.is_empty() || inside.starts_with("..") || !is_plain {
                        return Err(bad_source(&request, &format!("`{path}` leads out of it")));
                    }
                    self.insert(&format!("{folder}/{inside}"), text);
                }
                fetched.push(FetchedModule { folder, version: package.version, request });
            }
        }
    }

    fn has_below(&self, folder: &str) -> bool {
        let prefix = format!("{folder}/");
        self.iter().any(|(path, _)| path.starts_with(&prefix))
    }
}

/// A call as it is written.
pub(in crate::template) struct CalledModule {
    pub(in crate::template) name: Arc<str>,
    pub(in crate::template) source: String,
    pub(in crate::template) version: Option<String>,
}

impl CalledModule {
    fn request(&self, dir: &str) -> Option<ModuleRequest> {
        remote(&self.source)?;
        let source = placed(dir, &with_query(&self.source))?;
        let version = self.version.as_ref().and_then(|version| version.parse().ok());
        let caller = if dir.is_empty() { self.name.to_string() } else { format!("{dir}:{}", self.name) };
        Some(ModuleRequest { source: source.into(), version, caller: caller.into() })
    }
}

/// Returns whether a module source is a path beside the calling module; an archive there is none.
pub(in crate::template) fn is_local(source: &str) -> bool {
    let package = source.split_once("//").map_or(source, |(package, _)| package);
    is_relative(source) && !is_archive(package)
}

fn is_relative(path: &str) -> bool {
    path == "." || path == ".." || path.starts_with("./") || path.starts_with("../")
}

/// Returns whether a path, by its name, is a file that holds files.
fn is_archive(path: &str) -> bool {
    const NAMES: [&str; 8] = [".zip", ".tar", ".tar.gz", ".tgz", ".tar.xz", ".txz", ".tar.bz2", ".tbz2"];
    let path = path.split_once('?').map_or(path, |(path, _)| path).to_ascii_lowercase();
    NAMES.iter().any(|name| path.ends_with(name))
}

/// Returns a source as the root module would write it: a path in it counts from the calling module's folder. `None` where
/// it leads out of the package that its caller is in.
fn placed(dir: &str, source: &str) -> Option<String> {
    let (getter, path) = source.strip_prefix("git::").map_or(("", source), |path| ("git::", path));
    if !is_relative(path) {
        return Some(source.to_owned());
    }
    let joined = join(dir, path);
    let stays = package_of(dir).is_none_or(|package| joined.starts_with(&format!("{package}/")));
    let beside = if joined.starts_with("..") { "" } else { "./" };
    stays.then(|| format!("{getter}{beside}{joined}"))
}

/// Returns the package that a folder is in; `None` for those of the template itself.
fn package_of(dir: &str) -> Option<String> {
    let package = dir.strip_prefix(PACKAGES)?.split('/').nth(1)?;
    Some(format!("{PACKAGES}/{package}"))
}

/// Takes a source that is no path apart: the package, and a folder inside it.
fn remote(source: &str) -> Option<(&str, &str)> {
    if is_local(source) {
        return None;
    }
    // The `//` of a scheme is none.
    let scheme = source.find("://").map_or(0, |place| place + 3);
    let rest = source.get(scheme..).unwrap_or_default();
    let Some(place) = rest.find("//") else { return Some((source, "")) };
    let (package, inside) = (source.get(..scheme + place)?, rest.get(place + 2..)?);
    // What selects a version stands behind the folder, and belongs to the package; it names another one then.
    Some((package, inside.split_once('?').map_or(inside, |(folder, _)| folder)))
}

/// Returns the folder of a called module, relative to the template's root; `None` where it would lie outside of the
/// package that its caller is in.
pub(in crate::template) fn module_folder(dir: &str, source: &str, version: Option<&str>) -> Option<String> {
    if let Some((_, inside)) = remote(source) {
        let package = package_folder(&placed(dir, &with_query(source))?, version);
        let folder = join(&package, inside);
        return (folder == package || folder.starts_with(&format!("{package}/"))).then_some(folder);
    }
    let folder = join(dir, source);
    match package_of(dir) {
        Some(package) if folder != package && !folder.starts_with(&format!("{package}/")) => None,
        _ => Some(folder),
    }
}

/// Returns the package that a source names, with what selects a version behind the folder.
pub(in crate::template) fn with_query(source: &str) -> String {
    match (remote(source), source.split_once('?')) {
        (Some((package, inside)), Some((_, query))) if !inside.is_empty() => format!("{package}?{query}"),
        (Some((package, _)), _) => package.to_owned(),
        (None, _) => source.to_owned(),
    }
}

fn package_folder(source: &str, version: Option<&str>) -> String {
    let mut hash = Sha256::new();
    hash.update(source.as_bytes());
    hash.update([0]);
    hash.update(version.unwrap_or_default().as_bytes());
    let digest = hash.finalize();
    let name: String = digest.iter().take(10).map(|byte| format!("{byte:02x}")).collect();
    format!("{PACKAGES}/{name}")
}

fn too_much(what: String) -> Error {
    Error::new(ErrorKind::InvalidInput, "template.budget", what)
}

fn nobody(request: &ModuleRequest) -> Error {
    let message = format!("no source of modules knows `{}`, which `{}` asks for", request.source, request.caller);
    Error::new(ErrorKind::Unsupported, "template.source", message)
}

fn bad_source(request: &ModuleRequest, what: &str) -> Error {
    let message = format!("the package `{}` cannot be used: {what}", request.source);
    Error::new(ErrorKind::InvalidInput, "template.source", message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::{Options, Template, testing::lines};

    /// Packages by source.
    #[derive(Debug, Default)]
    struct Shelf(BTreeMap<&'static str, Vec<(&'static str, &'static str)>>);

    #[async_trait]
    impl ModuleSource for Shelf {
        async fn fetch(&self, request: &ModuleRequest) -> Result<Option<ModulePackage>> {
            let Some(files) = self.0.get(&*request.source) else { return Ok(None) };
            let files = files.iter().map(|(path, text)| ((*path).to_owned(), Arc::from(*text))).collect();
            Ok(Some(ModulePackage { files, version: request.version.as_ref().map(|_| "1.2.3".to_owned()) }))
        }
    }

    fn call(source: &str, rest: &str) -> String {
        format!("module \"m\" {{\n  source = \"{source}\"\n{rest}}}\n")
    }

    fn fetch(files: &mut Files, shelf: &Shelf, limits: &FetchLimits) -> Result<Vec<FetchedModule>> {
        // Nothing here waits: one look is enough.
        let mut future = std::pin::pin!(files.fetch_modules(shelf, limits));
        match future.as_mut().poll(&mut std::task::Context::from_waker(std::task::Waker::noop())) {
            std::task::Poll::Ready(result) => result,
            std::task::Poll::Pending => panic!("it waits"),
        }
    }

    fn problems(files: &Files) -> Vec<String> {
        let (template, problems) = Template::parse(files, &Options::default());
        lines(template.sources(), &problems)
    }

    #[test]
    fn packages_are_fetched_with_what_they_ask_for() {
        let shelf = Shelf(BTreeMap::from([
            (
                "acme/net/cloud",
                vec![
                    ("main.tf", "module \"sub\" {\n  source = \"./sub\"\n}\n"),
                    ("sub/main.tf", "module \"git\" {\n  source = \"git::file:///r.git//inner?ref=v1\"\n}\n"),
                    ("README.md", "text"),
                ],
            ),
            (
                "git::file:///r.git?ref=v1",
                vec![("inner/main.tf", "module \"up\" {\n  source = \"../\"\n}\n"), ("x.tf", "")],
            ),
        ]));
        let mut files = Files::from_texts([("main.tf", call("acme/net/cloud", "  version = \"~> 1.0\"\n"))]);
        assert_eq!(
            problems(&files),
            ["2 template.source <\"acme/net/cloud\"> the module `acme/net/cloud` is not there yet"]
        );
        let fetched = fetch(&mut files, &shelf, &FetchLimits::default()).expect("both packages");
        let found: Vec<_> = fetched.iter().map(|one| (&*one.request.source, one.version.as_deref())).collect();
        assert_eq!(found, [("acme/net/cloud", Some("1.2.3")), ("git::file:///r.git?ref=v1", None)]);
        assert_eq!(problems(&files), Vec::<String>::new());
        let (template, _) = Template::parse(&files, &Options::default());
        assert_eq!(template.modules().count(), 5);
        assert!(files.missing_modules().is_empty());
        assert!(fetch(&mut files, &Shelf::default(), &FetchLimits::default()).expect("nothing to do").is_empty());
    }

    #[test]
    fn nothing_leads_out_of_a_package() {
        for path in ["../x.tf", "/x.tf", "a/../../x.tf", "c:\\x.tf", ".."] {
            let shelf = Shelf(BTreeMap::from([("acme/net/cloud", vec![(path, "")])]));
            let mut files = Files::from_texts([("main.tf", call("acme/net/cloud", ""))]);
            let error = fetch(&mut files, &shelf, &FetchLimits::default()).expect_err(path);
            assert_eq!(error.code(), "template.source");
            assert_eq!(files.len(), 1, "{path}");
        }
        let shelf = Shelf(BTreeMap::from([(
            "acme/net/cloud",
            vec![("main.tf", "module \"x\" {\n  source = \"../../..\"\n}\n")],
        )]));
        let mut files = Files::from_texts([("main.tf", call("acme/net/cloud", ""))]);
        fetch(&mut files, &shelf, &FetchLimits::default()).expect("the package");
        assert_eq!(problems(&files), ["2 template.source <\"../../..\"> `../../..` leads out of the package"]);
        let files = Files::from_texts([("main.tf", call("acme/net/cloud//../x", ""))]);
        assert_eq!(
            problems(&files),
            ["2 template.source <\"acme/net/cloud//../x\"> `acme/net/cloud//../x` leads out of the package"]
        );
    }

    #[test]
    fn archives_and_repositories_beside_the_template_are_packages() {
        let request = |dir: &str, source: &str| {
            let call = CalledModule { name: "m".into(), source: source.to_owned(), version: None };
            call.request(dir).map(|request| request.source.to_string())
        };
        let some = |source: &str| Some(source.to_owned());
        assert_eq!(request("", "./vendor/net.zip//modules/x"), some("./vendor/net.zip"));
        assert_eq!(request("a/b", "../net.tar.gz//x"), some("./a/net.tar.gz"));
        assert_eq!(request("a", "../../net.TGZ"), some("../net.TGZ"));
        assert_eq!(request("a", "git::./r//x?ref=v1"), some("git::./a/r?ref=v1"));
        assert_eq!(request("", "git::file:///r"), some("git::file:///r"));
        assert_eq!(request("", "./net"), None);
        assert_eq!(request("", "./zip//x"), None);
        // The same archive is the same package, whoever asks for it.
        let folder = |dir: &str, source: &str| module_folder(dir, source, None);
        assert_eq!(folder("", "./net.zip//x"), folder("a", "../net.zip//x"));
        assert_ne!(folder("", "./net.zip//x"), folder("a", "./net.zip//x"));
        let inside = folder("", "./net.zip").expect("a folder");
        assert_eq!(folder(&inside, "../net.zip"), None);
        assert_eq!(request(&inside, "git::../../r"), None);
        assert_eq!(folder("", "./net.zip//../x"), None);
    }

    #[test]
    fn there_are_limits() {
        let shelf = Shelf(BTreeMap::from([("acme/net/cloud", vec![("a.tf", "# 10 bytes"), ("b.tf", "")])]));
        let refused = |limits: FetchLimits| {
            let mut files = Files::from_texts([("main.tf", call("acme/net/cloud", ""))]);
            assert_eq!(fetch(&mut files, &shelf, &limits).expect_err("too much").code(), "template.budget");
        };
        refused(FetchLimits { package_count: 0, ..FetchLimits::default() });
        refused(FetchLimits { file_count: 1, ..FetchLimits::default() });
        refused(FetchLimits { total_bytes: 9, ..FetchLimits::default() });
        let mut files = Files::from_texts([("main.tf", call("unheard-of", ""))]);
        assert_eq!(fetch(&mut files, &shelf, &FetchLimits::default()).expect_err("nobody").code(), "template.source");
    }

    #[test]
    fn a_path_has_no_version() {
        let files = Files::from_texts([("main.tf", call("./m", "  version = \"1\"\n")), ("m/main.tf", String::new())]);
        assert_eq!(problems(&files), ["3 template.version <version> a module beside its caller has no version"]);
    }
}
