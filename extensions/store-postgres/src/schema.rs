use stackwright::{Result, state::failure};
use tokio_postgres::{Client, Error as PgError, Transaction};

use crate::{
    error::{storage, while_connected},
    options::{Migrations, PostgresOptions},
};

/// What brings a schema from version `idx` to `idx + 1`. Never changed once released, only added to.
const MIGRATIONS: &[&str] = &[include_str!("schema/0001.sql"), include_str!("schema/0002.sql")];

/// The version that this program reads and writes.
const VERSION: i32 = MIGRATIONS.len() as i32;

/// What the database says of the schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    /// There is none.
    Absent,
    /// There is one with nothing in it.
    Empty,
    /// One of ours, at this version.
    Ours(i32),
    /// Somebody else's.
    Foreign,
}

/// Brings the schema up to date, or only looks, as the options say. A foreign or newer one is left alone.
pub(crate) async fn prepare(client: &mut Client, options: &PostgresOptions) -> Result<()> {
    let failed = |error: PgError| while_connected(options, storage(&error));
    let encoding: String =
        client.query_one("SELECT current_setting('server_encoding')", &[]).await.map_err(failed)?.get(0);
    if encoding != "UTF8" {
        let message = "the database cannot hold every text; make one with the encoding UTF8";
        return Err(while_connected(options, failure::unavailable(message)).context("encoding", encoding));
    }
    let found = look(client, &options.schema).await.map_err(failed)?;
    if accept(found, options)? {
        return Ok(());
    }
    if options.migrations == Migrations::Expect {
        let message = "the schema of the store is missing or old; let a role that may create tables migrate it";
        return Err(while_connected(options, failure::unavailable(message)).context("version", VERSION));
    }
    migrate(client, options).await.map_err(failed)?;
    let found = look(client, &options.schema).await.map_err(failed)?;
    accept(found, options).map(drop)
}

/// Returns whether the schema is as this program wants it.
fn accept(found: Found, options: &PostgresOptions) -> Result<bool> {
    match found {
        Found::Ours(version) if version > VERSION => {
            let error = failure::too_new("the schema of the store", version.unsigned_abs().into(), VERSION as u64);
            Err(while_connected(options, error))
        }
        Found::Ours(version) => Ok(version == VERSION),
        Found::Absent | Found::Empty => Ok(false),
        Found::Foreign => {
            let message = "the schema belongs to something else and is left as it is; name another one";
            Err(while_connected(options, failure::corrupt(message)))
        }
    }
}

/// Looks at the schema without changing anything.
async fn look(client: &(impl Queries + Sync), schema: &str) -> Result<Found, PgError> {
    let row = client
        .one(
            "SELECT n.oid IS NOT NULL,
                    to_regclass(format('%I.stackwright_migrations', $1::text)) IS NOT NULL,
                    EXISTS (SELECT 1 FROM pg_class AS c WHERE c.relnamespace = n.oid)
                        OR EXISTS (SELECT 1 FROM pg_proc AS p WHERE p.pronamespace = n.oid)
                        OR EXISTS (SELECT 1 FROM pg_type AS t WHERE t.typnamespace = n.oid)
             FROM (SELECT 1) AS one LEFT JOIN pg_namespace AS n ON n.nspname = $1",
            schema,
        )
        .await?;
    Ok(match (row.get(0), row.get(1), row.get(2)) {
        (false, _, _) => Found::Absent,
        (true, true, _) => {
            let newest =
                format!("SELECT coalesce(max(version), 0) FROM \"{schema}\".stackwright_migrations WHERE $1 <> ''");
            Found::Ours(client.one(&newest, schema).await?.get(0))
        }
        (true, false, true) => Found::Foreign,
        (true, false, false) => Found::Empty,
    })
}

/// Migrates in one transaction, one process at a time; whoever waited finds nothing left to do.
async fn migrate(client: &mut Client, options: &PostgresOptions) -> Result<(), PgError> {
    let schema = &options.schema;
    let transaction = client.transaction().await?;
    transaction
        .execute("SELECT pg_advisory_xact_lock(hashtextextended('stackwright migrations of ' || $1, 0))", &[schema])
        .await?;
    let from = match look(&transaction, schema).await? {
        Found::Absent => {
            transaction.batch_execute(&format!("CREATE SCHEMA \"{schema}\"")).await?;
            0
        }
        Found::Empty => 0,
        Found::Ours(version) if version < VERSION => version,
        Found::Ours(_) | Found::Foreign => return Ok(()),
    };
    // Temporary tables last: nobody's can stand in for one of ours.
    transaction.batch_execute(&format!("SET LOCAL search_path TO \"{schema}\", pg_temp")).await?;
    if from == 0 {
        transaction
            .batch_execute(
                "CREATE TABLE stackwright_migrations (
                     version integer PRIMARY KEY, at timestamptz NOT NULL DEFAULT now())",
            )
            .await?;
    }
    for (step, version) in MIGRATIONS.iter().zip(1_i32..).skip(usize::try_from(from).unwrap_or(usize::MAX)) {
        transaction.batch_execute(step).await?;
        transaction.execute("INSERT INTO stackwright_migrations (version) VALUES ($1)", &[&version]).await?;
    }
    transaction.commit().await
}

/// What a connection and a transaction both can.
trait Queries {
    async fn one(&self, sql: &str, schema: &str) -> Result<tokio_postgres::Row, PgError>;
}

impl Queries for Client {
    async fn one(&self, sql: &str, schema: &str) -> Result<tokio_postgres::Row, PgError> {
        self.query_one(sql, &[&schema]).await
    }
}

impl Queries for Transaction<'_> {
    async fn one(&self, sql: &str, schema: &str) -> Result<tokio_postgres::Row, PgError> {
        self.query_one(sql, &[&schema]).await
    }
}
