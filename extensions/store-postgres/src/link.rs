use std::{
    fmt,
    time::{Duration, Instant},
};

use deadpool_postgres::{
    Hook, HookError, Manager, ManagerConfig, Object, Pool, PoolError, RecyclingMethod, Runtime, TimeoutType,
};
use stackwright::{Error, Result, error::Effect, state::failure};
use tokio::time::{sleep, timeout};
use tokio_postgres::{Error as PgError, Row, error::DbError, types::ToSql};

use crate::{
    error::{Attempt, classify, closed, storage, timed_out, while_connected},
    options::PostgresOptions,
    tls,
};

/// The pause before a call is sent again, at first and at most.
const PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// The way to the database: a pool of connections, and the rules of asking again.
pub(crate) struct Link {
    pool: Pool,
    options: PostgresOptions,
}

/// Why a call was not done.
pub(crate) enum Failed {
    /// One of our own functions refused; nothing was changed.
    Refused(Box<DbError>),
    /// Anything else.
    Because(Error),
}

impl Link {
    /// Makes the pool; connections come when they are needed.
    pub(crate) fn new(options: PostgresOptions) -> Result<Self> {
        let mut config = options.config.clone();
        config.tcp_user_timeout(options.call_timeout);
        let manager_config = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = Manager::from_config(config, tls::connector(&options)?, manager_config);
        let settings = settings(&options);
        let set_up = Hook::async_fn(move |client: &mut deadpool_postgres::ClientWrapper, _| {
            let settings = settings.clone();
            Box::pin(async move { client.batch_execute(&settings).await.map_err(HookError::Backend) })
        });
        let pool = Pool::builder(manager)
            .max_size(options.connections)
            .runtime(Runtime::Tokio1)
            .create_timeout(Some(options.connect_timeout))
            .wait_timeout(Some(options.call_timeout))
            .post_create(set_up)
            .build()
            .map_err(|error| Error::bug("the pool of connections cannot be made").because(error.to_string()))?;
        Ok(Self { pool, options })
    }

    pub(crate) fn options(&self) -> &PostgresOptions {
        &self.options
    }

    /// Brings the schema up to date over a connection of this pool, once: no second try, for whoever opens a store waits.
    pub(crate) async fn prepare(&self) -> Result<()> {
        let mut object = self.connection().await.map_err(|attempt| match attempt {
            Attempt::Final(error) | Attempt::Again(error) | Attempt::Lost(error) => {
                while_connected(&self.options, error)
            }
            Attempt::Refused(error) => failure::unavailable(error.message()),
        })?;
        let client: &mut tokio_postgres::Client = &mut object;
        crate::schema::prepare(client, &self.options).await
    }

    /// Sends one statement, which is a transaction of its own, until it is answered or patience ends.
    ///
    /// Whatever is sent here may arrive twice: each statement is made so that the second time changes nothing.
    pub(crate) async fn query(&self, sql: &str, parameters: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, Failed> {
        let begun = Instant::now();
        let mut pause = PAUSE;
        let mut is_open = false;
        loop {
            let error = match self.attempt(sql, parameters).await {
                Ok(rows) => return Ok(rows),
                Err(Attempt::Refused(error)) => return Err(Failed::Refused(error)),
                Err(Attempt::Final(error)) => return Err(self.failed(error, is_open)),
                Err(Attempt::Again(error)) => error,
                Err(Attempt::Lost(error)) => {
                    is_open = true;
                    error
                }
            };
            if begun.elapsed() + pause > self.options.patience {
                return Err(self.failed(error, is_open));
            }
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// `is_open`: an earlier attempt may have been carried out.
    fn failed(&self, error: Error, is_open: bool) -> Failed {
        let effect = if is_open { Effect::Unknown } else { Effect::None };
        Failed::Because(while_connected(&self.options, error.effect(effect)))
    }

    async fn attempt(&self, sql: &str, parameters: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, Attempt> {
        let object = self.connection().await?;
        let answer = timeout(self.options.call_timeout, async {
            // What is prepared is asked for by name next time; nothing was done before `query`.
            let statement = object.prepare_cached(sql).await.map_err(|error| match classify(&error) {
                Attempt::Lost(error) => Attempt::Again(error),
                other => other,
            })?;
            object.query(&statement, parameters).await.map_err(|error| classify(&error))
        });
        let result = answer.await.unwrap_or_else(|_| Err(Attempt::Lost(timed_out())));
        match &result {
            Ok(_) | Err(Attempt::Refused(_)) => {}
            // Whatever state the connection is in: nobody else gets it.
            Err(_) => drop(Object::take(object)),
        }
        result
    }

    async fn connection(&self) -> Result<Object, Attempt> {
        self.pool.get().await.map_err(|error| match error {
            PoolError::Backend(error) | PoolError::PostCreateHook(HookError::Backend(error)) => unconnected(&error),
            PoolError::Timeout(TimeoutType::Wait) => Attempt::Again(failure::unavailable_for_now(
                "all connections of the store are busy; allow it more of them",
            )),
            PoolError::Timeout(_) => {
                Attempt::Again(failure::unavailable_for_now("the database cannot be reached in time"))
            }
            PoolError::Closed => Attempt::Final(closed()),
            PoolError::PostCreateHook(_) | PoolError::NoRuntimeSpecified => {
                Attempt::Final(Error::bug("the pool of connections was set up in a wrong way"))
            }
        })
    }

    /// Closes all connections as soon as nobody uses them.
    pub(crate) fn close(&self) {
        self.pool.close();
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("options", &self.options).finish_non_exhaustive()
    }
}

/// Returns what an error says that came before anything could be sent.
fn unconnected(error: &PgError) -> Attempt {
    match classify(error) {
        Attempt::Lost(mapped) if mapped.retry_advice() == stackwright::error::Retry::No => Attempt::Final(mapped),
        Attempt::Lost(mapped) => Attempt::Again(mapped),
        Attempt::Refused(_) => Attempt::Final(storage(error)),
        other => other,
    }
}

/// What each connection is told first: nothing of what servers and roles may be set to changes what we rely on.
fn settings(options: &PostgresOptions) -> String {
    let limit = options.call_timeout.as_millis().clamp(1, i32::MAX.unsigned_abs().into());
    // A reply means that the facts are on the server's disk; more than that (replicas) is left as it is set.
    format!(
        "SET default_transaction_isolation TO 'read committed';
         SET default_transaction_read_only TO off;
         SET search_path TO pg_catalog;
         SET statement_timeout TO {limit};
         SET idle_in_transaction_session_timeout TO {limit};
         SET client_min_messages TO warning;
         SET jit TO off;
         SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off';"
    )
}
