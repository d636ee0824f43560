"""The thing that every language has a type for: a world in memory, and verbs that misbehave as its `fault` says."""

from __future__ import annotations

import asyncio
import itertools
import threading
from dataclasses import dataclass, field
from typing import Annotated, Any

import stackwright
from stackwright import Context, DeniedError, Existing, ForceNew, NotFoundError, Partial, Planned, SyncContext


@dataclass
class Inputs:
    name: Annotated[str, ForceNew]
    size: int = 1
    fault: str | None = None


@dataclass
class Outputs:
    id: str
    url: str


@dataclass
class World:
    """Things by id. The same key twice makes one thing."""

    things: dict[str, dict[str, Any]] = field(default_factory=dict)
    numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))
    lock: threading.Lock = field(default_factory=threading.Lock)
    over: threading.Event = field(default_factory=threading.Event)
    """What hangs a thread is over."""

    def by_key(self, key: str) -> str | None:
        return next((id for id, thing in list(self.things.items()) if thing["key"] == key), None)

    def make(self, key: str, want: Inputs) -> str:
        with self.lock:
            id = self.by_key(key) or f"t-{next(self.numbers)}"
            self.things.setdefault(id, {"key": key, "name": want.name, "size": want.size})
            return id

    def change(self, id: str, want: Inputs) -> None:
        if id not in self.things:
            raise NotFoundError("the thing is gone", code="thing.gone")
        self.things[id]["size"] = want.size


def url_of(name: str) -> str:
    return f"thing://{name}"


def refuse() -> DeniedError:
    return DeniedError("this thing refuses", code="thing.refused")


def raise_or_refuse(told: str | None, verb: str) -> None:
    if told == f"raise {verb}":
        raise ZeroDivisionError("what an exception says may be secret: hunter2")
    if told == f"refuse {verb}":
        raise refuse()


WRONG: Any = 7
"""Something of another shape."""


class Common:
    Inputs, Outputs = Inputs, Outputs

    def __init__(self, world: World | None = None) -> None:
        self.world = world or World()

    def outputs(self, id: str) -> Outputs:
        return Outputs(id, url_of(self.world.things[id]["name"]))

    def seen(self, id: str, was: Existing[Inputs, Outputs]) -> tuple[Inputs, Outputs] | None:
        thing = self.world.things.get(id)
        if thing is None:
            return None
        return Inputs(thing["name"], thing["size"], was.inputs.fault), self.outputs(id)


@stackwright.resource("thing", ready_interval=0.001)
class Thing(Common):
    """A thing whose verbs are coroutines."""

    async def misbehave(self, told: str | None, verb: str, ctx: Context | None = None) -> None:
        raise_or_refuse(told, verb)
        if told == f"hang {verb}":
            await asyncio.Event().wait()
        if told == f"linger {verb}" and ctx is not None:
            ctx.progress("waiting")
            assert await ctx.cancelled()

    async def validate(self, want: Inputs) -> None:
        await self.misbehave(want.fault, "validate")

    async def plan(self, want: Inputs) -> Planned | None:
        await self.misbehave(want.fault, "plan")
        if want.fault == "misshape plan":
            return WRONG
        return None if want.name is stackwright.UNKNOWN else Planned({"url": url_of(want.name)})

    async def create(self, ctx: Context, want: Inputs) -> Outputs:
        if want.fault != "raise create":
            await self.misbehave(want.fault, "create", ctx)
        id = self.world.make(ctx.idempotency_key, want)
        await self.misbehave(want.fault, "create" if want.fault == "raise create" else "", ctx)
        if want.fault == "checkpoint create":
            await ctx.checkpoint(id, name=want.name)
        if want.fault == "half create":
            raise Partial(self.outputs(id)) from refuse()
        return WRONG if want.fault == "misshape create" else self.outputs(id)

    async def read(self, id: str, was: Existing[Inputs, Outputs]) -> tuple[Inputs, Outputs] | None:
        await self.misbehave(was.inputs.fault, "read")
        return WRONG if was.inputs.fault == "misshape read" else self.seen(id, was)

    async def update(self, ctx: Context, id: str, want: Inputs) -> Outputs:
        await self.misbehave(want.fault, "update", ctx)
        self.world.change(id, want)
        if want.fault == "half update":
            raise Partial(self.outputs(id)) from refuse()
        return WRONG if want.fault == "misshape update" else self.outputs(id)

    async def delete(self, ctx: Context, id: str, was: Existing[Inputs, Outputs]) -> None:
        await self.misbehave(was.inputs.fault, "delete", ctx)
        self.world.things.pop(id, None)

    async def import_(self, id: str) -> tuple[Inputs, Outputs] | None:
        await self.misbehave(id, "import")
        if id == "misshape import":
            return WRONG
        thing = self.world.things.get(id)
        return None if thing is None else (Inputs(thing["name"], thing["size"]), self.outputs(id))

    async def ready(self, was: Existing[Inputs, Outputs]) -> bool:
        await self.misbehave(was.inputs.fault, "ready")
        return WRONG if was.inputs.fault == "misshape ready" else True

    async def recover(self, ctx: Context, id: str | None, want: Inputs | None) -> Any:
        told = None if want is None else want.fault
        await self.misbehave(told, "recover")
        found = id if id in self.world.things else self.world.by_key(ctx.idempotency_key)
        if told == "misshape recover":
            return WRONG
        if found is None:
            return None
        thing = self.world.things[found]
        return Inputs(thing["name"], thing["size"], told), self.outputs(found)


