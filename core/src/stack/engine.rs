use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use async_trait::async_trait;

use super::{Stack, quota::QuotaOffice};
use crate::{
    error::{Diagnostic, Error, ErrorKind, Result},
    event::{Clock, SystemClock},
    order::Seller,
    plan::check_keys,
    resource::{DataSource, EphemeralResource, FIRST_REVISION, Kind, Layer, Provider, Registry, Resource},
    run::Fair,
    state::{Ledger, LedgerKey, StackKey, Store, cipher::Cipher},
    template::{
        self, Edition, FetchLimits, FetchedModule, Files, ModulePackage, ModuleRequest, ModuleSource, Template,
        eval::{DirectoryFiles, FileAccess, Function, NoFiles},
    },
    tenant::Quotas,
};

/// The engine that a host embeds: types, layers, a store, a cipher and a clock.
///
/// Cheap to clone; all clones are the same engine. An application may have several, nothing is global.
///
/// # Examples
/// ```
/// use stackwright::{stack::Engine, state::{MemoryStore, cipher::{AesGcmCipher, Key}}};
///
/// # fn main() -> stackwright::Result<()> {
/// let engine = Engine::builder()
///     .store(MemoryStore::new())
///     .cipher(AesGcmCipher::new(Key::generate()?))
///     .build()?;
/// let stack = engine.stack("acme", "shop");
/// assert_eq!(stack.key().to_string(), "acme/shop");
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Engine {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) store: Arc<dyn Store>,
    pub(super) cipher: Arc<dyn Cipher>,
    pub(super) clock: Arc<dyn Clock>,
    registry: RwLock<Arc<Registry>>,
    pub(super) holder: Arc<str>,
    pub(super) lease_ttl: Duration,
    pub(super) tags: BTreeMap<String, String>,
    pub(super) seller: Option<Arc<dyn Seller>>,
    pub(super) quotas: Option<QuotaOffice>,
    pub(super) fair: Option<Fair>,
    edition: Edition,
    files_within: Option<PathBuf>,
    module_sources: Vec<Arc<dyn ModuleSource>>,
}

impl Engine {
    /// Returns a builder without a store.
    pub fn builder() -> EngineBuilder {
        EngineBuilder::default()
    }

    /// Returns the stack `name` of `tenant`, whether it exists yet or not.
    pub fn stack(&self, tenant: impl Into<Arc<str>>, name: impl Into<Arc<str>>) -> Stack {
        Stack::new(self.clone(), StackKey::new(tenant, name))
    }

    /// Reads a template in the edition that the engine was built with, unless the template asks for another.
    ///
    /// As [`Template::parse`]: all problems at once; a template whose reading gave an error must not be planned.
    pub fn read(&self, files: &Files) -> (Template, Vec<Diagnostic>) {
        Template::parse(files, &template::Options::default().edition(self.inner.edition))
    }

    /// Returns the files that the functions of a template may read.
    pub(super) fn files(&self, root: Option<&Path>) -> Result<Box<dyn FileAccess + Send>> {
        let Some(root) = root else { return Ok(Box::new(NoFiles)) };
        let unreadable = |folder: &Path, error: std::io::Error| {
            let message = format!("the folder `{}` cannot be read", folder.display());
            Error::new(ErrorKind::NotFound, "template.unreadable", message).because(error)
        };
        let mut files = DirectoryFiles::new(root).map_err(|error| unreadable(root, error))?;
        if let Some(boundary) = &self.inner.files_within {
            files = files.within(boundary).map_err(|error| unreadable(boundary, error))?;
        }
        Ok(Box::new(files))
    }

    /// Returns the stacks that were ever applied, of one tenant or of all, ordered by tenant and name.
    ///
    /// # Errors
    /// Those of [`Store`].
    pub async fn stacks(&self, tenant: Option<&str>) -> Result<Vec<Stack>> {
        let records = self.inner.store.list_stacks(tenant).await?;
        Ok(records.into_iter().map(|record| Stack::new(self.clone(), record.key)).collect())
    }

    /// Fetches the modules that a template asks for and that do not lie beside it, into `files`. The sources of modules are
    /// asked in the order in which they were added; the first that knows a form answers.
    ///
    /// # Errors
    /// As [`Files::fetch_modules`].
    pub async fn fetch_modules(&self, files: &mut Files, limits: &FetchLimits) -> Result<Vec<FetchedModule>> {
        files.fetch_modules(&InOrder(self.inner.module_sources.clone()), limits).await
    }

