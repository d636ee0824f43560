use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use futures_util::{StreamExt as _, stream::FuturesUnordered};

use super::{Applications, CarryOptions, OperationId, OperationReport, Parcel, ProposeOptions};
use crate::{
    error::{Error, ErrorKind, Result},
    form::Inputs,
    value::Value,
};

/// An output of another installation of the same tenant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct OutputRef {
    /// The installation: one that is installed along, or one that is there.
    pub installation: Arc<str>,
    /// The name of the output.
    pub output: Arc<str>,
}

/// One of several installations that are made together.
#[derive(Clone, Debug)]
pub struct Item {
    /// Its name.
    pub name: Arc<str>,
    /// What is installed.
    pub parcel: Parcel,
    /// What was filled in.
    pub inputs: Inputs,
    /// Fields that get what other installations say of themselves, by name of the field.
    pub links: BTreeMap<Arc<str>, OutputRef>,
}

/// How several installations are made.
#[derive(Clone, Debug)]
pub struct ManyOptions {
    /// How many are made at once; at least 1.
    pub parallelism: usize,
    /// How each is worked out.
    pub propose: ProposeOptions,
    /// How each is carried out.
    pub carry: CarryOptions,
}

impl Default for ManyOptions {
    /// Four at once.
    fn default() -> Self {
        Self { parallelism: 4, propose: ProposeOptions::default(), carry: CarryOptions::default() }
    }
}

/// What became of one of several.
#[derive(Debug)]
pub enum Fate {
    /// It was carried out; the report says how it ended.
    Ended(OperationReport),
    /// It never began, or paused.
    Failed(Error),
    /// It was not begun: this one, whose outputs it needs, is not there.
    Skipped {
        /// Which.
        needs: Arc<str>,
    },
}

/// What became of several.
#[derive(Debug)]
pub struct ManyReport {
    /// What all of them are a part of.
    pub operation: OperationId,
    /// Each by its name.
    pub fates: BTreeMap<Arc<str>, Fate>,
}

impl ManyReport {
    /// Returns whether all of them are there.
    pub fn is_success(&self) -> bool {
        self.fates.values().all(|fate| matches!(fate, Fate::Ended(report) if report.is_success()))
    }
}

impl Applications {
    /// Installs several packages, or one several times, as one operation: as many at once as the options say, each behind
    /// those whose outputs it gets. Each fails for itself, and takes only those along that need it.
    ///
    /// What is noted of each says what it is a part of. A crash leaves each as a crash leaves an installation.
    ///
    /// # Errors
    /// Before anything begins: `installation.name` where a name is there twice; `installation.cycle` where they need each
    /// other's outputs, naming the circle. What happens to each is in the report.
    ///
    /// # Complexity
    /// O(items + links), beside the installs.
    pub async fn install_all(&self, items: Vec<Item>, options: &ManyOptions) -> Result<ManyReport> {
        let operation = OperationId::mint();
        let carry = CarryOptions { part_of: Some(operation), ..options.carry.clone() };
        let mut waiting: BTreeMap<Arc<str>, Item> = BTreeMap::new();
        for item in items {
            if let Some(twin) = waiting.insert(Arc::clone(&item.name), item) {
                let message = format!("`{}` is to be installed twice", twin.name);
                return Err(Error::new(ErrorKind::InvalidInput, "installation.name", message));
            }
        }
        if let Some(circle) = circle(&waiting) {
            let message = format!("these need each other's outputs: {}", circle.join(" -> "));
            return Err(Error::new(ErrorKind::InvalidInput, "installation.cycle", message));
        }
        let together: BTreeSet<Arc<str>> = waiting.keys().cloned().collect();
        let mut fates: BTreeMap<Arc<str>, Fate> = BTreeMap::new();
        let mut under_way = FuturesUnordered::new();
        loop {
            skip(&mut waiting, &mut fates);
            while under_way.len() < options.parallelism.max(1)
                && let Some(name) = ready(&waiting, &together, &fates)
                && let Some(item) = waiting.remove(&name)
            {
                under_way.push(self.install_one(item, &options.propose, &carry));
            }
            match under_way.next().await {
                Some((name, fate)) => drop(fates.insert(name, fate)),
                None => return Ok(ManyReport { operation, fates }),
            }
        }
    }

