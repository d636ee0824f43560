package killed

// Buckets in a cloud that is a folder of files: it survives whoever uses it, and remembers what was done to it.

import java.nio.file.FileAlreadyExistsException
import java.nio.file.Files
import java.nio.file.Path
import java.nio.file.StandardCopyOption.ATOMIC_MOVE
import java.nio.file.StandardOpenOption.APPEND
import java.nio.file.StandardOpenOption.CREATE
import java.util.UUID
import java.util.concurrent.atomic.AtomicInteger
import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.awaitCancellation
import kotlinx.coroutines.delay
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.buildJsonObject
import kotlinx.serialization.json.contentOrNull
import kotlinx.serialization.json.int
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.jsonPrimitive
import stackwright.Context
import stackwright.Existing
import stackwright.ForceNew
import stackwright.Kind
import stackwright.Lost
import stackwright.Partial
import stackwright.Recovery
import stackwright.Resource
import stackwright.Retry
import stackwright.Seen
import stackwright.Sensitive
import stackwright.StackwrightException

/** With 2, a bucket also has a region, which older rows do not know of. */
val VERSION = (System.getenv("BUCKET_SCHEMA") ?: "1").toLong()

data class Inputs(@ForceNew val name: String, val size: Int = 1, val source: String? = null)

data class OutputsOfVersion1(val id: String, val url: String, @Sensitive val token: String)

data class OutputsOfVersion2(val id: String, val url: String, @Sensitive val token: String, val region: String)

data class Bucket(val id: String, val key: String, val want: Inputs)

/** One file per bucket, named by the key that it was made with; and a log of what happened. */
class Cloud(val folder: Path) {
    init {
        for (name in listOf("cloud", "drafts", "faults")) Files.createDirectories(folder.resolve(name))
    }

    @Synchronized
    fun log(vararg words: String) {
        Files.writeString(folder.resolve("log"), words.joinToString(" ") + "\n", CREATE, APPEND)
    }

    fun buckets(): List<Bucket> = Files.list(folder.resolve("cloud")).use { files -> files.sorted().toList().mapNotNull(::read) }

    private fun read(file: Path): Bucket? {
        // Another call may remove it meanwhile.
        val data = runCatching { Json.parseToJsonElement(Files.readString(file)).jsonObject }.getOrNull() ?: return null
        fun text(name: String) = data[name]?.jsonPrimitive?.contentOrNull
        return Bucket(text("id")!!, text("key")!!, Inputs(text("name")!!, data.getValue("size").jsonPrimitive.int, text("source")))
    }

    fun byKey(key: String) = buckets().find { it.key == key }

    fun byId(id: String) = buckets().find { it.id == id }

    private fun place(key: String) = folder.resolve("cloud").resolve("$key.json")

    private fun draft(bucket: Bucket): Path {
        val data = buildJsonObject {
            put("id", JsonPrimitive(bucket.id))
            put("key", JsonPrimitive(bucket.key))
            put("name", JsonPrimitive(bucket.want.name))
            put("size", JsonPrimitive(bucket.want.size))
            put("source", JsonPrimitive(bucket.want.source))
        }
        return Files.writeString(folder.resolve("drafts").resolve(UUID.randomUUID().toString()), data.toString())
    }

    /** Makes a bucket. The same key twice makes one bucket; the id is the cloud's to choose. */
    fun make(key: String, want: Inputs): Bucket {
        val draft = draft(Bucket("b-" + UUID.randomUUID().toString().take(8), key, want))
        try {
            Files.createLink(place(key), draft)
            log("made", want.name, key)
        } catch (_: FileAlreadyExistsException) {
            // It was made before.
        } finally {
            Files.delete(draft)
        }
        return byKey(key)!!
    }

    fun change(bucket: Bucket, want: Inputs): Bucket {
        val changed = bucket.copy(want = want)
        Files.move(draft(changed), place(bucket.key), ATOMIC_MOVE)
        log("changed", bucket.want.name, bucket.key)
        return changed
    }

    fun remove(bucket: Bucket) {
        Files.delete(place(bucket.key))
        log("removed", bucket.want.name, bucket.key)
    }

    /** Whether a fault is to happen: each does once. */
    fun firstTime(name: String): Boolean =
        try {
            Files.createFile(folder.resolve("faults").resolve(name))
            true
        } catch (_: FileAlreadyExistsException) {
            false
        }
}

fun urlOf(name: String) = "https://buckets.example/$name"

