#!/usr/bin/env -S python3 -B
"""Holds plans against Terraform's: the same stories through both engines, or against what was recorded of Terraform.

    run.py live   STORIES [FIRST]   asks `terraform`, which must be on PATH, and compares
    run.py record STORIES           asks it and writes what it says to recorded/
    run.py replay                   compares with what was recorded

Compared is, for every version of a template, what `show -json` says of the plan (each change of a resource: address, previous
address, actions, reason, import, values before and after, what is not known, what is sensitive; each change of an output;
what checks came to), and of the state after the plan was applied (resources and outputs, with types). Where a template is
refused, compared is by what: `validate`, `plan` or `apply`, and of which version.
"""

import collections
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

from generate import story

HERE = pathlib.Path(__file__).parent
STACKWRIGHT = os.environ.get("STACKWRIGHT", str(HERE.parents[1] / "target/debug/stackwright"))
BATCH = 25
# How often each deliberate difference was met.
SKIPPED = collections.Counter()
MADE_UP = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def main():
    mode = sys.argv[1] if len(sys.argv) > 1 else "replay"
    if mode == "replay":
        return replay()
    if shutil.which("terraform") is None:
        print("skipped: there is no `terraform` on PATH")
        return 0
    count = int(sys.argv[2])
    first = int(sys.argv[3]) if len(sys.argv) > 3 else 0
    totals = Totals()
    for start in range(first, first + count, BATCH):
        numbers = range(start, min(start + BATCH, first + count))
        theirs = told_by(Terraform, numbers)
        if mode == "record":
            path = HERE / "recorded" / f"{start:05}.txt"
            path.write_text("".join(f"{line}\n" for line in lines_of(theirs)))
            continue
        totals.compare(numbers, theirs, told_by(Stackwright, numbers))
    return 0 if mode == "record" else totals.report()


def replay():
    totals = Totals()
    for path in sorted((HERE / "recorded").glob("*.txt")):
        start = int(path.stem)
        numbers = range(start, start + BATCH)
        totals.compare(numbers, parsed(path.read_text().splitlines()), told_by(Stackwright, numbers))
    return totals.report()


class Totals:
    """What was compared, and what differed."""

    def __init__(self):
        self.stories = self.things = 0
        self.refused = collections.Counter()
        self.differences = []

    def compare(self, numbers, theirs, ours):
        self.stories += len(numbers)
        self.things += len(theirs)
        self.refused.update(what["by"] for (_, kind, _), what in theirs.items() if kind == "refused")
        refused = {name for told in (theirs, ours) for (_, kind, name) in told if kind == "refused"}
        for key in sorted(theirs.keys() | ours.keys()):
            if key[1] != "refused" and f"s{number_of(key[2])}" in refused:
                continue
            there, here = theirs.get(key), ours.get(key)
            if not same(there, here) and not deliberate(key, theirs, there, here):
                version, kind, name = key
                self.differences.append(f"version {version}: {kind} {name}\n{shown(there, here)}")
                print(self.differences[-1], flush=True)

    def report(self):
        skipped = ", ".join(f"{count} {name}" for name, count in sorted(SKIPPED.items())) or "none"
        refused = ", ".join(f"{count} by {stage}" for stage, count in sorted(self.refused.items())) or "none"
        print(f"{self.stories} stories, {self.things} things compared, {len(self.differences)} differ; refused: {refused}; "
              f"different on purpose: {skipped}")
        return 1 if self.differences or self.things == 0 else 0


def shown(there, here):
    """Only what differs, where both say something."""
    if isinstance(there, dict) and isinstance(here, dict):
        names = [name for name in sorted(there.keys() | here.keys()) if there.get(name) != here.get(name)]
        lines = [(name, there.get(name), here.get(name)) for name in names]
    else:
        lines = [("", there, here)]
    spelled = lambda what: json.dumps(what, ensure_ascii=False)
    return "\n".join(f"  {name}\n    terraform:   {spelled(one)}\n    stackwright: {spelled(other)}" for name, one, other in lines)


