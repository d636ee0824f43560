use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use super::{Engine, Stack, Tenant};
use crate::{
    error::{Error, ErrorKind, Result},
    plan::{Plan, StepAction},
    run::uses_of,
    state::{Head, LedgerDraft, LedgerHistory, LedgerKey, Row, RunId, RunStatus, Uses},
    tenant::{Book, Claim, Holding, Limit, Mark, QuotaCheck, QuotaFact, QuotaUse, Quotas, uses_of_rows},
};

/// What the ledgers are called.
const LEDGER: &str = "quota";

/// How many entries a generation has before the next one begins, so that reading stays as cheap as it was.
const GENERATION: u64 = 64;

/// How often an entry is decided anew when others were faster.
const TRIES: u64 = 100;

/// What an engine with quotas has.
pub(super) struct QuotaOffice {
    quotas: Arc<dyn Quotas>,
    /// For each tenant a generation that was there: the newest is it, or comes after it.
    newest: Mutex<BTreeMap<Arc<str>, u64>>,
}

/// The newest generation of a tenant's ledger, as it was read.
struct Page {
    generation: u64,
    head: Head,
    book: Book,
    /// The first entry, where the generation has none yet.
    opening: Option<QuotaFact>,
}

/// What somebody who looks may do about what is found out.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Look {
    /// Rows that changed are counted; runs are taken to be under way.
    Rows,
    /// Runs are asked about, too. Nothing is written.
    Runs,
    /// The same; a run that never began is kept from beginning.
    RunsForGood,
}

/// What became of a run that something was reserved for.
enum Truth {
    /// It may add to what the stack uses.
    Open,
    /// It adds nothing any more.
    Over,
}

impl QuotaOffice {
    pub(super) fn new(quotas: Arc<dyn Quotas>) -> Self {
        Self { quotas, newest: Mutex::default() }
    }

    fn newest(&self, tenant: &str) -> u64 {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner).get(tenant).copied().unwrap_or_default()
    }

    fn note_newest(&self, tenant: &Arc<str>, generation: u64) {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner).insert(Arc::clone(tenant), generation);
    }
}

impl fmt::Debug for QuotaOffice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("QuotaOffice").field(&self.quotas).finish()
    }
}

impl Tenant {
    /// Returns what the tenant uses of everything that is counted or limited, what runs under way may add, and the limits;
    /// by dimension. Empty for an engine without quotas. Nothing is written down.
    ///
    /// What is reserved for a run that ended, or never began, counts no more, whether that was noted or not.
    ///
    /// # Errors
    /// What the host's [`Quotas`] say; `ledger.broken`; those of [`Store`](crate::state::Store).
    ///
    /// # Complexity
    /// O(the tenant's stacks, and rows of those that changed since they were counted).
    pub async fn quotas(&self) -> Result<Vec<QuotaUse>> {
        let Some(office) = &self.engine().inner.quotas else { return Ok(Vec::new()) };
        let limits = office.quotas.limits(self.name()).await?;
        let desk = Desk { engine: self.engine(), office, tenant: self.name() };
        let mut page = desk.read().await?;
        desk.correct(&mut page.book, None, Look::Runs).await?;
        Ok(page.book.uses(&limits))
    }
}

impl Stack {
    /// Returns what a plan does to the tenant's quotas: what is used and reserved, what it adds, who adds how much, and whether it
    /// would be refused. Empty for an engine without quotas. Nothing is written down, and nothing is reserved.
    ///
    /// # Errors
    /// `plan.stale` for the plan of another stack; otherwise as [`Tenant::quotas`].
    ///
    /// # Complexity
    /// As [`Tenant::quotas`], and O(rows and steps).
    pub async fn quota_check(&self, plan: &Plan) -> Result<QuotaCheck> {
        self.refuse_foreign(plan)?;
        let Some(office) = &self.engine.inner.quotas else { return Ok(QuotaCheck::default()) };
        let limits = office.quotas.limits(&self.key.tenant).await?;
        let rows = self.rows(&self.sealer()).await?;
        let claim = self.claim(plan, &rows);
        self.weigh(office, &claim, &limits).await
    }

