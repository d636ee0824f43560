"""Resource types, data sources and functions that are written in Python.

.. code-block:: python

    @stackwright.resource("acme_bucket")
    class Bucket:
        @dataclass
        class Inputs:
            name: Annotated[str, ForceNew]

        @dataclass
        class Outputs:
            id: str

        async def create(self, ctx: Context, want: Inputs) -> Outputs: ...
        async def read(self, ctx: Context, id: str) -> Outputs | None: ...
        async def delete(self, ctx: Context, id: str) -> None: ...

A verb names the arguments that it wants; `Verbs` in the documentation of `resource` lists them. Verbs are `async def`, which
run on the event loop, or plain functions, which run on a thread of a pool and may block.
"""

from __future__ import annotations

import inspect
import sys
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Generic, NoReturn, TypeVar, cast

from . import _json
from ._types import Json, Mismatch, Model, Shape, codec_of, model_of
from .context import Context, SyncContext
from .errors import Diagnostic, InvalidInputError, StackwrightError, UnsupportedError, error_to_json

__all__ = ["CannotTell", "Existing", "NeverReady", "Planned", "data_source", "function", "resource"]

I = TypeVar("I")
O = TypeVar("O")
C = TypeVar("C", bound=type)
F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class Existing(Generic[I, O]):
    """An object as the engine remembers it; the argument `was` of verbs."""

    id: str
    """The id that the remote system uses."""
    inputs: I
    """As the template wanted it."""
    outputs: O
    """As the type returned it."""


@dataclass(frozen=True)
class Planned:
    """What `plan` may return: what is known already, and what makes a new object necessary."""

    values: Mapping[str, object] = field(default_factory=dict[str, object])
    """Attributes that are computed and known before the object exists."""
    replace: tuple[str, ...] = ()
    """Names of attributes whose change makes a new object necessary."""


@dataclass(frozen=True)
class CannotTell:
    """What `recover` returns when nobody can say what became of a call."""

    reason: str
    """Why, for people. No secrets."""


class NeverReady(Exception):
    """Raised by `ready` when the object will never work; the message says why."""


# The arguments that each verb may name, and the verb as the engine calls it.
_VERBS: dict[str, tuple[str, tuple[str, ...]]] = {
    "validate": ("validate", ("ctx", "want")),
    "plan": ("plan", ("ctx", "want", "was")),
    "create": ("create", ("ctx", "want")),
    "read": ("read", ("ctx", "id", "was")),
    "update": ("update", ("ctx", "id", "want", "was")),
    "delete": ("delete", ("ctx", "id", "was")),
    "import_": ("import", ("ctx", "id")),
    "ready": ("ready", ("ctx", "id", "was")),
    "recover": ("recover", ("ctx", "id", "want", "was", "partial")),
    "upgrade": ("upgrade", ("ctx", "version", "attributes")),
}
_OPTIONAL = ("validate", "plan", "import", "ready", "recover", "upgrade")
_NEEDED = ("create", "read", "delete")


@dataclass(frozen=True)
class Verb:
    """A method, and how it is called."""

    function: Callable[..., Any]
    is_async: bool
    parameters: tuple[str, ...]

    @classmethod
    def of(cls, function: Callable[..., Any], allowed: tuple[str, ...], where: str) -> Verb:
        parameters = list(inspect.signature(function).parameters.values())
        names = tuple(p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY))
        for parameter in parameters:
            if parameter.name not in allowed and parameter.default is parameter.empty:
                raise TypeError(f"{where} takes `{parameter.name}`, but it can only take {', '.join(allowed)}")
        names = tuple(name for name in names if name in allowed)
        return cls(function, inspect.iscoroutinefunction(function), names)

    def keywords(self, available: Mapping[str, Callable[[], Any]]) -> dict[str, Any]:
        return {name: available[name]() for name in self.parameters}


@dataclass(frozen=True)
class Declaration:
    """What a decorator found out about a class; kept on it as `__stackwright_type__`."""

    kind: str
    name: str
    shape: Shape
    id_field: str
    traits: Mapping[str, Any]


