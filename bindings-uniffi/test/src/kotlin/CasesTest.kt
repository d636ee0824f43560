// The cases that every language runs, with the same plans, events and errors: tests/cases/README.md says how they read.

import java.nio.file.Files
import java.nio.file.Path
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertTrue
import kotlinx.coroutines.flow.toList
import kotlinx.coroutines.runBlocking
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonNull
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.jsonPrimitive
import kotlinx.serialization.json.longOrNull
import org.junit.jupiter.api.DynamicTest
import org.junit.jupiter.api.TestFactory
import stackwright.ApplyOptions
import stackwright.Engine
import stackwright.EngineOptions
import stackwright.Hidden
import stackwright.Mode
import stackwright.PlanOptions
import stackwright.Run
import stackwright.StackwrightException
import stackwright.Template

private val BLOCK = Regex("^```\\w+ (\\w+)\n(.*?)^```$", setOf(RegexOption.MULTILINE, RegexOption.DOT_MATCHES_ALL))

class CasesTest {
    @TestFactory
    fun cases(): List<DynamicTest> {
        val folder = Path.of(System.getenv("STACKWRIGHT_CASES") ?: "../../tests/cases/stacks")
        val files = Files.list(folder).use { all -> all.filter { it.toString().endsWith(".md") }.sorted().toList() }
        assertTrue(files.size >= 5)
        return files.map { file -> DynamicTest.dynamicTest("${file.fileName}") { runBlocking { tell(Files.readString(file)) } } }
    }

    private suspend fun tell(text: String) {
        val world = World()
        val engine = Engine.open(EngineOptions(resources = listOf(Thing(world))))
        val stack = engine.stack("acme/case")
        var template = Template()
        var variables = emptyMap<String, Any?>()
        suspend fun asked(mode: Mode = Mode.Normal) = stack.plan(template, PlanOptions(variables, mode, parallelism = 1))
        suspend fun applied(mode: Mode) = followed(asked(mode).apply(ApplyOptions(parallelism = 1)))
        for (block in BLOCK.findAll(text)) {
            val (kind, body) = block.destructured
            val lines =
                when (kind) {
                    "template" -> null.also { template = Template.fromText(body) }
                    "variables" -> null.also { variables = Json.parseToJsonElement(body).jsonObject.mapValues { (_, value) -> plain(value.jsonPrimitive) } }
                    "plan" -> asked().toString().trimEnd().lines()
                    "error" -> refused(assertFailsWith<StackwrightException> { asked() })
                    "apply" -> applied(Mode.Normal)
                    "destroy" -> applied(Mode.Destroy)
                    "state" -> stack.state().rows.map { "${it.address} ${it.id} ${it.status} ${json(it.attributes)}" }
                    "world" -> world.things.map { (id, thing) -> "$id ${thing.name} ${thing.size}" }.sorted()
                    else -> error("`$kind` is no block of a case")
                }
            if (lines != null) assertEquals(body, lines.ifEmpty { listOf("nothing") }.joinToString("\n", postfix = "\n"), kind)
        }
        engine.shutdown()
    }

    private suspend fun followed(run: Run): List<String> {
        val events = run.events.toList()
        // A step may still be on its way to work when another begins.
        val inSteps = events.withIndex().sortedBy { (at, event) -> event.address?.let { a -> events.indexOfFirst { it.address == a } } ?: at }
        val lines = inSteps.map { (_, event) -> listOfNotNull(event.type, event.address).joinToString(" ") }
        val report = run.join()
        val problems =
            report.problems.map { (address, error) ->
                val effect = if (error.mayHaveChanged) "unknown" else "none"
                "! $address: ${word(error)} ${error.code} $effect: ${error.message}"
            }
        return lines + problems + report.outputs.map { (name, value) -> "$name = ${if (value == Hidden) "(sensitive)" else json(value)}" } + report.status
    }

    private fun refused(error: StackwrightException): List<String> =
        listOf("${word(error)} ${error.code}") +
            error.diagnostics.map { problem ->
                val where = problem.place?.let { "${it.file}:${it.line}:${it.column}" } ?: problem.address ?: "-"
                "$where ${problem.code}: ${problem.message}"
            }

    private fun word(error: StackwrightException) = error.kind.name.replace(Regex("(?<=.)([A-Z])"), "_$1").lowercase()

    private fun plain(value: JsonPrimitive): Any? = if (value.isString) value.content else value.longOrNull ?: value.content.toBoolean()

    private fun json(value: Any?): JsonElement =
        when (value) {
            null -> JsonNull
            is String -> JsonPrimitive(value)
            is Number -> JsonPrimitive(value)
            is Boolean -> JsonPrimitive(value)
            is List<*> -> JsonArray(value.map(::json))
            is Map<*, *> -> JsonObject(value.entries.associate { (name, part) -> "$name" to json(part) }.toSortedMap())
            else -> error("$value")
        }
}
