use std::fmt;

use super::{Address, ModuleInstance, ResourceAddress, ResourcePath};

/// What people name to say "only this": a module with all that is in it, a resource with all its instances, or one
/// instance.
///
/// A module that is named without a key at its last step stands for all its instances, as it does in Terraform.
///
/// # Examples
/// ```
/// use stackwright::address::{Address, Target};
///
/// let target: Target = "module.net".parse()?;
/// assert!(target.contains(&r#"module.net["a"].module.zone.acme_vpc.main[0]"#.parse::<Address>()?));
/// assert!(!target.contains(&"acme_vpc.main".parse::<Address>()?));
/// # Ok::<(), stackwright::address::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Target {
    /// A module with everything below it; the root module is everything.
    Module(ModuleInstance),
    /// All instances of a resource in one module instance.
    Resource(ResourceAddress),
    /// One instance.
    Instance(Address),
}

impl Target {
    /// Returns whether this instance is meant.
    ///
    /// # Complexity
    /// O(d), d steps of the module.
    pub fn contains(&self, address: &Address) -> bool {
        match self {
            Self::Module(module) => holds_module(module, &address.resource.module),
            Self::Resource(resource) => *resource == address.resource,
            Self::Instance(instance) => instance == address,
        }
    }

    /// Returns whether some instance of this resource block may be meant, before instances are known.
    pub fn may_contain(&self, resource: &ResourcePath) -> bool {
        match self {
            Self::Module(module) => module.path().contains(&resource.module),
            Self::Resource(target) => target.path() == *resource,
            Self::Instance(target) => target.resource.path() == *resource,
        }
    }
}

/// Returns whether `inner` is `outer` or below it; an `outer` without a last key stands for all its instances.
fn holds_module(outer: &ModuleInstance, inner: &ModuleInstance) -> bool {
    let Some((last, above)) = outer.steps().split_last() else { return true };
    let Some((inner_above, rest)) = inner.steps().split_at_checked(above.len()) else { return false };
    let Some(inner_last) = rest.first() else { return false };
    above == inner_above && last.name == inner_last.name && (last.key.is_none() || last.key == inner_last.key)
}

impl From<Address> for Target {
    /// Returns a target for exactly this instance.
    fn from(address: Address) -> Self {
        Self::Instance(address)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Module(module) => module.fmt(f),
            Self::Resource(resource) => resource.fmt(f),
            Self::Instance(instance) => instance.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(target: &str, address: &str, expect: bool) {
        let parsed: Target = target.parse().expect("a target");
        let address: Address = address.parse().expect("an address");
        assert_eq!(parsed.contains(&address), expect, "{target} {address}");
        if expect {
            assert!(parsed.may_contain(&address.resource.path()), "{target} {address}");
        }
    }

    #[test]
    fn a_module_holds_all_below_it() {
        check("module.a", "module.a.t.n", true);
        check("module.a", "module.a.module.b.t.n", true);
        check("module.a", "module.a[0].t.n", true);
        check("module.a[0]", "module.a[0].module.b.t.n[\"x\"]", true);
        check("module.a[0]", "module.a[1].t.n", false);
        check("module.a[0]", "module.a.t.n", false);
        check("module.a.module.b", "module.a.module.b[2].data.t.n", true);
        check("module.a.module.b", "module.a[0].module.b.t.n", false);
        check("module.a.module.b", "module.a.t.n", false);
        check("module.a", "module.ab.t.n", false);
        check("module.a", "t.a", false);
        assert!(Target::Module(ModuleInstance::root()).contains(&"t.n".parse().expect("an address")));
    }

    #[test]
    fn a_resource_holds_its_instances() {
        check("t.n", "t.n", true);
        check("t.n", "t.n[4]", true);
        check("t.n", "t.m", false);
        check("t.n", "data.t.n", false);
        check("t.n", "module.a.t.n", false);
        check("module.a.t.n", "module.a[0].t.n", false);
    }

    #[test]
    fn an_instance_holds_itself() {
        check("t.n[0]", "t.n[0]", true);
        check("t.n[0]", "t.n[1]", false);
        check("t.n[0]", "t.n[\"0\"]", false);
        check("t.n[0]", "t.n", false);
        let only = Target::from("t.n".parse::<Address>().expect("an address"));
        assert!(!only.contains(&"t.n[0]".parse().expect("an address")));
    }

    #[test]
    fn resources_are_judged_before_instances_are_known() {
        let may = |target: &str, address: &str| {
            let address: Address = address.parse().expect("an address");
            target.parse::<Target>().expect("a target").may_contain(&address.resource.path())
        };
        assert!(may("module.a[7]", "module.a.t.n"));
        assert!(may("module.a[7].t.n[1]", "module.a.t.n"));
        assert!(!may("module.a[7]", "module.b.t.n"));
        assert!(!may("t.n", "module.a.t.n"));
        assert!(!may("t.n[1]", "t.m"));
    }
}