def resource(
    name: str,
    *,
    version: int = 0,
    id: str = "id",
    idempotent_create: bool = False,
    settle: float | timedelta = 0,
    ready_timeout: float | timedelta | None = None,
    ready_interval: float | timedelta | None = None,
    call_timeout: float | timedelta | None = None,
    cost: int = 1,
) -> Callable[[C], C]:
    """Makes a class a resource type called `name`.

    The class has `Inputs` (what a template sets) and may have `Outputs` (what the type decides): dataclasses, TypedDicts
    or pydantic models. A field of both is an input that the type may change.

    ============  ==============================  ===========================================================
    verb          arguments, by name              returns
    ============  ==============================  ===========================================================
    `create`      ctx, want                       `Outputs`; the same object for the same `ctx.idempotency_key`
    `read`        ctx, id, was                    `Outputs`, or `None` where it is gone
    `update`      ctx, id, want, was              `Outputs`, or `None` where they stay as they are
    `delete`      ctx, id, was                    nothing; what is gone already is deleted well
    `import_`     ctx, id                         `(Inputs, Outputs)`, or `None` where there is none
    `ready`       ctx, id, was                    whether it works: a bool, or a text that says what is awaited
    `plan`        ctx, want, was                  `Planned`, a dict of values that are known already, or `None`
    `validate`    ctx, want                       nothing; it raises `InvalidInputError`
    `recover`     ctx, id, want, was, partial     `Outputs`, `None` where there is nothing, or `CannotTell`
    `upgrade`     ctx, version, attributes        a dict of attributes as the schema has them today
    ============  ==============================  ===========================================================

    `create`, `read` and `delete` are needed; a type without `update` gets a new object for every change. Where `Outputs`
    are returned, `(Inputs, Outputs)` may be: inputs that differ are drift.

    :param version: the version of the schema; objects of older ones go through `upgrade`.
    :param id: the output (or input) that is the id of the remote system.
    :param idempotent_create: repeating `create` with the same key never makes a second object, whatever happened.
    :param settle: how long a new object may stay invisible to reads. Seconds, as all times here.
    :param ready_timeout: how long `ready` is asked.
    :param ready_interval: how often `ready` is asked.
    :param call_timeout: how long one call may take; it is cancelled then.
    :param cost: a hint of how long making one takes, in any unit; the critical path is started first.
    :raises TypeError: for classes that cannot be one, with what to change.
    """
    names = dict(sys._getframe(1).f_locals)

    def decorate(cls: C) -> C:
        shape = _shape(cls, name, version, names)
        if id not in shape.outputs.fields and id not in shape.inputs.fields:
            raise TypeError(f"{cls.__name__} has no output `{id}`; name the one that is the id: resource(…, id=…)")
        for verb in _NEEDED:
            if not callable(getattr(cls, verb, None)):
                raise TypeError(f"{cls.__name__} has no `{verb}`")
        traits: dict[str, Any] = {
            "idempotent_create": idempotent_create,
            "ready_at_once": not hasattr(cls, "ready"),
            "settle_ms": _ms(settle),
            "cost": cost,
        }
        for key, value in (("ready_timeout", ready_timeout), ("ready_interval", ready_interval), ("call_timeout", call_timeout)):
            if value is not None:
                traits[f"{key}_ms"] = _ms(value)
        _verbs(cls, None)
        setattr(cls, "__stackwright_type__", Declaration("resource", name, shape, id, traits))
        return cls

    return decorate


def data_source(name: str) -> Callable[[C], C]:
    """Makes a class a data source called `name`: something that is looked up and never changed.

    The class has `Inputs`, `Outputs`, and `read(ctx, want)`, which returns `Outputs`.
    """
    names = dict(sys._getframe(1).f_locals)

    def decorate(cls: C) -> C:
        shape = _shape(cls, name, 0, names)
        if not callable(getattr(cls, "read", None)):
            raise TypeError(f"{cls.__name__} has no `read`")
        Verb.of(getattr(cls, "read"), ("self", "ctx", "want"), f"{cls.__name__}.read")
        setattr(cls, "__stackwright_type__", Declaration("data_source", name, shape, "", {}))
        return cls

    return decorate


def function(name: str) -> Callable[[F], F]:
    """Makes a plain function one that templates call: `provider::acme::shout(…)` for the name `acme::shout`.

    Types are taken from its type hints. It has to be pure and quick: planning waits for it, and applying calls it again.
    """

    def decorate(target: F) -> F:
        provider, separator, short = name.partition("::")
        if not separator:
            raise TypeError(f"`{name}` names no provider: write `acme::{name}`")
        if inspect.iscoroutinefunction(target):
            raise TypeError("a function of a template is a plain function, not `async def`: evaluation waits for it")
        setattr(target, "__stackwright_function__", FunctionType.of(provider, short, target))
        return target

    return decorate


