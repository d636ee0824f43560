use std::{collections::BTreeMap, fmt, sync::Arc};

use super::{DataSource, EphemeralResource, Layer, Provider, Resource};
use crate::{
    error::{Error, ErrorKind, Result, suggest},
    schema::Schema,
    template::eval::{Function, Functions, builtin_functions},
};

/// What an entry of the registry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Kind {
    /// A [`Resource`].
    Resource,
    /// A [`DataSource`].
    DataSource,
    /// An [`EphemeralResource`].
    Ephemeral,
}

impl Kind {
    /// Returns the word used in messages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Resource => "resource type",
            Self::DataSource => "data source",
            Self::Ephemeral => "ephemeral resource type",
        }
    }
}

/// The revision that an entry has when none is named.
pub const FIRST_REVISION: &str = "1";

struct Revisions<T: ?Sized> {
    active: Arc<str>,
    all: BTreeMap<Arc<str>, Arc<T>>,
}

impl<T: ?Sized> Clone for Revisions<T> {
    fn clone(&self) -> Self {
        Self { active: Arc::clone(&self.active), all: self.all.clone() }
    }
}

/// All types that an engine knows: kind / name / revision.
///
/// Several revisions of a type can be registered; one is active, the first that was added until
/// [`Registry::activate`] says otherwise. A registry is a value: what it hands out is folded from the types and the
/// layers every time something is added, so that the order of calls does not matter.
#[derive(Clone, Default)]
pub struct Registry {
    resources: BTreeMap<Arc<str>, Revisions<dyn Resource>>,
    data_sources: BTreeMap<Arc<str>, Revisions<dyn DataSource>>,
    ephemerals: BTreeMap<Arc<str>, Revisions<dyn EphemeralResource>>,
    providers: BTreeMap<Arc<str>, Option<Arc<Schema>>>,
    owners: BTreeMap<Arc<str>, Arc<str>>,
    functions: Functions,
    layers: Vec<Arc<dyn Layer>>,
    composed: BTreeMap<Arc<str>, Arc<dyn Resource>>,
    composed_data: BTreeMap<Arc<str>, Arc<dyn DataSource>>,
    composed_ephemerals: BTreeMap<Arc<str>, Arc<dyn EphemeralResource>>,
}

impl Registry {
    /// Returns a registry that knows the builtin provider `terraform` (`terraform_data`, `encode_tfvars`, `decode_tfvars`,
    /// `encode_expr`) and nothing else.
    pub fn new() -> Self {
        let mut registry = Self::default();
        registry.providers.insert(Arc::from("terraform"), None);
        registry.put_resource(Arc::from("terraform_data"), Arc::from(FIRST_REVISION), Arc::new(super::TerraformData));
        for function in builtin_functions() {
            registry.functions.add(function.of_provider("terraform"));
        }
        registry.fold();
        registry
    }

    /// Adds all types of a provider with revision `1`.
    ///
    /// # Errors
    /// `registry.duplicate` where a name is taken; `schema.invalid` where a schema contradicts itself.
    pub fn add_provider(&mut self, provider: Provider) -> Result<()> {
        self.add_provider_revision(provider, FIRST_REVISION)
    }

    /// Adds all types of a provider with one revision.
    ///
    /// # Errors
    /// As [`Registry::add_provider`].
    pub fn add_provider_revision(&mut self, provider: Provider, revision: &str) -> Result<()> {
        if let Some(schema) = &provider.schema {
            check(&provider.name, schema)?;
        }
        self.providers.insert(Arc::clone(&provider.name), provider.schema.clone());
        for (name, resource) in provider.resources {
            self.owners.insert(Arc::clone(&name), Arc::clone(&provider.name));
            self.add(&name, revision, resource)?;
        }
        for (name, source) in provider.data_sources {
            self.owners.insert(Arc::clone(&name), Arc::clone(&provider.name));
            self.add_source(&name, revision, source)?;
        }
        for (name, resource) in provider.ephemerals {
            self.owners.insert(Arc::clone(&name), Arc::clone(&provider.name));
            self.add_opened(&name, revision, resource)?;
        }
        for function in provider.functions {
            self.add_function(&provider.name, function)?;
        }
        self.fold();
        Ok(())
    }

