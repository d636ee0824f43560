use std::{sync::OnceLock, time::SystemTime};

use super::{FileAccess, NoFiles};
use crate::template::Edition;

/// What one evaluation may use up; whatever goes beyond ends in an `eval.budget` diagnostic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Expressions inside one another.
    pub depth: u32,
    /// Elements of collections that may be made, all together.
    pub elements: u64,
    /// Bytes of text that may be made, all together.
    pub text_bytes: u64,
    /// Elements of one `range`; Terraform's limit is 1024.
    pub range: usize,
    /// Bytes that one compiled regular expression may take.
    pub pattern_bytes: usize,
    /// The most that the cost of a password hash may be; each step doubles the time. Terraform's limit is 31: months.
    pub hash_cost: u32,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            depth: 600,
            elements: 10_000_000,
            text_bytes: 64 << 20,
            range: 1024,
            pattern_bytes: 1 << 20,
            hash_cost: 16,
        }
    }
}

/// What differs from one evaluation to the next.
#[derive(Clone, Copy)]
pub struct Options<'a> {
    /// The rules.
    pub edition: Edition,
    /// The limits.
    pub budget: Budget,
    /// The files that functions may read.
    pub files: &'a dyn FileAccess,
    /// The world that `timestamp`, `uuid` and `bcrypt` look at.
    pub world: &'a dyn World,
    /// Whether `type` may be called; only consoles have it.
    pub console: bool,
}

impl Default for Options<'_> {
    /// Returns the options for planning a template that reads no files: nothing of the world is known.
    fn default() -> Self {
        Self { edition: Edition::default(), budget: Budget::default(), files: &NoFiles, world: &NotYet, console: false }
    }
}

/// What a call wants to see of the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Observation {
    /// What is looked at.
    pub kind: ObservationKind,
    /// How many observations the same evaluator made before. One expression always observes in the same order, so that a
    /// host can replay what it wrote down.
    pub ordinal: u32,
}

/// What can be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ObservationKind {
    /// The time now, in RFC 3339 and UTC.
    Timestamp,
    /// The time at which the plan was made, in RFC 3339 and UTC.
    PlanTimestamp,
    /// A new random UUID.
    Uuid,
    /// Sixteen new random bytes for the hash of a password, written as a UUID.
    Salt,
}

/// What is different every time one looks.
///
/// Results must not hang on it while planning, and must be replayed on resume; so hosts decide what is seen.
pub trait World {
    /// Returns what is seen, or `None` while it must not be known yet: the call is then unknown.
    fn observe(&self, observation: Observation) -> Option<String>;
}

/// A world of which nothing is known yet: what planning sees.
#[derive(Clone, Copy, Debug, Default)]
pub struct NotYet;

impl World for NotYet {
    fn observe(&self, _: Observation) -> Option<String> {
        None
    }
}

/// The world as it is: the system's clock and random source.
#[derive(Debug, Default)]
pub struct SystemWorld {
    started: OnceLock<Option<String>>,
}

impl World for SystemWorld {
    fn observe(&self, observation: Observation) -> Option<String> {
        match observation.kind {
            ObservationKind::Timestamp => now(),
            ObservationKind::PlanTimestamp => self.started.get_or_init(now).clone(),
            ObservationKind::Uuid => Some(uuid::Builder::from_random_bytes(random()?).into_uuid().to_string()),
            ObservationKind::Salt => Some(uuid::Uuid::from_bytes(random()?).to_string()),
        }
    }
}

fn random() -> Option<[u8; 16]> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).ok()?;
    Some(bytes)
}

fn now() -> Option<String> {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).ok()?;
    super::functions::timestamp_at(since)
}
