use std::collections::{BTreeMap, HashMap};

use super::{Answer, Ask, PlanInput, Request, RequestId, instance::Instances, rows::Rows, target::Targets};
use crate::{
    error::{Diagnostic, Diagnostics as _, Error},
    event::Timestamp,
    plan::{
        Mode, Plan,
        node::{Env, Event, NodeId, NodeKind, Options, Recorder, Table},
    },
    template::eval::{Observation, ObservationKind, World},
};

/// Works out a plan: asks what it has to know, takes the answers, and ends with a [`Plan`].
///
/// Pure: no clock, no I/O, no randomness but the ids of new objects. The same input and the same answers, in whatever
/// order they come, make the same plan.
///
/// # Complexity
/// O(n + e) evaluations and requests, n instances and other declarations, e references between them.
pub struct Planner {
    pub(super) input: PlanInput,
    pub(super) table: Table,
    pub(super) files: Recorder,
    pub(super) rows: Rows,
    pub(super) targets: Targets,
    /// Instances under way or planned.
    pub(super) instances: Instances,
    /// Whether an object of a block changes, or what stands at a path in it; found out when somebody asks.
    pub(super) changing: HashMap<(NodeId, String), bool>,
    /// Whether something that a node stands for has a step; found out when somebody asks.
    pub(super) pending: HashMap<NodeId, bool>,
    pub(super) problems: Vec<Diagnostic>,
    /// Why data sources of `check` blocks could not be read, by module instance and name of the block.
    pub(super) unread: BTreeMap<(crate::plan::node::ModuleIdx, String), String>,
    open: BTreeMap<RequestId, Open>,
    outbox: Vec<(RequestId, Request)>,
    next_request: u64,
    /// In a plan with targets: outputs are being evaluated, and instances that nobody asked for stay as they are.
    pub(super) outputs_only: bool,
}

/// Who waits for an answer.
#[derive(Clone, Debug)]
struct Open {
    node: NodeId,
    request: &'static str,
}

/// What planning sees of the world: the time at which it began, and nothing else.
struct PlanWorld(Timestamp);

impl World for PlanWorld {
    fn observe(&self, observation: Observation) -> Option<String> {
        match observation.kind {
            ObservationKind::PlanTimestamp => Some(seconds(self.0)),
            ObservationKind::Timestamp | ObservationKind::Uuid | ObservationKind::Salt => None,
        }
    }
}

/// Returns a moment as `plantimestamp()` prints it: RFC 3339, whole seconds.
pub(in crate::plan) fn seconds(at: Timestamp) -> String {
    let text = at.to_string();
    match text.split_once('.') {
        Some((whole, _)) => format!("{whole}Z"),
        None => text,
    }
}

impl Planner {
    /// Begins a plan and goes as far as it can without asking.
    ///
    /// # Errors
    /// What is wrong with the options: `plan.import_invalid` for an import of something that is no managed instance, or that
    /// state has already.
    pub fn new(mut input: PlanInput) -> Result<Self, Vec<Diagnostic>> {
        let wrong = check_imports(&input);
        if !wrong.is_empty() {
            return Err(wrong);
        }
        let none = Box::new(crate::template::eval::NoFiles);
        let files = Recorder::new(std::mem::replace(&mut input.files, none));
        let env = Env {
            functions: std::sync::Arc::new(input.types.functions()),
            files: Box::new(files.clone()),
            world: Box::new(PlanWorld(input.timestamp)),
            workspace: input.workspace.clone(),
            root: input.root.clone(),
            applying: false,
            place: std::sync::Arc::default(),
        };
        let options = Options {
            eager: input.options.targets.is_empty() && input.options.mode != Mode::Destroy,
            instance_limit: input.options.instance_limit,
        };
        let template = std::sync::Arc::clone(&input.template);
        let types = std::sync::Arc::clone(&input.types);
        let table = Table::new(template, types, input.variables.clone(), env, options);
        let rows = Rows::new(std::mem::take(&mut input.rows));
        let targets = Targets::new(&input.options.targets);
        let mut planner = Self {
            input,
            table,
            files,
            rows,
            targets,
            instances: Instances::default(),
            changing: HashMap::new(),
            pending: HashMap::new(),
            problems: Vec::new(),
            unread: BTreeMap::new(),
            open: BTreeMap::new(),
            outbox: Vec::new(),
            next_request: 0,
            outputs_only: false,
        };
        planner.begin();
        planner.advance();
        Ok(planner)
    }

    fn begin(&mut self) {
        self.follow_moves();
        self.begin_rows();
        if self.targets.any() && self.input.options.mode != Mode::Destroy {
            self.demand_targets(crate::plan::node::ModuleIdx::ROOT);
        }
    }

    /// Takes the requests that were not taken yet, in the order in which they arose.
    ///
    /// None while others are open means: answer those first. None while none is open means: [`finish`](Self::finish).
    pub fn requests(&mut self) -> Vec<(RequestId, Request)> {
        std::mem::take(&mut self.outbox)
    }

    /// Returns how many requests have no answer yet.
    pub fn open_requests(&self) -> usize {
        self.open.len()
    }