    /// Adds a function, which templates call as `provider::<provider>::<name>`.
    ///
    /// # Errors
    /// `registry.duplicate` where the provider has one of that name.
    pub fn add_function(&mut self, provider: &str, function: Function) -> Result<()> {
        let function = function.of_provider(provider);
        if self.functions.get(function.name()).is_some() {
            return Err(Error::new(
                ErrorKind::AlreadyExists,
                "registry.duplicate",
                format!("the function `{}` is registered twice", function.name()),
            ));
        }
        if !self.providers.contains_key(provider) {
            self.providers.insert(Arc::from(provider), None);
        }
        self.functions.add(function);
        Ok(())
    }

    /// Adds one resource type.
    ///
    /// # Errors
    /// As [`Registry::add_provider`].
    pub fn add_resource(&mut self, name: &str, revision: &str, resource: Arc<dyn Resource>) -> Result<()> {
        self.add(name, revision, resource)?;
        self.fold();
        Ok(())
    }

    /// Adds one data source.
    ///
    /// # Errors
    /// As [`Registry::add_provider`].
    pub fn add_data_source(&mut self, name: &str, revision: &str, source: Arc<dyn DataSource>) -> Result<()> {
        self.add_source(name, revision, source)?;
        self.fold();
        Ok(())
    }

    /// Adds one ephemeral resource type.
    ///
    /// # Errors
    /// As [`Registry::add_provider`].
    pub fn add_ephemeral(&mut self, name: &str, revision: &str, resource: Arc<dyn EphemeralResource>) -> Result<()> {
        self.add_opened(name, revision, resource)?;
        self.fold();
        Ok(())
    }

    /// Adds a layer around all types, outside the layers that are there.
    pub fn add_layer(&mut self, layer: Arc<dyn Layer>) {
        self.layers.push(layer);
        self.fold();
    }

    /// Makes a revision the one that is used from now on.
    ///
    /// # Errors
    /// `registry.unknown_revision` (`NotFound`) naming those that there are.
    pub fn activate(&mut self, kind: Kind, name: &str, revision: &str) -> Result<()> {
        let known = match kind {
            Kind::Resource => self.resources.get_mut(name).map(|entry| entry.switch(revision)),
            Kind::DataSource => self.data_sources.get_mut(name).map(|entry| entry.switch(revision)),
            Kind::Ephemeral => self.ephemerals.get_mut(name).map(|entry| entry.switch(revision)),
        };
        match known {
            Some(Ok(())) => {
                self.fold();
                Ok(())
            }
            Some(Err(revisions)) => Err(Error::new(
                ErrorKind::NotFound,
                "registry.unknown_revision",
                format!("{} `{name}` has no revision `{revision}`; it has {revisions}", kind.as_str()),
            )),
            None => Err(Error::new(
                ErrorKind::NotFound,
                "registry.unknown_revision",
                format!("there is no {} `{name}`", kind.as_str()),
            )),
        }
    }

    /// Returns the active revision of a resource type, layers around it.
    pub fn resource(&self, name: &str) -> Option<Arc<dyn Resource>> {
        self.composed.get(name).cloned()
    }

    /// Returns the active revision of a data source, layers around it.
    pub fn data_source(&self, name: &str) -> Option<Arc<dyn DataSource>> {
        self.composed_data.get(name).cloned()
    }

    /// Returns the active revision of an ephemeral resource type, layers around it.
    pub fn ephemeral(&self, name: &str) -> Option<Arc<dyn EphemeralResource>> {
        self.composed_ephemerals.get(name).cloned()
    }

    /// Returns the schema of a provider's block: `None` where the provider is unknown, `Some(None)` where it has
    /// nothing to configure.
    pub fn provider_schema(&self, name: &str) -> Option<Option<Arc<Schema>>> {
        self.providers.get(name).cloned()
    }

