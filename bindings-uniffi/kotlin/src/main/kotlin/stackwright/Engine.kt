package stackwright

import java.nio.file.Path
import java.time.Duration
import java.time.Instant
import java.util.concurrent.CompletableFuture
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.CoroutineDispatcher
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.NonCancellable
import kotlinx.coroutines.future.future
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withContext
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonNull
import kotlinx.serialization.json.JsonObject

/** What an engine is opened with. */
data class EngineOptions @JvmOverloads constructor(
    /** Where state lives: `memory:`, `sqlite:///relative.db`, `sqlite:////absolute/path.db`, `postgresql://…`, or the path of a SQLite file. */
    val store: String = "memory:",
    val resources: List<Resource<*, *>> = emptyList(),
    val functions: List<Function> = emptyList(),
    /** What seals secrets: the path of a key file, or 64 hexadecimal digits. Beside a SQLite file it is `<file>.key` where this is left out. */
    val key: String? = null,
    /** What every object is to be tagged with, for types that can. */
    val tags: Map<String, String> = emptyMap(),
    /** How long the right to write a stack lasts when this process dies. */
    val leaseTtl: Duration? = null,
    /** Who holds that right, for people who wait for it. */
    val holder: String? = null,
    /** The edition of the language of templates that do not say it. */
    val edition: String? = null,
    /** A folder below which functions of templates may read files, beside the template's own. */
    val filesWithin: Path? = null,
    /** Where verbs run. */
    val dispatcher: CoroutineDispatcher = Dispatchers.Default,
    val dataSources: List<DataSource<*, *>> = emptyList(),
    /** Gets every event of every operation. */
    val onEvent: EventSink? = null,
)

/**
 * Plans and applies templates with the types that it is given. It may be used from any thread.
 *
 *     val engine = Engine.open(EngineOptions("sqlite:///state.db", listOf(Bucket())))
 *     val plan = engine.stack("acme/shop").plan(Template.fromPath(Path.of("shop")))
 *     val report = plan.apply().result()
 *     engine.shutdown()
 */
class Engine private constructor(internal val bridge: Bridge) : AutoCloseable {
    /** Returns the stack of a name, `tenant/name`, whether it exists yet or not; without a tenant, of `default`. */
    fun stack(name: String) = Stack(bridge, if ('/' in name) name else "default/$name")

    /** Returns the stacks that were ever applied, of one tenant or of all, by name. */
    suspend fun stacks(tenant: String? = null): List<Stack> = bridge.ask("stacks", "tenant" to tenant).items.map { Stack(bridge, it.text) }

    /** Cancels the runs that are under way, waits until they are recorded, and ends the engine's threads. */
    suspend fun shutdown() {
        if (bridge.isClosed) return
        withContext(NonCancellable) {
            val runs = bridge.runs.toList()
            runs.forEach { it.cancel() }
            runs.forEach { runCatching { it.join() } }
            bridge.watchers.toList().forEach { it.join() }
        }
        bridge.close()
    }

    /** As [shutdown]; blocks. */
    override fun close() = runBlocking { shutdown() }

    companion object {
        /** Opens the store and returns the engine. */
        suspend fun open(options: EngineOptions = EngineOptions()): Engine {
            @Suppress("UNCHECKED_CAST") val types = options.resources.map { ResourceType(it as Resource<Any, Any>) }
            @Suppress("UNCHECKED_CAST") val sources = options.dataSources.map { DataSourceType(it as DataSource<Any, Any>) }
            val query = openQuery(options, types, sources)
            val bridge = Bridge(types, sources, options.functions, options.dispatcher, options.onEvent)
            try {
                bridge.open(query)
            } catch (error: Throwable) {
                bridge.close()
                throw error
            }
            return Engine(bridge)
        }

        /** As [open], for Java. */
        @JvmStatic
        @JvmOverloads
        fun openAsync(options: EngineOptions = EngineOptions()): CompletableFuture<Engine> =
            kotlinx.coroutines.CoroutineScope(options.dispatcher).future { open(options) }

        private fun openQuery(options: EngineOptions, types: List<ResourceType>, sources: List<DataSourceType>): JsonElement {
            val store = storeOf(options.store)
            return jsonObject(
                "store" to store,
                "key" to keyOf(store, options.key),
                "engine" to
                    mapOf(
                        "types" to types.associate { it.name to it.descriptor() },
                        "data_sources" to sources.associate { it.name to it.descriptor() },
                        "functions" to options.functions.map { it.descriptor() },
                        "tags" to options.tags,
                        "holder" to options.holder,
                        "lease_ttl_ms" to options.leaseTtl?.toMillis(),
                        "edition" to options.edition,
                        "files_within" to options.filesWithin?.toString(),
                    ),
            )
        }

        private fun storeOf(store: String): Any {
            if (store == "memory:") return "memory"
            val (scheme, rest) = Regex("([a-z][a-z0-9+.-]*)://(.*)").matchEntire(store)?.destructured ?: return mapOf("sqlite" to store)
            return when (scheme) {
                "sqlite" -> {
                    require(rest.startsWith("/") && rest != "/") { "write sqlite:///relative.db or sqlite:////absolute/path.db" }
                    mapOf("sqlite" to rest.drop(1))
                }
                "postgres", "postgresql" -> mapOf("postgres" to store)
                else -> throw IllegalArgumentException("`$scheme` is no store; there are sqlite:///file.db, postgresql://… and memory:")
            }
        }

        private fun keyOf(store: Any, key: String?): Any =
            when {
                key != null && Regex("[0-9a-fA-F]{64}").matches(key) -> mapOf("text" to key)
                key != null -> mapOf("file" to key)
                store == "memory" -> "generate"
                store is Map<*, *> && "sqlite" in store -> mapOf("file" to "${store["sqlite"]}.key")
                else -> throw IllegalArgumentException("say with `key` what seals secrets: the path of a key file, or 64 hexadecimal digits")
            }
    }
}

