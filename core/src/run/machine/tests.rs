use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::{
    address::Address,
    plan::{ChangeIdx, StepConfig},
    run::{Input, RowFate, RowRef, StepError},
    state::ObjectId,
    value::{Type, Value},
};

fn step(id: u32, action: StepAction, needs: &[(u32, Level)]) -> Step {
    Step {
        id: StepId(id),
        change: ChangeIdx(id),
        action,
        address: format!("t.s{id}").parse::<Address>().expect("an address"),
        object_id: Some(ObjectId::from_u128(u128::from(id) + 1)),
        prior: None,
        config: StepConfig::Known(Value::empty_object()),
        planned: Some(Value::empty_object()),
        planned_private: None,
        needs: needs.iter().map(|&(step, level)| Need { step: StepId(step), level }).collect(),
        joins: Vec::new(),
        dependencies: Vec::new(),
        wholes: Vec::new(),
        create_before_destroy: false,
        prevent_destroy: false,
        has_conditions: false,
        cost: 1,
    }
}

fn machine(steps: &[Step], on_failure: OnFailure) -> Machine {
    let mut machine = Machine::of_steps(steps, &[]).expect("a plan");
    machine.apply(&begin(steps.len(), on_failure)).expect("the first fact");
    machine
}

fn begin(count: usize, on_failure: OnFailure) -> Fact {
    Fact::RunStarted { step_count: count as u32, on_failure }
}

fn row() -> Option<RowRef> {
    Some(RowRef { object_id: ObjectId::from_u128(1), version: 1 })
}

fn error() -> StepError {
    (&Error::new(ErrorKind::Unavailable, "resource.failed", "it failed")).into()
}

fn started(step: u32, attempt: u32) -> Fact {
    Fact::Started { step: StepId(step), object_id: None, attempt, input: Input::AsPlanned }
}

fn recovered(step: u32, conclusion: Conclusion) -> Fact {
    let row = if matches!(conclusion, Conclusion::CannotTell { .. }) { row() } else { None };
    Fact::Recovered { step: StepId(step), conclusion, row }
}

fn failed(step: u32) -> Fact {
    Fact::Failed { step: StepId(step), errors: vec![error()], row: RowFate::Untouched }
}

/// Every fact about step 0, by a short name.
fn facts() -> Vec<(&'static str, Fact)> {
    let id = StepId(0);
    let cannot = Conclusion::CannotTell { reason: "no id".into() };
    vec![
        ("started", started(0, 1)),
        ("again", started(0, 2)),
        ("checkpointed", Fact::Checkpointed { step: id, id: "7".into(), partial: None }),
        ("interrupted", Fact::Interrupted { step: id, error: error() }),
        ("found", recovered(0, Conclusion::Found)),
        ("missing", recovered(0, Conclusion::Missing)),
        ("repeatable", recovered(0, Conclusion::Repeatable)),
        ("cannot-tell", recovered(0, cannot)),
        ("applied", Fact::Applied { step: id, row: row() }),
        ("gone", Fact::Applied { step: id, row: None }),
        ("ready", Fact::Ready { step: id }),
        ("observed", Fact::Observed { step: id, value: Value::null(Type::Any) }),
        ("failed", failed(0)),
        ("skipped", Fact::Skipped { step: id }),
    ]
}

