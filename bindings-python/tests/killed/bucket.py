"""Buckets in a cloud that is a folder of files: it survives whoever uses it, and remembers what was done to it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import pathlib
import uuid
from dataclasses import dataclass
from typing import Annotated, Any

import stackwright
from stackwright import Context, ForceNew, Partial, Planned, Sensitive, SyncContext

# With 2, a bucket also has a region, which older rows do not know of.
VERSION = int(os.environ.get("BUCKET_SCHEMA", "1"))


class Cloud:
    """One file per bucket, named by the key that it was made with; and a log of what happened."""

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = pathlib.Path(folder)
        for name in ("cloud", "drafts", "faults"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)

    def log(self, *words: str) -> None:
        with open(self.folder / "log", "a", encoding="utf-8") as log:
            log.write(" ".join(words) + "\n")

    def buckets(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        for path in sorted((self.folder / "cloud").glob("*.json")):
            # Another thread may remove one meanwhile.
            with contextlib.suppress(FileNotFoundError):
                found.append(json.loads(path.read_text()))
        return found

    def by_key(self, key: str) -> dict[str, Any] | None:
        return next((bucket for bucket in self.buckets() if bucket["key"] == key), None)

    def by_id(self, id: str) -> dict[str, Any] | None:
        return next((bucket for bucket in self.buckets() if bucket["id"] == id), None)

    def draft(self, bucket: dict[str, Any]) -> pathlib.Path:
        draft = self.folder / "drafts" / uuid.uuid4().hex
        draft.write_text(json.dumps(bucket))
        return draft

    def make(self, key: str, wanted: dict[str, Any]) -> dict[str, Any]:
        """Makes a bucket. The same key twice makes one bucket; the id is the cloud's to choose."""
        draft = self.draft({"id": "b-" + uuid.uuid4().hex[:8], "key": key, **wanted})
        try:
            os.link(draft, self.folder / "cloud" / f"{key}.json")
            self.log("made", wanted["name"], key)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
        made = self.by_key(key)
        assert made is not None
        return made

    def change(self, bucket: dict[str, Any], wanted: dict[str, Any]) -> None:
        os.replace(self.draft({**bucket, **wanted}), self.folder / "cloud" / f"{bucket['key']}.json")
        self.log("changed", bucket["name"], bucket["key"])

    def remove(self, bucket: dict[str, Any]) -> None:
        (self.folder / "cloud" / f"{bucket['key']}.json").unlink()
        self.log("removed", bucket["name"], bucket["key"])

    def first_time(self, name: str) -> bool:
        """Whether a fault is to happen: each does once."""
        try:
            (self.folder / "faults" / name).touch(exist_ok=False)
        except FileExistsError:
            return False
        return True


def url_of(name: str) -> str:
    return f"https://buckets.example/{name}"


@dataclass
class Inputs:
    name: Annotated[str, ForceNew]
    size: int = 1
    source: str | None = None

    def data(self) -> dict[str, Any]:
        return {"name": self.name, "size": self.size, "source": self.source}


@dataclass
class OutputsOfVersion1:
    id: str
    url: str
    token: Annotated[str, Sensitive]


@dataclass
class OutputsOfVersion2(OutputsOfVersion1):
    region: str = "eu"


Outputs = OutputsOfVersion1 if VERSION == 1 else OutputsOfVersion2


def found(bucket: dict[str, Any]) -> OutputsOfVersion1:
    return Outputs(bucket["id"], url_of(bucket["name"]), f"hunter2-{bucket['name']}")


