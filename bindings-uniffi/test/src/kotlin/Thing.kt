// The thing that every language has a type for: a world in memory, and verbs that misbehave as its `fault` says.

import java.time.Duration
import java.util.concurrent.ConcurrentHashMap
import java.util.concurrent.atomic.AtomicInteger
import kotlinx.coroutines.awaitCancellation
import stackwright.Context
import stackwright.Existing
import stackwright.ForceNew
import stackwright.Kind
import stackwright.Lost
import stackwright.Partial
import stackwright.Planned
import stackwright.Proposal
import stackwright.Readiness
import stackwright.Recovery
import stackwright.Resource
import stackwright.Seen
import stackwright.StackwrightException
import stackwright.Unknown

data class ThingInputs(@ForceNew val name: String, val size: Int = 1, val fault: String? = null)

data class ThingOutputs(val id: String, val url: String)

data class Made(val key: String, val name: String, val size: Int)

/** Things by id. The same key twice makes one thing. */
class World {
    val things = ConcurrentHashMap<String, Made>()
    private val last = AtomicInteger()

    fun byKey(key: String): String? = things.entries.find { it.value.key == key }?.key

    @Synchronized
    fun make(key: String, want: ThingInputs): String =
        byKey(key) ?: "t-${last.incrementAndGet()}".also { things[it] = Made(key, want.name, want.size) }
}

fun urlOf(name: String) = "thing://$name"

fun refusal() = StackwrightException("this thing refuses", "thing.refused", Kind.Denied)

/** Something of another shape, which no compiler would let through. */
@Suppress("UNCHECKED_CAST") private fun <T> wrong(): T = 7 as T

open class Thing(protected val world: World = World()) : Resource<ThingInputs, ThingOutputs>("thing") {
    override val readyInterval: Duration = Duration.ofMillis(1)

    private suspend fun misbehave(told: String?, verb: String, ctx: Context? = null) {
        when (told) {
            "raise $verb" -> throw ArithmeticException("what an exception says may be secret: hunter2")
            "refuse $verb" -> throw refusal()
            "hang $verb" -> awaitCancellation()
            "linger $verb" -> {
                ctx?.progress("waiting")
                check(ctx?.cancelled() == true)
            }
        }
    }

    protected fun outputs(id: String) = ThingOutputs(id, urlOf(world.things.getValue(id).name))

    private fun seen(id: String?, fault: String?): Seen<ThingInputs, ThingOutputs>? {
        val found = world.things[id ?: return null] ?: return null
        return Seen(outputs(id), ThingInputs(found.name, found.size, fault))
    }

    override suspend fun validate(ctx: Context, config: Map<String, Any?>) = misbehave(config["fault"] as? String, "validate")

    override suspend fun plan(ctx: Context, proposal: Proposal<ThingInputs, ThingOutputs>): Planned? {
        val told = proposal.config["fault"] as? String
        misbehave(told, "plan")
        if (told == "misshape plan") return Planned(mapOf("nonsense" to 7))
        val name = proposal.proposed["name"]
        return if (name == Unknown) null else Planned(mapOf("url" to urlOf(name as String)))
    }

    override suspend fun create(ctx: Context, want: ThingInputs): ThingOutputs {
        // What is raised is raised after the work is done: the worst case.
        if (want.fault != "raise create") misbehave(want.fault, "create", ctx)
        val id = world.make(ctx.idempotencyKey, want)
        if (want.fault == "raise create") misbehave(want.fault, "create", ctx)
        if (want.fault == "checkpoint create") ctx.checkpoint(id, mapOf("name" to want.name))
        if (want.fault == "half create") throw Partial(outputs(id), refusal())
        return if (want.fault == "misshape create") wrong() else outputs(id)
    }

    override suspend fun read(ctx: Context, was: Existing<ThingInputs, ThingOutputs>): Seen<ThingInputs, ThingOutputs>? {
        misbehave(was.inputs?.fault, "read")
        return if (was.inputs?.fault == "misshape read") Seen(wrong()) else seen(was.id, was.inputs?.fault)
    }

    override suspend fun update(ctx: Context, want: ThingInputs, was: Existing<ThingInputs, ThingOutputs>): ThingOutputs? {
        misbehave(want.fault, "update", ctx)
        world.things.computeIfPresent(was.id) { _, made -> made.copy(size = want.size) }
            ?: throw StackwrightException("the thing is gone", "thing.gone", Kind.NotFound)
        if (want.fault == "half update") throw Partial(outputs(was.id), refusal())
        return if (want.fault == "misshape update") wrong() else outputs(was.id)
    }

    override suspend fun delete(ctx: Context, was: Existing<ThingInputs, ThingOutputs>) {
        misbehave(was.inputs?.fault, "delete", ctx)
        world.things.remove(was.id)
    }

    override suspend fun adopt(ctx: Context, id: String): Seen<ThingInputs, ThingOutputs>? {
        misbehave(id, "import")
        return if (id == "misshape import") Seen(wrong()) else seen(id, null)
    }

    override suspend fun ready(ctx: Context, was: Existing<ThingInputs, ThingOutputs>): Readiness {
        misbehave(was.inputs?.fault, "ready")
        return if (was.inputs?.fault == "misshape ready") wrong() else Readiness.Ready
    }

    override suspend fun recover(ctx: Context, lost: Lost<ThingInputs, ThingOutputs>): Recovery<ThingInputs, ThingOutputs> {
        val told = lost.want?.fault
        misbehave(told, "recover")
        if (told == "misshape recover") return Recovery.Found(wrong())
        val found = seen(lost.id?.takeIf(world.things::containsKey) ?: world.byKey(ctx.idempotencyKey), told)
        return if (found == null) Recovery.Absent else Recovery.Found(found.outputs, found.inputs)
    }
}