    /// Returns the name of the provider that owns a type: the one that it was registered with, else the part of its
    /// name before the first underscore.
    pub fn provider_of<'a>(&'a self, type_name: &'a str) -> &'a str {
        self.owners.get(type_name).map_or_else(|| type_name.split('_').next().unwrap_or(type_name), AsRef::as_ref)
    }

    /// Returns the functions that expressions may call: the language's own and those of providers.
    pub fn functions(&self) -> &Functions {
        &self.functions
    }

    /// Returns the names of all resource types, sorted.
    pub fn resource_names(&self) -> impl Iterator<Item = &str> {
        self.resources.keys().map(AsRef::as_ref)
    }

    /// Returns the names of all data sources, sorted.
    pub fn data_source_names(&self) -> impl Iterator<Item = &str> {
        self.data_sources.keys().map(AsRef::as_ref)
    }

    /// Returns the names of all ephemeral resource types, sorted.
    pub fn ephemeral_names(&self) -> impl Iterator<Item = &str> {
        self.ephemerals.keys().map(AsRef::as_ref)
    }

    /// Returns the names of all providers, sorted.
    pub fn provider_names(&self) -> impl Iterator<Item = &str> {
        self.providers.keys().map(AsRef::as_ref)
    }

    /// Returns the revisions of a resource type, sorted, and which is active.
    pub fn revisions(&self, name: &str) -> Option<(Vec<&str>, &str)> {
        let entry = self.resources.get(name)?;
        Some((entry.all.keys().map(AsRef::as_ref).collect(), &entry.active))
    }

    /// Returns the error for a resource type that is not registered, with a suggestion.
    pub fn unknown_resource(&self, name: &str) -> Error {
        let near = suggest(name, self.resource_names());
        let hint = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
        Error::new(
            ErrorKind::NotFound,
            "registry.unknown_type",
            format!("no resource type `{name}` is registered{hint}"),
        )
    }

    fn add(&mut self, name: &str, revision: &str, resource: Arc<dyn Resource>) -> Result<()> {
        check(name, &resource.schema())?;
        let taken = self.resources.get(name).is_some_and(|entry| entry.all.contains_key(revision));
        if taken {
            return Err(duplicate(Kind::Resource, name, revision));
        }
        self.put_resource(Arc::from(name), Arc::from(revision), resource);
        Ok(())
    }

    fn put_resource(&mut self, name: Arc<str>, revision: Arc<str>, resource: Arc<dyn Resource>) {
        let entry = self.resources.entry(name);
        entry.or_insert_with(|| Revisions::new(&revision)).all.insert(revision, resource);
    }

    fn add_source(&mut self, name: &str, revision: &str, source: Arc<dyn DataSource>) -> Result<()> {
        check(name, &source.schema())?;
        let revision: Arc<str> = Arc::from(revision);
        let entry = self.data_sources.entry(Arc::from(name)).or_insert_with(|| Revisions::new(&revision));
        if entry.all.insert(Arc::clone(&revision), source).is_some() {
            return Err(duplicate(Kind::DataSource, name, &revision));
        }
        Ok(())
    }

    fn add_opened(&mut self, name: &str, revision: &str, resource: Arc<dyn EphemeralResource>) -> Result<()> {
        check(name, &resource.schema())?;
        let revision: Arc<str> = Arc::from(revision);
        let entry = self.ephemerals.entry(Arc::from(name)).or_insert_with(|| Revisions::new(&revision));
        if entry.all.insert(Arc::clone(&revision), resource).is_some() {
            return Err(duplicate(Kind::Ephemeral, name, &revision));
        }
        Ok(())
    }

