//! A process may die at any write and after any effect; the next one ends with the same world, and nothing is made
//! twice. Calls may fail in every way that they can; nothing is lost. Cancelling changes only when, never what.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use stackwright::{
    event::Event,
    plan::{Level, Plan, RowUpdate, StepAction, StepId},
    run::{Fact, OnFailure, RunReport},
    state::{ObjectId, Row, RowStatus, RunStatus, testing::Faults},
    value::Value,
};
use stackwright_tests::{
    process::{End, Stage},
    scene::{Kind, Node, Scene, waits},
    world::{FAULTS, Fault, Happening, Thing, World},
};

/// A row without what may differ between two good runs: how often it was written.
fn plain(rows: Vec<Row>) -> Vec<Row> {
    rows.into_iter().map(|row| Row { version: 0, ..row }).collect()
}

/// What a finished stage comes to.
type Result = (Vec<Row>, BTreeMap<String, Thing>, BTreeMap<String, u32>);

fn result(stage: &Stage) -> Result {
    (plain(stage.rows()), stage.world.things(), stage.world.created())
}

/// Checks what holds at every moment of every run that is not under way: nothing was made twice, no object is lost, no
/// row is without its object, calls kept their order and were announced.
fn check_sound(stage: &Stage, what: &str) {
    check_books(stage, what);
    check_order(&stage.scene.plan, &stage.world.log(), what);
}

/// The same, but for the order of calls: what is undone is done in another order.
fn check_books(stage: &Stage, what: &str) {
    let (rows, things) = (stage.rows(), stage.world.things());
    assert_eq!(stage.world.complaints(), Vec::<String>::new(), "{what}");
    for (key, count) in stage.world.created() {
        assert_eq!(count, 1, "{what}: {key} was made {count} times");
    }
    let known: BTreeMap<String, &Row> = rows.iter().map(|row| (row.object_id.to_string(), row)).collect();
    let forgotten: BTreeSet<String> = stage
        .scene
        .plan
        .steps
        .iter()
        .filter(|step| step.action == StepAction::Forget)
        .filter_map(|step| step.object_id.map(|id| id.to_string()))
        .collect();
    for (id, thing) in &things {
        let row = known.get(&thing.key);
        assert!(row.is_some() || forgotten.contains(&thing.key), "{what}: {id} is in the world and not in state");
    }
    for row in &rows {
        if row.status == RowStatus::Uncertain {
            continue;
        }
        let id = row.remote_id.clone().expect("only an uncertain row lacks it");
        let thing = things.get(&id).unwrap_or_else(|| panic!("{what}: {id} is in state and not in the world"));
        assert_eq!(row.attributes.unmark_deep().0, thing.attributes, "{what}: {id}");
        assert!(row.attributes.attribute("secret").is_some_and(Value::is_sensitive), "{what}: {id} lost its mark");
    }
}

/// Checks that rows and world are as before the run: the same instances with the same settings. What was deleted and made
/// anew has another id, and what was half deleted stays marked as such.
fn check_undone(stage: &Stage, what: &str) {
    check_books(stage, what);
    let settings = |rows: &[Row]| -> BTreeSet<String> {
        let rows = rows.iter().map(|row| {
            let attributes = row.attributes.unmark_deep().0;
            let settings: Vec<_> = ["name", "input", "secret"].map(|name| attributes.attribute(name).cloned()).into();
            let status = if row.status == RowStatus::Tainted { RowStatus::Current } else { row.status };
            format!("{} {status:?} {settings:?}", row.address)
        });
        rows.collect()
    };
    let rows = stage.rows();
    assert_eq!(settings(&rows), settings(&stage.scene.rows), "{what}");
    assert_eq!(rows.len(), stage.scene.rows.len(), "{what}");
    assert_eq!(stage.world.things().len(), rows.len(), "{what}");
}

/// Checks that a call began only when what its step needs was as far as it had to be.
fn check_order(plan: &Plan, log: &[Happening], what: &str) {
    let verb = |action| match action {
        StepAction::Create => "create",
        StepAction::Update => "update",
        StepAction::Delete => "delete",
        StepAction::Wait => "ready",
        _ => "read",
    };
    let begun: Vec<(&str, &str)> = log
        .iter()
        .filter_map(|happening| match happening {
            Happening::Begin(address, verb) => Some((address.as_str(), *verb)),
            _ => None,
        })
        .collect();
    for step in plan.steps.iter().filter(|step| step.action != StepAction::Forget) {
        let address = step.address.to_string();
        let wanted = Happening::Begin(address.clone(), verb(step.action));
        let Some(begin) = log.iter().position(|happening| *happening == wanted) else { continue };
        for need in waits(plan, step) {
            let needed = plan.step(need.step).expect("a step of the plan");
            let target = needed.address.to_string();
            let before = &log[..begin];
            let applied = matches!(needed.action, StepAction::Forget | StepAction::Wait)
                || before.contains(&Happening::Done(target.clone(), verb(needed.action)))
                || before.contains(&Happening::Recovered(target.clone()));
            assert!(applied, "{what}: {wanted:?} before {target} was applied");
            let waits = need.level > Level::Applied
                && matches!(needed.action, StepAction::Create | StepAction::Update | StepAction::Wait);
            assert!(
                !waits || before.contains(&Happening::Ready(target.clone())),
                "{what}: {wanted:?} before {target} was ready: {begun:?}"
            );
        }
    }
}

fn calm(scene: &Scene, seed: u64) -> (Result, u64, u64) {
    let stage = Stage::new(scene, seed);
    let (end, writes) = stage.watched(Faults::none(), &mut |_, _| {});
    let report = end.report();
    assert_eq!(report.status, RunStatus::Succeeded, "{:?}", report.problems);
    assert_eq!(report.done_count, scene.plan.steps.len());
    check_sound(&stage, "a calm run");
    (result(&stage), writes, stage.world.effect_count())
}

