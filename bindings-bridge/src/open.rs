use std::{path::PathBuf, sync::Arc};

use serde::Deserialize;
use stackwright::{
    Error, Result,
    ffi::{EngineQuery, Host, Session},
    state::{
        MemoryStore,
        cipher::{AesGcmCipher, Key, KeyFile},
    },
};
use stackwright_store_postgres::PostgresStore;
use stackwright_store_sqlite::SqliteStore;

/// What an engine is opened with.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OpenQuery {
    store: StoreQuery,
    key: KeyQuery,
    engine: EngineQuery,
}

/// Where state lives.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum StoreQuery {
    /// In this process, until it ends.
    Memory,
    /// In a file.
    Sqlite(PathBuf),
    /// In a PostgreSQL database, by its connection string.
    Postgres(String),
}

/// What seals secrets.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum KeyQuery {
    /// A key that nobody keeps.
    Generate,
    /// The keys in a file, which is made where it is not there.
    File(PathBuf),
    /// 64 hexadecimal digits.
    Text(String),
}

impl OpenQuery {
    pub(crate) fn from_json(text: &str) -> Result<Self> {
        // The text is not repeated: it may hold the key.
        serde_json::from_str(text).map_err(|error| {
            let place = format!("at line {}, column {}", error.line(), error.column());
            Error::bug(format!("the arguments of `open` have another shape, {place}"))
        })
    }

    pub(crate) async fn open(self, host: &Arc<dyn Host>) -> Result<Session> {
        let cipher = match self.key {
            KeyQuery::Generate => AesGcmCipher::new(Key::generate()?),
            KeyQuery::Text(text) => AesGcmCipher::new(Key::parse(&text)?),
            KeyQuery::File(path) => {
                KeyFile::open_or_create(&path)?;
                let ring = KeyFile::open_all(&path)?;
                AesGcmCipher::with_older(ring.newest, ring.older)
            }
        };
        let builder = self.engine.builder(host).cipher(cipher);
        let engine = match self.store {
            StoreQuery::Memory => builder.store(MemoryStore::new()),
            StoreQuery::Sqlite(path) => builder.store(SqliteStore::open(path).await?),
            StoreQuery::Postgres(address) => builder.store(PostgresStore::open(&address).await?),
        };
        Ok(Session::new(engine.build()?))
    }
}