    /// Takes the answer to a request and goes on as far as it can.
    ///
    /// An answer of another kind than its request, or to a request that is not open, is a mistake of the caller, which the
    /// plan then reports as `engine.bug`.
    pub fn answer(&mut self, id: RequestId, answer: Answer) {
        let Some(open) = self.open.remove(&id) else {
            self.problems.push(Diagnostic::error("engine.bug", format!("request {} is not open", id.0)));
            return;
        };
        let fits = matches!(
            (open.request, &answer),
            ("upgrade", Answer::Upgrade(_))
                | ("read", Answer::Read(_))
                | ("plan", Answer::Plan(_))
                | ("read_data", Answer::Data(_))
                | ("import", Answer::Import(_))
                | ("open", Answer::Opened(_))
        );
        if !fits {
            let message = format!("a request to {} got an answer of another kind", open.request);
            self.problems.push(Diagnostic::error("engine.bug", message));
            self.table.fail(open.node);
            return self.advance();
        }
        match (self.table.kind(open.node).clone(), answer) {
            (NodeKind::Task { number }, Answer::Upgrade(result)) => self.row_was_upgraded(open.node, number, result),
            (NodeKind::Task { number }, Answer::Read(result)) => self.row_was_read(open.node, number, result),
            (_, Answer::Plan(result)) => self.was_planned(open.node, result),
            (_, Answer::Data(result)) => self.data_was_read(open.node, result),
            (_, Answer::Import(result)) => self.was_imported(open.node, result),
            (_, Answer::Opened(result)) => self.was_opened(open.node, result),
            (_, Answer::Upgrade(_) | Answer::Read(_)) => self.table.fail(open.node),
        }
        self.advance();
    }

    /// Ends planning: the plan where there is no error, and all problems, ordered by place.
    ///
    /// # Complexity
    /// O((n + e) log n), n instances and rows, e pairs of them of which one waits for the other.
    pub fn finish(mut self) -> (Option<Plan>, Vec<Diagnostic>) {
        if !self.open.is_empty() {
            let message = format!("{} requests were not answered", self.open.len());
            self.problems.push(Diagnostic::error("engine.bug", message));
        }
        self.explain_cycles();
        self.check_moves();
        self.collect();
        let plan = if self.problems.has_errors() { None } else { self.assemble() };
        self.collect();
        self.problems.tidy();
        let plan = plan.filter(|_| !self.problems.has_errors()).map(|mut plan| {
            plan.warnings.clone_from(&self.problems);
            plan
        });
        (plan, self.problems)
    }

    /// Returns how often something that instances share was computed.
    #[cfg(test)]
    pub(in crate::plan) fn shared_count(&self) -> usize {
        self.table.shared_count()
    }

    fn collect(&mut self) {
        self.problems.append(&mut self.table.problems);
    }

    /// Asks something about an instance or row; its node is held until the answer comes.
    pub(super) fn ask(&mut self, node: NodeId, request: Request) {
        let id = RequestId(self.next_request);
        self.next_request += 1;
        self.table.hold(node);
        self.open.insert(id, Open { node, request: request.ask.name() });
        self.outbox.push((id, request));
    }

    fn advance(&mut self) {
        loop {
            while let Some(event) = self.table.next() {
                match event {
                    Event::Expanded(node) => self.expanded(node),
                    Event::Work(node) => match self.table.kind(node) {
                        NodeKind::Task { number } => {
                            let number = *number;
                            self.look(node, number);
                        }
                        _ => self.work(node),
                    },
                }
            }
            if !self.open.is_empty() || self.outputs_only || !self.targets.any() {
                return;
            }
            self.outputs_only = true;
            let outputs: Vec<NodeId> = self.table.root().outputs.values().copied().collect();
            if self.input.options.mode != Mode::Destroy {
                outputs.into_iter().for_each(|id| self.table.demand(id));
            }
        }
    }

    /// Reports what a call said went wrong with an instance.
    pub(super) fn blame(&mut self, error: &Error, address: &crate::address::Address, span: Option<crate::error::Span>) {
        if !error.diagnostics().is_empty() {
            for problem in error.diagnostics() {
                let mut problem = problem.clone();
                problem.address = Some(address.to_string());
                if let (true, Some(span)) = (problem.labels.is_empty(), span) {
                    problem = problem.at(span);
                }
                self.problems.push(problem);
            }
            return;
        }
        let mut problem = Diagnostic::error("engine.bug", error.message()).address(address.to_string());
        problem.code = error.code().to_owned().into();
        if let Some(span) = span {
            problem = problem.at(span);
        }
        let mut causes = Vec::new();
        let mut source = std::error::Error::source(error);
        while let Some(cause) = source {
            causes.push(cause.to_string());
            source = cause.source();
        }
        if !causes.is_empty() {
            problem = problem.help(format!("because: {}", causes.join(": ")));
        }
        self.problems.push(problem);
    }
}

fn check_imports(input: &PlanInput) -> Vec<Diagnostic> {
    let mut wrong = Vec::new();
    for address in input.options.imports.keys() {
        let refuse = |message: String, help: &str| {
            Diagnostic::error("plan.import_invalid", message).address(address.to_string()).help(help)
        };
        if address.mode() != crate::address::Mode::Managed {
            wrong.push(refuse(
                format!("`{address}` is no managed resource; there is nothing to adopt"),
                "name a resource",
            ));
        } else if input.rows.iter().any(|row| row.address == *address && row.status != crate::state::RowStatus::Deposed)
        {
            let help = "remove it from state first (`stackwright state rm`), if another object is meant";
            wrong.push(refuse(format!("`{address}` is in state already"), help));
        }
    }
    wrong
}

impl std::fmt::Debug for Planner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Planner")
            .field("stack", &self.input.stack)
            .field("open", &self.open.len())
            .finish_non_exhaustive()
    }
}

impl Ask {
    /// Returns whether an unknown provider configuration stands in the way.
    pub(super) const fn touches_world(&self) -> bool {
        !matches!(self, Self::Plan(_) | Self::Upgrade { .. })
    }
}
