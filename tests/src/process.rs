//! Processes that carry out a scene and may die on the way.
//!
//! A process is a runtime of its own with time that stands still until everybody waits. Dropping the runtime is its
//! death: every task and every call ends where it is. The world and the disk stay.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use futures_util::FutureExt as _;
use stackwright::{
    error::Result,
    event::{Bus, Clock, Event, Timestamp},
    order::OrderRequest,
    plan::codec,
    resource::Registry,
    run::{Canceller, Driver, DriverParts, Entry, Options, Resume, RunReport, decode_entry},
    state::{
        Commit, Lineage, MemoryStore, Row, RowWrite, RunId, RunStatus, StackWrite, Store,
        codec::{Sealer, decode_row, encode_outputs, encode_row},
        testing::{Faults, FaultyStore, fixed_sealer},
    },
};

use crate::{
    scene::{Scene, stack},
    shop::Shop,
    world::World,
};

/// A clock on tokio's time, which tests let stand still.
#[derive(Debug)]
pub struct TestClock {
    start: tokio::time::Instant,
    beginning: Timestamp,
}

impl TestClock {
    /// Returns a clock that begins now, at `beginning`.
    pub fn beginning(beginning: Timestamp) -> Self {
        Self { start: tokio::time::Instant::now(), beginning }
    }
}