/** What a plan is for. */
enum class Mode { Normal, Destroy, RefreshOnly }

/** How a plan is made. */
data class PlanOptions @JvmOverloads constructor(
    val variables: Map<String, Any?> = emptyMap(),
    val mode: Mode = Mode.Normal,
    /** Only these addresses and what they need; empty: everything. */
    val targets: List<String> = emptyList(),
    /** Addresses of instances to be made anew. */
    val replace: List<String> = emptyList(),
    /** Whether real objects are read first. */
    val refresh: Boolean = true,
    /** Objects to be taken into state: ids by address. */
    val imports: Map<String, String> = emptyMap(),
    /** How many requests are under way at once. */
    val parallelism: Int? = null,
)

/** What to do about the rest when a step fails. */
enum class OnFailure { Stop, Continue, Rollback }

/** How a plan is carried out. */
data class ApplyOptions @JvmOverloads constructor(
    /** How many calls run at once. */
    val parallelism: Int? = null,
    val onFailure: OnFailure? = null,
    /** Who starts it, and why, for the history. */
    val who: String = "",
    val why: String = "",
    /** The ephemeral variables of a plan that was stored, or of a run that is resumed. */
    val variables: Map<String, Any?> = emptyMap(),
)

/** One run in a list. */
data class RunInfo(val id: String, val status: String, val started: Instant, val finished: Instant?, val who: String, val why: String)

/** One object that exists, as state remembers it; [Hidden] stands where attributes are sensitive. */
data class Row(
    val address: String,
    val typeName: String,
    /** The identity of the object, and the idempotency key that it was made with. */
    val objectId: String,
    /** The id that the remote system uses. */
    val id: String?,
    /** `current`, `deposed`, `tainted` or `uncertain`. */
    val status: String,
    val ready: Boolean,
    val attributes: Map<String, Any?>,
    val dependencies: List<String>,
)

/** What exists. */
data class State(val serial: Long, val rows: List<Row>, val outputs: Map<String, Output>)

/** A root output; [Hidden] where it is sensitive and not revealed. */
data class Output(val value: Any?, val sensitive: Boolean)

/** One deployment of a template: a tenant, a name, and everything that is remembered of it. */
class Stack internal constructor(private val bridge: Bridge, /** `tenant/name`. */ val name: String) {
    private suspend fun ask(question: String, vararg rest: Pair<String, Any?>) = bridge.ask(question, "stack" to name, *rest)

    /** Returns everything that is wrong with a template, warnings too. Nothing is called, nothing is read. */
    suspend fun validate(template: Template): List<Diagnostic> = ask("validate", "query" to template.query()).items.map(::diagnosticOf)

    /** Works out what is to be done. Real objects are read; nothing is changed. Cancelling the coroutine stops it. */
    suspend fun plan(template: Template, options: PlanOptions = PlanOptions()): Plan {
        val query =
            template.query() +
                mapOf(
                    "variables" to options.variables,
                    "mode" to if (options.mode == Mode.RefreshOnly) "refresh_only" else nameOf(options.mode),
                    "targets" to options.targets,
                    "replace" to options.replace,
                    "refresh" to options.refresh,
                    "imports" to options.imports.map { (address, id) -> mapOf("address" to address, "id" to id) },
                    "parallelism" to options.parallelism,
                )
        val operation = bridge.operation()
        try {
            return Plan(bridge, ask("plan", "operation" to operation.name, "query" to query))
        } catch (error: CancellationException) {
            bridge.forget("cancel", "operation" to operation.name)
            throw error
        } catch (error: StackwrightException) {
            val thrown = error.diagnostics.firstNotNullOfOrNull { it.address?.let(operation.thrown::get) } ?: operation.first
            throw if (thrown == null) error else error.because(thrown)
        } finally {
            bridge.release(operation)
        }
    }

