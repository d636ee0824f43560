use std::{collections::BTreeMap, sync::Arc, time::Duration};

use sha2::{Digest as _, Sha256};

use super::{
    Installation, OperationKind, PackageRef, Parcel, RoleRequest, Standing, Verb,
    fold::{Folded, Remembered},
    problem,
    transfer::Source,
};
use crate::{
    catalog::System,
    error::{Error, Result},
    form::{self, FormState, Inputs, Phase},
    plan::{Mode, Plan, check_keys},
    pricing::{Bundle, Quote},
    stack::{PlanOptions, QuoteOptions},
    state::RunId,
    template::{RawVariables, Template, eval::FileAccess},
    tenant::QuotaCheck,
    value::{Marks, Value},
};

/// How a change is worked out.
#[derive(Clone, Debug)]
pub struct ProposeOptions {
    /// The language of messages, such as `zh-CN`.
    pub locale: Arc<str>,
    /// What generated values are made from; see [`form::Context::seed`]. A secret.
    pub seed: Option<Arc<[u8]>>,
    /// How long the quote is good, unless a price or rule ends before.
    pub good_for: Duration,
}

impl Default for ProposeOptions {
    /// English, nothing generated, good for ten minutes.
    fn default() -> Self {
        Self { locale: "en".into(), seed: None, good_for: Duration::from_secs(600) }
    }
}

/// A change of an installation, worked out and priced, and not begun: what somebody looks at and agrees to.
#[derive(Clone, Debug)]
pub struct Proposal {
    /// What it makes of the installation.
    pub kind: OperationKind,
    /// The version that is there afterwards; for an uninstall the one that goes.
    pub package: PackageRef,
    /// The form as it was filled in; `None` where none was.
    pub form: Option<FormState>,
    /// What is done.
    pub plan: Plan,
    /// What it costs, and how that differs from before.
    pub quote: Quote,
    /// What it does to the tenant's quotas; empty where the engine has none.
    pub quota: QuotaCheck,
    /// What the installation is called in tags.
    pub app_id: Arc<str>,
    pub(super) made_with: Remembered,
    /// How it was quoted, to be quoted so again.
    pub(super) quoting: QuoteOptions,
    /// How much of the ledger it knows of.
    pub(super) on: u64,
}

impl Proposal {
    /// Returns whether carrying it out would change nothing.
    pub fn is_empty(&self) -> bool {
        self.plan.is_empty()
    }
}

/// What a plan is to be made of.
struct Draft<'a> {
    kind: OperationKind,
    mode: Mode,
    template: &'a Template,
    /// What its functions may read.
    files: Arc<dyn FileAccess + Send + Sync>,
    rules: &'a [Bundle],
    form: Option<FormState>,
    app_id: Arc<str>,
    made_with: Remembered,
}

impl Installation {
    /// Works out what installing a package with these inputs would do and cost.
    ///
    /// After an install that failed, what it left is taken up: the inputs may be others.
    ///
    /// # Errors
    /// `installation.form` with everything that keeps the form from being ready; `installation.standing` where it is
    /// installed; `installation.occupied`, `installation.name`, `installation.busy`, `installation.interrupted`,
    /// `installation.denied`; those of [`Stack::plan`](crate::stack::Stack::plan) and
    /// [`Stack::quote`](crate::stack::Stack::quote).
    pub async fn propose_install(
        &self,
        parcel: &Parcel,
        inputs: &Inputs,
        options: &ProposeOptions,
    ) -> Result<Proposal> {
        self.permit(Verb::Propose, Some(parcel.reference()), None).await?;
        check_name(&self.key.name)?;
        let folded = self.settled().await?;
        match folded.view.standing {
            Standing::Removed if self.stack.state().await?.rows.is_empty() => {}
            Standing::Removed => return Err(problem::occupied(&self.key)),
            Standing::Broken(OperationKind::Install) => same_package(&folded, parcel)?,
            _ => return Err(problem::standing(&folded.view, "installed")),
        }
        self.propose_filled(OperationKind::Install, parcel, inputs, options, &folded).await
    }

