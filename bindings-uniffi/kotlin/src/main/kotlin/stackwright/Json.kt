package stackwright

import java.math.BigDecimal
import java.math.BigInteger
import java.nio.file.Path
import java.time.Instant
import java.time.OffsetDateTime
import java.util.UUID
import kotlinx.serialization.ExperimentalSerializationApi
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonNull
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.JsonUnquotedLiteral

/** Stands where nobody knows a value yet. */
object Unknown {
    override fun toString() = "(known after apply)"
}

/** Stands where a value is sensitive. */
object Hidden {
    override fun toString() = "(sensitive value)"
}

internal fun parse(text: String): JsonElement = Json.parseToJsonElement(text)

internal fun jsonObject(vararg parts: Pair<String, Any?>) = JsonObject(parts.associate { (name, value) -> name to json(value) })

/** Returns plain data as JSON. Numbers lose nothing. */
@OptIn(ExperimentalSerializationApi::class)
internal fun json(value: Any?): JsonElement =
    when (value) {
        null -> JsonNull
        is JsonElement -> value
        is String -> JsonPrimitive(value)
        is Boolean -> JsonPrimitive(value)
        is BigDecimal -> JsonUnquotedLiteral(value.toString())
        is BigInteger -> JsonUnquotedLiteral(value.toString())
        is Double -> if (value.isFinite()) JsonPrimitive(value) else throw IllegalArgumentException("$value is no number of a template")
        is Float -> json(value.toDouble())
        is Number -> JsonPrimitive(value)
        is Map<*, *> -> JsonObject(value.entries.associate { (name, part) -> name.toString() to json(part) })
        is Iterable<*> -> JsonArray(value.map(::json))
        is Array<*> -> JsonArray(value.map(::json))
        is Enum<*> -> JsonPrimitive(nameOf(value))
        is Expression, is Path, is UUID, is Instant, is OffsetDateTime -> JsonPrimitive(value.toString())
        else -> throw IllegalArgumentException("a ${value.javaClass.simpleName} is no value of a template")
    }

internal fun nameOf(value: Enum<*>) = value.name.lowercase()

/** Returns JSON as plain data: maps, lists, texts, booleans, and the smallest of `Long`, `BigInteger` and `BigDecimal` that holds a number. */
internal fun plain(element: JsonElement): Any? =
    when (element) {
        is JsonNull -> null
        is JsonObject -> element.mapValues { (_, part) -> plain(part) }
        is JsonArray -> element.map(::plain)
        is JsonPrimitive ->
            when {
                element.isString -> element.content
                element.content == "true" || element.content == "false" -> element.content == "true"
                else -> number(element.content)
            }
    }

private fun number(text: String): Number {
    text.toLongOrNull()?.let { return it }
    val exact = BigDecimal(text)
    return if (exact.stripTrailingZeros().scale() <= 0 && exact.precision() < 1000) exact.toBigIntegerExact() else exact
}

internal operator fun JsonElement.get(name: String): JsonElement = (this as? JsonObject)?.get(name) ?: JsonNull

internal val JsonElement.text: String get() = (this as JsonPrimitive).content
internal val JsonElement.textOrNull: String? get() = if (this is JsonPrimitive && this !is JsonNull) content else null
internal val JsonElement.items: List<JsonElement> get() = (this as? JsonArray).orEmpty()
internal val JsonElement.long: Long get() = text.toLong()
internal val JsonElement.isTrue: Boolean get() = textOrNull == "true"

/** Returns a value of the engine's, with [Unknown] and [Hidden] where it is so. */
internal fun shown(data: JsonElement): Any? {
    val unknown = data["unknown"].items.map { it to Unknown }
    val hidden = data["hidden"].items.map { it to Hidden }
    return (unknown + hidden).fold(plain(data["value"])) { value, (path, marker) ->
        put(value, path.items.map { step -> plain((step as JsonObject).values.first()) }, marker)
    }
}

private fun put(value: Any?, path: List<Any?>, marker: Any): Any? {
    val step = path.firstOrNull() ?: return marker
    val rest = path.drop(1)
    return when (value) {
        is List<*> -> value.mapIndexed { idx, part -> if (idx.toLong() == (step as Number).toLong()) put(part, rest, marker) else part }
        is Map<*, *> -> value + (step.toString() to put(value[step.toString()], rest, marker))
        else -> marker
    }
}
