use std::{collections::BTreeMap, fmt, sync::Arc};

use super::{
    Applications, AuditRecord, Fact, InstallationView, Outcome, PackageRef, Permission, Standing, Verb, fold::Folded,
    platform::LEDGER, problem,
};
use crate::{
    catalog::Shown,
    error::{Error, Result},
    event::Timestamp,
    form::{self, Context, Form, Phase},
    stack::Stack,
    state::{Ledger, LedgerDraft, LedgerKey, StackKey},
    value::Value,
};

/// How often an entry is decided anew when somebody else was faster.
const TRIES: usize = 16;

/// One version of a package, installed for one tenant under a name: a stack, and a ledger. It need not exist yet.
///
/// Cheap to clone. Whatever is asked of it is first put to the host's policy.
#[derive(Clone)]
pub struct Installation {
    pub(super) apps: Applications,
    pub(super) key: StackKey,
    pub(super) stack: Stack,
    ledger: Ledger,
}

/// What really became of the change that the ledger says is open.
pub(super) enum Truth {
    /// Somebody carries it out, or is about to.
    Busy,
    /// It began, and nobody goes on.
    Interrupted,
    /// It ended like that.
    Ended(Outcome),
}

impl Installation {
    pub(super) fn new(apps: Applications, key: StackKey) -> Self {
        let engine = apps.platform.engine();
        let stack = engine.stack(Arc::clone(&key.tenant), Arc::clone(&key.name));
        let ledger = engine.ledger(LedgerKey::new(Arc::clone(&key.tenant), LEDGER, Arc::clone(&key.name)));
        Self { apps, key, stack, ledger }
    }

    /// Returns whose it is, and its name.
    pub fn key(&self) -> &StackKey {
        &self.key
    }

    /// Returns how it stands, and what was done with it. Nothing is written down.
    ///
    /// # Errors
    /// `installation.unknown` where nothing was ever installed under the name; `installation.denied`; those of
    /// [`Ledger::load`].
    pub async fn view(&self) -> Result<InstallationView> {
        self.permit(Verb::View, None, None).await?;
        let folded = self.load_known().await?;
        let truth = self.truth(&folded).await?;
        let kind = folded.in_question().map(|change| change.kind);
        let mut view = folded.view;
        if let (Some(kind), Some(Truth::Interrupted)) = (kind, truth) {
            view.standing = Standing::Interrupted(kind);
        }
        Ok(view)
    }

    /// Returns everything that was written down of it, in order.
    ///
    /// # Errors
    /// As [`view`](Self::view); `ledger.broken` where somebody changed it.
    pub async fn audit(&self) -> Result<Vec<AuditRecord>> {
        self.permit(Verb::View, None, None).await?;
        Ok(self.load_known().await?.audit)
    }

    /// Returns what it says of itself, by name of the output; secrets are marked.
    ///
    /// # Errors
    /// As [`view`](Self::view).
    pub async fn outputs(&self) -> Result<BTreeMap<String, Value>> {
        self.permit(Verb::View, None, None).await?;
        self.load_known().await?;
        let outputs = self.stack.outputs().await?;
        Ok(outputs.into_iter().map(|(name, output)| (name, output.value)).collect())
    }

    /// Returns the views that its package declares, worked out for what it says of itself. What is secret is in none of them
    /// but in cells of tables, where it is marked.
    ///
    /// # Errors
    /// As [`view`](Self::view).
    pub async fn views(&self, locale: &str) -> Result<Vec<Shown>> {
        self.permit(Verb::View, None, None).await?;
        let folded = self.load_known().await?;
        let Some(known) = folded.good.as_ref().filter(|known| !known.views.is_empty()) else { return Ok(Vec::new()) };
        let outputs = self.stack.outputs().await?;
        let outputs = outputs.into_iter().map(|(name, output)| (name, output.value)).collect();
        Ok(known.views.iter().map(|view| view.of(&outputs, locale)).collect())
    }

    /// Returns what surrounds a form that is filled in for it, as it is: what the installation has goes into
    /// [`Context::existing`]. For a form of a name under which nothing is installed, nothing does.
    ///
    /// # Errors
    /// `installation.denied`; those of [`Ledger::load`].
    pub async fn context(&self, form: &Form, phase: Phase) -> Result<Context> {
        self.permit(Verb::View, None, None).await?;
        let folded = self.load().await?;
        Ok(self.context_of(form, phase, &folded))
    }

    pub(super) fn context_of(&self, form: &Form, phase: Phase, folded: &Folded) -> Context {
        let existing = match (&folded.good, phase) {
            (Some(good), Phase::Upgrade | Phase::Action) => {
                let (plain, _) = good.variables.unmark_deep();
                let mut existing = form::unbind(form, &plain).values;
                // What sets no variable is in what was filled in.
                for field in form.fields.list.iter().filter(|field| field.variable.is_none()) {
                    if let Some(value) = good.inputs.get(&field.name) {
                        existing.insert(Arc::clone(&field.name), value.clone());
                    }
                }
                existing
            }
            _ => BTreeMap::new(),
        };
        Context { phase, scope: Arc::clone(&self.key.tenant), existing, ..Context::default() }
    }

