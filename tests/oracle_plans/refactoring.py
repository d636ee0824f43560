"""Makes stories about objects: references, repetition, `lifecycle`, a module, and `moved`, `removed` and `import` blocks."""

import random


class Resource:
    """A `resource` block, as data."""

    def __init__(self, name):
        self.name = name
        self.repeat = None  # None, ("count", n) or ("each", [keys])
        self.input = None  # an expression
        self.triggers = None
        self.first = False  # create_before_destroy
        self.ignore = False
        self.replaced_by = None  # the name of another resource
        self.depends_on = None
        self.checked = False

    def text(self):
        lines = [f'resource "terraform_data" "{self.name}" {{']
        if self.repeat:
            kind, what = self.repeat
            keys = ", ".join(f'"{key}"' for key in what) if kind == "each" else ""
            lines.append(f"  count = {what}" if kind == "count" else f"  for_each = toset([{keys}])")
        if self.input is not None:
            lines.append(f"  input = {self.input}")
        if self.triggers is not None:
            lines.append(f"  triggers_replace = {self.triggers}")
        if self.depends_on:
            lines.append(f"  depends_on = [terraform_data.{self.depends_on}]")
        inner = []
        if self.first:
            inner.append("    create_before_destroy = true")
        if self.ignore:
            inner.append("    ignore_changes = [input]")
        if self.replaced_by:
            inner.append(f"    replace_triggered_by = [terraform_data.{self.replaced_by}]")
        if self.checked:
            inner.append('    postcondition {\n      condition     = self.id != ""\n      error_message = "empty"\n    }')
        if inner:
            lines += ["  lifecycle {", *inner, "  }"]
        return "\n".join([*lines, "}", ""])

    def keys(self):
        """The keys of its instances as they are written behind its name."""
        if not self.repeat:
            return [""]
        kind, what = self.repeat
        return [f"[{at}]" for at in range(what)] if kind == "count" else [f'["{key}"]' for key in what]

    def copy(self, name=None):
        other = Resource(name or self.name)
        other.__dict__.update({key: value for key, value in self.__dict__.items() if key != "name"})
        return other


