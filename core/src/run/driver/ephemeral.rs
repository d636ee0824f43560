use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use super::{
    dispatcher::Dispatcher,
    task::{Shared, Word},
};
use crate::{
    address::{Address, ResourcePath},
    error::{Error, Result},
    plan::{Request, Step, StepAction, StepId},
    run::{Command, Holder, Machine, Phase, RowFate, StepError, StepProblem},
    value::Value,
};

/// What a run borrows: which commands wait for an ephemeral resource, and which steps may still need one.
#[derive(Debug, Default)]
pub(super) struct Loans {
    /// Being opened.
    opening: BTreeSet<Address>,
    /// Open.
    open: BTreeSet<Address>,
    /// What could not be opened, and why.
    broken: BTreeMap<Address, StepError>,
    /// Commands with what they wait for.
    parked: Vec<(Command, BTreeSet<Address>)>,
    /// Commands that need not wait any longer.
    ready: VecDeque<Command>,
    /// How many steps that have not ended may use the instances of a block; counted once something is open.
    users: HashMap<ResourcePath, usize>,
    by_step: HashMap<StepId, Vec<ResourcePath>>,
}

impl Loans {
    /// Takes a command that need not wait any longer.
    pub(super) fn next(&mut self) -> Option<Command> {
        self.ready.pop_front()
    }

    /// Takes a command that was put off for another reason.
    pub(super) fn again(&mut self, command: Command) {
        self.ready.push_back(command);
    }

    /// Returns what is open.
    pub(super) fn open(&self) -> Vec<Address> {
        self.open.iter().cloned().collect()
    }

    /// Gives all starts back: none is made any more.
    pub(super) fn withdraw(&mut self, machine: &mut Machine) {
        let mut give_back = |command: &Command| match command {
            Command::Start(step) => {
                machine.withdraw(*step);
                false
            }
            _ => true,
        };
        self.parked.retain(|(command, _)| give_back(command));
        self.ready.retain(give_back);
    }

    /// Takes that a step has ended; returns what nobody may use any more.
    pub(super) fn ended(&mut self, step: StepId) -> Vec<Address> {
        let mut unused = Vec::new();
        for path in self.by_step.remove(&step).unwrap_or_default() {
            let count = self.users.entry(path.clone()).or_default();
            *count = count.saturating_sub(1);
            if *count == 0 {
                unused.extend(self.open.iter().filter(|address| address.resource.path() == path).cloned());
            }
        }
        unused
    }
}

/// Whether a command can be carried out.
enum Chance {
    Now,
    /// It waits until something is open.
    Later,
    Never(StepError),
}

impl Dispatcher {
    /// Carries out a command that is about a step, once the ephemeral resources that it needs are open.
    pub(super) fn perform(&mut self, command: Command) -> Result<()> {
        let (Command::Start(id) | Command::Recover(id) | Command::AwaitReady(id)) = command else { return Ok(()) };
        let plan = std::sync::Arc::clone(&self.plan);
        let Some(step) = plan.step(id) else { return Err(Error::bug("a command names a step that is not planned")) };
        // A step that was started right before it may have failed.
        if matches!(command, Command::Start(_)) && !self.machine.may_start(id) {
            self.machine.withdraw(id);
            return Ok(());
        }
        if matches!(command, Command::Start(_)) {
            match self.may_be_paid(step)? {
                Ok(true) => {}
                Ok(false) => return Ok(()),
                Err(error) => return self.refuse(step, command, error),
            }
        }
        match self.chance(step, command) {
            Chance::Later => Ok(()),
            Chance::Never(error) => self.refuse(step, command, error),
            Chance::Now => match command {
                Command::Start(_) => self.start(step),
                Command::Recover(_) => self.recover(step),
                _ => self.await_ready(step),
            },
        }
    }

    fn chance(&mut self, step: &Step, command: Command) -> Chance {
        let evaluates = !matches!((command, step.action), (Command::Start(_), StepAction::Forget | StepAction::Wait));
        let missing = match if evaluates { self.finalizer.missing(step) } else { Ok(Vec::new()) } {
            Ok(missing) => missing,
            Err(error) => return Chance::Never((&error).into()),
        };
        if missing.is_empty() {
            return Chance::Now;
        }
        if let Some(error) = missing.iter().find_map(|request| self.loans.broken.get(&request.address)) {
            return Chance::Never(error.clone());
        }
        let wanted = missing.iter().map(|request| request.address.clone()).collect();
        self.loans.parked.push((command, wanted));
        for request in missing {
            if self.loans.opening.insert(request.address.clone()) {
                self.task_count += 1;
                tokio::spawn(open(std::sync::Arc::clone(&self.shared), request, &self.holder));
            }
        }
        Chance::Later
    }