/// Lets a new process take the run up, unless its end is durable already.
fn take_up(stage: &Stage, what: &str) -> RunStatus {
    take_up_and_tell(stage, what).0
}

/// The same, with what the new process reports.
fn take_up_and_tell(stage: &Stage, what: &str) -> (RunStatus, Option<RunReport>) {
    match stage.status() {
        None | Some(RunStatus::Running) => {
            let report = stage.process(Faults::none()).report();
            assert_eq!(stage.status(), Some(report.status), "{what}");
            (report.status, Some(report))
        }
        Some(status) => (status, None),
    }
}

fn sweep(scene: &Scene, seed: u64) {
    let (calm, writes, effects) = calm(scene, seed);
    let check = |stage: &Stage, end: End, what: &str| {
        assert!(matches!(end, End::Died), "{what}: the process survived its death: {end:?}");
        assert_eq!(take_up(stage, what), RunStatus::Succeeded, "{what}");
        check_sound(stage, what);
        assert_eq!(result(stage), calm, "{what}");
    };
    for write in 0..writes {
        for (faults, when) in [(Faults::die_before(write), "before"), (Faults::die_after(write), "after")] {
            let stage = Stage::new(scene, seed);
            let end = stage.process(faults);
            check(&stage, end, &format!("died {when} write {write}"));
        }
    }
    for effect in 0..effects {
        let stage = Stage::new(scene, seed);
        stage.world.die_after_effect(effect);
        let end = stage.process(Faults::none());
        check(&stage, end, &format!("died after effect {effect}"));
    }
}

/// Every process dies at the same write of its own, until one gets through.
///
/// Not at the first ones: whoever always dies between noting what it is about to do and doing it gets nothing done.
fn sweep_again_and_again(scene: &Scene, seed: u64) {
    let (calm, _, _) = calm(scene, seed);
    for write in 4..7 {
        for after in [false, true] {
            let stage = Stage::new(scene, seed);
            let mut deaths = 0;
            let status = loop {
                let faults = if after { Faults::die_after(write) } else { Faults::die_before(write) };
                match stage.process(faults) {
                    End::Died => deaths += 1,
                    End::Ended(report) => break report.expect("the run ends").status,
                }
                if stage.status() == Some(RunStatus::Succeeded) {
                    break RunStatus::Succeeded;
                }
                assert!(deaths < 50, "no end after {deaths} deaths at write {write}");
            };
            assert!(deaths > 0);
            let what = format!("died {deaths} times at write {write}");
            assert_eq!(status, RunStatus::Succeeded, "{what}");
            check_sound(&stage, &what);
            assert_eq!(result(&stage), calm, "{what}");
        }
    }
}

/// A bit of everything, with data that flows late.
fn medley() -> Scene {
    Scene::new(&[
        Node::new(Kind::Read),
        Node::new(Kind::Create).input(0),
        Node::new(Kind::Update).needs(1, Level::Applied),
        Node::new(Kind::Replace).needs(2, Level::Ready),
        Node::new(Kind::ReplaceCreateFirst).input(3),
        Node::new(Kind::Forget).needs(1, Level::Done),
        Node::new(Kind::Delete).needs(4, Level::Done),
        Node::new(Kind::Create).of_type("toy_idem").input(1),
        Node::new(Kind::Create).of_type("toy_late").needs(7, Level::Ready),
        Node::new(Kind::Read).input(7),
        Node::new(Kind::Update).input(8),
        Node::new(Kind::Wait).needs(1, Level::Ready),
        Node::new(Kind::Create).needs(11, Level::Ready).needs(4, Level::Ready),
    ])
}

#[test]
fn a_crash_at_any_point_changes_nothing() {
    for seed in 0..3 {
        sweep(&medley(), seed);
    }
}

/// What a template calls differently and what it adopts are changes of rows alone: written with the run's first facts, all
/// of them or none.
#[test]
fn rows_that_move_and_objects_that_are_adopted_survive_a_crash_at_any_point() {
    let mut scene = medley();
    let mut plan = (*scene.plan).clone();
    let first = scene.rows.first().expect("a row").clone();
    let adopted = Row {
        object_id: ObjectId::from_u128(0x9000),
        address: "toy_thing.adopted".parse().expect("an address"),
        remote_id: Some("adopted-1".to_owned()),
        dependencies: Vec::new(),
        version: 1,
        ..first
    };
    plan.row_updates.push(RowUpdate::Put(adopted));
    for (number, row) in scene.rows.iter_mut().enumerate() {
        plan.row_updates.push(RowUpdate::Put(Row { version: row.version + 1, ..row.clone() }));
        row.address = format!("toy_thing.was{number}").parse().expect("an address");
    }
    scene.plan = plan.into();
    let ((rows, ..), _, _) = calm(&scene, 2);
    let addresses: Vec<String> = rows.iter().map(|row| row.address.to_string()).collect();
    assert!(addresses.contains(&"toy_thing.adopted".to_owned()), "{addresses:?}");
    assert!(addresses.iter().all(|address| !address.contains("was")), "{addresses:?}");
    sweep(&scene, 2);
    sweep_again_and_again(&scene, 2);
}

#[test]
fn what_is_ready_at_once_is_never_asked() {
    let prompt = |kind| Node::new(kind).of_type("toy_prompt");
    let scene = Scene::new(&[
        prompt(Kind::Create),
        prompt(Kind::Update).input(0),
        prompt(Kind::Replace).needs(1, Level::Ready),
        prompt(Kind::ReplaceCreateFirst).input(2),
        Node::new(Kind::Create).input(3),
    ]);
    sweep(&scene, 11);
}

#[test]
fn crashes_without_end_change_nothing() {
    sweep_again_and_again(&medley(), 5);
}

