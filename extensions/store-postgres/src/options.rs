use std::{
    fmt,
    net::IpAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use stackwright::Result;
use tokio_postgres::{Config, config::Host};

use crate::{
    error::unusable,
    passfile,
    tls::{Tls, Trust},
    url,
};

/// The schema that stores use unless told otherwise.
const SCHEMA: &str = "stackwright";

/// Who changes the tables when a newer program wants others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Migrations {
    /// Opening the store does: makes the schema where there is none and brings an old one up to date.
    #[default]
    Apply,
    /// Somebody else did: a schema that is missing or old is refused. For programs whose role may not create tables.
    Expect,
}

/// Where the database is and how it is used.
///
/// Nothing here is read from the environment: that is for programs to do, not for libraries. `Debug` shows no password.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use stackwright_store_postgres::PostgresOptions;
///
/// let options = PostgresOptions::parse("postgres://deployer@db.example.com/platform?sslmode=verify-full")?
///     .password("correct horse")
///     .schema("stackwright_staging")?
///     .connections(16)
///     .patience(Duration::from_secs(30));
/// assert!(!format!("{options:?}").contains("horse"));
/// # Ok::<(), stackwright::Error>(())
/// ```
#[derive(Clone)]
pub struct PostgresOptions {
    pub(crate) config: Config,
    pub(crate) schema: String,
    pub(crate) tls: Tls,
    pub(crate) connections: usize,
    pub(crate) connect_timeout: Duration,
    pub(crate) call_timeout: Duration,
    pub(crate) patience: Duration,
    pub(crate) migrations: Migrations,
}

