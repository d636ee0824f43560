package stackwright

import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonNull
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive

/** A resource type: what the engine knows, and how calls are performed. */
internal class ResourceType(private val resource: Resource<Any, Any>) : Performer {
    override val name = resource.type
    private val inputs: Model
    private val outputs: Model
    private val verbs = VERBS.filterKeys(::overrides)

    init {
        val (wanted, told) = parameters(resource.javaClass, Resource::class.java)
        inputs = Model.of(wanted)
        outputs = Model.of(told)
        require(resource.idAttribute in outputs.byName || resource.idAttribute in inputs.byName) {
            "`$name` has no attribute `${resource.idAttribute}`; override `idAttribute` with the one that is the id"
        }
    }

    private val names = (inputs.fields + outputs.fields).map { it.name }.toSet()
    private val writeOnly = inputs.fields.filter { it.isWriteOnly }.map { it.name }.toSet()

    override fun descriptor(): JsonElement {
        val attributes = LinkedHashMap<String, Map<String, JsonElement>>()
        for (field in inputs.fields) {
            val isOutput = field.name in outputs.byName && !field.isWriteOnly
            val forces = if ("update" !in verbs.values && !field.isWriteOnly) mapOf("forces_replacement" to JsonPrimitive(true)) else emptyMap()
            attributes[field.name] = field.attribute() + said(field, isOutput) + forces
        }
        for (field in outputs.fields) attributes.putIfAbsent(field.name, field.attribute() + mapOf("computed" to JsonPrimitive(true)))
        val description = if (resource.description.isEmpty()) emptyMap() else mapOf("description" to resource.description)
        return jsonObject(
            "schema" to mapOf("version" to resource.version, "block" to mapOf("attributes" to attributes) + description),
            "traits" to
                mapOf(
                    "idempotent_create" to resource.idempotentCreate,
                    "ready_at_once" to ("ready" !in verbs.values),
                    "settle_ms" to resource.settle.toMillis(),
                    "ready_timeout_ms" to resource.readyTimeout.toMillis(),
                    "ready_interval_ms" to resource.readyInterval.toMillis(),
                    "call_timeout_ms" to resource.callTimeout.toMillis(),
                    "cost" to resource.cost,
                ),
            // What the class itself refuses is found while planning too.
            "verbs" to (verbs.values - "update" + "validate").distinct(),
        )
    }

    override suspend fun perform(verb: String, call: JsonElement, ctx: Context): JsonElement =
        when (verb) {
            "validate" -> {
                val config = call["config"]
                if (config["unknown"].items.isEmpty()) checked(name) { inputs.load(config["value"]) }
                if ("validate" in verbs.values) checked(name) { resource.validate(ctx, values(config)) }
                JsonPrimitive("valid")
            }
            "plan" -> jsonObject("planned" to planned(call, resource.plan(ctx, Proposal(values(call["config"]), values(call["proposed"]), was(call)))))
            "create" -> complete(reply(call, resource.create(ctx, want(call["planned"])), null))
            "read" -> jsonObject("object" to resource.read(ctx, known(call))?.let { reply(call, it.outputs, it.inputs) })
            "update" -> complete(reply(call, resource.update(ctx, want(call["planned"]), known(call)), null))
            "delete" -> {
                resource.delete(ctx, known(call))
                jsonObject("outcome" to mapOf("object" to "gone"))
            }
            "import" -> jsonObject("object" to resource.adopt(ctx, call["id"].text)?.let { reply(call, it.outputs, it.inputs) })
            "ready" ->
                jsonObject(
                    "readiness" to
                        when (val readiness = resource.ready(ctx, known(call))) {
                            Readiness.Ready -> mapOf("ready" to call["object"])
                            is Readiness.NotYet -> mapOf("not_yet" to mapOf("reason" to readiness.reason))
                        }
                )
            "recover" -> jsonObject("recovery" to recovery(call, ctx))
            "upgrade" -> jsonObject("upgraded" to resource.upgrade(ctx, call["version"].long, values(jsonObject("value" to call["attributes"]))))
            else -> throw StackwrightException("`$verb` is a verb that this package does not know", kind = Kind.Unsupported)
        }

    override fun partial(call: JsonElement, outputs: Any, error: StackwrightException): JsonElement =
        jsonObject("outcome" to mapOf("object" to mapOf("partial" to reply(call, outputs, null)), "problems" to listOf(failureOf(error))))