def _ms(value: float | timedelta) -> int:
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    return max(0, round(seconds * 1000))


def _shape(cls: type, name: str, version: int, names: Mapping[str, Any]) -> Shape:
    names = {**names, **vars(cls)}
    inputs = getattr(cls, "Inputs", None)
    outputs = getattr(cls, "Outputs", None)
    if inputs is None and outputs is None:
        raise TypeError(f"{cls.__name__} has neither `Inputs` nor `Outputs`")
    description = inspect.cleandoc(cls.__doc__) if cls.__doc__ else ""
    return Shape(
        Shape.NOTHING if inputs is None else model_of(inputs, f"{cls.__name__}.Inputs", names),
        Shape.NOTHING if outputs is None else model_of(outputs, f"{cls.__name__}.Outputs", names),
        version,
        description,
    )


def _verbs(cls: type, instance: object | None) -> dict[str, Verb]:
    verbs: dict[str, Verb] = {}
    for method, (verb, allowed) in _VERBS.items():
        function = getattr(cls if instance is None else instance, method, None)
        if callable(function):
            verbs[verb] = Verb.of(function, ("self", *allowed), f"{cls.__name__}.{method}")
    return verbs


class FunctionType:
    """A function of templates."""

    def __init__(self, descriptor: Json, target: Callable[..., Any], loads: list[Any], rest: Any, dump: Any) -> None:
        self.descriptor: Json = descriptor
        self._target, self._loads, self._rest, self._dump = target, loads, rest, dump

    @classmethod
    def of(cls, provider: str, name: str, target: Callable[..., Any]) -> FunctionType:
        hints = typing.get_type_hints(target, include_extras=True)
        parameters: list[Json] = []
        loads: list[Any] = []
        descriptor: Json = {"provider": provider, "name": name, "summary": (target.__doc__ or "").strip()}
        rest: Any = None
        for parameter in inspect.signature(target).parameters.values():
            codec = codec_of(hints.get(parameter.name, Any), f"{name}({parameter.name})")
            described = {"name": parameter.name, "type": codec.wire, "nullable": codec.is_nullable}
            if parameter.kind is parameter.VAR_POSITIONAL:
                descriptor["variadic"], rest = described, codec.load
            elif parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD):
                parameters.append(described)
                loads.append(codec.load)
            else:
                raise TypeError(f"{name}({parameter.name}): functions of templates have no named arguments")
        returns = codec_of(hints.get("return", Any), f"{name} → result")
        descriptor |= {"parameters": parameters, "returns": returns.wire}
        return cls(descriptor, target, loads, rest, returns.dump)

    def compute(self, arguments: list[Json]) -> Json:
        loads = self._loads + [self._rest] * (len(arguments) - len(self._loads))
        return self._dump(self._target(*(load(argument) for load, argument in zip(loads, arguments, strict=True))))


