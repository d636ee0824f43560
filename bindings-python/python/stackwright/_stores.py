"""How a call of a store crosses: arguments from JSON, answers to JSON."""

from __future__ import annotations

import base64
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from ._types import Mismatch
from .store import (
    Commit,
    Delete,
    EntryRecord,
    Lease,
    LedgerKey,
    LedgerRecord,
    Put,
    RowRecord,
    RunRecord,
    SegmentRecord,
    StackKey,
    StackRecord,
    StackWrite,
    Store,
)

Json = Any


def _stack(data: Json) -> StackKey:
    return StackKey(data["tenant"], data["name"])


def _ledger(data: Json) -> LedgerKey:
    return LedgerKey(data["tenant"], data["kind"], data["name"])


def _body(data: Json) -> bytes:
    return base64.b64decode(data["body"])


def _lease(data: Json) -> Lease:
    return Lease(_stack(data["stack"]), data["token"], data["holder"], data["expires_ms"])


def _run(data: Json) -> RunRecord:
    stack, body = _stack(data["stack"]), _body(data)
    return RunRecord(data["id"], stack, data["status"], data["started_ms"], data["finished_ms"], body)


def _row(data: Json) -> Put | Delete:
    if "delete" in data:
        return Delete(data["delete"])
    row = data["put"]
    return Put(RowRecord(row["object_id"], row["address"], row["version"], _body(row)))


def _commit(data: Json) -> Commit:
    return Commit(
        None if data["run"] is None else _run(data["run"]),
        [SegmentRecord(each["run"], each["number"], _body(each)) for each in data["segments"]],
        [EntryRecord(each["run"], each["seq"], _body(each)) for each in data["entries"]],
        [_row(each) for each in data["rows"]],
        None if data["stack"] is None else StackWrite(data["stack"]["lineage"], _body(data["stack"])),
    )


def _records(data: Json) -> list[LedgerRecord]:
    return [LedgerRecord(each["seq"], _body(each)) for each in data]


_READERS: dict[str, Callable[[Json], Any]] = {
    "stack": _stack,
    "lease": _lease,
    "commit": _commit,
    "ledger": _ledger,
    "records": _records,
}


def arguments(call: Mapping[str, Json]) -> dict[str, Any]:
    """Returns the arguments of a method, by name."""
    named = {"start" if name == "from" else name: value for name, value in call.items()}
    return {name: _READERS[name](value) if name in _READERS else value for name, value in named.items()}


# The fields of each record, and what each has to be.
_FIELDS: dict[type, dict[str, Any]] = {
    StackKey: {"tenant": str, "name": str},
    LedgerKey: {"tenant": str, "kind": str, "name": str},
    StackRecord: {"key": StackKey, "lineage": str, "serial": int, "body": bytes},
    RowRecord: {"object_id": str, "address": str, "version": int, "body": bytes},
    RunRecord: {
        "id": str,
        "stack": StackKey,
        "status": str,
        "started_ms": int,
        "finished_ms": (int, type(None)),
        "body": bytes,
    },
    SegmentRecord: {"run": str, "number": int, "body": bytes},
    EntryRecord: {"run": str, "seq": int, "body": bytes},
    LedgerRecord: {"seq": int, "body": bytes},
    Lease: {"stack": StackKey, "token": int, "holder": str, "expires_ms": int},
}

# What each method returns: a record, whether `None` may stand for it, whether it is a list of them.
_RETURNS: dict[str, tuple[type | None, str]] = {
    "load_stack": (StackRecord, "maybe"),
    "list_stacks": (StackRecord, "list"),
    "load_rows": (RowRecord, "list"),
    "acquire": (Lease, "one"),
    "renew": (Lease, "one"),
    "release": (None, "nothing"),
    "break_lease": (None, "nothing"),
    "lease_of": (Lease, "maybe"),
    "commit": (None, "nothing"),
    "load_run": (RunRecord, "maybe"),
    "list_runs": (RunRecord, "list"),
    "load_segments": (SegmentRecord, "list"),
    "load_journal": (EntryRecord, "list"),
    "append": (None, "nothing"),
    "load_ledger": (LedgerRecord, "list"),
    "list_ledgers": (LedgerKey, "list"),
    "forget_stack": (None, "nothing"),
}


def _written(value: object, kind: type, path: tuple[str, ...]) -> Json:
    if not isinstance(value, kind):
        raise Mismatch(kind.__name__, value, path)
    data: dict[str, Json] = {}
    for name, wanted in _FIELDS[kind].items():
        part = getattr(value, name)
        if wanted in _FIELDS:
            data[name] = _written(part, wanted, (*path, f".{name}"))
        elif not isinstance(part, wanted) or isinstance(part, bool):
            raise Mismatch(getattr(wanted, "__name__", "int or None"), part, (*path, f".{name}"))
        else:
            data[name] = base64.b64encode(part).decode() if isinstance(part, bytes) else part
    return data


def answer(method: str, result: object) -> Json:
    """Returns what a method returned as JSON.

    :raises Mismatch: it is something else, with the place and never what stood there.
    """
    kind, shape = _RETURNS[method]
    if kind is None:
        if result is not None:
            raise Mismatch("None", result)
        return None
    if shape == "list":
        if not isinstance(result, Sequence) or isinstance(result, (str, bytes)):
            raise Mismatch(f"a list of {kind.__name__}", result)
        return [_written(each, kind, (f"[{idx}]",)) for idx, each in enumerate(cast("Sequence[object]", result))]
    if result is None and shape == "maybe":
        return None
    return _written(result, kind, ())


def check(store: object) -> Store:
    """Refuses what is no store, with what it lacks."""
    lacking = [name for name in _RETURNS if not callable(getattr(store, name, None))]
    if lacking:
        raise TypeError(f"{type(store).__name__} is no store: it has no {', '.join(f'`{name}`' for name in lacking)}")
    return cast("Store", store)


def is_async(store: Store, method: str) -> bool:
    """Whether a method runs on the event loop."""
    return inspect.iscoroutinefunction(getattr(store, method))