    /// Reserves what a plan may add, before its run begins; `None` where nothing has to be. The lease is held, and `rows` are
    /// those of the stack.
    pub(super) async fn reserve(&self, plan: &Plan, run: RunId, rows: &[Row]) -> Result<Option<QuotaCheck>> {
        let is_idle = |action: StepAction| matches!(action, StepAction::Read | StepAction::Wait);
        if plan.row_updates.is_empty() && plan.steps.iter().all(|step| is_idle(step.action))
            || self.engine.inner.quotas.is_none()
        {
            return Ok(None);
        }
        self.reserve_claim(&self.claim(plan, rows), run).await
    }

    /// Reserves room for rows that another stack had, in a stack that has none. They
    /// are settled under this id, which no run has.
    pub(super) async fn reserve_rows(&self, rows: &[Row], id: RunId) -> Result<()> {
        self.reserve_claim(&self.claim_of_rows(rows), id).await.map(drop)
    }

    /// Refuses rows that another stack had where there is no room for them; nothing is reserved. What is there already is fine.
    pub(crate) async fn refuse_rows(&self, rows: &[Row]) -> Result<()> {
        let Some(office) = &self.engine.inner.quotas else { return Ok(()) };
        if rows.is_empty() || !self.store().load_rows(&self.key).await?.is_empty() {
            return Ok(());
        }
        let limits = office.quotas.limits(&self.key.tenant).await?;
        self.weigh(office, &self.claim_of_rows(rows), &limits).await?.refusal().map_or(Ok(()), Err)
    }

    async fn weigh(&self, office: &QuotaOffice, claim: &Claim, limits: &[Limit]) -> Result<QuotaCheck> {
        let desk = Desk { engine: &self.engine, office, tenant: &self.key.tenant };
        let mut page = desk.read().await?;
        desk.correct(&mut page.book, Some(&self.key.name), Look::Runs).await?;
        Ok(page.book.check(&self.key.name, claim, limits))
    }

    async fn reserve_claim(&self, claim: &Claim, run: RunId) -> Result<Option<QuotaCheck>> {
        let Some(office) = &self.engine.inner.quotas else { return Ok(None) };
        // What only takes away needs no limits, and goes on while nobody can say them.
        let limits = match claim.growth.is_empty() {
            true => Vec::new(),
            false => office.quotas.limits(&self.key.tenant).await?,
        };
        let desk = Desk { engine: &self.engine, office, tenant: &self.key.tenant };
        let name = Some(&*self.key.name);
        for attempt in 1..=TRIES {
            let mut page = desk.read().await?;
            let mut facts = desk.correct(&mut page.book, name, Look::Rows).await?;
            let mut check = page.book.check(&self.key.name, claim, &limits);
            if check.is_refused() {
                // Before somebody is refused it is made sure that nothing stands in the way that is over.
                facts.extend(desk.correct(&mut page.book, name, Look::RunsForGood).await?);
                check = page.book.check(&self.key.name, claim, &limits);
            }
            let refusal = check.refusal();
            if refusal.is_none() {
                let (base, growth) = (claim.base.clone(), claim.growth.clone());
                facts.push(QuotaFact::Reserved { stack: Arc::clone(&self.key.name), run, base, growth });
            }
            let written = desk.write(&page, facts).await;
            match (refusal, written) {
                // It is refused, whether what was found out could be written down or not.
                (Some(refusal), _) => return Err(refusal),
                (None, Ok(true)) => return Ok(Some(check)),
                (None, Ok(false)) => desk.pause(attempt, run).await,
                (None, Err(error)) => return Err(error),
            }
        }
        Err(busy(&self.key.tenant))
    }

