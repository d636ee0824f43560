"""Exceptions: classes, codes, causes; what types raise and return, and what becomes of it."""

from __future__ import annotations

import asyncio
import pickle
from datetime import timedelta
from typing import Any

import pytest
from conftest import Bucket, BucketInputs, BucketOutputs, Cloud, buckets, engine_of

import stackwright
from stackwright import Context, Diagnostic, Engine, RunFailedError, StackwrightError, Template


async def test_a_broken_template_raises_every_diagnostic(cloud: Cloud) -> None:
    async with engine_of(cloud) as engine:
        with pytest.raises(stackwright.InvalidInputError) as caught:
            await engine.stack("x").plan(Template.from_text('resource "acme_bukkit" "a" {\n}\noutput "b" {\n value = local.c\n}\n'))
    error = caught.value
    assert isinstance(error, ValueError) and isinstance(error, StackwrightError)
    assert error.code == "template.invalid" and error.kind == "invalid_input"
    assert {problem.code for problem in error.diagnostics} == {"template.resource_type", "template.reference"}
    assert all(problem.place is not None and problem.place.file == "main.tf" for problem in error.diagnostics)
    assert "acme_bucket" in str(error), "the suggestion is shown"


async def test_the_type_s_own_exception_is_the_cause(cloud: Cloud) -> None:
    mine = KeyError("hunter2")

    def refuse(verb: str, name: str) -> None:
        if verb == "create":
            raise mine

    cloud.hook = refuse
    async with engine_of(cloud) as engine:
        run = await engine.stack("x").apply(buckets("a"))
        with pytest.raises(RunFailedError) as caught:
            await run
    assert caught.value.__cause__ is mine
    assert isinstance(caught.value, RuntimeError)
    problem = caught.value.report.problems[0]
    assert problem.address == "acme_bucket.a" and problem.error.__cause__ is mine
    assert problem.error.code == "host.failed"
    # Its words stay on this side: they may be secret.
    assert "hunter2" not in str(caught.value) and "KeyError" in str(caught.value)
    assert await_report(caught.value).failed == 1


def await_report(error: RunFailedError) -> stackwright.Report:
    return error.report


async def test_an_error_with_a_kind_keeps_all_that_it_says(cloud: Cloud) -> None:
    mine = stackwright.DeniedError("no more buckets today", code="acme.quota", context={"quota": "3"})

    def refuse(verb: str, name: str) -> None:
        raise mine

    cloud.hook = refuse
    async with engine_of(cloud) as engine:
        with pytest.raises(RunFailedError) as caught:
            await (await engine.stack("x").apply(buckets("a")))
    error = caught.value.report.problems[0].error
    assert isinstance(error, stackwright.DeniedError) and isinstance(error, PermissionError)
    assert (error.code, error.message, error.effect, error.context["quota"]) == ("acme.quota", "no more buckets today", "none", "3")
    assert error.__cause__ is mine
    assert ("recover", "acme_bucket.a") not in cloud.log, "nothing was done, so nothing is looked up"


async def test_an_exception_after_the_fact_is_looked_up_and_nothing_is_made_twice(cloud: Cloud) -> None:
    raised: list[str] = []

    def tear(verb: str, name: str) -> None:
        if verb == "created" and name not in raised:
            raised.append(name)
            raise ConnectionResetError("the line is dead")

    cloud.hook = tear
    async with engine_of(cloud) as engine:
        report = await (await engine.stack("x").apply(buckets("a", "b")))
    assert report.succeeded and cloud.names() == ["a", "b"]
    assert cloud.log.count(("create", "a")) == 1 and cloud.log.count(("recover", "acme_bucket.a")) == 1


async def test_half_an_object_is_not_a_lost_object(cloud: Cloud) -> None:
    why = stackwright.UnavailableError("the replica is missing", code="acme.torn", retry=1.5)

    class Torn(Bucket):
        async def create(self, ctx: Context, want: BucketInputs) -> BucketOutputs:
            outputs = await super().create(ctx, want)
            raise stackwright.Partial(outputs) from why

    async with Engine(resources=[Torn(cloud)]) as engine:
        stack = engine.stack("x")
        with pytest.raises(RunFailedError) as caught:
            await (await stack.apply(buckets("a")))
        assert caught.value.__cause__ is why
        row = (await stack.state())["acme_bucket.a"]
        assert row.status == "tainted" and row.id in cloud.objects
        assert [change.action for change in (await stack.plan(buckets("a"))).changes] == ["replace"]


async def test_what_a_type_refuses_is_known_while_planning(cloud: Cloud) -> None:
    class Strict(Bucket):
        async def validate(self, want: BucketInputs) -> None:
            if want.name != want.name.lower():
                raise stackwright.InvalidInputError("buckets are written in small letters", code="acme.name")

    async with Engine(resources=[Strict(cloud)]) as engine:
        with pytest.raises(stackwright.InvalidInputError, match="small letters") as caught:
            await engine.stack("x").plan(buckets("Loud"))
        assert caught.value.code == "plan.failed"
        assert [problem.code for problem in caught.value.diagnostics] == ["acme.name"]
        cause = caught.value.__cause__
        assert isinstance(cause, stackwright.InvalidInputError) and cause.code == "acme.name"


