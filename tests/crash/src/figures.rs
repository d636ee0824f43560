use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use crate::books::Audit;

/// What became of a series of kills, or of one scenario.
#[derive(Clone, Debug, Default)]
pub(crate) struct Figures {
    pub(crate) name: String,
    /// How often the engine was killed, stopped or hindered.
    pub(crate) kills: u64,
    /// How many of these met a run that was under way.
    pub(crate) live: u64,
    /// How many met a create that was announced and not noted as done.
    pub(crate) open_creates: u64,
    /// How many met a request that the cloud was at work on.
    pub(crate) in_flight: u64,
    /// How many runs were taken up again.
    pub(crate) resumed: u64,
    pub(crate) audit: Audit,
    /// Runs that ended stuck, and applies that never got through.
    pub(crate) stuck: u64,
    /// Codes of the errors with which a run or a command ended, and how often.
    pub(crate) codes: BTreeMap<String, u64>,
    pub(crate) time: Duration,
    /// What broke a promise, for people.
    pub(crate) broken: Vec<String>,
    /// Why it was left out, where it was.
    pub(crate) skipped: Option<String>,
}

impl Figures {
    pub(crate) fn new(name: &str) -> Self {
        Self { name: name.to_owned(), ..Self::default() }
    }

    /// Returns what a scenario comes to, with the time that it takes.
    pub(crate) fn timed(name: &str, play: impl FnOnce(&mut Self)) -> Self {
        let begun = Instant::now();
        let mut figures = Self::new(name);
        play(&mut figures);
        figures.time = begun.elapsed();
        figures
    }

    pub(crate) fn note_codes(&mut self, codes: &[String]) {
        for code in codes {
            *self.codes.entry(code.clone()).or_default() += 1;
        }
    }

    /// Notes a broken promise unless it holds.
    pub(crate) fn expect(&mut self, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            self.broken.push(what());
        }
    }

    /// Adds a comparison of cloud and state that has to find nothing.
    pub(crate) fn audit(&mut self, when: &str, audit: Audit) {
        if !audit.is_clean() {
            self.broken.push(format!("{when}: {audit:?}"));
        }
        self.audit.add(audit);
    }

    /// Adds the figures of another series.
    pub(crate) fn add(&mut self, other: Self) {
        self.kills += other.kills;
        self.live += other.live;
        self.open_creates += other.open_creates;
        self.in_flight += other.in_flight;
        self.resumed += other.resumed;
        self.audit.add(other.audit);
        self.stuck += other.stuck;
        for (code, count) in other.codes {
            *self.codes.entry(code).or_default() += count;
        }
        self.time += other.time;
        self.broken.extend(other.broken);
    }
}

const COLUMNS: [&str; 13] = [
    "scenario",
    "kills",
    "live",
    "open create",
    "in flight",
    "resumed",
    "lost",
    "doubled",
    "missing",
    "uncertain",
    "unannounced",
    "stuck",
    "time",
];

/// Prints figures one below another.
pub(crate) fn table(rows: &[Figures]) -> String {
    let mut lines = vec![COLUMNS.map(str::to_owned).to_vec()];
    for row in rows {
        if let Some(why) = &row.skipped {
            lines.push(vec![row.name.clone(), format!("skipped: {why}")]);
            continue;
        }
        let audit = &row.audit;
        let counts = [
            row.kills,
            row.live,
            row.open_creates,
            row.in_flight,
            row.resumed,
            audit.lost.len() as u64,
            audit.doubled.len() as u64,
            audit.missing.len() as u64,
            audit.uncertain.len() as u64,
            audit.unannounced.len() as u64,
            row.stuck,
        ];
        let mut line = vec![row.name.clone()];
        line.extend(counts.map(|count| count.to_string()));
        line.push(format!("{:.1} s", row.time.as_secs_f64()));
        lines.push(line);
    }
    let width = |column: usize| {
        let cells = lines.iter().filter(|line| line.len() == COLUMNS.len()).filter_map(|line| line.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or_default()
    };
    let first = lines.iter().filter_map(|line| line.first()).map(|cell| cell.chars().count()).max().unwrap_or_default();
    let mut text = String::new();
    for line in &lines {
        for (column, cell) in line.iter().enumerate() {
            match (column, line.len()) {
                (0, _) => text.push_str(&format!("{cell:<first$}")),
                (_, 2) => text.push_str(&format!("  {cell}")),
                _ => text.push_str(&format!("  {cell:>width$}", width = width(column))),
            }
        }
        text.push('\n');
    }
    text
}
