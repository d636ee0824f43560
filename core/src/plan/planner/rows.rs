use std::{collections::HashMap, sync::Arc};

use super::{Ask, Planner, Request};
use crate::{
    address::Address,
    error::{Diagnostic, Result},
    plan::{
        Drift, DriftKind, Mode,
        node::{NodeId, NodeKind, Touched},
    },
    resource::Object,
    schema::Schema,
    state::{ObjectId, Row, RowStatus, Wholes},
    value::{Marks, Path, Value},
};

/// A row and what the world said about it.
#[derive(Clone, Debug)]
pub(super) struct Known {
    /// As it is now: upgraded, read, moved.
    pub row: Row,
    /// As state has it.
    pub stored: Arc<Row>,
    /// Where it stood before, if it moved.
    pub previous: Option<Address>,
    /// Its object is gone.
    pub gone: bool,
    /// The node that is done when it was looked at.
    pub task: NodeId,
    /// An instance of the template owns it.
    pub claimed: bool,
    /// How it differs from what state says.
    pub drift: Option<Drift>,
}

/// All rows, by place and by object.
#[derive(Debug, Default)]
pub(super) struct Rows {
    pub list: Vec<Known>,
    current: HashMap<Address, u32>,
}

impl Rows {
    pub(super) fn new(rows: Vec<Row>) -> Self {
        let mut sorted = rows;
        sorted.sort_by(|a, b| {
            (&a.address, a.status == RowStatus::Deposed, a.object_id).cmp(&(
                &b.address,
                b.status == RowStatus::Deposed,
                b.object_id,
            ))
        });
        let mut rows = Self::default();
        for row in sorted {
            let number = rows.list.len() as u32;
            if row.status != RowStatus::Deposed {
                rows.current.entry(row.address.clone()).or_insert(number);
            }
            rows.list.push(Known {
                stored: Arc::new(row.clone()),
                row,
                previous: None,
                gone: false,
                task: NodeId::NONE,
                claimed: false,
                drift: None,
            });
        }
        rows
    }

    pub(super) fn get(&self, number: u32) -> Option<&Known> {
        self.list.get(number as usize)
    }

    pub(super) fn get_mut(&mut self, number: u32) -> Option<&mut Known> {
        self.list.get_mut(number as usize)
    }

    /// Returns the row of an address; not a deposed one.
    pub(super) fn at(&self, address: &Address) -> Option<u32> {
        self.current.get(address).copied()
    }

    /// Has a row stand at another address, which is free.
    pub(super) fn relocate(&mut self, number: u32, to: Address) {
        let Some(known) = self.list.get_mut(number as usize) else { return };
        let from = std::mem::replace(&mut known.row.address, to.clone());
        if self.current.get(&from) == Some(&number) {
            self.current.remove(&from);
            self.current.insert(to, number);
        }
        known.previous = (known.stored.address != known.row.address).then(|| known.stored.address.clone());
    }
}

impl Planner {
    /// Gives every row a node, and asks for those that are not limited to what targets need.
    pub(super) fn begin_rows(&mut self) {
        let count = self.rows.list.len() as u32;
        let wanted = self.wanted_rows();
        for number in 0..count {
            let task = self.table.add(NodeKind::Task { number });
            if let Some(known) = self.rows.get_mut(number) {
                known.task = task;
            }
            if wanted.as_ref().is_none_or(|wanted| wanted.contains(&number)) {
                self.table.demand(task);
            }
        }
    }

