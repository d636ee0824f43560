use std::{
    fmt,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use stackwright::{plan::StepAction, state::RunStatus};

use crate::{
    chance::Chance,
    figures::Figures,
    program::Working,
    shop::{Memory, Shop},
    template::Size,
};

/// How often an apply may fail with a reason before it counts as stuck.
const MOST_TRIES: u32 = 6;

/// What a shop goes through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Everything is made.
    Create,
    /// Some is updated, replaced, made and deleted.
    Change,
    /// Everything is deleted.
    Destroy,
}

impl Phase {
    pub(crate) const ALL: [Self; 3] = [Self::Create, Self::Change, Self::Destroy];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Create => "kill: create",
            Self::Change => "kill: update, replace",
            Self::Destroy => "kill: destroy",
        }
    }

    fn command(self) -> [&'static str; 3] {
        match self {
            Self::Destroy => ["destroy", "-auto-approve", "-json"],
            _ => ["apply", "-auto-approve", "-json"],
        }
    }
}

/// When to kill. Counted by what happens, never by a clock.
#[derive(Clone, Copy, Debug)]
enum Moment {
    /// The run has just been written down.
    Begun,
    /// So many more changes got to a point in the cloud.
    Cloud(&'static str, u64),
    /// The program said of so many steps that they ended.
    Told(u64),
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Begun => f.write_str("when the run was written down"),
            Self::Cloud(point, count) => write!(f, "when change {count} was {point}"),
            Self::Told(count) => write!(f, "when step {count} was said to have ended"),
        }
    }
}

impl Moment {
    fn draw(chance: &mut Chance, left: u64) -> Self {
        let count = 1 + chance.below(left);
        match chance.below(16) {
            0 => Self::Begun,
            1..=5 => Self::Cloud("taken", count),
            6..=10 => Self::Cloud("done", count),
            11..=12 => Self::Cloud("answered", count),
            _ => Self::Told(count),
        }
    }

    /// Waits for it; false where the program ended before.
    fn wait(self, shop: &Shop, working: &mut Working) -> bool {
        match self {
            Self::Begun => working.wait_for("\"type\":\"run_started\"", 1),
            Self::Told(count) => working.wait_for("\"type\":\"step_finished\"", count),
            Self::Cloud(point, count) => {
                let before = shop.cloud.changes().at(point);
                shop.cloud.tell(point, before + count, working.said.clone());
                working.wait_until_told()
            }
        }
    }
}

/// How the cloud behaves while the engine is killed: slow, limited, lagging, and losing a reply now and then.
pub(crate) fn knobs(chance: &mut Chance) -> Value {
    json!({
        "latency_ms": 10 + chance.below(20),
        "jitter_ms": 40,
        "rate_per_second": 400.0,
        "burst": 40.0,
        "lag_ms": chance.below(3) * 150,
        "lose_share": chance.below(3) as f64 * 0.01,
        "start_ms": 60,
    })
}

/// Kills that are still to be made, by all stories together.
#[derive(Debug)]
pub(crate) struct Budget(AtomicU64);

impl Budget {
    pub(crate) fn new(kills: u64) -> Self {
        Self(AtomicU64::new(kills))
    }

    fn take(&self) -> bool {
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
    }

    pub(crate) fn is_spent(&self) -> bool {
        self.0.load(Ordering::Relaxed) == 0
    }
}

/// Lets one shop live through all phases, and kills the engine in each. Returns the figures of each phase.
///
/// Everything is drawn from the seed.
pub(crate) fn play(seed: u64, budget: &Budget) -> Vec<Figures> {
    let mut chance = Chance::new(seed);
    let knobs = knobs(&mut chance);
    let mut shop = Shop::open(Size::LARGE, seed, &knobs);
    let turn = 1 + chance.below(2);
    let mut all = Vec::new();
    for phase in Phase::ALL {
        let kills = 1 + chance.below(if phase == Phase::Create { 4 } else { 3 });
        let begun = Instant::now();
        let mut figures = Figures::new(phase.name());
        if phase == Phase::Change {
            shop.write(turn);
        }
        kill(&shop, phase, kills, &mut chance, budget, &mut figures);
        finish(&shop, phase, &mut figures);
        figures.audit("in the end", shop.audit());
        check_whole(&shop, phase, if phase == Phase::Create { 0 } else { turn }, &mut figures);
        figures.time = begun.elapsed();
        let is_broken = !figures.broken.is_empty();
        for what in &mut figures.broken {
            *what = format!("story {seed}, {}: {what}", phase.name());
        }
        all.push(figures);
        if is_broken {
            let kept = shop.keep();
            eprintln!("story {seed} broke a promise; its folder is kept: {kept:?}");
            break;
        }
    }
    all
}

