//! Where state is kept.

use std::{
    ffi::OsString,
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

use stackwright::{
    error::{Error, ErrorKind, Result},
    state::Store,
};
use stackwright_store_sqlite::SqliteStore;

/// What `-state` says. Whatever it says is taken at first: a connection string may hold a password, and what the
/// command line refuses is repeated.
#[derive(Clone)]
pub(crate) enum StateLocation {
    /// A SQLite file.
    File(PathBuf),
    /// A connection string of PostgreSQL.
    Postgres(String),
}

impl From<OsString> for StateLocation {
    fn from(text: OsString) -> Self {
        match text.to_str() {
            Some(text) if text.starts_with("postgres://") || text.starts_with("postgresql://") => {
                Self::Postgres(text.to_owned())
            }
            _ => Self::File(PathBuf::from(text)),
        }
    }
}

impl fmt::Debug for StateLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
            Self::Postgres(_) => f.write_str("Postgres(..)"),
        }
    }
}

/// Opens a file, which is made where there is none.
pub(crate) async fn open_file(path: &Path) -> Result<Arc<SqliteStore>> {
    Ok(Arc::new(SqliteStore::open(path).await?))
}

/// Opens a database; the password may come from where PostgreSQL's own programs take it.
#[cfg(feature = "postgres")]
pub(crate) async fn open_postgres(text: &str) -> Result<Arc<dyn Store>> {
    use std::env;

    use stackwright_store_postgres::{PostgresOptions, PostgresStore};

    let mut options = PostgresOptions::parse(text)?;
    if !options.has_password()
        && let Some(password) = env::var_os("PGPASSWORD")
    {
        options = options.password(password.as_encoded_bytes());
    }
    let home = || env::home_dir().map(|home| home.join(".pgpass")).filter(|path| path.is_file());
    if let Some(path) = env::var_os("PGPASSFILE").map(PathBuf::from).or_else(home) {
        options = options.passfile(path)?;
    }
    Ok(Arc::new(PostgresStore::open_with(options).await?))
}

/// Says that this program was built without it.
#[cfg(not(feature = "postgres"))]
pub(crate) async fn open_postgres(_text: &str) -> Result<Arc<dyn Store>> {
    let message = "this program was built without PostgreSQL; name a file, or build it with the feature `postgres`";
    Err(Error::new(ErrorKind::Unsupported, "store.options", message))
}

/// Refuses to make a key for state that others share: theirs would be another one.
pub(crate) fn needs_a_key(variable: &str) -> Error {
    let message = format!(
        "state in PostgreSQL is shared, and so is the key that seals its secrets: \
         give it by {variable} (64 hexadecimal digits) or by `-key-file=FILE`"
    );
    Error::new(ErrorKind::InvalidInput, "cipher.key_unavailable", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_string_is_no_file_and_is_never_shown() {
        for text in ["postgres://me:s3cret@host/db", "postgresql://me:s3cret@host/db"] {
            let location = StateLocation::from(OsString::from(text));
            assert!(matches!(&location, StateLocation::Postgres(known) if known == text));
            assert!(!format!("{location:?}{location:#?}").contains("s3cret"));
        }
        for text in ["state.db", "/a/postgres:/x", "postgres"] {
            assert!(
                matches!(StateLocation::from(OsString::from(text)), StateLocation::File(path) if path == Path::new(text))
            );
        }
    }
}
