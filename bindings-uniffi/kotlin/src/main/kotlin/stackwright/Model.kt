package stackwright

import java.lang.reflect.InvocationTargetException
import java.lang.reflect.ParameterizedType
import java.lang.reflect.Type
import java.lang.reflect.WildcardType
import java.math.BigDecimal
import java.math.BigInteger
import java.nio.file.Path
import java.time.Instant
import java.util.UUID
import kotlin.reflect.KParameter
import kotlin.reflect.full.memberProperties
import kotlin.reflect.full.primaryConstructor
import kotlin.reflect.jvm.isAccessible
import kotlin.reflect.jvm.javaType
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonNull
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive

/** Another value means another object: it cannot be changed in place. */
@Target(AnnotationTarget.VALUE_PARAMETER, AnnotationTarget.FIELD)
annotation class ForceNew

/** The value is never shown. */
@Target(AnnotationTarget.VALUE_PARAMETER, AnnotationTarget.FIELD)
annotation class Sensitive

/** The value reaches the verbs, and is never stored. */
@Target(AnnotationTarget.VALUE_PARAMETER, AnnotationTarget.FIELD)
annotation class WriteOnly

/** An input that the type decides where the template does not. */
@Target(AnnotationTarget.VALUE_PARAMETER, AnnotationTarget.FIELD)
annotation class Computed

/** Of a map of strings: the object bears its tags there, and the engine puts the locked ones among them. */
@Target(AnnotationTarget.VALUE_PARAMETER, AnnotationTarget.FIELD)
annotation class Tags

/** What an attribute is called in templates; otherwise the name in `snake_case`. */
@Target(AnnotationTarget.VALUE_PARAMETER, AnnotationTarget.FIELD)
annotation class Named(val value: String)

/** A value that does not fit its type. Names places and types, never the value. */
internal class Mismatch(val wanted: String, found: Any?, val path: String = "") :
    RuntimeException("${path.removePrefix(".").let { if (it.isEmpty()) "" else "$it: " }}expected $wanted, found ${kindOf(found)}") {
    fun within(step: String) = Mismatch(wanted, found, step + path)

    private val found = found

    private companion object {
        fun kindOf(value: Any?) = if (value == null) "null" else value.javaClass.simpleName
    }
}

/** One type: what the engine calls it, and both ways. */
internal class Codec(val wire: JsonElement, val checks: List<JsonElement> = emptyList(), val load: (JsonElement) -> Any, val dump: (Any) -> JsonElement)

internal class Field(val name: String, val property: String, val codec: Codec, val isNullable: Boolean, val isOptional: Boolean, annotations: List<Annotation>) {
    val isSensitive = annotations.any { it is Sensitive }
    val isWriteOnly = annotations.any { it is WriteOnly }
    val isComputed = annotations.any { it is Computed }
    val forcesNew = annotations.any { it is ForceNew }
    private val takesTags = annotations.any { it is Tags }

    /** What it is where the template does not say it, if that is always the same. */
    var default: JsonElement? = null

    fun dump(value: Any?): JsonElement =
        if (value == null) JsonNull
        else
            try {
                codec.dump(value)
            } catch (error: Mismatch) {
                throw error.within(".$name")
            }

    fun attribute(): Map<String, JsonElement> = buildMap {
        put("type", codec.wire)
        if (isSensitive) put("sensitive", JsonPrimitive(true))
        if (isWriteOnly) put("write_only", JsonPrimitive(true))
        if (forcesNew) put("forces_replacement", JsonPrimitive(true))
        if (takesTags) put("takes_tags", JsonPrimitive(true))
        if (codec.checks.isNotEmpty()) put("checks", JsonArray(codec.checks))
    }
}

/** A class with fields: a data class or a record. [Nothing] has none. */
internal class Model(private val type: Class<*>, val fields: List<Field>, private val make: (Map<Field, Any?>) -> Any, private val read: (Any, Field) -> Any?) {
    val byName = fields.associateBy { it.name }

    /** Makes an object. Fields that are null and have a default are left out. */
    fun load(value: JsonElement): Any {
        val given = LinkedHashMap<Field, Any?>()
        for (field in fields) {
            val part = value[field.name]
            if (part !is JsonNull) {
                given[field] =
                    try {
                        field.codec.load(part)
                    } catch (error: Mismatch) {
                        throw error.within(".${field.name}")
                    }
            } else if (!field.isOptional) {
                if (!field.isNullable) throw Mismatch("a value", null, ".${field.name}")
                given[field] = null
            }
        }
        return try {
            make(given)
        } catch (error: InvocationTargetException) {
            throw error.targetException
        }
    }

