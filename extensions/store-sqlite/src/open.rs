use std::{
    fs::{self, OpenOptions},
    io,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use rusqlite::{Connection, ErrorCode, MAIN_DB, OpenFlags, OptionalExtension as _};
use stackwright::{Error, Result, state::failure};

use crate::{
    SqliteOptions,
    error::storage,
    schema::{self, Found},
};

/// A page of a new database is this long (bytes), and a file has at least one.
const SMALLEST_PAGE: u64 = 4096;
/// Statements of one connection are few and always the same.
const CACHED_STATEMENTS: usize = 64;

/// Opens the database for writing: makes it, checks it, brings it up to date.
pub(crate) fn writer(options: &SqliteOptions) -> Result<Connection> {
    let path = &options.path;
    prepare_directory(options)?;
    create(path)?;
    // Two processes that make the database at once get in each other's way for a moment, and SQLite does not always
    // wait for that by itself.
    let deadline = Instant::now() + options.busy_timeout;
    loop {
        match try_writer(options) {
            Err(Attempt::Sql(error)) if is_busy(&error) && Instant::now() < deadline => {
                thread::sleep(Duration::from_millis(5));
            }
            Err(Attempt::Sql(error)) => return Err(storage(path, &error)),
            Err(Attempt::Refused(error)) => return Err(error.context("path", path.display())),
            Ok(connection) => return Ok(connection),
        }
    }
}

/// Opens another connection, which cannot write.
pub(crate) fn reader(options: &SqliteOptions) -> Result<Connection> {
    let open = || {
        let connection = connect(options)?;
        connection.pragma_update(None, "query_only", true)?;
        Ok(connection)
    };
    open().map_err(|error| storage(&options.path, &error))
}

enum Attempt {
    Sql(rusqlite::Error),
    Refused(Error),
}

impl From<rusqlite::Error> for Attempt {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

fn try_writer(options: &SqliteOptions) -> Result<Connection, Attempt> {
    let mut connection = connect(options)?;
    // Look before anything is written: a file that is not ours stays as it is.
    let found = schema::look(&connection)?;
    accept(found)?;
    refuse_stump(found, options)?;
    if let Found::Ours(version) = found
        && !schema::is_whole(&connection, version)?
    {
        return Err(Attempt::Refused(failure::corrupt(
            "the tables of the database are not as this program made them; restore a backup of it",
        )));
    }
    if connection.is_readonly(MAIN_DB)? {
        return Err(Attempt::Refused(failure::unavailable(
            "the database is read-only; make the file and its directory writable for this user",
        )));
    }
    let mode: String = connection.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))?;
    if mode != "wal" {
        return Err(Attempt::Refused(failure::unavailable(
            "the file system of the database has no shared memory; network file systems are not supported",
        )));
    }
    connection.pragma_update(None, "synchronous", "full")?;
    // Fewer checkpoints while a large run writes; the log shrinks again after them.
    connection.pragma_update(None, "wal_autocheckpoint", 4_000)?;
    connection.pragma_update(None, "journal_size_limit", 64 << 20)?;
    schema::migrate(&mut connection)?;
    accept(schema::look(&connection)?)?;
    check(&connection, options)?;
    Ok(connection)
}

fn accept(found: Found) -> Result<(), Attempt> {
    match found {
        Found::Ours(version) if version > schema::VERSION => Err(Attempt::Refused(failure::too_new(
            "the database",
            u64::try_from(version).unwrap_or_default(),
            u64::try_from(schema::VERSION).unwrap_or_default(),
        ))),
        Found::Empty | Found::Ours(_) => Ok(()),
        Found::Foreign => Err(Attempt::Refused(failure::corrupt(
            "the file is a SQLite database of another program; it is left as it is",
        ))),
    }
}

