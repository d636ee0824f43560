package stackwright

/** A case of the conformance suite, and what became of it. */
data class Finding(
    /** Such as `crash/same-key`. */
    val case: String,
    /** `passed`, `skipped` or `failed`. */
    val verdict: String,
    /** Why it was skipped, or what the type did wrong. */
    val message: String?,
)

/**
 * Holds a resource type against the contract that the engine relies on, and returns what became of each case. Things are made,
 * read, changed, imported and removed, one and many at once; answers are lost on purpose, and keys used twice. What was made
 * is removed again: check that your world is empty afterwards.
 *
 * [config] is what a template says of one thing; in texts `{n}` stands for a number: other numbers, other things. [changed] is
 * the same after a change in place, [missingId] an id that nothing has. [fault] is an input that makes verbs misbehave as it
 * says (`raise create`, `hang read`, …), for tests of the bridge.
 *
 * Throws an [AssertionError] with all that the type did wrong.
 */
suspend fun conform(
    resource: Resource<*, *>,
    config: Map<String, Any?>,
    changed: Map<String, Any?>? = null,
    missingId: String? = null,
    isValue: Boolean = false,
    fault: String? = null,
): List<Finding> {
    val engine = Engine.open(EngineOptions(resources = listOf(resource)))
    try {
        val query =
            mapOf("type_name" to resource.type, "config" to config, "changed" to changed, "missing_id" to missingId, "is_value" to isValue, "fault" to fault)
        val findings = engine.bridge.ask("conform", "query" to query).items.map { Finding(it["case"].text, it["verdict"].text, it["message"].textOrNull) }
        val wrong = findings.filter { it.verdict == "failed" }
        if (wrong.isNotEmpty()) {
            throw AssertionError("`${resource.type}` does not keep its contract:" + wrong.joinToString("") { "\n  ${it.case}: ${it.message}" })
        }
        return findings
    } finally {
        engine.shutdown()
    }
}