    /// Works out what a copy of another installation of the same tenant would do and cost: filled in as that one is, but for
    /// what `changes` says. Its secrets go along; what was generated there is generated anew. Nothing of the other is changed.
    ///
    /// # Errors
    /// `installation.unknown` where the other is another tenant's; `installation.standing` where nothing is installed there;
    /// `installation.package` where the parcel is another package; the others as [`propose_install`](Self::propose_install).
    pub async fn propose_copy(
        &self,
        other: &Self,
        parcel: &Parcel,
        changes: &Inputs,
        options: &ProposeOptions,
    ) -> Result<Proposal> {
        other.permit(Verb::View, None, None).await?;
        if other.key.tenant != self.key.tenant {
            return Err(problem::unknown(&other.key));
        }
        let folded = other.settled().await?;
        let Some(good) = &folded.good else { return Err(problem::standing(&folded.view, "copied")) };
        same_package(&folded, parcel)?;
        let mut inputs = changes.clone();
        for (name, value) in &good.inputs {
            inputs.values.entry(Arc::clone(name)).or_insert_with(|| value.clone());
        }
        if inputs.preset.is_none() {
            inputs.preset.clone_from(&good.preset);
        }
        self.propose_install(parcel, &inputs, options).await
    }

    /// Works out what another version, or other inputs, would do and cost. What the form says cannot change stays; what is
    /// not filled in anew stays, too.
    ///
    /// # Errors
    /// As [`propose_install`](Self::propose_install); `installation.standing` where it is not installed;
    /// `installation.package` for a package of another name.
    pub async fn propose_upgrade(
        &self,
        parcel: &Parcel,
        inputs: &Inputs,
        options: &ProposeOptions,
    ) -> Result<Proposal> {
        self.permit(Verb::Propose, Some(parcel.reference()), None).await?;
        let folded = self.settled().await?;
        match folded.view.standing {
            Standing::Installed | Standing::Broken(OperationKind::Upgrade | OperationKind::Undo) => {}
            _ => return Err(problem::standing(&folded.view, "upgraded")),
        }
        same_package(&folded, parcel)?;
        self.propose_filled(OperationKind::Upgrade, parcel, inputs, options, &folded).await
    }

    /// Works out what is left of a change that failed, with the same inputs.
    ///
    /// # Errors
    /// `installation.standing` where nothing failed; the others as [`propose_install`](Self::propose_install).
    pub async fn propose_retry(&self, options: &ProposeOptions) -> Result<Proposal> {
        self.permit(Verb::Propose, None, None).await?;
        let folded = self.settled().await?;
        match (folded.view.standing, &folded.last) {
            (Standing::Broken(OperationKind::Uninstall), Some(_)) => self.propose_removal(&folded, options).await,
            (Standing::Broken(kind), Some(last)) => self.propose_again(kind, last, &folded, options).await,
            _ => Err(problem::standing(&folded.view, "tried again")),
        }
    }

    /// Works out how a change that failed is taken back: an upgrade to what was there before, an install to nothing.
    ///
    /// # Errors
    /// As [`propose_retry`](Self::propose_retry).
    pub async fn propose_undo(&self, options: &ProposeOptions) -> Result<Proposal> {
        self.permit(Verb::Propose, None, None).await?;
        let folded = self.settled().await?;
        match (folded.view.standing, &folded.good) {
            (Standing::Broken(OperationKind::Upgrade | OperationKind::Undo), Some(good)) => {
                self.propose_again(OperationKind::Undo, good, &folded, options).await
            }
            (Standing::Broken(OperationKind::Install), None) => self.propose_removal(&folded, options).await,
            _ => Err(problem::standing(&folded.view, "undone")),
        }
    }

    /// Works out what removing it with everything it has would do, and what comes back.
    ///
    /// # Errors
    /// `installation.standing` where nothing is there; the others as [`propose_install`](Self::propose_install).
    pub async fn propose_uninstall(&self, options: &ProposeOptions) -> Result<Proposal> {
        self.permit(Verb::Propose, None, None).await?;
        let folded = self.settled().await?;
        match folded.view.standing {
            Standing::Installed | Standing::Broken(_) => self.propose_removal(&folded, options).await,
            _ => Err(problem::standing(&folded.view, "uninstalled")),
        }
    }

    async fn propose_removal(&self, folded: &Folded, options: &ProposeOptions) -> Result<Proposal> {
        // What goes is what was accepted last.
        let known = folded.last.as_ref().or(folded.good.as_ref());
        let known = known.ok_or_else(|| problem::standing(&folded.view, "uninstalled"))?;
        self.propose_again(OperationKind::Uninstall, known, folded, options).await
    }

