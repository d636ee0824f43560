use std::{fmt, sync::Arc};

use super::{Engine, Stack};
use crate::error::Result;

/// One tenant's part of an engine: its stacks, and nothing of anybody else's.
///
/// Code that serves a tenant is given this in place of the engine; then no mistake in it can name another tenant's stack.
/// Ids of runs, objects and plans that belong to others are unknown here, whoever guesses them.
///
/// Cheap to clone.
///
/// # Examples
/// ```
/// use stackwright::{stack::Engine, state::{MemoryStore, cipher::{AesGcmCipher, Key}}};
///
/// # async fn run() -> stackwright::Result<()> {
/// let engine = Engine::builder().store(MemoryStore::new()).cipher(AesGcmCipher::new(Key::generate()?)).build()?;
/// let acme = engine.tenant("acme");
/// assert_eq!(acme.stack("shop").key().to_string(), "acme/shop");
/// assert!(acme.stacks().await?.is_empty());
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Tenant {
    engine: Engine,
    name: Arc<str>,
}

impl Engine {
    /// Returns a tenant's part of the engine, whether it has anything yet or not.
    pub fn tenant(&self, name: impl Into<Arc<str>>) -> Tenant {
        Tenant { engine: self.clone(), name: name.into() }
    }
}

impl Tenant {
    /// Returns its name.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    pub(super) fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Returns its stack of this name, whether it exists yet or not.
    pub fn stack(&self, name: impl Into<Arc<str>>) -> Stack {
        self.engine.stack(Arc::clone(&self.name), name)
    }

    /// Returns its stacks that were ever applied, ordered by name.
    ///
    /// # Errors
    /// Those of [`Store`](crate::state::Store).
    ///
    /// # Complexity
    /// O(its stacks), however many others there are.
    pub async fn stacks(&self) -> Result<Vec<Stack>> {
        self.engine.stacks(Some(&self.name)).await
    }
}

impl fmt::Debug for Tenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tenant").field("name", &self.name).finish_non_exhaustive()
    }
}
