use std::{path::PathBuf, sync::Arc, time::Duration};

use serde::Deserialize;
use stackwright::{
    Error, ErrorKind, Result,
    ffi::{EngineQuery, Host, HostStore, Session},
    state::{
        MemoryStore,
        cipher::{AesGcmCipher, Cipher, Key, KeyFile},
    },
};
use stackwright_store_postgres::PostgresStore;
use stackwright_store_sqlite::SqliteStore;

use crate::{
    cipher::{HostCipher, RemoteCipher},
    host::RemoteHost,
};

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
    /// Where the host keeps it.
    Host {
        /// How long it may take for one call; 30 seconds where it is left out.
        patience_ms: Option<u64>,
    },
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
    /// The host's own cipher.
    Host,
}

impl OpenQuery {
    pub(crate) fn from_json(text: &str) -> Result<Self> {
        // The text is not repeated: it may hold the key.
        serde_json::from_str(text).map_err(|error| {
            let place = format!("at line {}, column {}", error.line(), error.column());
            Error::bug(format!("the arguments of `open` have another shape, {place}"))
        })
    }

    pub(crate) async fn open(self, remote: &Arc<RemoteHost>, cipher: Option<Arc<dyn RemoteCipher>>) -> Result<Session> {
        let host = Arc::clone(remote) as Arc<dyn Host>;
        let builder = self.engine.builder(&host);
        let builder = match self.key {
            KeyQuery::Host => {
                let missing = || Error::new(ErrorKind::Unsupported, "host.failed", "this host offers no cipher");
                builder.cipher(HostCipher(cipher.ok_or_else(missing)?))
            }
            kept => builder.cipher(kept.cipher()?),
        };
        let engine = match self.store {
            StoreQuery::Memory => builder.store(MemoryStore::new()),
            StoreQuery::Sqlite(path) => builder.store(SqliteStore::open(path).await?),
            StoreQuery::Postgres(address) => builder.store(PostgresStore::open(&address).await?),
            StoreQuery::Host { patience_ms } => {
                if let Some(patience_ms) = patience_ms {
                    // Opened once only.
                    let _ = remote.patience.set(Duration::from_millis(patience_ms));
                }
                builder.store(HostStore::new(0, Arc::clone(&host)))
            }
        };
        Ok(Session::new(engine.build()?).with_host(host))
    }
}

impl KeyQuery {
    fn cipher(self) -> Result<impl Cipher> {
        Ok(match self {
            Self::Generate => AesGcmCipher::new(Key::generate()?),
            Self::Text(text) => AesGcmCipher::new(Key::parse(&text)?),
            Self::File(path) => {
                KeyFile::open_or_create(&path)?;
                let ring = KeyFile::open_all(&path)?;
                AesGcmCipher::with_older(ring.newest, ring.older)
            }
            Self::Host => return Err(Error::bug("a cipher of the host's has no key")),
        })
    }
}