    /// Counts the stack anew, after `run` ended or never began, or after its rows were edited. What is reserved for another
    /// run stays.
    pub(super) async fn settle_quota(&self, run: Option<RunId>) -> Result<()> {
        let Some(office) = &self.engine.inner.quotas else { return Ok(()) };
        let desk = Desk { engine: &self.engine, office, tenant: &self.key.tenant };
        for attempt in 1..=TRIES {
            let page = desk.read().await?;
            let holding = page.book.stacks.get(&self.key.name).cloned().unwrap_or_default();
            if holding.open.is_some_and(|open| Some(open.run) != run) {
                return Ok(());
            }
            let record = self.store().load_stack(&self.key).await?;
            let mark = record.as_ref().map(Mark::from);
            if page.book.stacks.get(&self.key.name).is_some_and(|known| known.open.is_none() && known.mark == mark) {
                return Ok(());
            }
            let uses = desk.count(self).await?;
            let fact = QuotaFact::Settled { stack: Arc::clone(&self.key.name), run, mark, uses };
            if desk.write(&page, vec![fact]).await? {
                return Ok(());
            }
            desk.pause(attempt, run.unwrap_or_else(RunId::mint)).await;
        }
        Err(busy(&self.key.tenant))
    }

    fn claim_of_rows(&self, rows: &[Row]) -> Claim {
        let registry = self.engine.registry();
        Claim::of_rows(rows, &|name, provider, attributes| uses_of(&*registry, name, provider, attributes))
    }

    fn claim(&self, plan: &Plan, rows: &[Row]) -> Claim {
        let registry = self.engine.registry();
        Claim::of(plan, rows, &|type_name, provider, attributes| uses_of(&*registry, type_name, provider, attributes))
    }
}

fn busy(tenant: &str) -> Error {
    let message = format!("others wrote to the quota ledger of `{tenant}` {TRIES} times in a row; try again");
    Error::new(ErrorKind::Conflict, "quota.busy", message)
}

/// Where one tenant's ledger is kept.
struct Desk<'a> {
    engine: &'a Engine,
    office: &'a QuotaOffice,
    tenant: &'a Arc<str>,
}