#[test]
fn a_read_is_not_read_again() {
    // The world never gives the same answer twice, so that a second read would show.
    let scene =
        Scene::new(&[Node::new(Kind::Read), Node::new(Kind::Create).input(0), Node::new(Kind::Create).input(0)]);
    let (_, writes, _) = calm(&scene, 1);
    for write in 1..writes {
        let stage = Stage::new(&scene, 1);
        stage.world.set_fickle();
        stage.process(Faults::die_after(write));
        take_up(&stage, "read");
        let inputs: BTreeSet<String> = stage
            .rows()
            .iter()
            .filter_map(|row| row.attributes.attribute("input").and_then(Value::as_str).map(str::to_owned))
            .collect();
        assert_eq!(inputs.len(), 1, "died after write {write}: {inputs:?}");
        let observed = stage.journal().into_iter().filter(|entry| matches!(entry.fact, Fact::Observed { .. })).count();
        assert_eq!(observed, 1);
    }
}

#[test]
fn a_replaced_object_is_deposed_until_it_is_deleted() {
    let scene = Scene::new(&[Node::new(Kind::ReplaceCreateFirst)]);
    let stage = Stage::new(&scene, 0);
    stage.world.fail("toy_thing.n0", "delete", Fault::Refuse);
    let report = stage.process(Faults::none()).report();
    assert_eq!(report.status, RunStatus::Failed);
    let statuses: Vec<RowStatus> = stage.rows().iter().map(|row| row.status).collect();
    assert_eq!(statuses, [RowStatus::Current, RowStatus::Deposed]);
    check_sound(&stage, "the old object stays");
}

#[test]
fn deleting_splices_the_rows_around() {
    let scene = Scene::new(&[
        Node::new(Kind::Update),
        Node::new(Kind::Forget).needs(0, Level::Done),
        Node::new(Kind::Update).needs(1, Level::Done),
    ]);
    let mut scene = scene;
    // The last one's row keeps naming the middle one until that is gone; its own update is taken out.
    let mut plan = (*scene.plan).clone();
    plan.steps.truncate(2);
    scene.plan = plan.into();
    let stage = Stage::new(&scene, 0);
    assert_eq!(stage.process(Faults::none()).report().status, RunStatus::Succeeded);
    let rows = stage.rows();
    let last = rows.last().expect("two rows are left");
    assert_eq!(last.dependencies, [ObjectId::from_u128(0x2000)]);
}

#[test]
fn a_blind_cloud_leaves_an_uncertain_row_and_a_checkpoint_prevents_it() {
    let scene = Scene::new(&[Node::new(Kind::Create).of_type("toy_blind"), Node::new(Kind::Create).input(0)]);
    let stage = Stage::new(&scene, 0);
    stage.world.fail("toy_blind.n0", "create", Fault::LostBefore);
    let report = stage.process(Faults::none()).report();
    assert_eq!(report.status, RunStatus::Stuck);
    assert_eq!(report.problems[0].error.code, "resource.uncertain");
    let rows = stage.rows();
    assert_eq!((rows.len(), rows[0].status, rows[0].remote_id.as_ref()), (1, RowStatus::Uncertain, None));
    assert!(rows[0].attributes.is_wholly_known());
    let stage = Stage::new(&scene, 0);
    stage.world.fail("toy_blind.n0", "create", Fault::LostAfter);
    let report = stage.process(Faults::none()).report();
    assert_eq!(report.status, RunStatus::Succeeded, "{:?}", report.problems);
    check_sound(&stage, "the checkpointed id is found");
}

/// The first call made the object and its reply was lost; that the repeat is refused says nothing of that.
#[test]
fn a_refused_repeat_settles_nothing() {
    let scene = Scene::new(&[Node::new(Kind::Create).of_type("toy_idem"), Node::new(Kind::Create).input(0)]);
    for (first, refused) in
        [(Fault::LostAfter, 1), (Fault::LostBefore, 2), (Fault::PanicAfter, 1), (Fault::HangAfter, 1)]
    {
        let stage = Stage::new(&scene, 0);
        stage.world.fail("toy_idem.n0", "create", first);
        stage.world.fail_again("toy_idem.n0", "create", Fault::Refuse);
        let report = stage.process(Faults::none()).report();
        check_sound(&stage, &format!("{first:?}"));
        assert_eq!(report.status, RunStatus::Succeeded, "{first:?}: {:?}", report.problems);
        assert!(stage.world.call_count("toy_idem.n0", "create") > refused, "{first:?}");
    }
    // The same where the first call was another process's.
    let effects = calm(&scene, 0).2;
    for effect in 0..effects {
        let stage = Stage::new(&scene, 0);
        stage.world.fail_again("toy_idem.n0", "create", Fault::Refuse);
        stage.world.die_after_effect(effect);
        assert!(matches!(stage.process(Faults::none()), End::Died));
        assert_eq!(take_up(&stage, "refused"), RunStatus::Succeeded);
        check_sound(&stage, &format!("died after effect {effect}, then refused"));
    }
}

/// Every call fails once, in every way, under both policies.
fn fail_everywhere(scene: &Scene, seed: u64, mut check: impl FnMut(&Stage, &str)) {
    for step in &scene.plan.steps {
        let address = step.address.to_string();
        for (verb, fault) in FAULTS.into_iter().map(|fault| match fault {
            Fault::NeverReady => ("ready", fault),
            _ => (step.action.as_str(), fault),
        }) {
            for on_failure in [OnFailure::Stop, OnFailure::Continue] {
                let mut stage = Stage::new(scene, seed);
                stage.options.on_failure = on_failure;
                stage.world.fail(&address, verb, fault);
                check(&stage, &format!("{verb} of {address}: {fault:?}, {on_failure:?}"));
            }
        }
    }
}

