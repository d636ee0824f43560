//! `package`: begin, check, build, verify and publish packages.

use std::{
    fs,
    io::Read as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use serde_json::json;
use stackwright::{
    application::Parcel,
    catalog::{self, Advance, Built, Catalog, Envelope, Limits, Objects, Package, Stage, Trust, Viewer},
    error::{Diagnostic, Diagnostics as _, Error, ErrorKind, RenderOptions, Result, render_all},
    form::Widgets,
};
use stackwright_catalog_objects::{Directory, Http, KeyPair, TrustedKeys};

use super::{Failure, InSources as _};
use crate::{
    arguments::{self, Chosen, Shelf},
    exit::Exit,
    session::Session,
    terminal::{self, Style},
};

/// What a new package begins with.
const BEGINNING: [(&str, &str); 3] = [
    ("package.yaml", include_str!("package_init/package.yaml")),
    ("form.yaml", include_str!("package_init/form.yaml")),
    ("template/main.tf", include_str!("package_init/main.tf")),
];

pub(super) async fn run(session: &Session, command: &arguments::Package, style: Style) -> Result<Exit, Failure> {
    match command {
        arguments::Package::Init { name } => init(session, name),
        arguments::Package::Key { file } => Ok(key(&session.folder.join(file))?),
        arguments::Package::Lint { folder, json } => lint(session, folder, *json, style),
        arguments::Package::Build { folder, key, out } => build(session, folder, key, out).await,
        arguments::Package::Verify { archive, shelf } => {
            let built = from_archive(&session.folder.join(archive), &*trust(shelf, None)?)?;
            built.files(Limits::default())?;
            say!("`{}` {} is what was signed: {}", built.seal.name, built.seal.version, built.seal.digest);
            Ok(Exit::Success)
        }
        arguments::Package::Publish { archive, shelf, key, stage, tester, reason } => {
            let key = KeyPair::open(session.folder.join(key))?;
            let trust = trust(shelf, Some(&key))?;
            let built = from_archive(&session.folder.join(archive), &*trust)?;
            built.files(Limits::default())?;
            let catalog = Catalog::new(objects(session, shelf)?, trust);
            let mut release = catalog.publish(&built, &key).await?;
            let to = match stage {
                Stage::Development => None,
                Stage::Trial => {
                    Some(Advance::Trial { testers: tester.iter().map(|name| name.as_str().into()).collect() })
                }
                Stage::Online => Some(Advance::Online),
                Stage::Withdrawn => Some(Advance::Withdrawn { reason: reason.as_str().into() }),
            };
            if let Some(to) = to {
                release = catalog.advance(&built.seal.name, &built.seal.version, &to, &key).await?;
            }
            say!("`{}` {} is published: {}", built.seal.name, release.version, release.stage);
            Ok(Exit::Success)
        }
        arguments::Package::List { name, shelf } => Ok(list(session, name.as_deref(), shelf).await?),
    }
}

fn usage(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidInput, "cli.usage", message)
}

fn init(session: &Session, name: &str) -> Result<Exit, Failure> {
    let folder = session.folder.join(name);
    // The name is checked by what reads it.
    let text = |text: &str| text.replace("NAME", name);
    let files = BEGINNING.iter().map(|(path, content)| (Arc::from(*path), Arc::from(text(content).into_bytes())));
    let (package, problems) = Package::read(files.collect(), &Widgets::standard());
    sound(package, problems)?;
    if folder.exists() {
        return Err(usage(format!("`{name}` is there already")).into());
    }
    for (path, content) in BEGINNING {
        let path = folder.join(path);
        let written = path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(&path, text(content)));
        written.map_err(|error| usage(format!("`{}` cannot be written", path.display())).because(error))?;
    }
    say!("A package begins in `{name}`. Look at it, then:\n    stackwright package lint {name}");
    Ok(Exit::Success)
}

fn key(path: &Path) -> Result<Exit> {
    let key = if path.exists() { KeyPair::open(path)? } else { KeyPair::create(path)? };
    say!("{}", key.public_key());
    Ok(Exit::Success)
}

/// Reads a package's folder, and says everything that is wrong with it.
fn read(session: &Session, folder: &Path) -> Result<(Package, Vec<Diagnostic>)> {
    let (package, mut problems) = Package::from_dir(session.folder.join(folder), &Widgets::standard())?;
    let engine = session.types()?;
    problems.extend(catalog::lint(&package, Some(&*engine.registry())));
    problems.tidy();
    Ok((package, problems))
}

fn lint(session: &Session, folder: &Path, as_json: bool, style: Style) -> Result<Exit, Failure> {
    let (package, problems) = read(session, folder)?;
    let errors = problems.iter().filter(|problem| problem.is_error()).count();
    if as_json {
        let sources = package.sources();
        let diagnostics: Vec<_> = problems.iter().map(|problem| terminal::diagnostic_json(problem, sources)).collect();
        let document = json!({
            "format_version": "1.0",
            "valid": errors == 0,
            "error_count": errors,
            "warning_count": problems.len() - errors,
            "diagnostics": diagnostics,
        });
        say!("{document:#}");
    } else {
        if !problems.is_empty() {
            let rendered = render_all(&problems, package.sources(), RenderOptions { color: style.color() });
            say_error!("{}\n", rendered.trim_end());
        }
        match errors {
            0 => say!("{}", style.paint("32", "Success! The package is valid.")),
            1 => say_error!("1 error."),
            count => say_error!("{count} errors."),
        }
    }
    Ok(if errors == 0 { Exit::Success } else { Exit::Failure })
}

