// Many calls: memory stays flat, and a call costs little. `make soak` is the long form.
//
// Reads while planning are measured, since there is little of the engine around them: what is left of a plan without reads is
// taken off.

import java.lang.ref.Cleaner
import java.nio.file.Files
import java.nio.file.Path
import java.util.concurrent.CountDownLatch
import java.util.concurrent.atomic.AtomicInteger
import kotlin.test.Test
import kotlin.test.assertTrue
import kotlinx.coroutines.runBlocking
import org.junit.jupiter.api.condition.EnabledOnOs
import org.junit.jupiter.api.condition.OS
import stackwright.ApplyOptions
import stackwright.Context
import stackwright.Engine
import stackwright.EngineOptions
import stackwright.Existing
import stackwright.ForceNew
import stackwright.PlanOptions
import stackwright.Resource
import stackwright.Seen
import stackwright.Stack
import stackwright.Template

private const val OBJECTS = 250

// Caches of the store and of the allocator fill with what is written, and take a while to be full: few objects, many reads.
private const val SOAKED = 50

/** How often memory may grow before it counts as a leak. */
private const val ROUNDS = 4

private val CLEANER = Cleaner.create()

data class SoakInputs(@ForceNew val name: String, val size: Int = 1)

data class SoakOutputs(val id: String)

private class Soaked : Resource<SoakInputs, SoakOutputs>("soak") {
    val calls = AtomicInteger()

    override suspend fun create(ctx: Context, want: SoakInputs) = SoakOutputs(want.name).also { calls.incrementAndGet() }

    override suspend fun read(ctx: Context, was: Existing<SoakInputs, SoakOutputs>) =
        Seen<SoakInputs, SoakOutputs>(SoakOutputs(was.id)).also { calls.incrementAndGet() }

    override suspend fun update(ctx: Context, want: SoakInputs, was: Existing<SoakInputs, SoakOutputs>): SoakOutputs? = null.also { calls.incrementAndGet() }

    override suspend fun delete(ctx: Context, was: Existing<SoakInputs, SoakOutputs>) {
        calls.incrementAndGet()
    }
}

private fun template(size: Int, count: Int = OBJECTS) =
    Template.fromMap(mapOf("resource" to mapOf("soak" to mapOf("a" to mapOf("count" to count, "name" to "n\${count.index}", "size" to size)))))

/** Calls with a stack that has objects. Its history is on the disk, where it may grow. */
private fun <T> opened(count: Int, body: suspend (Stack, Soaked) -> T): T = runBlocking {
    val folder = Files.createTempDirectory("soak")
    val type = Soaked()
    val engine = Engine.open(EngineOptions("$folder/state.db", listOf(type)))
    try {
        val stack = engine.stack("soak")
        stack.apply(template(1, count)).result()
        body(stack, type)
    } finally {
        engine.shutdown()
        folder.toFile().deleteRecursively()
    }
}

/** What of the heap is in use, and what the process holds beside the heap; KiB. */
private data class Held(val heap: Long, val beside: Long) {
    fun isFlatAfter(warm: Held) = heap <= warm.heap * 1.05 && beside <= warm.beside * 1.05

    override fun toString() = "$heap KiB of the heap, $beside KiB beside it"
}

/** The heap is resident as a whole and never resized: its flags are those of the pom. */
private fun held(): Held {
    repeat(2) {
        val isCleaned = CountDownLatch(1)
        CLEANER.register(Any()) { isCleaned.countDown() }
        System.gc()
        isCleaned.await()
    }
    val runtime = Runtime.getRuntime()
    val resident = Files.readAllLines(Path.of("/proc/self/status")).first { it.startsWith("VmRSS:") }.filter(Char::isDigit).toLong()
    return Held((runtime.totalMemory() - runtime.freeMemory()) / 1024, resident - runtime.totalMemory() / 1024)
}

/**
 * Makes so many calls of all verbs, and as many again while that took memory: the JVM compiles, and caches fill. What leaks takes
 * some every time. Returns what was held after each half.
 */
private fun soak(count: Int): List<Held> = opened(SOAKED) { stack, type ->
    val seen = mutableListOf<Held>()
    var size = 1
    while (seen.size < 2 || (seen.size < 2 * ROUNDS && !seen[seen.size - 1].isFlatAfter(seen[seen.size - 2]))) {
        val first = type.calls.get()
        while (type.calls.get() - first < count / 2) {
            size++
            repeat(7) { stack.plan(template(size, SOAKED)) }
            // A read and an update of each object.
            stack.apply(template(size, SOAKED), how = ApplyOptions(parallelism = 64)).result()
        }
        seen += held()
    }
    seen
}

private fun isFlat(seen: List<Held>) = seen.last().isFlatAfter(seen[seen.size - 2])

/** Returns the time of one call in µs, with so many in flight. */
private fun cost(parallelism: Int, count: Int): Double = opened(OBJECTS) { stack, _ ->
    suspend fun plan(refresh: Boolean): Double {
        val began = System.nanoTime()
        stack.plan(template(1), PlanOptions(refresh = refresh, parallelism = parallelism))
        return (System.nanoTime() - began) / 1000.0
    }
    plan(true)
    val rounds = maxOf(1, count / OBJECTS)
    val alone = (1..minOf(rounds, 10)).minOf { plan(false) }
    val times = (1..rounds).map { plan(true) - alone }.sorted()
    times[times.size / 2] / OBJECTS
}

class SoakTest {
    @Test
    @EnabledOnOs(OS.LINUX)
    fun `memory stays flat`() {
        val seen = soak(5000)
        assertTrue(isFlat(seen), seen.joinToString("\n"))
    }

    @Test
    fun `what a call costs can be measured`() {
        // How much it is depends on the machine: `make soak` prints it.
        assertTrue(cost(16, 1000).isFinite())
    }
}

fun main(arguments: Array<String>) {
    val count = arguments.first().toInt()
    println("%-12s".format("kotlin") + listOf(1, 16, 256).joinToString("") { "%12.0f".format(cost(it, count / 10)) })
    val seen = soak(count)
    println("%-12s".format("kotlin") + "memory after ${count / 2} calls each: ${seen.joinToString("; ")}")
    check(isFlat(seen)) { "memory grows" }
}