    /// Returns the rows that are looked at in any case; `None` for all of them.
    fn wanted_rows(&self) -> Option<std::collections::BTreeSet<u32>> {
        if !self.targets.any() {
            return None;
        }
        let meant = |(number, known): (u32, &Known)| self.targets.contains(&known.row.address).then_some(number);
        let mut wanted: std::collections::BTreeSet<u32> = (0..).zip(&self.rows.list).filter_map(meant).collect();
        if self.input.options.mode == Mode::Destroy {
            // What was made with an object that goes has to go first.
            let mut users: HashMap<ObjectId, Vec<u32>> = HashMap::new();
            for (number, known) in (0..).zip(&self.rows.list) {
                for needed in &known.row.dependencies {
                    users.entry(*needed).or_default().push(number);
                }
            }
            let wholes = Wholes::of_rows(self.rows.list.iter().map(|known| &known.row));
            let mut told = vec![false; wholes.list().len()];
            let mut open: Vec<u32> = wanted.iter().copied().collect();
            while let Some(number) = open.pop() {
                let Some(known) = self.rows.get(number) else { continue };
                let direct = users.remove(&known.row.object_id).unwrap_or_default();
                let around = wholes.containing(&known.row.address).into_iter();
                let around = around.filter(|at| told.get_mut(*at).is_some_and(|told| !std::mem::replace(told, true)));
                let by_whole = around.filter_map(|at| wholes.list().get(at)).flat_map(|whole| &whole.users);
                for user in direct.into_iter().chain(by_whole.map(|user| *user as u32)) {
                    if wanted.insert(user) {
                        open.push(user);
                    }
                }
            }
        }
        Some(wanted)
    }

    /// Looks at a row: brings it into today's shape, then reads its object.
    pub(super) fn look(&mut self, node: NodeId, number: u32) {
        let Some(known) = self.rows.get(number) else { return self.table.fail(node) };
        let (row, address) = (known.row.clone(), known.row.address.clone());
        if row.status == RowStatus::Uncertain {
            self.problems.push(located(
                Diagnostic::error("plan.uncertain", format!("nobody knows what became of `{address}`"))
                    .address(address.to_string())
                    .help(format!(
                        "find out whether the object exists: if it does, adopt it (`stackwright import {address} ID`); if it does not, remove the row (`stackwright state rm {address}`); then plan again"
                    )),
                self.block_span(&address),
            ));
            return self.table.fail(node);
        }
        let Some(info) = self.input.types.resource(&row.type_name) else {
            let near = self.input.types.nearest(&row.type_name);
            let near = near.map_or_else(String::new, |near| format!(" (there is `{near}`)"));
            self.problems.push(
                Diagnostic::error(
                    "plan.type_unknown",
                    format!("state has `{address}`, but no resource type `{}` is registered{near}", row.type_name),
                )
                .address(address.to_string())
                .help(format!(
                    "register the provider that owns it, or let go of the object with `stackwright state rm {address}`"
                )),
            );
            return self.table.fail(node);
        };
        let provider = self.provider_of(&row);
        let reads = self.input.options.refresh && row.remote_id.is_some();
        if reads {
            let config = self.table.remembered_provider_node(&provider);
            if !self.table.is_done(config) {
                // All rows wait for this at first: none is brought into shape in vain.
                return self.table.wait(node, vec![config]);
            }
        }
        if row.schema_version < info.schema.version {
            return self.ask_upgrade(node, &row);
        }
        let row = match self.shaped(row, &info.schema) {
            Ok(row) => row,
            Err(error) => {
                let span = self.block_span(&address);
                self.blame(&error, &address, span);
                return self.table.fail(node);
            }
        };
        let object = row.remote_id.clone();
        let (type_name, object_id) = (Arc::clone(&row.type_name), row.object_id);
        let plain = row.attributes.unmark_deep().0;
        let private = row.private.clone();
        if let Some(known) = self.rows.get_mut(number) {
            known.row = row;
        }
        let done =
            |planner: &mut Self| planner.table.finish(node, crate::plan::node::Table::nothing(), Touched::default());
        let Some(remote_id) = object.filter(|_| reads) else { return done(self) };
        let config = self.table.provider_node(&provider);
        if self.table.has_failed(config) {
            return self.table.fail(node);
        }
        let provider_config = self.provider_config(&provider);
        if provider_config.as_ref().is_some_and(|config| !config.is_wholly_known()) {
            // Nobody to ask before the provider's configuration is known: what state says stands.
            return done(self);
        }
        let object = Object { id: remote_id, attributes: plain, private };
        let request = Request {
            address,
            type_name,
            provider,
            provider_config,
            object_id: Some(object_id),
            ask: Ask::Read(object),
        };
        self.ask(node, request);
    }