    fun dump(value: Any?): Map<String, JsonElement> {
        if (value == null || !type.isInstance(value)) throw Mismatch("`${type.simpleName}`", value)
        return fields.associate { it.name to it.dump(read(value, it)) }
    }

    companion object {
        private val known = java.util.concurrent.ConcurrentHashMap<Class<*>, Model>()

        fun of(type: Class<*>): Model = known[type] ?: made(type).also { known[type] = it }

        private fun made(type: Class<*>): Model {
            if (type == Unit::class.java || type == Void::class.java) return Model(type, emptyList(), { Unit }, { _, _ -> null })
            return if (type.isRecord) record(type) else data(type)
        }

        private fun record(type: Class<*>): Model {
            val parts = type.recordComponents
            val constructor = type.getDeclaredConstructor(*parts.map { it.type }.toTypedArray()).apply { isAccessible = true }
            val fields =
                parts.mapIndexed { idx, part ->
                    val annotations = constructor.parameterAnnotations.getOrNull(idx).orEmpty().toList()
                    part.accessor.isAccessible = true
                    Field(attributeName(part.name, annotations), part.name, codecOf(part.genericType), !part.type.isPrimitive, false, annotations)
                }
            val accessors = fields.zip(parts).associate { (field, part) -> field to part.accessor }
            return Model(type, fields, { given -> constructor.newInstance(*fields.map { given[it] }.toTypedArray()) }) { value, field ->
                accessors.getValue(field).invoke(value)
            }
        }

        private fun data(type: Class<*>): Model {
            val kotlin = type.kotlin
            val constructor = kotlin.primaryConstructor ?: throw IllegalArgumentException("${type.simpleName} is no data class and no record")
            constructor.isAccessible = true
            val parameters = LinkedHashMap<Field, KParameter>()
            for (parameter in constructor.parameters) {
                val name = parameter.name ?: throw IllegalArgumentException("a parameter of ${type.simpleName} has no name")
                val field =
                    Field(attributeName(name, parameter.annotations), name, codecOf(parameter.type.javaType), parameter.type.isMarkedNullable, parameter.isOptional, parameter.annotations)
                parameters[field] = parameter
            }
            val getters = kotlin.memberProperties.associateBy { it.name }
            val read = { value: Any, field: Field -> getters.getValue(field.property).apply { isAccessible = true }.getter.call(value) }
            val make = { given: Map<Field, Any?> -> constructor.callBy(given.mapKeys { (field, _) -> parameters.getValue(field) }) }
            findDefaults(parameters.keys, make, read)
            return Model(type, parameters.keys.toList(), make, read)
        }

        /** Finds defaults that do not hang on other values: two objects that differ in all of those have the same. */
        private fun findDefaults(fields: Set<Field>, make: (Map<Field, Any?>) -> Any, read: (Any, Field) -> Any?) {
            val samples =
                listOf("a", "b").map { letter ->
                    runCatching { make(fields.filter { !it.isOptional }.associateWith { sample(it.codec, letter) }) }.getOrNull() ?: return
                }
            for (field in fields.filter { it.isOptional }) {
                val (one, other) = samples.map { read(it, field) }
                if (one != null && one == other) field.default = runCatching { field.codec.dump(one) }.getOrNull()
            }
        }

        private fun sample(codec: Codec, letter: String): Any =
            when (codec.wire.textOrNull ?: codec.wire.items.first().text) {
                "bool" -> codec.load(JsonPrimitive(letter == "a"))
                "number" -> codec.load(JsonPrimitive(letter.first().code))
                "list", "set" -> codec.load(JsonArray(emptyList()))
                "map" -> codec.load(JsonObject(emptyMap()))
                else -> codec.load(JsonPrimitive(letter))
            }

        private fun attributeName(name: String, annotations: List<Annotation>) =
            annotations.filterIsInstance<Named>().firstOrNull()?.value ?: name.replace(Regex("(?<=[a-z0-9])([A-Z])"), "_$1").lowercase()
    }
}

private fun wire(name: String) = JsonPrimitive(name)

private inline fun <reified T : Any> text(noinline parse: (String) -> T, noinline write: (T) -> String = { it.toString() }) =
    Codec(wire("string"), load = { read(it, "a text", parse) }, dump = { value -> JsonPrimitive(write(value as? T ?: throw Mismatch("`${T::class.java.simpleName}`", value))) })

private fun <T : Any> read(element: JsonElement, wanted: String, parse: (String) -> T): T =
    try {
        parse((element as JsonPrimitive).content)
    } catch (_: RuntimeException) {
        throw Mismatch(wanted, plain(element))
    }

