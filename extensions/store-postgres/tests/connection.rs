//! Connections that break: at every byte, in the middle of a transaction, with the server, and answers that come late.
#![cfg(unix)]

mod common;
#[path = "common/proxy.rs"]
mod proxy;

use std::time::Duration;

use common::{begin, client, delete, entry, first, key, now, open, options, put, row, run_of, serial, step};
use futures_util::future::join_all;
use proxy::Proxy;
use stackwright::{
    error::{Effect, Retry},
    state::{Commit, Lease, RowWrite, Store},
};
use stackwright_store_postgres::PostgresStore;
use stackwright_tests::postgres::{Server, fresh_schema, shared};

/// Opens a store with one connection through a proxy, and its stack.
async fn behind_a_proxy(server: &Server) -> (Proxy, String, PostgresStore, Lease) {
    let proxy = Proxy::start(server.port()).await;
    let schema = fresh_schema();
    let store = PostgresStore::open_with(options(&server.url_at(proxy.port, &schema)).connections(1)).await;
    let store = store.expect("opens");
    let lease = begin(&store, "shop").await;
    (proxy, schema, store, lease)
}

/// However much of a commit or of its answer gets through: it is done once, and the store knows.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_at_any_byte_loses_and_doubles_nothing() {
    let Some(server) = shared() else { return };
    let (proxy, _, store, lease) = behind_a_proxy(server).await;
    let mut number = 0;
    let commit_next = async |number: &mut u64| {
        let result = store.commit(&lease, step("shop", *number)).await;
        result.unwrap_or_else(|error| panic!("commit {number}: {error:?}"));
        *number += 1;
    };
    // How long a commit and its answer are once everything is prepared.
    commit_next(&mut number).await;
    let before = proxy.passed();
    commit_next(&mut number).await;
    let after = proxy.passed();
    let request = usize::try_from(after.0 - before.0).expect("small");
    let answer = usize::try_from(after.1 - before.1).expect("small");
    assert!(request > 300 && answer > 20, "{request} {answer}");

    // All bytes of the answer; of the request every seventh and all near its end, where it becomes a whole message.
    let in_request = (1..=request).filter(|cut| cut % 7 == 0 || cut + 16 > request);
    let cuts = in_request.map(|cut| (true, cut)).chain((1..=answer).map(|cut| (false, cut)));
    let mut expected_cuts = 0;
    for (is_request, cut) in cuts {
        let serial_before = serial(&store, "shop").await;
        if is_request {
            proxy.cut_requests_after(cut);
        } else {
            proxy.cut_answers_after(cut);
        }
        commit_next(&mut number).await;
        proxy.mend();
        expected_cuts += 1;
        let what = if is_request { "request" } else { "answer" };
        assert_eq!(proxy.cuts(), expected_cuts, "{what} of {cut} bytes was cut");
        assert_eq!(serial(&store, "shop").await, serial_before + 1, "{what} of {cut} bytes: once");
    }
    let rows = store.load_rows(&key("shop")).await.expect("reads");
    assert_eq!(rows, (0..number).map(|number| row(number, 1)).collect::<Vec<_>>());
    assert_eq!(store.load_journal(run_of("shop")).await.expect("reads").len() as u64, number);
}

/// A connection that is new is cut while it is being made, while it is set up and while statements are prepared.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_while_connecting_is_no_failure() {
    let Some(server) = shared() else { return };
    let (proxy, _, store, lease) = behind_a_proxy(server).await;
    for number in 0..60_u64 {
        // Breaks the connection that is there, and a moment later the next one.
        proxy.cut_requests_after(1);
        proxy.cut_answers_after(usize::try_from(number).expect("small") * 31 + 1);
        store.commit(&lease, step("shop", number)).await.expect("gets through in the end");
        proxy.mend();
    }
    assert_eq!(store.load_rows(&key("shop")).await.expect("reads").len(), 60);
    assert_eq!(serial(&store, "shop").await, 61);
}