#[test]
fn any_failure_leaves_state_and_world_in_step() {
    fail_everywhere(&medley(), 3, |stage, what| {
        let report = stage.process(Faults::none()).report();
        assert_ne!(report.status, RunStatus::Stuck, "{what}: {:?}", report.problems);
        check_sound(stage, what);
        let plan = &stage.scene.plan;
        let failed: BTreeSet<StepId> = report.problems.iter().filter_map(|problem| problem.step).collect();
        assert_eq!(report.done_count + report.failed_count + report.skipped_count, plan.steps.len(), "{what}");
        assert_eq!(report.failed_count, failed.len(), "{what}");
        let skipped: BTreeSet<StepId> = stage
            .journal()
            .iter()
            .filter(|entry| matches!(entry.fact, Fact::Skipped { .. }))
            .filter_map(|entry| entry.fact.step())
            .collect();
        assert_eq!(report.skipped_count, skipped.len(), "{what}");
        if stage.options.on_failure == OnFailure::Continue {
            let dead: BTreeSet<StepId> = failed.union(&skipped).copied().collect();
            for step in &skipped {
                let needs = waits(plan, plan.step(*step).expect("a step"));
                assert!(needs.iter().any(|need| dead.contains(&need.step)), "{what}: {step:?} was skipped for nothing");
            }
        }
        // What is only lost and can be found out is no failure.
        if what.contains("Lost") || what.contains("Panic") || what.contains("Hang") {
            let reads = what.starts_with("read");
            assert_eq!(report.status == RunStatus::Succeeded, !reads || failed.is_empty(), "{what}");
        }
    });
}

#[test]
fn a_crash_amid_failures_leaves_state_and_world_in_step() {
    let scene = Scene::new(&[
        Node::new(Kind::Create),
        Node::new(Kind::Update).input(0),
        Node::new(Kind::ReplaceCreateFirst).needs(0, Level::Applied),
        Node::new(Kind::Delete).needs(1, Level::Done),
        Node::new(Kind::Create).of_type("toy_idem"),
    ]);
    fail_everywhere(&scene, 8, |stage, what| {
        let writes = stage.watched(Faults::none(), &mut |_, _| {}).1;
        // Every other write, another half for every other failure: the whole takes a minute.
        for write in (u64::from(what.len() % 2 == 0)..writes).step_by(2) {
            let again = Stage { options: stage.options.clone(), ..Stage::new(&stage.scene, 8) };
            let (address, rest) = what.split_once(" of ").and_then(|(_, rest)| rest.split_once(": ")).expect("both");
            let verb = what.split_once(' ').map_or("", |(verb, _)| verb);
            let verb = ["create", "update", "delete", "ready", "read"].into_iter().find(|known| *known == verb);
            let fault = FAULTS.into_iter().find(|fault| rest.starts_with(&format!("{fault:?},")));
            again.world.fail(address, verb.expect("a verb"), fault.expect("a fault"));
            let end = again.process(Faults::die_after(write));
            assert!(matches!(end, End::Died), "{what}, died after write {write}: {end:?}");
            assert_ne!(take_up(&again, what), RunStatus::Stuck, "{what}, died after write {write}");
            check_sound(&again, &format!("{what}, died after write {write}"));
        }
    });
}

fn rolled_back(scene: &Scene, seed: u64) -> Stage {
    let mut stage = Stage::new(scene, seed);
    stage.options.on_failure = OnFailure::Rollback;
    stage
}

#[test]
fn any_failure_is_undone() {
    let scene = medley();
    let mut undone = 0;
    for step in &scene.plan.steps {
        let address = step.address.to_string();
        for (verb, fault) in FAULTS.into_iter().map(|fault| match fault {
            Fault::NeverReady => ("ready", fault),
            _ => (step.action.as_str(), fault),
        }) {
            let stage = rolled_back(&scene, 3);
            stage.world.fail(&address, verb, fault);
            let report = stage.process(Faults::none()).report();
            let what = format!("{verb} of {address}: {fault:?}: {:?}", report.problems);
            match report.status {
                RunStatus::Succeeded => check_sound(&stage, &what),
                RunStatus::Failed => {
                    check_undone(&stage, &what);
                    undone += usize::from(report.undone_count.is_some());
                    let total = report.done_count + report.failed_count + report.skipped_count;
                    assert_eq!(total, scene.plan.steps.len(), "{what}");
                }
                // What never works does not work when it is as before either.
                RunStatus::Stuck if fault == Fault::NeverReady => check_books(&stage, &what),
                status => panic!("{what}: {status:?}"),
            }
        }
    }
    assert!(undone > 20, "{undone} runs were undone");
}

/// Dies at every write and after every effect of a run that fails and is undone, the rollback's own included.
fn sweep_rollback(scene: &Scene, seed: u64, address: &str) {
    let begin = || {
        let stage = rolled_back(scene, seed);
        stage.world.fail(address, "create", Fault::Refuse);
        stage
    };
    let calm = begin();
    let (end, writes) = calm.watched(Faults::none(), &mut |_, _| {});
    let report = end.report();
    assert_eq!(report.status, RunStatus::Failed, "{:?}", report.problems);
    assert!(report.undone_count.is_some_and(|count| count > 0), "something was undone");
    check_undone(&calm, "a calm rollback");
    let mut undone = 0;
    let mut check = |stage: &Stage, end: End, what: &str| {
        assert!(matches!(end, End::Died), "{what}: the process survived its death: {end:?}");
        let (is_undone, report) = check_taken_up(stage, what);
        let is_told = report.is_none_or(|report| report.undone_count.is_some() == is_undone);
        assert!(is_told, "{what}: the report does not say whether it was undone");
        undone += u64::from(is_undone);
    };
    for write in 0..writes {
        for (faults, when) in [(Faults::die_before(write), "before"), (Faults::die_after(write), "after")] {
            let stage = begin();
            let end = stage.process(faults);
            check(&stage, end, &format!("died {when} write {write}"));
        }
    }
    for effect in 0..calm.world.effect_count() {
        let stage = begin();
        stage.world.die_after_effect(effect);
        let end = stage.process(Faults::none());
        check(&stage, end, &format!("died after effect {effect}"));
    }
    assert!(undone > writes / 2, "{undone} of {writes} were undone by another process");
}

