"""Schemas from type hints, and values on their way in and out."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, time, timezone
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal, TypedDict
from uuid import UUID

import pytest

import stackwright
from stackwright import Computed, Context, Engine, ForceNew, Sensitive, Tags, Template, WriteOnly
from stackwright._types import Mismatch, codec_of, model_of
from stackwright.resources import collect


class Color(Enum):
    RED = "red"
    BLUE = "blue"


@dataclass
class Rule:
    port: int
    note: str = ""


class Options(TypedDict, total=False):
    deep: bool


MOMENT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("hint", "wire", "value", "json"),
    [
        (str, "string", "a", "a"),
        (bool, "bool", True, True),
        (int, "number", 2**70, 2**70),
        (float, "number", 0.5, 0.5),
        (Decimal, "number", Decimal("0.1"), "0.1"),
        (datetime, "string", MOMENT, "2026-01-02T03:04:05Z"),
        (date, "string", date(2026, 1, 2), "2026-01-02"),
        (time, "string", time(3, 4), "03:04:00"),
        (Path, "string", Path("/a"), "/a"),
        (UUID, "string", UUID(int=7), str(UUID(int=7))),
        (Color, "string", Color.RED, "red"),
        (Literal["a", "b"], "string", "b", "b"),
        (str | None, "string", None, None),
        (list[int], ["list", "number"], [1, 2], [1, 2]),
        (tuple[str, ...], ["list", "string"], ("a",), ["a"]),
        (tuple[str, int], ["tuple", ["string", "number"]], ("a", 1), ["a", 1]),
        (set[str], ["set", "string"], {"b", "a"}, ["a", "b"]),
        (dict[str, list[bool]], ["map", ["list", "bool"]], {"x": [True]}, {"x": [True]}),
        (Rule, ["object", {"port": "number", "note": "string"}, ["note"]], Rule(80, "web"), {"port": 80, "note": "web"}),
        (Options, ["object", {"deep": "bool"}, ["deep"]], {"deep": True}, {"deep": True}),
        (Any, "dynamic", {"a": [1, None]}, {"a": [1, None]}),
    ],
)
def test_hints_have_a_type_and_both_ways(hint: Any, wire: Any, value: Any, json: Any) -> None:
    codec = codec_of(hint, "x")
    assert codec.wire == wire
    assert codec.dump(value) == json
    assert codec.load(json) == value and type(codec.load(json)) is type(value)


@pytest.mark.parametrize("hint", [bytes, complex, int | str, dict[int, str], type(None), Literal["a", 1], list[bytes], "Rule"])
def test_hints_without_a_form_are_refused(hint: Any) -> None:
    with pytest.raises(TypeError, match="x: "):
        codec_of(hint, "x")


@pytest.mark.parametrize(
    ("hint", "value", "message"),
    [
        (str, 1, "expected str, found int"),
        (int, True, "expected int, found bool"),
        (int, 1.5, "expected int, found float"),
        (list[int], ["hunter2"], "[0]: expected int, found str"),
        (list[str], "hunter2", "expected list, found str"),
        (dict[str, int], {"a": "hunter2"}, "['a']: expected int, found str"),
        (Rule, {"port": "hunter2"}, "port: expected int, found str"),
        (Literal["a"], "hunter2", "expected one of 'a', found str"),
        (Color, "hunter2", "expected one of 'red', 'blue', found str"),
        (UUID, 7, "expected UUID, found int"),
    ],
)
def test_values_that_do_not_fit_are_named_and_not_shown(hint: Any, value: Any, message: str) -> None:
    with pytest.raises(Mismatch) as caught:
        codec_of(hint, "x").dump(value)
    assert str(caught.value) == message


@dataclass
class Inputs:
    name: Annotated[str, ForceNew, "What it is called."]
    password: Annotated[str, WriteOnly]
    size: int = 3
    tags: dict[str, str] = field(default_factory=dict)
    comment: str | None = None
    zone: Annotated[str | None, Computed] = None
    color: Color = Color.RED


@dataclass
class Outputs:
    id: str
    zone: str | None
    token: Annotated[str, Sensitive]


def thing(**verbs: Any) -> type:
    async def create(self: Any, ctx: Context, want: Inputs) -> Outputs:
        self.wants.append(want)
        return Outputs("i", want.zone or "chosen", "hunter2")

    async def read(self: Any, id: str, was: Any) -> Outputs:
        self.was.append(was)
        return Outputs("i", was.outputs.zone, "hunter2")

    async def delete(self: Any) -> None: ...

    body = {"Inputs": Inputs, "Outputs": Outputs, "create": create, "read": read, "delete": delete, "wants": [], "was": [], **verbs}
    return type("Thing", (), body)


def test_a_schema_says_all_that_the_hints_say() -> None:
    (item,) = collect(
        "resource", [stackwright.resource("acme_thing", version=2)(thing(update=lambda self, ctx, id, want, was: None))]
    )
    schema = item.descriptor["schema"]
    assert schema["version"] == 2
    assert schema["block"]["attributes"] == {
        "name": {"type": "string", "forces_replacement": True, "description": "What it is called.", "required": True},
        "password": {"type": "string", "write_only": True, "required": True},
        "size": {"type": "number", "optional": True, "default": 3},
        "tags": {"type": ["map", "string"], "optional": True, "default": {}},
        "comment": {"type": "string", "optional": True},
        "zone": {"type": "string", "optional": True, "computed": True},
        "color": {"type": "string", "optional": True, "default": "red", "checks": [{"one_of": ["red", "blue"]}]},
        "id": {"type": "string", "computed": True},
        "token": {"type": "string", "computed": True, "sensitive": True},
    }
    # Without `update`, every change makes a new object.
    (item,) = collect("resource", [stackwright.resource("acme_thing")(thing())])
    attributes = item.descriptor["schema"]["block"]["attributes"]
    assert all(attributes[name].get("forces_replacement") for name in ("name", "size", "tags", "comment", "zone", "color"))
    assert "forces_replacement" not in attributes["password"] and item.descriptor["verbs"] == []


async def test_the_engine_puts_locked_tags_where_a_type_takes_them() -> None:
    @dataclass
    class Tagged:
        name: str
        labels: Annotated[dict[str, str], Tags] = field(default_factory=dict)

    seen: list[tuple[dict[str, str], dict[str, str]]] = []

    async def create(self: Any, ctx: Context, want: Tagged) -> Outputs:
        seen.append((want.labels, dict(ctx.tags)))
        return Outputs("i", "z", "t")

    body = {"Inputs": Tagged, "create": create, "update": lambda self, ctx, id, want, was: None}
    kind = stackwright.resource("acme_thing")(thing(**body))
    (item,) = collect("resource", [kind])
    labels = item.descriptor["schema"]["block"]["attributes"]["labels"]
    assert labels == {"type": ["map", "string"], "optional": True, "default": {}, "takes_tags": True}
    locked = {"team": "red", "stackwright-tenant": "default", "stackwright-stack": "x"}
    async with Engine(resources=[kind], tags={"team": "red"}) as engine:
        stack = engine.stack("x")
        template = Template()
        template.resource("acme_thing", "a", name="n", labels={"of": "mine"})
        await (await stack.apply(template)).result()
        assert seen == [({"of": "mine"} | locked, locked)]
        template = Template()
        template.resource("acme_thing", "a", name="n", labels={"team": "blue"})
        with pytest.raises(stackwright.InvalidInputError) as caught:
            await stack.plan(template)
        assert [problem.code for problem in caught.value.diagnostics] == ["plan.tag_locked"]


async def test_what_is_write_only_reaches_the_type_and_nothing_else() -> None:
    kind = stackwright.resource("acme_thing")(thing())
    async with Engine(resources=[kind]) as engine:
        stack = engine.stack("x")
        template = Template()
        made = template.resource("acme_thing", "a", name="n", password="hunter2")
        template.output("zone", made.zone)
        report = await (await stack.apply(template))
        assert report.outputs == {"zone": "chosen"}
        want = kind.wants[-1]
        assert want == Inputs("n", "hunter2", 3, {}, None, None, Color.RED)
        assert (await stack.plan(template)).is_empty
        was = kind.was[-1]
        assert was.id == "i" and was.inputs.password is stackwright.UNKNOWN and was.outputs.token == "hunter2"
        assert (await stack.state())["acme_thing.a"].attributes["password"] in (None, stackwright.HIDDEN)
        with pytest.raises(stackwright.InvalidInputError, match="must be one of"):
            await stack.plan({"resource": {"acme_thing": {"a": {"name": "n", "password": "p", "color": "green"}}}})


def test_classes_that_cannot_be_types_say_what_to_change() -> None:
    decorate = stackwright.resource("acme_thing")
    for change, message in (
        ({"create": None}, "has no `create`"),
        ({"Inputs": None, "Outputs": None}, "has neither `Inputs` nor `Outputs`"),
        ({"Outputs": Rule}, r"resource\(…, id=…\)"),
        ({"Outputs": int}, "has to be a dataclass, a TypedDict or a pydantic model"),
        ({"read": lambda self, context: None}, "takes `context`, but it can only take self, ctx, id, was"),
    ):
        with pytest.raises(TypeError, match=message):
            decorate(thing(**change))
    with pytest.raises(TypeError, match="decorate its class with @stackwright.resource"):
        Engine(resources=[Rule(1)])
    with pytest.raises(TypeError, match="pass an object of it"):
        Engine(resources=[decorate(thing(__init__=lambda self, client: None))])


async def test_pydantic_models_validate_while_planning() -> None:
    pydantic = pytest.importorskip("pydantic")

    class Wanted(pydantic.BaseModel):
        name: Annotated[str, ForceNew] = pydantic.Field(min_length=2, description="Its name.")
        port: int = pydantic.Field(default=80, ge=1, le=65535)
        rule: Rule | None = None
        secret: pydantic.SecretStr = pydantic.SecretStr("hunter2")

        @pydantic.field_validator("name")
        @classmethod
        def _lower(cls, name: str) -> str:
            if name != name.lower():
                raise ValueError("write it in small letters")
            return name

    class Made(pydantic.BaseModel):
        id: str
        url: str

    wants: list[Any] = []

    @stackwright.resource("acme_site")
    class Site:
        Inputs = Wanted
        Outputs = Made

        async def create(self, want: Wanted) -> Made:
            wants.append(want)
            return Made(id="s", url=f"http://{want.name}:{want.port}")

        async def read(self, id: str, was: Any) -> Made:
            return was.outputs

        async def delete(self) -> None: ...

    attributes = collect("resource", [Site])[0].descriptor["schema"]["block"]["attributes"]
    assert attributes["name"]["checks"] == [{"length": {"min": 2}}] and attributes["name"]["description"] == "Its name."
    assert attributes["port"]["checks"] == [{"range": {"min": 1, "max": 65535}}]
    assert attributes["secret"]["sensitive"] is True
    async with Engine(resources=[Site]) as engine:
        stack = engine.stack("x")
        site = {"resource": {"acme_site": {"a": {"name": "shop", "rule": {"port": 1}}}}}
        await (await stack.apply(site))
        assert isinstance(wants[0], Wanted) and wants[0].rule == Rule(1) and wants[0].secret.get_secret_value() == "hunter2"
        assert (await stack.plan(site)).is_empty
        with pytest.raises(stackwright.InvalidInputError, match="write it in small letters") as caught:
            await stack.plan({"resource": {"acme_site": {"a": {"name": "SHOP"}}}})
        assert isinstance(caught.value.__cause__, stackwright.InvalidInputError)
        assert isinstance(caught.value.__cause__.__cause__, pydantic.ValidationError)


def test_models_know_their_own_names() -> None:
    @dataclass
    class Local:
        rule: Rule

    assert model_of(Local, "Local", {}).fields["rule"].codec.wire[0] == "object"