    /// Asks the type what a row of an older version of its schema says today.
    fn ask_upgrade(&mut self, node: NodeId, row: &Row) {
        let provider = self.provider_of(row);
        let request = Request {
            address: row.address.clone(),
            type_name: Arc::clone(&row.type_name),
            provider_config: self.provider_config(&provider),
            provider,
            object_id: Some(row.object_id),
            ask: Ask::Upgrade { version: row.schema_version, attributes: row.attributes.unmark_deep().0 },
        };
        self.ask(node, request);
    }

    /// Takes what a row says today, and goes on looking at it.
    pub(super) fn row_was_upgraded(&mut self, node: NodeId, number: u32, result: Result<Value>) {
        let Some(known) = self.rows.get(number) else { return self.table.fail(node) };
        let row = known.row.clone();
        let info = self.input.types.resource(&row.type_name);
        match (result, info) {
            (Ok(upgraded), Some(info)) => {
                let (_, marks) = row.attributes.unmark_deep_with_paths();
                let attributes = upgraded.mark_with_paths(&present(&upgraded, marks));
                if let Some(known) = self.rows.get_mut(number) {
                    known.row = Row { attributes, schema_version: info.schema.version, ..row };
                }
                self.table.resume(node);
            }
            (Err(error), _) => {
                let span = self.block_span(&row.address);
                self.blame(&error, &row.address, span);
                self.table.fail(node);
            }
            (Ok(_), None) => self.table.fail(node),
        }
    }

    /// Takes what reading an object came to.
    pub(super) fn row_was_read(&mut self, node: NodeId, number: u32, result: Result<Option<Object>>) {
        let Some(known) = self.rows.get(number) else { return self.table.fail(node) };
        let row = known.row.clone();
        let outcome = result.and_then(|object| match object {
            None => Ok(None),
            Some(object) => self.adopt(&row, object).map(Some),
        });
        let read = match outcome {
            Ok(read) => read,
            Err(error) => {
                let span = self.block_span(&row.address);
                self.blame(&error, &row.address, span);
                return self.table.fail(node);
            }
        };
        let mut drift = Drift {
            address: row.address.clone(),
            type_name: Arc::clone(&row.type_name),
            object_id: row.object_id,
            kind: DriftKind::Vanished,
            before: row.attributes.clone(),
            after: None,
            paths: Vec::new(),
        };
        let schema = self.input.types.resource(&row.type_name).map(|info| info.schema);
        if let Some(known) = self.rows.get_mut(number) {
            match read {
                None => {
                    known.gone = true;
                    known.drift = Some(drift);
                }
                Some(read) => {
                    if !read.attributes.same(&row.attributes) {
                        drift.kind = DriftKind::Changed;
                        drift.paths = schema
                            .map(|schema| schema.changed_paths(&row.attributes, &read.attributes))
                            .unwrap_or_default();
                        drift.after = Some(read.attributes.clone());
                        known.drift = (!drift.paths.is_empty()).then_some(drift);
                    }
                    known.row = read;
                }
            }
        }
        self.table.finish(node, crate::plan::node::Table::nothing(), Touched::default());
    }

    /// Returns a row with the object as it was read.
    fn adopt(&self, row: &Row, object: Object) -> Result<Row> {
        let attributes = self.shown(&row.address, &row.type_name, &object.attributes)?;
        let (_, marks) = row.attributes.unmark_deep_with_paths();
        let attributes = attributes.mark_with_paths(&present(&attributes, marks));
        let remote_id = if object.id.is_empty() { row.remote_id.clone() } else { Some(object.id) };
        Ok(Row { attributes, remote_id, private: object.private, ..row.clone() })
    }

    /// Returns an object of a resource type as one of its schema, with what is sensitive marked.
    pub(super) fn shown(&self, address: &Address, type_name: &str, attributes: &Value) -> Result<Value> {
        let info = self.input.types.resource(type_name);
        let Some(info) = info else { return Ok(attributes.clone()) };
        conformed(&info.schema, attributes, address, type_name)
    }

    /// Returns a row whose attributes follow today's schema, which they were stored with or upgraded to.
    fn shaped(&self, row: Row, schema: &Schema) -> Result<Row> {
        if row.schema_version > schema.version {
            let message = format!(
                "state was written with version {} of the schema of `{}`, this program has version {}",
                row.schema_version, row.type_name, schema.version
            );
            return Err(crate::Error::new(crate::ErrorKind::Unsupported, "plan.schema_newer", message));
        }
        let (plain, marks) = row.attributes.unmark_deep_with_paths();
        let plain = conformed(schema, &plain, &row.address, &row.type_name)?;
        let attributes = plain.mark_with_paths(&present(&plain, marks));
        Ok(Row { attributes, ..row })
    }