async fn build(session: &Session, folder: &Path, key: &Path, out: &Path) -> Result<Exit, Failure> {
    let (package, problems) = read(session, folder)?;
    if problems.has_errors() {
        return Err(Error::from_diagnostics("template.invalid", problems)).in_sources(package.sources());
    }
    let (name, version) = package.identity().ok_or_else(|| usage("the package has no name and version"))?;
    let key = KeyPair::open(session.folder.join(key))?;
    let built = Built::new(name, version, &package.files, Limits::default(), &key).await?;
    let archive = session.folder.join(out).join(format!("{name}-{version}.tar"));
    let unwritten =
        |path: &Path, error: std::io::Error| usage(format!("`{}` cannot be written", path.display())).because(error);
    if let Some(folder) = archive.parent() {
        fs::create_dir_all(folder).map_err(|error| unwritten(folder, error))?;
    }
    let seal = seal_path(&archive);
    fs::write(&archive, &built.archive).map_err(|error| unwritten(&archive, error))?;
    fs::write(&seal, built.envelope.to_bytes()).map_err(|error| unwritten(&seal, error))?;
    say!("{}-{}.tar {} signed by {}", name, version, built.seal.digest, key.public_key());
    Ok(Exit::Success)
}

async fn list(session: &Session, name: Option<&str>, shelf: &Shelf) -> Result<Exit> {
    let catalog = Catalog::new(objects(session, shelf)?, trust(shelf, None)?);
    match name {
        None => {
            for name in catalog.names().await? {
                say!("{name}");
            }
        }
        Some(name) => {
            for release in catalog.index(name).await?.releases.iter().rev() {
                let why = release.withdrawn.as_ref().map_or(String::new(), |why| format!("  {why}"));
                say!("{}  {}  {}{why}", release.version, release.stage, release.digest);
            }
        }
    }
    Ok(Exit::Success)
}

/// Returns where the seal of an archive lies: `x.tar` and `x.seal.json`.
fn seal_path(archive: &Path) -> PathBuf {
    archive.with_extension("seal.json")
}

/// Returns an archive on this disk, once it is proved to be what was signed.
fn from_archive(path: &Path, trust: &dyn Trust) -> Result<Built> {
    let bounded = |path: &Path, limit: u64| {
        let read = fs::File::open(path).and_then(|file| {
            let mut bytes = Vec::new();
            file.take(limit + 1).read_to_end(&mut bytes).map(|_| bytes)
        });
        let bytes = read.map_err(|error| {
            let message = format!("`{}` cannot be read", path.display());
            Error::new(ErrorKind::NotFound, "catalog.unavailable", message).because(error)
        })?;
        if bytes.len() as u64 > limit {
            let message = format!("`{}` has more than {limit} bytes", path.display());
            return Err(Error::new(ErrorKind::InvalidInput, "catalog.too_large", message));
        }
        Ok(bytes)
    };
    let envelope = Envelope::from_bytes(&bounded(&seal_path(path), 1 << 20)?)?;
    let limits = Limits::default();
    Built::verify(bounded(path, limits.archive_bytes())?.into(), envelope, limits, trust)
}

/// Returns the keys that are trusted: those of the command line, and one's own.
fn trust(shelf: &Shelf, own: Option<&KeyPair>) -> Result<Arc<dyn Trust>> {
    let own = own.map(|key| key.public_key().to_string());
    let keys: Vec<String> = shelf.trust.iter().cloned().chain(own).collect();
    if keys.is_empty() {
        let message = "no key is trusted: name the publisher's public key with `-trust=ed25519:…`";
        return Err(usage(message));
    }
    Ok(Arc::new(TrustedKeys::new(keys)?))
}

fn objects(session: &Session, shelf: &Shelf) -> Result<Arc<dyn Objects>> {
    let place =
        shelf.catalog.as_deref().ok_or_else(|| usage("name the catalog with `-catalog=FOLDER` or an address"))?;
    if place.contains("://") {
        let http = Http::new(place)?;
        return Ok(match std::env::var("STACKWRIGHT_CATALOG_TOKEN") {
            Ok(token) => Arc::new(http.with_token(token)),
            Err(_) => Arc::new(http),
        });
    }
    Ok(Arc::new(Directory::new(session.folder.join(place))))
}

/// Returns the package that somebody names, wherever it is: a folder as it is, an archive or a version in a catalog once it
/// is proved to be what was signed.
pub(super) async fn choose(session: &Session, chosen: &Chosen, tenant: &str) -> Result<Package, Failure> {
    let path = session.folder.join(&chosen.package);
    let files = if path.is_dir() {
        let (package, problems) = Package::from_dir(&path, &Widgets::standard())?;
        return sound(package, problems);
    } else if path.is_file() {
        from_archive(&path, &*trust(&chosen.shelf, None)?)?.files(Limits::default())?
    } else {
        let catalog = Catalog::new(objects(session, &chosen.shelf)?, trust(&chosen.shelf, None)?);
        let viewer = Viewer::Tenant(tenant.into());
        let (_, built) = catalog.fetch(&chosen.package, chosen.version.as_ref(), &viewer).await?;
        built.files(Limits::default())?
    };
    let (package, problems) = Package::read(files, &Widgets::standard());
    sound(package, problems)
}

/// Returns the same, known by its content.
pub(super) async fn choose_parcel(session: &Session, chosen: &Chosen, tenant: &str) -> Result<Parcel, Failure> {
    let package = choose(session, chosen, tenant).await?;
    let sources = package.sources().clone();
    Parcel::new(package.files, &Widgets::standard()).in_sources(&sources)
}

fn sound(package: Package, problems: Vec<Diagnostic>) -> Result<Package, Failure> {
    if problems.has_errors() {
        return Err(Error::from_diagnostics("template.invalid", problems)).in_sources(package.sources());
    }
    Ok(package)
}