/// Kills the engine up to so many times while it works on a phase.
fn kill(shop: &Shop, phase: Phase, kills: u64, chance: &mut Chance, budget: &Budget, figures: &mut Figures) {
    // As many changes as there are to make; what was repeated counts twice, which only makes moments come early.
    let begun = shop.cloud.changes().done;
    let goal = match phase {
        Phase::Create => shop.size.total(0),
        // A bit less than a calm run makes, whatever the turn.
        Phase::Change => shop.size.total(0) / 2,
        Phase::Destroy => shop.cloud.history().living().count() as u64,
    };
    let mut was_unfinished = false;
    for _ in 0..kills {
        let left = goal.saturating_sub(shop.cloud.changes().done - begun);
        if left < goal / 16 || !budget.take() {
            return;
        }
        let moment = Moment::draw(chance, left - left / 16);
        let resumes = was_unfinished && chance.below(3) == 0;
        let mut working = match resumes {
            true => shop.start(&["runs", "resume", "-json"]),
            false => shop.start(&phase.command()),
        };
        figures.kills += 1;
        figures.resumed += u64::from(was_unfinished);
        let has_come = moment.wait(shop, &mut working);
        let was_alive = working.kill();
        let at_death = shop.cloud.changes();
        let memory = shop.memory();
        was_unfinished = memory.is_unfinished();
        if has_come && was_alive && was_unfinished {
            figures.live += 1;
            figures.open_creates += u64::from(memory.open_steps(StepAction::Create) > 0 || at_death.is_creating());
            figures.in_flight += u64::from(!at_death.open.is_empty());
        }
        check_death(shop, &memory, moment, figures);
    }
}

/// Checks what has to hold at the moment of death: whatever the cloud makes of it, it was announced.
fn check_death(shop: &Shop, memory: &Memory, moment: Moment, figures: &mut Figures) {
    shop.cloud.settle();
    let audit = crate::books::audit(memory, &shop.cloud.history());
    if !audit.unannounced.is_empty() {
        figures.broken.push(format!("killed {moment}: made and never announced: {:?}", audit.unannounced));
        figures.audit.unannounced.extend(audit.unannounced);
    }
}

/// Lets the engine work until all is done.
pub(crate) fn finish(shop: &Shop, phase: Phase, figures: &mut Figures) {
    let mut last = String::new();
    for _ in 0..MOST_TRIES {
        let memory = shop.memory();
        figures.resumed += u64::from(memory.is_unfinished());
        let ended = shop.run(&phase.command());
        if ended.is_success() {
            return;
        }
        let codes = ended.codes();
        figures.expect(!codes.is_empty(), || format!("it failed and gave no code: {}", ended.text));
        figures.note_codes(&codes);
        let memory = shop.memory();
        if memory.runs.first().is_some_and(|run| run.status == RunStatus::Stuck) {
            figures.stuck += 1;
            figures.broken.push(format!("a run is stuck: {:?}", memory.reasons()));
            return;
        }
        last = ended.text;
    }
    figures.stuck += 1;
    let tail: Vec<&str> = last.lines().rev().take(5).collect();
    figures.broken.push(format!("it did not get through {MOST_TRIES} times: {tail:?}"));
}

/// Checks that everything that the template says is there, and that nothing is left to do.
pub(crate) fn check_whole(shop: &Shop, phase: Phase, turn: u64, figures: &mut Figures) {
    let living = shop.cloud.history().living().count() as u64;
    if phase == Phase::Destroy {
        figures.expect(living == 0, || format!("{living} things are left in the cloud"));
        figures.expect(shop.memory().rows.is_empty(), || "rows are left".to_owned());
        return;
    }
    let wanted = shop.size.total(turn);
    figures.expect(living == wanted, || format!("{living} things are in the cloud, and {wanted} in the template"));
    let planned = shop.run(&["plan", "-detailed-exitcode"]);
    figures.expect(planned.status.code() == Some(0), || format!("something is left to do: {}", planned.text));
}

/// Plays stories until all kills are made, a few at a time; returns the figures of each phase.
pub(crate) fn play_all(seed: u64, kills: u64, lanes: u64, mut tell: impl FnMut(u64, &[Figures])) -> Vec<Figures> {
    let budget = Budget::new(kills);
    let next = AtomicU64::new(0);
    let mut totals: Vec<Figures> = Phase::ALL.map(|phase| Figures::new(phase.name())).into();
    let (sender, stories) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        for _ in 0..lanes {
            let (sender, budget, next) = (sender.clone(), &budget, &next);
            scope.spawn(move || {
                while !budget.is_spent() {
                    let story = Chance::new(seed ^ (next.fetch_add(1, Ordering::Relaxed) << 20)).next() >> 16;
                    // Nobody listens only where this program ends.
                    let _ = sender.send((story, play(story, budget)));
                }
            });
        }
        drop(sender);
        while let Ok((story, figures)) = stories.recv() {
            tell(story, &figures);
            for phase in figures {
                if let Some(total) = totals.iter_mut().find(|total| total.name == phase.name) {
                    total.add(phase);
                }
            }
        }
    });
    totals
}

/// Returns what all series come to.
pub(crate) fn total(phases: &[Figures], time: Duration) -> Figures {
    let mut total = Figures::new("all kills");
    for phase in phases {
        total.add(Figures { broken: Vec::new(), ..phase.clone() });
    }
    Figures { time, ..total }
}
