use std::sync::Arc;

use super::{
    Advance, Envelope, EnvelopeKind, Expect, Index, Limits, Objects, PackageFiles, Release, Seal, Signer, Stage,
    Stored, Trust, Version, Viewer,
    archive::{pack, unpack},
    release::absent,
    seal::MAX_DOCUMENT,
};
use crate::error::{Error, ErrorKind, Result};

/// How often a write is tried again when somebody else was faster.
const TRIES: usize = 8;

/// A package that is ready to be handed on: an archive, and what its publisher says of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Built {
    /// What is sealed.
    pub seal: Seal,
    /// The seal, signed.
    pub envelope: Envelope,
    /// The archive.
    pub archive: Arc<[u8]>,
}

impl Built {
    /// Packs files and signs the result. The same files give the same archive.
    ///
    /// # Errors
    /// `catalog.archive`, `catalog.too_large`; those of the signer.
    pub async fn new(
        name: &str,
        version: &Version,
        files: &PackageFiles,
        limits: Limits,
        signer: &dyn Signer,
    ) -> Result<Self> {
        let archive = pack(files, limits)?;
        let seal = Seal::of(name, version.clone(), &archive);
        let envelope = Envelope::sign(EnvelopeKind::Seal, &seal, signer).await?;
        Ok(Self { seal, envelope, archive: archive.into() })
    }

    /// Takes an archive and its envelope for what they say, once that is proved.
    ///
    /// # Errors
    /// `catalog.signature`, `catalog.tampered`, `catalog.too_large`, `catalog.index`.
    pub fn verify(archive: Arc<[u8]>, envelope: Envelope, limits: Limits, trust: &dyn Trust) -> Result<Self> {
        let seal: Seal = envelope.open(EnvelopeKind::Seal, trust)?;
        if seal.format != 1 {
            return Err(unknown_format(seal.format));
        }
        if archive.len() as u64 > limits.archive_bytes() {
            return Err(super::archive::too_large(format!("the archive has {} bytes", archive.len())));
        }
        seal.check(&archive)?;
        Ok(Self { seal, envelope, archive })
    }

    /// Returns the files.
    ///
    /// # Errors
    /// `catalog.archive`, `catalog.too_large`.
    pub fn files(&self, limits: Limits) -> Result<PackageFiles> {
        unpack(&self.archive, limits)
    }
}

fn unknown_format(format: u32) -> Error {
    let message = format!("the catalog was written in the format {format}, which this engine does not know");
    Error::new(ErrorKind::Unsupported, "catalog.index", message)
}

/// A catalog: packages, their versions, and how far each version is.
///
/// Its bytes lie where anybody may have changed them. What is read is read only after a trusted signature over it was
/// checked: the index of a package by its publisher's key, an archive by its seal and by the digest that the index names.
#[derive(Clone, Debug)]
pub struct Catalog {
    objects: Arc<dyn Objects>,
    trust: Arc<dyn Trust>,
    limits: Limits,
}

impl Catalog {
    /// Returns a catalog over objects.
    pub fn new(objects: Arc<dyn Objects>, trust: Arc<dyn Trust>) -> Self {
        Self { objects, trust, limits: Limits::default() }
    }

    /// Sets how much a package may hold.
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Returns the names of packages, in order. Nobody signed them: they are for looking around.
    ///
    /// # Errors
    /// Those of [`Objects::list`].
    pub async fn names(&self) -> Result<Vec<String>> {
        let mut names = self.objects.list("packages/").await?;
        names.retain(|name| check_name(name).is_ok());
        names.sort();
        Ok(names)
    }

    /// Returns the versions of a package.
    ///
    /// # Errors
    /// `catalog.not_found`; `catalog.signature`, `catalog.index`; those of [`Objects::get`].
    pub async fn index(&self, name: &str) -> Result<Index> {
        Ok(self.read_index(name).await?.ok_or_else(|| absent(name, None))?.0)
    }

    async fn read_index(&self, name: &str) -> Result<Option<(Index, Stored)>> {
        check_name(name)?;
        let Some(stored) = self.objects.get(&index_key(name), MAX_DOCUMENT).await? else { return Ok(None) };
        let index: Index = Envelope::from_bytes(&stored.bytes)?.open(EnvelopeKind::Index, &*self.trust)?;
        if index.format != 1 {
            return Err(unknown_format(index.format));
        }
        if *index.name != *name {
            let message = format!("the index of `{name}` is that of `{}`", index.name);
            return Err(Error::new(ErrorKind::Denied, "catalog.tampered", message));
        }
        Ok(Some((index, stored)))
    }