#[async_trait]
impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        self.beginning.plus(self.start.elapsed())
    }

    fn monotonic(&self) -> Duration {
        self.start.elapsed()
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

/// How a process ended.
#[derive(Debug)]
pub enum End {
    /// It died.
    Died,
    /// The run ended, or paused.
    Ended(Result<RunReport>),
}

impl End {
    /// Returns the report of a run that ended.
    ///
    /// # Panics
    /// When it did not.
    pub fn report(self) -> RunReport {
        match self {
            Self::Ended(Ok(report)) => report,
            other => panic!("the run did not end: {other:?}"),
        }
    }
}

/// A scene with its world and its disk, over all processes that work on it.
#[derive(Debug)]
pub struct Stage {
    /// The plan.
    pub scene: Scene,
    /// The cloud.
    pub world: Arc<World>,
    /// What is durable.
    pub disk: Arc<MemoryStore>,
    /// The run.
    pub run: RunId,
    /// How runs are carried out.
    pub options: Options,
    /// What is ordered, where the shop is open.
    pub orders: Option<Vec<OrderRequest>>,
}

/// What a watcher of events may do.
pub type Watch<'a> = dyn FnMut(&Event, &Canceller) + 'a;

impl Stage {
    /// Sets a scene in a new world.
    pub fn new(scene: &Scene, seed: u64) -> Self {
        let world = World::new(seed);
        scene.furnish(&world);
        let disk = Arc::new(MemoryStore::new());
        let run = RunId::from_u128(7);
        world.set_witness(Arc::clone(&disk), run, sealer());
        let options = Options { parallelism: 3, grace: Duration::from_millis(100), ..Options::default() };
        let stage = Self { scene: scene.clone(), world, disk, run, options, orders: None };
        stage.store_rows();
        stage
    }

    /// Takes the scene on with another plan and run.
    pub fn follow(self, scene: Scene) -> Self {
        let run = RunId::from_u128(self.run.as_u128() + 1);
        self.world.set_witness(Arc::clone(&self.disk), run, sealer());
        Self { scene, run, ..self }
    }

    fn store_rows(&self) {
        if self.scene.rows.is_empty() {
            return;
        }
        block_on(async {
            let lease = self.disk.acquire(&stack(), "before", Timestamp(0), Duration::from_secs(1)).await?;
            let rows = self.scene.rows.iter().map(|row| encode_row(row, &sealer()).map(RowWrite::Put));
            let body = encode_outputs(&std::collections::BTreeMap::new(), &sealer())?;
            let commit = Commit {
                rows: rows.collect::<Result<_>>()?,
                stack: Some(StackWrite { lineage: Lineage::from_u128(1), body }),
                ..Commit::default()
            };
            self.disk.commit(&lease, commit).await?;
            self.disk.release(&lease).await
        })
        .expect("the rows are stored");
    }

    /// Returns the rows on disk, ordered by object.
    pub fn rows(&self) -> Vec<Row> {
        let records = block_on(self.disk.load_rows(&stack())).expect("the disk works");
        records.iter().map(|record| decode_row(record, &sealer()).expect("a row")).collect()
    }

    /// Returns the journal on disk.
    pub fn journal(&self) -> Vec<Entry> {
        let records = block_on(self.disk.load_journal(self.run)).expect("the disk works");
        records.iter().map(|record| decode_entry(record, &sealer()).expect("a fact")).collect()
    }

    /// Returns how the run stands on disk.
    pub fn status(&self) -> Option<RunStatus> {
        block_on(self.disk.load_run(self.run)).expect("the disk works").map(|record| record.status)
    }

    /// Takes the lease away from whoever holds it, as another host would.
    ///
    /// # Panics
    /// When the disk has to be waited for.
    pub fn steal_lease(&self) {
        let steal = async {
            self.disk.break_lease(&stack()).await?;
            self.disk.acquire(&stack(), "thief", self.world.now(), Duration::from_secs(1)).await
        };
        steal.now_or_never().expect("a store in memory answers at once").expect("the lease is taken");
    }

    /// Returns everything on disk as text, as somebody with a database shell sees it.
    pub fn disk_text(&self) -> String {
        let bodies = block_on(async {
            let rows = self.disk.load_rows(&stack()).await?.into_iter().map(|row| row.body);
            let journal = self.disk.load_journal(self.run).await?.into_iter().map(|entry| entry.body);
            let record = self.disk.load_stack(&stack()).await?.into_iter().map(|record| record.body);
            let run = self.disk.load_run(self.run).await?.into_iter().map(|record| record.body);
            Ok::<_, stackwright::Error>(rows.chain(journal).chain(record).chain(run).collect::<Vec<_>>())
        });
        let bodies = bodies.expect("the disk works");
        bodies.iter().map(|body| String::from_utf8_lossy(body).into_owned()).collect::<Vec<_>>().join("\n")
    }

    /// Lets a process start the run, or take it up where it was begun.
    pub fn process(&self, faults: Faults) -> End {
        self.watched(faults, &mut |_, _| {}).0
    }

    /// The same, with somebody who sees each event; also returns how many writes the process asked for.
    pub fn watched(&self, faults: Faults, watch: &mut Watch<'_>) -> (End, u64) {
        let store = Arc::new(FaultyStore::new(Arc::clone(&self.disk) as _, faults).hang_when_dead());
        self.world.set_process(Arc::clone(&store));
        let end = block_on(async {
            tokio::select! {
                biased;
                () = store.died() => End::Died,
                end = self.live(Arc::clone(&store), watch) => End::Ended(end),
            }
        });
        (end, store.write_count())
    }

    async fn live(&self, store: Arc<FaultyStore>, watch: &mut Watch<'_>) -> Result<RunReport> {
        let clock: Arc<dyn Clock> = Arc::new(TestClock::beginning(self.world.now()));
        // Whoever held the lease before is dead.
        self.disk.break_lease(&stack()).await?;
        let ttl = Duration::from_secs(30);
        let lease = self.disk.acquire(&stack(), "test", clock.now(), ttl).await?;
        let records = self.disk.load_rows(&stack()).await?;
        let mut registry = Registry::new();
        registry.add_provider(self.world.provider())?;
        let parts = DriverParts {
            store,
            lease: lease.clone(),
            lease_ttl: ttl,
            sealer: sealer(),
            lineage: Lineage::from_u128(1),
            plan: Arc::clone(&self.scene.plan),
            rows: records.iter().map(|record| decode_row(record, &sealer())).collect::<Result<_>>()?,
            seller: self.orders.as_ref().map(|_| Arc::new(Shop::new(&self.world)) as _),
            orders: self.orders.clone().unwrap_or_default(),
            calls: Arc::new(registry),
            finalizer: self.scene.finalizer(),
            bus: Bus::new(Arc::clone(&clock)),
            clock,
            options: self.options.clone(),
        };
        let known = self.disk.load_run(self.run).await?;
        let mut handle = if known.is_some() {
            let plan = Arc::clone(&self.scene.plan);
            let resume = Resume::load(&*self.disk, self.run, &sealer(), |body| match body {
                PLAN => Ok((*plan).clone()),
                // What undoes it is a plan like any other.
                body => codec::decode(body, &sealer()),
            })
            .await?;
            Driver::resume(parts, resume).await?
        } else {
            Driver::start(parts, self.run, Arc::from(PLAN)).await?
        };
        let canceller = handle.canceller();
        while let Some(recorded) = handle.next_event().await {
            watch(&recorded.event, &canceller);
        }
        let report = handle.finish().await;
        self.disk.release(&lease).await?;
        report
    }
}

/// Stands for the encoded plan of a scene.
const PLAN: &[u8] = b"the plan";

/// Returns the sealer of all scenes.
pub fn sealer() -> Sealer {
    fixed_sealer(stack())
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    runtime.expect("a runtime").block_on(future)
}