/// Lets a new process take a run up that fails and is undone. Where the one before died between the refusal and its note,
/// the call is made again, and then nobody refuses. Returns whether it was undone, and what the new process reports.
fn check_taken_up(stage: &Stage, what: &str) -> (bool, Option<RunReport>) {
    let (status, report) = take_up_and_tell(stage, what);
    match status {
        RunStatus::Failed => check_undone(stage, what),
        RunStatus::Succeeded => check_sound(stage, what),
        status => panic!("{what}: {status:?}"),
    }
    (status == RunStatus::Failed, report)
}

#[test]
fn a_crash_amid_a_rollback_is_taken_up() {
    for seed in 0..2 {
        sweep_rollback(&medley(), seed, "toy_thing.n12");
    }
}

#[test]
fn what_was_made_anew_is_known_by_its_new_name() {
    for by_whole in [false, true] {
        check_new_name(by_whole);
    }
}

/// The user refers to the object itself, or to the whole that it is.
fn check_new_name(by_whole: bool) {
    let mut scene = Scene::new(&[
        Node::new(Kind::ReplaceCreateFirst),
        Node::new(Kind::Update).input(0),
        Node::new(Kind::Create).needs(1, Level::Ready),
    ]);
    // The old object goes only when nobody refers to it any more, and the last create only after that.
    let mut plan = (*scene.plan).clone();
    let delete = plan.steps.iter().position(|step| step.action == StepAction::Delete).expect("a delete");
    let gone = plan.steps.remove(delete);
    let ids: BTreeMap<StepId, StepId> =
        plan.steps.iter().enumerate().map(|(idx, step)| (step.id, StepId(idx as u32))).collect();
    for step in &mut plan.steps {
        step.id = ids[&step.id];
        step.needs.iter_mut().for_each(|need| need.step = ids[&need.step]);
    }
    plan.joins.clear();
    plan.steps.iter_mut().for_each(|step| step.joins.clear());
    let last = plan.steps.pop().expect("the create");
    let need = |step: u32, level| stackwright::plan::Need { step: StepId(step), level };
    plan.steps.push(stackwright::plan::Step { id: StepId(2), needs: vec![need(1, Level::Ready)], ..gone });
    plan.steps.push(stackwright::plan::Step { id: StepId(3), needs: vec![need(2, Level::Done)], ..last });
    scene.inputs = scene.inputs.into_iter().map(|(step, address)| (ids[&step], address)).collect();
    scene.plan = plan.into();
    let [old, user] = [0, 1].map(|idx| scene.rows[idx].object_id);
    let name = scene.rows[0].remote_id.clone().expect("an id");
    let row = &mut scene.rows[1];
    match by_whole {
        true => row.wholes = vec!["toy_thing.n0".parse().expect("a target")],
        false => row.dependencies = vec![old],
    }
    row.attributes = Value::object(row.attributes.entries().map(|(key, value)| {
        let value = if &**key == "input" { Value::string(name.clone()) } else { value.clone() };
        (std::sync::Arc::clone(key), value)
    }));
    let stage = rolled_back(&scene, 0);
    stage.world.fail("toy_thing.n2", "create", Fault::Refuse);
    let report = stage.process(Faults::none()).report();
    assert_eq!(report.status, RunStatus::Failed, "{:?}", report.problems);
    check_books(&stage, "made anew");
    let rows = stage.rows();
    let of = |address: &str| rows.iter().find(|row| row.address.to_string() == address).expect("a row");
    let (made, user_row) = (of("toy_thing.n0"), of("toy_thing.n1"));
    assert_ne!(made.object_id, old);
    let dependencies = if by_whole { vec![] } else { vec![made.object_id] };
    assert_eq!((user_row.object_id, &user_row.dependencies), (user, &dependencies), "by a whole: {by_whole}");
    let input = user_row.attributes.attribute("input").and_then(Value::as_str).map(str::to_owned);
    assert_eq!((rows.len(), input), (2, made.remote_id.clone()));
}

#[test]
fn a_rollback_that_fails_is_stuck_and_says_every_cause() {
    let scene = Scene::new(&[
        Node::new(Kind::Create),
        Node::new(Kind::Create).input(0),
        Node::new(Kind::Update).needs(1, Level::Ready),
        // Another branch, which takes longer to undo.
        Node::new(Kind::Create),
        Node::new(Kind::Create).input(3),
        Node::new(Kind::Create).input(4),
        Node::new(Kind::Create).input(5),
        Node::new(Kind::Create).needs(2, Level::Ready).needs(6, Level::Ready),
    ]);
    let stage = rolled_back(&scene, 0);
    stage.world.fail("toy_thing.n7", "create", Fault::Refuse);
    stage.world.fail("toy_thing.n1", "delete", Fault::Refuse);
    let report = stage.process(Faults::none()).report();
    assert_eq!(report.status, RunStatus::Stuck);
    let causes: Vec<_> = report
        .problems
        .iter()
        .map(|problem| {
            let is_undoing = problem.error.context.iter().any(|(key, _)| key == "while");
            (problem.address.as_str(), problem.error.code.as_str(), is_undoing)
        })
        .collect();
    assert_eq!(
        causes,
        [
            ("toy_thing.n7", "resource.failed", false),
            ("toy_thing.n1", "resource.failed", true),
            ("rollback", "run.rollback_incomplete", false)
        ]
    );
    // What could be undone is: the update and the other branch, and nothing below the object that stayed.
    assert_eq!(report.undone_count, Some(5));
    check_books(&stage, "stuck");
    let left: BTreeSet<_> = stage.rows().iter().map(|row| row.address.to_string()).collect();
    assert_eq!(left, ["toy_thing.n0", "toy_thing.n1", "toy_thing.n2"].map(str::to_owned).into());
}

