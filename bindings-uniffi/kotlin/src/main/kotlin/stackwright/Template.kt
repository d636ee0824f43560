package stackwright

import java.nio.file.Files
import java.nio.file.Path

/** Something that is only known when the template is evaluated. `vpc["id"]` is an expression too, as is `"${vpc["id"]}-x"`. */
class Expression internal constructor(private val text: String) {
    /** An attribute; `*` is that of every instance. */
    operator fun get(name: String) =
        Expression(if (name == "*") "$text[*]" else if (NAME.matches(name)) "$text.$name" else "$text[${json(name)}]")

    /** An item. */
    operator fun get(index: Int) = Expression("$text[$index]")

    override fun toString() = "\${$text}"

    companion object {
        private val NAME = Regex("[A-Za-z_][A-Za-z0-9_-]*")

        /** Returns an expression from its text, such as `upper(var.name)`. */
        @JvmStatic fun of(text: String) = Expression(text)
    }
}

/** What is wanted. Texts in plain data are templates themselves. */
class Template private constructor(private val files: Map<String, String>, private val folder: Path?) {
    private val data = LinkedHashMap<String, MutableMap<String, Any?>>()

    /** A template without blocks, to which they are added. */
    constructor() : this(emptyMap(), null)

    /** Adds a resource, and returns what refers to it. */
    fun resource(type: String, name: String, properties: Map<String, Any?> = emptyMap()): Expression {
        nested("resource", type)[name] = properties
        return Expression("$type.$name")
    }

    /** Adds a data source, and returns what refers to it. */
    fun data(type: String, name: String, properties: Map<String, Any?> = emptyMap()): Expression {
        nested("data", type)[name] = properties
        return Expression("data.$type.$name")
    }

    /** Adds a variable (`type`, `default`, `description`, `sensitive`), and returns what refers to it. */
    fun variable(name: String, properties: Map<String, Any?> = emptyMap()): Expression {
        nested("variable")[name] = properties
        return Expression("var.$name")
    }

    /** Adds a local value, and returns what refers to it. */
    fun local(name: String, value: Any?): Expression {
        nested("locals")[name] = value
        return Expression("local.$name")
    }

    /** Adds an output. */
    fun output(name: String, value: Any?, sensitive: Boolean = false) {
        nested("output")[name] = if (sensitive) mapOf("value" to value, "sensitive" to true) else mapOf("value" to value)
    }

    @Suppress("UNCHECKED_CAST")
    private fun nested(vararg path: String): MutableMap<String, Any?> =
        path.drop(1).fold(data.getOrPut(path.first()) { LinkedHashMap() }) { at, name -> at.getOrPut(name) { LinkedHashMap<String, Any?>() } as MutableMap<String, Any?> }

    internal fun query(): Map<String, Any?> {
        val built = if (data.isEmpty()) emptyMap() else mapOf("built.tf.json" to json(data).toString())
        return mapOf("files" to files + built) + if (folder == null) emptyMap() else mapOf("folder" to folder.toString())
    }

    override fun toString(): String = json(data).toString()

    companion object {
        /** Returns the template of a folder with `.tf`, `.tf.json` or YAML files, or of a single file. */
        @JvmStatic
        fun fromPath(place: Path) =
            if (Files.isRegularFile(place)) Template(mapOf(place.fileName.toString() to Files.readString(place)), null) else Template(emptyMap(), place)

        /** Returns the template of a text; the name says how it is written (`main.tf`, `main.tf.json`, `main.yaml`). */
        @JvmStatic @JvmOverloads fun fromText(text: String, name: String = "main.tf") = Template(mapOf(name to text), null)

        /** Returns the template of texts by name; those in folders are modules: `net/main.tf`. */
        @JvmStatic fun fromFiles(files: Map<String, String>) = Template(files.toMap(), null)

        /** Returns the template of plain data in the shape of Terraform's JSON. */
        @JvmStatic fun fromMap(data: Map<String, Any?>) = Template(mapOf("main.tf.json" to json(data).toString()), null)
    }
}

/** Returns a text in which `${` and `%{` mean themselves. */
fun literal(text: String): String = text.replace(Regex("[$%](?=\\{)")) { it.value + it.value }

