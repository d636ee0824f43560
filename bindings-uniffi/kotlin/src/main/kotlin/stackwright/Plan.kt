package stackwright

import java.util.Base64
import java.util.concurrent.CompletableFuture
import kotlinx.coroutines.future.future
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonNull
import kotlinx.serialization.json.JsonObject

/** What is done to one instance, and why. [Unknown] and [Hidden] stand where nobody knows yet, and where a value is sensitive. */
data class Change(
    val address: String,
    val previousAddress: String?,
    val typeName: String,
    /** `create`, `update`, `replace`, `delete`, `read`, `forget` or `no-op`. */
    val action: String,
    /** Why, as the engine names it. */
    val reasons: List<Any?>,
    /** The paths that change. */
    val changed: List<String>,
    /** The paths that make a new object necessary. */
    val replacePaths: List<String>,
    val before: Any?,
    val after: Any?,
    /** The id that it is imported by. */
    val importing: String?,
)

/** One thing that runs, after those that it needs (indices of steps). */
data class Step(val address: String, val action: String, val needs: List<Int>)

/** How much is to be done. */
data class Counts(val add: Int, val change: Int, val delete: Int, val import: Int, val forget: Int)

/** What is to be done and why. Its text is a page for people; [apply] carries it out. */
class Plan internal constructor(private val bridge: Bridge, view: JsonElement) {
    private val number = view["plan"].long
    val stackName: String = view["stack"].text

    /** Whether nothing is to be done. */
    val isEmpty: Boolean = view["is_empty"].isTrue
    val counts = view["counts"].let { c -> Counts(c.int("add"), c.int("change"), c.int("delete"), c.int("import"), c.int("forget")) }
    val warnings: List<Diagnostic> = view["warnings"].items.map(::diagnosticOf)

    init {
        CLEANER.register(this, Release(bridge, number))
    }

    private class Release(val bridge: Bridge, val number: Long) : Runnable {
        override fun run() = bridge.forget("release_plan", "plan" to number)
    }

    private fun tell(name: String) = bridge.tell(name, "plan" to number)

    /** What is done to whom, without those left alone; by address. */
    val changes: List<Change>
        get() =
            tell("plan_changes").items.map { data ->
                fun paths(name: String) = data[name].items.map { it.text.removePrefix(".") }
                fun object_(name: String) = data[name].takeIf { it !is JsonNull }?.let(::shown)
                Change(
                    data["address"].text,
                    data["previous_address"].textOrNull,
                    data["type_name"].text,
                    data["action"].text,
                    data["reasons"].items.map(::plain),
                    paths("paths"),
                    paths("replace_paths"),
                    object_("before"),
                    object_("after"),
                    data["importing"].textOrNull,
                )
            }

    /** What the root outputs will be. */
    val outputs: Map<String, Output>
        get() = outputsOf(tell("plan_outputs"))

    /** What runs, each after what it needs. */
    val steps: List<Step>
        get() {
            val graph = tell("plan_graph")
            val gathered = ArrayList<Set<Int>>()
            fun needs(of: JsonElement) = of["needs"].items.map { it["step"].long.toInt() } + of["joins"].items.flatMap { gathered[it.long.toInt()] }
            graph["joins"].items.forEach { gathered += needs(it).toSet() }
            return graph["steps"].items.map { Step(it["address"].text, it["action"].text, needs(it).distinct().sorted()) }
        }

    /** Returns the plan in the shape of Terraform's plan JSON. Sensitive values are null there. */
    fun toJson(): String = tell("plan_json").toString()

    /** Returns the plan as bytes that another process can open ([Stack.openPlan]); secrets in it are sealed. */
    fun toBytes(): ByteArray = Base64.getDecoder().decode(tell("seal_plan").text)

    override fun toString(): String = tell("plan_text").text

    /** Carries the plan out. Returns once the run has begun, on tasks of the engine's own. */
    suspend fun apply(how: ApplyOptions = ApplyOptions()): Run = begin(bridge, stackName, "apply", how, "plan" to number)

    /** As [apply], for Java. */
    @JvmOverloads fun applyAsync(how: ApplyOptions = ApplyOptions()): CompletableFuture<Run> = bridge.scope.future { apply(how) }

    private companion object {
        fun JsonElement.int(name: String) = (this as JsonObject)[name]?.long?.toInt() ?: 0
    }
}
