// Plans, runs, events and errors, as a program in Kotlin sees them.

import java.math.BigDecimal
import java.nio.file.Files
import kotlin.test.Test
import kotlin.test.assertContains
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertIs
import kotlin.test.assertNull
import kotlin.test.assertSame
import kotlin.test.assertTrue
import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.CoroutineStart
import kotlinx.coroutines.NonCancellable
import kotlinx.coroutines.awaitCancellation
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.flow.toList
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withContext
import stackwright.ApplyOptions
import stackwright.Context
import stackwright.Engine
import stackwright.EngineOptions
import stackwright.Existing
import stackwright.Function
import stackwright.Hidden
import stackwright.Kind
import stackwright.PlanOptions
import stackwright.Planned
import stackwright.Proposal
import stackwright.Resource
import stackwright.RunFailedException
import stackwright.Seen
import stackwright.Sensitive
import stackwright.StackwrightException
import stackwright.Tags
import stackwright.Template
import stackwright.Unknown

private val TWO =
    Template.fromText(
        """
        resource "thing" "a" {
          name = "a"
        }
        resource "thing" "b" {
          name = "b-of-${'$'}{thing.a.id}"
        }
        output "url" {
          value = thing.b.url
        }
        """
    )

class EngineTest {
    private fun <T> opened(vararg types: Resource<*, *>, body: suspend (Engine) -> T): T = runBlocking {
        val engine = Engine.open(EngineOptions(resources = types.toList()))
        try {
            body(engine)
        } finally {
            engine.shutdown()
        }
    }

    @Test
    fun `a plan says what a run then does`() {
        val world = World()
        opened(Thing(world)) { engine ->
            val stack = engine.stack("acme/shop")
            val plan = stack.plan(TWO)
            assertEquals(listOf("thing.a" to "create", "thing.b" to "create"), plan.changes.map { it.address to it.action })
            assertEquals(2, plan.counts.add)
            val after = plan.changes[1].after as Map<*, *>
            assertEquals(listOf(Unknown, Unknown), listOf(after["id"], after["name"]))
            assertEquals(listOf(emptyList(), listOf(0)), plan.steps.map { it.needs })
            assertContains(plan.toString(), "2 to add")
            assertContains(plan.toJson(), "\"resource_changes\"")

            val run = stack.openPlan(plan.toBytes()).apply(ApplyOptions(who = "ann", why = "a test"))
            val events = run.events.toList()
            assertEquals("run_started", events.first().type)
            assertEquals("run_finished", events.last().type)
            assertEquals(listOf("thing.a", "thing.b"), events.filter { it.type == "step_finished" }.map { it.address })
            val report = run.result()
            assertEquals("thing://b-of-t-1", report.outputs["url"])
            assertEquals(setOf("a", "b-of-t-1"), world.things.values.map { it.name }.toSet())

            assertTrue(stack.plan(TWO).isEmpty)
            assertEquals(listOf("thing.a", "thing.b"), stack.state().rows.map { it.address })
            assertEquals(listOf("ann" to "succeeded"), stack.runs().map { it.who to it.status })
            assertNull(stack.unfinishedRun())
            assertEquals(listOf("acme/shop"), engine.stacks().map { it.name })
            stack.destroy().result()
            assertEquals(0, world.things.size)
            stack.forget()
            assertEquals(emptyList<String>(), engine.stacks().map { it.name })
        }
    }

    @Test
    fun `an exception of a verb comes back unchanged`() = opened(Thing()) { engine ->
        val run = engine.stack("s").apply(Template.fromMap(mapOf("resource" to mapOf("thing" to mapOf("a" to mapOf("name" to "a", "fault" to "refuse create"))))))
        val error = assertFailsWith<RunFailedException> { run.result() }
        val problem = error.report.problems.single()
        assertEquals(listOf("thing.a", "thing.refused", Kind.Denied, false), listOf(problem.address, problem.error.code, problem.error.kind, problem.error.mayHaveChanged))
        assertEquals("this thing refuses", error.cause?.message)
        assertSame(problem.error.cause, error.cause)
        val raised = assertFailsWith<StackwrightException> { engine.stack("s").plan(Template.fromText("resource \"thing\" \"a\" {\n name = \"a\"\n fault = \"raise plan\"\n}\n")) }
        assertIs<ArithmeticException>(raised.cause)
        assertTrue("hunter2" !in raised.message.orEmpty())
    }

