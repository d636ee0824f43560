"""Many calls: memory stays flat, and what a call costs. `SOAK_CALLS=100000 python test_soak.py` is the long form.

Reads while planning are measured, since there is little of the engine around them: what is left of a plan without reads is
taken off.
"""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

import stackwright
from stackwright import Engine

CALLS = int(os.environ.get("SOAK_CALLS", "5000"))
OBJECTS = 250
# Caches of the store and of the allocator fill with what is written, and take a while to be full: few objects, many reads.
SOAKED = 50
# How often memory may grow before it counts as a leak.
ROUNDS = 4


@dataclass
class Inputs:
    name: str
    size: int = 1


@dataclass
class Outputs:
    id: str


class Common:
    Inputs, Outputs = Inputs, Outputs
    calls = 0


@stackwright.resource("soak_async")
class Awaiting(Common):
    async def create(self, want: Inputs) -> Outputs:
        Common.calls += 1
        return Outputs(want.name)

    async def read(self, id: str) -> Outputs:
        Common.calls += 1
        return Outputs(id)

    async def update(self) -> None:
        Common.calls += 1

    async def delete(self) -> None:
        Common.calls += 1


@stackwright.resource("soak_plain")
class Blocking(Common):
    def create(self, want: Inputs) -> Outputs:
        Common.calls += 1
        return Outputs(want.name)

    def read(self, id: str) -> Outputs:
        Common.calls += 1
        return Outputs(id)

    def update(self) -> None:
        Common.calls += 1

    def delete(self) -> None:
        Common.calls += 1


def template(kind: str, size: int, count: int = OBJECTS) -> dict[str, object]:
    return {"resource": {kind: {"a": {"count": count, "name": "n${count.index}", "size": size}}}}


@asynccontextmanager
async def opened(kind: str, count: int = OBJECTS) -> AsyncIterator[stackwright.Stack]:
    """A stack with objects. Its history is on the disk, where it may grow."""
    with tempfile.TemporaryDirectory() as folder:
        async with Engine(Path(folder) / "state.db", resources=[Awaiting, Blocking]) as engine:
            stack = engine.stack("soak")
            await (await stack.apply(template(kind, 1, count)))
            yield stack


def resident_kib() -> int:
    gc.collect()
    with open("/proc/self/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))


async def soak(kind: str, calls: int) -> list[int]:
    """Makes so many calls of all verbs, and as many again while that took memory: caches fill, what leaks takes some every time.

    Returns the memory in KiB after each half.
    """
    seen: list[int] = []
    async with opened(kind, SOAKED) as stack:
        size = 1
        while len(seen) < 2 or (len(seen) < 2 * ROUNDS and not is_flat(seen)):
            first = Common.calls
            while Common.calls - first < calls // 2:
                size += 1
                for _ in range(7):
                    await stack.plan(template(kind, size, SOAKED))
                # A read and an update of each object.
                await (await stack.apply(template(kind, size, SOAKED), parallelism=64))
            seen.append(resident_kib())
    return seen


def is_flat(seen: list[int]) -> bool:
    return seen[-1] <= seen[-2] * 1.05


async def cost(kind: str, at_once: int, calls: int) -> float:
    """Returns the time of one call in µs, with so many in flight."""
    async with opened(kind) as stack:
        wanted = template(kind, 1)

        async def plan(refresh: bool) -> float:
            began = time.perf_counter()
            await stack.plan(wanted, refresh=refresh, parallelism=at_once)
            return time.perf_counter() - began

        await plan(True)
        rounds = max(1, calls // OBJECTS)
        alone = min([await plan(False) for _ in range(min(rounds, 10))])
        times = sorted([await plan(True) - alone for _ in range(rounds)])
        return times[len(times) // 2] / OBJECTS * 1e6


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
@pytest.mark.parametrize("kind", ["soak_async", "soak_plain"])
async def test_memory_stays_flat(kind: str) -> None:
    seen = await soak(kind, CALLS)
    assert is_flat(seen), f"{seen} KiB after {CALLS // 2} calls each"


async def test_what_a_call_costs_can_be_measured() -> None:
    # How much it is depends on the machine: `make soak` prints it.
    before = Common.calls
    await cost("soak_async", 16, 1000)
    assert Common.calls - before >= 1000


# `make soak`: one line for each kind of type, in the columns of tests/soak.sh, and one for what it holds.
async def main() -> None:
    for kind in ("soak_async", "soak_plain"):
        costs = [await cost(kind, at_once, CALLS // 10) for at_once in (1, 16, 256)]
        print(f"{kind:12}" + "".join(f"{found:12.0f}" for found in costs))
    for kind in ("soak_async", "soak_plain"):
        seen = await soak(kind, CALLS)
        print(f"{kind:12}memory after {CALLS // 2} calls each: {seen} KiB")
        if not is_flat(seen):
            sys.exit("memory grows")


if __name__ == "__main__":
    asyncio.run(main())
