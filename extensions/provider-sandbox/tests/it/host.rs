//! An engine with the provider, as a host embeds it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use stackwright::{
    error::Diagnostics as _,
    plan::{Action, Mode, Plan},
    resource::layer::Retry,
    run::{OnFailure, RunReport},
    stack::{ApplyOptions, Engine, EngineBuilder, Import, PlanOptions, Stack},
    state::{
        MemoryStore, Row, RunStatus, Store as _,
        cipher::{AesGcmCipher, Key},
    },
    template::{Files, Options, Template},
    value::Value,
};

use crate::cloud::{Cloud, PATIENCE};

/// One stack of an engine of its own.
pub(crate) struct Host {
    pub(crate) stack: Stack,
    store: Arc<MemoryStore>,
    header: String,
}

impl Host {
    pub(crate) fn new(cloud: &Cloud) -> Self {
        Self::with_header(&format!("provider \"sandbox\" {{\n endpoint = \"{}\"\n}}\n", cloud.endpoint()))
    }

    pub(crate) fn with_header(header: &str) -> Self {
        Self::with_attempts(header, 60)
    }

    /// Each call is made so often before its failure is believed.
    pub(crate) fn with_attempts(header: &str, attempts: u32) -> Self {
        Self::built(header, attempts, |builder| builder)
    }

    /// Everything that is made is bought at the cloud's shop.
    pub(crate) fn selling(cloud: &Cloud) -> Self {
        let header = format!("provider \"sandbox\" {{\n endpoint = \"{}\"\n}}\n", cloud.endpoint());
        let shop = stackwright_provider_sandbox::Shop::at(&cloud.endpoint()).expect("an address");
        Self::built(&header, 60, |builder| builder.seller(shop))
    }

    fn built(header: &str, attempts: u32, more: impl FnOnce(EngineBuilder) -> EngineBuilder) -> Self {
        let store = Arc::new(MemoryStore::new());
        let builder = Engine::builder()
            .shared_store(Arc::clone(&store) as _)
            .cipher(AesGcmCipher::new(Key::generate().expect("random bytes")))
            .provider(stackwright_provider_sandbox::provider())
            .layer(Retry::up_to(attempts).pauses(Duration::from_millis(20), Duration::from_millis(500)));
        let engine = more(builder).build().expect("a complete engine");
        Self { stack: engine.stack("tests", "sandbox"), store, header: header.to_owned() }
    }

    fn template(&self, text: &str) -> Template {
        let text = format!("{}{text}", self.header);
        let (template, mut problems) = Template::parse(&Files::from_texts([("main.tf", &*text)]), &Options::default());
        problems.extend(self.stack.validate(&template));
        assert!(!problems.has_errors(), "{problems:?}\n{text}");
        template
    }

    pub(crate) async fn try_plan(&self, text: &str, options: PlanOptions) -> stackwright::Result<Plan> {
        let template = self.template(text);
        tokio::time::timeout(PATIENCE, self.stack.plan(&template, options)).await.expect("planning ends")
    }

    pub(crate) async fn plan_with(&self, text: &str, options: PlanOptions) -> Plan {
        self.try_plan(text, options).await.unwrap_or_else(|error| panic!("{}\n{text}", error.report()))
    }

    /// Carries a plan out; failed steps are in the report.
    pub(crate) async fn carry_out(&self, plan: Plan) -> RunReport {
        let options = ApplyOptions { on_failure: OnFailure::Continue, ..ApplyOptions::default() };
        let run = self.stack.apply(plan, options).await.expect("it begins");
        tokio::time::timeout(PATIENCE, run.finish()).await.expect("the run ends in time").expect("it ends")
    }

    /// Plans and applies; failed steps are in the report.
    pub(crate) async fn try_apply(&self, text: &str) -> RunReport {
        let plan = self.plan_with(text, PlanOptions::default()).await;
        self.carry_out(plan).await
    }