    /** As [plan], for Java. */
    @JvmOverloads
    fun planAsync(template: Template, options: PlanOptions = PlanOptions()): CompletableFuture<Plan> = bridge.scope.future { plan(template, options) }

    /** Plans and begins to carry the plan out at once. */
    suspend fun apply(template: Template, options: PlanOptions = PlanOptions(), how: ApplyOptions = ApplyOptions()): Run = plan(template, options).apply(how)

    /** Begins to delete everything that the stack owns. The template is needed only for providers that it configures. */
    suspend fun destroy(template: Template = Template(), how: ApplyOptions = ApplyOptions()): Run = apply(template, PlanOptions(mode = Mode.Destroy), how)

    /** As [destroy], for Java. */
    fun destroyAsync(): CompletableFuture<Run> = bridge.scope.future { destroy() }

    /** Returns the plan that [Plan.toBytes] wrote for this stack. */
    suspend fun openPlan(sealed: ByteArray): Plan = Plan(bridge, ask("open_plan", "sealed" to java.util.Base64.getEncoder().encodeToString(sealed)))

    /** Goes on with a run whose process died, or that paused. What was under way is looked up before anything is repeated. */
    suspend fun resume(run: String, how: ApplyOptions = ApplyOptions()): Run = begin(bridge, name, "resume", how, "stack" to name, "run" to run)

    /** Returns what exists. */
    suspend fun state(): State {
        val data = ask("state")
        val rows =
            data["rows"].items.map { row ->
                @Suppress("UNCHECKED_CAST")
                Row(
                    row["address"].text,
                    row["type_name"].text,
                    row["object_id"].text,
                    row["id"].textOrNull,
                    row["status"].text,
                    row["ready"].isTrue,
                    shown(row["attributes"]) as Map<String, Any?>,
                    row["dependencies"].items.map { it.text },
                )
            }
        return State(data["serial"].long, rows, outputsOf(data["outputs"]))
    }

    /** Returns the root outputs as the last apply left them. */
    suspend fun outputs(reveal: Boolean = false): Map<String, Any?> = outputsOf(ask("outputs", "reveal" to reveal)).mapValues { (_, output) -> output.value }

    /** As [outputs], for Java. */
    fun outputsAsync(): CompletableFuture<Map<String, Any?>> = bridge.scope.future { outputs() }

    /** Returns the runs, newest first. */
    suspend fun runs(limit: Int = 20): List<RunInfo> = ask("runs", "limit" to limit).items.map(::runInfo)

    /** Returns the run that was begun and not ended: its process died, or works on it right now. */
    suspend fun unfinishedRun(): RunInfo? = ask("unfinished_run").takeIf { it !is JsonNull }?.let(::runInfo)

    /** Gives a run up: it will not be resumed. What was under way may exist without a row; resume first if you can. */
    suspend fun abandon(run: String) {
        ask("abandon", "run" to run)
    }

    /** Says what became of an object that nobody could tell about: gone, or to be replaced by the next plan. */
    suspend fun settle(address: String, exists: Boolean) {
        ask("settle", "address" to address, "exists" to exists)
    }

    /** Gives an object another address. The object is not touched. */
    suspend fun move(from: String, to: String) {
        ask("move_address", "from" to from, "to" to to)
    }

    /** Stops managing what an address covers; the objects stay. Returns the addresses. */
    suspend fun forgetObjects(target: String): List<String> = ask("forget_rows", "target" to target).items.map { it.text }

    /** Removes what is remembered of a stack without objects. */
    suspend fun forget() {
        ask("forget")
    }

    /** Takes the right to write the stack away from a process that is dead, before it runs out by itself. */
    suspend fun breakLease() {
        ask("break_lease")
    }

    override fun toString() = "Stack($name)"
}

internal fun outputsOf(data: JsonElement) = (data as JsonObject).mapValues { (_, output) -> Output(shown(output["value"]), output["sensitive"].isTrue) }

private fun runInfo(data: JsonElement): RunInfo {
    val finished = data["finished_ms"].textOrNull?.let { Instant.ofEpochMilli(it.toLong()) }
    return RunInfo(data["id"].text, data["status"].text, Instant.ofEpochMilli(data["started_ms"].long), finished, data["who"].text, data["why"].text)
}