/// How to bring step 0 of a kind into each phase that it can reach.
fn paths(action: StepAction) -> Vec<(Phase, Vec<Fact>)> {
    let mut paths = vec![(Phase::Waiting, vec![]), (Phase::Running { attempt: 1 }, vec![started(0, 1)])];
    paths.push((Phase::Failed, vec![failed(0)]));
    paths.push((Phase::Skipped, vec![Fact::Skipped { step: StepId(0) }]));
    let lost = [started(0, 1), Fact::Interrupted { step: StepId(0), error: error() }];
    let after = |conclusion| [&lost[..], &[recovered(0, conclusion)]].concat();
    match action {
        StepAction::Read => {
            let observed = Fact::Observed { step: StepId(0), value: Value::null(Type::Any) };
            paths.push((Phase::Again { attempt: 1 }, vec![started(0, 1), Fact::Resumed]));
            paths.push((Phase::Done, vec![started(0, 1), observed]));
        }
        StepAction::Forget => {
            paths.push((Phase::Again { attempt: 1 }, vec![started(0, 1), Fact::Resumed]));
            paths.push((Phase::Done, vec![started(0, 1), Fact::Applied { step: StepId(0), row: None }]));
        }
        StepAction::Wait => {
            let applied = Fact::Applied { step: StepId(0), row: row() };
            paths.push((Phase::Again { attempt: 1 }, vec![started(0, 1), Fact::Resumed]));
            paths.push((Phase::Applied, vec![started(0, 1), applied.clone()]));
            paths.push((Phase::Done, vec![started(0, 1), applied, Fact::Ready { step: StepId(0) }]));
        }
        _ => {
            paths.push((Phase::Lost { attempt: 1 }, lost.to_vec()));
            paths.push((Phase::Again { attempt: 1 }, after(Conclusion::Missing)));
            paths.push((Phase::Found { attempt: 1 }, after(Conclusion::Found)));
            paths.push((Phase::Uncertain, after(Conclusion::CannotTell { reason: "no id".into() })));
            if action == StepAction::Delete {
                paths.push((Phase::Done, vec![started(0, 1), Fact::Applied { step: StepId(0), row: None }]));
            } else {
                let applied = Fact::Applied { step: StepId(0), row: row() };
                paths.push((Phase::Applied, vec![started(0, 1), applied.clone()]));
                paths.push((Phase::Done, vec![started(0, 1), applied, Fact::Ready { step: StepId(0) }]));
            }
        }
    }
    paths
}

/// Lists which facts may follow in each phase; everything else has to be refused.
#[test]
fn what_may_follow_what() {
    let legal = |action: StepAction, phase: Phase| -> &'static [&'static str] {
        use StepAction::{Create, Delete, Forget, Read, Update, Wait};
        match (action, phase) {
            (_, Phase::Waiting) => &["started", "failed", "skipped"],
            (Create | Update, Phase::Running { .. }) => &["checkpointed", "interrupted", "applied", "failed"],
            (Delete, Phase::Running { .. }) => &["checkpointed", "interrupted", "gone", "failed"],
            (Read, Phase::Running { .. }) => &["observed", "failed"],
            (Forget, Phase::Running { .. }) => &["gone", "failed"],
            (Wait, Phase::Running { .. }) => &["applied", "failed"],
            (Create | Update | Delete, Phase::Lost { .. }) => &["found", "missing", "repeatable", "cannot-tell"],
            (_, Phase::Again { .. }) => &["again", "failed"],
            (Create | Update, Phase::Found { .. }) => &["applied", "failed"],
            (Delete, Phase::Found { .. }) => &["gone", "failed"],
            (Create | Update | Wait, Phase::Applied) => &["ready", "failed"],
            _ => &[],
        }
    };
    let changes = [StepAction::Create, StepAction::Update, StepAction::Delete];
    for action in changes.into_iter().chain([StepAction::Read, StepAction::Forget, StepAction::Wait]) {
        let steps = [step(0, action, &[])];
        for (phase, path) in paths(action) {
            let mut before = machine(&steps, OnFailure::Stop);
            for fact in &path {
                before.apply(fact).expect("the way there is legal");
            }
            assert_eq!(before.phase(StepId(0)), Some(phase), "{action:?}");
            for (name, fact) in facts() {
                let mut after = before.clone();
                let result = after.apply(&fact);
                let is_legal = legal(action, phase).contains(&name);
                assert_eq!(result.is_ok(), is_legal, "{action:?} while {}: {name}: {result:?}", phase.as_str());
                if let Err(illegal) = result {
                    assert_eq!((illegal.step, illegal.fact), (Some(StepId(0)), fact.name()));
                    assert_eq!(illegal.state, phase.as_str());
                    assert_eq!(after.phase(StepId(0)), Some(phase), "a refused fact changes nothing");
                }
            }
        }
    }
}

#[test]
fn facts_about_the_run() {
    let steps = [step(0, StepAction::Create, &[])];
    let refused = |machine: &Machine, fact: &Fact| machine.clone().apply(fact).is_err();
    let new = Machine::of_steps(&steps, &[]).expect("a plan");
    for (name, fact) in facts() {
        assert!(refused(&new, &fact), "{name} before the beginning");
    }
    assert!(refused(&new, &Fact::Resumed) && refused(&new, &Fact::CancelRequested));
    assert!(refused(&new, &begin(2, OnFailure::Stop)), "another plan");
    let open = machine(&steps, OnFailure::Stop);
    assert!(refused(&open, &begin(1, OnFailure::Stop)), "a second beginning");
    assert!(refused(&open, &Fact::Finished { status: RunStatus::Succeeded }), "a step is open");
    assert!(refused(&open, &started(1, 1)), "no such step");
    let mut closed = open;
    closed.apply(&Fact::<Value>::Skipped { step: StepId(0) }).expect("legal");
    assert!(refused(&closed, &Fact::Finished { status: RunStatus::Succeeded }), "another end");
    closed.apply(&Fact::<Value>::Finished { status: RunStatus::Cancelled }).expect("legal");
    assert!(closed.is_finished());
    for (name, fact) in facts() {
        assert!(refused(&closed, &fact), "{name} after the end");
    }
    assert!(refused(&closed, &Fact::Resumed) && refused(&closed, &Fact::CancelRequested));
}