/// A commit that was given up as lost and sent again arrives after others: nothing comes of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_arrives_late_is_not_done_again() {
    let Some(server) = shared() else { return };
    let proxy = Proxy::start(server.port()).await;
    let schema = fresh_schema();
    let options = options(&server.url_at(proxy.port, &schema)).connections(1).call_timeout(Duration::from_millis(700));
    let store = PostgresStore::open_with(options).await.expect("opens");
    let lease = begin(&store, "shop").await;
    store.commit(&lease, put(1, 1)).await.expect("prepares");

    proxy.hold();
    let commit = Commit { entries: vec![entry("shop", 0, "once")], ..put(2, 1) };
    let (result, ()) = tokio::join!(store.commit(&lease, commit), proxy.has_kept());
    // The first connection is still held; another one was made.
    result.expect("the second connection passes");
    // Others come before the first one arrives: the row goes, the outputs change.
    store.commit(&lease, delete(2)).await.expect("deletes");
    let serial_before = serial(&store, "shop").await;
    let answered = proxy.passed().1;
    proxy.let_go();
    // Nothing else is under way: the next answer that passes is the one to what came late.
    while proxy.passed().1 == answered {
        tokio::task::yield_now().await;
    }
    store.commit(&lease, put(3, 1)).await.expect("goes on");
    let rows = store.load_rows(&key("shop")).await.expect("reads");
    assert_eq!(rows, [row(1, 1), row(3, 1)], "the deleted row came back");
    assert_eq!(serial(&store, "shop").await, serial_before + 1);
}

/// A stack that was forgotten, by a call that was given up as lost and sent again, begins anew: the first of the two calls,
/// should it arrive by then, does not forget the new history.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_arrives_late_does_not_forget_what_began_since() {
    let Some(server) = shared() else { return };
    let proxy = Proxy::start(server.port()).await;
    let schema = fresh_schema();
    let options = options(&server.url_at(proxy.port, &schema)).connections(1).call_timeout(Duration::from_millis(700));
    let store = PostgresStore::open_with(options).await.expect("opens");
    let lease = begin(&store, "shop").await;
    // Prepares the statement, on a stack that has nothing.
    store.forget_stack(&lease).await.expect("forgets");

    proxy.hold();
    let (result, ()) = tokio::join!(store.forget_stack(&lease), proxy.has_kept());
    result.expect("the second connection passes");
    store.commit(&lease, first("shop")).await.expect("begins anew");
    let answered = proxy.passed().1;
    proxy.let_go();
    // Nothing else is under way: the next answer that passes is the one to what came late.
    while proxy.passed().1 == answered {
        tokio::task::yield_now().await;
    }
    assert_eq!(serial(&store, "shop").await, 1, "the new history was forgotten");
    assert_eq!(store.list_runs(&key("shop"), 9).await.expect("reads").len(), 1, "its run was forgotten");
}

/// Lets commits stop in the middle of their transaction while somebody holds the lock that this makes.
async fn stop_in_the_middle(client: &tokio_postgres::Client, schema: &str) {
    let sql = format!(
        "CREATE FUNCTION {schema}.wait() RETURNS trigger LANGUAGE plpgsql AS
         'BEGIN PERFORM pg_advisory_xact_lock_shared(hashtext(''{schema}'')); RETURN NULL; END';
         CREATE TRIGGER wait AFTER INSERT ON {schema}.objects FOR EACH ROW EXECUTE FUNCTION {schema}.wait()"
    );
    client.batch_execute(&sql).await.expect("a trigger");
}