impl Desk<'_> {
    fn ledger(&self, generation: u64) -> crate::state::Ledger {
        self.engine.ledger(LedgerKey::new(Arc::clone(self.tenant), LEDGER, generation.to_string()))
    }

    async fn load(&self, generation: u64) -> Result<(LedgerHistory, Book)> {
        let history = self.ledger(generation).load().await?;
        let facts = history.entries.iter().map(crate::state::LedgerEntry::read);
        let facts: Vec<QuotaFact> = facts.collect::<Result<_>>()?;
        let book = Book::of(&facts)?;
        Ok((history, book))
    }

    /// Reads the newest generation; where that is closed, the beginning of the next one.
    ///
    /// A process that knows one of the last generations reads one or two; another searches, doubling its steps, so that it
    /// reads about twice the logarithm of how many there are.
    async fn read(&self) -> Result<Page> {
        let mut low = self.office.newest(self.tenant);
        let mut found = self.load(low).await?;
        if found.0.entries.is_empty() && low > 0 {
            (low, found) = (0, self.load(0).await?);
        }
        let (mut step, mut high) = (1, None);
        while found.1.is_closed {
            let next = match high {
                None => low.saturating_add(step),
                Some(high) if high - low > 1 => low + (high - low) / 2,
                Some(_) => break,
            };
            let probed = self.load(next).await?;
            if probed.0.entries.is_empty() {
                high = Some(next);
            } else {
                (low, found) = (next, probed);
                step = step.saturating_mul(2);
            }
        }
        self.office.note_newest(self.tenant, low);
        let (history, book) = found;
        Ok(match book.is_closed {
            false => Page { generation: low, head: history.head, book, opening: None },
            true => Page {
                generation: low + 1,
                head: Head::default(),
                opening: Some(QuotaFact::Opened { previous: history.head.hash, stacks: book.stacks.clone() }),
                book: Book { is_closed: false, ..book },
            },
        })
    }

    /// Appends behind what was read; false where somebody else was faster.
    async fn write(&self, page: &Page, facts: Vec<QuotaFact>) -> Result<bool> {
        if facts.is_empty() {
            return Ok(true);
        }
        let mut drafts = Vec::with_capacity(facts.len() + 2);
        for fact in page.opening.iter().chain(&facts) {
            drafts.push(LedgerDraft::new(fact)?);
        }
        if page.head.next + drafts.len() as u64 >= GENERATION {
            drafts.push(LedgerDraft::new(&QuotaFact::Closed {})?);
        }
        match self.ledger(page.generation).append(&page.head, &drafts).await {
            Ok(_) => Ok(true),
            Err(error) if error.code() == "store.conflict" => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Lets others go first, longer each time, and not all equally long.
    async fn pause(&self, attempt: u64, run: RunId) {
        let spread = u64::try_from(run.as_u128() & 0xffff).unwrap_or_default();
        let pause = 1 + spread.wrapping_mul(attempt) % (4 * attempt);
        self.engine.clock().sleep(Duration::from_millis(pause)).await;
    }

    /// Puts right what the ledger has otherwise than the store: rows that were changed without it, and what is reserved for
    /// runs that are over. Returns the entries that say so, which the book has taken already.
    async fn correct(&self, book: &mut Book, but: Option<&str>, look: Look) -> Result<Vec<QuotaFact>> {
        let records = self.engine.inner.store.list_stacks(Some(self.tenant)).await?;
        let marks: BTreeMap<&Arc<str>, Mark> =
            records.iter().map(|record| (&record.key.name, Mark::from(record))).collect();
        let mut facts = Vec::new();
        for name in marks.keys().copied().chain(book.stacks.keys().filter(|name| !marks.contains_key(name))) {
            if but == Some(&**name) {
                continue;
            }
            let (mark, holding) = (marks.get(name).copied(), book.stacks.get(name));
            let stack = self.engine.stack(Arc::clone(self.tenant), Arc::clone(name));
            let run = match holding {
                Some(Holding { open: Some(_), .. }) if look == Look::Rows => continue,
                Some(Holding { open: Some(open), .. }) => match self.truth(&stack, open.run, look).await? {
                    Truth::Open => continue,
                    Truth::Over => Some(open.run),
                },
                Some(known) if known.mark == mark => continue,
                _ => None,
            };
            let uses = if mark.is_some() { self.count(&stack).await? } else { Uses::default() };
            facts.push(QuotaFact::Settled { stack: Arc::clone(name), run, mark, uses });
        }
        facts.iter().for_each(|fact| book.apply(fact));
        Ok(facts)
    }

    /// Returns what became of a run, as the store says.
    async fn truth(&self, stack: &Stack, run: RunId, look: Look) -> Result<Truth> {
        // The lease first: whoever holds it may be about to begin the run.
        let is_held = stack.lease().await?.is_some();
        match self.status(stack, run).await? {
            Some(RunStatus::Running) => return Ok(Truth::Open),
            Some(_) => return Ok(Truth::Over),
            None if is_held => return Ok(Truth::Open),
            None if look != Look::RunsForGood => return Ok(Truth::Over),
            None => {}
        }
        // Its process may only be slow. Once somebody else has had the lease it can begin nothing with its own.
        let Ok(lease) = stack.acquire("release quota").await else { return Ok(Truth::Open) };
        let status = self.status(stack, run).await;
        let released = stack.store().release(&lease).await;
        let status = status?;
        released?;
        Ok(if status == Some(RunStatus::Running) { Truth::Open } else { Truth::Over })
    }

    async fn status(&self, stack: &Stack, run: RunId) -> Result<Option<RunStatus>> {
        let record = stack.store().load_run(run).await?.filter(|record| record.stack == stack.key);
        Ok(record.map(|record| record.status))
    }

    /// Counts what a stack uses, from its rows.
    async fn count(&self, stack: &Stack) -> Result<Uses> {
        let rows = stack.rows(&stack.sealer()).await?;
        let registry = self.engine.registry();
        Ok(uses_of_rows(&rows, &|type_name, provider, attributes| uses_of(&*registry, type_name, provider, attributes)))
    }
}