    private suspend fun recovery(call: JsonElement, ctx: Context): Any {
        val was = was(call)
        val id = was?.id ?: call["id"].textOrNull
        val want = call["planned"].takeIf { it !is JsonNull }?.let(::want)
        val partial = call["partial"]["value"].let { if (it is JsonObject) it.mapValues { (_, part) -> plain(part) } else emptyMap() }
        return when (val found = resource.recover(ctx, Lost(id, want, was, partial))) {
            is Recovery.Found<Any, Any> -> mapOf("found" to reply(call, found.outputs, found.inputs))
            Recovery.Absent -> "absent"
            is Recovery.CannotTell -> mapOf("cannot_tell" to mapOf("reason" to found.reason))
        }
    }

    private fun values(document: JsonElement): Map<String, Any?> {
        val unknown = unknownNames(document)
        val value = document["value"] as? JsonObject ?: return emptyMap()
        return value.mapValues { (name, part) -> if (name in unknown) Unknown else plain(part) }
    }

    /** What is unknown when a verb acts is the type's to decide: as if it had been left out. */
    private fun want(document: JsonElement): Any = checked(name) { inputs.load(document["value"]) }

    private fun was(call: JsonElement): Existing<Any, Any>? {
        val known = call["prior"].takeIf { it !is JsonNull } ?: call["object"].takeIf { it !is JsonNull } ?: return null
        val attributes = known["attributes"]
        // Of what was imported or half made not everything is known.
        fun <T> loaded(model: Model, make: (Model) -> T): T? = try { make(model) } catch (_: Mismatch) { null }
        return Existing(known["id"].text, loaded(inputs) { it.load(attributes) }, loaded(outputs) { it.load(attributes) })
    }

    private fun known(call: JsonElement) = was(call) ?: throw Mismatch("an object", null)

    private fun reply(call: JsonElement, outputs: Any?, inputs: Any?): JsonElement {
        val known = call["prior"].takeIf { it !is JsonNull } ?: call["object"].takeIf { it !is JsonNull }
        val attributes = names.associateWithTo(LinkedHashMap<String, JsonElement>()) { JsonNull }
        (known?.get("attributes") as? JsonObject)?.let(attributes::putAll)
        val planned = call["planned"]
        if (planned is JsonObject) {
            val unknown = unknownNames(planned)
            (planned["value"] as? JsonObject)?.filterKeys { it !in unknown }?.let(attributes::putAll)
        }
        if (inputs != null) attributes.putAll(this.inputs.dump(inputs))
        if (outputs != null) attributes.putAll(this.outputs.dump(outputs))
        else if (known == null && this.outputs.fields.isNotEmpty()) throw Mismatch("outputs", null)
        for (name in writeOnly) attributes[name] = JsonNull
        val id = attributes[resource.idAttribute]?.textOrNull ?: throw Mismatch("an id", null, ".${resource.idAttribute}")
        return jsonObject("id" to id, "attributes" to attributes)
    }

    private fun planned(call: JsonElement, result: Planned?): JsonElement {
        val (values, replace) = result ?: Planned()
        val proposed = call["proposed"]
        val known =
            values.entries.associate { (name, value) ->
                val field = outputs.byName[name] ?: inputs.byName[name] ?: throw Mismatch("the name of an attribute", name, ".$name")
                name to field.dump(value)
            }
        val unknown = proposed["unknown"].items.filter { path -> path.items.firstOrNull()?.get("attr")?.textOrNull !in known }
        return jsonObject(
            "planned" to mapOf("value" to (proposed["value"] as JsonObject) + known, "unknown" to unknown),
            "requires_replace" to replace.map { listOf(mapOf("attr" to it)) },
        )
    }

    private fun overrides(method: String): Boolean {
        val declared = generateSequence<Class<*>>(resource.javaClass) { it.superclass }.takeWhile { it != Resource::class.java && it != FutureResource::class.java }
        return declared.any { type -> type.declaredMethods.any { (it.name == method || it.name == "${method}Async") && !it.isBridge } }
    }

    private companion object {
        /** Methods that a type may have, and what the engine calls them. */
        val VERBS =
            mapOf("update" to "update", "validate" to "validate", "plan" to "plan", "adopt" to "import", "ready" to "ready", "recover" to "recover", "upgrade" to "upgrade")

        fun complete(reply: JsonElement) = jsonObject("outcome" to mapOf("object" to mapOf("complete" to reply)))

        fun unknownNames(document: JsonElement) = document["unknown"].items.mapNotNull { it.items.firstOrNull()?.get("attr")?.textOrNull }.toSet()
    }
}