impl PostgresOptions {
    /// Reads a connection string: `postgres://user@host:5432/database?…`.
    ///
    /// Beside what PostgreSQL's own programs know (`host`, `port`, `user`, `dbname`, `connect_timeout`,
    /// `application_name`, `target_session_attrs`, several hosts, …) these may follow the `?`:
    ///
    /// | name | meaning |
    /// |---|---|
    /// | `schema` | the schema of the store, `stackwright` unless set |
    /// | `connections` | how many connections at most, 8 unless set |
    /// | `sslmode` | `disable`, `prefer`, `require`, `verify-ca`, `verify-full`; see below |
    /// | `sslrootcert` | a file with the authorities to believe instead of the system's |
    /// | `sslcert`, `sslkey` | files with a certificate of the client and its key |
    ///
    /// A database on this machine is reached with `prefer` unless set otherwise (TLS where the server offers it,
    /// unchecked), one elsewhere with `verify-full` (TLS with the server's certificate and name checked). Paths may not
    /// have `&` or `#` in them unless these are percent-encoded.
    ///
    /// # Errors
    /// `store.options` (`InvalidInput`) where the text cannot be read, or names a file that cannot. The text is not
    /// repeated: it may hold a password.
    pub fn parse(text: &str) -> Result<Self> {
        let (rest, ours) = url::split(text)?;
        let mut config: Config = rest.parse().map_err(|_| {
            unusable("the connection string of the database cannot be read; percent-encode what is not plain in it")
        })?;
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            return Err(unusable("the connection string of the database names no host"));
        }
        if config.get_application_name().is_none() {
            config.application_name("stackwright");
        }
        config.keepalives_idle(Duration::from_secs(30));
        config.keepalives_interval(Duration::from_secs(10));
        let connect_timeout = config.get_connect_timeout().copied().unwrap_or(Duration::from_secs(10));
        config.connect_timeout(connect_timeout);
        let trust = if is_here(&config) { Trust::WhateverThere } else { Trust::Full };
        let mut options = Self {
            config,
            schema: SCHEMA.to_owned(),
            tls: Tls { trust, ..Tls::default() },
            connections: 8,
            connect_timeout,
            call_timeout: Duration::from_secs(60),
            patience: Duration::from_secs(15),
            migrations: Migrations::default(),
        };
        let mut passfile = None;
        for (name, value) in ours {
            match name {
                "schema" => options = options.schema(&value)?,
                "connections" => {
                    let count = value.parse().map_err(|_| unusable("`connections` is not a number"))?;
                    options = options.connections(count);
                }
                "sslmode" => options.tls.trust = Trust::parse(&value)?,
                "sslrootcert" => options.tls.roots = Some(PathBuf::from(value)),
                "sslcert" => options.tls.certificate = Some(PathBuf::from(value)),
                "sslkey" => options.tls.key = Some(PathBuf::from(value)),
                _ => passfile = Some(value),
            }
        }
        options.tls.check()?;
        options.config.ssl_mode(options.tls.trust.mode());
        match passfile {
            Some(path) => options.passfile(path),
            None => Ok(options),
        }
    }

    /// Sets the password. One that is set wins over one in the connection string.
    pub fn password(mut self, password: impl AsRef<[u8]>) -> Self {
        self.config.password(password);
        self
    }

    /// Returns whether there is a password.
    pub fn has_password(&self) -> bool {
        self.config.get_password().is_some()
    }

    /// Looks the password up in a file of lines `host:port:database:user:password`, as PostgreSQL's own programs do; `*`
    /// stands for anything, `\` goes before `:` and `\`. Without a line that fits, nothing changes; nor where a
    /// password is known already.
    ///
    /// # Errors
    /// `store.options` where the file cannot be read, or others than its owner can read it.
    pub fn passfile(mut self, path: impl AsRef<Path>) -> Result<Self> {
        if !self.has_password()
            && let Some(password) = passfile::look_up(path.as_ref(), &self.config)?
        {
            self.config.password(password);
        }
        Ok(self)
    }

    /// Sets the schema: whoever shares a database with others, or has several environments in one, gives each its own.
    ///
    /// # Errors
    /// `store.options` unless the name has 1 to 63 lower-case letters, digits and `_`, begins with no digit and not with
    /// `pg_`.
    pub fn schema(mut self, name: &str) -> Result<Self> {
        let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        let is_good = (1..=63).contains(&name.len())
            && name.chars().all(is_plain)
            && !name.starts_with(|c: char| c.is_ascii_digit())
            && !name.starts_with("pg_")
            && name != "information_schema";
        if !is_good {
            let message = "the schema of a store is named by 1 to 63 lower-case letters, digits and `_`, \
                           does not begin with a digit or `pg_`";
            return Err(unusable(message).context("schema", name.escape_debug()));
        }
        name.clone_into(&mut self.schema);
        Ok(self)
    }

    /// Sets how many connections are open at the same time, at least 1; 8 unless set. Each serves one call at a time;
    /// commits of one stack follow each other, those of different stacks run side by side.
    pub fn connections(mut self, count: usize) -> Self {
        self.connections = count.max(1);
        self
    }

    /// Sets how long a call may take before its connection is given up; 60 seconds unless set. The server is told to give
    /// up then, too.
    pub fn call_timeout(mut self, timeout: Duration) -> Self {
        self.call_timeout = timeout.max(Duration::from_millis(1));
        self
    }

    /// Sets for how long a call is sent again when the database was not reached or its answer was lost; 15 seconds
    /// unless set. Then it fails with `store.unavailable`, which says whether it may have happened.
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Sets who changes the tables.
    pub fn migrations(mut self, migrations: Migrations) -> Self {
        self.migrations = migrations;
        self
    }

    /// Returns where the database is, for people: hosts and database, no user and no password.
    pub(crate) fn place(&self) -> String {
        let ports = self.config.get_ports();
        let hosts = self.config.get_hosts().iter().enumerate().map(|(idx, host)| {
            let port = ports.get(idx).or(ports.first()).copied().unwrap_or(5432);
            match host {
                Host::Tcp(name) => format!("{name}:{port}"),
                #[cfg(unix)]
                Host::Unix(path) => format!("{}:{port}", path.display()),
            }
        });
        let mut hosts: Vec<String> = hosts.collect();
        if hosts.is_empty() {
            hosts = self.config.get_hostaddrs().iter().map(IpAddr::to_string).collect();
        }
        let name = self.config.get_dbname().or(self.config.get_user()).unwrap_or("the user's own");
        format!("{}/{name}", hosts.join(","))
    }
}

