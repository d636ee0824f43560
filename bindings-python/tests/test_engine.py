"""An engine from open to close: plans, runs, state, events."""

from __future__ import annotations

import asyncio
import contextvars
import json
import threading
from dataclasses import dataclass
from datetime import datetime, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from conftest import Bucket, Cloud, buckets, engine_of

import stackwright
from stackwright import HIDDEN, UNKNOWN, Context, Engine, SyncContext, Template
from stackwright.events import RunFinished, StepFinished, StepStarted


async def test_a_stack_lives_from_plan_to_destroy(cloud: Cloud) -> None:
    async with engine_of(cloud) as engine:
        stack = engine.stack("acme/shop")
        template = buckets("a", "b") | {"output": {"url": {"value": "${acme_bucket.a.url}"}}}
        plan = await stack.plan(template)
        assert plan and not plan.is_empty and plan.counts.add == 2
        assert str(plan.counts) == "2 to add, 0 to change, 0 to destroy"
        assert [(change.address, change.action) for change in plan.changes] == [
            ("acme_bucket.a", "create"),
            ("acme_bucket.b", "create"),
        ]
        assert plan.changes[0].after["id"] is UNKNOWN and plan.changes[0].after["size"] == 1
        assert plan.changes[0].why == "not in state"
        assert "acme_bucket.a" in str(plan) and "hunter2" not in str(plan)
        assert plan.outputs["url"].value is UNKNOWN
        assert plan.to_dict()["resource_changes"][0]["change"]["actions"] == ["create"]

        report = await (await plan.apply(who="me", why="because"))
        assert report.succeeded and report.done == 2
        assert report.outputs == {"url": "https://a.example"}
        assert cloud.names() == ["a", "b"]

        state = await stack.state()
        assert [row.address for row in state.rows] == ["acme_bucket.a", "acme_bucket.b"]
        row = state["acme_bucket.a"]
        assert (row.status, row.ready, row.attributes["token"]) == ("current", True, HIDDEN)
        assert row.object_id == cloud.objects[row.id or ""]["key"]
        assert await stack.outputs() == {"url": "https://a.example"}
        assert [(run.status, run.who, run.why) for run in await stack.runs()] == [("succeeded", "me", "because")]
        assert [found.name for found in await engine.stacks()] == ["acme/shop"]

        assert (await stack.plan(template)).is_empty
        changed = await stack.plan(buckets("a", size=7))
        assert [(change.address, change.action) for change in changed.changes] == [
            ("acme_bucket.a", "update"),
            ("acme_bucket.b", "delete"),
        ]
        assert changed.changes[0].changed == ["size"] and changed.changes[0].before["size"] == 1
        await (await changed.apply())
        assert [found["size"] for found in cloud.objects.values()] == [7]

        await (await stack.destroy())
        assert not cloud.objects and not (await stack.state()).rows
        await stack.forget()
        assert await engine.stacks() == []


async def test_events_come_in_order_and_the_report_after_them(cloud: Cloud) -> None:
    seen: list[str] = []
    async with engine_of(cloud, on_event=lambda event: seen.append(event.type)) as engine:
        run = await engine.stack("acme/shop").apply(buckets("a", "b"))
        events = [event async for event in run]
        assert run.report is not None and run.report.succeeded
    assert [event.seq for event in events] == list(range(len(events)))
    assert events[0].type == "run_started" and isinstance(events[-1], RunFinished)
    assert sorted(event.address for event in events if isinstance(event, StepStarted)) == ["acme_bucket.a", "acme_bucket.b"]
    assert {event.outcome for event in events if isinstance(event, StepFinished)} == {"done"}
    assert abs((datetime.now(timezone.utc) - events[0].at).total_seconds()) < 60
    assert json.loads(json.dumps(events[0].to_dict()))["type"] == "run_started"
    # The sink saw the planning too, and all of it.
    assert seen[:2] == ["planned", "planned"] and seen[2:] == [event.type for event in events]


async def test_a_sink_that_raises_is_reported_and_stops_nothing(cloud: Cloud) -> None:
    reported: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))

    async def sink(event: stackwright.Event) -> None:
        raise KeyError(event.type)

    async with engine_of(cloud, on_event=sink) as engine:
        report = await (await engine.stack("acme/shop").apply(buckets("a")))
    assert report.succeeded
    assert isinstance(reported[-1]["exception"], KeyError)