/// The address is given back to the old object first: one that cannot be deleted again is left beside it.
#[test]
fn what_cannot_be_taken_back_does_not_stand_in_the_way() {
    let scene = Scene::new(&[Node::new(Kind::ReplaceCreateFirst), Node::new(Kind::Update).input(0)]);
    let old = scene.rows[0].object_id;
    let stage = rolled_back(&scene, 0);
    stage.world.fail("toy_thing.n1", "update", Fault::Refuse);
    // First the old one, then the new one.
    stage.world.fail("toy_thing.n0", "delete", Fault::Refuse);
    stage.world.fail_again("toy_thing.n0", "delete", Fault::Refuse);
    let report = stage.process(Faults::none()).report();
    assert_eq!(report.status, RunStatus::Stuck, "{:?}", report.problems);
    check_books(&stage, "stuck");
    let rows = stage.rows();
    let of = |object: fn(ObjectId, ObjectId) -> bool| {
        let of_n0 = rows.iter().filter(|row| row.address.to_string() == "toy_thing.n0");
        of_n0.filter(|row| object(row.object_id, old)).map(|row| row.status).collect::<Vec<_>>()
    };
    assert_eq!(of(|object, old| object == old), [RowStatus::Current]);
    assert_eq!(of(|object, old| object != old), [RowStatus::Deposed]);
}

/// Who stops a run wants it to end.
#[test]
fn what_was_stopped_is_not_undone() {
    let scene = Scene::new(&[Node::new(Kind::Create), Node::new(Kind::Create).needs(0, Level::Ready)]);
    let stage = rolled_back(&scene, 0);
    stage.world.fail("toy_thing.n1", "create", Fault::Refuse);
    let (end, _) = stage.watched(Faults::none(), &mut |event, canceller| {
        if matches!(event, Event::StepStarted { address, .. } if address == "toy_thing.n1") {
            canceller.cancel();
        }
    });
    let report = end.report();
    assert_eq!((report.status, report.undone_count), (RunStatus::Failed, None), "{:?}", report.problems);
    check_books(&stage, "stopped");
    assert_eq!(stage.rows().len(), 1);
}

/// Nobody knows from where it would have to be undone.
#[test]
fn what_nobody_can_tell_is_not_undone() {
    let scene =
        Scene::new(&[Node::new(Kind::Create), Node::new(Kind::Create).of_type("toy_blind").needs(0, Level::Ready)]);
    let stage = rolled_back(&scene, 0);
    stage.world.fail("toy_blind.n1", "create", Fault::LostBefore);
    let report = stage.process(Faults::none()).report();
    assert_eq!((report.status, report.undone_count), (RunStatus::Stuck, None));
    let codes: Vec<_> = report.problems.iter().map(|problem| problem.error.code.as_str()).collect();
    assert_eq!(codes, ["resource.uncertain"]);
    let statuses: Vec<_> = stage.rows().iter().map(|row| row.status).collect();
    assert_eq!(statuses, [RowStatus::Current, RowStatus::Uncertain]);
}

#[test]
fn a_rollback_that_is_stopped_is_stuck() {
    let scene = medley();
    let stage = rolled_back(&scene, 0);
    stage.world.fail("toy_thing.n12", "create", Fault::Refuse);
    let (end, _) = stage.watched(Faults::none(), &mut |event, canceller| {
        if matches!(event, Event::RollbackStarted { .. }) {
            canceller.cancel();
        }
    });
    let report = end.report();
    assert_eq!(report.status, RunStatus::Stuck, "{:?}", report.problems);
    assert_eq!(report.problems.last().map(|problem| problem.error.code.as_str()), Some("run.rollback_incomplete"));
    check_books(&stage, "stopped");
}

#[test]
fn a_store_that_stutters_changes_nothing() {
    let scene = medley();
    let (calm, writes, _) = calm(&scene, 4);
    for write in 0..writes {
        for faults in [Faults::transient(write, 2), Faults::lose_reply(write)] {
            let stage = Stage::new(&scene, 4);
            let report = stage.process(faults).report();
            assert_eq!(report.status, RunStatus::Succeeded);
            check_sound(&stage, &format!("stuttered at write {write}"));
            assert_eq!(result(&stage), calm);
        }
    }
}

#[test]
fn a_store_that_stays_away_pauses_the_run() {
    let scene = medley();
    let (calm, writes, _) = calm(&scene, 4);
    for write in 0..writes {
        let stage = Stage::new(&scene, 4);
        let error = match stage.process(Faults::transient(write, 1_000_000)) {
            End::Ended(Err(error)) => error,
            other => panic!("write {write}: {other:?}"),
        };
        assert_eq!(error.code(), "store.unavailable");
        assert_ne!(stage.status(), Some(RunStatus::Succeeded));
        assert_eq!(take_up(&stage, "the store is back"), RunStatus::Succeeded, "paused at write {write}");
        check_sound(&stage, &format!("paused at write {write}"));
        assert_eq!(result(&stage), calm, "paused at write {write}");
    }
}

/// Cancels at the given event; then a second run does the rest.
fn cancel_at(scene: &Scene, seed: u64, at: usize, now: bool) -> (Stage, bool) {
    let stage = Stage::new(scene, seed);
    let mut seen = 0;
    let (end, _) = stage.watched(Faults::none(), &mut |_, canceller| {
        if seen == at {
            if now { canceller.cancel_now() } else { canceller.cancel() }
        }
        seen += 1;
    });
    let mut status = end.report().status;
    if status == RunStatus::Running {
        assert!(now, "a cancelled run drains");
        status = take_up(&stage, "hurried");
    }
    let what = format!("cancelled at event {at}, now: {now}");
    check_sound(&stage, &what);
    assert!(matches!(status, RunStatus::Cancelled | RunStatus::Succeeded), "{what}: {status:?}");
    let left: Vec<StepId> = stage
        .journal()
        .iter()
        .filter(|entry| matches!(entry.fact, Fact::Skipped { .. }))
        .filter_map(|entry| entry.fact.step())
        .collect();
    assert_eq!(left.is_empty(), status == RunStatus::Succeeded, "{what}");
    let cancelled = status == RunStatus::Cancelled;
    if left.is_empty() {
        return (stage, cancelled);
    }
    let rest = scene.rest(&left, &stage.rows());
    let stage = stage.follow(rest);
    let report = stage.process(Faults::none()).report();
    assert_eq!(report.status, RunStatus::Succeeded, "{what}: {:?}", report.problems);
    (stage, cancelled)
}