def same(there, here):
    """Whether both say the same. The words of what they refuse are their own."""
    if there and here and "by" in there:
        return there["by"] == here.get("by")
    return there == here


# What `validate` leaves to `plan`: files are read, and adopted instances looked up, while planning.
LATER = ("eval.file", "eval.path_escape", "plan.import_invalid")


def refused_elsewhere(there, here):
    """How it is called that both refuse a template, but not in the same command; nothing where that is not on purpose."""
    stages = (there and there.get("by"), here and here.get("by"))
    if stages == ("plan", "validate"):
        return "refused earlier"
    return "refused later" if stages == ("validate", "plan") and here["why"] in LATER else None


def deliberate(key, theirs, there, here):
    """Whether a difference is one of those that docs/design/language.md lists."""
    version, kind, name = key
    told = f"s{number_of(name)}"
    if theirs.get((1, "refused", told), {}).get("why") == "Cycle" and not story(number_of(name)).broken:
        # What waits for itself only in Terraform.
        SKIPPED["cycle"] += 1
        return True
    if here is None and there and there.get("by") == "apply" and story(number_of(name)).broken:
        # It is computed for nobody.
        SKIPPED["unused while applying"] += 1
        return True
    if there is None and here and here.get("why") == "template.unsupported" and is_about(name, "provisioner", "connection"):
        SKIPPED["provisioners"] += 1
        return True
    if any(theirs.get((at, "refused", told), {}).get("why") == "Provider produced inconsistent final plan" for at in range(version + 1)):
        SKIPPED["plans that Terraform does not keep"] += 1
        return True
    if here is None and there and there.get("why") == "Invalid dependency on built-in provider":
        # It has a version, which says nothing.
        SKIPPED["versions of what is built in"] += 1
        return True
    inconsistent = {"by": "validate", "why": "Inconsistent conditional result types"}
    if here is None and there and inconsistent.items() <= there.items() and not story(number_of(name)).broken:
        # What resources compute has no type there yet; once it has, the arms agree.
        SKIPPED["types that are known later"] += 1
        return True
    if there is None and here and here.get("why") in ("eval.infinite", "template.context") and story(number_of(name)).broken:
        # Nobody evaluates it there: there are no instances.
        SKIPPED["told without planning"] += 1
        return True
    if name_of := refused_elsewhere(there, here):
        SKIPPED[name_of] += 1
        return True
    if not there or not here or kind != "change":
        return False
    differing = {field for field in there.keys() | here.keys() if there.get(field) != here.get(field)}
    if differing == {"reason"} and there["reason"] == "replace_by_triggers" and here["actions"] == ["create"]:
        # There is nothing to replace yet.
        SKIPPED["trigger of a new one"] += 1
        return True
    if differing == {"importing"} and here["importing"] == "(sensitive value)":
        SKIPPED["secret id"] += 1
        return True
    if (there["actions"], here["actions"]) == (["update"], ["no-op"]) and is_about(name, "lifecycle"):
        # It ignores changes of maps, but not while the whole map is not known.
        texts = (text for files in story(number_of(name)).versions for text in files.values())
        unknown = there["after_unknown"].get("input") is True and here["after"].get("input") is not None
        if unknown and any(re.search(r"ignore_changes = .*(input|all)", text) for text in texts):
            SKIPPED["unknown maps not ignored"] += 1
            return True
    if differing == {"actions"} and there["actions"] == ["create", "delete"] and here["actions"] == ["delete", "create"]:
        # Only what a block uses is made first for its sake, not all instances of what it could use.
        texts = (text for files in story(number_of(name)).versions for text in files.values())
        if any("create_before_destroy" in text for text in texts):
            SKIPPED["made first"] += 1
            return True
    return False


def is_about(name, *kinds):
    """Whether a story has a block of one of the kinds."""
    texts = (text for files in story(number_of(name)).versions for text in files.values())
    return any(re.search(rf"\b{kind}\b.*{{", text) for text in texts for kind in kinds)