impl fmt::Debug for PostgresOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresOptions")
            .field("place", &self.place())
            .field("user", &self.config.get_user())
            .field("schema", &self.schema)
            .field("tls", &self.tls)
            .field("connections", &self.connections)
            .field("migrations", &self.migrations)
            .finish_non_exhaustive()
    }
}

/// Returns whether all hosts are this machine.
fn is_here(config: &Config) -> bool {
    let is_loopback = |name: &str| name == "localhost" || name.parse().is_ok_and(|ip: IpAddr| ip.is_loopback());
    config.get_hosts().iter().all(|host| match host {
        Host::Tcp(name) => is_loopback(name),
        #[cfg(unix)]
        Host::Unix(_) => true,
    }) && config.get_hostaddrs().iter().all(IpAddr::is_loopback)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "s3cr3t-canary";

    #[test]
    fn tells_where_and_never_the_password() {
        let text = format!("postgres://me:{SECRET}@db.example.com:6432/shop?schema=staging&sslmode=require");
        let options = PostgresOptions::parse(&text).expect("reads");
        assert_eq!(options.place(), "db.example.com:6432/shop");
        assert_eq!(options.schema, "staging");
        let shown = format!("{options:?} {options:#?}");
        assert!(shown.contains("db.example.com") && !shown.contains(SECRET), "{shown}");
    }

    #[test]
    fn a_text_that_cannot_be_read_is_not_repeated() {
        for text in [
            format!("postgres://me:{SECRET}?x@host/db"),
            format!("postgres://me:{SECRET}@host/db?what=1"),
            format!("postgres://me:{SECRET}@host/db?sslmode={SECRET}"),
            format!("postgres://me:{SECRET}@host/db?connections={SECRET}"),
            format!("postgres://me:{SECRET}@host:port/db"),
            format!("mysql://me:{SECRET}@host/db"),
            format!("postgres://?password={SECRET}"),
            format!("postgres://me@host/db?password={SECRET}&schema=%zz"),
        ] {
            let error = PostgresOptions::parse(&text).expect_err(&text);
            assert_eq!(error.code(), "store.options");
            assert!(!format!("{error:?}\n{}", error.report()).contains(SECRET), "{error:?}");
        }
    }

    #[test]
    fn a_schema_is_a_plain_name() {
        let options = PostgresOptions::parse("postgres://localhost").expect("reads");
        for name in ["a", "_x", "stackwright_2", &"a".repeat(63)] {
            options.clone().schema(name).expect(name);
        }
        for name in ["", "A", "1a", "a-b", "a b", "a\"b", "pg_x", "ä", "a.b", "information_schema", &"a".repeat(64)] {
            assert_eq!(options.clone().schema(name).expect_err(name).code(), "store.options", "{name}");
        }
    }

    #[test]
    fn only_this_machine_is_trusted_unchecked() {
        for (host, trust) in [
            ("localhost", Trust::WhateverThere),
            ("127.0.0.2", Trust::WhateverThere),
            ("[::1]", Trust::WhateverThere),
            ("%2Frun%2Fpostgresql", Trust::WhateverThere),
            ("db.example.com", Trust::Full),
            ("10.0.0.1", Trust::Full),
            ("localhost,db.example.com", Trust::Full),
        ] {
            let options = PostgresOptions::parse(&format!("postgres://me@{host}/shop")).expect(host);
            assert_eq!(options.tls.trust, trust, "{host}");
        }
    }
}