/// Returns the process of the server that waits in the middle of a commit.
async fn waiting_backend(client: &tokio_postgres::Client) -> i32 {
    loop {
        let sql = "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND NOT granted LIMIT 1";
        if let Some(row) = client.query_opt(sql, &[]).await.expect("asks") {
            return row.get(0);
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backend_that_is_ended_in_the_middle_leaves_nothing_and_the_commit_is_done_once() {
    let Some(server) = Server::start() else { return };
    let schema = fresh_schema();
    let store = open(&server.url(&schema)).await;
    let lease = begin(&store, "shop").await;
    let admin = client(&server.url(&schema)).await;
    let holder = client(&server.url(&schema)).await;
    stop_in_the_middle(&admin, &schema).await;
    holder.execute("SELECT pg_advisory_lock(hashtext($1))", &[&schema]).await.expect("locks");

    let stopped = async {
        for round in 0..3 {
            let pid = waiting_backend(&admin).await;
            assert_eq!(store.load_rows(&key("shop")).await.expect("reads"), [], "nothing is there yet");
            let ended: bool =
                admin.query_one("SELECT pg_terminate_backend($1, 10000)", &[&pid]).await.expect("ends").get(0);
            assert!(ended, "round {round}");
        }
        waiting_backend(&admin).await;
        holder.execute("SELECT pg_advisory_unlock(hashtext($1))", &[&schema]).await.expect("unlocks");
    };
    let commit = Commit { entries: vec![entry("shop", 0, "a")], ..put(1, 1) };
    let (result, ()) = tokio::join!(store.commit(&lease, commit), stopped);
    result.expect("done in the end");
    assert_eq!(store.load_rows(&key("shop")).await.expect("reads"), [row(1, 1)]);
    assert_eq!(serial(&store, "shop").await, 2);
}

/// Whoever takes a lease away waits for the commit that is under way: none becomes durable under a lease that was lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lease_is_not_taken_in_the_middle_of_a_commit() {
    let Some(server) = Server::start() else { return };
    let schema = fresh_schema();
    let (store, other) = (open(&server.url(&schema)).await, open(&server.url(&schema)).await);
    let lease = begin(&store, "shop").await;
    let admin = client(&server.url(&schema)).await;
    let holder = client(&server.url(&schema)).await;
    stop_in_the_middle(&admin, &schema).await;
    holder.execute("SELECT pg_advisory_lock(hashtext($1))", &[&schema]).await.expect("locks");
    let mut commit = Box::pin(store.commit(&lease, put(1, 1)));
    assert!(futures_util::poll!(commit.as_mut()).is_pending());
    waiting_backend(&admin).await;
    let stack = key("shop");
    let mut taking = Box::pin(other.break_lease(&stack));
    loop {
        assert!(futures_util::poll!(taking.as_mut()).is_pending(), "the lease went in the middle of a commit");
        let sql = "SELECT count(*) FROM pg_locks WHERE locktype <> 'advisory' AND NOT granted";
        if admin.query_one(sql, &[]).await.expect("asks").get::<_, i64>(0) > 0 {
            break;
        }
    }
    holder.execute("SELECT pg_advisory_unlock(hashtext($1))", &[&schema]).await.expect("unlocks");
    commit.await.expect("it was first");
    taking.await.expect("then the lease went");
    assert_eq!(store.commit(&lease, put(2, 1)).await.expect_err("no lease").code(), "lease.lost");
    assert_eq!(other.load_rows(&stack).await.expect("reads"), [row(1, 1)]);
}

/// While a server crashes and comes back, commits wait; nothing acknowledged is lost, nothing is done twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_comes_back_is_waited_for() {
    let Some(server) = Server::start_with("", &[]) else { return };
    let schema = fresh_schema();
    let options = options(&server.url(&schema)).connections(4).patience(Duration::from_mins(2));
    let store = PostgresStore::open_with(options).await.expect("opens");
    let names = ["a", "b", "c"];
    let leases = join_all(names.map(|name| begin(&store, name))).await;
    for round in 0..2_u64 {
        let work = join_all(names.iter().zip(&leases).map(|(name, lease)| {
            let store = &store;
            async move {
                for number in round * 60..(round + 1) * 60 {
                    store.commit(lease, step(name, number)).await.unwrap_or_else(|error| panic!("{name}: {error:?}"));
                }
            }
        }));
        let work = async {
            work.await;
        };
        let restart = async {
            // In the middle of it.
            while serial(&store, "a").await < round * 60 + 10 {
                tokio::task::yield_now().await;
            }
            tokio::task::block_in_place(|| {
                server.crash();
                server.start_again();
            });
        };
        tokio::join!(work, restart);
    }
    for name in names {
        let rows = store.load_rows(&key(name)).await.expect("reads");
        assert_eq!(rows, (0..120).map(|number| row(number, 1)).collect::<Vec<_>>(), "{name}");
        assert_eq!(store.load_journal(run_of(name)).await.expect("reads").len(), 120, "{name}");
        assert_eq!(serial(&store, name).await, 121, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_an_answer_the_error_says_whether_it_may_have_happened() {
    let Some(server) = Server::start() else { return };
    let schema = fresh_schema();
    let options = options(&server.url(&schema)).patience(Duration::from_millis(200));
    let store = PostgresStore::open_with(options).await.expect("opens");
    let lease = begin(&store, "shop").await;
    let admin = client(&server.url(&schema)).await;
    stop_in_the_middle(&admin, &schema).await;
    let holder = client(&server.url(&schema)).await;
    holder.execute("SELECT pg_advisory_lock(hashtext($1))", &[&schema]).await.expect("locks");
    let crash = async {
        waiting_backend(&admin).await;
        server.crash();
    };
    let (result, ()) = tokio::join!(store.commit(&lease, put(1, 1)), crash);
    let error = result.expect_err("nobody answers");
    assert_eq!((error.code(), error.retry_advice()), ("store.unavailable", Retry::WithBackoff), "{error:?}");
    assert_eq!(error.effect_on_world(), Effect::Unknown, "it had been sent: {error:?}");
    // Now nothing can be sent at all.
    let error = store.commit(&lease, put(1, 1)).await.expect_err("nobody is there");
    assert_eq!((error.retry_advice(), error.effect_on_world()), (Retry::WithBackoff, Effect::None), "{error:?}");
    let error = store.load_rows(&key("shop")).await.expect_err("nobody is there");
    assert_eq!((error.retry_advice(), error.effect_on_world()), (Retry::WithBackoff, Effect::None), "{error:?}");
    server.start_again();
    store.commit(&lease, put(1, 1)).await.expect("the repeat gets through");
    assert_eq!(store.load_rows(&key("shop")).await.expect("reads"), [row(1, 1)]);
}

/// What a caller gave up waiting for is done, in its order, and closing waits for it.
#[tokio::test]
async fn closing_drains_and_then_refuses() {
    let Some(server) = shared() else { return };
    let schema = fresh_schema();
    let store = open(&server.url(&schema)).await;
    let lease = begin(&store, "shop").await;
    for number in 0..50 {
        let mut commit = Box::pin(store.commit(&lease, step("shop", number)));
        // Asked for, then dropped before the answer.
        let _ = futures_util::poll!(commit.as_mut());
    }
    store.close().await;
    store.close().await;
    for error in [
        store.load_rows(&key("shop")).await.map(drop),
        store.commit(&lease, put(1, 8)).await,
        store.renew(&lease, now(), common::TTL).await.map(drop),
    ] {
        assert_eq!(error.expect_err("closed").code(), "store.unavailable");
    }
    let again = open(&server.url(&schema)).await;
    assert_eq!(again.load_rows(&key("shop")).await.expect("rows").len(), 50);
}

/// Commits of other stacks do not wait for one that stands still.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stacks_do_not_wait_for_each_other() {
    let Some(server) = Server::start() else { return };
    let schema = fresh_schema();
    let store = open(&server.url(&schema)).await;
    let lease = begin(&store, "slow").await;
    let quick = begin(&store, "quick").await;
    let holder = client(&server.url(&schema)).await;
    holder
        .batch_execute(&format!("BEGIN; SELECT 1 FROM {schema}.stacks WHERE name = 'slow' FOR UPDATE"))
        .await
        .expect("locks");
    let mut slow = Box::pin(store.commit(&lease, put(1, 1)));
    assert!(futures_util::poll!(slow.as_mut()).is_pending());
    for number in 0..20 {
        store.commit(&quick, step("quick", number)).await.expect("does not wait");
    }
    assert!(futures_util::poll!(slow.as_mut()).is_pending());
    holder.batch_execute("COMMIT").await.expect("unlocks");
    slow.await.expect("its turn");
}

/// A large commit is one round trip and takes its time from the rows, not from their number squared.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_rows_are_one_message() {
    let Some(server) = shared() else { return };
    let (proxy, _, store, lease) = behind_a_proxy(server).await;
    store.commit(&lease, put(1, 1)).await.expect("prepares");
    let rows = (0..10_000).map(|number| RowWrite::Put(row(number, 2))).collect();
    let before = proxy.passed().1;
    store.commit(&lease, Commit { rows, ..Commit::default() }).await.expect("commits");
    let answered = proxy.passed().1 - before;
    assert!(answered < 200, "one answer for all of them, not {answered} bytes");
    assert_eq!(store.load_rows(&key("shop")).await.expect("reads").len(), 10_000);
    assert_eq!(serial(&store, "shop").await, 3);
}