#[test]
fn cancelling_changes_when_and_never_what() {
    // Nothing reads here: an answer that is asked for anew is another one.
    let scene = Scene::new(&[
        Node::new(Kind::Create),
        Node::new(Kind::Create).input(0),
        Node::new(Kind::Update).needs(1, Level::Applied),
        Node::new(Kind::Replace).needs(2, Level::Ready),
        Node::new(Kind::ReplaceCreateFirst).input(1),
        Node::new(Kind::Delete).needs(3, Level::Done),
        Node::new(Kind::Create).of_type("toy_idem").input(4),
    ]);
    for seed in 0..2 {
        let (calm, _, _) = calm(&scene, seed);
        let mut events = 0;
        Stage::new(&scene, seed).watched(Faults::none(), &mut |_, _| events += 1);
        for now in [false, true] {
            let mut cancelled_count = 0;
            for at in 0..events {
                let (stage, cancelled) = cancel_at(&scene, seed, at, now);
                cancelled_count += usize::from(cancelled);
                assert_eq!(result(&stage), calm, "cancelled at event {at} of {events}, now: {now}");
            }
            assert!(cancelled_count > events / 2, "{cancelled_count} of {events} runs were cancelled");
        }
    }
}

#[test]
fn a_taken_lease_stops_the_run_at_once() {
    let scene = medley();
    let (calm, _, _) = calm(&scene, 2);
    let mut events = 0;
    Stage::new(&scene, 2).watched(Faults::none(), &mut |_, _| events += 1);
    let mut lost = 0;
    for at in 0..events {
        let stage = Stage::new(&scene, 2);
        let mut seen = 0;
        let (end, _) = stage.watched(Faults::none(), &mut |_, _| {
            if seen == at {
                stage.steal_lease();
            }
            seen += 1;
        });
        match end {
            End::Ended(Err(error)) => {
                assert_eq!(error.code(), "lease.lost");
                lost += 1;
                assert_eq!(take_up(&stage, "taken over"), RunStatus::Succeeded, "taken at event {at}");
            }
            End::Ended(Ok(report)) => assert_eq!(report.status, RunStatus::Succeeded),
            End::Died => panic!("nobody died"),
        }
        check_sound(&stage, &format!("taken at event {at}"));
        assert_eq!(result(&stage), calm, "taken at event {at}");
    }
    assert!(lost > events / 2, "{lost} of {events} runs lost their lease");
}

#[test]
fn a_finished_run_is_not_resumed_and_a_stale_plan_not_begun() {
    let scene = medley();
    let stage = Stage::new(&scene, 0);
    stage.process(Faults::none()).report();
    let code = |end: End| match end {
        End::Ended(Err(error)) => error.code().to_owned(),
        other => panic!("{other:?}"),
    };
    assert_eq!(code(stage.process(Faults::none())), "run.ended");
    let stale = Stage::new(&scene, 0);
    let mut plan = (*scene.plan).clone();
    plan.base[0].version += 1;
    let stale = Stage { scene: Scene { plan: plan.into(), ..scene.clone() }, ..stale };
    assert_eq!(code(stale.process(Faults::none())), "plan.stale");
    assert_eq!(stale.world.effect_count(), 0);
}

#[test]
fn a_plan_that_comes_out_otherwise_has_no_effect() {
    let mut scene = Scene::new(&[Node::new(Kind::Create), Node::new(Kind::Create).input(0)]);
    let mut plan = (*scene.plan).clone();
    // Somebody approved an input that starts otherwise than it will.
    let promised = Value::unknown_with(
        stackwright::value::Type::String,
        stackwright::value::Refinement::not_null().with_full_prefix("q-"),
    );
    for step in &mut plan.steps {
        let put = |object: &Value| {
            Value::object(object.entries().map(|(name, old)| {
                let late = &**name == "input" && !old.is_known();
                (std::sync::Arc::clone(name), if late { promised.clone() } else { old.clone() })
            }))
        };
        step.planned = step.planned.as_ref().map(put);
    }
    scene.plan = plan.into();
    let stage = Stage::new(&scene, 0);
    let report = stage.process(Faults::none()).report();
    assert_eq!(report.status, RunStatus::Failed);
    assert_eq!(report.problems.len(), 1);
    let error = &report.problems[0].error;
    assert_eq!(error.code, "plan.inconsistent");
    assert!(error.context.contains(&("paths".to_owned(), ".input".to_owned())), "{error:?}");
    assert_eq!(stage.world.call_count("toy_thing.n1", "create"), 0);
    check_sound(&stage, "inconsistent");
}

#[test]
fn what_a_type_refuses_once_it_is_known_has_no_effect() {
    let scene = Scene::new(&[Node::new(Kind::Create), Node::new(Kind::Create).input(0)]);
    let stage = Stage::new(&scene, 0);
    stage.world.be_picky();
    let report = stage.process(Faults::none()).report();
    assert_eq!(report.status, RunStatus::Failed);
    let [problem] = &report.problems[..] else { panic!("{:?}", report.problems) };
    assert_eq!((&*problem.address, &*problem.error.code), ("toy_thing.n1", "toy.input"));
    assert_eq!(stage.world.call_count("toy_thing.n0", "create"), 1);
    assert_eq!(stage.world.call_count("toy_thing.n1", "create"), 0);
    check_sound(&stage, "picky");
}