    /// Works out a change with what is remembered: nothing is filled in, and no package is needed.
    async fn propose_again(
        &self,
        kind: OperationKind,
        known: &Remembered,
        folded: &Folded,
        options: &ProposeOptions,
    ) -> Result<Proposal> {
        let source = self.source_of(known).await?;
        let template = source.template()?;
        let draft = Draft {
            kind,
            mode: if kind == OperationKind::Uninstall { Mode::Destroy } else { Mode::Normal },
            template: &template,
            files: source.readable(),
            rules: &[],
            form: None,
            app_id: Arc::clone(&folded.view.app_id),
            made_with: Remembered { run: RunId::mint(), source: None, ..known.clone() },
        };
        self.finish_proposal(draft, folded, options).await
    }

    async fn propose_filled(
        &self,
        kind: OperationKind,
        parcel: &Parcel,
        inputs: &Inputs,
        options: &ProposeOptions,
        folded: &Folded,
    ) -> Result<Proposal> {
        let package = parcel.package();
        let known = folded.good.as_ref().or(folded.last.as_ref());
        let phase = if kind == OperationKind::Install { Phase::Install } else { Phase::Upgrade };
        let mut inputs = inputs.clone();
        if let Some(known) = known {
            // What was generated for it stays, whatever the seed is now.
            for (path, value) in &known.generated {
                inputs.generated.entry(Arc::clone(path)).or_insert_with(|| value.clone());
            }
            if inputs.preset.is_none() {
                inputs.preset.clone_from(&known.preset);
            }
        }
        let mut context = self.context_of(&package.form, phase, folded);
        context.locale = Arc::clone(&options.locale);
        context.seed.clone_from(&options.seed);
        let state = form::eval(&package.form, &inputs, &context);
        if !state.ready {
            return Err(problem::form(&state));
        }
        let app_id = match folded.view.standing {
            Standing::Removed => app_id(&self.key, folded.generation),
            _ => Arc::clone(&folded.view.app_id),
        };
        let role = self.role(parcel, &state, &app_id).await?;
        let system = System {
            app_id: Arc::clone(&app_id),
            name: Arc::clone(&self.key.name),
            tags: self.tags(&app_id),
            plan: state.preset.clone(),
            role: role.clone(),
        };
        let root = package.template.root();
        let values = state.values.entries().map(|(name, value)| (Arc::clone(name), value.clone()));
        let variables = Value::object(values.chain(system.values(root)));
        let mut filled = context.existing;
        filled.extend(inputs.values.iter().map(|(name, value)| (Arc::clone(name), value.clone())));
        state.discard.iter().for_each(|name| drop(filled.remove(name)));
        let draft = Draft {
            kind,
            mode: Mode::Normal,
            template: &package.template,
            files: Arc::new(package.readable()),
            rules: &package.bundles,
            app_id,
            made_with: Remembered {
                package: parcel.reference().clone(),
                preset: state.preset.clone(),
                role,
                run: RunId::mint(),
                source: None,
                lines: Vec::new(),
                views: package.views(),
                variables,
                inputs: filled,
                generated: inputs
                    .generated
                    .iter()
                    .chain(&state.generated)
                    .map(|(path, value)| (Arc::clone(path), value.clone()))
                    .collect(),
            },
            form: Some(state),
        };
        self.finish_proposal(draft, folded, options).await
    }

    async fn finish_proposal(&self, draft: Draft<'_>, folded: &Folded, options: &ProposeOptions) -> Result<Proposal> {
        let Draft { kind, mode, template, files, rules, form, app_id, mut made_with } = draft;
        let declared = &template.root().variables;
        let given = made_with.variables.entries().filter(|(name, _)| declared.contains_key(*name));
        // What was remembered may be of a time when other tags were locked.
        let today = System { tags: self.tags(&app_id), ..System::default() };
        let given = given.map(|(name, value)| (Arc::clone(name), today.renewed(name, value)));
        let values: Vec<_> = given.collect();
        let plan = PlanOptions {
            variables: RawVariables::from_values(values),
            mode,
            files: Some(files),
            tags: self.locked_tags(&app_id, &made_with.package)?,
            ..PlanOptions::default()
        };
        let plan = self.stack.plan(template, plan).await?;
        let prior = folded.good.as_ref().map(|good| good.lines.clone()).unwrap_or_default();
        let quoting = QuoteOptions {
            rules: rules.to_vec(),
            plan: made_with.preset.clone(),
            good_for: options.good_for,
            prior,
            ..QuoteOptions::default()
        };
        let quote = self.stack.quote(&plan, quoting.clone()).await?;
        let quota = self.stack.quota_check(&plan).await?;
        made_with.lines.clone_from(&quote.lines);
        // What is ephemeral is used and never stored.
        let kept =
            made_with.variables.entries().filter(|(name, _)| declared.get(*name).is_none_or(|one| !one.ephemeral));
        made_with.variables = Value::object(kept.map(|(name, value)| (Arc::clone(name), value.clone())));
        Ok(Proposal {
            kind,
            package: made_with.package.clone(),
            form,
            plan,
            quote,
            quota,
            app_id,
            made_with,
            quoting,
            on: folded.steps,
        })
    }

