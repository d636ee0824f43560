package stackwright

import java.time.Duration
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive

/** What the caller can do about an error; the same in every language. */
enum class Kind {
    InvalidInput, NotFound, AlreadyExists, Conflict, Denied, Unavailable, RateLimited, Unsupported, Cancelled, Bug;

    internal val word = name.replace(Regex("(?<=.)([A-Z])"), "_$1").lowercase()

    internal companion object {
        fun of(word: String) = entries.find { it.word == word } ?: Bug
    }
}

/** Whether and when repeating a call helps. */
sealed interface Retry {
    /** It gives the same answer. */
    data object No : Retry

    /** With growing pauses. */
    data object WithBackoff : Retry

    /** The other side named a time to wait. */
    data class After(val pause: Duration) : Retry
}

/** Where something stands in a text, as people count it: from 1. */
data class Place(val file: String, val line: Int, val column: Int)

/** A problem in the input: what, where, and a way out. */
data class Diagnostic @JvmOverloads constructor(
    /** The stable code, such as `template.reference`. */
    val code: String,
    val message: String,
    val isWarning: Boolean = false,
    val help: String? = null,
    /** The instance concerned. */
    val address: String? = null,
    val place: Place? = null,
    /** The problem with the lines that it is about, for a terminal. */
    val rendered: String? = null,
)

/**
 * What the engine says, and what a verb may throw to say more than an ordinary exception can: whether repeating helps, and
 * whether the call may have changed the world. Anything else that a verb throws counts as "may have changed it".
 */
open class StackwrightException @JvmOverloads constructor(
    message: String,
    /** The stable name of what happened, the same in every language. */
    val code: String = "host.failed",
    /** What the caller can do. */
    val kind: Kind = Kind.Bug,
    val retry: Retry = Retry.No,
    /** Whether the world may have been changed. */
    val mayHaveChanged: Boolean = false,
    /** Facts, for people. */
    val context: Map<String, String> = emptyMap(),
    val diagnostics: List<Diagnostic> = emptyList(),
    /** The messages of the causes on the engine's side, outermost first. */
    val causes: List<String> = emptyList(),
    cause: Throwable? = null,
) : RuntimeException(message, cause) {
    internal fun because(cause: Throwable) =
        StackwrightException(message.orEmpty(), code, kind, retry, mayHaveChanged, context, diagnostics, causes, cause)
}

/** A run ended otherwise than well. `cause` is the first exception that a verb of yours threw, unchanged. */
class RunFailedException internal constructor(message: String, code: String, val report: Report, cause: Throwable?) :
    StackwrightException(message, code, Kind.Unavailable, mayHaveChanged = true, cause = cause)

/** Thrown by `create` or `update` that stopped half-way: what is there now, and why it is not more. */
class Partial(val outputs: Any, cause: Throwable) : RuntimeException("the object is half made", cause)

/** Thrown by `ready` when the object will never work; the message says why. */
class NeverReady(message: String) : RuntimeException(message)

internal fun exceptionOf(data: JsonElement, cause: Throwable? = null): StackwrightException {
    val diagnostics = data["diagnostics"].items
    val causes = data["causes"].items.map { it.text }
    val lines = listOf((listOf(data["message"].text) + causes).joinToString(": ")) + diagnostics.map(::diagnosticText)
    val retry = data["retry"]
    return StackwrightException(
        lines.joinToString("\n"),
        data["code"].text,
        Kind.of(data["kind"].text),
        when {
            retry is JsonObject -> Retry.After(Duration.ofMillis(retry.getValue("after_ms").long))
            retry.textOrNull == "with_backoff" -> Retry.WithBackoff
            else -> Retry.No
        },
        data["effect"].textOrNull == "unknown",
        data["context"].items.associate { (it as JsonArray)[0].text to it[1].text },
        diagnostics.map(::diagnosticOf),
        causes,
        cause,
    )
}

internal fun diagnosticOf(data: JsonElement) =
    Diagnostic(
        data["code"].text,
        data["message"].text,
        data["severity"].textOrNull == "warning",
        data["help"].textOrNull,
        data["address"].textOrNull,
        (data["place"] as? JsonObject)?.let { Place(it.getValue("file").text, it.getValue("line").long.toInt(), it.getValue("column").long.toInt()) },
        data["rendered"].textOrNull,
    )

private fun diagnosticText(data: JsonElement): String {
    data["rendered"].textOrNull?.let { return it.trimEnd('\n') }
    val where = data["address"].textOrNull?.let { " ($it)" }.orEmpty()
    val wayOut = data["help"].textOrNull?.let { "; $it" }.orEmpty()
    return "${data["severity"].textOrNull ?: "error"}[${data["code"].text}]: ${data["message"].text}$where$wayOut"
}

/** Returns the failure that the engine gets. */
internal fun failureOf(error: StackwrightException) =
    jsonObject(
        "kind" to error.kind.word,
        "code" to error.code,
        "message" to error.message.orEmpty(),
        "retry" to
            when (val retry = error.retry) {
                is Retry.After -> jsonObject("after_ms" to retry.pause.toMillis())
                Retry.WithBackoff -> JsonPrimitive("with_backoff")
                Retry.No -> JsonPrimitive("no")
            },
        "effect" to if (error.mayHaveChanged) "unknown" else "none",
        "context" to error.context.map { (key, value) -> listOf(key, value) },
        "diagnostics" to
            error.diagnostics.map {
                val help = if (it.help == null) emptyMap() else mapOf("help" to it.help)
                mapOf("code" to it.code, "message" to it.message, "severity" to if (it.isWarning) "warning" else "error") + help
            },
    )

/** What was thrown says nothing of its effect; it is not repeated, as it may quote a secret. */
internal fun unnamed(thrown: Throwable) =
    StackwrightException("the host's code threw `${className(thrown)}`", mayHaveChanged = true)

internal fun className(thrown: Throwable): String = thrown.javaClass.simpleName.ifEmpty { thrown.javaClass.name }

/** Returns what an envelope holds, or throws it. */
internal fun unwrap(envelope: JsonElement): JsonElement {
    val error = (envelope as JsonObject)["error"]
    if (error != null) throw exceptionOf(error)
    return envelope["ok"] ?: throw StackwrightException("an envelope has another shape", "engine.bug")
}