async def test_a_slow_sink_misses_nothing(cloud: Cloud) -> None:
    seen: list[str] = []

    async def sink(event: stackwright.Event) -> None:
        if not seen:
            # Until planning is long over; the rest comes in later batches.
            await asyncio.sleep(0.3)
        seen.append(event.type)

    async with engine_of(cloud, on_event=sink) as engine:
        await engine.stack("x").plan(buckets(*(f"b{idx}" for idx in range(600))))
    assert seen == ["planned"] * 600


async def test_state_outlives_the_engine(cloud: Cloud, tmp_path: Path) -> None:
    async with engine_of(cloud, store=f"sqlite:///{tmp_path}/state.db") as engine:
        await (await engine.stack("acme/shop").apply(buckets("a")))
    assert (tmp_path / "state.db.key").exists()
    assert b"hunter2" not in (tmp_path / "state.db").read_bytes()
    async with engine_of(cloud, store=tmp_path / "state.db") as engine:
        stack = engine.stack("acme/shop")
        assert (await stack.plan(buckets("a"))).is_empty
        sealed = (await stack.plan(buckets("b"))).to_bytes()
    async with engine_of(cloud, store=tmp_path / "state.db") as engine:
        plan = await engine.stack("acme/shop").open_plan(sealed)
        await (await plan.apply())
    assert cloud.names() == ["b"]


async def test_an_object_is_adopted(cloud: Cloud) -> None:
    cloud.objects["b-7"] = {"id": "b-7", "key": "", "name": "old", "size": 3}
    async with engine_of(cloud) as engine:
        stack = engine.stack("acme/shop")
        plan = await stack.plan(buckets("old", size=3), imports={"acme_bucket.old": "b-7"})
        assert plan.counts.import_ == 1 and len(plan.changes) <= 1
        await (await plan.apply())
        assert (await stack.state())["acme_bucket.old"].id == "b-7"
    assert ("create", "old") not in cloud.log


async def test_what_templates_may_be(cloud: Cloud, tmp_path: Path) -> None:
    text = 'variable "name" {}\nresource "acme_bucket" "a" {\n  name = var.name\n}\n'
    (tmp_path / "main.tf").write_text(text)
    async with engine_of(cloud) as engine:
        stack = engine.stack("acme/shop")
        for template in (tmp_path, str(tmp_path), tmp_path / "main.tf", Template.from_text(text)):
            plan = await stack.plan(template, {"name": "x"})
            assert plan.changes[0].after["name"] == "x"
        with pytest.raises(TypeError, match="from_text"):
            await stack.plan(text)
        problems = await stack.validate(Template.from_text(text.replace("var.name", "var.nmae")))
        assert [(problem.code, problem.place and problem.place.line) for problem in problems] == [("template.reference", 3)]
        assert "var.nmae" in str(problems[0])


@dataclass
class NumberInputs:
    exact: Decimal
    large: int
    ratio: float = 0.5
    anything: Any = None


@dataclass
class NumberOutputs:
    id: str
    double: Decimal
    square: int


@stackwright.resource("acme_number", id="id")
class Number:
    Inputs = NumberInputs
    Outputs = NumberOutputs
    seen: list[NumberInputs] = []

    def create(self, ctx: SyncContext, want: NumberInputs) -> NumberOutputs:
        self.seen.append(want)
        return NumberOutputs("n", want.exact * 2, want.large**2)

    def read(self, ctx: SyncContext, id: str) -> NumberOutputs | None:
        return NumberOutputs("n", self.seen[-1].exact * 2, self.seen[-1].large ** 2)

    def delete(self, ctx: SyncContext) -> None:
        pass


async def test_numbers_are_exact(tmp_path: Path) -> None:
    exact, large = Decimal("0.12345678901234567890123456789"), 2**200 + 1
    async with Engine(resources=[Number]) as engine:
        stack = engine.stack("n")
        template = Template()
        number = template.resource("acme_number", "n", exact=exact, large=large, anything={"deep": [Decimal("0.1"), 2**63]})
        template.output("double", number.double)
        template.output("square", number.square)
        when = template.variable("when", type="string")
        template.output("when", when)
        template.output("where", template.variable("where", type="string"))
        moment = datetime(2026, 5, 4, 3, 2, 1, tzinfo=timezone.utc)
        plan = await stack.plan(template, {"when": moment, "where": Path("/srv/data")})
        await (await plan.apply())
        want = Number.seen[-1]
        assert (want.exact, want.large, want.ratio) == (exact, large, 0.5)
        assert want.anything == {"deep": [Decimal("0.1"), 2**63]}
        with pytest.raises(ValueError, match="time zone"):
            await stack.plan(template, {"when": datetime(2026, 5, 4)})
        outputs = await stack.outputs()
        assert Decimal(outputs["double"]) == exact * 2
        assert int(outputs["square"]) == large**2
        assert outputs["when"] == "2026-05-04T03:02:01Z" and outputs["where"] == "/srv/data"
        assert (await stack.plan(template, {"when": moment, "where": Path("/srv/data")})).is_empty


