package stackwright

import java.util.concurrent.CompletionStage
import kotlinx.coroutines.future.await
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonPrimitive

/**
 * A data source: something that is looked up and never changed. `I` is what a template says and `O` what is found: data classes
 * or records.
 */
abstract class DataSource<I : Any, O : Any>(
    /** What templates call it. */
    val type: String
) {
    /** What it is, for people. */
    open val description: String get() = ""

    /** Looks it up. What a template says is wholly known then. */
    abstract suspend fun read(ctx: Context, want: I): O
}

/** A [DataSource] for Java, which answers with a future. */
abstract class FutureDataSource<I : Any, O : Any>(type: String) : DataSource<I, O>(type) {
    abstract fun readAsync(ctx: Context, want: I): CompletionStage<O>

    final override suspend fun read(ctx: Context, want: I): O = readAsync(ctx, want).await()
}

/** A data source: what the engine knows, and how it is read. */
internal class DataSourceType(private val source: DataSource<Any, Any>) : Performer {
    override val name = source.type
    private val inputs: Model
    private val outputs: Model

    init {
        val (wanted, told) = parameters(source.javaClass, DataSource::class.java)
        inputs = Model.of(wanted)
        outputs = Model.of(told)
    }

    override fun descriptor(): JsonElement {
        val attributes = LinkedHashMap<String, Map<String, JsonElement>>()
        for (field in inputs.fields) attributes[field.name] = field.attribute() + said(field, field.name in outputs.byName)
        for (field in outputs.fields) attributes.putIfAbsent(field.name, field.attribute() + mapOf("computed" to JsonPrimitive(true)))
        val description = if (source.description.isEmpty()) emptyMap() else mapOf("description" to source.description)
        return jsonObject("schema" to mapOf("version" to 0, "block" to mapOf("attributes" to attributes) + description))
    }

    override suspend fun perform(verb: String, call: JsonElement, ctx: Context): JsonElement {
        val want = checked(name) { inputs.load(call["config"]["value"]) }
        val found = outputs.dump(source.read(ctx, want))
        return jsonObject("data" to mapOf("value" to inputs.dump(want) + found, "unknown" to emptyList<Any>()))
    }

    override fun partial(call: JsonElement, outputs: Any, error: StackwrightException): JsonElement =
        throw StackwrightException("nothing is made by `$name`", kind = Kind.Unsupported)
}
