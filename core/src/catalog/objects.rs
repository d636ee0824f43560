use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;

use super::archive::digest;
use crate::error::Result;

/// Where a catalog keeps its bytes: a folder, or something like an object store. Nothing that comes from it is believed.
#[async_trait]
pub trait Objects: fmt::Debug + Send + Sync {
    /// Returns an object; `None` where there is none.
    ///
    /// # Errors
    /// `catalog.too_large` where it has more than `limit` bytes; `catalog.unavailable`.
    async fn get(&self, key: &str, limit: u64) -> Result<Option<Stored>>;

    /// Writes an object in one piece, if what is there is what is expected; returns whether it did.
    ///
    /// # Errors
    /// `catalog.unavailable`.
    async fn put(&self, key: &str, bytes: Arc<[u8]>, expect: Expect) -> Result<bool>;

    /// Returns the names directly below a folder (`packages/`), in any order.
    ///
    /// # Errors
    /// `catalog.unavailable`; `catalog.unsupported` where it cannot be listed.
    async fn list(&self, folder: &str) -> Result<Vec<String>>;
}

/// An object, and what tells its content from another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// The content.
    pub bytes: Arc<[u8]>,
    /// Differs when the content does.
    pub tag: Arc<str>,
}

/// What must be there for a write to happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expect {
    /// Nothing.
    Absent,
    /// What has this tag.
    Tag(Arc<str>),
}

/// Objects in memory, for tests and demonstrations.
#[derive(Debug, Default)]
pub struct MemoryObjects(Mutex<BTreeMap<String, Arc<[u8]>>>);

impl MemoryObjects {
    /// Changes what is stored, behind everybody's back.
    pub fn edit(&self, change: impl FnOnce(&mut BTreeMap<String, Arc<[u8]>>)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

#[async_trait]
impl Objects for MemoryObjects {
    async fn get(&self, key: &str, limit: u64) -> Result<Option<Stored>> {
        let found = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned();
        match found {
            Some(bytes) if bytes.len() as u64 > limit => {
                Err(super::archive::too_large(format!("`{key}` has more than {limit} bytes")))
            }
            Some(bytes) => Ok(Some(Stored { tag: digest(&bytes), bytes })),
            None => Ok(None),
        }
    }

    async fn put(&self, key: &str, bytes: Arc<[u8]>, expect: Expect) -> Result<bool> {
        let mut objects = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let there = objects.get(key).map(|bytes| digest(bytes));
        let is_expected = match &expect {
            Expect::Absent => there.is_none(),
            Expect::Tag(tag) => there.as_ref() == Some(tag),
        };
        if is_expected {
            objects.insert(key.to_owned(), bytes);
        }
        Ok(is_expected)
    }

    async fn list(&self, folder: &str) -> Result<Vec<String>> {
        let objects = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let below = objects.keys().filter_map(|key| key.strip_prefix(folder)?.split('/').next());
        let mut names: Vec<String> = below.map(str::to_owned).collect();
        names.sort();
        names.dedup();
        Ok(names)
    }
}
