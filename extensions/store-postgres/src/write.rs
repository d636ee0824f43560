use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use stackwright::{
    Error, Result,
    event::Timestamp,
    state::{Commit, Lease, LeaseToken, LedgerKey, LedgerRecord, StackKey, failure},
};
use tokio_postgres::{Row, types::ToSql};
use uuid::Uuid;

use crate::{
    batch::Batch,
    convert::{column, millis, number, signed, string, text},
    error::{refused, refused_record},
    link::{Failed, Link},
};

/// The calls that change something. Each is one statement, hence one transaction, and may arrive twice.
#[derive(Debug)]
pub(crate) struct Writes {
    link: Arc<Link>,
    /// Tells what this store sends from what others send under the same lease.
    writer: Uuid,
    /// Counts what this store sends, so that the database knows what it did already.
    last_number: AtomicI64,
    acquire: String,
    renew: String,
    free: String,
    forget: String,
    commit: String,
    append: String,
}

impl Writes {
    pub(crate) fn new(link: Arc<Link>) -> Self {
        let schema = &link.options().schema;
        let call = |name: &str, count: usize| {
            let parameters: Vec<String> = (1..=count).map(|idx| format!("${idx}")).collect();
            format!("SELECT * FROM \"{schema}\".{name}({})", parameters.join(", "))
        };
        Self {
            acquire: call("acquire_1", 5),
            renew: call("renew_1", 4),
            free: call("free_1", 3),
            forget: call("forget_1", 5),
            commit: call("commit_1", 25),
            append: call("append_1", 5),
            writer: Uuid::new_v4(),
            last_number: AtomicI64::new(0),
            link,
        }
    }

    pub(crate) async fn acquire(&self, key: &StackKey, holder: &str, now: Timestamp, ttl: Duration) -> Result<Lease> {
        text("the name of a stack", &key.tenant)?;
        text("the name of a stack", &key.name)?;
        text("the name of a holder", holder)?;
        // Where a first attempt was answered to nobody and its lease taken away again, the next one is another.
        for _ in 0..3 {
            let claim = Uuid::new_v4();
            let (tenant, name, ttl_ms) = (&*key.tenant, &*key.name, millis(ttl));
            let row = match self.link.query(&self.acquire, &[&tenant, &name, &holder, &ttl_ms, &claim]).await {
                Ok(rows) => one(rows)?,
                Err(Failed::Refused(error)) if error.code().code() == "SW001" => continue,
                Err(Failed::Refused(error)) => return Err(failure::unavailable(error.message())),
                Err(Failed::Because(error)) => return Err(error),
            };
            if column::<bool>(&row, 0)? {
                // By the caller's clock and from when it asked: never later than the database means.
                let expires = Timestamp(now.plus(ttl).0.min(i64::MAX.unsigned_abs()));
                return Ok(Lease {
                    stack: key.clone(),
                    token: LeaseToken(number(&row, 1)?),
                    holder: holder.into(),
                    expires,
                });
            }
            let left = Duration::from_millis(number(&row, 3)?);
            return Err(failure::lease_held(key, &string(&row, 2)?, now.plus(left)));
        }
        Err(failure::unavailable_for_now("the lease was taken away again and again before it was there"))
    }

    pub(crate) async fn renew(&self, lease: &Lease, now: Timestamp, ttl: Duration) -> Result<Lease> {
        let key = &lease.stack;
        let lost = || failure::lease_lost(key, lease.token);
        let token = token(lease.token).ok_or_else(lost)?;
        let rows = self.send(lease, &self.renew, &[&&*key.tenant, &&*key.name, &token, &millis(ttl)]).await?;
        match column(&one(rows)?, 0)? {
            true => Ok(Lease { expires: Timestamp(now.plus(ttl).0.min(i64::MAX.unsigned_abs())), ..lease.clone() }),
            false => Err(lost()),
        }
    }

    /// Takes the lease from whoever holds it under this token.
    pub(crate) async fn free(&self, lease: &Lease) -> Result<()> {
        let Some(token) = token(lease.token) else { return Ok(()) };
        self.send(lease, &self.free, &[&&*lease.stack.tenant, &&*lease.stack.name, &token]).await.map(drop)
    }

    pub(crate) async fn forget(&self, lease: &Lease) -> Result<()> {
        let token = token(lease.token).ok_or_else(|| failure::lease_lost(&lease.stack, lease.token))?;
        let (tenant, name, number) = (&*lease.stack.tenant, &*lease.stack.name, self.next_number());
        self.send(lease, &self.forget, &[&tenant, &name, &token, &self.writer, &number]).await.map(drop)
    }

    /// Returns a number that is larger than all that were sent before: what still lies about of those is not done any more
    /// once this one is.
    fn next_number(&self) -> i64 {
        self.last_number.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Makes all of these durable, or nothing of them.
    pub(crate) async fn commit(&self, lease: &Lease, commits: &[&Commit]) -> Result<()> {
        let token = token(lease.token).ok_or_else(|| failure::lease_lost(&lease.stack, lease.token))?;
        let batch = Batch::new(lease, commits)?;
        let (tenant, name, number) = (&*lease.stack.tenant, &*lease.stack.name, self.next_number());
        let parameters = batch.parameters();
        let mut list: Vec<&(dyn ToSql + Sync)> = vec![&tenant, &name, &token, &self.writer, &number];
        list.extend(parameters.list());
        self.send(lease, &self.commit, &list).await.map(drop)
    }

    /// Appends all of these to a ledger, or nothing of them.
    pub(crate) async fn append(&self, key: &LedgerKey, records: &[LedgerRecord]) -> Result<()> {
        if records.is_empty() {
            return Ok(());
        }
        let (tenant, kind, name) = (&*key.tenant, &*key.kind, &*key.name);
        for part in [tenant, kind, name] {
            text("the name of a ledger", part)?;
        }
        let seqs = records.iter().map(|record| signed(record.seq)).collect::<Result<Vec<i64>>>()?;
        let bodies: Vec<&[u8]> = records.iter().map(|record| &*record.body).collect();
        let sent = self.link.query(&self.append, &[&tenant, &kind, &name, &seqs, &bodies]).await;
        sent.map(drop).map_err(|failed| match failed {
            Failed::Refused(error) => refused_record(key, &error),
            Failed::Because(error) => error,
        })
    }

    async fn send(&self, lease: &Lease, sql: &str, parameters: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>> {
        self.link.query(sql, parameters).await.map_err(|failed| match failed {
            Failed::Refused(error) => refused(lease, &error),
            Failed::Because(error) => error,
        })
    }
}

/// Returns a token as the database holds it; none was ever handed out that it cannot hold.
fn token(token: LeaseToken) -> Option<i64> {
    i64::try_from(token.0).ok()
}

fn one(rows: Vec<Row>) -> Result<Row> {
    rows.into_iter().next().ok_or_else(|| Error::bug("a function of the PostgreSQL store gave no answer"))
}
