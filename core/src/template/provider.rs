//! Which configuration of a provider a block uses, as far as the text says.
//!
//! A configuration is written once and found by walking up: a module has its own, is handed one by its caller
//! (`providers`), or has the default one of whoever calls it.

use std::sync::Arc;

use crate::address::ModulePath;

use super::model::{Module, ModuleCall, ProviderAddress, ProviderBlock, ProviderName, ProviderRef, Template};

/// Where the walk goes from one module.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Found<'a> {
    /// This block of the module configures it.
    Block(&'a ProviderBlock),
    /// The caller hands in this one.
    Passed(&'a ProviderRef),
    /// It is the caller's default configuration.
    Inherited,
    /// It is the default configuration of the root, which no block describes.
    Implied,
    /// There is none.
    Missing,
}

impl Module {
    /// Returns the name that a provider is registered under, by what the module calls it.
    pub fn provider_called<'a>(&'a self, local: &'a str) -> &'a str {
        self.settings.required_providers.get(local).map_or(local, |required| required.provider())
    }

    /// Returns the block of a configuration.
    pub(crate) fn provider_block(&self, provider: &str, alias: Option<&str>) -> Option<&ProviderBlock> {
        self.providers
            .values()
            .find(|block| block.name.alias.as_deref() == alias && self.provider_called(&block.name.name) == provider)
    }
}

/// Looks for a configuration in one module. `call` is the block that calls it; `None` for the root.
pub(crate) fn look<'a>(
    module: &'a Module,
    call: Option<&'a ModuleCall>,
    provider: &str,
    alias: Option<&str>,
) -> Found<'a> {
    let passed = call.and_then(|call| {
        let is_meant =
            |name: &ProviderName| name.alias.as_deref() == alias && module.provider_called(&name.name) == provider;
        call.providers.iter().find(|(name, _)| is_meant(name)).map(|(_, passed)| &passed.outer)
    });
    match (module.provider_block(provider, alias), call, passed) {
        // In a called module, a block that says nothing only declares what is handed in.
        (Some(block), None, _) => Found::Block(block),
        (Some(block), Some(_), _) if !block.is_empty() => Found::Block(block),
        (_, _, Some(passed)) => Found::Passed(passed),
        (Some(block), Some(_), None) if alias.is_some() => Found::Block(block),
        (_, None, _) if alias.is_none() => Found::Implied,
        (_, Some(_), None) if alias.is_none() => Found::Inherited,
        _ => Found::Missing,
    }
}

impl Template {
    /// Returns the configuration that a module means by a provider and an alias; `None` where there is none. Which of
    /// several a `for_each` makes is left out.
    ///
    /// # Complexity
    /// O(depth of the module · providers).
    pub fn provider_address(&self, path: &ModulePath, provider: &str, alias: Option<&str>) -> Option<ProviderAddress> {
        let mut path = path.clone();
        let mut alias: Option<Arc<str>> = alias.map(Arc::from);
        loop {
            let module = self.module(&path)?;
            match look(module, self.call(&path), provider, alias.as_deref()) {
                Found::Block(_) => {
                    return Some(ProviderAddress { module: path, provider: Arc::from(provider), alias, key: None });
                }
                Found::Implied => return Some(ProviderAddress::root_default(provider)),
                Found::Passed(outer) => alias.clone_from(&outer.name.alias),
                Found::Inherited => {}
                Found::Missing => return None,
            }
            path = path.parent()?;
        }
    }
}
