"""JSON without loss: numbers stay exact in both directions, and what people write in Python has a form."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence, Set
from datetime import date, datetime, time, timezone
from decimal import Decimal
from enum import Enum
from functools import partial
from os import PathLike, fspath
from typing import Any, Protocol, cast, runtime_checkable
from uuid import UUID

loads = partial(json.loads, parse_float=Decimal)

_encode_text = json.encoder.encode_basestring


@runtime_checkable
class Spoken(Protocol):
    """Something with a form of its own in JSON."""

    def __stackwright__(self) -> object: ...


def plain(value: object) -> object:
    """Returns what people write in Python as JSON's kinds of things; `Decimal` stays."""
    if value is None or isinstance(value, (bool, Decimal)):
        return value
    if isinstance(value, Spoken):
        return plain(value.__stackwright__())
    if isinstance(value, Enum):
        return plain(value.value)
    if isinstance(value, str):
        return str(value)
    if isinstance(value, (int, float)):
        return value
    if isinstance(value, datetime):
        return moment(value)
    if isinstance(value, (date, time)):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, PathLike):
        path = fspath(cast("PathLike[str]", value))
        return path if isinstance(path, str) else path.decode()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {_key(key): plain(part) for key, part in cast("Mapping[object, object]", value).items()}
    dump = getattr(value, "model_dump", None)
    if callable(dump):
        return plain(dump())
    if isinstance(value, Set):
        parts = [plain(part) for part in cast("Set[object]", value)]
        return sorted(parts, key=dumps)
    if isinstance(value, Sequence) and not isinstance(value, (bytes, bytearray)):
        return [plain(part) for part in cast("Sequence[object]", value)]
    raise TypeError(f"a {type(value).__name__} has no form in a template")


def moment(value: datetime) -> str:
    """Returns RFC 3339, as the functions of templates want it. A moment without a time zone is refused."""
    if value.tzinfo is None:
        raise ValueError("a datetime needs a time zone, as in datetime.now(timezone.utc)")
    text = value.isoformat()
    return text.replace("+00:00", "Z") if value.utcoffset() == timezone.utc.utcoffset(None) else text


def _key(key: object) -> str:
    key = plain(key)
    if isinstance(key, str):
        return key
    if isinstance(key, (int, Decimal)) and not isinstance(key, bool):
        return str(key)
    raise TypeError(f"a key has to be a text, not a {type(key).__name__}")


def dumps(value: object) -> str:
    """Returns JSON text; `Decimal` and large integers are written with all their digits."""
    parts: list[str] = []
    _write(plain(value), parts)
    return "".join(parts)


def _write(value: object, parts: list[str]) -> None:
    if isinstance(value, str):
        parts.append(_encode_text(value))
    elif value is None:
        parts.append("null")
    elif isinstance(value, bool):
        parts.append("true" if value else "false")
    elif isinstance(value, int):
        parts.append(int.__repr__(value))
    elif isinstance(value, (float, Decimal)):
        parts.append(_number(value))
    elif isinstance(value, dict):
        separator = "{"
        for key, part in cast("dict[str, object]", value).items():
            parts.append(f"{separator}{_encode_text(key)}:")
            _write(part, parts)
            separator = ","
        parts.append("}" if value else "{}")
    else:
        separator = "["
        items = cast("list[object]", value)
        for part in items:
            parts.append(separator)
            _write(part, parts)
            separator = ","
        parts.append("]" if items else "[]")


def _number(value: float | Decimal) -> str:
    exact = value if isinstance(value, Decimal) else Decimal(repr(value))
    if not exact.is_finite():
        raise ValueError("NaN and infinity are no numbers of a template")
    return str(exact)


def path_text(path: Sequence[Mapping[str, Any]]) -> str:
    """Returns a path of the engine's as people write it."""
    text = ""
    for step in path:
        ((kind, part),) = step.items()
        if kind == "attr":
            text += f".{part}" if text else str(part)
        elif kind == "key":
            text += f"[{_encode_text(part)}]"
        elif kind == "element":
            text += "[...]"
        else:
            text += f"[{part}]"
    return text
