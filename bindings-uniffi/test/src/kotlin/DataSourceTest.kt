// Data sources and event sinks, as a program in Kotlin writes them.

import java.util.concurrent.CompletableFuture
import java.util.concurrent.CompletionStage
import java.util.concurrent.CopyOnWriteArrayList
import kotlin.test.Test
import kotlin.test.assertContains
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertFalse
import kotlin.test.assertSame
import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.CoroutineStart
import kotlinx.coroutines.awaitCancellation
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withTimeout
import stackwright.Context
import stackwright.DataSource
import stackwright.Engine
import stackwright.EngineOptions
import stackwright.EventSink
import stackwright.FutureDataSource
import stackwright.Sensitive
import stackwright.StackwrightException
import stackwright.Template

data class Question(val name: String, val region: String = "north") {
    init {
        require(name != "nobody") { "nobody is no name" }
    }
}

data class Answer(val address: String, @Sensitive val token: String)

open class Lookup : DataSource<Question, Answer>("thing_address") {
    val asked = CopyOnWriteArrayList<Question>()

    override suspend fun read(ctx: Context, want: Question): Answer {
        asked += want
        return Answer("${want.region}/${want.name} of ${ctx.tenant}", "hunter2")
    }
}

class Later : FutureDataSource<Question, Answer>("thing_address") {
    override fun readAsync(ctx: Context, want: Question): CompletionStage<Answer> = CompletableFuture.supplyAsync { Answer(want.name, "hunter2") }
}

private fun template(name: String = "a") =
    Template().apply {
        val found = data("thing_address", "main", mapOf("name" to name))
        output("address", found["address"])
        output("region", found["region"])
        output("token", found["token"], sensitive = true)
    }

class DataSourceTest {
    private fun <T> opened(source: DataSource<*, *>, sink: EventSink? = null, body: suspend (Engine) -> T): T = runBlocking {
        val engine = Engine.open(EngineOptions(resources = listOf(Thing()), dataSources = listOf(source), onEvent = sink))
        try {
            body(engine)
        } finally {
            engine.shutdown()
        }
    }

    @Test
    fun `what is looked up is known in the plan`() {
        val source = Lookup()
        opened(source) { engine ->
            val stack = engine.stack("acme/shop")
            val report = stack.apply(template()).result()
            assertEquals("north/a of acme", report.outputs["address"])
            assertEquals("north", report.outputs["region"])
            assertEquals("hunter2", stack.outputs(reveal = true)["token"])
            assertFalse("hunter2" in stack.plan(template()).toString() + report)
            assertEquals(setOf(Question("a")), source.asked.toSet())
        }
    }

    @Test
    fun `what hangs on something new is looked up once that is made`() {
        val source = Lookup()
        opened(source) { engine ->
            val template = Template()
            val thing = template.resource("thing", "a", mapOf("name" to "a"))
            template.output("address", template.data("thing_address", "main", mapOf("name" to thing["id"]))["address"])
            val plan = engine.stack("acme/shop").plan(template)
            assertEquals(emptyList(), source.asked)
            assertEquals("north/t-1 of acme", plan.apply().result().outputs["address"])
            assertEquals(listOf(Question("t-1")), source.asked)
        }
    }

    @Test
    fun `one that answers with futures`() = opened(Later()) { engine ->
        assertEquals("a", engine.stack("acme/shop").apply(template()).result().outputs["address"])
    }

    @Test
    fun `what it throws comes back`() {
        val mine = ArithmeticException("hunter2 is a secret")
        val source = object : Lookup() {
            override suspend fun read(ctx: Context, want: Question): Answer = throw mine
        }
        opened(source) { engine ->
            val error = assertFailsWith<StackwrightException> { engine.stack("acme/shop").plan(template()) }
            assertSame(mine, error.cause)
            assertContains(error.message.orEmpty(), "ArithmeticException")
            assertFalse("hunter2" in error.message.orEmpty())
        }
    }

    @Test
    fun `another shape is refused`() {
        val source = object : Lookup() {
            @Suppress("UNCHECKED_CAST")
            override suspend fun read(ctx: Context, want: Question): Answer = (listOf(7) as List<Answer>)[0]
        }
        opened(source) { engine ->
            val error = assertFailsWith<StackwrightException> { engine.stack("acme/shop").plan(template()) }
            assertContains(error.message.orEmpty(), "`read_data` of `thing_address` has another shape")
        }
    }

    @Test
    fun `what the inputs refuse is a mistake in the template`() = opened(Lookup()) { engine ->
        val error = assertFailsWith<StackwrightException> { engine.stack("acme/shop").plan(template("nobody")) }
        assertContains(error.message.orEmpty(), "`thing_address` refuses its inputs")
        assertContains(error.message.orEmpty(), "nobody is no name")
    }

    @Test
    fun `one that nobody waits for any more is cancelled`() {
        val (begun, ended) = listOf(CompletableDeferred<Unit>(), CompletableDeferred<Unit>())
        val source = object : Lookup() {
            override suspend fun read(ctx: Context, want: Question): Answer {
                begun.complete(Unit)
                try {
                    awaitCancellation()
                } finally {
                    ended.complete(Unit)
                }
            }
        }
        opened(source) { engine ->
            runBlocking {
                val planning = launch(start = CoroutineStart.UNDISPATCHED) { engine.stack("acme/shop").plan(template()) }
                begun.await()
                planning.cancelAndJoin()
                // Failing is better than hanging.
                withTimeout(60_000) { ended.await() }
            }
        }
    }

    @Test
    fun `a sink gets every event of every run`() {
        val seen = CopyOnWriteArrayList<String>()
        opened(Lookup(), { event -> seen += event.type }) { engine ->
            val template = Template().apply { resource("thing", "a", mapOf("name" to "a")) }
            engine.stack("acme/shop").apply(template).result()
            engine.stack("acme/shop").destroy().result()
        }
        assertEquals(2, seen.count { it == "run_started" })
        assertEquals("run_finished", seen.last())
        assertEquals(listOf("run_started", "run_finished", "run_started", "run_finished"), seen.filter { it.startsWith("run_") })
    }

    @Test
    fun `a sink that fails stops nothing`() {
        var count = 0
        opened(Lookup(), { count += 1; error("no more events") }) { engine ->
            val template = Template().apply { resource("thing", "a", mapOf("name" to "a")) }
            engine.stack("acme/shop").apply(template).result()
        }
        assert(count > 2)
    }
}