private fun numeric(wanted: String, parse: (BigDecimal) -> Number) =
    Codec(wire("number"), load = { read(it, wanted) { text -> parse(BigDecimal(text)) } }, dump = { if (it is Number) json(it) else throw Mismatch("a number", it) })

internal fun codecOf(type: Type): Codec {
    if (type is WildcardType) return codecOf(type.upperBounds[0])
    if (type is ParameterizedType) {
        val raw = type.rawType as Class<*>
        val parts = type.actualTypeArguments
        return when {
            Set::class.java.isAssignableFrom(raw) -> sequence("set", codecOf(parts[0])) { it.toSet() }
            Collection::class.java.isAssignableFrom(raw) -> sequence("list", codecOf(parts[0])) { it }
            Map::class.java.isAssignableFrom(raw) -> mapping(codecOf(parts[1]))
            else -> throw IllegalArgumentException("$type is no type of an attribute")
        }
    }
    val plain = type as? Class<*> ?: throw IllegalArgumentException("$type is no type of an attribute")
    return when (plain) {
        String::class.java -> text({ it }, { it })
        Boolean::class.java, java.lang.Boolean::class.java ->
            Codec(wire("bool"), load = { read(it, "true or false") { text -> text.toBooleanStrict() } }, dump = { JsonPrimitive(it as? Boolean ?: throw Mismatch("true or false", it)) })
        Int::class.java, Integer::class.java -> numeric("an integer") { it.intValueExact() }
        Short::class.java, java.lang.Short::class.java -> numeric("an integer") { it.shortValueExact() }
        Long::class.java, java.lang.Long::class.java -> numeric("an integer") { it.longValueExact() }
        Double::class.java, java.lang.Double::class.java -> numeric("a number") { it.toDouble() }
        Float::class.java, java.lang.Float::class.java -> numeric("a number") { it.toFloat() }
        BigInteger::class.java -> numeric("an integer") { it.toBigIntegerExact() }
        BigDecimal::class.java -> numeric("a number") { it }
        Instant::class.java -> text(Instant::parse)
        UUID::class.java -> text(UUID::fromString)
        Path::class.java -> text(Path::of)
        Any::class.java, Object::class.java -> Codec(wire("dynamic"), load = { plain(it) ?: throw Mismatch("a value", null) }, dump = ::json)
        else -> if (plain.isEnum) enumeration(plain) else nested(Model.of(plain))
    }
}

private fun sequence(kind: String, part: Codec, gather: (List<Any>) -> Any) =
    Codec(
        JsonArray(listOf(wire(kind), part.wire)),
        load = { element -> gather(element.items.mapIndexed { idx, item -> within("[$idx]") { part.load(item) } }) },
        dump = { value -> JsonArray((value as? Collection<*> ?: throw Mismatch("a $kind", value)).mapIndexed { idx, item -> within("[$idx]") { part.dump(item ?: throw Mismatch("a value", null)) } }) },
    )

private fun mapping(part: Codec) =
    Codec(
        JsonArray(listOf(wire("map"), part.wire)),
        load = { element -> (element as JsonObject).mapValues { (name, item) -> within("[\"$name\"]") { part.load(item) } } },
        dump = { value ->
            JsonObject((value as? Map<*, *> ?: throw Mismatch("a map", value)).entries.associate { (name, item) -> name.toString() to within("[\"$name\"]") { part.dump(item ?: throw Mismatch("a value", null)) } })
        },
    )

private fun enumeration(type: Class<*>): Codec {
    val values = type.enumConstants.map { it as Enum<*> }
    val names = values.map(::nameOf)
    return Codec(
        wire("string"),
        listOf(jsonObject("one_of" to names)),
        load = { element -> values.find { nameOf(it) == element.textOrNull } ?: throw Mismatch("one of $names", plain(element)) },
        dump = { value -> JsonPrimitive(nameOf(values.find { it == value } ?: throw Mismatch("one of $names", value))) },
    )
}

private fun nested(model: Model): Codec {
    val parts = JsonObject(model.fields.associate { it.name to it.codec.wire })
    val optional = model.fields.filter { it.isNullable || it.isOptional }.map { it.name }
    val wire = if (optional.isEmpty()) listOf(wire("object"), parts) else listOf(wire("object"), parts, json(optional))
    return Codec(JsonArray(wire), load = model::load, dump = { JsonObject(model.dump(it)) })
}

private inline fun <T> within(step: String, body: () -> T): T =
    try {
        body()
    } catch (error: Mismatch) {
        throw error.within(step)
    }
