package stackwright

import java.time.Instant
import java.util.concurrent.CompletableFuture
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.Deferred
import kotlinx.coroutines.NonCancellable
import kotlinx.coroutines.async
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.flow
import kotlinx.coroutines.future.future
import kotlinx.coroutines.withContext
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonObject

/** Something that happened in a run. */
data class Event(
    /** Its place in the run's events. */
    val seq: Long,
    val at: Instant,
    /** Which, such as `step_finished`. */
    val type: String,
    /** What it says, by name. */
    val fields: Map<String, Any?>,
) {
    /** The instance concerned. */
    val address: String? get() = fields["address"] as? String
}

/** Gets every event of every operation of an engine, in order, on the engine's dispatcher. What it throws is logged. */
fun interface EventSink {
    fun on(event: Event)
}

/** A problem of a run; `cause` of the error is what a verb of yours threw, unchanged. */
data class StepProblem(val address: String, val error: StackwrightException)

/** How a run ended. */
data class Report(
    val run: String,
    /** `succeeded`, `failed`, `cancelled`, `running` (resume it), `stuck` or `abandoned`. */
    val status: String,
    val problems: List<StepProblem>,
    /** The root outputs; [Hidden] where they are sensitive. */
    val outputs: Map<String, Any?>,
    val done: Int,
    val failed: Int,
    val skipped: Int,
) {
    val succeeded: Boolean get() = status == "succeeded"
}

/** A plan that is being carried out, on tasks of the engine's own: dropping this leaves it going. */
class Run internal constructor(private val bridge: Bridge, private val operation: Operation, val stackName: String, /** Its id. */ val id: String) {
    private val end: Deferred<Report>

    init {
        // Its events can be asked for as long as somebody holds it, though it ended and was awaited.
        CLEANER.register(this, Release(bridge, operation))
        bridge.runs += this
        end =
            bridge.scope.async {
                try {
                    reportOf(bridge.ask("finish", "operation" to operation.name), operation)
                } finally {
                    bridge.runs -= this@Run
                }
            }
    }

    /** Its events, in order; ends when the run has. Each is given to one collector only. */
    val events: Flow<Event> = flow {
        do {
            val batch = bridge.ask("events", "operation" to operation.name, "limit" to 256)
            batch["events"].items.forEach { emit(eventOf(it)) }
        } while (!batch["ended"].isTrue)
    }

    /** Asks the run to start nothing new, and to finish what runs. */
    fun cancel() {
        bridge.forget("cancel", "operation" to operation.name)
    }

    /** Asks the run not to wait for what runs either; what became of it is found out when the run is resumed. */
    fun cancelNow() {
        bridge.forget("cancel", "operation" to operation.name, "now" to true)
    }

    /**
     * Waits for the end, however it is. Cancelling the coroutine asks the run to stop, and waits until it has. Throws where the
     * run paused and can be resumed: `store.unavailable`, `lease.lost`.
     */
    suspend fun join(): Report =
        try {
            end.await()
        } catch (error: CancellationException) {
            if (!end.isCompleted) {
                cancel()
                withContext(NonCancellable) { runCatching { end.await() } }
            }
            throw error
        }

    /** Waits for the end; throws a [RunFailedException] where the run did not succeed. */
    suspend fun result(): Report {
        val report = join()
        if (report.succeeded) return report
        val lines = listOf("run ${report.run} ${WORDS[report.status] ?: report.status}") + report.problems.map { "${it.address}: ${it.error.message}" }
        val cause = report.problems.firstNotNullOfOrNull { it.error.cause } ?: report.problems.firstOrNull()?.error
        throw RunFailedException(lines.joinToString("\n"), if (report.status == "cancelled") "run.cancelled" else "run.failed", report, cause)
    }

    /** As [result], for Java. */
    fun resultAsync(): CompletableFuture<Report> = bridge.scope.future { result() }

    override fun toString() = "Run($id of $stackName)"

    private class Release(val bridge: Bridge, val operation: Operation) : Runnable {
        override fun run() = bridge.release(operation)
    }

    private companion object {
        val WORDS =
            mapOf(
                "running" to "was left with calls under way; resume it",
                "failed" to "failed",
                "cancelled" to "was cancelled",
                "stuck" to "cannot go on without a person",
                "abandoned" to "was given up",
            )
    }
}

internal suspend fun begin(bridge: Bridge, stackName: String, how: String, options: ApplyOptions, vararg question: Pair<String, Any?>): Run {
    val operation = bridge.operation()
    val query =
        mapOf(
            "parallelism" to options.parallelism,
            "on_failure" to options.onFailure,
            "who" to options.who,
            "why" to options.why,
            "variables" to options.variables,
        )
    try {
        // A run that begins is never lost sight of, though whoever asked for it was cancelled meanwhile.
        return withContext(NonCancellable) {
            val id = bridge.ask(how, *question, "operation" to operation.name, "query" to query).text
            Run(bridge, operation, stackName, id)
        }
    } catch (error: StackwrightException) {
        bridge.release(operation)
        throw error
    }
}

private fun reportOf(data: JsonElement, operation: Operation) =
    Report(
        data["run"].text,
        data["status"].text,
        data["problems"].items.map { StepProblem(it["address"].text, exceptionOf(it["error"], operation.thrown[it["address"].text])) },
        (data["outputs"] as JsonObject).mapValues { (_, output) -> shown(output) },
        data["done_count"].long.toInt(),
        data["failed_count"].long.toInt(),
        data["skipped_count"].long.toInt(),
    )

internal fun eventOf(recorded: JsonElement): Event {
    val event = recorded["event"] as JsonObject
    val fields = event.filterKeys { it != "type" }.mapValues { (_, part) -> plain(part) }
    return Event(recorded["seq"].long, Instant.ofEpochMilli(recorded["at"].long), event.getValue("type").text, fields)
}
