package stackwright

import java.lang.ref.Cleaner
import java.util.concurrent.ConcurrentHashMap
import java.util.concurrent.atomic.AtomicLong
import kotlin.concurrent.thread
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.CoroutineDispatcher
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.CoroutineStart
import kotlinx.coroutines.Job
import kotlinx.coroutines.SupervisorJob
import kotlinx.coroutines.cancel
import kotlinx.coroutines.launch
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonObject
import stackwright.bridge.Compute
import stackwright.bridge.EngineHandle
import stackwright.bridge.Letter

/** Forgets on the engine's side what nobody holds any more. */
internal val CLEANER: Cleaner = Cleaner.create()

private val LOG = System.getLogger("stackwright")

/** A plan that is being made, or a run: what calls of verbs threw, by address. */
internal class Operation(val name: String) {
    val thrown = ConcurrentHashMap<String, Throwable>()
    @Volatile var first: Throwable? = null

    /** Passes its events on, where somebody watches every operation. */
    var watcher: Job? = null
}

/** One engine: promises out, calls in. One thread takes the letters; verbs run on the dispatcher. */
internal class Bridge(types: List<ResourceType>, sources: List<DataSourceType>, functions: List<Function>, dispatcher: CoroutineDispatcher, private val sink: EventSink?) {
    private val types = types.associateBy { it.name }
    private val sources = sources.associateBy { it.name }
    private val functions = functions.associateBy { it.name }
    private val numbers = AtomicLong()
    private val promises = ConcurrentHashMap<Long, CompletableDeferred<String>>()
    private val operations = ConcurrentHashMap<String, Operation>()
    private val calls = ConcurrentHashMap<Long, Job>()
    val scope = CoroutineScope(SupervisorJob() + dispatcher)
    val runs: MutableSet<Run> = ConcurrentHashMap.newKeySet()
    val watchers: MutableSet<Job> = ConcurrentHashMap.newKeySet()
    val native = EngineHandle(Computing())
    @Volatile
    var isClosed = false
        private set

    init {
        thread(isDaemon = true, name = "stackwright-letters") {
            while (true) {
                val letters = native.listen()
                if (letters.isEmpty()) break
                letters.forEach(::opened)
            }
        }
    }

    fun close() {
        if (isClosed) return
        isClosed = true
        native.shut()
        scope.cancel()
        promises.values.forEach { it.completeExceptionally(closed()) }
        promises.clear()
    }

    fun check() {
        if (isClosed) throw closed()
    }

    private fun closed() = StackwrightException("this engine is closed; open another", "host.closed", Kind.Unsupported)

    /** Waits for the promise that is settled under the number that `start` is given; it says whether it will be. */
    suspend fun promised(start: (ULong) -> Boolean): JsonElement {
        val number = numbers.incrementAndGet()
        val promise = CompletableDeferred<String>()
        promises[number] = promise
        try {
            // Not before: whoever closes meanwhile breaks the promises that are there.
            check()
            if (!start(number.toULong())) throw StackwrightException("the call has ended", "host.failed", Kind.Unsupported)
            return unwrap(parse(promise.await()))
        } finally {
            promises.remove(number)
        }
    }

    suspend fun open(query: JsonElement) {
        promised { number -> true.also { native.open(number, query.toString()) } }
    }

    /** Asks something that takes its time. */
    suspend fun ask(name: String, vararg question: Pair<String, Any?>): JsonElement =
        promised { number -> true.also { native.ask(number, jsonObject(name to jsonObject(*question)).toString()) } }

    /** Asks something that is answered at once. */
    fun tell(name: String, vararg question: Pair<String, Any?>): JsonElement {
        check()
        return unwrap(parse(native.tell(jsonObject(name to jsonObject(*question)).toString())))
    }

    /** Tells, unless there is nobody to be told. */
    fun forget(name: String, vararg question: Pair<String, Any?>) {
        if (!isClosed) native.tell(jsonObject(name to jsonObject(*question)).toString())
    }

    /** Announces an operation. */
    fun operation(): Operation {
        val operation = Operation(numbers.incrementAndGet().toString())
        tell("start", "operation" to operation.name, "watched" to (sink != null))
        operations[operation.name] = operation
        if (sink != null) {
            val watcher = scope.launch { passOn(operation, sink) }
            operation.watcher = watcher
            watchers += watcher
            watcher.invokeOnCompletion { watchers -= watcher }
        }
        return operation
    }

