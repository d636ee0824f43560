#!/usr/bin/env -S python3 -B
"""Holds plans against Terraform's: the same stories through both engines, or against what was recorded of Terraform.

    run.py live   STORIES [FIRST]   asks `terraform`, which must be on PATH, and compares
    run.py record STORIES           asks it and writes what it says to recorded/
    run.py replay                   compares with what was recorded

Compared is, for every version of a template, what `show -json` says of each change of a resource: address, previous
address, actions, reason, import. Nothing else is: values that both engines make up (ids) differ.
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

from generate import Story

HERE = pathlib.Path(__file__).parent
STACKWRIGHT = os.environ.get("STACKWRIGHT", str(HERE.parents[1] / "target/debug/stackwright"))
BATCH = 25
# How often each deliberate difference was met.
SKIPPED = collections.Counter()


def main():
    mode = sys.argv[1] if len(sys.argv) > 1 else "replay"
    if mode == "replay":
        return replay()
    if shutil.which("terraform") is None:
        print("skipped: there is no `terraform` on PATH")
        return 0
    count = int(sys.argv[2])
    first = int(sys.argv[3]) if len(sys.argv) > 3 else 0
    differences, compared = [], 0
    for start in range(first, first + count, BATCH):
        numbers = range(start, min(start + BATCH, first + count))
        theirs = told_by(terraform, numbers)
        if mode == "record":
            path = HERE / "recorded" / f"{start:05}.txt"
            path.write_text("".join(f"{line}\n" for line in lines_of(theirs)))
            continue
        compared += compare(theirs, told_by(stackwright, numbers), differences)
    return 0 if mode == "record" else report(differences, compared)


def replay():
    differences, compared = [], 0
    for path in sorted((HERE / "recorded").glob("*.txt")):
        start = int(path.stem)
        recorded = path.read_text().splitlines()
        numbers = range(start, start + BATCH)
        theirs = parsed(recorded)
        compared += compare(theirs, told_by(stackwright, numbers), differences)
    return report(differences, compared)


def report(differences, compared):
    for difference in differences[:40]:
        print(difference)
    skipped = ", ".join(f"{count} {name}" for name, count in sorted(SKIPPED.items())) or "none"
    print(f"{compared} changes compared, {len(differences)} differ; on purpose: {skipped}")
    return 1 if differences or compared == 0 else 0


def compare(theirs, ours, differences):
    for key in sorted(theirs.keys() | ours.keys()):
        here, there = ours.get(key), theirs.get(key)
        if here != there and not deliberate(key, theirs, here, there):
            differences.append(f"version {key[0]} {key[1]}\n  terraform:   {there}\n  stackwright: {here}")
    return len(theirs)


def deliberate(key, theirs, here, there):
    """Whether a difference is one of those that docs/design/language.md lists."""
    story = story_of(key[1])
    if theirs.get((1, story)) == "refused Cycle":
        # What waits for itself only in Terraform.
        SKIPPED["cycle"] += 1
        return True
    if here == "- create - -" and there == "- create replace_by_triggers -":
        # There is nothing to replace yet.
        SKIPPED["trigger of a new one"] += 1
        return True
    if here and there and there.replace("create/delete", "delete/create") == here:
        # Only what a block uses is made first for its sake, not all instances of what it could use.
        texts = (text for files in Story(int(story[1:])).versions for text in files.values())
        if any("create_before_destroy" in text for text in texts):
            SKIPPED["made first"] += 1
            return True
    return False


def story_of(address):
    """The story that an address is about."""
    return re.search(r"\bs\d+", address).group()


def lines_of(told):
    return [f"{version}\t{address}\t{what}" for (version, address), what in sorted(told.items())]


def parsed(lines):
    told = {}
    for line in lines:
        version, address, what = line.split("\t")
        told[(int(version), address)] = what
    return told


class Refused(Exception):
    """An engine refused a template; the text is the first error's summary, up to a colon."""


def told_by(engine, numbers):
    """What an engine says of the stories with these numbers: (version, address) to the rest.

    Where it refuses one of them, the others are told on their own, and that one is told as refused.
    """
    try:
        return told_together(engine, [Story(number) for number in numbers])
    except Refused as refused:
        if len(numbers) == 1:
            return {(1, f"s{numbers[0]}"): f"refused {refused}"}
        middle = len(numbers) // 2
        return told_by(engine, numbers[:middle]) | told_by(engine, numbers[middle:])


def told_together(engine, stories):
    told = {}
    folder = tempfile.mkdtemp(prefix="plans-")
    try:
        for version in range(2):
            write(folder, [story.versions[version] for story in stories])
            for change in engine(folder):
                if change["mode"] != "managed":
                    continue
                inner = change["change"]
                importing = (inner.get("importing") or {}).get("id", "-")
                what = " ".join([
                    change.get("previous_address", "-"),
                    "/".join(inner["actions"]),
                    change.get("action_reason", "-"),
                    importing,
                ])
                told[(version, change["address"])] = what
    finally:
        shutil.rmtree(folder)
    return told


def write(folder, versions):
    root = pathlib.Path(folder)
    for entry in root.iterdir():
        if entry.suffix == ".tf":
            entry.unlink()
        elif entry.is_dir() and not entry.name.startswith("."):
            shutil.rmtree(entry)
    for files in versions:
        for name, text in files.items():
            path = root / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)


def call(folder, *command):
    environment = {**os.environ, "CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1", "NO_COLOR": "1"}
    environment.pop("TF_CLI_CONFIG_FILE", None)
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        first = re.search(r"(?m)^[│ ]*(?:Error: |error\[)([^:\]\n]*)", done.stderr)
        raise Refused(first.group(1) if first else done.stderr[-400:].replace("\n", " "))
    return done.stdout


def terraform(folder):
    call(folder, "terraform", "init", "-input=false")
    return through(folder, "terraform")


def stackwright(folder):
    return through(folder, STACKWRIGHT)


def through(folder, program):
    call(folder, program, "plan", "-input=false", "-no-color", "-out=plan.bin")
    shown = json.loads(call(folder, program, "show", "-json", "plan.bin"))
    call(folder, program, "apply", "-no-color", "plan.bin")
    return shown.get("resource_changes", [])


if __name__ == "__main__":
    sys.exit(main())