def number_of(address):
    """The number of the story that an address is about."""
    return int(re.search(r"\bs(\d+)", address).group(1))


def lines_of(told):
    return [f"{version}\t{kind}\t{name}\t{json.dumps(what, ensure_ascii=False, sort_keys=True, separators=(',', ':'))}"
            for (version, kind, name), what in sorted(told.items())]


def parsed(lines):
    told = {}
    for line in lines:
        version, kind, name, what = line.split("\t")
        told[(int(version), kind, name)] = json.loads(what)
    return told


class Refused(Exception):
    """An engine refused a template: `by` which command, of which version, and why (the first error's summary or code)."""

    def __init__(self, by, why):
        super().__init__(why)
        self.by, self.why, self.version = by, why, 0


def told_by(engine, numbers):
    """What an engine says of the stories with these numbers: (version, kind, name) to what it is.

    Those that are meant to be refused are told on their own. Where the others are, they are told on their own, too.
    """
    stories = [story(number) for number in numbers]
    told = {}
    for one in stories:
        if one.broken:
            told |= told_apart(engine, [one])
    return told | told_apart(engine, [one for one in stories if not one.broken])


def told_apart(engine, stories):
    if not stories:
        return {}
    try:
        return told_together(engine, stories)
    except Refused as refused:
        if len(stories) == 1:
            return {(refused.version, "refused", stories[0].prefix): {"by": refused.by, "why": refused.why}}
        middle = len(stories) // 2
        return told_apart(engine, stories[:middle]) | told_apart(engine, stories[middle:])


def told_together(engine, stories):
    told = {}
    folder = tempfile.mkdtemp(prefix="plans-")
    made_up = {}
    try:
        for version in range(len(stories[0].versions)):
            write(folder, [one.versions[version] for one in stories])
            try:
                plan, state = engine(folder).carried_out(version)
            except Refused as refused:
                refused.version = version
                raise
            learn(made_up, state, version)
            for (kind, name), what in [*planned(plan), *kept(state)]:
                text = json.dumps(what, ensure_ascii=False)
                told[(version, kind, name)] = json.loads(MADE_UP.sub(lambda found: made_up.get(found.group(), found.group()), text))
    finally:
        shutil.rmtree(folder)
    return told


def resources_of(module):
    yield from module.get("resources", [])
    for child in module.get("child_modules", []):
        yield from resources_of(child)


def learn(made_up, state, version):
    """Gives names to the ids that an engine made up: who got it first, and when."""
    for resource in resources_of(state.get("values", {}).get("root_module", {})):
        made_up.setdefault(resource["values"].get("id"), f"<id of {resource['address']} of version {version}>".replace('"', "'"))


def planned(plan):
    """What is compared of a plan."""
    for change in plan.get("resource_changes", []):
        if change["mode"] != "managed":
            continue
        inner = change["change"]
        yield ("change", change["address"]), {
            "previous": change.get("previous_address"),
            "actions": inner["actions"],
            "reason": change.get("action_reason"),
            "importing": (inner.get("importing") or {}).get("id"),
            "before": hidden(inner.get("before"), inner.get("before_sensitive")),
            "after": hidden(inner.get("after"), inner.get("after_sensitive")),
            "after_unknown": inner.get("after_unknown"),
            "before_sensitive": without_output(inner.get("before_sensitive")),
            "after_sensitive": without_output(inner.get("after_sensitive")),
        }
    for name, change in plan.get("output_changes", {}).items():
        yield ("output", name), {
            "actions": change["actions"],
            "before": hidden(change.get("before"), change.get("before_sensitive")),
            "after": hidden(change.get("after"), change.get("after_sensitive")),
            "after_unknown": change.get("after_unknown"),
            "before_sensitive": change.get("before_sensitive"),
            "after_sensitive": change.get("after_sensitive"),
        }
    for check in plan.get("checks", []):
        yield ("check", check["address"]["to_display"]), {
            "status": check["status"],
            "instances": {one["address"]["to_display"]: [one["status"], len(one.get("problems", []))] for one in check.get("instances") or []},
        }


