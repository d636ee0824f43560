use std::{collections::BTreeMap, sync::Arc, time::Duration};

use futures_util::{StreamExt as _, stream};
use tokio_util::sync::CancellationToken;

use super::Stack;
use crate::{
    error::{Error, ErrorKind, Result},
    plan::{Action, Change, Plan},
    pricing::{Basket, Bundle, Buyer, Item, Line, LineChange, Prices, Quote},
    resource::{CallInfo, Context, QuoteAsk, QuoteItem, Registry},
    run::{call_info, guarded},
    value::Value,
};

/// The most items of one question to a type.
const BATCH: usize = 100;

/// What a plan is quoted with.
#[derive(Clone, Debug)]
pub struct QuoteOptions {
    /// The bundle rules, in any order.
    pub rules: Vec<Bundle>,
    /// The plan of the form that was chosen, which rules may ask for.
    pub plan: Option<Arc<str>>,
    /// How long the quote is good, unless a price or rule ends before.
    pub good_for: Duration,
    /// The lines that were accepted before; see [`Basket::prior`].
    pub prior: Vec<Line>,
    /// How many questions are under way at once; at least 1.
    pub parallelism: usize,
    /// Ends quoting early.
    pub cancellation: CancellationToken,
    /// What the host calls this; resource types get it with every call.
    pub operation: Option<Arc<str>>,
}

impl Default for QuoteOptions {
    /// No rules, good for ten minutes, eight questions at once.
    fn default() -> Self {
        Self {
            rules: Vec::new(),
            plan: None,
            good_for: Duration::from_secs(600),
            prior: Vec::new(),
            parallelism: 8,
            cancellation: CancellationToken::new(),
            operation: None,
        }
    }
}

/// Which price of an instance an answer is.
#[derive(Clone, Copy)]
enum Slot {
    After,
    Before,
    Refund,
}

/// Questions that one type is asked together.
#[derive(Default)]
struct Batch {
    type_name: Arc<str>,
    provider: Arc<str>,
    /// Whose answers they are: the index of the instance, and which of its prices.
    owners: Vec<(usize, Slot)>,
    items: Vec<QuoteItem>,
}

impl Stack {
    /// Says what a plan costs: the inventory of everything that the stack will have and loses, each with its prices.
    ///
    /// Every type is asked for all of its instances together. Where a type cannot say, or fails, the price is unknown, and
    /// the quote names it in [`Quote::unpriced`]. Nothing is changed.
    ///
    /// # Errors
    /// `plan.stale` for the plan of another stack; `run.cancelled`; those of [`pricing::Error`](crate::pricing::Error) where prices or rules cannot be.
    ///
    /// # Complexity
    /// O(n) questions' items, n instances; one call of a type for each hundred.
    pub async fn quote(&self, plan: &Plan, options: QuoteOptions) -> Result<Quote> {
        self.refuse_foreign(plan)?;
        let registry = self.engine.registry();
        let (mut items, batches) = questions(plan, &registry);
        let asking = stream::iter(batches)
            .map(|batch| self.prices(batch, plan, &registry, &options))
            .buffer_unordered(options.parallelism.max(1))
            .collect::<Vec<_>>();
        let answers = tokio::select! {
            biased;
            () = options.cancellation.cancelled() => {
                return Err(Error::new(ErrorKind::Cancelled, "run.cancelled", "quoting was ended early"));
            }
            answers = asking => answers,
        };
        for (owners, prices) in answers {
            for ((idx, slot), prices) in owners.into_iter().zip(prices) {
                let Some(item) = items.get_mut(idx) else { continue };
                match slot {
                    Slot::After => item.after = prices,
                    Slot::Before => item.before = prices,
                    Slot::Refund => item.refund = prices,
                }
            }
        }
        let QuoteOptions { rules, plan, good_for, prior, .. } = options;
        let buyer = Buyer { tenant: Arc::clone(&self.key.tenant), plan };
        let at = self.engine.inner.clock.now();
        Ok(Quote::of(Basket { items, rules, buyer, at, good_for, prior })?)
    }

