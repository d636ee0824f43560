// A type that is written in Kotlin keeps the contract of resource types, whatever its verbs do.

import kotlin.test.Test
import kotlin.test.assertContains
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertTrue
import kotlinx.coroutines.runBlocking
import stackwright.Context
import stackwright.Existing
import stackwright.Finding
import stackwright.Lost
import stackwright.Recovery
import stackwright.Resource
import stackwright.Seen
import stackwright.conform

private val CONFIG = mapOf("name" to "thing-{n}")
private val CHANGED = CONFIG + ("size" to 2)

class ConformanceTest {
    @Test
    fun `a type in Kotlin conforms`() = runBlocking {
        val world = World()
        val findings = conform(Thing(world), CONFIG, CHANGED, "t-none", fault = "fault")
        assertEquals(emptyList<Finding>(), findings.filter { it.verdict != "passed" })
        assertTrue(findings.size > 40)
        // What was made was removed: nothing was made twice.
        assertEquals(emptyMap<String, Made>(), world.things)
    }

    @Test
    fun `types that break their contract are found out`() {
        val forgetful =
            object : Thing() {
                override suspend fun create(ctx: Context, want: ThingInputs) = outputs(world.make(ctx.idempotencyKey + world.things.size, want))
            }
        assertContains(wrong(forgetful), "crash/same-key")
        val ghostly =
            object : Thing() {
                override suspend fun delete(ctx: Context, was: Existing<ThingInputs, ThingOutputs>) = Unit
            }
        assertContains(wrong(ghostly), "life/delete")
        val blind =
            object : Thing() {
                override suspend fun recover(ctx: Context, lost: Lost<ThingInputs, ThingOutputs>) = Recovery.Absent
            }
        assertContains(wrong(blind), "crash/create-answer-lost")
    }

    private fun wrong(type: Resource<*, *>): List<String> = runBlocking {
        val error = assertFailsWith<AssertionError> { conform(type, CONFIG, CHANGED, "t-none") }
        error.message.orEmpty().lines().drop(1).map { it.substringBefore(":").trim() }
    }

    data class Only(val id: String)

    class Value : Resource<Unit, Only>("value") {
        override suspend fun create(ctx: Context, want: Unit) = Only(ctx.idempotencyKey)

        override suspend fun read(ctx: Context, was: Existing<Unit, Only>) = Seen<Unit, Only>(Only(was.id))

        override suspend fun delete(ctx: Context, was: Existing<Unit, Only>) = Unit
    }

    @Test
    fun `what a type lacks is skipped`() = runBlocking {
        val skipped = conform(Value(), emptyMap(), isValue = true).filter { it.verdict == "skipped" }.associate { it.case to it.message }
        assertEquals("nothing is changed in place", skipped["life/update"])
        assertEquals("it cannot be imported", skipped["life/import"])
    }
}
