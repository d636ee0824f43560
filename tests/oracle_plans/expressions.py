"""Makes expressions of a wanted kind out of what can be referred to. They are meant to succeed.

A kind is "string", "number", "bool", ("list", K), ("set", K), ("map", K) or ("object", {name: K}). With each expression goes
what it may be: not known while planning, a secret, or an id that the engine made up. What is made of ids must not depend on
their letters, since every program makes up others.
"""

SCALARS = ("string", "number", "bool")
WORDS = ['"x"', '"y"', '"zwei"', '"a-b_c"', '"Größe"', '"日本"', '""', '"  pad "', '"10"', '"tab\\tnew\\n"', '"q\\"q"', '"$${no}"']
NUMBERS = ["0", "1", "2", "7", "-3", "1.5", "0.1", "1e3", "12345678901234567890", "2.50"]
KEYS = ["k", "l", "m", "n"]


class Expr:
    """An expression's text, with what is to be known about it."""

    def __init__(self, text, *parts, unknown=False, secret=False, made_up=False):
        self.text = text
        self.unknown = unknown or any(part.unknown for part in parts)
        self.secret = secret or any(part.secret for part in parts)
        self.made_up = made_up or any(part.made_up for part in parts)

    def __str__(self):
        return self.text


class Entry(Expr):
    """Something that can be referred to."""

    def __init__(self, text, kind, **flags):
        super().__init__(text, **flags)
        self.kind = kind


