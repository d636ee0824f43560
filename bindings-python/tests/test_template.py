"""Templates that are built in Python, and what is drawn of plans."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date, datetime, timezone
from decimal import Decimal
from enum import Enum
from pathlib import PurePosixPath
from uuid import UUID
from xml.etree import ElementTree

import pytest
from conftest import Cloud, buckets, engine_of

import stackwright
from stackwright import Template, expression, literal
from stackwright.progress import Tally


async def test_references_carry_order_and_values(cloud: Cloud) -> None:
    template = Template()
    prefix = template.variable("prefix", type="string", default="x")
    size = template.local("size", expression("length(var.prefix) + 1"))
    base = template.resource("acme_bucket", "base", name=f"{prefix}-base", size=size)
    parts = template.resource("acme_bucket", "part", count=2, name=f"part-{expression('count.index')}", source=base.id)
    template.resource("acme_bucket", "last", name="last", depends_on=[parts])
    template.output("urls", parts.each.url)
    template.output("first", parts[0].url)
    template.output("literal", literal("${not.evaluated}"))
    async with engine_of(cloud) as engine:
        plan = await engine.stack("x").plan(template, {"prefix": "abc"})
        steps = plan.steps
        assert steps[0].address == "acme_bucket.base" and steps[-1].address == "acme_bucket.last"
        assert steps[1].needs == [0] and set(steps[-1].needs) == {1, 2}
        report = await (await plan.apply())
    assert report.outputs == {
        "urls": ["https://part-0.example", "https://part-1.example"],
        "first": "https://part-0.example",
        "literal": "${not.evaluated}",
    }
    assert [name for verb, name in cloud.log if verb == "create"][0] == "abc-base"
    assert next(found["size"] for found in cloud.objects.values() if found["name"] == "abc-base") == 4


def test_an_expression_refuses_what_python_cannot_know() -> None:
    vpc = Template().resource("acme_vpc", "main")
    assert str(vpc.id) == "${acme_vpc.main.id}" and f"http://{vpc.ip}" == "http://${acme_vpc.main.ip}"
    assert str(vpc.subnets["a b"][0].cidr) == '${acme_vpc.main.subnets["a b"][0].cidr}'
    assert str(vpc[expression("each.key")].class_) == "${acme_vpc.main[each.key].class}"
    for wrong in (lambda: bool(vpc.id), lambda: list(vpc.ids), lambda: f"{vpc.port:05}", lambda: setattr(vpc, "a", 1)):
        with pytest.raises((TypeError, ValueError)):
            wrong()


def test_names_are_checked_and_unique() -> None:
    template = Template()
    template.resource("acme_vpc", "main")
    with pytest.raises(ValueError, match="has `acme_vpc.main` already"):
        template.resource("acme_vpc", "main")
    with pytest.raises(ValueError, match="is no name"):
        template.resource("acme_vpc", "1st")


class Tier(Enum):
    SMALL = "small"


@dataclass
class Rule:
    port: int
    open: bool = True


def test_python_values_have_a_form() -> None:
    template = Template.from_dict(
        {
            "locals": {
                "decimal": Decimal("0.10000000000000000000000000001"),
                "large": 2**70,
                "when": datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc),
                "day": date(2026, 1, 2),
                "path": PurePosixPath("/a/b"),
                "uuid": UUID(int=7),
                "tier": Tier.SMALL,
                "rules": (Rule(80), Rule(443, open=False)),
                "set": {"b", "a"},
                "text": 'a "quoted"\nline',
            }
        }
    )
    text = template.to_json()
    assert '"decimal":0.10000000000000000000000000001,"large":1180591620717411303424' in text
    values = json.loads(text)["locals"]
    assert values["when"] == "2026-01-02T03:04:05Z" and values["day"] == "2026-01-02" and values["path"] == "/a/b"
    assert values["uuid"] == str(UUID(int=7)) and values["tier"] == "small" and values["set"] == ["a", "b"]
    assert values["rules"] == [{"port": 80, "open": True}, {"port": 443, "open": False}]
    assert values["text"] == 'a "quoted"\nline'
    for wrong in (b"bytes", object(), float("nan"), {1.5: 1}):
        with pytest.raises((TypeError, ValueError)):
            Template.from_dict({"locals": {"x": wrong}}).to_json()


async def test_a_plan_is_drawn_without_its_secrets(cloud: Cloud) -> None:
    async with engine_of(cloud) as engine:
        stack = engine.stack("x<b>")
        plan = await stack.plan(buckets("a"))
        page = plan._repr_html_()
        assert "1 to add" in page and "acme_bucket.a" in page and "known after apply" in page
        assert "default/x&lt;b&gt;" in page and "<b>" not in plan.stack_name.replace("x<b>", "")
        await (await plan.apply())
        changed = await stack.plan(buckets("a", size=2))
        page = changed._repr_html_()
        assert '1 → <span class="change">2</span>' in page and ">(sensitive value)<" in page and "hunter2" not in page
        assert "Nothing to do" in (await stack.plan(buckets("a")))._repr_html_()
        drawn = await stack.plan(
            {"resource": {"acme_bucket": {"a": {"name": "a"}, "b": {"name": "b", "source": "${acme_bucket.c.id}"}, "c": {"name": "c"}}}}
        )
        svg = ElementTree.fromstring(drawn.graph._repr_svg_())
        titles = [title.text for title in svg.iter("{http://www.w3.org/2000/svg}title")]
        assert sorted(title or "" for title in titles) == ["create acme_bucket.b", "create acme_bucket.c"]
        assert len(list(svg.iter("{http://www.w3.org/2000/svg}path"))) == 1
        assert drawn.graph.dot().count("->") == 1


async def test_progress_is_told_line_by_line(cloud: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    async with engine_of(cloud) as engine:
        run = await engine.stack("x").apply(buckets("a", "b"))
        assert (await run.show()).succeeded
    lines = capsys.readouterr().err.splitlines()
    assert lines[-1] == "succeeded: 2 done, 0 failed, 0 skipped"
    assert "[2/2]" in lines[-2] and "create done" in lines[-2]


async def test_progress_adds_up(cloud: Cloud) -> None:
    def refuse(verb: str, name: str) -> None:
        if (verb, name) == ("create", "b"):
            raise stackwright.DeniedError("no <more>")

    cloud.hook = refuse
    tally = Tally()
    async with engine_of(cloud) as engine:
        run = await engine.stack("x").apply(buckets("a", "b"), on_failure="continue")
        async for event in run:
            tally.take(event)
    assert (tally.total, tally.done, tally.failed, tally.status, tally.part) == (2, 1, 1, "failed", 1.0)
    page = tally._repr_html_()
    assert "1 of 2 done, 1 not, failed" in page and "no &lt;more&gt;" in page