    /// Asks the policy; what is refused is written down where there is a ledger, unless it changes nothing.
    pub(super) async fn permit(&self, verb: Verb, package: Option<&PackageRef>, action: Option<&str>) -> Result<()> {
        let permission = Permission {
            actor: &self.apps.actor,
            verb,
            tenant: &self.key.tenant,
            installation: &self.key.name,
            package,
            action,
        };
        let Err(error) = self.apps.decide(&permission).await else { return Ok(()) };
        if error.code() == "installation.denied" && !matches!(verb, Verb::View | Verb::Propose) {
            self.note_denial(verb, action, error.message()).await;
        }
        Err(error)
    }

    /// The refusal itself is what the caller has to know, whether it could be written down or not.
    pub(super) async fn note_denial(&self, verb: Verb, action: Option<&str>, reason: &str) {
        let fact =
            Fact::Denied { by: (*self.apps.actor).clone(), verb, action: action.map(Arc::from), reason: reason.into() };
        let _ = self
            .record(|folded| if folded.is_empty() { Ok(Vec::new()) } else { Ok(vec![LedgerDraft::new(&fact)?]) })
            .await;
    }

    pub(super) async fn load(&self) -> Result<Folded> {
        Folded::of(self.key.clone(), &self.ledger.load().await?)
    }

    async fn load_known(&self) -> Result<Folded> {
        let folded = self.load().await?;
        if folded.is_empty() { Err(problem::unknown(&self.key)) } else { Ok(folded) }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.apps.platform.engine().clock().now()
    }

    /// Appends what `decide` says for the ledger as it is then; decided anew when somebody else was faster. Returns the ledger
    /// as it was decided on.
    pub(super) async fn record(
        &self,
        mut decide: impl FnMut(&Folded) -> Result<Vec<LedgerDraft>> + Send,
    ) -> Result<Folded> {
        for _ in 0..TRIES {
            let folded = self.load().await?;
            let drafts = decide(&folded)?;
            if drafts.is_empty() {
                return Ok(folded);
            }
            match self.ledger.append(&folded.head, &drafts).await {
                Ok(_) => return Ok(folded),
                Err(error) if error.code() == "store.conflict" => {}
                Err(error) => return Err(error),
            }
        }
        Err(Error::new(
            crate::error::ErrorKind::Conflict,
            "installation.busy",
            format!("others wrote to the ledger of `{}` {TRIES} times in a row; try again", self.key),
        ))
    }

    /// Returns what the store says of the change that the ledger says is open; `None` where none is, and where one that is
    /// said not to have begun did not.
    pub(super) async fn truth(&self, folded: &Folded) -> Result<Option<Truth>> {
        let Some(change) = folded.in_question() else { return Ok(None) };
        let store = self.apps.platform.engine().store();
        // The lease first: whoever holds it may be about to begin the run.
        let is_held = self.stack.lease().await?.is_some();
        let record = store.load_run(change.run).await?.filter(|record| record.stack == self.key);
        Ok(Some(match record.map(|record| record.status) {
            Some(status) => match Outcome::of(status) {
                Some(Outcome::Failed) if self.stack.segments(change.run).await?.len() > 1 => {
                    Truth::Ended(Outcome::Undone)
                }
                Some(outcome) => Truth::Ended(outcome),
                None if is_held => Truth::Busy,
                None => Truth::Interrupted,
            },
            None if change.ended.is_some() => return Ok(None),
            None if is_held => Truth::Busy,
            None => Truth::Ended(Outcome::NotBegun),
        }))
    }

    /// Returns the ledger once no change is open in it: what ended and was not noted is noted first.
    pub(super) async fn settled(&self) -> Result<Folded> {
        let folded = self.load().await?;
        let Some(open) = folded.in_question() else { return Ok(folded) };
        let operation = open.operation;
        match self.truth(&folded).await? {
            None => Ok(folded),
            Some(Truth::Busy) => Err(problem::busy(&self.key, operation)),
            Some(Truth::Interrupted) => Err(problem::interrupted(&self.key, operation)),
            Some(Truth::Ended(outcome)) => {
                self.note_end(operation, outcome, Vec::new()).await?;
                self.load().await
            }
        }
    }

    /// Writes down how an operation ended, once.
    pub(super) async fn note_end(
        &self,
        operation: super::OperationId,
        outcome: Outcome,
        problems: Vec<Arc<str>>,
    ) -> Result<()> {
        let objects = self.objects_changed(operation).await?;
        let draft = LedgerDraft::new(&Fact::Ended { operation, outcome, problems, objects })?;
        self.record(|folded| {
            let is_news = |ended: Option<(Outcome, Timestamp)>| match ended {
                None => true,
                Some((Outcome::NotBegun, _)) => outcome != Outcome::NotBegun,
                Some(_) => false,
            };
            let mut changes = folded.view.operations.iter();
            let is_open = folded.open_actions.contains_key(&operation)
                || changes.any(|one| one.operation == operation && is_news(one.ended));
            Ok(if is_open { vec![draft.clone()] } else { Vec::new() })
        })
        .await
        .map(drop)
    }

    /// Returns whether a run of this installation exists.
    pub(super) async fn has_run(&self, run: crate::state::RunId) -> Result<bool> {
        let record = self.apps.platform.engine().store().load_run(run).await?;
        Ok(record.is_some_and(|record| record.stack == self.key))
    }
}

impl fmt::Debug for Installation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Installation").field("key", &self.key).finish_non_exhaustive()
    }
}