@stackwright.resource("blocking_thing", ready_interval=0.001)
class BlockingThing(Common):
    """The same with plain functions, which run on threads."""

    def misbehave(self, told: str | None, verb: str, ctx: SyncContext | None = None) -> None:
        raise_or_refuse(told, verb)
        if told == f"hang {verb}":
            self.world.over.wait()
        if told == f"linger {verb}" and ctx is not None:
            ctx.progress("waiting")
            while not ctx.is_cancelled:
                self.world.over.wait(0.001)

    def validate(self, want: Inputs) -> None:
        self.misbehave(want.fault, "validate")

    def plan(self, want: Inputs) -> Planned | None:
        self.misbehave(want.fault, "plan")
        if want.fault == "misshape plan":
            return WRONG
        return None if want.name is stackwright.UNKNOWN else Planned({"url": url_of(want.name)})

    def create(self, ctx: SyncContext, want: Inputs) -> Outputs:
        if want.fault != "raise create":
            self.misbehave(want.fault, "create", ctx)
        id = self.world.make(ctx.idempotency_key, want)
        raise_or_refuse(want.fault, "create")
        if want.fault == "checkpoint create":
            ctx.checkpoint(id, name=want.name)
        if want.fault == "half create":
            raise Partial(self.outputs(id)) from refuse()
        return WRONG if want.fault == "misshape create" else self.outputs(id)

    def read(self, id: str, was: Existing[Inputs, Outputs]) -> tuple[Inputs, Outputs] | None:
        self.misbehave(was.inputs.fault, "read")
        return WRONG if was.inputs.fault == "misshape read" else self.seen(id, was)

    def update(self, ctx: SyncContext, id: str, want: Inputs) -> Outputs:
        self.misbehave(want.fault, "update", ctx)
        self.world.change(id, want)
        if want.fault == "half update":
            raise Partial(self.outputs(id)) from refuse()
        return WRONG if want.fault == "misshape update" else self.outputs(id)

    def delete(self, ctx: SyncContext, id: str, was: Existing[Inputs, Outputs]) -> None:
        self.misbehave(was.inputs.fault, "delete", ctx)
        self.world.things.pop(id, None)

    def import_(self, id: str) -> tuple[Inputs, Outputs] | None:
        self.misbehave(id, "import")
        if id == "misshape import":
            return WRONG
        thing = self.world.things.get(id)
        return None if thing is None else (Inputs(thing["name"], thing["size"]), self.outputs(id))

    def ready(self, was: Existing[Inputs, Outputs]) -> bool:
        self.misbehave(was.inputs.fault, "ready")
        return WRONG if was.inputs.fault == "misshape ready" else True

    def recover(self, ctx: SyncContext, id: str | None, want: Inputs | None) -> Any:
        told = None if want is None else want.fault
        self.misbehave(told, "recover")
        found = id if id in self.world.things else self.world.by_key(ctx.idempotency_key)
        if told == "misshape recover":
            return WRONG
        if found is None:
            return None
        thing = self.world.things[found]
        return Inputs(thing["name"], thing["size"], told), self.outputs(found)
