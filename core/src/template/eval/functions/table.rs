use std::{
    borrow::Cow,
    collections::BTreeMap,
    fmt,
    sync::{Arc, LazyLock},
};

use super::{
    Function, collection, encoding, extra, filesystem, hash, network, numeric, secret, sequence, special, string, time,
    types,
};
use crate::error::suggest;

/// The functions that expressions can call, by name.
///
/// Cloning is cheap until one is added.
#[derive(Clone)]
pub struct Functions {
    by_name: Arc<BTreeMap<Cow<'static, str>, Function>>,
}

impl Functions {
    /// Returns a table without functions.
    pub fn none() -> Self {
        Self { by_name: Arc::default() }
    }

    /// Returns Terraform's functions. Built once per process.
    pub fn standard() -> Self {
        static STANDARD: LazyLock<Functions> = LazyLock::new(|| {
            let mut table = Functions::none();
            for register in [
                collection::register,
                encoding::register,
                extra::register,
                filesystem::register,
                hash::register,
                network::register,
                numeric::register,
                secret::register,
                sequence::register,
                special::register,
                string::register,
                time::register,
                types::register,
            ] {
                register(&mut table);
            }
            table
        });
        STANDARD.clone()
    }

    /// Adds a function; one of the same name is replaced. Names of providers' functions have `::` between their parts.
    pub fn add(&mut self, function: Function) {
        let name = Cow::Owned(function.name().to_owned());
        Arc::make_mut(&mut self.by_name).insert(name, function);
    }

    /// Returns the function of that name; `core::name` is the same as `name`.
    pub fn get(&self, name: &str) -> Option<&Function> {
        self.by_name.get(name.strip_prefix("core::").unwrap_or(name))
    }

    /// Returns the name that was probably meant by one that is not here.
    pub fn suggest(&self, name: &str) -> Option<&str> {
        suggest(name, self.iter().filter(|function| function.is_supported()).map(Function::name))
    }

    /// Returns the functions in order of name.
    pub fn iter(&self) -> impl Iterator<Item = &Function> {
        self.by_name.values()
    }
}

impl Default for Functions {
    fn default() -> Self {
        Self::standard()
    }
}

impl fmt::Debug for Functions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.by_name.keys()).finish()
    }
}
