"""The cases that every language runs, with the same plans, events and errors: tests/cases/README.md says how they read."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any, Literal

import pytest
from thing import Thing, World

import stackwright
from stackwright import HIDDEN, Engine, StackwrightError, Template

FOLDER = Path(os.environ.get("STACKWRIGHT_CASES", Path(__file__).parents[2] / "tests" / "cases" / "stacks"))
CASES = sorted(path.name for path in FOLDER.glob("*.md"))


def written(value: object) -> str:
    return "(sensitive)" if value is HIDDEN else json.dumps(value, separators=(",", ":"))


async def followed(run: stackwright.Run) -> list[str]:
    events = [(getattr(event, "address", None), event.type) async for event in run]
    # A step may still be on its way to work when another begins.
    addresses = [address for address, _ in events]
    order = sorted(enumerate(events), key=lambda told: told[0] if told[1][0] is None else addresses.index(told[1][0]))
    lines = [kind if address is None else f"{kind} {address}" for _, (address, kind) in order]
    report = await run.wait()
    for problem in report.problems:
        error = problem.error
        lines.append(f"! {problem.address}: {error.kind} {error.code} {error.effect}: {error.message}")
    lines += [f"{name} = {written(value)}" for name, value in report.outputs.items()]
    return [*lines, report.status]


def refused(error: StackwrightError) -> list[str]:
    lines = [f"{error.kind} {error.code}"]
    for problem in error.diagnostics:
        place = problem.place
        where = f"{place.file}:{place.line}:{place.column}" if place else problem.address or "-"
        lines.append(f"{where} {problem.code}: {problem.message}")
    return lines


@pytest.mark.parametrize("name", CASES)
async def test_case(name: str) -> None:
    text = (FOLDER / name).read_text(encoding="utf-8")
    world = World()
    async with Engine("memory:", resources=[Thing(world)]) as engine:
        stack = engine.stack("acme/case")
        template, variables = Template(), {}

        async def asked(mode: Literal["normal", "destroy"]) -> stackwright.Plan:
            return await stack.plan(template, variables=variables, mode=mode, parallelism=1)

        for kind, body in re.findall(r"^```\w+ (\w+)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
            lines: list[str]
            if kind == "template":
                template = Template.from_text(body)
                continue
            elif kind == "variables":
                variables: dict[str, Any] = json.loads(body)
                continue
            elif kind == "plan":
                lines = str(await asked("normal")).rstrip().split("\n")
            elif kind == "error":
                with pytest.raises(StackwrightError) as found:
                    await asked("normal")
                lines = refused(found.value)
            elif kind == "apply" or kind == "destroy":
                lines = await followed(await (await asked("normal" if kind == "apply" else "destroy")).apply(parallelism=1))
            elif kind == "state":
                rows = (await stack.state()).rows
                lines = [
                    f"{row.address} {row.id} {row.status} {json.dumps(row.attributes, separators=(',', ':'), sort_keys=True)}" for row in rows
                ]
            elif kind == "world":
                lines = sorted(f"{id} {thing['name']} {thing['size']}" for id, thing in world.things.items())
            else:
                raise AssertionError(f"`{kind}` is no block of a case")
            assert "\n".join(lines or ["nothing"]) + "\n" == body, f"{name}: `{kind}`"


def test_there_are_cases() -> None:
    assert len(CASES) >= 5
