use std::{collections::BTreeSet, fmt, sync::Arc};

use serde::{Deserialize, Serialize};

use super::{Seal, Version};
use crate::error::{Error, ErrorKind, Result};

/// How far a version is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Only those who make it install it.
    Development,
    /// Those who try it out install it, too.
    Trial,
    /// Everybody installs it.
    Online,
    /// Nobody installs it any more. What is installed goes on.
    Withdrawn,
}

impl Stage {
    /// Every stage, in order.
    pub const ALL: [Self; 4] = [Self::Development, Self::Trial, Self::Online, Self::Withdrawn];

    /// Returns its name: `trial`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Development => "development",
            Self::Trial => "trial",
            Self::Online => "online",
            Self::Withdrawn => "withdrawn",
        }
    }

    /// Returns whether a version may go from here to there: one step ahead, or out.
    pub const fn may_become(self, next: Self) -> bool {
        matches!(
            (self, next),
            (Self::Development, Self::Trial)
                | (Self::Trial, Self::Online)
                | (Self::Development | Self::Trial | Self::Online, Self::Withdrawn)
        )
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One version of a package in a catalog.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Release {
    /// The version.
    pub version: Version,
    /// How far it is.
    pub stage: Stage,
    /// The digest of its archive.
    pub digest: Arc<str>,
    /// The bytes of its archive.
    pub bytes: u64,
    /// The tenants that try it out, while it is on trial.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub testers: BTreeSet<Arc<str>>,
    /// Why it was withdrawn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub withdrawn: Option<Arc<str>>,
}

/// Who looks at a catalog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Viewer {
    /// Those who make the package: they see everything.
    Publisher,
    /// A tenant: what is online, and what it tries out.
    Tenant(Arc<str>),
}

impl Release {
    /// Returns whether somebody may install it.
    pub fn is_for(&self, viewer: &Viewer) -> bool {
        match (self.stage, viewer) {
            (Stage::Withdrawn, _) => false,
            (Stage::Online, _) | (_, Viewer::Publisher) => true,
            (Stage::Trial, Viewer::Tenant(tenant)) => self.testers.contains(tenant),
            (Stage::Development, Viewer::Tenant(_)) => false,
        }
    }
}

/// The versions of one package, as its publisher signed them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Index {
    /// The version of this shape.
    pub format: u32,
    /// The package.
    pub name: Arc<str>,
    /// Grows with every change: a smaller one than was seen before is an old one that somebody put back.
    pub serial: u64,
    /// In order of version.
    pub releases: Vec<Release>,
}

impl Index {
    /// Returns the index of a package without versions.
    pub fn empty(name: impl Into<Arc<str>>) -> Self {
        Self { format: 1, name: name.into(), serial: 0, releases: Vec::new() }
    }

    /// Returns a version.
    pub fn release(&self, version: &Version) -> Option<&Release> {
        self.releases.iter().find(|release| release.version == *version)
    }

    /// Returns the latest version that somebody may install: releases before versions that come before one.
    pub fn latest(&self, viewer: &Viewer) -> Option<&Release> {
        let open = self.releases.iter().filter(|release| release.is_for(viewer));
        let rank = |release: &Release| !release.version.is_prerelease();
        open.max_by(|a, b| rank(a).cmp(&rank(b)).then_with(|| a.version.cmp(&b.version)))
    }

    /// Adds a version, in development. One that is there already, with the same content, stays as it is.
    ///
    /// # Errors
    /// `catalog.exists` where the version is there with other content.
    pub fn add(&mut self, seal: &Seal) -> Result<()> {
        if let Some(known) = self.release(&seal.version) {
            if known.digest == seal.digest {
                return Ok(());
            }
            let message = format!("`{}` {} was published before, with other content", self.name, seal.version);
            return Err(Error::new(ErrorKind::AlreadyExists, "catalog.exists", message));
        }
        self.releases.push(Release {
            version: seal.version.clone(),
            stage: Stage::Development,
            digest: Arc::clone(&seal.digest),
            bytes: seal.bytes,
            testers: BTreeSet::new(),
            withdrawn: None,
        });
        self.releases.sort_by(|a, b| a.version.cmp(&b.version));
        Ok(())
    }