class ResourceType:
    """A resource type or data source with its instance: what the engine knows, and how calls are performed."""

    def __init__(self, declaration: Declaration, instance: object) -> None:
        self.name: str = declaration.name
        self.kind: str = declaration.kind
        self.shape: Shape = declaration.shape
        self.verbs: dict[str, Verb]
        self._id_field, self._traits = declaration.id_field, declaration.traits
        if self.kind == "data_source":
            read = getattr(instance, "read")
            self.verbs = {"read_data": Verb.of(read, ("ctx", "want"), f"{type(instance).__name__}.read")}
        else:
            self.verbs = _verbs(type(instance), instance)
        self._validates = "validate" in self.verbs or self.shape.inputs.validates
        self._plans = "plan" in self.verbs

    @property
    def descriptor(self) -> Json:
        """What the engine is told, once."""
        if self.kind == "data_source":
            return {"schema": self.shape.schema()}
        schema = self.shape.schema()
        if "update" not in self.verbs:
            for attribute in schema["block"]["attributes"].values():
                if ("required" in attribute or "optional" in attribute) and "write_only" not in attribute:
                    attribute["forces_replacement"] = True
        verbs = [verb for verb in _OPTIONAL if verb in self.verbs]
        if self._validates and "validate" not in verbs:
            verbs.append("validate")
        return {"schema": schema, "traits": dict(self._traits), "verbs": verbs}

    def is_async(self, verb: str) -> bool:
        """Whether a verb runs on the event loop; what has no method of its own is quick."""
        return verb not in self.verbs or self.verbs[verb].is_async

    def keywords(self, verb: str, call: Json, ctx: Context | SyncContext) -> dict[str, Any] | None:
        """Returns the arguments of a call, or nothing where there is no method to call."""
        if verb == "update" and "update" not in self.verbs:
            raise UnsupportedError(f"`{self.name}` objects cannot be changed in place", code="host.failed")
        if verb == "validate" and not self._check(call["config"]):
            return None
        method = self.verbs.get(verb)
        if method is None:
            return None
        return method.keywords(
            {
                "ctx": lambda: ctx,
                "want": lambda: self._want(verb, call),
                "id": lambda: self._id_of(call),
                "was": lambda: self._was(call),
                "partial": lambda: (call.get("partial") or {}).get("value"),
                "version": lambda: call["version"],
                "attributes": lambda: call["attributes"],
            }
        )

    def _check(self, config: Json) -> bool:
        """Makes the inputs where all is known, so that what they refuse is found while planning."""
        if self.shape.inputs.validates and not config.get("unknown"):
            try:
                self.shape.inputs.load(config["value"])
            except StackwrightError:
                raise
            except ValueError as error:
                raise InvalidInputError(
                    f"`{self.name}` refuses its inputs", code="resource.input", diagnostics=_problems(error)
                ) from error
        return "validate" in self.verbs

    def _want(self, verb: str, call: Json) -> Any:
        document = call["proposed"] if verb == "plan" else call["config"] if "config" in call else call.get("planned")
        if document is None:
            return None
        value = document["value"]
        if verb == "plan":
            # Write-only values stand in the configuration alone.
            value = {**value, **{name: call["config"]["value"].get(name) for name in self.shape.write_only}}
        unknown: set[str] = set()
        if verb in ("plan", "validate"):
            # To verbs that act, what the type is to choose itself is as if it had been left out.
            unknown = {path[0]["attr"] for path in document.get("unknown", ()) if path} & set(self.shape.inputs.fields)
        return _load(self.shape.inputs, value, frozenset(unknown))

    @staticmethod
    def _id_of(call: Json) -> str | None:
        known = call.get("prior") or call.get("object")
        return known["id"] if known else call.get("id")

    def _was(self, call: Json) -> Existing[Any, Any] | None:
        known = call.get("prior") or call.get("object")
        if known is None:
            return None
        attributes = known["attributes"]
        outputs = {name: attributes.get(name) for name in self.shape.outputs.fields}
        absent = frozenset(
            name
            for name, field in self.shape.outputs.fields.items()
            if outputs[name] is None and field.is_required and not field.codec.is_nullable
        )
        return Existing(known["id"], _load(self.shape.inputs, attributes, _lost(self.shape)), _load(self.shape.outputs, outputs, absent))

    # --- replies ---

    def reply(self, verb: str, call: Json, result: Any) -> Json:
        """Returns the reply for what a method returned.

        :raises Mismatch: where it returned something of another shape.
        """
        if verb in ("create", "update"):
            return {"outcome": {"object": {"complete": self._object(call, result)}}}
        if verb == "read":
            return {"object": None if result is None else self._object(call, result)}
        if verb == "delete":
            return {"outcome": {"object": "gone"}}
        if verb == "ready":
            return {"readiness": self._readiness(call, result)}
        if verb == "plan":
            return {"planned": self._planned(call, result)}
        if verb == "validate":
            return "valid"
        if verb == "import":
            return {"object": None if result is None else self._object(call, result)}
        if verb == "recover":
            if isinstance(result, CannotTell):
                return {"recovery": {"cannot_tell": {"reason": result.reason}}}
            return {"recovery": "absent" if result is None else {"found": self._object(call, result)}}
        if verb == "upgrade":
            return {"upgraded": _json.plain(result)}
        dumped = self.shape.outputs.dump(result)
        return {"data": {"value": {**dict.fromkeys(self.shape.names), **call["config"]["value"], **dumped}}}

    def partial(self, call: Json, outputs: Any, error: StackwrightError) -> Json:
        """Returns the reply for an object that is half made."""
        return {"outcome": {"object": {"partial": self._object(call, outputs)}, "problems": [error_to_json(error)]}}

    def _object(self, call: Json, result: Any) -> Json:
        known = call.get("prior") or call.get("object")
        attributes: dict[str, Json] = dict.fromkeys(self.shape.names)
        if known is not None:
            attributes.update(known["attributes"])
        planned = call.get("planned")
        if planned is not None:
            unknown = {path[0]["attr"] for path in planned.get("unknown", ()) if path}
            attributes.update({name: value for name, value in planned["value"].items() if name not in unknown})
        inputs, outputs = cast("tuple[Any, Any]", result) if isinstance(result, tuple) else (None, result)
        if inputs is not None:
            attributes.update(self.shape.inputs.dump(inputs))
        if outputs is not None:
            attributes.update(self.shape.outputs.dump(outputs))
        elif known is None and self.shape.outputs.fields:
            raise Mismatch(f"`{self.shape.outputs.cls.__name__}`", None)
        for name in self.shape.write_only:
            attributes[name] = None
        id = attributes.get(self._id_field)
        if id is None:
            raise Mismatch("an id", None, (f".{self._id_field}",))
        return {"id": str(id), "attributes": attributes}

    def _readiness(self, call: Json, result: Any) -> Json:
        if result is True:
            return {"ready": call["object"]}
        if result is False or result is None:
            return {"not_yet": {"reason": "it does not work yet"}}
        if isinstance(result, str):
            return {"not_yet": {"reason": result}}
        return {"ready": self._object(call, result)}

    def _planned(self, call: Json, result: Any) -> Json:
        proposed = call["proposed"]
        plan = result if isinstance(result, Planned) else Planned(cast("Mapping[str, object]", result or {}))
        if not isinstance(plan.values, Mapping):
            raise Mismatch("`Planned`, a dict or None", plan.values)
        value, unknown = dict(proposed["value"]), list(proposed.get("unknown", ()))
        fields = {**self.shape.inputs.fields, **self.shape.outputs.fields}
        for name, known in plan.values.items():
            if name not in fields:
                raise Mismatch("names of attributes", plan.values, (f".{name}",))
            try:
                value[name] = None if known is None else fields[name].codec.dump(known)
            except Mismatch as error:
                raise error.within(f".{name}") from None
            unknown = [path for path in unknown if not (path and path[0].get("attr") == name)]
        return {
            "planned": {"value": value, "unknown": unknown},
            "requires_replace": [[{"attr": name}] for name in plan.replace],
        }