    /// Returns the types as they are now. What is running keeps the types that it began with.
    pub fn registry(&self) -> Arc<Registry> {
        Arc::clone(&self.inner.registry.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Makes another revision of a type the one that is used from the next operation on.
    ///
    /// # Errors
    /// `registry.unknown_revision`.
    pub fn activate(&self, kind: Kind, name: &str, revision: &str) -> Result<()> {
        let mut registry = self.inner.registry.write().unwrap_or_else(PoisonError::into_inner);
        let mut changed = (**registry).clone();
        changed.activate(kind, name, revision)?;
        *registry = Arc::new(changed);
        Ok(())
    }

    /// Returns a ledger of a tenant, whether anything was appended to it or not: what a host, too, may keep beside stacks.
    pub fn ledger(&self, key: LedgerKey) -> Ledger {
        let inner = &self.inner;
        Ledger::new(Arc::clone(&inner.store), Arc::clone(&inner.cipher), Arc::clone(&inner.clock), key)
    }

    /// Returns whether it has a seller: then what costs money is applied with a [`Purchase`](super::Purchase) only.
    pub fn has_seller(&self) -> bool {
        self.inner.seller.is_some()
    }

    /// Returns the clock.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.inner.clock
    }

    /// Returns the store.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.inner.store
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine")
            .field("store", &self.inner.store)
            .field("registry", &self.registry())
            .finish_non_exhaustive()
    }
}

/// Several sources of modules as one.
#[derive(Debug)]
struct InOrder(Vec<Arc<dyn ModuleSource>>);

#[async_trait]
impl ModuleSource for InOrder {
    async fn fetch(&self, request: &ModuleRequest) -> Result<Option<ModulePackage>> {
        for source in &self.0 {
            if let Some(found) = source.fetch(request).await? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }
}

type Registration = Box<dyn FnOnce(&mut Registry) -> Result<()> + Send>;

/// Collects what an [`Engine`] is made of.
#[derive(Default)]
pub struct EngineBuilder {
    store: Option<Arc<dyn Store>>,
    cipher: Option<Arc<dyn Cipher>>,
    clock: Option<Arc<dyn Clock>>,
    registrations: Vec<Registration>,
    layers: Vec<Arc<dyn Layer>>,
    holder: Option<Arc<str>>,
    lease_ttl: Option<Duration>,
    seller: Option<Arc<dyn Seller>>,
    quotas: Option<Arc<dyn Quotas>>,
    fair: Option<Fair>,
    tags: BTreeMap<String, String>,
    edition: Edition,
    files_within: Option<PathBuf>,
    module_sources: Vec<Arc<dyn ModuleSource>>,
}

impl EngineBuilder {
    /// Sets the store. Needed.
    pub fn store(self, store: impl Store) -> Self {
        self.shared_store(Arc::new(store))
    }

    /// Sets a store that the host uses elsewhere too.
    pub fn shared_store(mut self, store: Arc<dyn Store>) -> Self {
        self.store = Some(store);
        self
    }

    /// Sets what seals secrets before they reach the store. Needed.
    pub fn cipher(mut self, cipher: impl Cipher) -> Self {
        self.cipher = Some(Arc::new(cipher));
        self
    }

    /// Sets the clock; the machine's by default.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// Adds a source of modules that do not lie beside the template, for [`Engine::fetch_modules`].
    pub fn module_source(mut self, source: impl ModuleSource) -> Self {
        self.module_sources.push(Arc::new(source));
        self
    }

    /// Adds the types of a provider.
    pub fn provider(mut self, provider: Provider) -> Self {
        self.registrations.push(Box::new(move |registry| registry.add_provider(provider)));
        self
    }

    /// Adds one resource type, revision `1`.
    pub fn resource(self, name: impl Into<String>, resource: impl Resource) -> Self {
        self.resource_revision(name, FIRST_REVISION, resource)
    }

    /// Adds one revision of a resource type; the first that is added is active.
    pub fn resource_revision(
        mut self,
        name: impl Into<String>,
        revision: impl Into<String>,
        resource: impl Resource,
    ) -> Self {
        let (name, revision) = (name.into(), revision.into());
        self.registrations.push(Box::new(move |registry| registry.add_resource(&name, &revision, Arc::new(resource))));
        self
    }

    /// Adds one data source, revision `1`.
    pub fn data_source(mut self, name: impl Into<String>, source: impl DataSource) -> Self {
        let name = name.into();
        self.registrations
            .push(Box::new(move |registry| registry.add_data_source(&name, FIRST_REVISION, Arc::new(source))));
        self
    }

    /// Adds one ephemeral resource type, revision `1`.
    pub fn ephemeral(mut self, name: impl Into<String>, resource: impl EphemeralResource) -> Self {
        let name = name.into();
        self.registrations
            .push(Box::new(move |registry| registry.add_ephemeral(&name, FIRST_REVISION, Arc::new(resource))));
        self
    }