@stackwright.resource("acme_bucket", version=VERSION, ready_interval=0.01)
class Bucket:
    """A bucket in a cloud that is a folder of files. Some verbs are coroutines, some plain functions."""

    Inputs = Inputs
    Outputs = Outputs

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.cloud = Cloud(folder)
        self.begun = 0
        self.upgraded = 0
        self.seen: set[str] = set()
        self.waiting = asyncio.Event()
        # Where the creation with this number stops for ever: `3:before`, `3:made`, `3:noted`, or `3:cancel`.
        number, _, self.stop_at = os.environ.get("BUCKET_BLOCK", "0:").partition(":")
        self.stop_number = int(number)

    async def validate(self, want: Inputs) -> None:
        if want.name is not stackwright.UNKNOWN and want.name != want.name.lower():
            raise stackwright.InvalidInputError("buckets are written in small letters", code="acme.name")

    async def upgrade(self, version: int, attributes: dict[str, Any]) -> dict[str, Any]:
        self.upgraded += 1
        return {**attributes, "region": "eu"}

    async def plan(self, want: Inputs) -> Planned | None:
        # The address is known from the name alone, before the bucket is there.
        return None if want.name is stackwright.UNKNOWN else Planned({"url": url_of(want.name)})

    async def create(self, ctx: Context, want: Inputs) -> OutputsOfVersion1:
        self.begun += 1
        number, name = self.begun, want.name
        self.cloud.log("create", name, ctx.idempotency_key)
        await asyncio.sleep(0.02)
        if number > self.stop_number > 0 and self.stop_at != "cancel":
            await self.stop()
        await self.maybe_stop(number, name, "before")
        if name == "refused" and self.cloud.first_time(name):
            raise stackwright.DeniedError("no more buckets today", code="acme.quota")
        bucket = self.cloud.make(ctx.idempotency_key, want.data())
        if name == "raised" and self.cloud.first_time(name):
            raise KeyError("what an exception says may be secret")
        if name == "torn" and self.cloud.first_time(name):
            error = stackwright.UnavailableError("the replica is missing", code="acme.torn", retry=True)
            raise Partial(found(bucket)) from error
        await self.maybe_stop(number, name, "made")
        await ctx.checkpoint(bucket["id"], name=name)
        await self.maybe_stop(number, name, "noted")
        if number == self.stop_number and self.stop_at == "cancel":
            self.waiting.set()
            if not await ctx.cancelled():
                raise RuntimeError("the call ended before it ended")
            self.cloud.log("cancelled", name, ctx.idempotency_key)
        return found(bucket)

    async def maybe_stop(self, number: int, name: str, point: str) -> None:
        if number == self.stop_number and self.stop_at == point:
            self.cloud.log("stopped", name, point)
            (self.cloud.folder / "blocked").touch()
            await self.stop()

    async def stop(self) -> None:
        await asyncio.Event().wait()

    def read(self, id: str) -> OutputsOfVersion1 | None:
        bucket = self.cloud.by_id(id)
        return None if bucket is None else found(bucket)

    def update(self, ctx: SyncContext, id: str, want: Inputs) -> OutputsOfVersion1:
        ctx.progress("changing it")
        ctx.checkpoint(id)
        bucket = self.cloud.by_id(id)
        if bucket is None:
            raise stackwright.NotFoundError("the bucket is gone", code="acme.gone")
        self.cloud.change(bucket, want.data())
        return found(bucket)

    def delete(self, id: str) -> None:
        bucket = self.cloud.by_id(id)
        if bucket is not None:
            self.cloud.remove(bucket)

    async def ready(self, id: str) -> bool | str:
        # Ready the second time that it is asked.
        if id not in self.seen:
            self.seen.add(id)
            return "it is being copied"
        return True

    async def recover(
        self, ctx: Context, id: str | None, want: Inputs | None, was: Any
    ) -> OutputsOfVersion1 | None:
        if id is not None:
            bucket, way = self.cloud.by_id(id), "id"
        else:
            bucket, way = self.cloud.by_key(ctx.idempotency_key), "key"
        name = want.name if want is not None else was.inputs.name
        self.cloud.log("recovered", name, f"by-{way}", "found" if bucket else "absent")
        return None if bucket is None else found(bucket)