#[test]
fn illegal_facts_say_step_state_and_fact() {
    let mut machine = machine(&[step(0, StepAction::Create, &[])], OnFailure::Stop);
    let error: Error = machine.apply(&Fact::<Value>::Ready { step: StepId(0) }).expect_err("not applied").into();
    assert_eq!(error.code(), "run.illegal_fact");
    assert_eq!(
        error.message(),
        "fact `ready` of step 0 cannot follow while it is waiting: only what is applied becomes ready"
    );
}

#[test]
fn plans_out_of_order_are_refused() {
    let code = |steps: &[Step]| Machine::of_steps(steps, &[]).expect_err("a bad plan").code().to_owned();
    let create = StepAction::Create;
    assert_eq!(code(&[step(0, create, &[(1, Level::Ready)]), step(1, create, &[])]), "run.invalid_plan");
    assert_eq!(code(&[step(0, create, &[(0, Level::Ready)])]), "run.invalid_plan");
    assert_eq!(code(&[step(1, create, &[])]), "run.invalid_plan");
}

#[test]
fn joins_out_of_order_are_refused() {
    let code =
        |steps: &[Step], joins: &[Join]| Machine::of_steps(steps, joins).expect_err("a bad plan").code().to_owned();
    let behind = |id: u32, join: u32| Step { joins: vec![JoinId(join)], ..step(id, StepAction::Create, &[]) };
    let join = |needs: &[u32], joins: &[u32]| Join {
        needs: needs.iter().map(|step| Need { step: StepId(*step), level: Level::Ready }).collect(),
        joins: joins.iter().copied().map(JoinId).collect(),
    };
    let [first, second] = [step(0, StepAction::Create, &[]), behind(1, 0)];
    assert!(Machine::of_steps(&[first.clone(), second.clone()], &[join(&[0], &[])]).is_ok());
    for joins in [
        vec![],
        vec![join(&[1], &[])],
        vec![join(&[7], &[])],
        vec![join(&[0], &[0])],
        vec![join(&[0], &[1]), join(&[0], &[])],
    ] {
        assert_eq!(code(&[first.clone(), second.clone()], &joins), "run.invalid_plan", "{joins:?}");
    }
    // By way of another join, too.
    assert_eq!(code(&[first, behind(1, 1)], &[join(&[1], &[]), join(&[], &[0])]), "run.invalid_plan");
}

#[test]
fn what_waits_for_a_join_starts_when_all_behind_it_got_so_far() {
    let need = |step: u32, level| Need { step: StepId(step), level };
    let joins = [
        Join { needs: vec![need(0, Level::Applied), need(1, Level::Ready)], joins: vec![] },
        Join { needs: vec![], joins: vec![JoinId(0)] },
    ];
    let [a, b, mut c] = [0, 1, 2].map(|id| step(id, StepAction::Create, &[]));
    c.joins = vec![JoinId(1)];
    let mut machine = Machine::of_steps(&[a, b, c], &joins).expect("a plan");
    machine.apply(&begin(3, OnFailure::Continue)).expect("legal");
    assert_eq!(commands(&mut machine).len(), 2);
    let applied = |step: u32| Fact::Applied { step: StepId(step), row: row() };
    for fact in [started(0, 1), started(1, 1), applied(1), applied(0)] {
        machine.apply(&fact).expect("legal");
        let refused = machine.clone().apply(&started(2, 1)).expect_err("too early");
        assert_eq!(refused.why, "what it needs has not got so far");
        assert!(!commands(&mut machine).contains(&Command::Start(StepId(2))));
    }
    let mut other = machine.clone();
    machine.apply::<Value>(&Fact::Ready { step: StepId(1) }).expect("legal");
    assert_eq!(commands(&mut machine), [Command::Start(StepId(2))]);
    machine.apply(&started(2, 1)).expect("legal");
    // A failure behind it leaves it closed for ever.
    for fact in [failed(1), Fact::Ready { step: StepId(0) }] {
        other.apply(&fact).expect("legal");
    }
    assert_eq!(commands(&mut other), [Command::Finish(RunStatus::Failed)]);
    assert_eq!(other.leftovers(), [StepId(2)]);
}

