"""Types that are written in Python keep the contract of resource types, whatever their verbs do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from thing import BlockingThing, Common, Inputs, Outputs, Thing, World

import stackwright
from stackwright.testing import Finding, conform

EXAMPLE: dict[str, Any] = {
    "config": {"name": "thing-{n}"},
    "changed": {"name": "thing-{n}", "size": 2},
    "missing_id": "t-none",
}


@pytest.mark.parametrize("kind", [Thing, BlockingThing])
async def test_types_in_python_conform(kind: type[Common]) -> None:
    world = World()
    try:
        findings = await conform(kind(world), **EXAMPLE, fault="fault")
    finally:
        world.over.set()
    assert [each for each in findings if each.verdict != "passed"] == []
    assert len(findings) > 40
    # What was made was removed: nothing was made twice.
    assert world.things == {}


async def wrong(kind: type[Thing]) -> list[str]:
    """The cases that a type fails."""
    with pytest.raises(AssertionError) as found:
        await conform(kind(), **EXAMPLE)
    return [line.split(":")[0].strip() for line in str(found.value).splitlines()[1:]]


async def test_a_type_that_forgets_its_keys_is_found_out() -> None:
    @stackwright.resource("thing")
    class Forgetful(Thing):
        async def create(self, ctx: Any, want: Inputs) -> Outputs:
            return self.outputs(self.world.make(ctx.idempotency_key + str(len(self.world.things)), want))

    assert "crash/same-key" in await wrong(Forgetful)


async def test_a_type_that_reads_ghosts_is_found_out() -> None:
    @stackwright.resource("thing")
    class Ghostly(Thing):
        async def delete(self) -> None:  # type: ignore[override]
            pass

    assert "life/delete" in await wrong(Ghostly)


async def test_what_a_type_lacks_is_skipped() -> None:
    @dataclass
    class Only:
        id: str

    @stackwright.resource("value")
    class Value:
        Outputs = Only

        async def create(self, ctx: stackwright.Context) -> Only:
            return Only(ctx.idempotency_key)

        async def read(self, id: str) -> Only:
            return Only(id)

        async def delete(self) -> None:
            pass

    findings = await conform(Value, config={}, is_value=True)
    skipped = {each.case: each.message for each in findings if each.verdict == "skipped"}
    assert skipped["life/update"] == "nothing is changed in place"
    assert skipped["life/import"] == "it cannot be imported"
    assert Finding("life/create", "passed", None) in findings
