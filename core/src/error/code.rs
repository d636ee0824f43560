/// One stable code and what it means in a line.
#[derive(Clone, Copy, Debug)]
pub struct CodeInfo {
    /// The code, such as `plan.cycle`.
    pub code: &'static str,
    /// What happened, in a few words.
    pub summary: &'static str,
}

const fn info(code: &'static str, summary: &'static str) -> CodeInfo {
    CodeInfo { code, summary }
}

/// Every code that the engine and its extensions may report, in order.
///
/// Each has a page `docs/errors/<code>.md`; a test checks that.
pub const CODES: &[CodeInfo] = &[
    info("address.invalid", "a text is not the address of what was asked for"),
    info("engine.bug", "the engine broke a promise of its own"),
    info("schema.invalid", "the schema of a resource type contradicts itself"),
    info("value.arithmetic", "an operation has no number as its result"),
    info("value.convert", "a value is not, and cannot become, of the type that is required"),
    info("value.encoding", "a stored value cannot be read back"),
    info("value.json", "a text is not JSON, or a value has no form in JSON"),
    info("value.part", "a value has no part of that name or index"),
];
