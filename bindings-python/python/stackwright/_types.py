"""Type hints as schemas, and values on their way in and out.

A *codec* knows one type hint: the type that the engine uses for it, how a JSON value becomes a Python value, and the way
back. A *model* is a class with fields: a dataclass, a `TypedDict` or a pydantic model.
"""

from __future__ import annotations

import collections.abc
import dataclasses
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum
from pathlib import Path, PurePath
from typing import Annotated, Any, ClassVar, Literal, Union, cast
from uuid import UUID

from ._json import moment, plain
from .markers import UNKNOWN, Marker

Json = Any
Wire = Any

_MISSING: Any = object()


@dataclass(frozen=True)
class Codec:
    """One type hint: the engine's type, and both ways."""

    wire: Wire
    load: Callable[[Json], Any]
    dump: Callable[[Any], Json]
    checks: tuple[Json, ...] = ()
    is_nullable: bool = False


class Mismatch(ValueError):
    """A value that does not fit its type hint. Names places and types, never the value."""

    def __init__(self, wanted: str, value: object, path: tuple[str, ...] = ()) -> None:
        self.wanted, self.found, self.path = wanted, type(value).__name__, path
        super().__init__(wanted)

    def __str__(self) -> str:
        where = "".join(self.path).removeprefix(".")
        return f"{where + ': ' if where else ''}expected {self.wanted}, found {self.found}"

    def within(self, step: str) -> Mismatch:
        error = Mismatch(self.wanted, None, (step, *self.path))
        error.found = self.found
        return error


@dataclass(frozen=True)
class Field:
    """One field of a model."""

    name: str
    codec: Codec
    markers: frozenset[Marker]
    description: str
    default: Any
    """`_MISSING` where it has to be given."""

    @property
    def is_required(self) -> bool:
        return self.default is _MISSING


@dataclass(frozen=True)
class Model:
    """A class with fields."""

    cls: type
    fields: dict[str, Field]
    make: Callable[[dict[str, Any]], Any]
    """Makes an instance from loaded values; those that are left out have defaults."""
    make_unchecked: Callable[[dict[str, Any]], Any]
    """The same where values are `UNKNOWN`: nothing is validated."""
    validates: bool
    """Whether making one may refuse values that fit their types."""

    def load(self, data: Mapping[str, Json], unknown: frozenset[str] = frozenset()) -> Any:
        """Returns an instance; fields in `unknown` are `UNKNOWN`."""
        values: dict[str, Any] = {}
        for name, field in self.fields.items():
            if name in unknown:
                values[name] = UNKNOWN
                continue
            value = data.get(name)
            if value is None:
                if field.is_required or (field.codec.is_nullable and field.default is not None):
                    values[name] = None
                continue
            try:
                values[name] = field.codec.load(value)
            except Mismatch as error:
                raise error.within(f".{name}") from None
        return self.make_unchecked(values) if unknown else self.make(values)

    def dump(self, instance: object) -> dict[str, Json]:
        """Returns the fields of an instance, or of a mapping that stands for one, that are not `UNKNOWN`."""
        mapping: Mapping[str, Any] | None = None
        if isinstance(instance, Mapping):
            mapping = cast("Mapping[str, Any]", instance)
            if surplus := [name for name in mapping if name not in self.fields]:
                raise Mismatch(f"the fields of `{self.cls.__name__}`, without `{surplus[0]}`", mapping)
        elif not isinstance(instance, self.cls):
            raise Mismatch(f"`{self.cls.__name__}`", instance)
        dumped: dict[str, Json] = {}
        for name, field in self.fields.items():
            value = getattr(instance, name, _MISSING) if mapping is None else mapping.get(name, _MISSING)
            if value is _MISSING:
                if field.is_required and not field.codec.is_nullable:
                    raise Mismatch("a value", None, (f".{name}",))
                continue
            if value is not UNKNOWN:
                dumped[name] = dump_field(field, value)
        return dumped


