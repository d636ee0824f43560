"""What the tests share. They run against the installed package, never against the source tree."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Any

import pytest

import stackwright
from stackwright import Context, Engine, ForceNew, Sensitive


def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Runs tests that are `async def` on a loop of their own."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    wanted = pyfuncitem._fixtureinfo.argnames
    arguments = {name: pyfuncitem.funcargs[name] for name in wanted}
    asyncio.run(asyncio.wait_for(pyfuncitem.obj(**arguments), 60))
    return True


@dataclass
class Cloud:
    """A world that forgets nothing: objects by id, and what was asked of it."""

    objects: dict[str, dict[str, Any]] = field(default_factory=dict)
    log: list[tuple[str, str]] = field(default_factory=list)
    hook: Callable[[str, str], Any] | None = None

    async def happen(self, verb: str, name: str) -> None:
        self.log.append((verb, name))
        if self.hook is not None:
            result = self.hook(verb, name)
            if inspect.isawaitable(result):
                await result

    def by_key(self, key: str) -> dict[str, Any] | None:
        return next((found for found in self.objects.values() if found["key"] == key), None)

    def names(self) -> list[str]:
        return sorted(found["name"] for found in self.objects.values())


@dataclass
class BucketInputs:
    name: Annotated[str, ForceNew]
    size: int = 1
    source: str | None = None


@dataclass
class BucketOutputs:
    id: str
    url: str
    token: Annotated[str, Sensitive]


@stackwright.resource("acme_bucket")
class Bucket:
    """A bucket in a cloud that is a dict."""

    Inputs = BucketInputs
    Outputs = BucketOutputs

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud

    def found(self, bucket: dict[str, Any]) -> BucketOutputs:
        return BucketOutputs(bucket["id"], f"https://{bucket['name']}.example", f"hunter2-{bucket['name']}")

    async def create(self, ctx: Context, want: BucketInputs) -> BucketOutputs:
        await self.cloud.happen("create", want.name)
        bucket = self.cloud.by_key(ctx.idempotency_key)
        if bucket is None:
            bucket = {"id": f"b-{len(self.cloud.log)}", "key": ctx.idempotency_key, "name": want.name, "size": want.size}
            self.cloud.objects[bucket["id"]] = bucket
        await self.cloud.happen("created", want.name)
        return self.found(bucket)

    async def read(self, ctx: Context, id: str) -> BucketOutputs | None:
        bucket = self.cloud.objects.get(id)
        return None if bucket is None else self.found(bucket)

    async def update(self, ctx: Context, id: str, want: BucketInputs) -> BucketOutputs:
        await self.cloud.happen("update", want.name)
        self.cloud.objects[id]["size"] = want.size
        return self.found(self.cloud.objects[id])

    async def delete(self, ctx: Context, id: str) -> None:
        await self.cloud.happen("delete", id)
        self.cloud.objects.pop(id, None)

    async def recover(self, ctx: Context) -> BucketOutputs | None:
        await self.cloud.happen("recover", ctx.address)
        bucket = self.cloud.by_key(ctx.idempotency_key)
        return None if bucket is None else self.found(bucket)

    async def import_(self, ctx: Context, id: str) -> tuple[BucketInputs, BucketOutputs] | None:
        bucket = self.cloud.objects.get(id)
        return None if bucket is None else (BucketInputs(bucket["name"], bucket["size"]), self.found(bucket))


@pytest.fixture
def cloud() -> Cloud:
    return Cloud()


def engine_of(cloud: Cloud, **options: Any) -> Engine:
    return Engine(resources=[Bucket(cloud)], **options)


def buckets(*names: str, **arguments: object) -> dict[str, Any]:
    return {"resource": {"acme_bucket": {name: {"name": name, **arguments} for name in names}}}
