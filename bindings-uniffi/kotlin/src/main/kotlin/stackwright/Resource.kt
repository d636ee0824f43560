package stackwright

import java.time.Duration
import java.time.Instant

/** One object as it was seen last. */
data class Existing<I : Any, O : Any>(
    /** The id that the remote system uses. */
    val id: String,
    /** What the template said of it; null where that is not known, as after an import. */
    val inputs: I?,
    /** What the type said of it; null where that is not known. */
    val outputs: O?,
)

/** What was found: the outputs, and the inputs where the world says those too. */
data class Seen<I : Any, O : Any> @JvmOverloads constructor(val outputs: O, val inputs: I? = null)

/** What is known of a call whose outcome was lost. */
data class Lost<I : Any, O : Any>(
    /** The remote id, where the call checkpointed one or the object existed before. */
    val id: String?,
    /** What was asked for; null where it was a delete. */
    val want: I?,
    /** The object before the call; null where it was a create. */
    val was: Existing<I, O>?,
    /** What the call checkpointed, by attribute. */
    val partial: Map<String, Any?>,
)

/** What the world says about a call whose outcome was lost. */
sealed interface Recovery<out I : Any, out O : Any> {
    /** The object is there, like this. */
    data class Found<I : Any, O : Any> @JvmOverloads constructor(val outputs: O, val inputs: I? = null) : Recovery<I, O>

    /** It is certainly not there. */
    data object Absent : Recovery<Nothing, Nothing>

    /** Nobody can say. No secrets in the reason. */
    data class CannotTell(val reason: String) : Recovery<Nothing, Nothing>
}

/** A change that is proposed: values by attribute, [Unknown] where nobody knows yet. */
data class Proposal<I : Any, O : Any>(
    /** What the template says. */
    val config: Map<String, Any?>,
    /** The object as it would be. */
    val proposed: Map<String, Any?>,
    /** The object as it is; null where it is to be made. */
    val was: Existing<I, O>?,
)

/** What `plan` may answer: values that are known already by attribute, and the attributes that make a new object necessary. */
data class Planned @JvmOverloads constructor(val values: Map<String, Any?> = emptyMap(), val replace: Set<String> = emptySet())

/** Whether an object really works yet. */
sealed interface Readiness {
    /** It does. */
    data object Ready : Readiness

    /** Ask again. No secrets in the reason. */
    data class NotYet(val reason: String) : Readiness
}

/** What surrounds a call of a verb. */
class Context internal constructor(private val bridge: Bridge, private val number: Long, facts: kotlinx.serialization.json.JsonElement) {
    /** The same for every attempt to make the same object, across crashes too; empty for calls that make nothing. */
    val idempotencyKey: String = facts["idempotency_key"].text

    /** The address of the instance, such as `acme_bucket.main[0]`. */
    val address: String = facts["address"].text

    /** The registered name of the type. */
    val typeName: String = facts["type_name"].text

    /** The stack, as `tenant/name`. */
    val stack: String = facts["stack"].text
    val tenant: String = facts["tenant"].text

    /** Which attempt it is, from 1. */
    val attempt: Int = facts["attempt"].long.toInt()

    /** When the call has to end; it is cancelled then. */
    val deadline: Instant? = facts["deadline_ms"].textOrNull?.let { Instant.ofEpochMilli(it.toLong()) }

    /** What the host wants on every object. */
    val tags: Map<String, String> = (facts["tags"] as? kotlinx.serialization.json.JsonObject).orEmpty().mapValues { (_, tag) -> tag.text }

    /** The configuration of the provider that owns the type, as plain data. */
    val providerConfig: Any? = plain(facts["provider_config"]["value"])

    /** Whether the caller wants the call to end soon: complete, undo, or leave half done and say so. */
    val isCancelled: Boolean
        get() = bridge.native.isCancelled(number.toULong())

    /** Tells observers how far the call is. No secrets. */
    fun progress(message: String) = bridge.native.progress(number.toULong(), message)