def _load(model: Model, value: Mapping[str, Json], unknown: frozenset[str]) -> Any:
    return model.load(value, unknown)


def _lost(shape: Shape) -> frozenset[str]:
    """Inputs that are not stored, so that nobody knows them later."""
    return frozenset(name for name in shape.write_only if shape.inputs.fields[name].is_required)


def _problems(error: ValueError) -> list[Diagnostic]:
    """Returns what a model refuses, field by field. Values are not repeated: they may be secret."""
    listing = getattr(error, "errors", None)
    if not callable(listing):
        return [Diagnostic("resource.input", "" if isinstance(error, Mismatch) else _first_line(error))]
    problems: list[Diagnostic] = []
    for found in cast("list[dict[str, Any]]", listing(include_url=False, include_input=False, include_context=False)):
        where = ".".join(str(part) for part in found["loc"])
        problems.append(Diagnostic("resource.input", f"{where}: {found['msg']}" if where else found["msg"]))
    return problems


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0] or type(error).__name__


def never(error: NeverReady) -> Json:
    """Returns the reply of `ready` for an object that will never work."""
    return {"readiness": {"failed": {"reason": str(error)}}}


def collect(kind: str, given: object) -> list[ResourceType]:
    """Returns the types among classes and objects that a host listed."""
    return [_instance(kind, item) for item in cast("list[object]", given)]


def _instance(kind: str, item: object) -> ResourceType:
    declaration = getattr(item, "__stackwright_type__", None)
    if not isinstance(declaration, Declaration) or declaration.kind != kind:
        _refuse(kind, item)
    if isinstance(item, type):
        try:
            item = item()
        except TypeError as error:
            raise TypeError(f"{item.__name__} cannot be made without arguments; pass an object of it instead") from error
    return ResourceType(declaration, item)


def _refuse(kind: str, item: object) -> NoReturn:
    name = item.__name__ if isinstance(item, type) else type(item).__name__
    raise TypeError(f"{name} is no {kind.replace('_', ' ')}: decorate its class with @stackwright.{kind}(…)")
