//! Fuzz targets: functions that take any bytes and panic when a promise is broken.
//!
//! `make fuzz` runs them under libFuzzer, guided by coverage; `cargo test -p stackwright-fuzz` replays the corpus and tries
//! a few thousand variations of it, the same ones every time.

mod evaluate;
mod notation;
mod template;

/// A target.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name, and that of its folder in `corpus/`.
    pub name: &'static str,
    /// Feeds it.
    pub run: fn(&[u8]),
}

/// All targets.
pub const TARGETS: &[Target] = &[
    Target { name: "hcl", run: notation::hcl },
    Target { name: "json", run: notation::json },
    Target { name: "yaml", run: notation::yaml },
    Target { name: "values", run: notation::values },
    Target { name: "template", run: template::template },
    Target { name: "expression", run: evaluate::expression },
    Target { name: "decoders", run: evaluate::decoders },
];

/// Returns a target by its name.
pub fn target(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}

/// Text that is broken in a few places is more telling than none.
fn text(data: &[u8]) -> String {
    String::from_utf8_lossy(data).into_owned()
}
