// A backend that installs things for people: templates come in over HTTP, progress goes out as server-sent events.

import com.sun.net.httpserver.HttpExchange
import java.util.concurrent.ConcurrentHashMap
import kotlinx.coroutines.runBlocking
import kotlinx.serialization.json.JsonPrimitive
import stackwright.ApplyOptions
import stackwright.Engine
import stackwright.EngineOptions
import stackwright.Run
import stackwright.RunFailedException
import stackwright.StackwrightException
import stackwright.Template

private fun quoted(text: String?) = JsonPrimitive(text.orEmpty()).toString()

/** Serves an engine. The stacks are those of one tenant. */
class App(private val engine: Engine, port: Int = 0) : AutoCloseable {
    private val runs = ConcurrentHashMap<String, Run>()
    private val served = Served(port) { exchange -> answer(exchange) }
    val address get() = served.address

    private fun answer(exchange: HttpExchange) {
        val path = exchange.requestURI.path.trim('/').split('/')
        try {
            when (exchange.requestMethod to path.first()) {
                "POST" to "stacks" -> begin(exchange, path[1], Template.fromText(exchange.requestBody.readAllBytes().decodeToString()))
                "DELETE" to "stacks" -> begin(exchange, path[1], null)
                "GET" to "stacks" -> state(exchange, path[1])
                "GET" to "runs" -> follow(exchange, runs[path[1]] ?: return exchange.say(404))
                else -> exchange.say(404)
            }
        } catch (error: StackwrightException) {
            val status = if (error.diagnostics.isEmpty()) 409 else 400
            exchange.say(status, """{"code":${quoted(error.code)},"message":${quoted(error.message)}}""", "application/json")
        }
    }

    /** Plans and begins; whoever wants to know how it goes follows the run. */
    private fun begin(exchange: HttpExchange, name: String, template: Template?) = runBlocking {
        val stack = engine.stack("site/$name")
        val run = if (template == null) stack.destroy() else stack.apply(template, how = ApplyOptions(who = exchange.remoteAddress.toString()))
        runs[run.id] = run
        exchange.say(202, """{"run":${quoted(run.id)}}""", "application/json")
    }

    private fun state(exchange: HttpExchange, name: String) = runBlocking {
        val rows = engine.stack("site/$name").state().rows.map { """{"address":${quoted(it.address)},"id":${quoted(it.id)}}""" }
        exchange.say(200, "[${rows.joinToString(",")}]", "application/json")
    }

    private fun follow(exchange: HttpExchange, run: Run) = runBlocking {
        exchange.responseHeaders["Content-Type"] = "text/event-stream"
        exchange.sendResponseHeaders(200, 0)
        val out = exchange.responseBody
        suspend fun send(name: String, data: String) {
            out.write("event: $name\ndata: $data\n\n".toByteArray())
            out.flush()
        }
        run.events.collect { event -> send(event.type, """{"address":${quoted(event.address)}}""") }
        try {
            run.result()
            send("report", """{"status":"succeeded"}""")
        } catch (error: RunFailedException) {
            send("report", """{"status":${quoted(error.report.status)},"message":${quoted(error.message)}}""")
        }
    }

    override fun close() = served.close()
}

fun main(): Unit = runBlocking {
    val pages = PageServer()
    val engine = Engine.open(EngineOptions("sqlite:///backend.db", listOf(PageType(pages.address))))
    val app = App(engine, 8080)
    println("POST a template to ${app.address}/stacks/shop; pages are at ${pages.address}")
    Runtime.getRuntime().addShutdownHook(Thread { engine.close() })
    Thread.currentThread().join()
}
