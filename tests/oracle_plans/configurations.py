"""Makes stories about values: variables, locals, modules in modules, conditions, checks, outputs. See expressions.py.

`dynamic` blocks are not among them: `terraform_data` has no blocks of its own, and those of `lifecycle` cannot be dynamic.
"""

import json
import random
import re

from expressions import KEYS, Entry, Expr, Writer

KNOB = re.compile("\x01(\\d+)\x02")
ALPHABET = "abcdefghijklmnopqrstuvwxyz"


def spelled(kind):
    """A kind as a type constraint."""
    if isinstance(kind, str):
        return kind
    what, inner = kind
    if what == "object":
        return "object({ " + ", ".join(f"{name} = {spelled(part)}" for name, part in inner.items()) + " })"
    return f"{what}({spelled(inner)})"


class Values:
    """One story: `versions` are files by path, one dictionary for each version. Both have the same blocks with other values."""

    broken = False

    def __init__(self, number, name="values"):
        self.rng = random.Random(f"{name}-{number}")
        self.prefix = f"s{number}"
        self.names = 0
        self.knobs = []
        self.writer = Writer(self.rng, self.knob, self.prefix)
        self.root = []  # texts of blocks, with knobs in them
        self.inside = []  # texts of the called module, if there is one
        self.deeper = []  # texts of the module that the called module calls
        self.given = {}  # values of variables
        self.env = []
        self.tell()

    def fresh(self):
        self.names += 1
        return f"{self.prefix}_{ALPHABET[self.names % 26]}{self.names}"

    def maybe(self, chance):
        return self.rng.random() < chance

    def knob(self, choices):
        """A place that may differ between the versions."""
        first = self.rng.choice(choices)
        if self.maybe(0.7):
            return first
        self.knobs.append((first, self.rng.choice(choices)))
        return f"\x01{len(self.knobs) - 1}\x02"

    def make(self, kind, env, plain=False, depth=3):
        return self.writer.make(kind, env, depth, plain)

    def referring(self, env):
        """A condition that refers to something, as it must."""
        condition = self.make("bool", env)
        if env and not re.search(r"\b(var|local|terraform_data|module)\.", condition.text):
            return Expr(f"({condition} && can({self.rng.choice(env)}))", condition)
        return condition

    def tell(self):
        rng = self.rng
        for _ in range(rng.randrange(1, 5)):
            self.root.append(self.variable(self.env, given=True))
        self.locals(self.root, self.env)
        for _ in range(rng.randrange(1, 4)):
            self.root.append(self.resource(self.env))
        if self.maybe(0.5):
            self.module(self.root, self.inside, self.env, f"./{self.prefix}_mod", lambda texts, env: self.maybe(0.4) and self.module(
                texts, self.deeper, env, "./deeper", lambda *_: None))
        if self.maybe(0.5):
            self.root.append(self.resource(self.env))
        if self.maybe(0.4):
            self.locals(self.root, self.env)
        if self.maybe(0.3):
            self.root.append(self.check(self.env))
        for _ in range(rng.randrange(1, 5)):
            self.root.append(self.output(self.env, top=True)[0])
        as_json = self.maybe(0.15)
        self.versions = [self.files(version, as_json) for version in range(2)]

    # Blocks. Each adds to `env` what it can be referred to by.

    def variable(self, env, given):
        name, roll = self.fresh(), self.rng.random()
        kind = self.writer.kind()
        lines, entries = [], []
        secret = self.maybe(0.15)
        ref = f"var.{name}"
        value = self.writer.literal(kind)
        if roll < 0.2:
            # An object with attributes that need not be given.
            inner = self.writer.kind(1)
            constraint = f'object({{ must = {spelled(inner)}, may = optional(number), or = optional(list(string), ["d", "e"]), in = optional(object({{ x = optional(bool, true) }}), {{}}) }})'
            more = self.rng.choice(["", ", may = 3", ', or = ["o"]', ", may = null, or = null", ', extra = "dropped"', ", in = { x = false }"])
            value = f"{{ must = {self.writer.literal(inner)}{more} }}"
            parts = [("must", inner), ("or", ("list", "string")), ("in.x", "bool")]
            entries = [(f"{ref}.{part}", part_kind) for part, part_kind in parts]
            entries.append((f"coalesce({ref}.may, 7)", "number"))
        elif roll < 0.3:
            constraint = self.rng.choice([None, "any"])
            entries = [(ref, kind)]
            if constraint is None and isinstance(kind, str):
                entries = [(f"tostring({ref})", "string")]
            if isinstance(kind, tuple):
                entries = []
                inner = kind[1] if kind[0] in ("list", "map", "set") else None
                if kind[0] in ("list", "set") and inner:
                    entries = [(f"[for one in {ref} : one]", ("list", inner)), (f"length({ref})", "number")]
        elif roll < 0.38:
            kind = ("tuple",)
            constraint, value = "tuple([string, number, bool])", '["t", "4", true]'
            entries = [(f"{ref}[0]", "string"), (f"{ref}[1]", "number"), (f"{ref}[2]", "bool")]
        elif roll < 0.46:
            # Converted on the way in.
            constraint, value, kind = self.rng.choice([
                ("number", '"42"', "number"), ("string", "12.0", "string"), ("bool", '"true"', "bool"),
                ("set(string)", '["b", "a", "b"]', ("set", "string")), ("list(string)", "[1, true, \"c\"]", ("list", "string")),
                ("map(string)", "{ k = 1, l = true }", ("map", "string")), ("list(number)", '["3", 4]', ("list", "number")),
                ("map(any)", "{ k = 1, l = 2 }", ("map", "number")), ("list(any)", '[1, "b"]', ("list", "string")),
            ])
            entries = [(ref, kind)]
        else:
            constraint = spelled(kind)
            entries = [(ref, kind)]
            if isinstance(kind, tuple) and kind[0] == "object":
                entries += [(f"{ref}.{part}", part_kind) for part, part_kind in kind[1].items()]
        if constraint:
            lines.append(f"  type = {constraint}")
        if secret:
            lines.append("  sensitive = true")
        if self.maybe(0.2):
            lines.append("  nullable = false")
        if self.maybe(0.2):
            lines.append('  description = "What it is."')
        has_default = self.maybe(0.7)
        if has_default:
            lines.append(f"  default = {value}")
        elif not given:
            lines.append(f"  default = {value}")
        if self.maybe(0.3):
            condition = self.rng.choice([f"{ref} != null", f"can(jsonencode({ref}))", f'length(jsonencode({ref})) > 0 || local.{self.prefix}_one == 2'])
            if not given or "local" not in condition:
                condition = f"{ref} != null" if "local" in condition else condition
            lines.append(f'  validation {{\n    condition     = {condition}\n    error_message = "wrong ${{path.module}}"\n  }}')
        if given and (not has_default or self.maybe(0.4)):
            self.given[name] = value
        env += [Entry(text, entry_kind, secret=secret) for text, entry_kind in entries]
        return f'variable "{name}" {{\n' + "\n".join(lines) + "\n}\n"

    def locals(self, texts, env):
        lines = []
        for _ in range(self.rng.randrange(1, 5)):
            name, kind = self.fresh(), self.writer.kind()
            made = self.make(kind, env)
            lines.append(f"  {name} = {made}")
            # What an expression comes to may be of a kind that is only convertible: a tuple for a list.
            text = f"local.{name}"
            if isinstance(kind, tuple) and kind[0] in ("list", "map"):
                text = f"to{kind[0]}({text})" if self.maybe(0.7) else f"{kind[0]}" and text
            env.append(Entry(text, kind, unknown=made.unknown, secret=made.secret, made_up=made.made_up))
        texts.append("locals {\n" + "\n".join(lines) + "\n}\n")

    def repetition(self, env):
        """How often a block is there: lines, and what is known of its keys."""
        roll = self.rng.random()
        if roll < 0.5:
            return [], None
        if roll < 0.62:
            return [f"  count = {self.knob(['1', '2', '3'])}"], 1
        if roll < 0.7:
            one = self.make("number", env, plain=True, depth=1)
            return [f"  count = min(abs(floor({one})), 2)"], 0
        if roll < 0.8:
            names = sorted(self.rng.sample(KEYS, 2))
            inner = ", ".join(f'"{name}"' for name in names)
            return [f"  for_each = toset([{inner}])"], names
        if roll < 0.9:
            values = {name: self.make("string", env, depth=1) for name in sorted(self.rng.sample(KEYS, 2))}
            return ["  for_each = { " + ", ".join(f"{name} = {value}" for name, value in values.items()) + " }"], (
                list(values), Expr("", *values.values()))
        items = self.make(("map", "string"), env, plain=True, depth=2)
        return [f"  for_each = {items}"], []

    def within(self, keys):
        """What can be referred to in a block that is there several times."""
        if keys is None:
            return []
        if isinstance(keys, int):
            return [Entry("count.index", "number")] * 3
        flags = {}
        if isinstance(keys, tuple):
            flags = dict(unknown=keys[1].unknown, secret=keys[1].secret, made_up=keys[1].made_up)
        return [Entry("each.key", "string")] * 2 + [Entry("each.value", "string", **flags)] * 2

    def reached(self, name, keys, part, kind, **flags):
        """How a part of a block is reached from outside, given how often the block is there."""
        if keys is None:
            return [Entry(f"{name}.{part}", kind, **flags)]
        known = dict(secret=False, unknown=False, made_up=False)
        if isinstance(keys, int):
            found = [Entry(f"length({name})", "number", **known), Entry(f"{name}[*].{part}", ("list", kind), **flags),
                     Entry(f"[for one in {name} : one.{part}]", ("list", kind), **flags)]
            return found + ([Entry(f"{name}[0].{part}", kind, **flags)] * 2 if keys else [])
        names = keys[0] if isinstance(keys, tuple) else keys
        found = [Entry(f"{{ for key, one in {name} : key => one.{part} }}", ("map", kind), **flags),
                 Entry(f"sort(keys({name}))", ("list", "string"), **known),
                 Entry(f"values({name})[*].{part}", ("list", kind), **flags)]
        return found + [Entry(f'{name}["{key}"].{part}', kind, **flags) for key in names]

    def resource(self, env):
        name = self.fresh()
        lines, keys = self.repetition(env)
        inner_env = env + self.within(keys)
        kind = self.writer.kind()
        flags = dict(unknown=False, secret=False, made_up=False)
        if self.maybe(0.9):
            value = self.make(kind, inner_env)
            lines.append(f"  input = {value}")
            flags = dict(unknown=value.unknown, secret=value.secret, made_up=value.made_up)
        else:
            kind = None
        if self.maybe(0.25):
            lines.append(f"  triggers_replace = {self.make(self.writer.kind(), inner_env)}")
        inner = []
        if self.maybe(0.25):
            condition = self.referring(inner_env)
            message = self.make("string", [one for one in inner_env if not one.secret], plain=True)
            # It must hold, and may be one that nobody knows yet.
            inner.append(f"    precondition {{\n      condition     = {condition} || true\n      error_message = {message}\n    }}")
        if self.maybe(0.25):
            condition = self.rng.choice(['self.id != ""', "self.output == self.input", 'length(self.id) >= 2 && can(self.triggers_replace)'])
            inner.append(f'    postcondition {{\n      condition     = {condition}\n      error_message = "not ${{self.id}}"\n    }}')
        if self.maybe(0.12):
            inner.append("    create_before_destroy = true")
        if self.maybe(0.08):
            inner.append(f"    ignore_changes = {self.rng.choice(['[input]', 'all', '[triggers_replace, input]'])}")
        if inner:
            lines += ["  lifecycle {", *inner, "  }"]
        if self.maybe(0.1):
            others = [one.text for one in env if re.fullmatch(r"terraform_data\.\w+\.id", one.text)]
            if others:
                lines.append(f"  depends_on = [{self.rng.choice(others).removesuffix('.id')}]")
        address = f"terraform_data.{name}"
        env += self.reached(address, keys, "id", "string", unknown=True, made_up=True)
        if kind:
            env += self.reached(address, keys, "input", kind, **flags)
            if not flags["secret"]:
                # `output` is as secret as `input` here and not in Terraform; docs/design/language.md says why.
                env += self.reached(address, keys, "output", kind, **{**flags, "unknown": True})
        return f'resource "terraform_data" "{name}" {{\n' + "\n".join(lines) + "\n}\n"

    def module(self, texts, inside, env, source, more):
        """A call of a module, and the module."""
        name = self.fresh()
        lines, keys = self.repetition(env)
        outer_env = env + self.within(keys)
        lines.insert(0, f'  source = "{source}"')
        inner_env = []
        for _ in range(self.rng.randrange(1, 4)):
            variable, kind = self.fresh(), self.writer.kind(1)
            value = self.make(kind, outer_env)
            lines.append(f"  {variable} = {value}")
            constraint = self.rng.choice([f"  type = {spelled(kind)}\n"] * 3 + ["  type = any\n"])
            nullable = "  nullable = false\n" if self.maybe(0.2) else ""
            secret = self.maybe(0.1)
            marked = "  sensitive = true\n" if secret else ""
            validation = (f'  validation {{\n    condition     = var.{variable} != null\n    error_message = "null"\n  }}\n'
                          if self.maybe(0.2) else "")
            inside.append(f'variable "{variable}" {{\n{constraint}{nullable}{marked}{validation}}}\n')
            if "any" in constraint and isinstance(kind, tuple):
                continue
            inner_env.append(Entry(f"var.{variable}", kind, unknown=value.unknown, secret=secret or value.secret, made_up=value.made_up))
        if self.maybe(0.4):
            inside.append(self.variable(inner_env, given=False))
        if self.maybe(0.5):
            self.locals(inside, inner_env)
        inside.append(self.resource(inner_env))
        more(inside, inner_env)
        for _ in range(self.rng.randrange(1, 4)):
            text, output, kind, flags = self.output(inner_env, top=False)
            inside.append(text)
            env += self.reached(f"module.{name}", keys, output, kind, **flags)
        texts.append(f'module "{name}" {{\n' + "\n".join(lines) + "\n}\n")

    def output(self, env, top):
        name, kind = self.fresh(), self.writer.kind()
        value = self.make(kind, env)
        declared = (top and value.secret) or self.maybe(0.08)
        if declared and not top:
            # Outside of the root, Terraform forgets what is only declared to be secret.
            value = Expr(f"sensitive({value})", value, secret=True)
        lines = [f"  value = {value}"]
        if declared:
            lines.append("  sensitive = true")
        if self.maybe(0.15):
            condition = self.referring(env)
            lines.append(f'  precondition {{\n    condition     = {condition} || true\n    error_message = "no"\n  }}')
        if self.maybe(0.1):
            lines.append('  description = "It."')
        flags = dict(unknown=value.unknown, secret=value.secret or declared, made_up=value.made_up)
        return f'output "{name}" {{\n' + "\n".join(lines) + "\n}\n", name, kind, flags

    def check(self, env):
        name = self.fresh()
        asserts = []
        for _ in range(self.rng.randrange(1, 3)):
            condition = self.referring(env)
            message = self.make("string", [one for one in env if not one.secret], plain=True)
            asserts.append(f"  assert {{\n    condition     = {condition}\n    error_message = {message}\n  }}\n")
        return f'check "{name}" {{\n' + "".join(asserts) + "}\n"

    # Files.

    def set(self, text, version):
        """A text with the values of a version."""
        while KNOB.search(text):
            text = KNOB.sub(lambda found: self.knobs[int(found.group(1))][version], text)
        return text

    def files(self, version, as_json):
        files = {f"{self.prefix}.txt": "text of a file\n", f"{self.prefix}.tftpl": TEMPLATE}
        main = "".join(self.root)
        files[f"{self.prefix}.tf"] = f"locals {{\n  {self.prefix}_one = 1\n}}\n" + self.set(main, version)
        if as_json:
            files[f"{self.prefix}_j.tf.json"] = self.set(self.written_as_json(), version)
        given = "".join(f"{name} = {self.set(value, version)}\n" for name, value in self.given.items())
        if given:
            files[f"{self.prefix}.auto.tfvars"] = given
        for folder, texts in ((f"{self.prefix}_mod", self.inside), (f"{self.prefix}_mod/deeper", self.deeper)):
            if texts:
                files[f"{folder}/main.tf"] = self.set("".join(texts), version)
                files[f"{folder}/{self.prefix}.txt"] = "text of a module\n"
                files[f"{folder}/{self.prefix}.tftpl"] = TEMPLATE
        return files

    def written_as_json(self):
        """Two outputs more, written as JSON."""
        outputs = {}
        for number in range(2):
            value = self.make(self.writer.kind(), [one for one in self.env if not one.secret])
            outputs[f"{self.prefix}_j{number}"] = {"value": f"${{{value}}}" if self.maybe(0.7) else {"in": [f"${{{value}}}", 1, None]}, "sensitive": True}
        # Knobs are spelled as JSON text spells them.
        text = json.dumps({"output": outputs}, ensure_ascii=False)
        return re.sub(r"\\u0001(\d+)\\u0002", lambda found: self.json_knob(int(found.group(1))), text)

    def json_knob(self, number):
        first, second = self.knobs[number]
        self.knobs.append(tuple(json.dumps(text, ensure_ascii=False)[1:-1] for text in (first, second)))
        return f"\x01{len(self.knobs) - 1}\x02"


TEMPLATE = "%{ for name in names ~}\n- ${name}\n%{ endfor ~}\none: ${upper(one) == upper(one) ? \"is\" : one}\n"
