use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};

use super::{InstanceKey, ModuleInstance, ModulePath};

/// Whether the engine owns what the block describes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// A `resource` block: created, changed and deleted by the engine.
    Managed,
    /// A `data` block: only read. Prints with the prefix `data.`.
    Data,
    /// An `ephemeral` block: opened when it is needed, closed afterwards, never stored. Prints with the prefix
    /// `ephemeral.`.
    Ephemeral,
}

impl Mode {
    /// Returns its name in JSON: `managed`, `data` or `ephemeral`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Managed => "managed",
            Self::Data => "data",
            Self::Ephemeral => "ephemeral",
        }
    }

    /// Returns what stands before the type in an address: `data.`, `ephemeral.` or nothing.
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Managed => "",
            Self::Data => "data.",
            Self::Ephemeral => "ephemeral.",
        }
    }
}

/// Where a resource block is written, whatever the number of its instances and of its module's.
///
/// Prints as `module.net.acme_vpc.main`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourcePath {
    /// The module that holds the block.
    pub module: ModulePath,
    /// Whether it is managed.
    pub mode: Mode,
    /// The resource type, such as `acme_vpc`.
    pub type_name: Arc<str>,
    /// The block's name.
    pub name: Arc<str>,
}

impl ResourcePath {
    /// Returns this resource in one instance of its module; the caller sees to it that the module's path fits.
    pub fn within(&self, module: ModuleInstance) -> ResourceAddress {
        ResourceAddress {
            module,
            mode: self.mode,
            type_name: Arc::clone(&self.type_name),
            name: Arc::clone(&self.name),
        }
    }
}

impl fmt::Display for ResourcePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dot = if self.module.is_root() { "" } else { "." };
        write!(f, "{}{dot}{}{}.{}", self.module, self.mode.prefix(), self.type_name, self.name)
    }
}

/// A resource in one instance of its module, whatever the number of its own instances.
///
/// Prints as `module.net["a"].acme_vpc.main`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourceAddress {
    /// The module instance that holds it.
    pub module: ModuleInstance,
    /// Whether it is managed.
    pub mode: Mode,
    /// The resource type, such as `acme_vpc`.
    pub type_name: Arc<str>,
    /// The block's name.
    pub name: Arc<str>,
}

impl ResourceAddress {
    /// Returns the address of a resource; `type_name` and `name` should be identifiers
    /// ([`is_identifier`](super::is_identifier)), or what is printed cannot be parsed.
    pub fn new(module: ModuleInstance, mode: Mode, type_name: impl Into<Arc<str>>, name: impl Into<Arc<str>>) -> Self {
        Self { module, mode, type_name: type_name.into(), name: name.into() }
    }

    /// Returns the address of a managed resource in the root module.
    pub fn managed(type_name: impl Into<Arc<str>>, name: impl Into<Arc<str>>) -> Self {
        Self::new(ModuleInstance::root(), Mode::Managed, type_name, name)
    }

    /// Returns the address of a data source in the root module.
    pub fn data(type_name: impl Into<Arc<str>>, name: impl Into<Arc<str>>) -> Self {
        Self::new(ModuleInstance::root(), Mode::Data, type_name, name)
    }

    /// Returns one of its instances; without a key, the only one.
    pub fn instance(&self, key: Option<InstanceKey>) -> Address {
        Address { resource: self.clone(), key }
    }

    /// Returns where the block is written.
    pub fn path(&self) -> ResourcePath {
        ResourcePath {
            module: self.module.path(),
            mode: self.mode,
            type_name: Arc::clone(&self.type_name),
            name: Arc::clone(&self.name),
        }
    }
}

impl fmt::Display for ResourceAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dot = if self.module.is_root() { "" } else { "." };
        write!(f, "{}{dot}{}{}.{}", self.module, self.mode.prefix(), self.type_name, self.name)
    }
}

/// The address of one resource instance.
///
/// # Examples
/// ```
/// use stackwright::address::Address;
///
/// let address: Address = r#"module.net["a"].acme_vpc.main[0]"#.parse()?;
/// assert_eq!(&*address.resource.type_name, "acme_vpc");
/// assert_eq!(address.resource.module.to_string(), r#"module.net["a"]"#);
/// assert_eq!(address.to_string(), r#"module.net["a"].acme_vpc.main[0]"#);
/// # Ok::<(), stackwright::address::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    /// The resource.
    pub resource: ResourceAddress,
    /// Which instance, if the resource has `count` or `for_each`.
    pub key: Option<InstanceKey>,
}

impl Address {
    /// Returns the module instance that holds it.
    pub fn module(&self) -> &ModuleInstance {
        &self.resource.module
    }

    /// Returns whether it is managed.
    pub fn mode(&self) -> Mode {
        self.resource.mode
    }

    /// Returns the resource type.
    pub fn type_name(&self) -> &str {
        &self.resource.type_name
    }
}

impl From<ResourceAddress> for Address {
    /// Returns the only instance of a resource without `count` and `for_each`.
    fn from(resource: ResourceAddress) -> Self {
        Self { resource, key: None }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.resource)?;
        match &self.key {
            Some(key) => write!(f, "{key}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_groups_and_counts() {
        let sorted = [
            "a.x",
            "t.n",
            "t.n[2]",
            "t.n[10]",
            "t.n[\"\"]",
            "t.n[\"10\"]",
            "t.n[\"2\"]",
            "t.o",
            "data.a.x",
            "module.a.t.n",
            "module.a.module.b.t.n",
            "module.a[2].t.n",
            "module.a[10].t.n",
            "module.a[\"k\"].t.n",
            "module.b.t.n",
        ];
        let mut addresses: Vec<Address> = sorted.iter().rev().map(|text| text.parse().expect("an address")).collect();
        addresses.sort();
        let printed: Vec<String> = addresses.iter().map(ToString::to_string).collect();
        assert_eq!(printed, sorted);
    }

    #[test]
    fn a_path_has_no_keys() {
        let address: Address = "module.a[0].module.b[\"x\"].data.t.n[3]".parse().expect("an address");
        let path = address.resource.path();
        assert_eq!(path.to_string(), "module.a.module.b.data.t.n");
        assert_eq!(path.within(address.module().clone()), address.resource);
        assert_eq!(address.module().parent().map(|parent| parent.to_string()), Some("module.a[0]".into()));
        assert_eq!(ModuleInstance::root().parent(), None);
        assert_eq!(path.module.parent(), Some(ModulePath::root().child("a")));
    }

    #[test]
    fn copies_share_their_steps() {
        let module = ModuleInstance::root().child("a", None);
        let copy = module.clone();
        assert!(std::ptr::eq(module.steps(), copy.steps()));
        assert!(module.contains(&module.child("b", Some(1.into()))));
        assert!(!module.child("b", None).contains(&module));
    }
}