@pytest.mark.parametrize(
    ("verb", "result", "message"),
    [
        ("create", None, "expected `BucketOutputs`, found NoneType"),
        ("create", "b-1", "expected `BucketOutputs`, found str"),
        ("create", {"id": "b-1", "url": "x"}, "token: expected a value"),
        ("create", {"id": "b-1", "url": 7, "token": "hunter2"}, "url: expected str, found int"),
        ("create", {"id": "b-1", "url": "x", "token": "hunter2", "extra": 1}, "without `extra`"),
        ("create", BucketOutputs(None, "x", "hunter2"), "id: expected a value"),  # type: ignore[arg-type]
        ("read", 7, "expected `BucketOutputs`, found int"),
        ("update", ("hunter2", None), "expected `BucketInputs`, found str"),
    ],
)
async def test_wrong_shapes_are_named_without_their_values(cloud: Cloud, verb: str, result: Any, message: str) -> None:
    async def wrong(self: object, ctx: Context) -> Any:
        return result

    wrong_type = type("Wrong", (Bucket,), {})
    async with Engine(resources=[wrong_type(cloud)]) as engine:
        stack = engine.stack("x")
        if verb != "create":
            await (await stack.apply(buckets("a")))
    setattr(wrong_type, verb, wrong)
    recovered: list[str] = []

    async def recover(self: object, ctx: Context) -> Any:
        recovered.append(ctx.address)
        return stackwright.CannotTell("nobody knows")

    wrong_type.recover = recover  # type: ignore[attr-defined]
    async with Engine(resources=[wrong_type(cloud)]) as engine:
        stack = engine.stack("x")
        with pytest.raises(StackwrightError) as caught:
            if verb == "read":
                await (await stack.apply(buckets("a")))
                await stack.plan(buckets("a"))
            elif verb == "update":
                await (await stack.apply(buckets("a")))
                await (await stack.apply(buckets("a", size=2)))
            else:
                await (await stack.apply(buckets("a")))
        error: StackwrightError = caught.value
        if isinstance(error, RunFailedError):
            assert recovered == ["acme_bucket.a"], "its effect is unknown, so the world is asked"
            assert (await stack.state()).rows[0].status == "uncertain"
        assert isinstance(error.__cause__, stackwright.BugError) and error.__cause__.code == "host.reply"
        for text in (str(error), str(error.__cause__)):
            assert "hunter2" not in text
        assert message in str(error.__cause__)


async def test_plan_stale_is_a_conflict(cloud: Cloud) -> None:
    async with engine_of(cloud) as engine:
        stack = engine.stack("x")
        first, second = await stack.plan(buckets("a")), await stack.plan(buckets("a"))
        await (await first.apply())
        with pytest.raises(stackwright.ConflictError) as caught:
            await second.apply()
    assert caught.value.code == "plan.stale" and isinstance(caught.value, RuntimeError)


async def test_a_closed_engine_says_so(cloud: Cloud) -> None:
    engine = engine_of(cloud)
    with pytest.raises(StackwrightError, match="not open") as caught:
        await engine.stack("x").plan({})
    assert caught.value.code == "host.closed"
    async with engine:
        plan = await engine.stack("x").plan({})
    with pytest.raises(StackwrightError, match="closed"):
        await plan.apply()


async def test_an_engine_of_another_loop_says_so(cloud: Cloud) -> None:
    async with engine_of(cloud) as engine:

        def elsewhere() -> str:
            async def ask() -> None:
                await engine.stack("x").state()

            with pytest.raises(StackwrightError) as caught:
                asyncio.run(ask())
            return caught.value.code

        assert await asyncio.to_thread(elsewhere) == "host.wrong_loop"


def test_errors_survive_pickling() -> None:
    error = stackwright.DeniedError("no", code="acme.no", retry=timedelta(seconds=2), diagnostics=[Diagnostic("a.b", "c")])
    back = pickle.loads(pickle.dumps(error))
    assert type(back) is type(error)
    assert (back.code, back.retry, back.diagnostics, str(back)) == (error.code, error.retry, error.diagnostics, str(error))


def test_every_kind_has_a_class_and_a_code_has_a_form() -> None:
    from stackwright.errors import BY_KIND, error_from_json, error_to_json

    assert len(BY_KIND) == 10
    for kind, cls in BY_KIND.items():
        error = cls("x", code="a.b", retry=2, effect="unknown", context={"k": "v"}, diagnostics=[Diagnostic("c", "d", help="e")])
        back = error_from_json(error_to_json(error))
        assert type(back) is cls and back.kind == kind
        assert (back.retry, back.effect, back.context, back.diagnostics) == (error.retry, error.effect, error.context, error.diagnostics)
