//! Types of the provider against the contract that the engine relies on: those whose things lie in the world.
//!
//! Random values do not fit: one that is drawn twice does no harm, and is another one.

use std::{fs, path::PathBuf, sync::Arc};

use async_trait::async_trait;
use stackwright::{
    resource::{
        Resource,
        conformance::{Harness, assert_conforms},
    },
    value::Value,
};

use crate::support::resource;

type Config = fn(&Described, u64) -> Value;

/// A type, and what is said of its things.
struct Described {
    type_name: &'static str,
    folder: tempfile::TempDir,
    config: Config,
    changed: Option<Config>,
}

impl Described {
    fn new(type_name: &'static str, config: Config) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        Self { type_name, folder, config, changed: None }
    }

    fn path(&self, number: u64) -> Value {
        Value::string(self.place(&number.to_string()).display().to_string())
    }

    fn place(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Returns how many things lie in the folder.
    fn left(&self) -> usize {
        fs::read_dir(self.folder.path()).expect("the folder").count()
    }
}

#[async_trait]
impl Harness for Described {
    fn resource(&self) -> Arc<dyn Resource> {
        resource(self.type_name)
    }

    fn type_name(&self) -> &str {
        self.type_name
    }

    fn config(&self, number: u64) -> Value {
        (self.config)(self, number)
    }

    fn changed(&self, number: u64) -> Option<Value> {
        self.changed.map(|changed| changed(self, number))
    }

    fn missing_id(&self) -> Option<String> {
        Some(self.place("none").display().to_string())
    }

    async fn count(&self) -> Option<usize> {
        Some(self.left())
    }
}

#[tokio::test]
async fn files_conform() {
    let files = Described {
        changed: Some(|files, number| {
            let content = Value::string(format!("changed {number}"));
            Value::object([("path", files.path(number)), ("content", content), ("mode", Value::string("0600"))])
        }),
        ..Described::new("local_file", |files, number| {
            let content = Value::string(format!("file {number}"));
            Value::object([("path", files.path(number)), ("content", content)])
        })
    };
    assert_conforms(&files).await;
    assert_eq!(files.left(), 0);
}

#[tokio::test]
async fn directories_conform() {
    let directories = Described {
        changed: Some(|folders, number| {
            Value::object([("path", folders.path(number)), ("mode", Value::string("0700"))])
        }),
        ..Described::new("local_directory", |folders, number| Value::object([("path", folders.path(number))]))
    };
    assert_conforms(&directories).await;
    assert_eq!(directories.left(), 0);
}
