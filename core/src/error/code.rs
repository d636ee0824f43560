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
    info("cipher.key_invalid", "what was given as a key is none"),
    info("cipher.key_permissions", "others can read the key file"),
    info("cipher.key_unavailable", "the key cannot be had"),
    info("cipher.open_failed", "a sealed value does not open with the keys at hand"),
    info("engine.bug", "the engine broke a promise of its own"),
    info("engine.incomplete", "the engine builder lacks a store or a cipher"),
    info("lease.held", "somebody else is working on the stack"),
    info("lease.lost", "the lease was taken over, broken or given back"),
    info("plan.condition_failed", "a condition of the template does not hold"),
    info("plan.inconsistent", "a step came out otherwise than it was approved"),
    info("local.base64", "a text is not Base64"),
    info("local.certificate", "a certificate cannot be made"),
    info("local.command", "a command did not give an answer"),
    info("local.conflict", "attributes contradict each other"),
    info("local.denied", "the system does not permit it"),
    info("local.exists", "something else is there already"),
    info("local.http", "no answer over HTTP"),
    info("local.io", "a file operation failed"),
    info("local.mode", "a file mode is not octal"),
    info("local.no_port", "every port of the range is taken"),
    info("local.not_empty", "a directory is not empty"),
    info("local.process", "a process cannot be started or ended"),
    info("local.range", "a range is empty"),
    info("plan.stale", "state moved since the plan was made"),
    info("registry.duplicate", "a type is registered twice"),
    info("registry.unknown_revision", "a type has no such revision"),
    info("registry.unknown_type", "no such type is registered"),
    info("resource.import_id", "an id to import is not of the right form"),
    info("resource.import_unsupported", "objects of this type cannot be imported"),
    info("resource.inconsistent", "a resource type broke its contract"),
    info("resource.not_ready", "an object was made but does not work"),
    info("resource.panicked", "a resource type panicked"),
    info("resource.timeout", "a call did not end in time"),
    info("resource.uncertain", "nobody can tell what a call did"),
    info("resource.upgrade_unsupported", "state was written by another version of a type"),
    info("resource.vanished", "an object disappeared while it was being changed"),
    info("run.cancelled", "the caller asked to stop"),
    info("run.ended", "the run ended already"),
    info("run.illegal_fact", "a run's journal contradicts itself"),
    info("run.invalid_plan", "a plan's steps cannot be put in order"),
    info("run.rollback_unsupported", "runs cannot undo themselves yet"),
    info("run.unfinished", "an earlier run of the stack never ended"),
    info("run.unknown", "there is no such run"),
    info("run.unknown_value", "a value was not known when a step was about to start"),
    info("schema.invalid", "the schema of a resource type contradicts itself"),
    info("state.address_taken", "there is an object at the address already"),
    info("state.no_such_address", "nothing in state has the address"),
    info("store.conflict", "a commit contradicts what is stored"),
    info("store.corrupt", "what is stored cannot be what was written"),
    info("store.stale", "a newer version of the row is stored"),
    info("store.unavailable", "the store cannot be read or written now"),
    info("store.version", "a newer program wrote the store"),
    info("value.arithmetic", "an operation has no number as its result"),
    info("value.convert", "a value is not, and cannot become, of the type that is required"),
    info("value.encoding", "a stored value cannot be read back"),
    info("value.json", "a text is not JSON, or a value has no form in JSON"),
    info("value.part", "a value has no part of that name or index"),
];
