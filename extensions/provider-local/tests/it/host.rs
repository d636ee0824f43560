//! An engine with the provider, as a host embeds it.

use std::sync::Arc;

use stackwright::{
    Result,
    error::Diagnostics as _,
    plan::{Action, Mode, Plan},
    resource::Object,
    run::RunReport,
    stack::{ApplyOptions, Engine, Import, PlanOptions, Stack},
    state::{
        MemoryStore, Row, RunStatus,
        cipher::{AesGcmCipher, Key},
    },
    template::{Files, Options, Template},
};

/// One stack of an engine of its own.
pub(crate) struct Host {
    pub(crate) stack: Stack,
    store: Arc<MemoryStore>,
}

impl Host {
    pub(crate) fn new() -> Self {
        let store = Arc::new(MemoryStore::new());
        let engine = Engine::builder()
            .shared_store(Arc::clone(&store) as _)
            .cipher(AesGcmCipher::new(Key::generate().expect("random bytes")))
            .provider(stackwright_provider_local::provider())
            .build()
            .expect("a complete engine");
        Self { stack: engine.stack("tests", "local"), store }
    }

    /// Reads a template that has to be sound.
    pub(crate) fn template(&self, text: &str) -> Template {
        let (template, mut problems) = Template::parse(&Files::from_texts([("main.tf", text)]), &Options::default());
        problems.extend(self.stack.validate(&template));
        assert!(!problems.has_errors(), "{problems:?}\n{text}");
        template
    }

    pub(crate) async fn try_plan(&self, text: &str, options: PlanOptions) -> Result<Plan> {
        self.stack.plan(&self.template(text), options).await
    }

    pub(crate) async fn plan(&self, text: &str) -> Plan {
        self.try_plan(text, PlanOptions::default()).await.unwrap_or_else(|error| panic!("{error:?}\n{text}"))
    }

    /// Carries a plan out; failed steps are in the report.
    pub(crate) async fn carry_out(&self, plan: Plan) -> RunReport {
        let run = self.stack.apply(plan, ApplyOptions::default()).await.expect("it begins");
        run.finish().await.expect("it ends")
    }

    /// Plans and applies what has to succeed; returns what was done to each instance that was touched.
    pub(crate) async fn apply(&self, text: &str) -> Vec<(String, Action)> {
        self.apply_with(text, PlanOptions::default()).await
    }

    pub(crate) async fn apply_with(&self, text: &str, options: PlanOptions) -> Vec<(String, Action)> {
        let plan = self.try_plan(text, options).await.unwrap_or_else(|error| panic!("{error:?}\n{text}"));
        let done = actions(&plan);
        let report = self.carry_out(plan).await;
        assert_eq!((report.status, &report.problems), (RunStatus::Succeeded, &Vec::new()));
        done
    }

    /// Adopts an object.
    pub(crate) async fn import(&self, text: &str, address: &str, id: &str) -> Vec<(String, Action)> {
        let address = address.parse().expect("an address");
        let imports = vec![Import { address, id: id.to_owned() }];
        self.apply_with(text, PlanOptions { imports, ..PlanOptions::default() }).await
    }

    pub(crate) async fn destroy(&self, text: &str) -> Vec<(String, Action)> {
        self.apply_with(text, PlanOptions::default().mode(Mode::Destroy)).await
    }

    /// Returns the rows, sorted by address.
    pub(crate) async fn rows(&self) -> Vec<Row> {
        let state = self.stack.state().await.expect("state");
        state.sorted().into_iter().cloned().collect()
    }

    /// Returns the object at an address, unmarked.
    pub(crate) async fn object(&self, address: &str) -> Object {
        let rows = self.rows().await;
        let row = rows.iter().find(|row| row.address.to_string() == address).expect("a row");
        Object {
            id: row.remote_id.clone().expect("an id"),
            attributes: row.attributes.unmark_deep().0,
            private: row.private.clone(),
        }
    }

    /// Returns everything that was stored, as somebody with a database shell sees it.
    pub(crate) async fn disk(&self) -> String {
        use stackwright::state::Store as _;
        let key = self.stack.key();
        let mut bodies: Vec<Arc<[u8]>> =
            self.store.load_rows(key).await.expect("rows").into_iter().map(|row| Arc::from(&*row.body)).collect();
        for run in self.stack.runs(u32::MAX).await.expect("runs") {
            let segments = self.store.load_segments(run.id).await.expect("segments");
            bodies.extend(segments.into_iter().map(|segment| Arc::from(&*segment.body)));
            let journal = self.store.load_journal(run.id).await.expect("a journal");
            bodies.extend(journal.into_iter().map(|entry| Arc::from(&*entry.body)));
        }
        bodies.iter().map(|body| String::from_utf8_lossy(body).into_owned()).collect::<Vec<_>>().join("\n")
    }
}

/// Returns what a plan does to each instance that it touches.
pub(crate) fn actions(plan: &Plan) -> Vec<(String, Action)> {
    let touched = plan.changes.iter().filter(|change| change.action != Action::NoOp);
    touched.map(|change| (change.address.to_string(), change.action)).collect()
}