fn commands(machine: &mut Machine) -> Vec<Command> {
    machine.commands(usize::MAX)
}

#[test]
fn a_dependent_starts_at_its_level_and_not_before() {
    for (level, starts_at) in [(Level::Applied, 1), (Level::Ready, 2), (Level::Done, 2)] {
        let steps = [step(0, StepAction::Create, &[]), step(1, StepAction::Create, &[(0, level)])];
        let mut machine = machine(&steps, OnFailure::Stop);
        assert_eq!(commands(&mut machine), [Command::Start(StepId(0))]);
        let facts = [started(0, 1), Fact::Applied { step: StepId(0), row: row() }, Fact::Ready { step: StepId(0) }];
        for (idx, fact) in facts.iter().enumerate() {
            let early = machine.clone().apply(&started(1, 1));
            assert_eq!(early.is_err(), idx <= starts_at, "{level:?} before fact {idx}");
            machine.apply(fact).expect("legal");
            let starts = commands(&mut machine).contains(&Command::Start(StepId(1)));
            assert_eq!(starts, idx == starts_at, "{level:?} after fact {idx}");
        }
    }
}

#[test]
fn commands_are_handed_out_once_and_within_the_limit() {
    let steps: Vec<Step> = (0..5).map(|id| step(id, StepAction::Create, &[])).collect();
    let mut machine = machine(&steps, OnFailure::Stop);
    assert_eq!(machine.commands(2), [Command::Start(StepId(0)), Command::Start(StepId(1))]);
    assert_eq!(machine.commands(2), [Command::Start(StepId(2)), Command::Start(StepId(3))]);
    machine.withdraw(StepId(1));
    machine.withdraw(StepId(1));
    assert_eq!(machine.commands(9), [Command::Start(StepId(1)), Command::Start(StepId(4))]);
    assert_eq!(machine.commands(9), []);
}

#[test]
fn the_costliest_chain_comes_first() {
    let mut steps: Vec<Step> = (0..4).map(|id| step(id, StepAction::Create, &[])).collect();
    steps[2].cost = 10;
    steps[3] = step(3, StepAction::Create, &[(1, Level::Ready)]);
    steps[3].cost = 50;
    let mut machine = machine(&steps, OnFailure::Stop);
    let order = [1, 2, 0].map(|id| Command::Start(StepId(id)));
    assert_eq!(commands(&mut machine), order);
}

#[test]
fn stop_finishes_what_runs_and_continue_goes_on() {
    for (policy, goes_on) in [(OnFailure::Stop, false), (OnFailure::Continue, true)] {
        let mut steps: Vec<Step> = (0..3).map(|id| step(id, StepAction::Create, &[])).collect();
        steps.push(step(3, StepAction::Create, &[(0, Level::Ready)]));
        let mut machine = machine(&steps, policy);
        assert_eq!(machine.commands(2).len(), 2, "step 0, which heads a chain, and step 1");
        machine.apply(&started(0, 1)).expect("legal");
        machine.apply(&started(1, 1)).expect("legal");
        machine.apply(&failed(0)).expect("legal");
        assert_eq!(machine.clone().apply(&started(2, 1)).is_ok(), goes_on);
        let next = commands(&mut machine);
        assert_eq!(next.contains(&Command::Start(StepId(2))), goes_on, "{policy:?}");
        assert!(!next.iter().any(|command| matches!(command, Command::Finish(_))), "step 1 runs");
        machine.apply(&Fact::<Value>::Interrupted { step: StepId(1), error: error() }).expect("legal");
        assert!(commands(&mut machine).contains(&Command::Recover(StepId(1))), "{policy:?} settles what runs");
        machine.apply(&recovered(1, Conclusion::Missing)).expect("legal");
        assert!(commands(&mut machine).contains(&Command::Start(StepId(1))), "{policy:?} finishes what runs");
    }
}