def kept(state):
    """What is compared of a state."""
    values = state.get("values", {})
    for resource in resources_of(values.get("root_module", {})):
        secret = resource.get("sensitive_values", {})
        yield ("object", resource["address"]), {
            "values": hidden(resource["values"], secret),
            "sensitive": without_output(secret),
        }
    for name, output in values.get("outputs", {}).items():
        value = hidden(output.get("value"), output["sensitive"])
        yield ("result", name), {"sensitive": output["sensitive"], "type": output.get("type"), "value": value}


def hidden(value, secret):
    """A value without its secrets: stackwright shows null in their place. Where a part of `input` is secret, all of `output` is
    in stackwright; it is left out then, also of objects that are part of others."""
    return masked(value, secret)


def has_secret(secret):
    parts = secret.values() if isinstance(secret, dict) else secret if isinstance(secret, list) else []
    return secret is True or any(has_secret(part) for part in parts)


def masked(value, secret):
    if secret is True:
        return None
    if isinstance(secret, dict) and isinstance(value, dict):
        if has_secret(secret.get("input")) and "output" in value:
            secret = {**secret, "output": True}
        return {name: masked(part, secret.get(name)) for name, part in value.items()}
    if isinstance(secret, list) and isinstance(value, list):
        return [masked(part, flag) for part, flag in zip(value, secret)]
    return value


def without_output(secret):
    """Flags without those of `output`, which is as secret as `input` in stackwright and never secret in Terraform."""
    if not isinstance(secret, dict):
        return secret
    return {name: without_copies(flag) for name, flag in secret.items() if name != "output"}


def without_copies(secret):
    """The same below, where nobody knows what is a resource: only beside a secret `input`."""
    if not isinstance(secret, dict):
        return secret
    flags = secret.items()
    return {name: without_copies(flag) for name, flag in flags if name != "output" or not has_secret(secret.get("input"))}


def write(folder, versions):
    root = pathlib.Path(folder)
    for entry in root.iterdir():
        if entry.is_dir() and not entry.name.startswith("."):
            shutil.rmtree(entry)
        elif entry.suffix not in (".bin", ".tfstate", ".db", ".key", ".rc", ".hcl"):
            entry.unlink() if entry.is_file() and re.match(r"s\d|terraform\.tfvars", entry.name) else None
    for files in versions:
        for name, text in files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)


class Engine:
    """A program that carries out what stands in a folder."""

    def __init__(self, folder):
        self.folder = folder

    def call(self, stage, *command):
        environment = {**os.environ, "CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1", "NO_COLOR": "1", "LC_ALL": "C.UTF-8",
                       "TF_CLI_CONFIG_FILE": f"{self.folder}/empty.rc"}
        done = subprocess.run([self.program, *command], cwd=self.folder, env=environment, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            first = re.search(r"(?m)^[│ ]*(?:Error: |error\[)([^:\]\n]*)", done.stderr)
            raise Refused(stage, first.group(1) if first else done.stderr[-400:].replace("\n", " "))
        return done.stdout

    def carried_out(self, version):
        """Returns the plan and the state after it."""
        self.prepare()
        self.call("validate", "validate", "-no-color")
        self.call("plan", "plan", "-input=false", "-no-color", "-out=plan.bin")
        plan = json.loads(self.call("show", "show", "-json", "plan.bin"))
        self.call("apply", "apply", "-no-color", "plan.bin")
        return plan, json.loads(self.call("show", "show", "-json"))

    def prepare(self):
        """What has to be done before anything can be."""


class Terraform(Engine):
    program = "terraform"

    def prepare(self):
        # Nobody is asked for providers.
        pathlib.Path(self.folder, "empty.rc").write_text('provider_installation {\n  filesystem_mirror {\n    path = "/nowhere"\n  }\n}\n')
        self.call("validate", "init", "-input=false", "-no-color")


class Stackwright(Engine):
    program = STACKWRIGHT


if __name__ == "__main__":
    sys.exit(main())