    /**
     * Makes the remote id durable as soon as it is known, before the object is finished: when this returns, the fact survives
     * a crash. Throws `lease.lost` where somebody else took the stack over: stop at once.
     */
    suspend fun checkpoint(id: String, attributes: Map<String, Any?> = emptyMap()) {
        val partial = if (attributes.isEmpty()) null else jsonObject("value" to attributes).toString()
        bridge.promised { promise -> bridge.native.checkpoint(number.toULong(), promise, id, partial) }
    }

    /** Waits until the caller wants the call to end soon (true), or until the call ended (false). */
    suspend fun cancelled(): Boolean = bridge.promised { promise -> bridge.native.cancelled(number.toULong(), promise) }.isTrue

    override fun toString() = "Context($address, attempt $attempt)"
}

/**
 * A type of thing that the engine can manage: what templates say of it ([I]) and what it says of itself ([O]), both data
 * classes or records; [Unit] where there is nothing to say. Attributes are called like the properties, in `snake_case`.
 *
 * A type without [update] gets a new object for every change. [recover] finds what became of a call whose process died.
 */
abstract class Resource<I : Any, O : Any>(
    /** The name in templates, such as `acme_bucket`. */
    val type: String
) {
    /** Counts the shapes that state was written with. */
    open val version: Long get() = 0
    open val description: String get() = ""

    /** The attribute that is the id. */
    open val idAttribute: String get() = "id"

    /** Whether repeating [create] with the same key never makes a second object, whatever happened to the first call. */
    open val idempotentCreate: Boolean get() = false

    /** How long a created object may stay invisible to reads. */
    open val settle: Duration get() = Duration.ZERO
    open val readyTimeout: Duration get() = Duration.ofMinutes(10)
    open val readyInterval: Duration get() = Duration.ofMillis(200)
    open val callTimeout: Duration get() = Duration.ofMinutes(20)

    /** How long making one takes, in any unit; the critical path is started first. */
    open val cost: Long get() = 1

    /** Makes the object. Called again with the same [Context.idempotencyKey] it returns the object made the first time. */
    abstract suspend fun create(ctx: Context, want: I): O

    /** Reads the object as it is now; null means that it is gone. */
    abstract suspend fun read(ctx: Context, was: Existing<I, O>): Seen<I, O>?

    /** Changes the object in place; null: what the type says of it is as it was. */
    open suspend fun update(ctx: Context, want: I, was: Existing<I, O>): O? = throw missing("update")

    /** Removes the object. What is gone already is removed well. */
    abstract suspend fun delete(ctx: Context, was: Existing<I, O>)

    /** Checks inputs beyond what their class says; called while planning too. Throw an [IllegalArgumentException] to refuse. */
    open suspend fun validate(ctx: Context, config: Map<String, Any?>): Unit = throw missing("validate")

    /** Says what is known already, and what makes a new object necessary. Must not change anything. */
    open suspend fun plan(ctx: Context, proposal: Proposal<I, O>): Planned? = throw missing("plan")

    /** Finds an object that the engine did not make, by the id that people use for it; null: there is none. */
    open suspend fun adopt(ctx: Context, id: String): Seen<I, O>? = throw missing("import")

    /** Says whether the object really works; throws [NeverReady] where it never will. */
    open suspend fun ready(ctx: Context, was: Existing<I, O>): Readiness = throw missing("ready")

    /** Finds out what became of a call whose outcome was lost. */
    open suspend fun recover(ctx: Context, lost: Lost<I, O>): Recovery<I, O> = throw missing("recover")

    /** Brings attributes that an older [version] stored into today's shape. */
    open suspend fun upgrade(ctx: Context, version: Long, attributes: Map<String, Any?>): Map<String, Any?> = throw missing("upgrade")

    private fun missing(verb: String) = StackwrightException("`$type` has no `$verb`", kind = Kind.Unsupported)
}