    @Test
    fun `a broken template has its places`() = opened(Thing()) { engine ->
        val error = assertFailsWith<StackwrightException> { engine.stack("s").plan(Template.fromText("resource \"thing\" \"a\" {\n  name = thing.b.id\n}\n")) }
        assertEquals(Kind.InvalidInput, error.kind)
        val place = error.diagnostics.first().place
        assertEquals(Triple("main.tf", 2, 10), Triple(place?.file, place?.line, place?.column))
        assertContains(error.message.orEmpty(), "main.tf:2:10")
        assertTrue(engine.stack("s").validate(Template.fromText("output \"a\" {}\n")).isNotEmpty())
    }

    data class Secret(@Sensitive val token: String, val ratio: BigDecimal, val tags: Map<String, String> = emptyMap())

    data class Told(val id: String, val deep: List<Long>)

    class Exact(val seen: MutableList<Secret> = mutableListOf()) : Resource<Secret, Told>("exact") {
        override suspend fun create(ctx: Context, want: Secret) = Told(ctx.address, listOf(1, 9007199254740993)).also { seen += want }

        override suspend fun read(ctx: Context, was: Existing<Secret, Told>) = was.outputs?.let { Seen<Secret, Told>(it) }

        override suspend fun delete(ctx: Context, was: Existing<Secret, Told>) = Unit
    }

    @Test
    fun `numbers lose nothing and secrets are hidden`() {
        val type = Exact()
        opened(type) { engine ->
            val ratio = BigDecimal("0.1000000000000000055511151231257827021181583404541015625")
            val template = Template()
            template.variable("ratio")
            val made = template.resource("exact", "a", mapOf("token" to "hunter2", "ratio" to "\${var.ratio}", "tags" to mapOf("a" to "b")))
            template.output("deep", made["deep"][1])
            val stack = engine.stack("s")
            val plan = stack.plan(template, PlanOptions(mapOf("ratio" to ratio)))
            assertTrue("hunter2" !in plan.toString())
            assertEquals(Hidden, (plan.changes.single().after as Map<*, *>)["token"])
            assertEquals(9007199254740993L, plan.apply().result().outputs["deep"])
            assertEquals(listOf(Secret("hunter2", ratio, mapOf("a" to "b"))), type.seen)
            assertEquals(Hidden, stack.state().rows.single().attributes["token"])
        }
    }

    data class Labelled(val name: String, @Tags val labels: Map<String, String> = emptyMap())

    data class Id(val id: String)

    class Tagged(val seen: MutableList<Pair<Map<String, String>, Map<String, String>>> = mutableListOf()) : Resource<Labelled, Id>("tagged") {
        override suspend fun create(ctx: Context, want: Labelled) = Id("i").also { seen += want.labels to ctx.tags }

        override suspend fun read(ctx: Context, was: Existing<Labelled, Id>) = was.outputs?.let { Seen<Labelled, Id>(it) }

        override suspend fun delete(ctx: Context, was: Existing<Labelled, Id>) = Unit
    }

    @Test
    fun `locked tags go where a type takes tags`() = runBlocking {
        val type = Tagged()
        val engine = Engine.open(EngineOptions(resources = listOf(type), tags = mapOf("team" to "red")))
        try {
            val stack = engine.stack("acme/x")
            fun template(labels: Map<String, String>) = Template().apply { resource("tagged", "a", mapOf("name" to "n", "labels" to labels)) }
            stack.plan(template(mapOf("of" to "mine"))).apply().result()
            val locked = mapOf("team" to "red", "stackwright-tenant" to "acme", "stackwright-stack" to "x")
            assertEquals(listOf((mapOf("of" to "mine") + locked) to locked), type.seen)
            val error = assertFailsWith<StackwrightException> { stack.plan(template(mapOf("team" to "blue"))) }
            assertEquals(listOf("plan.tag_locked"), error.diagnostics.map { it.code })
        } finally {
            engine.shutdown()
        }
    }

    @Test
    fun `cancelling drains a run`() {
        val (begun, asked) = List(2) { CompletableDeferred<Unit>() }
        val world = World()
        val slow =
            object : Thing(world) {
                override suspend fun create(ctx: Context, want: ThingInputs): ThingOutputs {
                    begun.complete(Unit)
                    asked.await()
                    // Whoever asks once waits for what runs.
                    check(!ctx.isCancelled)
                    return super.create(ctx, want)
                }
            }
        opened(slow) { engine ->
            val stack = engine.stack("s")
            val run = stack.apply(TWO, how = ApplyOptions(parallelism = 1))
            begun.await()
            run.cancel()
            asked.complete(Unit)
            assertEquals("cancelled", run.join().status)
            // The first was finished and the second, which needs it, was not begun.
            assertEquals(listOf("a"), world.things.values.map { it.name })
            assertEquals(listOf("thing.a" to "t-1"), stack.state().rows.map { it.address to it.id })
            assertEquals("run.cancelled", assertFailsWith<RunFailedException> { run.result() }.code)
        }
    }