#[test]
fn cancelling_drains() {
    let steps: Vec<Step> = (0..3).map(|id| step(id, StepAction::Create, &[])).collect();
    let mut machine = machine(&steps, OnFailure::Stop);
    machine.commands(2);
    machine.apply(&started(0, 1)).expect("legal");
    machine.apply(&Fact::<Value>::CancelRequested).expect("legal");
    assert!(machine.clone().apply(&started(1, 1)).is_err(), "nothing new starts");
    assert!(!machine.may_start(StepId(1)));
    assert_eq!(commands(&mut machine), []);
    machine.withdraw(StepId(1));
    machine.apply(&Fact::<Value>::Interrupted { step: StepId(0), error: error() }).expect("legal");
    assert_eq!(commands(&mut machine), [Command::Recover(StepId(0))], "what is lost is still settled");
    machine.apply(&recovered(0, Conclusion::Missing)).expect("legal");
    assert_eq!(commands(&mut machine), [Command::Finish(RunStatus::Cancelled)], "and not made again");
    assert_eq!(machine.leftovers(), [0, 1, 2].map(StepId));
}

#[test]
fn resuming_asks_the_world_about_what_ran() {
    let steps = [
        step(0, StepAction::Create, &[]),
        step(1, StepAction::Create, &[]),
        step(2, StepAction::Read, &[]),
        step(3, StepAction::Delete, &[]),
        step(4, StepAction::Create, &[]),
    ];
    let facts = [
        begin(5, OnFailure::Stop),
        started(0, 1),
        started(1, 1),
        Fact::Applied { step: StepId(1), row: row() },
        started(2, 1),
        started(3, 1),
        Fact::Resumed,
    ];
    let mut machine = Machine::of_steps(&steps, &[]).expect("a plan");
    for fact in &facts {
        machine.apply(fact).expect("legal");
    }
    let expected = [
        Command::AwaitReady(StepId(1)),
        Command::Recover(StepId(0)),
        Command::Start(StepId(2)),
        Command::Recover(StepId(3)),
        Command::Start(StepId(4)),
    ];
    assert_eq!(commands(&mut machine), expected);
    machine.apply(&Fact::<Value>::Resumed).expect("resumed twice");
    assert_eq!(commands(&mut machine).len(), 5, "commands are not stored: all are handed out again");
}

#[test]
fn the_end_says_how_it_went() {
    let two: Vec<Step> = (0..2).map(|id| step(id, StepAction::Create, &[])).collect();
    let ends = |facts: &[Fact]| {
        let mut machine = machine(&two, OnFailure::Continue);
        for fact in facts {
            machine.apply(fact).expect("legal");
        }
        machine.status()
    };
    let done =
        |id| vec![started(id, 1), Fact::Applied { step: StepId(id), row: row() }, Fact::Ready { step: StepId(id) }];
    let lost = |id| vec![started(id, 1), Fact::Interrupted { step: StepId(id), error: error() }];
    let cannot = recovered(1, Conclusion::CannotTell { reason: "no id".into() });
    assert_eq!(ends(&[done(0), done(1)].concat()), RunStatus::Succeeded);
    assert_eq!(ends(&[done(0), vec![failed(1)]].concat()), RunStatus::Failed);
    assert_eq!(ends(&[vec![failed(0)], lost(1), vec![cannot]].concat()), RunStatus::Stuck);
    assert_eq!(ends(&done(0)), RunStatus::Cancelled);
}

/// Edges from later to earlier steps, as (step, needed step, level); those of every third step go by way of joins.
fn plans() -> impl Strategy<Value = (Vec<Step>, Vec<Join>)> {
    let edges = proptest::collection::vec((any::<u32>(), any::<u32>(), 0..3_u8), 0..40);
    let actions = proptest::collection::vec(0..5_u8, 1..16);
    (actions, edges).prop_map(|(actions, edges)| {
        let kinds = [StepAction::Create, StepAction::Update, StepAction::Delete, StepAction::Read, StepAction::Wait];
        let count = actions.len() as u32;
        let mut steps: Vec<Step> =
            (0..count).zip(&actions).map(|(id, kind)| step(id, kinds[usize::from(*kind)], &[])).collect();
        let mut seen = BTreeSet::new();
        for (a, b, level) in edges {
            let (from, to) = (a % count, b % count);
            if from > to && seen.insert((from, to)) {
                let level = [Level::Applied, Level::Ready, Level::Done][usize::from(level)];
                steps[from as usize].needs.push(Need { step: StepId(to), level });
            }
        }
        let mut joins: Vec<Join> = Vec::new();
        for step in steps.iter_mut().skip(1).step_by(3) {
            // The second of them waits for the first one's join, too.
            let earlier = (0..joins.len() as u32).map(JoinId).rev().take(1).collect();
            joins.push(Join { needs: std::mem::take(&mut step.needs), joins: earlier });
            step.joins = vec![JoinId(joins.len() as u32 - 1)];
        }
        (steps, joins)
    })
}

