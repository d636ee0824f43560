"""Cancelling: tasks, hurry, time-outs, dropped runs, close; what was begun is recorded, whatever happens."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from conftest import Bucket, BucketInputs, BucketOutputs, Cloud, buckets, engine_of

import stackwright
from stackwright import Context, Engine, RunFailedError


class Gate:
    """Holds creations until somebody opens it."""

    def __init__(self, cloud: Cloud) -> None:
        self.reached, self.opened = asyncio.Event(), asyncio.Event()
        cloud.hook = self.pass_through

    async def pass_through(self, verb: str, name: str) -> None:
        if verb == "create":
            self.reached.set()
            await self.opened.wait()


async def begun(task: asyncio.Task[Any], gate: Gate) -> None:
    """Waits until a creation stands still and a task has begun to wait: one that never ran could not drain anything."""
    await gate.reached.wait()
    for _ in range(100):
        await asyncio.sleep(0)
    assert not task.done()


async def consistent(engine: Engine, cloud: Cloud) -> list[str]:
    """Returns the addresses in state, which agree with the cloud; no run is left unfinished."""
    stack = engine.stack("x")
    rows = (await stack.state()).rows
    assert sorted(row.id or "" for row in rows) == sorted(cloud.objects)
    assert all(row.status == "current" for row in rows)
    assert await stack.unfinished_run() is None
    return [row.address for row in rows]


async def test_cancelling_a_task_drains_the_run(cloud: Cloud) -> None:
    gate = Gate(cloud)
    async with engine_of(cloud) as engine:
        run = await (await engine.stack("x").plan(buckets("a", "b", "c"))).apply(parallelism=1)
        waiter = asyncio.create_task(run.result())
        await begun(waiter, gate)
        waiter.cancel()
        done, _ = await asyncio.wait([waiter], timeout=0.05)
        assert not done, "the creation that was begun is waited for"
        gate.opened.set()
        with pytest.raises(asyncio.CancelledError):
            await waiter
        assert run.report is not None and run.report.status == "cancelled"
        assert len(await consistent(engine, cloud)) == 1


async def test_wait_for_drains_too(cloud: Cloud) -> None:
    gate = Gate(cloud)
    async with engine_of(cloud) as engine:
        run = await (await engine.stack("x").plan(buckets("a", "b"))).apply(parallelism=1)
        asyncio.get_running_loop().call_later(0.2, gate.opened.set)
        with pytest.raises((TimeoutError, asyncio.TimeoutError)):
            await asyncio.wait_for(run.result(), 0.05)
        assert run.report is not None and run.report.status == "cancelled"
        assert len(await consistent(engine, cloud)) == 1


async def test_cancelling_who_follows_the_events_drains_too(cloud: Cloud) -> None:
    gate = Gate(cloud)
    async with engine_of(cloud) as engine:
        run = await (await engine.stack("x").plan(buckets("a", "b"))).apply(parallelism=1)

        async def follow() -> None:
            async for _ in run:
                pass

        follower = asyncio.create_task(follow())
        await begun(follower, gate)
        follower.cancel()
        gate.opened.set()
        with pytest.raises(asyncio.CancelledError):
            await follower
        assert run.report is not None and run.report.status == "cancelled"
        assert len(await consistent(engine, cloud)) == 1


async def test_a_second_cancel_hurries_and_resuming_settles(cloud: Cloud) -> None:
    gate = Gate(cloud)
    seen: list[str] = []

    class Patient(Bucket):
        async def create(self, ctx: Context, want: BucketInputs) -> BucketOutputs:
            made = asyncio.ensure_future(super().create(ctx, want))
            if await ctx.cancelled():
                seen.append("cancelled" if ctx.is_cancelled else "not cancelled")
                gate.opened.set()
            return await made

    async with Engine(resources=[Patient(cloud)]) as engine:
        run = await engine.stack("x").apply(buckets("a"))
        waiter = asyncio.create_task(run.wait())
        await begun(waiter, gate)
        waiter.cancel()
        await asyncio.sleep(0)
        waiter.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiter
        assert seen == ["cancelled"]
        stack = engine.stack("x")
        if await stack.unfinished_run() is not None:
            await (await stack.resume(run.id)).wait()
        assert await consistent(engine, cloud) == ["acme_bucket.a"]


async def test_a_block_that_raises_drains_its_run(cloud: Cloud) -> None:
    gate = Gate(cloud)
    async with engine_of(cloud) as engine:
        with pytest.raises(KeyError):
            async with await (await engine.stack("x").plan(buckets("a", "b"))).apply(parallelism=1):
                await gate.reached.wait()
                gate.opened.set()
                raise KeyError
        assert len(await consistent(engine, cloud)) == 1


async def test_closing_drains_what_is_under_way(cloud: Cloud, tmp_path: Any) -> None:
    gate = Gate(cloud)

    async def sink(event: stackwright.Event) -> None:
        if event.type == "cancel_requested":
            gate.opened.set()

    async with engine_of(cloud, store=tmp_path / "state.db", on_event=sink) as engine:
        # Nobody holds the run: it goes on all the same.
        await (await engine.stack("x").plan(buckets("a", "b"))).apply(parallelism=1)
        await gate.reached.wait()
    assert len(cloud.objects) == 1
    async with engine_of(cloud, store=tmp_path / "state.db") as engine:
        assert len(await consistent(engine, cloud)) == 1
        assert [run.status for run in await engine.stack("x").runs()] == ["cancelled"]


async def test_a_run_that_nobody_awaits_goes_on(cloud: Cloud) -> None:
    async with engine_of(cloud) as engine:
        stack = engine.stack("x")
        await stack.apply(buckets("a"))
        while await stack.unfinished_run() is not None:
            await asyncio.sleep(0.01)
        assert await consistent(engine, cloud) == ["acme_bucket.a"]


async def test_cancelling_a_plan_ends_it(cloud: Cloud) -> None:
    reached, cancelled = asyncio.Event(), asyncio.Event()

    class Slow(Bucket):
        async def validate(self, ctx: Context) -> None:
            reached.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                cancelled.set()
                raise

    async with Engine(resources=[Slow(cloud)]) as engine:
        planning = asyncio.create_task(engine.stack("x").plan(buckets("a")))
        await reached.wait()
        planning.cancel()
        with pytest.raises(asyncio.CancelledError):
            await planning
        # The engine does not wait for the verb any more, and says so.
        await asyncio.wait_for(cancelled.wait(), 10)


async def test_a_call_that_takes_too_long_is_told_and_looked_up(cloud: Cloud) -> None:
    told: list[bool] = []

    @stackwright.resource("acme_bucket", call_timeout=0.2)
    class Late(Bucket):
        async def create(self, ctx: Context, want: BucketInputs) -> BucketOutputs:
            outputs = await super().create(ctx, want)
            assert ctx.deadline is not None
            if not told:
                told.append(await ctx.cancelled())
                await asyncio.Event().wait()
            return outputs

    async with Engine(resources=[Late(cloud)]) as engine:
        report = await (await engine.stack("x").apply(buckets("a"))).wait()
        assert told == [True]
        assert report.succeeded, report
        assert cloud.names() == ["a"] and ("recover", "acme_bucket.a") in cloud.log


@pytest.mark.parametrize("verb", ["create", "read", "update", "delete"])
async def test_an_exception_from_every_verb_is_named(cloud: Cloud, verb: str) -> None:
    mine = ZeroDivisionError("hunter2")

    async def fail(self: object, ctx: Context) -> Any:
        raise mine

    async def cannot_tell(self: object, ctx: Context) -> stackwright.CannotTell:
        return stackwright.CannotTell("nobody knows")

    failing = type("Failing", (Bucket,), {"recover": cannot_tell})
    async with Engine(resources=[failing(cloud)]) as engine:
        stack = engine.stack("x")
        if verb != "create":
            await (await stack.apply(buckets("a")))
        setattr(failing, verb, fail)
        # Verbs are looked up when an engine is made.
        engine._bridge.types[("resource", "acme_bucket")].verbs[verb] = stackwright.resources.Verb.of(
            getattr(failing(cloud), verb), ("ctx",), verb
        )
        with pytest.raises(stackwright.StackwrightError) as caught:
            if verb == "delete":
                await (await stack.destroy())
            else:
                await (await stack.apply(buckets("a", size=2)))
        assert caught.value.__cause__ is mine
        assert "hunter2" not in str(caught.value)
        if verb != "read":
            assert isinstance(caught.value, RunFailedError)
            assert caught.value.report.status == "stuck"


async def test_256_calls_at_once(cloud: Cloud) -> None:
    begun, all_there = 0, asyncio.Event()

    class Counting(Bucket):
        async def create(self, ctx: Context, want: BucketInputs) -> BucketOutputs:
            nonlocal begun
            begun += 1
            if begun == 256:
                all_there.set()
            # None ends before so many have begun.
            await asyncio.wait_for(all_there.wait(), 60)
            return await super().create(ctx, want)

    async with Engine(resources=[Counting(cloud)]) as engine:
        names = [f"b{idx}" for idx in range(512)]
        report = await (await (await engine.stack("x").plan(buckets(*names))).apply(parallelism=256))
        assert report.done == 512 and len(cloud.objects) == 512
        assert len(await consistent(engine, cloud)) == 512