/// Looks for damage, where that is cheap: pages, indexes against their tables, and rows that refer to nothing. Bodies have
/// check sums of their own; what finds them has not.
fn check(connection: &Connection, options: &SqliteOptions) -> Result<(), Attempt> {
    let size = fs::metadata(&options.path).map_or(0, |metadata| metadata.len());
    if size > options.check_up_to_bytes {
        return Ok(());
    }
    let damaged = |what: String| {
        Err(Attempt::Refused(failure::corrupt("the database is damaged; restore a backup of it").because(what)))
    };
    let answer: String = connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    if answer != "ok" {
        return damaged(answer);
    }
    let stray: Option<String> = connection.query_row("PRAGMA foreign_key_check", [], |row| row.get(0)).optional()?;
    match stray {
        Some(table) => damaged(format!("a row of `{table}` refers to nothing")),
        None => Ok(()),
    }
}

/// Refuses what is left of a file that was cut off within its first page: SQLite takes it for an empty one.
fn refuse_stump(found: Found, options: &SqliteOptions) -> Result<(), Attempt> {
    let size = fs::metadata(&options.path).map_or(0, |metadata| metadata.len());
    match found {
        Found::Empty if (1..SMALLEST_PAGE).contains(&size) => {
            Err(Attempt::Refused(failure::corrupt("the file was cut off; restore a backup of it")))
        }
        _ => Ok(()),
    }
}

fn connect(options: &SqliteOptions) -> rusqlite::Result<Connection> {
    // Absolute, so that no file name means something special to SQLite.
    let path = std::path::absolute(&options.path).unwrap_or_else(|_| options.path.clone());
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(options.busy_timeout)?;
    connection.set_prepared_statement_cache_capacity(CACHED_STATEMENTS);
    connection.pragma_update(None, "cache_size", -16_000)?;
    Ok(connection)
}

fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}

fn prepare_directory(options: &SqliteOptions) -> Result<()> {
    let directory = parent(&options.path);
    match fs::metadata(&directory) {
        Ok(metadata) if metadata.is_dir() => Ok(()),
        Ok(_) => {
            Err(failure::unavailable("the directory of the database is a file").context("path", directory.display()))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound && options.create_directory => {
            let mut builder = fs::DirBuilder::new();
            builder.recursive(true);
            #[cfg(unix)]
            {
                use std::os::unix::fs::DirBuilderExt as _;
                builder.mode(0o700);
            }
            builder.create(&directory).map_err(|error| {
                failure::unavailable("the directory of the database cannot be made")
                    .context("path", directory.display())
                    .because(error)
            })
        }
        Err(error) => Err(failure::unavailable(
            "the directory of the database does not exist; create it, or open the store with `create_directory`",
        )
        .context("path", options.path.display())
        .because(error)),
    }
}

fn parent(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// Makes an empty file with mode 0600 where there is none. SQLite gives its companions the same mode.
///
/// The file gets its name after it was closed: closing any descriptor of a file drops the locks that SQLite holds on
/// it elsewhere in this process.
fn create(path: &Path) -> Result<()> {
    let unavailable = |error: io::Error| {
        failure::unavailable("the database cannot be made; check that this user may write its directory")
            .context("path", path.display())
            .because(error)
    };
    match fs::metadata(path) {
        // SQLite takes a file of one byte for an empty one.
        Ok(metadata) if metadata.is_file() && metadata.len() == 1 => {
            return Err(failure::corrupt("the file is not a SQLite database; it is left as it is")
                .context("path", path.display()));
        }
        Ok(metadata) if metadata.is_file() => return Ok(()),
        Ok(_) => return Err(failure::unavailable("the database is not a file").context("path", path.display())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(unavailable(error)),
    }
    let mut name = path.file_name().map(ToOwned::to_owned).unwrap_or_default();
    name.push(format!(".{}.new", stackwright::state::RunId::mint()));
    let draft = path.with_file_name(name);
    create_new(&draft).map_err(unavailable)?;
    let linked = match fs::hard_link(&draft, path) {
        // File systems without hard links.
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => create_new(path),
        other => other,
    };
    let cleared = fs::remove_file(&draft);
    match linked {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => cleared,
        other => other.and(cleared),
    }
    .map_err(unavailable)
}

fn create_new(path: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options.open(path).map(drop)
}