proptest! {
    /// Whatever happens in whatever order, and whenever the run is taken up anew: what the machine says fits what it
    /// accepts, a step starts only when its needs hold, and the run ends with every step settled.
    #[test]
    fn random_runs_end((steps, joins) in plans(), choices in proptest::collection::vec(any::<u16>(), 400), go_on in any::<bool>()) {
        let policy = if go_on { OnFailure::Continue } else { OnFailure::Stop };
        let mut machine = Machine::of_steps(&steps, &joins).expect("a plan");
        let mut journal = vec![begin(steps.len(), policy)];
        machine.apply(&journal[0]).expect("the first fact");
        let mut open: Vec<Command> = Vec::new();
        let mut choices = choices.into_iter().chain(std::iter::repeat(0));
        let mut end = None;
        for _ in 0..2000 {
            let choice = choices.next().unwrap_or(0);
            if choice % 31 == 30 {
                // The process dies: what was handed out is forgotten.
                open.clear();
                machine = Machine::of_steps(&steps, &joins).expect("a plan");
                journal.push(Fact::Resumed);
                for fact in &journal {
                    machine.apply(fact).map_err(|error| TestCaseError::fail(error.to_string()))?;
                }
            }
            open.extend(machine.commands(3));
            let Some(command) = (!open.is_empty()).then(|| open.remove(usize::from(choice) % open.len())) else {
                prop_assert!(false, "nothing to do and no end");
                break;
            };
            let outcome = choice / 7 % 5;
            let facts = match command {
                Command::Finish(status) => {
                    end = Some(status);
                    break;
                }
                Command::AwaitReady(id) => vec![if outcome == 0 { failed(id.0) } else { Fact::Ready { step: id } }],
                Command::Recover(id) => match outcome {
                    0 => vec![recovered(id.0, Conclusion::CannotTell { reason: String::new() })],
                    1 => vec![recovered(id.0, Conclusion::Missing)],
                    2 => vec![recovered(id.0, Conclusion::Found), failed(id.0)],
                    _ => vec![recovered(id.0, Conclusion::Found), applied(&steps, id)],
                },
                Command::Start(id) if !machine.may_start(id) => {
                    machine.withdraw(id);
                    continue;
                }
                Command::Start(id) => {
                    let attempt = match machine.phase(id) {
                        Some(Phase::Again { attempt }) => attempt + 1,
                        _ => 1,
                    };
                    let start = started(id.0, attempt);
                    let changes = changes_world(steps[id.0 as usize].action);
                    match outcome {
                        0 => vec![start, failed(id.0)],
                        1 if changes => vec![start, Fact::Interrupted { step: id, error: error() }],
                        _ => vec![start, applied(&steps, id)],
                    }
                }
            };
            for fact in facts {
                machine.apply(&fact).map_err(|error| TestCaseError::fail(error.to_string()))?;
                journal.push(fact);
            }
        }
        prop_assert_eq!(end, Some(machine.status()), "the run ends");
        for step in machine.leftovers() {
            machine.apply(&Fact::<Value>::Skipped { step }).map_err(|error| TestCaseError::fail(error.to_string()))?;
        }
        machine.apply(&Fact::<Value>::Finished { status: machine.status() }).expect("every step has ended");
        if go_on {
            // Only what needs something that did not end well was skipped.
            for step in machine.steps_where(|phase| phase == Phase::Skipped) {
                let short = |need: &Need| machine.slots[need.step.0 as usize].reached < rank(need.level);
                let mut needs = steps[step.0 as usize].needs.clone();
                let mut open = steps[step.0 as usize].joins.clone();
                while let Some(join) = open.pop() {
                    needs.extend(&joins[join.0 as usize].needs);
                    open.extend(&joins[join.0 as usize].joins);
                }
                prop_assert!(needs.iter().any(short));
            }
        }
    }
}

fn applied(steps: &[Step], id: StepId) -> Fact {
    match steps[id.0 as usize].action {
        StepAction::Read => Fact::Observed { step: id, value: Value::null(Type::Any) },
        StepAction::Delete | StepAction::Forget => Fact::Applied { step: id, row: None },
        StepAction::Create | StepAction::Update | StepAction::Wait => Fact::Applied { step: id, row: row() },
    }
}