class Writer:
    """Writes expressions with a random source; `knob` makes places that differ between versions."""

    def __init__(self, rng, knob, prefix):
        self.rng = rng
        self.knob = knob
        self.prefix = prefix
        self.names = 0

    def maybe(self, chance):
        return self.rng.random() < chance

    def kind(self, depth=2):
        roll = self.rng.random()
        if depth == 0 or roll < 0.45:
            return self.rng.choice(SCALARS)
        if roll < 0.65:
            return ("list", self.kind(depth - 1))
        if roll < 0.8:
            return ("map", self.kind(depth - 1))
        if roll < 0.86:
            return ("set", self.rng.choice(SCALARS))
        names = self.rng.sample(["a", "b", "c"], self.rng.randrange(1, 4))
        return ("object", {name: self.kind(depth - 1) for name in sorted(names)})

    def literal(self, kind):
        """A constant of a kind."""
        if kind == "string":
            return self.knob(WORDS)
        if kind == "number":
            return self.knob(NUMBERS)
        if kind == "bool":
            return self.knob(["true", "false"])
        what, inner = kind
        if what in ("list", "set"):
            items = ", ".join(self.literal(inner) for _ in range(self.rng.randrange(0, 4)))
            return f"[{items}]"
        if what == "map":
            keys = self.rng.sample(KEYS, self.rng.randrange(0, 3))
            return "{ " + ", ".join(f"{key} = {self.literal(inner)}" for key in keys) + " }"
        return "{ " + ", ".join(f"{name} = {self.literal(part)}" for name, part in inner.items()) + " }"

    def make(self, kind, env, depth=3, plain=False):
        """An expression of a kind. A `plain` one is known, no secret, and holds no ids."""
        fits = [one for one in env if one.kind == kind and not (plain and (one.unknown or one.secret or one.made_up))]
        if fits and self.maybe(0.4 if depth > 1 else 0.7):
            return self.rng.choice(fits)
        if depth <= 0:
            return Expr(self.constant(kind))
        made = self.composed(kind, env, depth - 1, plain)
        return made

    def constant(self, kind):
        text = self.literal(kind)
        if isinstance(kind, tuple) and kind[0] == "set":
            return f"toset({text})" if text != "[]" else f"toset(tolist({text}))"
        return text

    def variable(self):
        self.names += 1
        return f"v{self.names}"

    def composed(self, kind, env, depth, plain):
        def make(other, **more):
            return self.make(other, env, depth, plain, **more)

        if self.maybe(0.16):
            return self.constant_or_wrapped(kind, env, depth, plain)
        if kind == "string":
            return self.string(env, depth, plain, make)
        if kind == "number":
            return self.number(env, depth, plain, make)
        if kind == "bool":
            return self.bool(env, depth, plain, make)
        what, inner = kind
        if what == "list":
            return self.list(inner, env, depth, plain, make)
        if what == "set":
            items = self.without_ids(("list", inner), env, depth, plain)
            one = self.rng.choice(["toset({})", "setunion(toset({}), {})", "setsubtract(toset({}), {})"])
            if one.count("{}") == 1:
                return Expr(one.format(items), items)
            more = self.without_ids(("set", inner), env, depth, plain)
            return Expr(one.format(items, more), items, more)
        if what == "map":
            return self.map(inner, env, depth, plain, make)
        parts = {name: make(part) for name, part in inner.items()}
        text = "{ " + ", ".join(f"{name} = {part}" for name, part in parts.items()) + " }"
        if self.maybe(0.2):
            text = f"merge({text}, {{}})"
        return Expr(text, *parts.values())

    def without_ids(self, kind, env, depth, plain):
        return self.make(kind, [one for one in env if not one.made_up], depth, plain)

    def constant_or_wrapped(self, kind, env, depth, plain):
        """What works for every kind: conditions, `try`, objects and lists looked into, marks."""
        one = self.make(kind, env, depth, plain)
        roll = self.rng.randrange(8)
        if roll == 0:
            condition, other = self.make("bool", env, depth, plain), self.make(kind, env, depth, plain)
            return Expr(f"({condition} ? {one} : {other})", condition, one, other)
        if roll == 1:
            return Expr(f"try({one}, {self.constant(kind)})", one)
        if roll == 2:
            return Expr(f"{{ in = {one} }}.in", one)
        if roll == 3:
            return Expr(f"[{one}][0]", one)
        if roll == 4 and not plain:
            return Expr(f"sensitive({one})", one, secret=True)
        if roll == 5 and not plain:
            return Expr(f"nonsensitive(sensitive({one}))", one)
        if roll == 6:
            condition = self.make("bool", env, depth, plain)
            if kind == "number":
                return Expr(f"coalesce({condition} ? null : {one}, {self.constant(kind)})", condition, one)
            return Expr(f"one([{one}])", one)
        return Expr(self.constant(kind))

    def string(self, env, depth, plain, make):
        roll = self.rng.randrange(20)
        word = self.without_ids("string", env, depth, plain)
        if roll < 5:
            parts = [make(self.rng.choice(SCALARS)) for _ in range(self.rng.randrange(1, 4))]
            return Expr('"' + "-".join(f"${{{part}}}" for part in parts) + '"', *parts)
        if roll == 5:
            condition, items = make("bool"), make(("list", "string"))
            if items.unknown and items.secret:
                # Terraform forgets what is secret about it until it is known.
                items = Expr(self.literal(("list", "string")))
            name = self.variable()
            return Expr(
                f'"%{{ if {condition} }}yes%{{ else }}no%{{ endif }}'
                f'%{{ for {name} in {items} }}<${{{name}}}>%{{ endfor }}"', condition, items)
        if roll == 6:
            function = self.rng.choice(["upper", "lower", "title", "trimspace", "strrev", "chomp", "base64encode", "md5",
                                        "sha1", "sha256", "urlencode", "jsonencode", "basename", "dirname"])
            return Expr(f"{function}({word})", word)
        if roll == 7:
            pattern, fill = self.rng.choice([('"x"', '"ü"'), ('"/[a-c]+/"', '"<$0>"'), ('" "', '""')])
            return Expr(f"replace({word}, {pattern}, {fill})", word)
        if roll == 8:
            return Expr(f"substr({word}, {self.rng.randrange(0, 3)}, {self.rng.choice([-1, 1, 3])})", word)
        if roll == 9:
            text, number = make("string"), make("number")
            return Expr(f'format("%s/%v", {text}, {number})', text, number)
        if roll == 10:
            items = make(("list", "string"))
            return Expr(f'join("{self.rng.choice([",", "", "; "])}", {items})', items)
        if roll == 11:
            one = make(self.kind(1))
            return Expr(f"jsonencode({one})", one)
        if roll == 12:
            one = make(self.rng.choice(SCALARS))
            return Expr(f"tostring({one})", one)
        if roll == 13:
            items = make(("map", "string"))
            return Expr(f'lookup({items}, "{self.rng.choice(KEYS)}", "none")', items)
        if roll == 14:
            one = make("string")
            return Expr(f'coalesce({one}, "none")', one)
        if roll == 15:
            one = self.without_ids(self.kind(1), env, depth, plain)
            return Expr(f"yamlencode({one})", one)
        if roll == 16:
            return Expr(self.rng.choice([
                "path.module", "path.root", "terraform.workspace", f'file("${{path.module}}/{self.prefix}.txt")',
                'cidrsubnet("10.0.0.0/8", 8, 3)', 'formatdate("YYYY-MM", "2024-02-29T12:00:00Z")', 'cidrhost("10.1.0.0/16", 5)',
                'regex("[a-z]+", "12abc")', 'trimprefix("abc", "a")', 'timeadd("2024-02-29T12:00:00Z", "36h")',
                'uuidv5("dns", "example.com")', 'format("%05.1f|%-4s|%x", 3.14159, "ab", 255)', 'indent(2, "a\\nb")',
                'element(["p", "q", "r"], 4)', 'split(".", "a.b")[1]', 'textencodebase64("x", "UTF-16LE")',
            ]))
        if roll == 17:
            names, one = make(("list", "string")), make("string")
            return Expr(f'templatefile("${{path.module}}/{self.prefix}.tftpl", {{ names = {names}, one = {one} }})', names, one)
        if roll == 18 and not plain:
            return Expr(self.rng.choice(["substr(timestamp(), 0, 0)", 'replace(uuid(), "/./", "u")']), unknown=True)
        condition, other = make("bool"), make("string")
        return Expr(f"({condition} ? {word} : {other})", condition, word, other)

    def number(self, env, depth, plain, make):
        roll = self.rng.randrange(14)
        if roll < 4:
            left, right = make("number"), make("number")
            return Expr(f"({left} {self.rng.choice(['+', '-', '*'])} {right})", left, right)
        if roll == 4:
            left = make("number")
            return Expr(f"({left} {self.rng.choice(['/ 4', '% 5', '/ 3'])})", left)
        if roll == 5:
            one = make(self.rng.choice([("list", "string"), ("map", "string"), "string", ("list", "number")]))
            return Expr(f"length({one})", one)
        if roll == 6:
            left, right = make("number"), make("number")
            return Expr(f"{self.rng.choice(['max', 'min'])}({left}, {right}, 3)", left, right)
        if roll == 7:
            one = make("number")
            return Expr(f"{self.rng.choice(['abs', 'ceil', 'floor', '-'])}({one})", one)
        if roll == 8:
            items = make(("list", "number"))
            return Expr(f"sum(concat([0], {items}))", items)
        if roll == 9:
            return Expr(self.rng.choice(['parseint("ff", 16)', 'tonumber("12.5")', "pow(2, 10)", "log(8, 2)",
                                         'index(["a", "b"], "b")', 'length("日本")']))
        if roll == 10:
            items = make(("map", "number"))
            return Expr(f'lookup({items}, "{self.rng.choice(KEYS)}", -1)', items)
        if roll == 11:
            items = make(("list", "number"))
            return Expr(f"element(concat({items}, [9]), {self.rng.randrange(0, 5)})", items)
        if roll == 12 and not plain:
            return Expr(self.rng.choice(["length(timestamp())", "length(uuid())"]), unknown=True)
        condition, one, other = make("bool"), make("number"), make("number")
        return Expr(f"({condition} ? {one} : {other})", condition, one, other)

    def bool(self, env, depth, plain, make):
        roll = self.rng.randrange(10)
        if roll < 2:
            left, right = make("number"), make("number")
            return Expr(f"({left} {self.rng.choice(['<', '<=', '>', '>='])} {right})", left, right)
        if roll < 4:
            kind = self.kind(1)
            left, right = make(kind), make(kind)
            if left.unknown or right.unknown:
                # Whether what differs or what is not known counts, Terraform leaves to chance in maps and objects.
                left, right = make("string"), make("string")
            return Expr(f"({left} {self.rng.choice(['==', '!='])} {right})", left, right)
        if roll < 6:
            left, right = make("bool"), make("bool")
            both = Expr(f"({left} {self.rng.choice(['&&', '||'])} {right})", left, right)
            # Of a result that is not known Terraform forgets that it is secret.
            return left if both.unknown and both.secret else both
        if roll == 6:
            one = make("bool")
            return Expr(f"!{one}", one)
        if roll == 7:
            items, one = make(("list", "string")), make("string")
            return Expr(f"contains({items}, {one})", items, one)
        if roll == 8:
            name, items = self.variable(), make(("list", "string"))
            return Expr(f'{self.rng.choice(["alltrue", "anytrue"])}([for {name} in {items} : {name} != "x"])', items)
        one = make(self.kind(1))
        return Expr(f"can({one})" if self.maybe(0.5) else f"({one} != null)", one)

    def list(self, inner, env, depth, plain, make):
        roll = self.rng.randrange(12)
        kind = ("list", inner)
        if roll < 3:
            items = [make(inner) for _ in range(self.rng.randrange(1, 4))]
            text = "[" + ", ".join(map(str, items)) + "]"
            return Expr(text if self.maybe(0.5) else f"tolist({text})", *items)
        if roll < 6:
            source = self.kind(0)
            items, name = make(("list", source)), self.variable()
            flags = dict(unknown=items.unknown, secret=items.secret, made_up=items.made_up)
            result = self.make(inner, [*env, Entry(name, source, **flags)] * 2, depth, plain)
            if self.maybe(0.3):
                return Expr(f'[for {name} in {items} : {result} if {name} != null]', items, result)
            return Expr(f"[for {name} in {items} : {result}]", items, result)
        if roll == 6:
            left, right = make(kind), make(kind)
            return Expr(f"concat({left}, {right})", left, right)
        if roll == 7:
            items = make(("map", inner))
            return Expr(f"values({items})", items)
        if roll == 8:
            items = self.without_ids(kind, env, depth, plain) if self.maybe(0.5) else None
            if items and inner == "string" and self.maybe(0.6):
                return Expr(f"{self.rng.choice(['sort', 'compact', 'distinct'])}({items})", items)
            items = items or make(kind)
            return Expr(f"reverse({items})", items)
        if roll == 9:
            left, right = make(kind), make(kind)
            return Expr(f"flatten([{left}, [{right}]])", left, right) if inner in SCALARS else Expr(f"concat({left}, {right})", left, right)
        if roll == 10:
            name, items = self.variable(), make(("list", inner))
            return Expr(f"[for {name} in {items} : {{ of = {name} }}][*].of", items)
        condition, one, other = make("bool"), make(kind), make(kind)
        return Expr(f"({condition} ? {one} : {other})", condition, one, other)

    def map(self, inner, env, depth, plain, make):
        roll = self.rng.randrange(8)
        kind = ("map", inner)
        if roll < 2:
            keys = self.rng.sample(KEYS, self.rng.randrange(1, 3))
            parts = [make(inner) for _ in keys]
            text = "{ " + ", ".join(f"{key} = {part}" for key, part in zip(keys, parts)) + " }"
            return Expr(text if self.maybe(0.4) else f"tomap({text})", *parts)
        if roll < 5:
            source = self.kind(0)
            items, key, name = make(("map", source)), self.variable(), self.variable()
            flags = dict(unknown=items.unknown, secret=items.secret, made_up=items.made_up)
            more = [Entry(name, source, **flags), Entry(key, "string", **flags)]
            result = self.make(inner, [*env, *more], depth, plain)
            shape = self.rng.choice(["{key} => {result}", "upper({key}) => {result}", '"${{{key}}}_" => {result}'])
            shaped = shape.format(key=key, result=result)
            rest = f' if {key} != "k"' if self.maybe(0.3) else ""
            return Expr(f"{{ for {key}, {name} in {items} : {shaped}{rest} }}", items, result)
        if roll == 5:
            left, right = make(kind), make(kind)
            return Expr(f"merge({left}, {right})", left, right)
        if roll == 6:
            name, key, items = self.variable(), self.variable(), make(("list", inner))
            return Expr(f'{{ for {key}, {name} in {items} : "n${{{key}}}" => {name} }}', items)
        condition, one, other = make("bool"), make(kind), make(kind)
        return Expr(f"({condition} ? {one} : {other})", condition, one, other)