    /// What a command needs cannot be had.
    fn refuse(&mut self, step: &Step, command: Command, error: StepError) -> Result<()> {
        match command {
            Command::Start(id) if !self.machine.may_start(id) => {
                self.machine.withdraw(id);
                Ok(())
            }
            Command::Recover(_) => self.uncertain(step, format!("the world could not be asked: {}", error.message)),
            _ => self.fail(step, vec![error], RowFate::Untouched, Vec::new()),
        }
    }

    pub(super) fn was_opened(&mut self, address: Address, result: Result<Value>) -> Result<()> {
        self.task_count -= 1;
        self.loans.opening.remove(&address);
        if let Err(error) = result.and_then(|value| self.finalizer.opened(&address, &value)) {
            let mut error = StepError::from(&error);
            error.message = format!("`{address}` could not be opened: {}", error.message);
            self.loans.broken.insert(address.clone(), error.clone());
            let (broken, parked): (Vec<_>, _) = std::mem::take(&mut self.loans.parked)
                .into_iter()
                .partition(|(_, wanted): &(_, BTreeSet<Address>)| wanted.contains(&address));
            self.loans.parked = parked;
            let plan = std::sync::Arc::clone(&self.plan);
            for (command, _) in broken {
                let (Command::Start(id) | Command::Recover(id) | Command::AwaitReady(id)) = command else { continue };
                if let Some(step) = plan.step(id) {
                    self.refuse(step, command, error.clone())?;
                }
            }
            return Ok(());
        }
        self.count_users();
        self.loans.open.insert(address.clone());
        for (_, wanted) in &mut self.loans.parked {
            wanted.remove(&address);
        }
        let (ready, parked): (Vec<_>, _) =
            std::mem::take(&mut self.loans.parked).into_iter().partition(|(_, wanted)| wanted.is_empty());
        self.loans.parked = parked;
        self.loans.ready.extend(ready.into_iter().map(|(command, _)| command));
        if self.loans.users.get(&address.resource.path()).is_none_or(|count| *count == 0) {
            self.give_back(vec![address]);
        }
        Ok(())
    }

    /// Takes that something could not be renewed: who needs it from now on has it opened anew.
    pub(super) fn lapsed(&mut self, address: Address) {
        if self.loans.open.contains(&address) {
            self.give_back(vec![address]);
        }
    }

    /// Has what nobody may use any more be closed.
    pub(super) fn give_back(&mut self, addresses: Vec<Address>) {
        if addresses.is_empty() {
            return;
        }
        for address in &addresses {
            self.loans.open.remove(address);
            self.finalizer.closed(address);
        }
        self.holder.close(addresses);
    }

    /// Opens what outputs and conditions need at the end of the run.
    pub(super) async fn open_for_the_end(&mut self) {
        loop {
            let missing = self.finalizer.missing_at_end().unwrap_or_default();
            if missing.is_empty() {
                return;
            }
            for request in missing {
                let address = request.address.clone();
                let opened = self.holder.open(request).await;
                if let Err(error) = opened.and_then(|value| self.finalizer.opened(&address, &value)) {
                    let error = StepError::from(&error);
                    self.problems.push(StepProblem { step: None, address: address.to_string(), error });
                    return;
                }
            }
        }
    }

    /// Counts which steps may use what, when something is opened for the first time.
    fn count_users(&mut self) {
        if !self.loans.by_step.is_empty() {
            return;
        }
        let plan = std::sync::Arc::clone(&self.plan);
        for step in &plan.steps {
            let phase = self.machine.phase(step.id);
            // What waits when the run is about to stop is never started.
            let never = phase == Some(Phase::Waiting) && self.machine.is_stopping();
            if never || phase.is_none_or(|phase| phase.is_final()) {
                continue;
            }
            let paths = self.finalizer.ephemeral_uses(step);
            for path in &paths {
                *self.loans.users.entry(path.clone()).or_default() += 1;
            }
            if !paths.is_empty() {
                self.loans.by_step.insert(step.id, paths);
            }
        }
    }
}

/// Opens one and tells the dispatcher.
fn open(shared: std::sync::Arc<Shared>, request: Request, holder: &Holder) -> impl Future<Output = ()> + use<> {
    let address = request.address.clone();
    let opened = holder.open(request);
    async move {
        let result = opened.await;
        // The dispatcher is gone when nobody listens; what was opened is closed all the same.
        let _ = shared.inbox.send(Word::Opened { address, result });
    }
}
