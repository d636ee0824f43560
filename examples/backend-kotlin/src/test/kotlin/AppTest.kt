import java.net.URI
import java.net.http.HttpClient
import java.net.http.HttpRequest
import java.net.http.HttpRequest.BodyPublishers
import java.net.http.HttpResponse.BodyHandlers
import java.nio.file.Files
import kotlin.test.Test
import kotlin.test.assertContains
import kotlin.test.assertEquals
import kotlinx.coroutines.runBlocking
import stackwright.Engine
import stackwright.EngineOptions
import stackwright.conform

private const val TWO_PAGES =
    """
    resource "site_page" "index" {
      name = "index"
      text = "<a href=site_page.about.url>about</a>"
    }
    resource "site_page" "about" {
      name = "about"
      text = "we are at ${'$'}{site_page.index.url}"
    }
    """

class AppTest {
    private val client = HttpClient.newHttpClient()

    private fun asked(method: String, address: String, body: String = ""): Pair<Int, String> {
        val request = HttpRequest.newBuilder(URI(address)).method(method, BodyPublishers.ofString(body)).build()
        val answer = client.send(request, BodyHandlers.ofString())
        return answer.statusCode() to answer.body()
    }

    private fun served(body: (PageServer, App) -> Unit) = runBlocking {
        val folder = Files.createTempDirectory("backend")
        PageServer().use { pages ->
            Engine.open(EngineOptions("$folder/state.db", listOf(PageType(pages.address)))).use { engine -> App(engine).use { app -> body(pages, app) } }
        }
        folder.toFile().deleteRecursively()
        Unit
    }

    private fun run(app: App, method: String, body: String = ""): String {
        val (status, said) = asked(method, "${app.address}/stacks/shop", body)
        assertEquals(202, status, said)
        val id = said.substringAfter(":\"").substringBefore("\"")
        return asked("GET", "${app.address}/runs/$id").second
    }

    @Test
    fun `a template is installed, followed and removed`() = served { pages, app ->
        val said = run(app, "POST", TWO_PAGES)
        assertContains(said, "event: step_finished\ndata: {\"address\":\"site_page.about\"}")
        assertContains(said, "event: report\ndata: {\"status\":\"succeeded\"}")
        assertEquals(200 to "we are at ${pages.address}/index", asked("GET", "${pages.address}/about"))
        assertContains(asked("GET", "${app.address}/stacks/shop").second, "{\"address\":\"site_page.index\",\"id\":\"index\"}")
        run(app, "DELETE")
        assertEquals(emptySet<String>(), pages.names)
    }

    @Test
    fun `mistakes are told with their place`() = served { pages, app ->
        val (status, said) = asked("POST", "${app.address}/stacks/shop", "resource \"site_page\" \"a\" {\n  name = \"No Way\"\n  text = \"\"\n}\n")
        assertEquals(400, status)
        assertContains(said, "a page is called by small letters")
        asked("PUT", "${pages.address}/index", "somebody else's")
        assertContains(run(app, "POST", TWO_PAGES), "there is a page `index` already")
    }

    @Test
    fun `the type conforms`() = runBlocking {
        PageServer().use { pages ->
            val page = mapOf("name" to "p-{n}", "text" to "one")
            conform(PageType(pages.address), page, page + ("text" to "two"))
            assertEquals(emptySet<String>(), pages.names)
        }
    }
}
