// Every snippet of the README runs.

import java.io.ByteArrayOutputStream
import java.io.PrintStream
import kotlin.test.Test
import kotlin.test.assertContains

class ReadmeTest {
    private fun said(number: Int): String {
        val out = ByteArrayOutputStream()
        val before = System.out
        System.setOut(PrintStream(out, true))
        try {
            Class.forName("snippet$number.Snippet${number}Kt").getMethod("main").invoke(null)
        } finally {
            System.setOut(before)
        }
        return out.toString()
    }

    @Test fun `a resource type`() = assertContains(said(1), Regex("run_started[\\s\\S]*https://assets.example\n$"))

    @Test fun `plans, runs, errors`() = assertContains(said(2), "create acme_flaky.a\nrun.failed true\n")

    @Test
    fun `data sources and events`() {
        val lines = said(3).lines()
        assertContains(lines, "a run has ended")
        assertContains(lines, "postgres://192.0.2.10/shop")
    }
}
