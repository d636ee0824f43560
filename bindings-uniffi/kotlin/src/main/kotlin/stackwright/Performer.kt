package stackwright

import java.lang.reflect.ParameterizedType
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonPrimitive

/** Something of the host's that the engine calls. */
internal interface Performer {
    val name: String

    /** What the engine is told, once. */
    fun descriptor(): JsonElement

    /** Performs a call; returns the reply. */
    suspend fun perform(verb: String, call: JsonElement, ctx: Context): JsonElement

    /** Returns the reply for an object that is half made. */
    fun partial(call: JsonElement, outputs: Any, error: StackwrightException): JsonElement
}

/** What a schema says of an input. */
internal fun said(field: Field, isOutput: Boolean): Map<String, JsonElement> {
    val default = field.default
    return when {
        !field.isNullable && !field.isOptional -> mapOf("required" to JsonPrimitive(true))
        default != null && !field.isComputed && !field.isWriteOnly -> mapOf("optional" to JsonPrimitive(true), "default" to default)
        field.isComputed || isOutput -> mapOf("optional" to JsonPrimitive(true), "computed" to JsonPrimitive(true))
        else -> mapOf("optional" to JsonPrimitive(true))
    }
}

/** What a class refuses is a mistake in the template. Values are not repeated: they may be secret. */
internal inline fun <T> checked(name: String, make: () -> T): T =
    try {
        make()
    } catch (error: IllegalArgumentException) {
        val said = Diagnostic("resource.input", error.message.orEmpty())
        throw StackwrightException("`$name` refuses its inputs", "resource.input", Kind.InvalidInput, diagnostics = listOf(said), cause = error)
    }

/** Returns the classes that stand for `I` and `O` of [base]. */
internal fun parameters(type: Class<*>, base: Class<*>): Pair<Class<*>, Class<*>> {
    var known = emptyMap<String, java.lang.reflect.Type>()
    var current: Class<*> = type
    while (current != Any::class.java) {
        val parent = current.genericSuperclass
        val next = current.superclass
        if (parent is ParameterizedType) known = next.typeParameters.zip(parent.actualTypeArguments).associate { (name, value) -> name.name to (known[value.typeName] ?: value) }
        if (next == base) {
            val found = listOf("I", "O").map { known[it] as? Class<*> ?: throw IllegalArgumentException("${type.simpleName} does not say what `$it` is") }
            return found[0] to found[1]
        }
        current = next
    }
    throw IllegalArgumentException("${type.simpleName} is no ${base.simpleName}")
}