/** It has neither `plan` nor `ready`: the engine does without. */
abstract class BucketType<O : Any>(folder: Path) : Resource<Inputs, O>("acme_bucket") {
    val cloud = Cloud(folder)
    val upgraded = AtomicInteger()
    val waiting = CompletableDeferred<Context>()
    private val begun = AtomicInteger()

    // Where the creation with this number stops for ever: `3:before`, `3:made`, `3:noted`, or `3:cancel`.
    private val stopNumber: Int
    private val stopAt: String

    init {
        val (number, point) = (System.getenv("BUCKET_BLOCK") ?: "0:").split(":")
        stopNumber = number.toInt()
        stopAt = point
    }

    override val version = VERSION
    override val description = "A bucket in a cloud that is a folder of files."

    protected abstract fun outputs(bucket: Bucket): O

    private suspend fun maybeStop(number: Int, name: String, point: String) {
        if (number != stopNumber || stopAt != point) return
        cloud.log("stopped", name, point)
        Files.createFile(cloud.folder.resolve("blocked"))
        awaitCancellation()
    }

    override suspend fun validate(ctx: Context, config: Map<String, Any?>) {
        val name = config["name"] as? String ?: return
        if (name != name.lowercase()) throw StackwrightException("buckets are written in small letters", "acme.name", Kind.InvalidInput)
    }

    override suspend fun upgrade(ctx: Context, version: Long, attributes: Map<String, Any?>): Map<String, Any?> {
        upgraded.incrementAndGet()
        return attributes + ("region" to "eu")
    }

    override suspend fun create(ctx: Context, want: Inputs): O {
        val number = begun.incrementAndGet()
        val name = want.name
        cloud.log("create", name, ctx.idempotencyKey)
        delay(20)
        if (stopNumber in 1..<number && stopAt != "cancel") awaitCancellation()
        maybeStop(number, name, "before")
        if (name == "refused" && cloud.firstTime(name)) throw StackwrightException("no more buckets today", "acme.quota", Kind.Denied)
        val bucket = cloud.make(ctx.idempotencyKey, want)
        if (name == "raised" && cloud.firstTime(name)) throw IllegalStateException("what an exception says may be secret")
        if (name == "torn" && cloud.firstTime(name)) {
            throw Partial(outputs(bucket), StackwrightException("the replica is missing", "acme.torn", Kind.Unavailable, Retry.WithBackoff))
        }
        maybeStop(number, name, "made")
        ctx.checkpoint(bucket.id, mapOf("name" to name))
        maybeStop(number, name, "noted")
        if (number == stopNumber && stopAt == "cancel") {
            waiting.complete(ctx)
            check(ctx.cancelled()) { "the call ended before it ended" }
            cloud.log("cancelled", name, ctx.idempotencyKey)
        }
        return outputs(bucket)
    }

    override suspend fun read(ctx: Context, was: Existing<Inputs, O>) = cloud.byId(was.id)?.let { Seen(outputs(it), it.want) }

    override suspend fun update(ctx: Context, want: Inputs, was: Existing<Inputs, O>): O {
        ctx.progress("changing it")
        ctx.checkpoint(was.id)
        val bucket = cloud.byId(was.id) ?: throw StackwrightException("the bucket is gone", "acme.gone", Kind.NotFound)
        return outputs(cloud.change(bucket, want))
    }

    override suspend fun delete(ctx: Context, was: Existing<Inputs, O>) {
        cloud.byId(was.id)?.let(cloud::remove)
    }

    override suspend fun recover(ctx: Context, lost: Lost<Inputs, O>): Recovery<Inputs, O> {
        val id = lost.id
        val (bucket, way) = if (id == null) cloud.byKey(ctx.idempotencyKey) to "key" else cloud.byId(id) to "id"
        val name = (lost.want ?: lost.was?.inputs)!!.name
        cloud.log("recovered", name, "by-$way", if (bucket == null) "absent" else "found")
        return if (bucket == null) Recovery.Absent else Recovery.Found(outputs(bucket))
    }
}

class BucketOfVersion1(folder: Path) : BucketType<OutputsOfVersion1>(folder) {
    override fun outputs(bucket: Bucket) = OutputsOfVersion1(bucket.id, urlOf(bucket.want.name), "hunter2-${bucket.want.name}")
}

class BucketOfVersion2(folder: Path) : BucketType<OutputsOfVersion2>(folder) {
    override fun outputs(bucket: Bucket) = OutputsOfVersion2(bucket.id, urlOf(bucket.want.name), "hunter2-${bucket.want.name}", "eu")
}
