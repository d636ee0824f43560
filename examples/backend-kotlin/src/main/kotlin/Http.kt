// As little of a web server as two services need, on what the JDK has.

import com.sun.net.httpserver.HttpExchange
import com.sun.net.httpserver.HttpServer
import java.net.InetAddress
import java.net.InetSocketAddress
import java.util.concurrent.Executors

/** Serves on the loopback interface until it is closed. */
class Served(port: Int, answer: (HttpExchange) -> Unit) : AutoCloseable {
    private val executor = Executors.newCachedThreadPool { Thread(it, "http").apply { isDaemon = true } }
    private val server = HttpServer.create(InetSocketAddress(InetAddress.getLoopbackAddress(), port), 0)
    val address: String

    init {
        server.executor = executor
        server.createContext("/") { exchange -> exchange.use(answer) }
        server.start()
        address = "http://${server.address.address.hostAddress}:${server.address.port}"
    }

    override fun close() {
        server.stop(0)
        executor.shutdownNow()
    }
}

private fun HttpExchange.use(answer: (HttpExchange) -> Unit) =
    try {
        answer(this)
    } finally {
        close()
    }

fun HttpExchange.say(status: Int, text: String = "", type: String = "text/plain; charset=utf-8") {
    val bytes = text.toByteArray()
    responseHeaders["Content-Type"] = type
    sendResponseHeaders(status, if (bytes.isEmpty()) -1 else bytes.size.toLong())
    if (bytes.isNotEmpty()) responseBody.write(bytes)
}