def dump_field(field: Field, value: Any) -> Json:
    """Returns the JSON of a field's value."""
    if value is None:
        if field.codec.is_nullable or not field.is_required:
            return None
        raise Mismatch("a value", None, (f".{field.name}",))
    try:
        return field.codec.dump(value)
    except Mismatch as error:
        raise error.within(f".{field.name}") from None


# --- type hints ------------------------------------------------------------------------------------------------------


def _is_a(wanted: str, *classes: type, but: tuple[type, ...] = ()) -> Callable[[Any], Any]:
    def check(value: Any) -> Any:
        if not isinstance(value, classes) or isinstance(value, but):
            raise Mismatch(wanted, value)
        return value

    return check


def _load_int(value: Json) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, (str, float, Decimal)):
        number = _load_decimal(value)
        if number == number.to_integral_value():
            return int(number)
    raise Mismatch("int", value)


def _load_decimal(value: Json) -> Decimal:
    if isinstance(value, float):
        return Decimal(repr(value))
    if isinstance(value, (int, str, Decimal)) and not isinstance(value, bool):
        return Decimal(value)
    raise Mismatch("Decimal", value)


def _dump_number(value: Any) -> Json:
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
        raise Mismatch("a number", value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return value
    # As text, so that no digit is lost on the way.
    return str(value)


def _text_codec(load: Callable[[str], Any], dump: Callable[[Any], str], *classes: type) -> Codec:
    name = classes[0].__name__
    check = _is_a(name, *classes)

    def from_text(value: Json) -> Any:
        try:
            return load(_is_text(value))
        except ValueError:
            raise Mismatch(name, value) from None

    def to_text(value: Any) -> Json:
        return dump(check(value))

    return Codec("string", from_text, to_text)


def _load_moment(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00") if text.endswith("Z") else text)


_is_text = _is_a("str", str)
_is_bool = _is_a("bool", bool)

_LEAVES: dict[Any, Codec] = {
    str: Codec("string", _is_text, lambda value: str(_is_text(value))),
    bool: Codec("bool", _is_bool, _is_bool),
    int: Codec("number", _load_int, lambda value: int(_is_a("int", int, but=(bool,))(value))),
    float: Codec("number", lambda value: float(_load_decimal(value)), _dump_number),
    Decimal: Codec("number", _load_decimal, _dump_number),
    datetime: _text_codec(_load_moment, moment, datetime),
    date: _text_codec(date.fromisoformat, date.isoformat, date),
    time: _text_codec(time.fromisoformat, time.isoformat, time),
    UUID: _text_codec(UUID, str, UUID),
    Path: _text_codec(Path, str, PurePath),
    Any: Codec("dynamic", lambda value: value, plain, is_nullable=True),
    object: Codec("dynamic", lambda value: value, plain, is_nullable=True),
}

_LISTS = (list, collections.abc.Sequence, collections.abc.Iterable, collections.abc.MutableSequence)
_SETS = (set, frozenset, collections.abc.Set, collections.abc.MutableSet)
_MAPS = (dict, collections.abc.Mapping, collections.abc.MutableMapping)


def codec_of(hint: Any, where: str) -> Codec:
    """Returns the codec of a type hint. `where` is named in the `TypeError` for hints that have no form."""
    if hint in _LEAVES if _is_hashable(hint) else False:
        return _LEAVES[hint]
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        return _annotated(arguments, where)
    if hint is None or hint is type(None):
        raise TypeError(f"{where}: None alone is no type of an attribute")
    if origin in (Union, types.UnionType):
        return _optional(hint, arguments, where)
    if origin is Literal:
        return _choice([plain(choice) for choice in arguments], where)
    if origin in _LISTS or hint in _LISTS:
        return _sequence("list", list, codec_of(arguments[0] if arguments else Any, where))
    if origin in _SETS or hint in _SETS:
        return _sequence("set", frozenset if origin is frozenset else set, codec_of(arguments[0] if arguments else Any, where))
    if origin is tuple:
        if len(arguments) == 2 and arguments[1] is Ellipsis:
            return _sequence("list", tuple, codec_of(arguments[0], where))
        return _tuple([codec_of(argument, where) for argument in arguments])
    if origin in _MAPS or hint in _MAPS:
        if arguments and arguments[0] is not str:
            raise TypeError(f"{where}: the keys of a map are str")
        return _map(codec_of(arguments[1] if arguments else Any, where))
    if isinstance(hint, type):
        if issubclass(hint, Enum):
            return _enum(hint, where)
        if _is_model(hint):
            return _object(model_of(hint, where))
        secret = getattr(hint, "get_secret_value", None)
        if secret is not None and getattr(hint, "__name__", "") == "SecretStr":
            return Codec("string", _is_text, lambda value: value if isinstance(value, str) else value.get_secret_value())
    raise TypeError(
        f"{where}: {hint!r} has no form in a schema; use str, bool, int, float, Decimal, datetime, date, time, Path, UUID, "
        "Literal, an Enum, list, set, tuple, dict[str, …], Any, or a dataclass, TypedDict or pydantic model"
    )


def _is_hashable(value: object) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True


def _optional(hint: Any, arguments: tuple[Any, ...], where: str) -> Codec:
    rest = [argument for argument in arguments if argument is not type(None)]
    if len(rest) != 1:
        raise TypeError(f"{where}: {hint!r} may be of several types; a schema has one, or Any")
    inner = codec_of(rest[0], where)
    return Codec(
        inner.wire,
        lambda value: None if value is None else inner.load(value),
        lambda value: None if value is None else inner.dump(value),
        inner.checks,
        is_nullable=True,
    )


def _choice(choices: list[Json], where: str) -> Codec:
    kinds = {type(choice) for choice in choices}
    if len(kinds) != 1 or not kinds <= {str, int, bool}:
        raise TypeError(f"{where}: the choices of a Literal are all str, all int or all bool")
    inner = _LEAVES[kinds.pop()]

    def check(value: Any) -> Any:
        if value not in choices:
            raise Mismatch("one of " + ", ".join(repr(choice) for choice in choices), value)
        return value

    return Codec(inner.wire, lambda value: check(inner.load(value)), lambda value: check(inner.dump(value)), ({"one_of": choices},))


def _enum(cls: type[Enum], where: str) -> Codec:
    inner = _choice([plain(member.value) for member in cls], where)
    return Codec(
        inner.wire,
        lambda value: cls(inner.load(value)),
        lambda value: inner.dump(plain(value)),
        inner.checks,
    )


def _sequence(kind: str, make: Callable[[list[Any]], Any], element: Codec) -> Codec:
    def load(value: Json) -> Any:
        return make(_each(element.load, _is_a(kind, list)(value)))

    def dump(value: Any) -> Json:
        if isinstance(value, (str, bytes)) or not isinstance(value, collections.abc.Iterable):
            raise Mismatch(kind, value)
        dumped = _each(element.dump, cast("collections.abc.Iterable[Any]", value))
        return sorted(dumped, key=repr) if kind == "set" else dumped

    return Codec([kind, element.wire], load, dump)


def _each(convert: Callable[[Any], Any], values: collections.abc.Iterable[Any]) -> list[Any]:
    converted: list[Any] = []
    for idx, value in enumerate(values):
        try:
            converted.append(convert(value))
        except Mismatch as error:
            raise error.within(f"[{idx}]") from None
    return converted


def _tuple(elements: list[Codec]) -> Codec:
    def each(values: Any, way: Callable[[Codec], Callable[[Any], Any]]) -> list[Any]:
        if len(values) != len(elements):
            raise Mismatch(f"{len(elements)} elements", values)
        return [way(element)(value) for element, value in zip(elements, values, strict=True)]

    return Codec(
        ["tuple", [element.wire for element in elements]],
        lambda value: tuple(each(_is_a("tuple", list)(value), lambda codec: codec.load)),
        lambda value: each(_is_a("tuple", tuple, list)(value), lambda codec: codec.dump),
    )


def _map(element: Codec) -> Codec:
    def convert(value: Any, way: Callable[[Any], Any]) -> dict[str, Any]:
        converted: dict[str, Any] = {}
        for key, part in _is_a("dict", collections.abc.Mapping)(value).items():
            try:
                converted[_is_text(key)] = way(part)
            except Mismatch as error:
                raise error.within(f"[{key!r}]" if isinstance(key, str) else "[…]") from None
        return converted

    return Codec(["map", element.wire], lambda value: convert(value, element.load), lambda value: convert(value, element.dump))


def _object(model: Model) -> Codec:
    types_ = {name: field.codec.wire for name, field in model.fields.items()}
    optional = sorted(name for name, field in model.fields.items() if not field.is_required or field.codec.is_nullable)
    wire: Wire = ["object", types_, optional] if optional else ["object", types_]

    def dump(value: Any) -> Json:
        return {name: None for name in model.fields} | model.dump(value)

    return Codec(wire, lambda value: model.load(_is_a("dict", dict)(value)), dump)


def _annotated(arguments: tuple[Any, ...], where: str) -> Codec:
    inner = codec_of(arguments[0], where)
    return dataclasses.replace(inner, checks=inner.checks + _bounds(arguments[1:]))


def _bounds(metadata: tuple[Any, ...]) -> tuple[Json, ...]:
    """Returns checks for what `annotated_types` and pydantic say, by the names of the attributes."""
    found: dict[str, Any] = {}
    for item in metadata:
        for part in (item, *getattr(item, "metadata", ())):
            for name in ("ge", "le", "min_length", "max_length", "pattern"):
                value = getattr(part, name, None)
                if value is not None and not isinstance(part, (Marker, str)):
                    found[name] = getattr(value, "pattern", value)
    checks: list[Json] = []
    limits = {side: found[name] for side, name in (("min", "ge"), ("max", "le")) if isinstance(found.get(name), (int, Decimal))}
    if limits:
        checks.append({"range": limits})
    lengths = {side: found[name] for side, name in (("min", "min_length"), ("max", "max_length")) if name in found}
    if lengths:
        checks.append({"length": lengths})
    if isinstance(found.get("pattern"), str):
        checks.append({"pattern": found["pattern"]})
    return tuple(checks)


# --- models ----------------------------------------------------------------------------------------------------------


def _is_pydantic(cls: type) -> bool:
    return hasattr(cls, "model_fields") and hasattr(cls, "model_validate")


def _is_model(cls: type) -> bool:
    return dataclasses.is_dataclass(cls) or typing.is_typeddict(cls) or _is_pydantic(cls)


def model_of(cls: Any, where: str, names: Mapping[str, Any] | None = None) -> Model:
    """Returns the model of a class. `names` are what its type hints may name beside its module's globals."""
    if not isinstance(cls, type) or not _is_model(cls):
        raise TypeError(f"{where} has to be a dataclass, a TypedDict or a pydantic model, not {cls!r}")
    hints = typing.get_type_hints(cls, localns=dict(names or {}), include_extras=True)
    fields: dict[str, Field] = {}
    for name, default in _defaults(cls).items():
        hint = hints[name]
        if getattr(typing.get_origin(hint), "_name", "") in ("Required", "NotRequired"):
            hint = typing.get_args(hint)[0]
        place = f"{where}.{name}"
        metadata = getattr(hint, "__metadata__", ())
        codec = codec_of(hint, place)
        description = next((item for item in metadata if isinstance(item, str)), "")
        if _is_pydantic(cls):
            info = cast("Any", cls).model_fields[name]
            codec = dataclasses.replace(codec, checks=codec.checks or _bounds(tuple(info.metadata)))
            description = description or (info.description or "")
        markers = frozenset(item for item in metadata if isinstance(item, Marker))
        if getattr(hint, "__name__", "") == "SecretStr":
            markers |= {Marker.SENSITIVE}
        fields[name] = Field(name, codec, markers, description, default)
    return Model(cls, fields, *_makers(cls))


def _defaults(cls: Any) -> dict[str, Any]:
    """Returns the names of the fields, in order, with their defaults."""
    if typing.is_typeddict(cls):
        required = cls.__required_keys__
        names = typing.get_type_hints(cls)
        return {name: _MISSING if name in required else None for name in names}
    if _is_pydantic(cls):
        defaults: dict[str, Any] = {}
        for name, info in cls.model_fields.items():
            defaults[name] = _MISSING if info.is_required() else info.get_default(call_default_factory=True)
        return defaults
    defaults = {}
    for field in dataclasses.fields(cls):
        if field.default is not dataclasses.MISSING:
            defaults[field.name] = field.default
        elif field.default_factory is not dataclasses.MISSING:
            defaults[field.name] = field.default_factory()
        else:
            defaults[field.name] = _MISSING
    return defaults


def _makers(cls: Any) -> tuple[Callable[[dict[str, Any]], Any], Callable[[dict[str, Any]], Any], bool]:
    if typing.is_typeddict(cls):
        return dict, dict, False
    if _is_pydantic(cls):
        return cls.model_validate, lambda values: cls.model_construct(**values), True

    def unchecked(values: dict[str, Any]) -> Any:
        instance = object.__new__(cls)
        for field in dataclasses.fields(cls):
            default: Any = None
            if field.default is not dataclasses.MISSING:
                default = field.default
            elif field.default_factory is not dataclasses.MISSING:
                default = field.default_factory()
            object.__setattr__(instance, field.name, values.get(field.name, default))
        return instance

    return lambda values: cls(**values), unchecked, hasattr(cls, "__post_init__")


# --- schemas ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Shape:
    """Inputs and outputs of a type, and the schema that follows from both."""

    inputs: Model
    outputs: Model
    version: int = 0
    description: str = ""

    NOTHING: ClassVar[Model]

    def schema(self) -> Json:
        """Returns the schema as JSON."""
        attributes: dict[str, Json] = {}
        for name, field in self.inputs.fields.items():
            attributes[name] = self._input(field)
        for name, field in self.outputs.fields.items():
            if name not in attributes:
                attributes[name] = self._attribute(field) | {"computed": True}
        block: Json = {"attributes": attributes}
        if self.description:
            block["description"] = self.description
        return {"version": self.version, "block": block}

    def _input(self, field: Field) -> Json:
        attribute = self._attribute(field)
        if field.is_required and not field.codec.is_nullable:
            return attribute | {"required": True}
        attribute["optional"] = True
        default = None if field.is_required else field.default
        if default is not None and Marker.COMPUTED not in field.markers and Marker.WRITE_ONLY not in field.markers:
            return attribute | {"default": field.codec.dump(default)}
        is_output = field.name in self.outputs.fields and Marker.WRITE_ONLY not in field.markers
        if Marker.COMPUTED in field.markers or is_output:
            attribute["computed"] = True
        return attribute

    @staticmethod
    def _attribute(field: Field) -> Json:
        attribute: Json = {"type": field.codec.wire}
        for marker in (Marker.SENSITIVE, Marker.FORCE_NEW, Marker.WRITE_ONLY, Marker.TAGS):
            if marker in field.markers:
                attribute[marker.value] = True
        if field.codec.checks:
            attribute["checks"] = list(field.codec.checks)
        if field.description:
            attribute["description"] = field.description
        return attribute

    @property
    def names(self) -> list[str]:
        return list(dict.fromkeys([*self.inputs.fields, *self.outputs.fields]))

    @property
    def write_only(self) -> list[str]:
        return [name for name, field in self.inputs.fields.items() if Marker.WRITE_ONLY in field.markers]


@dataclass
class Empty:
    """A model without fields."""


Shape.NOTHING = model_of(Empty, "Empty")