class Refactoring:
    """One story: `versions` are files by path, one dictionary for each version."""

    broken = False

    def __init__(self, number):
        self.rng = random.Random(f"plans-{number}")
        self.prefix = f"s{number}"
        self.names = 0
        self.versions = []
        self.tell()

    def fresh(self):
        self.names += 1
        return f"{self.prefix}_{'abcdefghijklmnopqrstuvwxyz'[self.names % 26]}{self.names}"

    def maybe(self, chance):
        return self.rng.random() < chance

    def literal(self):
        return self.rng.choice(['"x"', '"y"', "1", "2", "true", '["p", "q"]', '{ k = "v" }'])

    def reference(self, others):
        """An expression that refers to one of the resources before it, or to none."""
        if not others or self.maybe(0.4):
            return self.literal()
        other = self.rng.choice(others)
        part = self.rng.choice(["id", "output", "input"])
        name = f"terraform_data.{other.name}"
        keys = other.keys()
        if other.repeat and (not keys or self.maybe(0.3)):
            return f"length({name})"
        if other.repeat and self.maybe(0.3):
            return f"[for one in {name} : one.{part}]"
        return f"{name}{self.rng.choice(keys)}.{part}"

    def repetition(self):
        roll = self.rng.random()
        if roll < 0.55:
            return None
        if roll < 0.8:
            return ("count", self.rng.randrange(0, 4))
        return ("each", sorted(self.rng.sample(["k", "l", "m"], self.rng.randrange(0, 3))))

    def resource(self, others):
        made = Resource(self.fresh())
        made.repeat = self.repetition()
        if self.maybe(0.7):
            made.input = self.reference(others)
        if self.maybe(0.3):
            made.triggers = self.reference(others)
        made.first = self.maybe(0.15)
        made.ignore = self.maybe(0.1)
        made.checked = self.maybe(0.1)
        single = [other for other in others if not other.repeat]
        if single and self.maybe(0.12):
            made.replaced_by = self.rng.choice(single).name
        if others and self.maybe(0.1):
            made.depends_on = self.rng.choice(others).name
        return made

    def tell(self):
        rng = self.rng
        before = []
        for _ in range(rng.randrange(1, 5)):
            before.append(self.resource(before))
        inside = [self.resource([])] if self.maybe(0.4) else []
        calls = self.calls() if inside else []
        self.versions.append(self.files(before, inside, calls, [], 1))
        after, blocks = self.changed(before)
        later, inner_blocks = self.inner(inside)
        later_calls, call_blocks = self.called(calls)
        if inside and not later_calls:
            inner_blocks = []
        self.versions.append(self.files(after, later, later_calls, blocks + call_blocks, 2, inner_blocks))

    def calls(self):
        name = f"{self.prefix}_m"
        roll = self.rng.random()
        if roll < 0.6:
            return [(name, None)]
        return [(name, ("count", self.rng.randrange(1, 3)))] if roll < 0.8 else [(name, ("each", ["u", "w"]))]

    def called(self, calls):
        """What becomes of a module call: it stays, is called differently, is repeated otherwise, or goes."""
        blocks = []
        result = []
        for name, repeat in calls:
            roll = self.rng.random()
            if roll < 0.45:
                result.append((name, repeat))
            elif roll < 0.65:
                result.append((f"{name}n", repeat))
                blocks.append(moved(f"module.{name}", f"module.{name}n"))
            elif roll < 0.8:
                result.append((name, ("count", 2)))
                if repeat is None and self.maybe(0.5):
                    blocks.append(moved(f"module.{name}", f"module.{name}[1]"))
            elif self.maybe(0.5):
                blocks.append(removed(f"module.{name}", self.maybe(0.5)))
        return result, blocks

    def inner(self, inside):
        """What becomes of the resource in the module."""
        blocks = []
        result = []
        for one in inside:
            roll = self.rng.random()
            if roll < 0.6:
                result.append(one)
            elif roll < 0.85:
                renamed = one.copy(self.fresh())
                result.append(renamed)
                blocks.append(moved(f"terraform_data.{one.name}", f"terraform_data.{renamed.name}"))
            elif self.maybe(0.5):
                blocks.append(removed(f"terraform_data.{one.name}", self.maybe(0.5)))
        return result, blocks

    def changed(self, before):
        """What becomes of the resources of the root, in order, so that references can follow."""
        result, blocks, renames, gone = [], [], {}, set()
        for one in before:
            roll = self.rng.random()
            now = one.copy()
            if roll < 0.2:
                pass
            elif roll < 0.3:
                now.input = self.literal()
            elif roll < 0.38:
                now.triggers = self.literal()
            elif roll < 0.5:
                now.repeat = self.repetition()
                blocks += self.moves_of_keys(one, now)
            elif roll < 0.7:
                now = one.copy(self.fresh())
                renames[one.name] = now.name
                if self.maybe(0.25):
                    # By way of a name that nobody uses any more.
                    between = self.fresh()
                    blocks.append(moved(f"terraform_data.{between}", f"terraform_data.{now.name}"))
                    blocks.append(moved(f"terraform_data.{one.name}", f"terraform_data.{between}"))
                else:
                    blocks.append(moved(f"terraform_data.{one.name}", f"terraform_data.{now.name}"))
            elif roll < 0.78:
                now.first = not now.first
            else:
                gone.add(one.name)
                if self.maybe(0.6):
                    blocks.append(removed(f"terraform_data.{one.name}", self.maybe(0.4)))
                elif self.maybe(0.3):
                    blocks.append(moved(f"terraform_data.{one.name}", f"terraform_data.{self.fresh()}"))
                continue
            result.append(now)
        repaired = []
        for now in result:
            for part in ("input", "triggers"):
                setattr(now, part, self.repaired(getattr(now, part), renames, repaired))
            names = {other.name: other for other in repaired}
            for part in ("replaced_by", "depends_on"):
                wanted = renames.get(getattr(now, part), getattr(now, part))
                fits = wanted in names and (part == "depends_on" or not names[wanted].repeat)
                setattr(now, part, wanted if fits else None)
            repaired.append(now)
        for _ in range(self.rng.randrange(0, 2)):
            new = self.resource(repaired)
            repaired.append(new)
            blocks += self.imports(new)
        return repaired, blocks

    def moves_of_keys(self, one, now):
        """Moves between keys, where the repetition changed: some of them, or none."""
        old, new = one.keys(), now.keys()
        free = [key for key in new if key not in old]
        left = [key for key in old if key not in new]
        if not free or not left or self.maybe(0.5):
            return []
        source, target = self.rng.choice(left), self.rng.choice(free)
        return [moved(f"terraform_data.{one.name}{source}", f"terraform_data.{now.name}{target}")]

    def imports(self, new):
        keys = new.keys()
        if not keys or self.maybe(0.5):
            return []
        if new.repeat and new.repeat[0] == "each" and self.maybe(0.5):
            inner = ", ".join(f'"{key}"' for key in new.repeat[1])
            return [
                f"import {{\n  for_each = toset([{inner}])\n  to       = terraform_data.{new.name}[each.key]\n"
                f'  id       = "id-${{each.value}}"\n}}\n'
            ]
        key = self.rng.choice(keys)
        return [f'import {{\n  to = terraform_data.{new.name}{key}\n  id = "id-{self.prefix}"\n}}\n']

    def repaired(self, expression, renames, there):
        """An expression without references to what is gone or has other instances now."""
        if expression is None or "terraform_data." not in expression:
            return expression
        for old, new in renames.items():
            expression = expression.replace(f"terraform_data.{old}", f"terraform_data.{new}")
        for other in there:
            name = f"terraform_data.{other.name}"
            whole = expression.startswith((f"length({name})", f"[for one in {name} "))
            fits = [f"{name}{key}." for key in other.keys()]
            if (whole and other.repeat) or expression.startswith(tuple(fits)):
                return expression
        return self.literal()

    def files(self, resources, inside, calls, blocks, version, inner_blocks=()):
        main = "".join(one.text() for one in resources)
        files = {}
        if calls:
            folder = f"{self.prefix}_mod"
            for name, repeat in calls:
                repeated = ""
                if repeat:
                    kind, what = repeat
                    keys = "" if kind == "count" else ", ".join(f'"{key}"' for key in what)
                    repeated = f"  count = {what}\n" if kind == "count" else f"  for_each = toset([{keys}])\n"
                main += f'module "{name}" {{\n  source = "./{folder}"\n{repeated}}}\n'
            text = "".join(one.text() for one in inside) + "".join(inner_blocks)
            files[f"{folder}/main.tf"] = text or "locals {\n  nothing = 1\n}\n"
        checked = [one for one in resources if not one.repeat]
        if checked and version == 2 and self.maybe(0.2):
            main += (
                f'check "{self.prefix}" {{\n  assert {{\n    condition     = terraform_data.{checked[0].name}.id != ""\n'
                f'    error_message = "empty"\n  }}\n}}\n'
            )
        if resources:
            one = self.rng.choice(resources)
            main += f'output "{self.prefix}_o" {{\n  value = terraform_data.{one.name}\n}}\n'
        files[f"{self.prefix}.tf"] = main + "".join(blocks)
        return files


def moved(source, target):
    return f"moved {{\n  from = {source}\n  to   = {target}\n}}\n"


def removed(source, destroy):
    word = "true" if destroy else "false"
    return f"removed {{\n  from = {source}\n  lifecycle {{\n    destroy = {word}\n  }}\n}}\n"