    /// Returns where the block of an address is written.
    pub(super) fn block_span(&self, address: &Address) -> Option<crate::error::Span> {
        let module = self.input.template.module(&address.module().path())?;
        let key = crate::template::ResourceKey {
            mode: address.mode(),
            type_name: Arc::clone(&address.resource.type_name),
            name: Arc::clone(&address.resource.name),
        };
        module.resources.get(&key).map(|block| block.span)
    }

    /// Returns the address of the configuration that a row's object is looked at with: what the template says, as long
    /// as it says something; else what managed it last.
    fn provider_of(&self, row: &Row) -> Arc<str> {
        let implied = || self.input.types.provider_of(&row.type_name);
        let last = || if row.provider.is_empty() { implied() } else { Arc::clone(&row.provider) };
        let path = row.address.module().path();
        let key = crate::template::ResourceKey::managed(
            Arc::clone(&row.address.resource.type_name),
            Arc::clone(&row.address.resource.name),
        );
        let Some(module) = self.input.template.module(&path) else { return last() };
        let Some(block) = module.resources.get(&key) else { return last() };
        let (provider, alias) = match &block.provider {
            // Which of several is not known before the block's instances are.
            Some(named) if named.key.is_some() => return last(),
            Some(named) => (Arc::from(module.provider_called(&named.name.name)), named.name.alias.as_deref()),
            None => (implied(), None),
        };
        match self.input.template.provider_address(&path, &provider, alias) {
            Some(found) if self.is_several(&found) => last(),
            Some(found) if found.is_root_default() => found.provider,
            Some(found) => found.to_string().into(),
            None => last(),
        }
    }

    /// Returns whether an address without a key stands for one configuration per key.
    fn is_several(&self, found: &crate::template::ProviderAddress) -> bool {
        let module = self.input.template.module(&found.module);
        let block = module.and_then(|module| module.provider_block(&found.provider, found.alias.as_deref()));
        block.is_some_and(|block| block.for_each.is_some())
    }

    /// Returns the configuration of a provider as requests carry it: not marked, `None` where there is none.
    pub(super) fn provider_config(&mut self, provider: &str) -> Option<Value> {
        let node = self.table.provider_node(provider);
        let value = self.table.value(node);
        (self.table.is_done(node) && !value.is_null()).then(|| value.unmark_deep().0)
    }
}

/// Returns an object of a resource type as one of its schema, with what is sensitive marked.
pub(super) fn conformed(schema: &Schema, attributes: &Value, address: &Address, type_name: &str) -> Result<Value> {
    let value = schema.conform(attributes).map_err(|problems| {
        let list: Vec<String> = problems
            .iter()
            .map(|(path, what)| format!("`{}` {what}", path.to_string().trim_start_matches('.')))
            .collect();
        crate::Error::new(
            crate::ErrorKind::Bug,
            "resource.inconsistent",
            format!(
                "`{address}`: the resource type `{type_name}` returned an object that does not follow its schema: {}",
                list.join("; ")
            ),
        )
    })?;
    if !value.is_wholly_known() {
        let message = format!("`{address}`: the resource type `{type_name}` returned something that is not known");
        return Err(crate::Error::new(crate::ErrorKind::Bug, "resource.inconsistent", message));
    }
    Ok(schema.storable(&value))
}

/// Returns the marks whose places are there: a mark must not spread because a part went.
pub(super) fn present(value: &Value, marks: Vec<(Path, Marks)>) -> Vec<(Path, Marks)> {
    let there = |path: &Path| {
        let mut part = value;
        path.steps().iter().all(|step| match part.part(step) {
            Some(inner) => {
                part = inner;
                true
            }
            None => !part.is_known() || part.is_null(),
        })
    };
    marks.into_iter().filter(|(path, _)| there(path)).collect()
}

fn located(problem: Diagnostic, span: Option<crate::error::Span>) -> Diagnostic {
    match span {
        Some(span) => problem.at(span),
        None => problem,
    }
}
