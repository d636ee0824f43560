use std::path::PathBuf;

use super::archive::Kind;

/// What a source means, as far as it is on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// A file that holds files. The path may be relative.
    Archive { path: PathBuf, kind: Kind },
    /// A git directory, with a branch, tag or commit; `HEAD` where none is named. The path may be relative.
    Git { path: PathBuf, reference: Option<String> },
}

impl Form {
    /// Reads a source without its folder inside the package.
    ///
    /// # Errors
    /// What is wrong with it, with a way out.
    pub(super) fn of(source: &str) -> Result<Self, String> {
        let (address, query) = source.split_once('?').unwrap_or((source, ""));
        let settings: Vec<(&str, &str)> = query
            .split('&')
            .filter(|part| !part.is_empty())
            .map(|part| part.split_once('=').unwrap_or((part, "")))
            .collect();
        if let Some(address) = address.strip_prefix("git::") {
            let path = local(address).ok_or_else(|| elsewhere("git::file:///path/to/repository//folder?ref=v1"))?;
            let mut reference = None;
            for (name, value) in settings {
                match name {
                    "ref" if is_reference(value) => reference = Some(value.to_owned()),
                    "ref" => return Err(format!("`{value}` is no name of a branch, tag or commit")),
                    // How much of the history comes along: of a directory on this machine, none.
                    "depth" => {}
                    _ => return Err(format!("`{name}` means nothing for a git directory; `ref` selects what is read")),
                }
            }
            return Ok(Self::Git { path, reference });
        }
        let path = local(address).ok_or_else(|| elsewhere("./vendor/net.zip//folder"))?;
        let Some(kind) = Kind::of(address) else {
            let known = Kind::NAMES.join(", ");
            return Err(format!("archives end in {known}; a git directory begins with `git::`"));
        };
        match settings.first() {
            Some((name, _)) => Err(format!("`{name}` means nothing for an archive on this machine")),
            None => Ok(Self::Archive { path, kind }),
        }
    }
}

/// Returns the path that an address means; `None` where it is on another machine.
fn local(address: &str) -> Option<PathBuf> {
    let path = address.strip_prefix("file://").unwrap_or(address);
    let is_path = path.starts_with('/') || path.starts_with("./") || path.starts_with("../");
    (is_path && (path == address || path.starts_with('/'))).then(|| PathBuf::from(path))
}

/// Names of git begin with a letter or digit; anything else might be taken for an option.
fn is_reference(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphanumeric())
        && name.chars().all(|char| char.is_ascii_alphanumeric() || "._-/+@".contains(char))
        && !name.contains("..")
}

fn elsewhere(instead: &str) -> String {
    format!("it is not on this machine, and nothing is downloaded; put it there and write `{instead}`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_of_this_machine_are_understood() {
        let git = |path: &str, reference: Option<&str>| {
            Ok(Form::Git { path: path.into(), reference: reference.map(str::to_owned) })
        };
        let archive = |path: &str, kind| Ok(Form::Archive { path: path.into(), kind });
        assert_eq!(Form::of("git::file:///r.git?ref=v1.0"), git("/r.git", Some("v1.0")));
        assert_eq!(Form::of("git::./r?ref=feature/x&depth=1"), git("./r", Some("feature/x")));
        assert_eq!(Form::of("git::../r"), git("../r", None));
        assert_eq!(Form::of("./vendor/net.ZIP"), archive("./vendor/net.ZIP", Kind::Zip));
        assert_eq!(Form::of("file:///net.tar.gz"), archive("/net.tar.gz", Kind::TarGz));
        assert_eq!(Form::of("/net.tgz"), archive("/net.tgz", Kind::TarGz));
        assert_eq!(Form::of("./net.tar"), archive("./net.tar", Kind::Tar));
    }

    #[test]
    fn everything_else_is_refused_with_a_way_out() {
        let refused = |source: &str, expect: &str| {
            let what = Form::of(source).expect_err("not on this machine");
            assert!(what.contains(expect), "{source}: {what}");
        };
        for source in [
            "acme/net/cloud",
            "github.com/acme/net",
            "https://example.com/net.zip",
            "git::https://example.com/net.git",
            "git::ssh://git@example.com/net.git",
            "git::file://./r",
            "s3::https://s3.amazonaws.com/b/net.zip",
        ] {
            refused(source, "it is not on this machine, and nothing is downloaded");
        }
        refused("./net.tar.xz", "archives end in .zip, .tar, .tar.gz, .tgz");
        refused("git::./r?ref=--upload-pack=x", "is no name of a branch");
        refused("git::./r?ref=a..b", "is no name of a branch");
        refused("git::./r?sshkey=x", "`sshkey` means nothing");
        refused("./net.zip?archive=false", "`archive` means nothing");
    }
}