#[test]
fn an_unknown_value_never_reaches_a_type() {
    let mut scene = Scene::new(&[Node::new(Kind::Create), Node::new(Kind::Create).input(0)]);
    // Its source never says anything, so that evaluation leaves the input unknown.
    scene.inputs.insert(StepId(1), "toy_thing.nobody".parse().expect("an address"));
    let stage = Stage::new(&scene, 0);
    let report = stage.process(Faults::none()).report();
    assert_eq!(report.status, RunStatus::Failed);
    assert_eq!(report.problems[0].error.code, "run.unknown_value");
    assert_eq!(stage.world.call_count("toy_thing.n1", "create"), 0);
}

#[test]
fn events_are_ordered_and_free_of_secrets() {
    let stage = Stage::new(&medley(), 0);
    let mut events = Vec::new();
    stage.watched(Faults::none(), &mut |event, _| events.push(event.clone()));
    assert!(matches!(events.first(), Some(Event::RunStarted { resumed: false, .. })));
    assert!(matches!(events.last(), Some(Event::RunFinished { failed: 0, skipped: 0, .. })));
    let started = events.iter().filter(|event| matches!(event, Event::StepStarted { .. })).count();
    let finished = events.iter().filter(|event| matches!(event, Event::StepFinished { .. })).count();
    assert_eq!((started, finished), (stage.scene.plan.steps.len(), stage.scene.plan.steps.len()));
    assert!(!format!("{events:?}").contains("hunter2"));
}

#[test]
fn secrets_do_not_reach_the_disk() {
    let stage = Stage::new(&medley(), 0);
    stage.process(Faults::none());
    assert!(!stage.disk_text().contains("hunter2"));
    assert!(stage.disk_text().contains("new1"), "what is no secret is readable");
}

fn nodes() -> impl Strategy<Value = Vec<Node>> {
    let node =
        (0..9_u8, proptest::collection::vec((any::<u8>(), 0..3_u8), 0..3), proptest::option::of(any::<u8>()), 0..4_u8);
    proptest::collection::vec(node, 1..8).prop_map(|drafts| {
        let kinds = [
            Kind::Create,
            Kind::Create,
            Kind::Update,
            Kind::Delete,
            Kind::Forget,
            Kind::Read,
            Kind::Replace,
            Kind::ReplaceCreateFirst,
            Kind::Wait,
        ];
        let mut nodes: Vec<Node> = Vec::new();
        for (idx, (kind, needs, input, type_no)) in drafts.into_iter().enumerate() {
            let kind = kinds[usize::from(kind)];
            let mut node = Node::new(kind);
            if kind != Kind::Read && type_no > 1 {
                node = node.of_type(if type_no == 2 { "toy_idem" } else { "toy_late" });
            }
            if idx > 0 {
                let mut seen = BTreeSet::new();
                for (other, level) in needs {
                    let other = usize::from(other) % idx;
                    if seen.insert(other) {
                        node = node.needs(other, [Level::Applied, Level::Ready, Level::Done][usize::from(level)]);
                    }
                }
                let makes = |node: &Node| !matches!(node.kind, Kind::Delete | Kind::Forget | Kind::Wait);
                let source = input.map(|other| usize::from(other) % idx).filter(|other| makes(&nodes[*other]));
                if let Some(source) = source.filter(|_| makes(&node) && kind != Kind::Read) {
                    node = node.input(source);
                }
            }
            nodes.push(node);
        }
        nodes
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn any_plan_survives_any_crash(nodes in nodes(), seed in any::<u64>()) {
        sweep(&Scene::new(&nodes), seed);
    }

    #[test]
    fn any_plan_is_undone(nodes in nodes(), seed in any::<u64>(), at in any::<usize>(), write in any::<u64>()) {
        let scene = Scene::new(&nodes);
        let step = &scene.plan.steps[at % scene.plan.steps.len()];
        prop_assume!(matches!(step.action, StepAction::Create | StepAction::Update | StepAction::Delete));
        let begin = || {
            let stage = rolled_back(&scene, seed);
            stage.world.fail(&step.address.to_string(), step.action.as_str(), Fault::Refuse);
            stage
        };
        let stage = begin();
        let (end, writes) = stage.watched(Faults::none(), &mut |_, _| {});
        let report = end.report();
        prop_assert_eq!(report.status, RunStatus::Failed, "{:?}", report.problems);
        check_undone(&stage, "undone");
        let stage = begin();
        stage.process(Faults::die_after(write % writes));
        check_taken_up(&stage, "undone by another");
    }

    #[test]
    fn any_plan_keeps_its_order_under_any_failure(
        nodes in nodes(), seed in any::<u64>(), at in any::<usize>(), fault in 0..FAULTS.len(), parallelism in 1..5_usize,
    ) {
        let scene = Scene::new(&nodes);
        let step = &scene.plan.steps[at % scene.plan.steps.len()];
        let mut stage = Stage::new(&scene, seed);
        stage.options.parallelism = parallelism;
        stage.options.on_failure = OnFailure::Continue;
        let verb = if FAULTS[fault] == Fault::NeverReady { "ready" } else { step.action.as_str() };
        stage.world.fail(&step.address.to_string(), verb, FAULTS[fault]);
        stage.process(Faults::none()).report();
        check_sound(&stage, "any plan");
    }
}

#[test]
fn worlds_are_quiet() {
    // A world that nobody touched has nothing to complain of: what the other tests compare is not empty by accident.
    let world = World::new(0);
    assert!(world.things().is_empty() && world.log().is_empty());
    let ((rows, things, created), writes, effects) = calm(&medley(), 0);
    assert!(rows.len() > 5 && things.len() > 5 && created.len() > 3 && writes > 10 && effects > 8);
}