    /// Puts a package into the catalog, in development. Doing it twice is doing it once.
    ///
    /// # Errors
    /// `catalog.exists` where the version is there with other content; `catalog.conflict`; those of signer and objects.
    pub async fn publish(&self, built: &Built, signer: &dyn Signer) -> Result<Release> {
        let seal = &built.seal;
        check_name(&seal.name)?;
        seal.check(&built.archive)?;
        // The index last: what it names is there.
        let exists = || {
            let message = format!("`{}` {} was published before, with other content", seal.name, seal.version);
            Error::new(ErrorKind::AlreadyExists, "catalog.exists", message)
        };
        let (archive, sealed) = keys(&seal.name, &seal.version);
        if !self.objects.put(&archive, Arc::clone(&built.archive), Expect::Absent).await? {
            let there = self.objects.get(&archive, self.limits.archive_bytes()).await?;
            if there.is_none_or(|there| seal.check(&there.bytes).is_err()) {
                return Err(exists());
            }
        }
        let envelope: Arc<[u8]> = built.envelope.to_bytes().into();
        if !self.objects.put(&sealed, envelope, Expect::Absent).await? {
            let there = self.objects.get(&sealed, MAX_DOCUMENT).await?.ok_or_else(exists)?;
            let known: Seal = Envelope::from_bytes(&there.bytes)?.open(EnvelopeKind::Seal, &*self.trust)?;
            if known != *seal {
                return Err(exists());
            }
        }
        self.change(&seal.name, signer, true, |index| index.add(seal)).await.and_then(|index| {
            index.release(&seal.version).cloned().ok_or_else(|| absent(&seal.name, Some(&seal.version)))
        })
    }

    /// Moves a version one stage ahead, or out.
    ///
    /// # Errors
    /// `catalog.not_found`, `catalog.stage`, `catalog.conflict`; those of signer and objects.
    pub async fn advance(&self, name: &str, version: &Version, to: &Advance, signer: &dyn Signer) -> Result<Release> {
        let index = self.change(name, signer, false, |index| index.advance(version, to)).await?;
        index.release(version).cloned().ok_or_else(|| absent(name, Some(version)))
    }

    /// Changes an index as if nobody else did meanwhile.
    async fn change(
        &self,
        name: &str,
        signer: &dyn Signer,
        may_begin: bool,
        change: impl Fn(&mut Index) -> Result<()>,
    ) -> Result<Index> {
        for _ in 0..TRIES {
            let (mut index, expect) = match self.read_index(name).await? {
                Some((index, stored)) => (index, Expect::Tag(stored.tag)),
                None if may_begin => (Index::empty(name), Expect::Absent),
                None => return Err(absent(name, None)),
            };
            let before = index.clone();
            change(&mut index)?;
            if index == before && expect != Expect::Absent {
                return Ok(index);
            }
            index.serial += 1;
            let envelope = Envelope::sign(EnvelopeKind::Index, &index, signer).await?;
            if self.objects.put(&index_key(name), envelope.to_bytes().into(), expect).await? {
                return Ok(index);
            }
        }
        let message = format!("the index of `{name}` was changed by others {TRIES} times in a row; try again");
        Err(Error::new(ErrorKind::Conflict, "catalog.conflict", message))
    }

    /// Returns a version, proved to be what its publisher published; the latest for the viewer where none is named.
    ///
    /// # Errors
    /// `catalog.not_found`; `catalog.withdrawn`; `catalog.signature`, `catalog.tampered`, `catalog.too_large`; those of
    /// [`Objects::get`].
    pub async fn fetch(&self, name: &str, version: Option<&Version>, viewer: &Viewer) -> Result<(Release, Built)> {
        let index = self.index(name).await?;
        let release = match version {
            None => index.latest(viewer).ok_or_else(|| absent(name, None))?,
            Some(version) => {
                let release = index.release(version).ok_or_else(|| absent(name, Some(version)))?;
                if release.stage == Stage::Withdrawn {
                    let why = release.withdrawn.as_deref().unwrap_or("no reason was given");
                    let message = format!("`{name}` {version} was withdrawn: {why}");
                    return Err(Error::new(ErrorKind::Denied, "catalog.withdrawn", message));
                }
                // Who may not see it is not told that it is there.
                Some(release).filter(|release| release.is_for(viewer)).ok_or_else(|| absent(name, Some(version)))?
            }
        };
        let gone = || {
            let message = format!("the archive of `{name}` {} is not there any more", release.version);
            Error::new(ErrorKind::NotFound, "catalog.tampered", message)
        };
        let (archive, sealed) = keys(name, &release.version);
        let envelope = self.objects.get(&sealed, MAX_DOCUMENT).await?.ok_or_else(gone)?;
        let envelope = Envelope::from_bytes(&envelope.bytes)?;
        let archive = self.objects.get(&archive, self.limits.archive_bytes()).await?.ok_or_else(gone)?;
        let built = Built::verify(archive.bytes, envelope, self.limits, &*self.trust)?;
        let seal = &built.seal;
        if *seal.name != *name || seal.version != release.version || seal.digest != release.digest {
            let message = format!("the archive of `{name}` {} is another than the index names", release.version);
            return Err(Error::new(ErrorKind::Denied, "catalog.tampered", message));
        }
        Ok((release.clone(), built))
    }
}

fn index_key(name: &str) -> String {
    format!("packages/{name}/index.json")
}

fn keys(name: &str, version: &Version) -> (String, String) {
    (format!("packages/{name}/{version}.tar"), format!("packages/{name}/{version}.seal.json"))
}

/// Refuses what cannot be the name of a package: lower-case letters, digits and hyphens, a letter first, at most 63.
pub(super) fn check_name(name: &str) -> Result<()> {
    let is_name = (1..=63).contains(&name.len())
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && !name.ends_with('-')
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    if is_name {
        return Ok(());
    }
    let shown: String = name.chars().take(80).flat_map(char::escape_debug).collect();
    let message =
        format!("`{shown}` cannot be the name of a package: lower-case letters, digits and hyphens, a letter first");
    Err(Error::new(ErrorKind::InvalidInput, "catalog.name", message))
}