    /// Asks one type; there are as many answers as questions.
    async fn prices(
        &self,
        batch: Batch,
        plan: &Plan,
        registry: &Registry,
        options: &QuoteOptions,
    ) -> (Vec<(usize, Slot)>, Vec<Prices>) {
        let Batch { type_name, provider, owners, items } = batch;
        let unknown = |reason: String| vec![Prices::unknown(reason); items.len()];
        let config = plan.provider_configs.get(&provider).map(|config| config.unmark_deep().0);
        if config.as_ref().is_some_and(|config| !config.is_wholly_known()) {
            let reason = format!("the configuration of the provider `{provider}` is not known yet");
            return (owners, unknown(reason));
        }
        let Some(resource) = registry.resource(&type_name) else {
            return (owners, unknown(registry.unknown_resource(&type_name).to_string()));
        };
        let inner = &self.engine.inner;
        let limit = resource.traits().call_timeout;
        let info = CallInfo {
            type_name: Arc::clone(&type_name),
            attempt: 1,
            provider_config: config,
            deadline: Some(inner.clock.now().plus(limit)),
            ..call_info(&self.key, &self.tags_of(plan), options.operation.as_ref())
        };
        let ctx = Context::new(info, Arc::clone(&inner.clock), options.cancellation.child_token());
        let prices = match guarded(&inner.clock, limit, resource.quote(&ctx, &items)).await {
            Ok(prices) if prices.len() == items.len() => prices,
            Ok(prices) => {
                let (got, asked) = (prices.len(), items.len());
                unknown(format!("the type `{type_name}` gave {got} answers to {asked} questions"))
            }
            Err(error) => unknown(format!("the type `{type_name}` could not say: {error}")),
        };
        (owners, prices)
    }
}

/// Returns the instances of a plan, and what must be asked about them.
fn questions(plan: &Plan, registry: &Registry) -> (Vec<Item>, Vec<Batch>) {
    let mut items = Vec::new();
    let mut batches: BTreeMap<(Arc<str>, Arc<str>), Vec<Batch>> = BTreeMap::new();
    for change in plan.changes.iter().filter(|change| change.action != Action::Read) {
        let address: Arc<str> = match change.prior_object.filter(|_| change.deposed) {
            Some(object) => format!("{} (deposed {object})", change.address).into(),
            None => change.address.to_string().into(),
        };
        let provider: Arc<str> = match change.provider.is_empty() {
            true => registry.provider_of(&change.type_name).into(),
            false => Arc::clone(&change.provider),
        };
        let (line_change, asks) = asks(change);
        let idx = items.len();
        items.push(Item {
            address: Arc::clone(&address),
            type_name: Arc::clone(&change.type_name),
            change: line_change,
            after: Prices::Free,
            before: Prices::Free,
            refund: Prices::Free,
        });
        let of_type = batches.entry((Arc::clone(&change.type_name), Arc::clone(&provider))).or_default();
        for (slot, ask, object, prior) in asks {
            let Some(object) = object else { continue };
            if of_type.last().is_none_or(|batch| batch.items.len() >= BATCH) {
                let (type_name, provider) = (Arc::clone(&change.type_name), Arc::clone(&provider));
                of_type.push(Batch { type_name, provider, ..Batch::default() });
            }
            if let Some(batch) = of_type.last_mut() {
                let plain = |value: &Value| value.unmark_deep().0;
                let (object, prior) = (plain(object), prior.map(plain));
                batch.owners.push((idx, slot));
                batch.items.push(QuoteItem { address: Arc::clone(&address), ask, object, prior });
            }
        }
    }
    (items, batches.into_values().flatten().collect())
}

type Question<'a> = (Slot, QuoteAsk, Option<&'a Value>, Option<&'a Value>);

/// Returns what becomes of an instance, and what must be asked about it.
fn asks(change: &Change) -> (LineChange, Vec<Question<'_>>) {
    let (before, after) = (change.before.as_ref(), change.after.as_ref());
    let until_now = (Slot::Before, QuoteAsk::Keep, before, None);
    let back = (Slot::Refund, QuoteAsk::Refund, before, None);
    match change.action {
        Action::Create => (LineChange::New, vec![(Slot::After, QuoteAsk::Create, after, None)]),
        Action::Update => (LineChange::Changed, vec![(Slot::After, QuoteAsk::Change, after, before), until_now]),
        Action::Replace | Action::ReplaceCreateFirst => {
            (LineChange::Changed, vec![(Slot::After, QuoteAsk::Create, after, before), until_now, back])
        }
        Action::Delete => (LineChange::Gone, vec![until_now, back]),
        // It goes on costing what it does, and somebody else pays.
        Action::Forget => (LineChange::Gone, vec![until_now]),
        Action::Wait | Action::NoOp | Action::Read => {
            (LineChange::Kept, vec![(Slot::After, QuoteAsk::Keep, after.or(before), None)])
        }
    }
}