    private suspend fun passOn(operation: Operation, sink: EventSink) {
        try {
            do {
                val batch = ask("events", "operation" to operation.name, "limit" to 256, "watcher" to true)
                for (recorded in batch["events"].items) {
                    // A sink that fails must not stop a run, and must not fail unseen.
                    runCatching { sink.on(eventOf(recorded)) }.onFailure { LOG.log(System.Logger.Level.WARNING, "the event sink of an engine threw", it) }
                }
            } while (!batch["ended"].isTrue)
        } catch (_: StackwrightException) {
            // The engine was closed.
        }
    }

    /** Forgets an operation, once whoever watches has seen all of it. */
    fun release(operation: Operation) {
        val forget = {
            operations.remove(operation.name)
            forget("release", "operation" to operation.name)
        }
        operation.watcher?.invokeOnCompletion { forget() } ?: forget()
    }

    private fun opened(letter: Letter) {
        when (letter) {
            is Letter.Settled -> promises[letter.promise.toLong()]?.complete(letter.text)
            is Letter.Call -> begin(letter.number.toLong(), letter.request)
            is Letter.Dropped -> calls.remove(letter.number.toLong())?.cancel(CancellationException("nobody waits for this call any more"))
        }
    }

    private fun begin(number: Long, request: String) {
        // Registered before it runs: it may end at once.
        val job = scope.launch(start = CoroutineStart.LAZY) { perform(number, request) }
        calls[number] = job
        job.invokeOnCompletion { calls.remove(number) }
        job.start()
    }

    private suspend fun perform(number: Long, request: String) {
        val parsed = parse(request)
        val facts = parsed["context"]
        val (verb, call) = (parsed["call"] as JsonObject).entries.first()
        val type: Performer? = (if (verb == "read_data") sources else types)[facts["type_name"].text]
        try {
            if (type == null) throw StackwrightException("there is no type `${facts["type_name"].text}`", kind = Kind.NotFound)
            native.reply(number.toULong(), type.perform(verb, call, Context(this, number, facts)).toString())
        } catch (thrown: Throwable) {
            failed(number, type, verb, call, facts, thrown)
            if (thrown is CancellationException) throw thrown
        }
    }

    private fun failed(number: Long, type: Performer?, verb: String, call: JsonElement, facts: JsonElement, thrown: Throwable) {
        // What no compiler lets through shows where it is cast.
        val error = if (thrown is Mismatch || thrown is ClassCastException) misshapen(facts, verb, thrown) else thrown
        val cause = if (error is Partial) error.cause ?: error else error
        operations[facts["operation"].textOrNull.orEmpty()]?.let {
            // The user's own, not what this package made of it.
            val own = (cause as? StackwrightException)?.takeIf { said -> said.code == "resource.input" }?.cause ?: cause
            it.thrown[facts["address"].text] = own
            it.first = it.first ?: own
        }
        if (isClosed) return
        try {
            when {
                error is NeverReady && verb == "ready" -> native.reply(number.toULong(), jsonObject("readiness" to mapOf("failed" to mapOf("reason" to error.message))).toString())
                error is Partial && type != null && (verb == "create" || verb == "update") -> {
                    val problem = cause as? StackwrightException ?: unnamed(cause)
                    native.reply(number.toULong(), type.partial(call, error.outputs, problem).toString())
                }
                error is StackwrightException -> native.reply(number.toULong(), jsonObject("error" to failureOf(error)).toString())
                else -> native.raised(number.toULong(), className(error))
            }
        } catch (worse: Exception) {
            native.raised(number.toULong(), className(worse))
        }
    }

    private fun misshapen(facts: JsonElement, verb: String, error: Throwable) =
        StackwrightException(
            "`$verb` of `${facts["type_name"].text}` has another shape: ${error.message}",
            "host.reply",
            mayHaveChanged = verb in setOf("create", "update", "delete"),
            cause = error,
        )

    /** Computes functions of templates, while a thread of the engine's waits. */
    private inner class Computing : Compute {
        override fun compute(name: String, arguments: String): String =
            try {
                jsonObject("ok" to functions.getValue(name).compute(parse(arguments))).toString()
            } catch (thrown: Throwable) {
                val error = thrown as? StackwrightException ?: unnamed(thrown)
                jsonObject("error" to failureOf(error)).toString()
            }
    }
}
