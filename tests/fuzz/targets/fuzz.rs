//! One target under libFuzzer; `STACKWRIGHT_FUZZ` names it.
#![no_main]

use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use stackwright_fuzz::{TARGETS, Target, target};

fuzz_target!(|data: &[u8]| {
    static TARGET: OnceLock<&'static Target> = OnceLock::new();
    let chosen = TARGET.get_or_init(|| {
        let name = std::env::var("STACKWRIGHT_FUZZ").unwrap_or_default();
        let names = || TARGETS.iter().map(|target| target.name).collect::<Vec<_>>().join(", ");
        target(&name).unwrap_or_else(|| panic!("STACKWRIGHT_FUZZ names none of {}", names()))
    });
    (chosen.run)(data);
});