who = contextvars.ContextVar("who", default="nobody")


@dataclass
class SeenOutputs:
    id: str
    who: str
    thread: str


def seen_type(name: str, blocking: bool) -> object:
    @dataclass
    class Inputs:
        name: str = ""

    def seen() -> SeenOutputs:
        return SeenOutputs("x", who.get(), threading.current_thread().name)

    class Seen:
        Outputs = SeenOutputs

    Seen.Inputs = Inputs  # type: ignore[attr-defined]
    if blocking:

        class Blocking(Seen):
            def create(self, ctx: SyncContext, want: Inputs) -> SeenOutputs:
                ctx.checkpoint("x")
                ctx.progress("made")
                return seen()

            def read(self, ctx: SyncContext, id: str) -> SeenOutputs:
                return seen()

            def delete(self, ctx: SyncContext, id: str) -> None: ...

        return stackwright.resource(name)(Blocking)()

    class Awaiting(Seen):
        async def create(self, ctx: Context, want: Inputs) -> SeenOutputs:
            await ctx.checkpoint("x")
            return seen()

        async def read(self, ctx: Context, id: str) -> SeenOutputs:
            return seen()

        async def delete(self, ctx: Context, id: str) -> None: ...

    return stackwright.resource(name)(Awaiting)()


async def test_verbs_see_the_context_variables_of_whoever_asked() -> None:
    async with Engine(resources=[seen_type("acme_async", False), seen_type("acme_plain", True)]) as engine:

        async def tenant(name: str) -> dict[str, Any]:
            who.set(name)
            template = Template()
            for kind in ("acme_async", "acme_plain"):
                template.output(kind, template.resource(kind, "x"))
            report = await (await engine.stack(f"{name}/x").apply(template))
            return {key: (value["who"], value["thread"]) for key, value in report.outputs.items()}

        for name, outputs in zip("ab", await asyncio.gather(tenant("a"), tenant("b")), strict=True):
            assert {key: found[0] for key, found in outputs.items()} == {"acme_async": name, "acme_plain": name}
            assert outputs["acme_async"][1] == threading.current_thread().name
            assert outputs["acme_plain"][1].startswith("stackwright-verb")


@stackwright.data_source("acme_zone")
class Zone:
    @dataclass
    class Inputs:
        region: str

    @dataclass
    class Outputs:
        zones: list[str]

    async def read(self, want: Inputs) -> Outputs:
        return self.Outputs([f"{want.region}-{letter}" for letter in "ab"])


@stackwright.function("acme::shout")
def shout(text: str, *more: int) -> str:
    """Returns a text in capitals."""
    if not text:
        raise ValueError("there is nothing to shout")
    return text.upper() + "!" * sum(more)


async def test_data_sources_and_functions() -> None:
    async with Engine(data_sources=[Zone], functions=[shout], edition="stackwright") as engine:
        text = """
        data "acme_zone" "z" { region = "gz" }
        output "zones" { value = data.acme_zone.z.zones }
        output "loud" { value = provider::acme::shout("hi", 1, 2) }
        """.replace(" { ", " {\n ").replace(" }\n", "\n}\n")
        stack = engine.stack("z")
        report = await (await stack.apply(Template.from_text(text)))
        assert report.outputs == {"zones": ["gz-a", "gz-b"], "loud": "HI!!!"}
        with pytest.raises(stackwright.InvalidInputError, match="nothing to shout"):
            await stack.plan(Template.from_text(text.replace('"hi"', '""')))
        with pytest.raises(TypeError, match="decorate it with"):
            Engine(functions=[len])
        with pytest.raises(TypeError, match="is no data source"):
            Engine(data_sources=[Bucket])
