package killed

// One step of the proof: `StepKt COMMAND FOLDER`. tests/bindings.sh calls it and looks at the folder afterwards.

import java.nio.file.Files
import java.nio.file.Path
import java.time.Duration
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertNotNull
import kotlin.test.assertNull
import kotlin.test.assertTrue
import kotlin.time.Duration.Companion.seconds
import kotlin.time.TimeSource
import kotlinx.coroutines.delay
import kotlinx.coroutines.runBlocking
import stackwright.ApplyOptions
import stackwright.Engine
import stackwright.EngineOptions
import stackwright.Kind
import stackwright.Mode
import stackwright.OnFailure
import stackwright.PlanOptions
import stackwright.Report
import stackwright.Run
import stackwright.Stack
import stackwright.StackwrightException
import stackwright.Template

private val THREE = ApplyOptions(parallelism = 3, who = "a test")

private fun text(name: String) = Files.readString(Path.of(System.getenv("BUCKET_TEMPLATES"), name))

private fun template(name: String) = Template.fromText(text(name))

private suspend fun refuses(stack: Stack, text: String, code: String, problem: String) {
    val error = assertFailsWith<StackwrightException> { stack.plan(Template.fromText(text)) }
    assertEquals(Kind.InvalidInput to code, error.kind to error.code)
    assertTrue(error.diagnostics.any { it.code.startsWith(problem) }, error.diagnostics.toString())
}

private fun problems(report: Report) =
    report.problems.map { listOf(it.address, it.error.kind.toString(), it.error.code, it.error.mayHaveChanged.toString()) }.sortedBy { it.first() }

private class Steps(val stack: Stack, val world: BucketType<*>) {
    private val cloud = world.cloud

    suspend fun apply() {
        val plan = stack.plan(template("main.tf"))
        assertEquals(setOf("create"), plan.changes.map { it.action }.toSet())
        assertEquals("https://buckets.example/mirror", plan.apply(THREE).result().outputs["mirror"])
    }

    suspend fun resume() {
        val unfinished = assertNotNull(stack.unfinishedRun())
        val report = resumed(unfinished.id).join()
        assertEquals(emptyList(), report.problems)
        assertEquals("succeeded", report.status)
    }

    private suspend fun resumed(id: String): Run {
        val began = TimeSource.Monotonic.markNow()
        while (true) {
            try {
                return stack.resume(id, THREE)
            } catch (error: StackwrightException) {
                // The dead process's lease has to run out.
                if (error.code != "lease.held" || began.elapsedNow() > 30.seconds) throw error
                delay(50)
            }
        }
    }

    suspend fun verify() {
        val rows = stack.state().rows
        assertEquals(6, rows.size)
        assertTrue(rows.all { it.status == "current" && it.ready })
        val buckets = cloud.buckets()
        assertEquals(rows.mapNotNull { it.id }.sorted(), buckets.map { it.id }.sorted())
        assertEquals(rows.map { it.objectId }.sorted(), buckets.map { it.key }.sorted())
        assertNull(stack.unfinishedRun())
        val plan = stack.plan(template("main.tf"))
        assertEquals(true to emptyList(), plan.isEmpty to plan.changes)
    }

    suspend fun upgrade() {
        val plan = stack.plan(template("main.tf"))
        assertEquals(0 to 6, plan.changes.size to world.upgraded.get())
        plan.apply().result()
        assertEquals(0 to 6, stack.plan(template("main.tf")).changes.size to world.upgraded.get())
    }

    suspend fun update() {
        val plan = stack.plan(Template.fromText(text("main.tf").replace("count.index + 1", "count.index + 10")))
        assertEquals(List(4) { "update" }, plan.changes.map { it.action })
        plan.apply(THREE).result()
        assertEquals(listOf(1, 1, 10, 11, 12, 13), cloud.buckets().map { it.want.size }.sorted())
    }

    suspend fun destroy() {
        stack.apply(template("main.tf"), PlanOptions(mode = Mode.Destroy), THREE).result()
        assertEquals(emptyList(), stack.state().rows)
        assertEquals(emptyList(), cloud.buckets())
    }

    suspend fun faults() {
        fun names() = cloud.buckets().map { it.want.name }.sorted()
        suspend fun statuses() = stack.state().rows.map { it.address.substringAfter(".") to it.status }
        val first = stack.apply(template("faults.tf"), how = THREE.copy(onFailure = OnFailure.Continue)).join()
        assertEquals("failed", first.status)
        assertEquals(
            listOf(listOf("acme_bucket.refused", "Denied", "acme.quota", "false"), listOf("acme_bucket.torn", "Unavailable", "acme.torn", "false")),
            problems(first),
        )
        assertEquals(listOf("raised" to "current", "torn" to "tainted"), statuses())
        assertEquals(listOf("raised", "torn"), names())
        stack.apply(template("faults.tf"), how = THREE).result()
        val all = listOf("raised", "refused", "torn")
        assertEquals(all.map { it to "current" }, statuses())
        assertEquals(all, names())
        refuses(stack, "resource \"acme_bukkit\" \"a\" {", "template.invalid", "syntax.")
        refuses(stack, "resource \"acme_bucket\" \"a\" {\n name = \"Loud\"\n}", "plan.failed", "acme.name")
        // What is wrong only comes out once it is known: before anything is made.
        val third = stack.apply(Template.fromFiles(mapOf("main.tf" to text("faults.tf"), "late.tf" to text("late.tf"))), how = THREE).join()
        assertEquals(listOf(listOf("acme_bucket.late", "InvalidInput", "acme.name", "false")), problems(third))
        assertEquals(listOf("early") + all, names())
    }

    suspend fun cancel() {
        val run = stack.apply(template("main.tf"), how = THREE)
        val ctx = world.waiting.await()
        // Once: nothing new starts, and what runs is waited for.
        run.cancel()
        assertEquals(false, ctx.isCancelled)
        // Twice: what runs is told to end.
        run.cancelNow()
        val report = run.join()
        // What was made was not awaited until it works: the run is settled by going on with it, and stays cancelled.
        assertTrue(report.status in setOf("cancelled", "running"), report.status)
        if (report.status == "running") assertEquals("cancelled", stack.resume(stack.unfinishedRun()!!.id).join().status)
        val rows = stack.state().rows
        assertEquals(rows.mapNotNull { it.id }.sorted(), cloud.buckets().map { it.id }.sorted())
        assertTrue(rows.size < 6)
        stack.apply(template("main.tf"), how = THREE).result()
    }
}

fun main(arguments: Array<String>) = runBlocking {
    val (command, place) = arguments
    val folder = Path.of(place)
    val world = if (VERSION == 1L) BucketOfVersion1(folder) else BucketOfVersion2(folder)
    val engine = Engine.open(EngineOptions("$folder/state.db", listOf(world), leaseTtl = Duration.ofMillis(1500)))
    val steps = Steps(engine.stack("killed"), world)
    when (command) {
        "apply" -> steps.apply()
        "resume" -> steps.resume()
        "verify" -> steps.verify()
        "upgrade" -> steps.upgrade()
        "update" -> steps.update()
        "destroy" -> steps.destroy()
        "faults" -> steps.faults()
        "cancel" -> steps.cancel()
        else -> error("`$command` is no step")
    }
    engine.shutdown()
}