    async fn apply_with(&self, text: &str, options: PlanOptions) -> BTreeMap<String, Action> {
        let plan = self.plan_with(text, options).await;
        let done = actions(&plan);
        let report = self.carry_out(plan).await;
        assert_eq!((report.status, &report.problems), (RunStatus::Succeeded, &Vec::new()));
        done
    }

    /// Plans and applies what has to succeed; returns what was done to each instance that was touched.
    pub(crate) async fn apply(&self, text: &str) -> BTreeMap<String, Action> {
        self.apply_with(text, PlanOptions::default()).await
    }

    /// Adopts objects, by address and id.
    pub(crate) async fn import(&self, text: &str, ids: &BTreeMap<String, String>) -> BTreeMap<String, Action> {
        let imports = ids.iter();
        let imports =
            imports.map(|(address, id)| Import { address: address.parse().expect("an address"), id: id.clone() });
        self.apply_with(text, PlanOptions { imports: imports.collect(), ..PlanOptions::default() }).await
    }

    pub(crate) async fn destroy(&self, text: &str) {
        self.apply_with(text, PlanOptions::default().mode(Mode::Destroy)).await;
        assert_eq!(self.rows().await.len(), 0);
    }

    /// Asserts that a plan finds nothing to do.
    pub(crate) async fn settled(&self, text: &str) {
        assert_eq!(actions(&self.plan_with(text, PlanOptions::default()).await), BTreeMap::new());
    }

    pub(crate) async fn rows(&self) -> Vec<Row> {
        self.stack.state().await.expect("state").sorted().into_iter().cloned().collect()
    }

    /// Returns an attribute of what is at an address.
    pub(crate) async fn get(&self, address: &str, name: &str) -> Value {
        let rows = self.rows().await;
        let row = rows.iter().find(|row| row.address.to_string() == address).expect("a row");
        row.attributes.unmark_deep().0.attribute(name).cloned().expect("an attribute")
    }

    /// Asserts that state and cloud say the same: each living thing is one row, is owned by it, and the other way round.
    pub(crate) async fn agrees_with(&self, cloud: &Cloud) {
        let rows = self.rows().await;
        let rows: BTreeSet<_> =
            rows.iter().map(|row| (row.remote_id.clone(), Some(row.object_id.to_string()))).collect();
        let living = cloud.living().await;
        let things: BTreeSet<_> =
            living.iter().map(|made| (Some(made.id.clone()), made.owner().map(str::to_owned))).collect();
        assert_eq!(living.len(), things.len());
        assert_eq!(rows, things);
        // Nothing that was made for one object was made twice, not even what is gone.
        let mut owners = BTreeSet::new();
        for made in cloud.objects().await {
            let owner = made.owner().expect("everything was made by the engine").to_owned();
            assert!(owners.insert(owner), "made twice: {made:?}");
        }
    }

    /// Returns everything that was stored, as somebody with a database shell sees it.
    pub(crate) async fn disk(&self) -> String {
        let rows = self.store.load_rows(self.stack.key()).await.expect("rows");
        let mut text: Vec<_> = rows.iter().map(|row| String::from_utf8_lossy(&row.body).into_owned()).collect();
        for run in self.stack.runs(u32::MAX).await.expect("runs") {
            let segments = self.store.load_segments(run.id).await.expect("segments");
            text.extend(segments.iter().map(|segment| String::from_utf8_lossy(&segment.body).into_owned()));
            let journal = self.store.load_journal(run.id).await.expect("a journal");
            text.extend(journal.iter().map(|entry| String::from_utf8_lossy(&entry.body).into_owned()));
        }
        text.join("\n")
    }
}

/// Returns what a plan does to each instance that it touches; reads of data sources are left out.
pub(crate) fn actions(plan: &Plan) -> BTreeMap<String, Action> {
    let touched = plan.changes.iter().filter(|change| ![Action::NoOp, Action::Read].contains(&change.action));
    touched.map(|change| (change.address.to_string(), change.action)).collect()
}
