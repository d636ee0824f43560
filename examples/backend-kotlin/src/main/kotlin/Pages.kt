// A service that keeps pages, and a resource type that uses it over HTTP as any client would.

import java.net.URI
import java.net.http.HttpClient
import java.net.http.HttpRequest
import java.net.http.HttpRequest.BodyPublishers
import java.net.http.HttpResponse
import java.net.http.HttpResponse.BodyHandlers
import java.util.concurrent.ConcurrentHashMap
import kotlinx.coroutines.future.await
import stackwright.Context
import stackwright.Existing
import stackwright.ForceNew
import stackwright.Kind
import stackwright.Lost
import stackwright.Recovery
import stackwright.Resource
import stackwright.Retry
import stackwright.Seen
import stackwright.StackwrightException

/** Keeps pages by name. Whoever makes one says under which key; another key does not get at it. */
class PageServer(port: Int = 0) : AutoCloseable {
    private class Page(val key: String, val text: String)

    private val pages = ConcurrentHashMap<String, Page>()
    private val served =
        Served(port) { exchange ->
            val name = exchange.requestURI.path.removePrefix("/")
            val key = exchange.requestHeaders.getFirst("Idempotency-Key").orEmpty()
            val page = pages[name]
            when (exchange.requestMethod) {
                "PUT" -> {
                    val text = exchange.requestBody.readAllBytes().decodeToString()
                    val kept = pages.compute(name) { _, there -> if (there == null || there.key == key) Page(key, text) else there }
                    if (kept?.key == key) exchange.say(200, text) else exchange.say(409, "another page is there")
                }
                "GET" -> if (page == null) exchange.say(404) else exchange.also { it.responseHeaders["Idempotency-Key"] = page.key }.say(200, page.text, "text/html")
                "DELETE" -> exchange.say(if (pages.remove(name) == null) 404 else 204)
                else -> exchange.say(405)
            }
        }

    val address get() = served.address
    val names get() = pages.keys.toSortedSet()

    override fun close() = served.close()
}

data class PageInputs(@ForceNew val name: String, val text: String) {
    init {
        require(Regex("[a-z0-9-]+").matches(name)) { "a page is called by small letters, digits and dashes" }
    }
}

data class PageOutputs(val id: String, val url: String)

/** Pages of a [PageServer] at an address. */
class PageType(private val server: String) : Resource<PageInputs, PageOutputs>("site_page") {
    private val client = HttpClient.newHttpClient()

    private fun outputs(name: String) = PageOutputs(name, "$server/$name")

    private suspend fun asked(name: String, key: String = "", method: (HttpRequest.Builder) -> HttpRequest.Builder): HttpResponse<String> {
        val request = method(HttpRequest.newBuilder(URI("$server/$name"))).header("Idempotency-Key", key).build()
        return client.sendAsync(request, BodyHandlers.ofString()).await()
    }

    private suspend fun put(key: String, want: PageInputs) {
        val answer = asked(want.name, key) { it.PUT(BodyPublishers.ofString(want.text)) }
        if (answer.statusCode() == 409) throw StackwrightException("there is a page `${want.name}` already", "page.taken", Kind.AlreadyExists)
        if (answer.statusCode() != 200) throw StackwrightException("the page server says ${answer.statusCode()}", "page.failed", Kind.Unavailable, Retry.WithBackoff)
    }

    override suspend fun create(ctx: Context, want: PageInputs): PageOutputs {
        put(ctx.idempotencyKey, want)
        return outputs(want.name)
    }

    override suspend fun read(ctx: Context, was: Existing<PageInputs, PageOutputs>): Seen<PageInputs, PageOutputs>? {
        val answer = asked(was.id) { it.GET() }
        return if (answer.statusCode() == 404) null else Seen(outputs(was.id), PageInputs(was.id, answer.body()))
    }

    override suspend fun update(ctx: Context, want: PageInputs, was: Existing<PageInputs, PageOutputs>): PageOutputs? {
        put(ctx.idempotencyKey, want)
        return null
    }

    override suspend fun delete(ctx: Context, was: Existing<PageInputs, PageOutputs>) {
        asked(was.id) { it.DELETE() }
    }

    /** The server remembers under which key a page was made. */
    override suspend fun recover(ctx: Context, lost: Lost<PageInputs, PageOutputs>): Recovery<PageInputs, PageOutputs> {
        val name = lost.was?.id ?: lost.want?.name ?: return Recovery.CannotTell("no name was recorded")
        val answer = asked(name) { it.GET() }
        val isOurs = answer.statusCode() == 200 && answer.headers().firstValue("Idempotency-Key").orElse("") == ctx.idempotencyKey
        return if (isOurs) Recovery.Found(outputs(name), PageInputs(name, answer.body())) else Recovery.Absent
    }
}
