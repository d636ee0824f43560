"""Buckets in a cloud that is a folder of files: it survives whoever uses it, and remembers what was done to it."""

import asyncio
import contextlib
import json
import os
import pathlib
import uuid

from bridge import Partial, StackwrightError

# With 2, a bucket also has a region, which older rows do not know of.
VERSION = int(os.environ.get("SPIKE_SCHEMA", "1"))
SCHEMA = pathlib.Path(__file__).parents[2] / "tests" / "bindings" / "schema.json"


class Cloud:
    """One file per bucket, named by the key that it was made with; and a log of what happened."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        for name in ("cloud", "drafts", "faults"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)

    def log(self, *words):
        with open(self.folder / "log", "a", encoding="utf-8") as log:
            log.write(" ".join(words) + "\n")

    def buckets(self):
        found = []
        for path in sorted((self.folder / "cloud").glob("*.json")):
            # Another thread may remove one meanwhile.
            with contextlib.suppress(FileNotFoundError):
                found.append(json.loads(path.read_text()))
        return found

    def by_key(self, key):
        return next((bucket for bucket in self.buckets() if bucket["key"] == key), None)

    def by_id(self, id):
        return next((bucket for bucket in self.buckets() if bucket["id"] == id), None)

    def draft(self, bucket):
        draft = self.folder / "drafts" / uuid.uuid4().hex
        draft.write_text(json.dumps(bucket))
        return draft

    def make(self, key, wanted):
        """Makes a bucket. The same key twice makes one bucket; the id is the cloud's to choose."""
        draft = self.draft({"id": "b-" + uuid.uuid4().hex[:8], "key": key, **wanted})
        try:
            os.link(draft, self.folder / "cloud" / f"{key}.json")
            self.log("made", wanted["name"], key)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
        return self.by_key(key)

    def change(self, bucket, wanted):
        changed = {**bucket, **wanted}
        os.replace(self.draft(changed), self.folder / "cloud" / f"{bucket['key']}.json")
        self.log("changed", bucket["name"], bucket["key"])
        return changed

    def remove(self, bucket):
        (self.folder / "cloud" / f"{bucket['key']}.json").unlink()
        self.log("removed", bucket["name"], bucket["key"])

    def first_time(self, name):
        """Whether a fault is to happen: each does once."""
        try:
            (self.folder / "faults" / name).touch(exist_ok=False)
            return True
        except FileExistsError:
            return False


def wanted_of(planned):
    value = planned["value"]
    return {name: value[name] for name in ("name", "size", "source")}


def url_of(name):
    return f"https://buckets.example/{name}"


def schema():
    schema = json.loads(SCHEMA.read_text())
    if VERSION == 2:
        schema["version"] = 2
        schema["block"]["attributes"]["region"] = {"type": "string", "computed": True}
    return schema


def thing(bucket):
    attributes = {name: bucket[name] for name in ("id", "name", "size", "source")}
    name = bucket["name"]
    if VERSION == 2:
        attributes["region"] = "eu"
    return {"id": bucket["id"], "attributes": {**attributes, "token": f"hunter2-{name}", "url": url_of(name)}}


class Bucket:
    """The resource type. Some verbs are coroutines, some plain functions."""

    schema = schema()
    traits = {"ready_interval_ms": 10}

    def __init__(self, folder):
        self.cloud = Cloud(folder)
        self.begun = 0
        self.upgraded = 0
        self.seen = set()
        self.waiting = asyncio.Event()
        # Where the creation with this number stops for ever: `3:before`, `3:made`, `3:noted`, or `3:cancel`.
        number, _, self.stop_at = os.environ.get("SPIKE_BLOCK", "0:").partition(":")
        self.stop_number = int(number)

    async def validate(self, ctx, config):
        name = config["value"]["name"]
        if name is not None and name != name.lower():
            raise StackwrightError("invalid_input", "buckets are written in small letters", code="acme.name")

    async def upgrade(self, ctx, version, attributes):
        self.upgraded += 1
        return {**attributes, "region": "eu"}

    async def plan(self, ctx, prior, config, proposed):
        # The address is known from the name alone, before the bucket is there.
        url = [{"attr": "url"}]
        if url in proposed.get("unknown", []):
            proposed["value"]["url"] = url_of(proposed["value"]["name"])
            proposed["unknown"].remove(url)
        return {"planned": proposed}

    async def create(self, ctx, planned):
        self.begun += 1
        number, wanted = self.begun, wanted_of(planned)
        name = wanted["name"]
        self.cloud.log("create", name, ctx.key)
        await asyncio.sleep(0.02)
        if number > self.stop_number > 0 and self.stop_at != "cancel":
            await self.stop()
        await self.maybe_stop(number, name, "before")
        if name == "refused" and self.cloud.first_time(name):
            raise StackwrightError("denied", "no more buckets today", code="acme.quota")
        bucket = self.cloud.make(ctx.key, wanted)
        if name == "raised" and self.cloud.first_time(name):
            raise KeyError("what an exception says may be secret")
        if name == "torn" and self.cloud.first_time(name):
            error = StackwrightError("unavailable", "the replica is missing", code="acme.torn", retry="with_backoff")
            raise Partial(thing(bucket), error)
        await self.maybe_stop(number, name, "made")
        await ctx.checkpoint(bucket["id"], name=name)
        await self.maybe_stop(number, name, "noted")
        if number == self.stop_number and self.stop_at == "cancel":
            self.waiting.set()
            if not await ctx.cancelled():
                raise RuntimeError("the call ended before it ended")
            self.cloud.log("cancelled", name, ctx.key)
        return thing(bucket)

    async def maybe_stop(self, number, name, point):
        if number == self.stop_number and self.stop_at == point:
            self.cloud.log("stopped", name, point)
            (self.cloud.folder / "blocked").touch()
            await self.stop()

    async def stop(self):
        await asyncio.Event().wait()

    def read(self, ctx, object):
        bucket = self.cloud.by_id(object["id"])
        return thing(bucket) if bucket else None

    def update(self, ctx, prior, planned):
        ctx.progress("changing it")
        ctx.checkpoint_blocking(prior["id"])
        bucket = self.cloud.by_id(prior["id"])
        if bucket is None:
            raise StackwrightError("not_found", "the bucket is gone", code="acme.gone")
        return thing(self.cloud.change(bucket, wanted_of(planned)))

    def delete(self, ctx, prior):
        bucket = self.cloud.by_id(prior["id"])
        if bucket is not None:
            self.cloud.remove(bucket)

    async def ready(self, ctx, object):
        # Ready the second time that it is asked.
        if object["id"] not in self.seen:
            self.seen.add(object["id"])
            return {"not_yet": {"reason": "it is being copied"}}
        return {"ready": object}

    async def recover(self, ctx, id, partial, prior, planned):
        if id is not None:
            bucket, way = self.cloud.by_id(id), "id"
        else:
            bucket, way = self.cloud.by_key(ctx.key), "key"
        name = (planned or {"value": prior["attributes"] if prior else {}})["value"]["name"]
        self.cloud.log("recovered", name, f"by-{way}", "found" if bucket else "absent")
        return {"found": thing(bucket)} if bucket else "absent"
