"""Tests of resource types: the conformance suite of the engine, for types that are written in Python."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from .engine import Engine
from . import _stores
from .resources import collect
from .store import Store

__all__ = ["Finding", "conform", "conform_store"]


@dataclass(frozen=True)
class Finding:
    """A case, and what became of it."""

    case: str
    """The case, such as `crash/same-key`."""
    verdict: Literal["passed", "skipped", "failed"]
    """What became of it."""
    message: str | None
    """Why it was skipped, or what the type did wrong."""


async def conform(
    resource: object,
    *,
    config: Mapping[str, object],
    changed: Mapping[str, object] | None = None,
    missing_id: str | None = None,
    is_value: bool = False,
    fault: str | None = None,
    patience: float = 30.0,
) -> list[Finding]:
    """Holds a resource type against the contract that the engine relies on, and returns what became of each case.

    Things are made, read, changed, imported and removed, one and many at once; answers are lost on purpose, and keys used
    twice. A type passes when nothing is made twice and every verb says what is so. What was made is removed again: check that
    your world is empty afterwards.

    .. code-block:: python

        await conform(Bucket(cloud), config={"name": "b{n}"}, changed={"name": "b{n}", "size": 2}, missing_id="b-none")
        assert not cloud.buckets()

    :param resource: the class, or an object of it.
    :param config: what a template says of one thing. In texts `{n}` stands for a number: other numbers, other things.
    :param changed: the same after a change that is made in place, for types that have `update`.
    :param missing_id: an id that nothing has, written as one, for types that have `import_`.
    :param is_value: nothing in the world says whether a thing exists, as with random values.
    :param fault: an input that makes verbs misbehave as it says (`raise create`, `hang read`, …), for tests of the bridge.
    :param patience: how long a call may take. Seconds.
    :raises AssertionError: with all that the type did wrong.
    """
    query: dict[str, Any] = {
        "type_name": collect("resource", [resource])[0].name,
        "config": config,
        "changed": changed,
        "missing_id": missing_id,
        "is_value": is_value,
        "fault": fault,
        "patience_ms": round(patience * 1000),
    }
    async with Engine("memory:", resources=[resource]) as engine:
        found = [Finding(**each) for each in await engine._bridge.ask("conform", query=query)]  # pyright: ignore[reportPrivateUsage]
    wrong = [f"\n  {each.case}: {each.message}" for each in found if each.verdict == "failed"]
    assert not wrong, f"`{query['type_name']}` does not keep its contract:{''.join(wrong)}"
    return found


async def conform_store(
    make: Callable[[], Store | Awaitable[Store]],
    *,
    reopen: Callable[[Store], Store | Awaitable[Store]] | None = None,
    share: Callable[[Store], Store | Awaitable[Store]] | None = None,
) -> list[Finding]:
    """Holds a store against the contract that the engine relies on, and returns what became of each case.

    .. code-block:: python

        await conform_store(lambda: FileStore(tempfile.mkdtemp()), reopen=lambda store: FileStore(store.path))

    :param make: returns a new and empty store; each case gets one.
    :param reopen: closes a store as if the process ended, and opens what it kept again; left out where nothing outlives it.
    :param share: opens what a store keeps a second time, as another process would; left out where only one can.
    :raises AssertionError: with all that the store did wrong.
    """

    async def opened(other: Store | None, closes: bool) -> Store | None:
        if other is None:
            made = make()
        else:
            again = reopen if closes else share
            if again is None:
                return None
            made = again(other)
        return _stores.check(await made if inspect.isawaitable(made) else made)

    async with Engine("memory:") as engine:
        bridge = engine._bridge  # pyright: ignore[reportPrivateUsage]
        bridge.opener = opened
        found = [Finding(**each) for each in await bridge.ask("conform_store")]
    wrong = [f"\n  {each.case}: {each.message}" for each in found if each.verdict == "failed"]
    assert not wrong, f"the store does not keep its contract:{''.join(wrong)}"
    return found