    /// Returns what something was made from: the run carries it, or whoever handed it over gave it along.
    pub(super) async fn source_of(&self, known: &Remembered) -> Result<Source> {
        if let Some(source) = &known.source {
            return Ok(source.clone());
        }
        let segments = self.stack.segments(known.run).await?;
        let plan = segments.first().ok_or_else(|| Error::bug("a run has no plan").context("run", known.run))?;
        Ok(Source::of(&plan.inputs))
    }

    /// Returns the tags that everything of the installation bears beside those of the engine and the stack. The version is
    /// not among them: each upgrade would touch everything.
    fn locked_tags(&self, app_id: &Arc<str>, package: &PackageRef) -> Result<BTreeMap<String, String>> {
        check_keys(self.apps.platform.inner.tags.keys().map(AsRef::as_ref))?;
        let tags = self.tags(app_id).into_iter().map(|(key, value)| (key.to_string(), value.to_string()));
        let package = ("stackwright-package".to_owned(), package.name.to_string());
        Ok(tags.chain([package]).collect())
    }

    fn tags(&self, app_id: &Arc<str>) -> BTreeMap<Arc<str>, Arc<str>> {
        let mut tags = self.apps.platform.inner.tags.clone();
        tags.insert("stackwright-app".into(), Arc::clone(app_id));
        tags
    }

    /// Asks the host for the role that a package wants to run in.
    async fn role(&self, parcel: &Parcel, state: &FormState, app_id: &Arc<str>) -> Result<Option<Arc<str>>> {
        let Some(text) = parcel.package().role_policy(&state.values)? else { return Ok(None) };
        let Some(broker) = &self.apps.platform.inner.roles else {
            return Err(problem::package("the package wants to run in a role, and this host makes none"));
        };
        let request = RoleRequest {
            actor: (*self.apps.actor).clone(),
            tenant: Arc::clone(&self.key.tenant),
            installation: Arc::clone(&self.key.name),
            app_id: Arc::clone(app_id),
            policy: text,
        };
        broker.role(&request).await.map(Some)
    }
}

/// Refuses a package of another name than the one that is there.
fn same_package(folded: &Folded, parcel: &Parcel) -> Result<()> {
    let known = folded.good.as_ref().or(folded.last.as_ref());
    match known {
        Some(known) if known.package.name != parcel.reference().name => {
            let (there, other) = (&known.package.name, &parcel.reference().name);
            Err(problem::package(format!("`{there}` is there; it cannot become `{other}`")))
        }
        _ => Ok(()),
    }
}

/// The same for the same tenant, name and generation, so that a plan has the same hash when it is made again.
fn app_id(key: &crate::state::StackKey, generation: u64) -> Arc<str> {
    let mut hash = Sha256::new();
    for part in [key.tenant.as_bytes(), key.name.as_bytes(), &generation.to_be_bytes()] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let digest: [u8; 32] = hash.finalize().into();
    let digits: String = digest.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    format!("{}-{digits}", key.name).into()
}

pub(super) fn check_name(name: &str) -> Result<()> {
    let is_name = (1..=48).contains(&name.len())
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && !name.ends_with('-')
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    if is_name {
        return Ok(());
    }
    let shown: String = name.chars().take(60).flat_map(char::escape_debug).collect();
    let message = format!(
        "`{shown}` cannot be the name of an installation: lower-case letters, digits and hyphens, a letter first, at most 48"
    );
    Err(Error::new(crate::error::ErrorKind::InvalidInput, "installation.name", message))
}

/// Marks everything in a mapping as secret: which of it is, only a form knows.
pub(super) fn sealed(values: &BTreeMap<Arc<str>, Value>) -> Value {
    Value::object(values.iter().map(|(name, value)| (Arc::clone(name), value.clone()))).with_marks(Marks::SENSITIVE)
}
