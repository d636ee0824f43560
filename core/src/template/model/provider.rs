use std::{fmt, sync::Arc};

use crate::{
    address::{InstanceKey, ModulePath},
    error::Span,
    template::syntax::{Body, Expr},
};

/// What a module calls one configuration of a provider. Prints as it is referred to: `acme`, `acme.east`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProviderName {
    /// The local name of the provider.
    pub name: Arc<str>,
    /// The alias; `None` for the default configuration.
    pub alias: Option<Arc<str>>,
}

impl ProviderName {
    /// Returns the name of the default configuration of a provider.
    pub fn of_default(name: impl Into<Arc<str>>) -> Self {
        Self { name: name.into(), alias: None }
    }
}

impl fmt::Display for ProviderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        self.alias.iter().try_for_each(|alias| write!(f, ".{alias}"))
    }
}

/// A `provider` block.
#[derive(Clone, Debug, PartialEq)]
pub struct ProviderBlock {
    /// What the module calls it.
    pub name: ProviderName,
    /// One configuration for each element, chosen by `provider = acme.east[key]`; edition `stackwright` only.
    pub for_each: Option<Arc<Expr>>,
    /// Arguments and blocks for the provider's schema.
    pub body: Arc<Body>,
    /// The kind and the label of the block.
    pub span: Span,
}

impl ProviderBlock {
    /// Returns whether it says nothing: in a called module it then only declares what the caller hands in.
    pub fn is_empty(&self) -> bool {
        self.for_each.is_none() && self.body.is_empty()
    }
}

/// `provider = name`, `provider = name.alias`.
#[derive(Clone, Debug, PartialEq)]
pub struct ProviderRef {
    /// What is named.
    pub name: ProviderName,
    /// Which of several, where the named block has `for_each`.
    pub key: Option<Arc<Expr>>,
    /// Where it stands.
    pub span: Span,
}

/// An entry of `providers` in a `module` block: `inner = outer`.
#[derive(Clone, Debug, PartialEq)]
pub struct PassedProvider {
    /// The configuration as the calling module names it.
    pub outer: ProviderRef,
    /// Where the inner name stands.
    pub span: Span,
}

/// Which configuration of a provider manages an object. What state keeps of it is this, as text.
///
/// Prints `acme` for the default configuration of the root module, else `module.a.provider.acme.east["k"]`, in which
/// everything but `provider.acme` may be missing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProviderAddress {
    /// The module that the block stands in.
    pub module: ModulePath,
    /// The provider, by the name that it is registered under.
    pub provider: Arc<str>,
    /// The alias; `None` for the default configuration.
    pub alias: Option<Arc<str>>,
    /// Which of several, where the block has `for_each`.
    pub key: Option<InstanceKey>,
}

impl ProviderAddress {
    /// Returns the root module's default configuration of a provider, which needs no block.
    pub fn root_default(provider: impl Into<Arc<str>>) -> Self {
        Self { module: ModulePath::root(), provider: provider.into(), alias: None, key: None }
    }

    /// Returns whether it is the root module's default configuration.
    pub fn is_root_default(&self) -> bool {
        self.module.is_root() && self.alias.is_none() && self.key.is_none()
    }
}

impl fmt::Display for ProviderAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_root_default() {
            return f.write_str(&self.provider);
        }
        if !self.module.is_root() {
            write!(f, "{}.", self.module)?;
        }
        write!(f, "provider.{}", self.provider)?;
        self.alias.iter().try_for_each(|alias| write!(f, ".{alias}"))?;
        self.key.iter().try_for_each(|key| write!(f, "{key}"))
    }
}

impl std::str::FromStr for ProviderAddress {
    type Err = String;

    /// Reads what [`Display`](fmt::Display) prints.
    ///
    /// # Errors
    /// A fragment for people.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refuse = || format!("`{text}` names no configuration of a provider");
        let (names, key) = match text.split_once('[') {
            Some((names, _)) => (names, Some(key(text.get(names.len()..).unwrap_or_default()).ok_or_else(refuse)?)),
            None => (text, None),
        };
        let mut parts = names.split('.').peekable();
        let mut modules: Vec<Arc<str>> = Vec::new();
        while parts.next_if_eq(&"module").is_some() {
            modules.push(parts.next().map(Arc::from).ok_or_else(refuse)?);
        }
        let is_plain = parts.next_if_eq(&"provider").is_none();
        let provider: Arc<str> = parts.next().filter(|name| !name.is_empty()).map(Arc::from).ok_or_else(refuse)?;
        let alias = parts.next().map(Arc::from);
        if parts.next().is_some() || is_plain && (!modules.is_empty() || alias.is_some() || key.is_some()) {
            return Err(refuse());
        }
        Ok(Self { module: ModulePath::from_names(modules), provider, alias, key })
    }
}

/// Reads `[0]` or `["k"]`, by the rules of addresses.
fn key(text: &str) -> Option<InstanceKey> {
    let address: crate::address::Address = format!("a.b{text}").parse().ok()?;
    address.key
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) {
        let address: ProviderAddress = text.parse().expect(text);
        assert_eq!(address.to_string(), text);
    }

    #[test]
    fn addresses_are_read_as_they_are_printed() {
        check("acme");
        check("provider.acme.east");
        check("module.a.provider.acme");
        check("module.a.module.module.provider.acme.east");
        check("provider.acme.east[\"a.b[\\\"]\"]");
        check("module.a.provider.acme.east[0]");
        for text in [
            "",
            "acme.east",
            "module.a.acme",
            "module",
            "provider.",
            "provider.a.b.c",
            "acme[0]",
            "provider.a[",
            "provider.a[x]",
        ] {
            assert!(text.parse::<ProviderAddress>().is_err(), "{text}");
        }
    }
}
