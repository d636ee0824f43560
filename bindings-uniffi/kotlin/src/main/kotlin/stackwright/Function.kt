package stackwright

import kotlinx.serialization.json.JsonElement

/**
 * A pure function of templates: `provider::acme::shout(…)` for the name `acme::shout`. Arguments and the result are of any
 * type, as plain data.
 */
class Function(
    /** `provider::name`. */
    val name: String,
    private val parameters: List<String>,
    private val description: String = "",
    private val body: (List<Any?>) -> Any?,
) {
    init {
        require(name.split("::").let { parts -> parts.size == 2 && parts.all { it.isNotEmpty() } }) { "`$name` names no provider: write `acme::$name`" }
    }

    internal fun descriptor(): JsonElement {
        val (provider, short) = name.split("::")
        return jsonObject(
            "provider" to provider,
            "name" to short,
            "summary" to description,
            "parameters" to parameters.map { mapOf("name" to it, "type" to "dynamic", "nullable" to true) },
            "returns" to "dynamic",
        )
    }

    internal fun compute(arguments: JsonElement): Any? = body(arguments.items.map(::plain))
}
