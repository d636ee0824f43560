use std::{cmp::Ordering, collections::BTreeMap, fmt, sync::Arc};

use super::Edition;
use crate::error::Span;

/// What the `terraform` blocks of a module say.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    /// The versions of the language that the module was written for, all of which must hold.
    pub required_version: Vec<RequiredVersion>,
    /// The edition that `language` asks for, and where.
    pub language: Option<(Edition, Span)>,
    /// The providers that the module uses, by local name.
    pub required_providers: BTreeMap<Arc<str>, RequiredProvider>,
}

impl Settings {
    /// Returns the provider that `local` means in `provider::local::function`: the last part of its source.
    ///
    /// `None` where the module does not say; Terraform asks it to. In edition `stackwright` a provider is then the one of
    /// that name.
    pub fn provider_of_function<'a>(&'a self, local: &'a str, edition: Edition) -> Option<&'a str> {
        match self.required_providers.get(local) {
            Some(required) => Some(required.provider()),
            None if edition >= Edition::Stackwright => Some(local),
            None => None,
        }
    }
}

/// A `required_version`.
#[derive(Clone, Debug, PartialEq)]
pub struct RequiredVersion {
    /// The versions that fit.
    pub constraint: VersionConstraint,
    /// Where it stands.
    pub span: Span,
}

/// An entry of `required_providers`.
#[derive(Clone, Debug, PartialEq)]
pub struct RequiredProvider {
    /// The local name.
    pub name: Arc<str>,
    /// Where it comes from, such as `hashicorp/aws`, where it was given.
    pub source: Option<Arc<str>>,
    /// The versions that fit.
    pub version: Option<VersionConstraint>,
    /// The configurations beside the default one that callers must hand in, and where each is named.
    pub aliases: BTreeMap<Arc<str>, Span>,
    /// Where the entry stands.
    pub span: Span,
}

impl RequiredProvider {
    /// Returns the name that the provider is registered under: the last part of the source, else the local name.
    pub fn provider(&self) -> &str {
        self.source.as_ref().and_then(|source| source.rsplit('/').next()).unwrap_or(&self.name)
    }
}

/// A list of conditions on a version, such as `>= 1.2, < 2.0`; all must hold. Prints as it was written.
///
/// # Examples
/// ```
/// use stackwright::template::VersionConstraint;
///
/// let constraint: VersionConstraint = "~> 1.2, != 1.3.1".parse()?;
/// assert!(constraint.allows([1, 9, 0]));
/// assert!(!constraint.allows([1, 3, 1]));
/// assert!(!constraint.allows([2, 0, 0]));
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionConstraint {
    text: Arc<str>,
    terms: Vec<Term>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Term {
    operator: Operator,
    version: [u64; 3],
    /// How many numbers were written: `~> 1.2` is another thing than `~> 1.2.0`.
    written: usize,
    /// Whether a pre-release was named (`1.2.0-beta1`), which no release is equal to.
    prerelease: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Equal,
    NotEqual,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
    Pessimistic,
}

impl VersionConstraint {
    /// Returns the text that it was written as.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns whether a released version (major, minor, patch) fits.
    pub fn allows(&self, version: [u64; 3]) -> bool {
        self.terms.iter().all(|term| term.allows(version))
    }
}

impl Term {
    fn allows(&self, version: [u64; 3]) -> bool {
        // A release comes after its own pre-releases.
        let order = match version.cmp(&self.version) {
            Ordering::Equal if self.prerelease => Ordering::Greater,
            order => order,
        };
        match self.operator {
            Operator::Equal => order.is_eq(),
            Operator::NotEqual => order.is_ne(),
            Operator::Greater => order.is_gt(),
            Operator::GreaterOrEqual => order.is_ge(),
            Operator::Less => order.is_lt(),
            Operator::LessOrEqual => order.is_le(),
            Operator::Pessimistic => {
                let fixed = self.written.saturating_sub(1);
                order.is_ge() && version.iter().take(fixed).eq(self.version.iter().take(fixed))
            }
        }
    }
}

impl std::str::FromStr for VersionConstraint {
    type Err = String;

    /// Reads conditions that commas separate.
    ///
    /// # Errors
    /// A fragment for people that says which part is not understood.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let terms = text.split(',').map(|part| term(part.trim())).collect::<Result<_, _>>()?;
        Ok(Self { text: Arc::from(text), terms })
    }
}

fn term(text: &str) -> Result<Term, String> {
    let (operator, rest) = [
        ("~>", Operator::Pessimistic),
        (">=", Operator::GreaterOrEqual),
        ("<=", Operator::LessOrEqual),
        ("!=", Operator::NotEqual),
        (">", Operator::Greater),
        ("<", Operator::Less),
        ("=", Operator::Equal),
    ]
    .into_iter()
    .find_map(|(sign, operator)| Some((operator, text.strip_prefix(sign)?)))
    .unwrap_or((Operator::Equal, text));
    let refuse = || format!("`{text}` is not a condition on a version; write one such as `>= 1.2.0`");
    let rest = rest.trim();
    let rest = rest.split_once('+').map_or(rest, |(release, _)| release);
    let (numbers, prerelease) = rest.split_once('-').map_or((rest, false), |(release, _)| (release, true));
    let mut version = [0; 3];
    let mut written = 0;
    for part in numbers.strip_prefix('v').unwrap_or(numbers).split('.') {
        *version.get_mut(written).ok_or_else(refuse)? = part.parse().map_err(|_| refuse())?;
        written += 1;
    }
    Ok(Term { operator, version, written, prerelease })
}

impl fmt::Display for VersionConstraint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(constraint: &str, version: [u64; 3], expect: bool) {
        let parsed: VersionConstraint = constraint.parse().expect("a constraint");
        assert_eq!(parsed.allows(version), expect, "{constraint} {version:?}");
    }

    #[test]
    fn versions_are_compared() {
        check("1.2.3", [1, 2, 3], true);
        check("= 1.2", [1, 2, 0], true);
        check("!= 1.2.3", [1, 2, 3], false);
        check(">= 1.2, < 2", [1, 10, 0], true);
        check(">= 1.2, < 2", [2, 0, 0], false);
        check("> 1.2", [1, 2, 0], false);
        check("<= 1.2", [1, 2, 1], false);
        check("~> 1.2", [1, 9, 0], true);
        check("~> 1.2", [2, 0, 0], false);
        check("~> 1.2.3", [1, 2, 9], true);
        check("~> 1.2.3", [1, 3, 0], false);
        check("~> 1.2.3", [1, 2, 2], false);
        check("~> 1", [9, 0, 0], true);
        check("= 1.2.0-beta1", [1, 2, 0], false);
        check(">= 1.2.0-beta1", [1, 2, 0], true);
    }

    #[test]
    fn what_is_no_constraint_is_refused() {
        for text in ["", ">=", "1.2.3.4", "latest", "~ 1.2", "1..2", ">= 1.2,"] {
            assert!(text.parse::<VersionConstraint>().is_err(), "{text}");
        }
    }
}
