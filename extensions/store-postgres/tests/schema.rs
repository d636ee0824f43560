//! Schemas that are new, old, foreign or newer; users who may little; passwords and TLS.
#![cfg(unix)]

mod common;

use common::{begin, client, key, open, options, put, row};
use futures_util::future::join_all;
use stackwright::{
    Error,
    error::Retry,
    state::{LedgerKey, LedgerRecord, Store},
};
use stackwright_store_postgres::{Migrations, PostgresOptions, PostgresStore};
use stackwright_tests::postgres::{Server, fresh_schema, shared};

/// A password that must never be seen.
const SECRET: &str = "c4n4ry-0f-p4ssw0rds";

async fn refused(options: PostgresOptions) -> Error {
    let error = PostgresStore::open_with(options).await.expect_err("refused");
    let shown = format!("{error:?}\n{error}\n{}", error.report());
    assert!(!shown.contains(SECRET), "{shown}");
    error
}

async fn sql(server: &Server, text: &str) {
    client(&server.url("x")).await.batch_execute(text).await.unwrap_or_else(|error| panic!("{text}: {error:?}"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_may_open_a_new_schema_at_once() {
    let Some(server) = shared() else { return };
    for _ in 0..4 {
        let schema = fresh_schema();
        let url = server.url(&schema);
        let stores = join_all((0..12).map(|_| {
            let url = url.clone();
            tokio::spawn(async move { PostgresStore::open(&url).await })
        }));
        for store in stores.await {
            store.expect("no panic").expect("all get in").close().await;
        }
        let done: i64 = client(&url)
            .await
            .query_one(&format!("SELECT count(*) FROM {schema}.stackwright_migrations"), &[])
            .await
            .expect("asks")
            .get(0);
        assert_eq!(done, 2, "each migration once");
    }
}

#[tokio::test]
async fn schemas_know_nothing_of_each_other() {
    let Some(server) = shared() else { return };
    let (one, other) = (fresh_schema(), fresh_schema());
    let first = open(&server.url(&one)).await;
    let second = open(&server.url(&other)).await;
    let lease = begin(&first, "shop").await;
    begin(&second, "shop").await;
    first.commit(&lease, put(1, 1)).await.expect("commits");
    assert_eq!(first.load_rows(&key("shop")).await.expect("reads"), [row(1, 1)]);
    assert_eq!(second.load_rows(&key("shop")).await.expect("reads"), []);
}

#[tokio::test]
async fn leaves_alone_what_is_not_its_own() {
    let Some(server) = shared() else { return };
    for (what, make) in [
        ("a table", "CREATE TABLE S.stacks (a int)"),
        ("a view", "CREATE VIEW S.stacks AS SELECT 1"),
        ("a function", "CREATE FUNCTION S.now_ms() RETURNS int LANGUAGE sql AS 'SELECT 1'"),
        ("a type", "CREATE TYPE S.mood AS ENUM ('good')"),
        ("a sequence", "CREATE SEQUENCE S.tokens"),
    ] {
        let schema = fresh_schema();
        sql(server, &format!("CREATE SCHEMA {schema}; {}", make.replace("S.", &format!("{schema}.")))).await;
        let error = refused(options(&server.url(&schema))).await;
        assert_eq!(error.code(), "store.corrupt", "{what}: {error:?}");
        assert!(error.report().contains(&schema), "the schema is named: {error:?}");
        let tables: i64 = client(&server.url("x"))
            .await
            .query_one("SELECT count(*) FROM pg_tables WHERE schemaname = $1 AND tablename <> 'stacks'", &[&schema])
            .await
            .expect("asks")
            .get(0);
        assert_eq!(tables, 0, "{what}: it is as it was");
    }
}

#[tokio::test]
async fn an_empty_schema_is_a_new_one() {
    let Some(server) = shared() else { return };
    let schema = fresh_schema();
    sql(server, &format!("CREATE SCHEMA {schema}")).await;
    begin(&open(&server.url(&schema)).await, "shop").await;
}

#[tokio::test]
async fn refuses_a_newer_schema_and_tables_that_are_gone() {
    let Some(server) = shared() else { return };
    let schema = fresh_schema();
    let store = open(&server.url(&schema)).await;
    let lease = begin(&store, "shop").await;
    sql(server, &format!("INSERT INTO {schema}.stackwright_migrations (version) VALUES (1000)")).await;
    let error = refused(options(&server.url(&schema))).await;
    assert_eq!(error.code(), "store.version", "{error:?}");
    assert!(error.report().contains("found=1000"), "{error:?}");

    sql(server, &format!("DROP TABLE {schema}.objects")).await;
    let error = store.commit(&lease, put(1, 1)).await.expect_err("no table");
    assert_eq!(error.code(), "store.corrupt", "{error:?}");
    assert_eq!(store.load_rows(&key("shop")).await.expect_err("no table").code(), "store.corrupt");
    sql(server, &format!("DROP SCHEMA {schema} CASCADE")).await;
    assert_eq!(store.load_rows(&key("shop")).await.expect_err("no schema").code(), "store.corrupt");
}

fn ledger() -> LedgerKey {
    LedgerKey::new("acme", "note", "shop")
}

fn record(seq: u64, text: &str) -> LedgerRecord {
    LedgerRecord { seq, body: text.as_bytes().into() }
}

/// A schema that an older program made gets what is new, and keeps what it has.
#[tokio::test]
async fn an_old_schema_is_brought_up_to_date() {
    let Some(server) = shared() else { return };
    let schema = fresh_schema();
    sql(
        server,
        &format!(
            "CREATE SCHEMA {schema}; SET search_path TO {schema}, pg_temp; {}
             CREATE TABLE stackwright_migrations (version integer PRIMARY KEY, at timestamptz NOT NULL DEFAULT now());
             INSERT INTO stackwright_migrations (version) VALUES (1);
             INSERT INTO stacks (tenant, name, lineage, body) VALUES
                 ('acme', 'old', '00000000-0000-0000-0000-000000000007', '{{}}')",
            include_str!("../src/schema/0001.sql")
        ),
    )
    .await;
    let error = refused(options(&server.url(&schema)).migrations(Migrations::Expect)).await;
    assert_eq!(error.code(), "store.unavailable", "nobody migrated: {error:?}");
    let store = open(&server.url(&schema)).await;
    assert!(store.load_stack(&key("old")).await.expect("reads").is_some(), "what was there is there");
    store.append(&ledger(), vec![record(0, "x")]).await.expect("appends");
    assert_eq!(store.load_ledger(&ledger(), 0).await.expect("reads"), [record(0, "x")]);
    PostgresStore::open_with(options(&server.url(&schema)).migrations(Migrations::Expect)).await.expect("up to date");
}

/// What `docs/stores/postgres.md` tells to grant is enough, and a role that has it may not change tables.
#[tokio::test]
async fn a_user_with_the_documented_privileges_can_work() {
    let Some(server) = shared() else { return };
    let schema = fresh_schema();
    let role = format!("worker_{schema}");
    sql(server, &format!("CREATE ROLE {role} LOGIN")).await;
    let url = server.url(&schema).replace("app@", &format!("{role}@"));
    let expect = || options(&url).migrations(Migrations::Expect);

    let error = refused(expect()).await;
    assert_eq!((error.code(), error.retry_advice()), ("store.unavailable", Retry::No), "nobody migrated: {error:?}");
    let error = refused(options(&url)).await;
    assert_eq!(error.code(), "store.unavailable", "may not create: {error:?}");
    assert!(error.message().contains("privilege"), "{error:?}");

    open(&server.url(&schema)).await.close().await;
    let grants = include_str!("../../../docs/stores/postgres.md");
    let grants = grants.split("```sql").skip(1).filter_map(|rest| rest.split("```").next());
    let grants: Vec<&str> = grants.filter(|text| text.contains("GRANT USAGE ON SCHEMA")).collect();
    let [grants] = &grants[..] else { panic!("one block of grants: {grants:?}") };
    sql(server, &grants.replace("stackwright_worker", &role).replace("stackwright", &schema)).await;
    let store = PostgresStore::open_with(expect()).await.expect("enough to work");
    let lease = begin(&store, "shop").await;
    store.commit(&lease, put(1, 1)).await.expect("commits");
    store.append(&ledger(), vec![record(0, "x")]).await.expect("appends");
    assert_eq!(store.load_ledger(&ledger(), 0).await.expect("reads"), [record(0, "x")]);
    store.renew(&lease, common::now(), common::TTL).await.expect("renews");
    assert_eq!(store.load_rows(&key("shop")).await.expect("reads"), [row(1, 1)]);
    store.commit(&lease, common::delete(1)).await.expect("deletes");
    store.forget_stack(&lease).await.expect("forgets");
    store.release(&lease).await.expect("releases");
    let worker = tokio_postgres::connect(url.split('?').next().expect("a head"), tokio_postgres::NoTls).await;
    let (worker, connection) = worker.expect("connects");
    tokio::spawn(connection);
    worker.batch_execute(&format!("ALTER TABLE {schema}.stacks ADD x int")).await.expect_err("not its table");
}

/// Whatever servers and roles are set to, what the store relies on holds.
#[tokio::test]
async fn settings_of_a_role_change_nothing() {
    let Some(server) = shared() else { return };
    let schema = fresh_schema();
    let role = format!("odd_{schema}");
    sql(
        server,
        &format!(
            "CREATE ROLE {role} LOGIN SUPERUSER;
             ALTER ROLE {role} SET default_transaction_isolation TO 'serializable';
             ALTER ROLE {role} SET default_transaction_read_only TO on;
             ALTER ROLE {role} SET synchronous_commit TO off;
             ALTER ROLE {role} SET bytea_output TO 'escape';
             ALTER ROLE {role} SET timezone TO 'Asia/Shanghai';
             ALTER ROLE {role} SET search_path TO nowhere"
        ),
    )
    .await;
    let url = server.url(&schema).replace("app@", &format!("{role}@"));
    let store = open(&url).await;
    let lease = begin(&store, "shop").await;
    let results = join_all((0..200).map(|number| store.commit(&lease, put(number, 1)))).await;
    assert!(results.iter().all(Result::is_ok), "{results:?}");
    sql(
        server,
        &format!(
            "CREATE TABLE {schema}_seen AS SELECT ''::text AS level, ''::text AS isolation WHERE false;
             CREATE FUNCTION {schema}.look() RETURNS trigger LANGUAGE plpgsql AS
             'BEGIN INSERT INTO public.{schema}_seen VALUES
              (current_setting(''synchronous_commit''), current_setting(''transaction_isolation'')); RETURN NULL; END';
             CREATE TRIGGER look AFTER INSERT ON {schema}.objects EXECUTE FUNCTION {schema}.look()"
        ),
    )
    .await;
    store.commit(&lease, put(1_000, 1)).await.expect("commits");
    let seen = client(&url).await.query_one(&format!("SELECT level, isolation FROM public.{schema}_seen"), &[]).await;
    let seen = seen.expect("the trigger looked");
    assert_eq!((seen.get(0), seen.get(1)), ("on", "read committed"));
}

/// Server settings for users that need a password, and for TLS.
fn locked_server() -> Option<(Server, String, String)> {
    let authority_key = rcgen::KeyPair::generate().expect("a key");
    let mut authority = rcgen::CertificateParams::new(Vec::new()).expect("parameters");
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority_pem = authority.self_signed(&authority_key).expect("signs").pem();
    let issuer = rcgen::Issuer::new(authority, authority_key);
    let server_key = rcgen::KeyPair::generate().expect("a key");
    let server = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).expect("parameters");
    let certificate = server.signed_by(&server_key, &issuer).expect("signs").pem();
    let other_key = rcgen::KeyPair::generate().expect("a key");
    let mut other = rcgen::CertificateParams::new(Vec::new()).expect("parameters");
    other.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let other_pem = other.self_signed(&other_key).expect("signs").pem();
    let rules = "host all locked 127.0.0.1/32 scram-sha-256\nhostnossl all tlsonly 127.0.0.1/32 reject\n\
                 host all all 127.0.0.1/32 trust\n";
    let settings = "fsync=off\nssl=on\npassword_encryption='scram-sha-256'\n";
    let files = [("server.crt", &*certificate), ("server.key", &*server_key.serialize_pem()), ("pg_hba.conf", rules)];
    Server::start_with(settings, &files).map(|server| (server, authority_pem, other_pem))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn passwords_and_certificates() {
    let Some((server, authority, other)) = locked_server() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("writes");
        path
    };
    let (authority, other) = (write("authority.pem", &authority), write("other.pem", &other));
    sql(
        &server,
        &format!("CREATE ROLE locked LOGIN SUPERUSER PASSWORD '{SECRET}'; CREATE ROLE tlsonly LOGIN SUPERUSER"),
    )
    .await;
    let port = server.port();
    let at = |user: &str, host: &str, more: &str| format!("postgres://{user}@{host}:{port}/postgres?schema=s&{more}");

    // Passwords: wrong, missing, in the text, set, and from a file.
    let plain = at("locked", "127.0.0.1", "sslmode=disable");
    for refused_options in [
        options(&plain),
        options(&plain).password("not it"),
        options(&at(&format!("locked:{SECRET}x"), "127.0.0.1", "sslmode=disable")),
    ] {
        let error = refused(refused_options).await;
        assert_eq!((error.code(), error.retry_advice()), ("store.unavailable", Retry::No), "{error:?}");
    }
    let given = options(&plain).password(SECRET);
    assert!(!format!("{given:?}{given:#?}").contains(SECRET));
    let store = PostgresStore::open_with(given).await.expect("the password fits");
    assert!(!format!("{store:?}{store:#?}").contains(SECRET));
    open(&at(&format!("locked:{SECRET}"), "127.0.0.1", "sslmode=disable")).await;
    let passfile = write("passfile", &format!("127.0.0.1:{port}:*:locked:{SECRET}\n"));
    let error = options(&plain).passfile(&passfile).expect_err("others can read it");
    assert_eq!(error.code(), "store.options", "{error:?}");
    std::fs::set_permissions(&passfile, std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("chmod");
    let from_file = options(&plain).passfile(&passfile).expect("reads");
    PostgresStore::open_with(from_file).await.expect("the file has it");

    // Certificates: who is believed, and under which name.
    let roots = |path: &std::path::Path| format!("sslrootcert={}", path.display());
    let (good, bad) = (roots(&authority), roots(&other));
    for (host, more, gets_in) in [
        ("localhost", format!("sslmode=verify-full&{good}"), true),
        ("127.0.0.1", format!("sslmode=verify-full&{good}"), false),
        ("127.0.0.1", format!("sslmode=verify-ca&{good}"), true),
        ("localhost", format!("sslmode=verify-full&{bad}"), false),
        ("localhost", format!("sslmode=verify-ca&{bad}"), false),
        ("localhost", "sslmode=verify-full".to_owned(), false),
        ("127.0.0.1", "sslmode=require".to_owned(), true),
        ("127.0.0.1", "sslmode=prefer".to_owned(), true),
        ("127.0.0.1", String::new(), true),
        ("127.0.0.1", "sslmode=disable".to_owned(), false),
    ] {
        let result = PostgresStore::open(&at("tlsonly", host, &more)).await;
        assert_eq!(result.is_ok(), gets_in, "{host} {more}: {result:?}");
    }
    // And a password over TLS, bound to the channel.
    let both =
        at(&format!("locked:{SECRET}"), "localhost", &format!("sslmode=verify-full&{good}&channel_binding=require"));
    open(&both).await;
}

#[tokio::test]
async fn says_what_is_wrong_with_the_place() {
    let Some(server) = shared() else { return };
    let nobody = options("postgres://app@127.0.0.1:1/postgres?sslmode=disable");
    let error = refused(nobody.patience(std::time::Duration::ZERO)).await;
    assert_eq!((error.code(), error.retry_advice()), ("store.unavailable", Retry::WithBackoff), "{error:?}");
    assert!(error.report().contains("127.0.0.1:1/postgres"), "{error:?}");
    let missing = options(&server.url("x").replace("/postgres?", "/nowhere?"));
    let error = refused(missing).await;
    assert_eq!((error.code(), error.retry_advice()), ("store.unavailable", Retry::No), "{error:?}");
    assert!(error.message().contains("no database"), "{error:?}");
    sql(server, "CREATE DATABASE old TEMPLATE template0 ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C'").await;
    let error = refused(options(&server.url("x").replace("/postgres?", "/old?"))).await;
    assert!(error.message().contains("UTF8"), "{error:?}");
}