    /// Moves a version one stage ahead, or out. One that is there already stays.
    ///
    /// # Errors
    /// `catalog.not_found`; `catalog.stage` for other moves.
    pub fn advance(&mut self, version: &Version, to: &Advance) -> Result<()> {
        let name = Arc::clone(&self.name);
        let release = self.releases.iter_mut().find(|release| release.version == *version);
        let release = release.ok_or_else(|| absent(&name, Some(version)))?;
        let next = to.stage();
        if release.stage != next && !release.stage.may_become(next) {
            let message = format!("`{name}` {version} is {}; it cannot become {next}", release.stage);
            return Err(Error::new(ErrorKind::InvalidInput, "catalog.stage", message));
        }
        release.stage = next;
        match to {
            Advance::Trial { testers } => release.testers.extend(testers.iter().cloned()),
            Advance::Online => release.testers.clear(),
            Advance::Withdrawn { reason } => {
                release.testers.clear();
                release.withdrawn.get_or_insert_with(|| Arc::clone(reason));
            }
        }
        Ok(())
    }
}

/// Where a version goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Advance {
    /// To those who try it out.
    Trial {
        /// Tenants; they are added to those that there are.
        testers: Vec<Arc<str>>,
    },
    /// To everybody.
    Online,
    /// Out.
    Withdrawn {
        /// Why, for people.
        reason: Arc<str>,
    },
}

impl Advance {
    /// Returns the stage.
    pub const fn stage(&self) -> Stage {
        match self {
            Self::Trial { .. } => Stage::Trial,
            Self::Online => Stage::Online,
            Self::Withdrawn { .. } => Stage::Withdrawn,
        }
    }
}

pub(super) fn absent(name: &str, version: Option<&Version>) -> Error {
    let what = version.map_or_else(|| format!("`{name}`"), |version| format!("`{name}` {version}"));
    Error::new(ErrorKind::NotFound, "catalog.not_found", format!("the catalog has no package {what} for you"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index(versions: &[(&str, Stage)]) -> Index {
        let mut index = Index::empty("app");
        for (version, stage) in versions {
            index.add(&Seal::of("app", version.parse().expect("a version"), version.as_bytes())).expect("added");
            index
                .releases
                .iter_mut()
                .filter(|one| one.version.to_string() == *version)
                .for_each(|one| one.stage = *stage);
        }
        index
    }

    #[test]
    fn versions_go_one_stage_ahead_or_out() {
        let version: Version = "1.0.0".parse().expect("a version");
        let trial = || Advance::Trial { testers: vec!["t".into()] };
        let out = || Advance::Withdrawn { reason: "broken".into() };
        let mut seen = 0;
        for from in Stage::ALL {
            for to in [trial(), Advance::Online, out()] {
                let mut index = index(&[("1.0.0", from)]);
                let allowed = from == to.stage() || from.may_become(to.stage());
                let moved = index.advance(&version, &to);
                assert_eq!(moved.is_ok(), allowed, "{from} {to:?}");
                assert_eq!(index.releases[0].stage, if allowed { to.stage() } else { from });
                seen += usize::from(allowed);
            }
        }
        assert_eq!(seen, 8);
        let error = index(&[]).advance(&version, &Advance::Online).expect_err("there is none");
        assert_eq!(error.code(), "catalog.not_found");
    }

    #[test]
    fn everybody_sees_what_is_for_them() {
        let mut index = index(&[
            ("1.0.0", Stage::Online),
            ("1.1.0", Stage::Trial),
            ("1.2.0-rc.1", Stage::Online),
            ("2.0.0", Stage::Development),
            ("3.0.0", Stage::Withdrawn),
        ]);
        index
            .advance(&"1.1.0".parse().expect("a version"), &Advance::Trial { testers: vec!["tester".into()] })
            .expect("moved");
        let latest = |viewer: &Viewer| index.latest(viewer).map(|release| release.version.to_string());
        assert_eq!(latest(&Viewer::Tenant("other".into())).as_deref(), Some("1.0.0"));
        assert_eq!(latest(&Viewer::Tenant("tester".into())).as_deref(), Some("1.1.0"));
        assert_eq!(latest(&Viewer::Publisher).as_deref(), Some("2.0.0"));
    }

    #[test]
    fn a_version_has_one_content() {
        let mut index = index(&[("1.0.0", Stage::Online)]);
        let version: Version = "1.0.0".parse().expect("a version");
        assert!(index.add(&Seal::of("app", version.clone(), b"1.0.0")).is_ok());
        assert_eq!(index.releases.len(), 1);
        assert_eq!(index.releases[0].stage, Stage::Online);
        let error = index.add(&Seal::of("app", version, b"other")).expect_err("other content");
        assert_eq!(error.code(), "catalog.exists");
    }
}