    async fn install_one(&self, item: Item, propose: &ProposeOptions, carry: &CarryOptions) -> (Arc<str>, Fate) {
        let name = Arc::clone(&item.name);
        let fate = match self.try_install(item, propose, carry).await {
            Ok(report) => Fate::Ended(report),
            Err(error) => Fate::Failed(error),
        };
        (name, fate)
    }

    async fn try_install(&self, item: Item, propose: &ProposeOptions, carry: &CarryOptions) -> Result<OperationReport> {
        let Item { name, parcel, mut inputs, links } = item;
        for (field, link) in links {
            inputs.values.insert(field, self.linked(&link).await?);
        }
        let installation = self.installation(name);
        let proposal = installation.propose_install(&parcel, &inputs, propose).await?;
        installation.carry_out(proposal, carry).await?.finish().await
    }

    /// Returns what an installation says of itself.
    ///
    /// # Errors
    /// `installation.output` where it does not say that; those of [`Installation::outputs`](super::Installation::outputs).
    async fn linked(&self, link: &OutputRef) -> Result<Value> {
        let outputs = self.installation(Arc::clone(&link.installation)).outputs().await?;
        let value = outputs.get(&*link.output).map(|value| value.unmark_deep().0);
        value.ok_or_else(|| {
            let near = crate::error::suggest(&link.output, outputs.keys().map(String::as_str));
            let hint = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
            let message = format!("`{}` has no output `{}`{hint}", link.installation, link.output);
            Error::new(ErrorKind::NotFound, "installation.output", message)
        })
    }
}

/// Returns one whose needs ended, or are not among those that are made together: then they are there already, or missed.
fn ready(
    waiting: &BTreeMap<Arc<str>, Item>,
    together: &BTreeSet<Arc<str>>,
    fates: &BTreeMap<Arc<str>, Fate>,
) -> Option<Arc<str>> {
    let is_settled =
        |link: &OutputRef| !together.contains(&link.installation) || fates.contains_key(&link.installation);
    waiting.values().find(|item| item.links.values().all(is_settled)).map(|item| Arc::clone(&item.name))
}

/// Takes out those that need what is not there.
fn skip(waiting: &mut BTreeMap<Arc<str>, Item>, fates: &mut BTreeMap<Arc<str>, Fate>) {
    loop {
        let is_there = |name: &Arc<str>| match fates.get(name) {
            None => true,
            Some(fate) => matches!(fate, Fate::Ended(report) if report.is_success()),
        };
        let doomed = waiting.values().find_map(|item| {
            let missed = item.links.values().find(|link| !is_there(&link.installation))?;
            Some((Arc::clone(&item.name), Arc::clone(&missed.installation)))
        });
        let Some((name, needs)) = doomed else { return };
        waiting.remove(&name);
        fates.insert(name, Fate::Skipped { needs });
    }
}

/// Returns names that need each other, the first again at the end.
fn circle(items: &BTreeMap<Arc<str>, Item>) -> Option<Vec<String>> {
    let mut left: BTreeMap<&Arc<str>, BTreeSet<&Arc<str>>> = items
        .iter()
        .map(|(name, item)| {
            let needs = item.links.values().map(|link| &link.installation);
            (name, needs.filter(|needed| items.contains_key(*needed)).collect())
        })
        .collect();
    loop {
        let free: Vec<&Arc<str>> = left
            .iter()
            .filter(|(_, needs)| needs.iter().all(|one| !left.contains_key(one)))
            .map(|(name, _)| *name)
            .collect();
        if free.is_empty() {
            break;
        }
        for name in free {
            left.remove(name);
        }
    }
    // Each that is left needs another that is left: following them leads round.
    let mut path: Vec<&Arc<str>> = vec![left.keys().next()?];
    loop {
        let last = path.last()?;
        let next = *left.get(*last)?.iter().find(|one| left.contains_key(**one))?;
        if let Some(start) = path.iter().position(|one| *one == next) {
            let round = path.iter().skip(start).chain([&next]);
            return Some(round.map(|name| name.to_string()).collect());
        }
        path.push(next);
    }
}