    /// Derives what is handed out from types and layers.
    fn fold(&mut self) {
        self.composed = self
            .resources
            .iter()
            .filter_map(|(name, entry)| {
                let mut resource = Arc::clone(entry.all.get(&entry.active)?);
                for layer in &self.layers {
                    resource = layer.resource(name, self.provider_of(name), resource);
                }
                Some((Arc::clone(name), resource))
            })
            .collect();
        self.composed_data = self
            .data_sources
            .iter()
            .filter_map(|(name, entry)| {
                let mut source = Arc::clone(entry.all.get(&entry.active)?);
                for layer in &self.layers {
                    source = layer.data_source(name, self.provider_of(name), source);
                }
                Some((Arc::clone(name), source))
            })
            .collect();
        self.composed_ephemerals = self
            .ephemerals
            .iter()
            .filter_map(|(name, entry)| {
                let mut resource = Arc::clone(entry.all.get(&entry.active)?);
                for layer in &self.layers {
                    resource = layer.ephemeral(name, self.provider_of(name), resource);
                }
                Some((Arc::clone(name), resource))
            })
            .collect();
    }
}

impl<T: ?Sized> Revisions<T> {
    fn new(active: &Arc<str>) -> Self {
        Self { active: Arc::clone(active), all: BTreeMap::new() }
    }

    /// Switches, or returns the revisions that there are.
    fn switch(&mut self, revision: &str) -> Result<(), String> {
        match self.all.get_key_value(revision) {
            Some((known, _)) => {
                self.active = Arc::clone(known);
                Ok(())
            }
            None => Err(self.all.keys().map(|known| format!("`{known}`")).collect::<Vec<_>>().join(", ")),
        }
    }
}

fn check(name: &str, schema: &Schema) -> Result<()> {
    schema.check().map_err(|problem| {
        Error::new(ErrorKind::Bug, "schema.invalid", format!("the schema of `{name}` contradicts itself"))
            .because(problem)
    })
}

fn duplicate(kind: Kind, name: &str, revision: &str) -> Error {
    Error::new(
        ErrorKind::AlreadyExists,
        "registry.duplicate",
        format!("{} `{name}` revision `{revision}` is registered twice", kind.as_str()),
    )
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry")
            .field("resources", &self.resources.keys().collect::<Vec<_>>())
            .field("data_sources", &self.data_sources.keys().collect::<Vec<_>>())
            .field("ephemerals", &self.ephemerals.keys().collect::<Vec<_>>())
            .field("layers", &self.layers)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::TerraformData;

    fn registry() -> Registry {
        let mut registry = Registry::new();
        registry.add_resource("acme_thing", "1", Arc::new(TerraformData)).expect("a new name");
        registry.add_resource("acme_thing", "2", Arc::new(TerraformData)).expect("a new revision");
        registry
    }

    #[test]
    fn the_first_revision_is_active_until_another_is_chosen() {
        let mut registry = registry();
        assert_eq!(registry.revisions("acme_thing"), Some((vec!["1", "2"], "1")));
        registry.activate(Kind::Resource, "acme_thing", "2").expect("it is registered");
        assert_eq!(registry.revisions("acme_thing"), Some((vec!["1", "2"], "2")));
        let error = registry.activate(Kind::Resource, "acme_thing", "3").expect_err("it is not registered");
        assert_eq!(error.message(), "resource type `acme_thing` has no revision `3`; it has `1`, `2`");
    }

    #[test]
    fn a_name_is_taken_once() {
        let error = registry().add_resource("acme_thing", "2", Arc::new(TerraformData)).expect_err("taken");
        assert_eq!(error.code(), "registry.duplicate");
    }

    #[test]
    fn unknown_types_are_answered_with_a_suggestion() {
        let error = registry().unknown_resource("acme_thnig");
        assert_eq!(error.message(), "no resource type `acme_thnig` is registered; did you mean `acme_thing`?");
    }

    #[test]
    fn types_without_an_owner_belong_to_what_their_name_says() {
        assert_eq!(registry().provider_of("acme_thing"), "acme");
        let mut registry = Registry::new();
        registry.add_provider(Provider::new("local").resource("random_id", TerraformData)).expect("new names");
        assert_eq!(registry.provider_of("random_id"), "local");
    }
}
