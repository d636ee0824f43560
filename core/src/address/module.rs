use std::{fmt, sync::Arc};

use super::InstanceKey;

/// One step from a module into a module that it calls.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ModuleStep {
    /// The name of the `module` block.
    pub name: Arc<str>,
    /// Which instance, if the call has `count` or `for_each`.
    pub key: Option<InstanceKey>,
}

/// One instance of a module: the steps that lead to it from the root.
///
/// A copy shares its steps; the root allocates nothing. Prints as `module.a["x"].module.b`, the root as nothing.
///
/// # Examples
/// ```
/// use stackwright::address::ModuleInstance;
///
/// let inner = ModuleInstance::root().child("a", Some("x".into())).child("b", None);
/// assert_eq!(inner.to_string(), r#"module.a["x"].module.b"#);
/// assert_eq!(r#"module.a["x"].module.b"#.parse(), Ok(inner));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ModuleInstance(Option<Arc<[ModuleStep]>>);

impl ModuleInstance {
    /// Returns the root module.
    pub const fn root() -> Self {
        Self(None)
    }

    /// Returns the module that these steps lead to from the root.
    pub fn from_steps(steps: impl IntoIterator<Item = ModuleStep>) -> Self {
        let steps: Arc<[ModuleStep]> = steps.into_iter().collect();
        Self((!steps.is_empty()).then_some(steps))
    }

    /// Returns an instance of a module that this one calls.
    ///
    /// # Complexity
    /// O(d), d steps from the root.
    pub fn child(&self, name: impl Into<Arc<str>>, key: Option<InstanceKey>) -> Self {
        let last = ModuleStep { name: name.into(), key };
        Self::from_steps(self.steps().iter().cloned().chain([last]))
    }

    /// Returns the module instance that calls this one; nothing for the root.
    pub fn parent(&self) -> Option<Self> {
        let (_, above) = self.steps().split_last()?;
        Some(Self::from_steps(above.iter().cloned()))
    }

    /// Returns whether this is the root module.
    pub fn is_root(&self) -> bool {
        self.0.is_none()
    }

    /// Returns the steps from the root, outermost first.
    pub fn steps(&self) -> &[ModuleStep] {
        self.0.as_deref().unwrap_or_default()
    }

    /// Returns where the module's calls are written: the steps without keys.
    pub fn path(&self) -> ModulePath {
        ModulePath::from_names(self.steps().iter().map(|step| Arc::clone(&step.name)))
    }

    /// Returns whether `other` is this module instance or lies within it.
    pub fn contains(&self, other: &Self) -> bool {
        other.steps().starts_with(self.steps())
    }
}

impl fmt::Display for ModuleInstance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, step) in self.steps().iter().enumerate() {
            let dot = if position == 0 { "" } else { "." };
            write!(f, "{dot}module.{}", step.name)?;
            if let Some(key) = &step.key {
                write!(f, "{key}")?;
            }
        }
        Ok(())
    }
}

/// Where a module is called, whatever the number of its instances: the names of the calls from the root.
///
/// A copy shares its names; the root allocates nothing. Prints as `module.a.module.b`, the root as nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ModulePath(Option<Arc<[Arc<str>]>>);

impl ModulePath {
    /// Returns the root module.
    pub const fn root() -> Self {
        Self(None)
    }

    /// Returns the module that these calls lead to from the root, outermost first.
    pub fn from_names(names: impl IntoIterator<Item = Arc<str>>) -> Self {
        let names: Arc<[Arc<str>]> = names.into_iter().collect();
        Self((!names.is_empty()).then_some(names))
    }

    /// Returns a module that this one calls.
    ///
    /// # Complexity
    /// O(d), d names from the root.
    pub fn child(&self, name: impl Into<Arc<str>>) -> Self {
        Self::from_names(self.names().iter().cloned().chain([name.into()]))
    }

    /// Returns the module that calls this one; nothing for the root.
    pub fn parent(&self) -> Option<Self> {
        let (_, above) = self.names().split_last()?;
        Some(Self::from_names(above.iter().cloned()))
    }

    /// Returns whether this is the root module.
    pub fn is_root(&self) -> bool {
        self.0.is_none()
    }

    /// Returns the names of the calls from the root, outermost first.
    pub fn names(&self) -> &[Arc<str>] {
        self.0.as_deref().unwrap_or_default()
    }

    /// Returns whether `other` is this module or is called, directly or not, from it.
    pub fn contains(&self, other: &Self) -> bool {
        other.names().starts_with(self.names())
    }
}

impl fmt::Display for ModulePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, name) in self.names().iter().enumerate() {
            let dot = if position == 0 { "" } else { "." };
            write!(f, "{dot}module.{name}")?;
        }
        Ok(())
    }
}