    /// Adds a pure function, which templates call as `provider::<provider>::<name>`.
    ///
    /// A template says which provider it means in `required_providers` (`acme = { source = "acme/acme" }`); in edition
    /// `stackwright` of the language it need not.
    ///
    /// # Examples
    /// ```
    /// use stackwright::{
    ///     stack::Engine,
    ///     state::{MemoryStore, cipher::{AesGcmCipher, Key}},
    ///     template::{Edition, Files, eval::{Function, Parameter}},
    ///     value::{Type, Value},
    /// };
    ///
    /// # fn main() -> stackwright::Result<()> {
    /// let shout = Function::new("shout", "Returns a text in capitals with an exclamation mark.")
    ///     .takes([Parameter::new("text", Type::String)])
    ///     .returns(Type::String)
    ///     .computes(|call| Ok(Value::string(format!("{}!", call.text(0).to_uppercase()))));
    /// let engine = Engine::builder()
    ///     .store(MemoryStore::new())
    ///     .cipher(AesGcmCipher::new(Key::generate()?))
    ///     .function("acme", shout)
    ///     .edition(Edition::Stackwright)
    ///     .build()?;
    /// let files = Files::from_texts([("main.tf", "output \"it\" {\n  value = provider::acme::shout(\"hi\")\n}\n")]);
    /// let (template, problems) = engine.read(&files);
    /// assert!(problems.is_empty() && engine.stack("acme", "shop").validate(&template).is_empty());
    /// # Ok(())
    /// # }
    /// ```
    pub fn function(mut self, provider: impl Into<String>, function: Function) -> Self {
        let provider = provider.into();
        self.registrations.push(Box::new(move |registry| registry.add_function(&provider, function)));
        self
    }

    /// Sets the edition of the language that [`Engine::read`] takes for templates that ask for none; `1.11` by default.
    pub fn edition(mut self, edition: Edition) -> Self {
        self.edition = edition;
        self
    }

    /// Lets the functions of templates (`file`, `fileset`, …) read below this folder too, not only below the template's
    /// own; `/` allows everything.
    pub fn files_within(mut self, boundary: impl Into<PathBuf>) -> Self {
        self.files_within = Some(boundary.into());
        self
    }

    /// Adds a layer around all types, outside those that were added before.
    pub fn layer(mut self, layer: impl Layer) -> Self {
        self.layers.push(Arc::new(layer));
        self
    }

    /// Sets who holds leases, for people who wait for one; the process id by default.
    pub fn holder(mut self, holder: impl Into<Arc<str>>) -> Self {
        self.holder = Some(holder.into());
        self
    }

    /// Sets how long a lease lasts when its holder dies; 30 s by default. It is renewed while work goes on.
    pub fn lease_ttl(mut self, ttl: Duration) -> Self {
        self.lease_ttl = Some(ttl);
        self
    }

    /// Sets who takes orders and money for what is made. From then on a plan that makes or changes anything whose type is not
    /// free is applied with a [`Purchase`](super::Purchase) only, and what goes is paid back.
    pub fn seller(mut self, seller: impl Seller) -> Self {
        self.seller = Some(Arc::new(seller));
        self
    }

    /// Sets who says what tenants may use. From then on what runs may add is reserved before they begin, and refused where
    /// there is no room; every engine that writes these tenants' stacks should be given the same.
    pub fn quotas(mut self, quotas: impl Quotas) -> Self {
        self.quotas = Some(Arc::new(quotas));
        self
    }

    /// Lets so many calls run at once over all runs and plans, tenants taking turns. Without it each run has its own
    /// `parallelism` alone.
    pub fn fair(mut self, fair: Fair) -> Self {
        self.fair = Some(fair);
        self
    }

    /// Locks a tag: every object bears it whose type says where its tags are
    /// ([`Attribute::takes_tags`](crate::schema::Attribute::takes_tags)), and no template can set it otherwise. The tenant
    /// and the stack are locked anyway, as `stackwright-tenant` and `stackwright-stack`. Types that tag by themselves get
    /// all of them as [`CallInfo::tags`](crate::resource::CallInfo::tags).
    pub fn tag(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.tags.insert(key.into(), value.into());
        self
    }

    /// Returns the engine.
    ///
    /// # Errors
    /// `engine.incomplete` without a store or a cipher; `engine.tag_invalid` for tags that cannot be locked; those of [`Registry::add_provider`].
    pub fn build(self) -> Result<Engine> {
        let missing = |what: &str| {
            Error::new(
                ErrorKind::InvalidInput,
                "engine.incomplete",
                format!("the engine has no {what}; set one on the builder"),
            )
        };
        let store = self.store.ok_or_else(|| missing("store"))?;
        let cipher = self.cipher.ok_or_else(|| missing("cipher"))?;
        check_keys(self.tags.keys().map(String::as_str))?;
        let mut registry = Registry::new();
        for register in self.registrations {
            register(&mut registry)?;
        }
        for layer in self.layers {
            registry.add_layer(layer);
        }
        let holder = self.holder.unwrap_or_else(|| Arc::from(format!("process {}", std::process::id())));
        Ok(Engine {
            inner: Arc::new(Inner {
                store,
                cipher,
                clock: self.clock.unwrap_or_else(|| Arc::new(SystemClock::default())),
                registry: RwLock::new(Arc::new(registry)),
                holder,
                lease_ttl: self.lease_ttl.unwrap_or(Duration::from_secs(30)),
                tags: self.tags,
                seller: self.seller,
                quotas: self.quotas.map(QuotaOffice::new),
                fair: self.fair,
                edition: self.edition,
                files_within: self.files_within,
                module_sources: self.module_sources,
            }),
        })
    }
}

impl fmt::Debug for EngineBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EngineBuilder")
            .field("store", &self.store)
            .field("layers", &self.layers)
            .finish_non_exhaustive()
    }
}