    @Test
    fun `a coroutine that is cancelled takes its run along`() {
        val entered = CompletableDeferred<Unit>()
        val world = World()
        val lingering =
            object : Thing(world) {
                override suspend fun create(ctx: Context, want: ThingInputs): ThingOutputs {
                    entered.complete(Unit)
                    // Until it is told to end, which is the second request.
                    ctx.cancelled()
                    return super.create(ctx, want)
                }
            }
        opened(lingering) { engine ->
            val stack = engine.stack("s")
            val run = stack.apply(TWO)
            var isRecorded = false
            coroutineScope {
                // It waits for the end before anything else is done here.
                val waiting =
                    launch(start = CoroutineStart.UNDISPATCHED) {
                        try {
                            run.result()
                        } finally {
                            isRecorded = withContext(NonCancellable) { stack.state().rows.isNotEmpty() }
                        }
                    }
                entered.await()
                waiting.cancel()
                run.events.first { it.type == "cancel_requested" }
                assertTrue(!waiting.isCompleted)
                run.cancelNow()
                waiting.join()
                assertTrue(waiting.isCancelled)
            }
            assertTrue(isRecorded)
            assertEquals(1, world.things.size)
        }
    }

    @Test
    fun `a verb that nobody waits for any more is cancelled`() {
        val (entered, left) = List(2) { CompletableDeferred<Unit>() }
        val hanging =
            object : Thing() {
                override suspend fun plan(ctx: Context, proposal: Proposal<ThingInputs, ThingOutputs>): Planned? {
                    entered.complete(Unit)
                    try {
                        awaitCancellation()
                    } finally {
                        left.complete(Unit)
                    }
                }
            }
        opened(hanging) { engine ->
            coroutineScope {
                val planning = launch { engine.stack("s").plan(TWO) }
                entered.await()
                planning.cancelAndJoin()
                left.await()
            }
        }
    }

    @Test
    fun `events can be read after the end`() = opened(Thing()) { engine ->
        val run = engine.stack("s").apply(TWO)
        run.result()
        assertEquals("run_finished", run.events.toList().last().type)
        assertEquals(emptyList(), run.events.toList())
    }

    @Test
    fun `functions of templates are computed`() = runBlocking {
        val shout = Function("acme::shout", listOf("text")) { (text) -> "${text.toString().uppercase()}!" }
        val fails = Function("acme::fail", listOf("text")) { throw StackwrightException("no", "acme.no", Kind.InvalidInput) }
        val engine = Engine.open(EngineOptions(functions = listOf(shout, fails)))
        val stack = engine.stack("s")
        val providers = "terraform {\n  required_providers {\n    acme = {}\n  }\n}\n"
        val plan = stack.plan(Template.fromText(providers + "output \"a\" {\n  value = provider::acme::shout(\"hey\")\n}\n"))
        assertEquals("HEY!", plan.outputs.getValue("a").value)
        val error = assertFailsWith<StackwrightException> { stack.plan(Template.fromText(providers + "output \"a\" {\n  value = provider::acme::fail(\"hey\")\n}\n")) }
        assertContains(error.message.orEmpty(), "no")
        engine.close()
        assertEquals("host.closed", assertFailsWith<StackwrightException> { stack.plan(Template()) }.code)
    }

    @Test
    fun `verbs run on the dispatcher and not on the engine's threads`() {
        val threads = java.util.concurrent.ConcurrentHashMap.newKeySet<String>()
        val watching =
            object : Thing() {
                override suspend fun create(ctx: Context, want: ThingInputs): ThingOutputs {
                    threads += Thread.currentThread().name
                    return super.create(ctx, want)
                }
            }
        opened(watching) { engine -> engine.stack("s").apply(TWO).result() }
        assertTrue(threads.isNotEmpty() && threads.all { it.startsWith("DefaultDispatcher") }, threads.toString())
    }

    @Test
    fun `state outlives an engine`() = runBlocking {
        val folder = Files.createTempDirectory("stackwright")
        val world = World()
        val options = EngineOptions("$folder/state.db", listOf(Thing(world)))
        Engine.open(options).use { engine -> engine.stack("s").apply(TWO).result() }
        Engine.open(options).use { engine -> assertTrue(engine.stack("s").plan(TWO).isEmpty) }
        folder.toFile().deleteRecursively()
        Unit
    }
}
