"""The engine that a program embeds, and the stacks that it manages."""

from __future__ import annotations

import asyncio
import base64
import inspect
import os
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from . import _stores
from . import cipher as _cipher
from ._bridge import Bridge
from .cipher import Cipher
from .errors import Diagnostic, InvalidInputError, StackwrightError, diagnostic_from_json
from .events import Event, event_from_json
from .plan import Output, Plan, apply_query, shown
from .resources import FunctionType, ResourceType, collect
from .run import Run, begin, outputs_of
from .store import Store
from .template import Template, template_of

if TYPE_CHECKING:
    from types import TracebackType

    from .plan import OnFailure

__all__ = ["Engine", "EventSink", "Row", "RunInfo", "Stack", "State"]

TemplateLike = Template | Mapping[str, object] | str | os.PathLike[str]
Mode = Literal["normal", "destroy", "refresh_only"]
EventSink = Callable[[Event], object | Awaitable[object]]
"""Gets every event of every operation: a function, or one that is `async def`."""


@dataclass(frozen=True)
class Row:
    """One object that exists, as state remembers it."""

    address: str
    """Where it stands in the template."""
    type_name: str
    """The registered type."""
    object_id: str
    """The identity of the object, and the idempotency key that it was made with."""
    id: str | None
    """The id that the remote system uses."""
    status: Literal["current", "deposed", "tainted", "uncertain"]
    """What is known of it."""
    ready: bool
    """Whether it was seen to work after its last change."""
    attributes: dict[str, Any]
    """Its attributes; `HIDDEN` stands where they are sensitive."""
    dependencies: list[str]
    """The object ids of those that it refers to."""


@dataclass(frozen=True)
class State:
    """What exists."""

    serial: int
    """Counts what changed it."""
    rows: list[Row]
    """One for each object, by address."""
    outputs: dict[str, Output]
    """The root outputs as the last apply left them."""

    def __getitem__(self, address: str) -> Row:
        """Returns the row of an address; `KeyError` where there is none."""
        for row in self.rows:
            if row.address == address and row.status != "deposed":
                return row
        raise KeyError(address)

    def __contains__(self, address: object) -> bool:
        return any(row.address == address for row in self.rows)


@dataclass(frozen=True)
class RunInfo:
    """One run in a list."""

    id: str
    """Which."""
    status: str
    """How it stands."""
    started: datetime
    """When it began."""
    finished: datetime | None
    """When it ended."""
    who: str
    """Who started it, where that was said."""
    why: str
    """Why, where that was said."""


def _moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, timezone.utc)


def _run_info(data: Mapping[str, Any]) -> RunInfo:
    finished = data["finished_ms"]
    return RunInfo(
        data["id"],
        data["status"],
        _moment(data["started_ms"]),
        None if finished is None else _moment(finished),
        data["who"],
        data["why"],
    )


class Engine:
    """Plans and applies templates with the types that it is given.

    .. code-block:: python

        async with Engine("sqlite:///state.db", resources=[Bucket]) as engine:
            plan = await engine.stack("acme/shop").plan("shop/")
            report = await (await plan.apply())

    It belongs to the event loop that it is opened on. `stackwright.sync.Engine` is its twin for programs without one, and
    for programs with many threads.

    :param store: where state lives: `sqlite:///relative.db`, `sqlite:////absolute.db`, `postgresql://…`, `memory:`, a path, or
        a `stackwright.store.Store` of yours.
    :param resources: resource types: classes under `@stackwright.resource`, or objects of them.
    :param data_sources: data sources: the same under `@stackwright.data_source`.
    :param functions: functions of templates: those under `@stackwright.function`.
    :param key: what seals secrets: the path of a key file, which is made where it is not there, or 64 hexadecimal digits.
        Beside a SQLite file it is `<file>.key` by default; `memory:` makes a key that nobody keeps.
    :param cipher: a `stackwright.cipher.Cipher` of yours, instead of a key.
    :param store_timeout: how long a store of yours may take for one call. Seconds, 30 by default.
    :param tags: what every object is to be tagged with, for types that can.
    :param lease_ttl: how long the right to write a stack lasts when this process dies. Seconds, as all times.
    :param holder: who holds that right, for people who wait for it.
    :param edition: the edition of the language of templates that do not say it: `1.11`, `1.12`, or `stackwright`.
    :param files_within: a folder below which functions of templates may read files, beside the template's own.
    :param on_event: gets every event of every operation.
    :param threads: how many plain functions run at once.
    """

    def __init__(
        self,
        store: str | os.PathLike[str] | Store = "memory:",
        *,
        resources: Iterable[object] = (),
        data_sources: Iterable[object] = (),
        functions: Iterable[Callable[..., Any]] = (),
        key: str | os.PathLike[str] | None = None,
        cipher: Cipher | None = None,
        store_timeout: float | timedelta | None = None,
        tags: Mapping[str, str] | None = None,
        lease_ttl: float | timedelta | None = None,
        holder: str | None = None,
        edition: Literal["1.11", "1.12", "stackwright"] | None = None,
        files_within: str | os.PathLike[str] | None = None,
        on_event: EventSink | None = None,
        threads: int = 32,
    ) -> None:
        self._types: list[ResourceType] = [*collect("resource", resources), *collect("data_source", data_sources)]
        self._functions = [_function(item) for item in functions]
        self._store: Store | None = None
        if isinstance(store, (str, os.PathLike)):
            where = _where(store)
        else:
            self._store = _stores.check(store)
            where = {"host": {"patience_ms": None if store_timeout is None else round(_seconds(store_timeout) * 1000)}}
        if cipher is not None and key is not None:
            raise ValueError("say either `key` or `cipher`: both say what seals secrets")
        self._cipher: Cipher | None = None if cipher is None else _cipher.check(cipher)
        self._query: dict[str, Any] = {
            "store": where,
            "key": _key(where, key) if cipher is None else "host",
            "engine": {
                "types": {item.name: item.descriptor for item in self._types if item.kind == "resource"},
                "data_sources": {item.name: item.descriptor for item in self._types if item.kind == "data_source"},
                "functions": [item.descriptor for item in self._functions],
                "tags": dict(tags or {}),
                "holder": holder,
                "lease_ttl_ms": None if lease_ttl is None else round(_seconds(lease_ttl) * 1000),
                "edition": edition,
                "files_within": None if files_within is None else os.fspath(files_within),
            },
        }
        self._threads = threads
        self._on_event = on_event
        self._bridge_or_none: Bridge | None = None

    async def open(self) -> Engine:
        """Opens the store. `async with engine` does, too."""
        if self._bridge_or_none is None:
            bridge = Bridge(self._types, self._functions, self._threads, self._store, self._cipher)
            try:
                await bridge.open(self._query)
            except BaseException:
                bridge.close()
                raise
            self._bridge_or_none = bridge
        return self

    async def close(self) -> None:
        """Cancels the runs that are under way, waits until they are recorded, and ends the engine's threads.

        Cancelled while it waits, it ends the threads at once; the journal makes even that safe.
        """
        bridge = self._bridge_or_none
        if bridge is None or bridge.is_closed or os.getpid() != bridge.process:
            return
        try:
            runs = list(bridge.runs.values())
            for run in runs:
                run.cancel()
            for run in runs:
                await run._end_quietly()
            if bridge.watchers:
                await asyncio.wait(bridge.watchers)
        finally:
            bridge.close()

    async def __aenter__(self) -> Engine:
        return await self.open()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def _bridge(self) -> Bridge:
        if self._bridge_or_none is None:
            raise InvalidInputError("the engine is not open: use `async with engine`, or `await engine.open()`", code="host.closed")
        return self._bridge_or_none

    def stack(self, name: str) -> Stack:
        """Returns the stack of a name, `tenant/name`, whether it exists yet or not; without a tenant, of `default`."""
        return Stack(self, name if "/" in name else f"default/{name}")

    async def stacks(self, tenant: str | None = None) -> list[Stack]:
        """Returns the stacks that were ever applied, of one tenant or of all, by name."""
        return [self.stack(name) for name in await self._bridge.ask("stacks", tenant=tenant)]

    @property
    def _watcher(self) -> Callable[[str], Coroutine[Any, Any, None]] | None:
        """Passes the events of an operation on to the sink, in order."""
        sink = self._on_event
        return None if sink is None else lambda operation: self._pass_on(operation, sink)

    async def _pass_on(self, operation: str, sink: EventSink) -> None:
        while True:
            try:
                batch = await self._bridge.ask("events", operation=operation, limit=256, watcher=True)
            except StackwrightError:
                return
            for recorded in batch["events"]:
                try:
                    answer = sink(event_from_json(recorded))
                    if inspect.isawaitable(answer):
                        await answer
                except Exception as error:
                    # A sink that fails must not stop a run, and must not fail unseen.
                    context = {"message": "the event sink of a stackwright engine raised", "exception": error}
                    asyncio.get_running_loop().call_exception_handler(context)
            if batch["ended"]:
                return

    def __repr__(self) -> str:
        names = ", ".join(item.name for item in self._types)
        return f"<Engine of {names or 'no types'}>"


class Stack:
    """One deployment of a template: a tenant, a name, and everything that is remembered of it."""

    def __init__(self, engine: Engine, name: str) -> None:
        self._engine = engine
        self.name: str = name

    async def validate(self, template: TemplateLike) -> list[Diagnostic]:
        """Returns everything that is wrong with a template, warnings too. Nothing is called, nothing is read."""
        query = template_of(template).__stackwright__()
        problems = await self._engine._bridge.ask("validate", stack=self.name, query=query)
        return [diagnostic_from_json(problem) for problem in problems]

    async def plan(
        self,
        template: TemplateLike,
        variables: Mapping[str, object] | None = None,
        *,
        mode: Mode = "normal",
        targets: Sequence[str] = (),
        replace: Sequence[str] = (),
        refresh: bool = True,
        imports: Mapping[str, str] | None = None,
        parallelism: int | None = None,
    ) -> Plan:
        """Works out what is to be done. Real objects are read; nothing is changed.

        Cancelling the awaiting task ends planning; nothing has to be undone.

        :param template: a `Template`, the path of a folder or file, or Python data as for `Template.from_dict`.
        :param variables: the variables of the template. Numbers stay exact; `datetime`, `Path` and the like are texts.
        :param mode: `destroy` deletes everything, `refresh_only` makes state match the world.
        :param targets: only these addresses and what they need.
        :param replace: addresses of instances to be made anew.
        :param refresh: whether real objects are read first.
        :param imports: objects to be taken into state: address → the id that people use.
        :raises InvalidInputError: `template.invalid` or `plan.failed`, with every diagnostic; what a type of yours raised is
            its `__cause__`.
        :raises ConflictError: `run.unfinished` while a run has to be resumed, `plan.uncertain` while somebody has to settle
            an object.
        """
        bridge = self._engine._bridge
        query: dict[str, object] = {
            **template_of(template).__stackwright__(),
            "variables": dict(variables or {}),
            "mode": mode,
            "targets": list(targets),
            "replace": list(replace),
            "refresh": refresh,
            "imports": [{"address": address, "id": id} for address, id in (imports or {}).items()],
            "parallelism": parallelism,
        }
        operation = bridge.operation(self._engine._watcher)
        asked = bridge.ask("plan", stack=self.name, operation=operation.name, query=query)
        try:
            view = await asyncio.shield(asked)
        except asyncio.CancelledError:
            if not bridge.is_closed:
                bridge.tell("cancel", operation=operation.name)
                await asyncio.wait([asked])
                asked.exception()
            raise
        except StackwrightError as error:
            addresses = [problem.address for problem in error.diagnostics if problem.address in operation.raised]
            causes = [operation.raised[address] for address in addresses if address] or list(operation.raised.values())
            if causes:
                raise error from causes[0]
            raise
        finally:
            bridge.release(operation)
        return Plan(self._engine, view)

    async def apply(
        self,
        template: TemplateLike,
        variables: Mapping[str, object] | None = None,
        *,
        mode: Mode = "normal",
        parallelism: int | None = None,
        on_failure: OnFailure | None = None,
        who: str = "",
        why: str = "",
    ) -> Run:
        """Plans and begins to carry the plan out at once."""
        plan = await self.plan(template, variables, mode=mode)
        return await plan.apply(parallelism=parallelism, on_failure=on_failure, who=who, why=why)

    async def destroy(
        self,
        template: TemplateLike | None = None,
        variables: Mapping[str, object] | None = None,
        *,
        parallelism: int | None = None,
        on_failure: OnFailure | None = None,
        who: str = "",
        why: str = "",
    ) -> Run:
        """Begins to delete everything that the stack owns. The template is needed only for providers that it configures."""
        plan = await self.plan(Template() if template is None else template, variables, mode="destroy")
        return await plan.apply(parallelism=parallelism, on_failure=on_failure, who=who, why=why)

    async def open_plan(self, sealed: bytes) -> Plan:
        """Returns the plan that `Plan.to_bytes` wrote for this stack.

        :raises StackwrightError: `store.corrupt`, `store.version`, `cipher.open_failed`.
        """
        text = base64.b64encode(sealed).decode()
        return Plan(self._engine, await self._engine._bridge.ask("open_plan", stack=self.name, sealed=text))

    async def resume(
        self,
        run: str | RunInfo,
        *,
        parallelism: int | None = None,
        on_failure: OnFailure | None = None,
        who: str = "",
        why: str = "",
        variables: Mapping[str, object] | None = None,
    ) -> Run:
        """Goes on with a run whose process died, or that paused.

        What was under way when it died is looked up in the world before anything is repeated.

        :raises NotFoundError: `run.unknown`.
        :raises ConflictError: `run.ended`; `lease.held` until the dead process's lease has run out.
        """
        arguments: dict[str, object] = {
            "stack": self.name,
            "run": run if isinstance(run, str) else run.id,
            "query": apply_query(parallelism, on_failure, who, why, variables),
        }
        return await begin(Run, self._engine, self.name, "resume", arguments)

    async def state(self) -> State:
        """Returns what exists."""
        data = await self._engine._bridge.ask("state", stack=self.name)
        rows = [
            Row(
                row["address"],
                row["type_name"],
                row["object_id"],
                row["id"],
                row["status"],
                row["ready"],
                shown(row["attributes"]),
                row["dependencies"],
            )
            for row in data["rows"]
        ]
        return State(data["serial"], rows, outputs_of(data["outputs"]))

    async def outputs(self, *, reveal: bool = False) -> dict[str, Any]:
        """Returns the root outputs as the last apply left them; `HIDDEN` where they are sensitive and not revealed."""
        outputs = await self._engine._bridge.ask("outputs", stack=self.name, reveal=reveal)
        return {name: shown(output["value"]) for name, output in outputs.items()}

    async def runs(self, limit: int = 20) -> list[RunInfo]:
        """Returns the runs, newest first."""
        return [_run_info(run) for run in await self._engine._bridge.ask("runs", stack=self.name, limit=limit)]

    async def unfinished_run(self) -> RunInfo | None:
        """Returns the run that was begun and not ended: its process died, or works on it right now."""
        run = await self._engine._bridge.ask("unfinished_run", stack=self.name)
        return None if run is None else _run_info(run)

    async def abandon(self, run: str | RunInfo) -> None:
        """Gives a run up: it will not be resumed. What was under way may exist without a row; resume first if you can."""
        await self._engine._bridge.ask("abandon", stack=self.name, run=run if isinstance(run, str) else run.id)

    async def settle(self, address: str, *, exists: bool) -> None:
        """Says what became of an object that nobody could tell about: gone, or to be replaced by the next plan."""
        await self._engine._bridge.ask("settle", stack=self.name, address=address, exists=exists)

    async def move(self, source: str, target: str) -> None:
        """Gives an object another address. The object is not touched."""
        await self._engine._bridge.ask("move_address", stack=self.name, **{"from": source, "to": target})

    async def forget_objects(self, target: str) -> list[str]:
        """Stops managing what an address covers; the objects stay. Returns the addresses."""
        return list(await self._engine._bridge.ask("forget_rows", stack=self.name, target=target))

    async def forget(self) -> None:
        """Removes what is remembered of a stack without objects."""
        await self._engine._bridge.ask("forget", stack=self.name)

    async def break_lease(self) -> None:
        """Takes the right to write the stack away from a process that is dead, before it runs out by itself."""
        await self._engine._bridge.ask("break_lease", stack=self.name)

    def __repr__(self) -> str:
        return f"<Stack {self.name}>"


def _function(item: Callable[..., Any]) -> FunctionType:
    found = getattr(item, "__stackwright_function__", None)
    if not isinstance(found, FunctionType):
        raise TypeError(f"{item!r} is no function of templates: decorate it with @stackwright.function('provider::name')")
    return found


def _seconds(value: float | timedelta) -> float:
    return value.total_seconds() if isinstance(value, timedelta) else value


def _where(store: str | os.PathLike[str]) -> str | dict[str, Any]:
    if isinstance(store, os.PathLike):
        return {"sqlite": os.fspath(store)}
    if store == "memory:":
        return "memory"
    scheme, separator, rest = store.partition("://")
    if not separator:
        return {"sqlite": store}
    if scheme == "sqlite":
        if not rest.startswith("/") or rest == "/":
            raise ValueError("write sqlite:///relative.db or sqlite:////absolute/path.db")
        return {"sqlite": rest[1:]}
    if scheme in ("postgres", "postgresql"):
        return {"postgres": store}
    raise ValueError(f"`{scheme}` is no store; there are sqlite:///file.db, postgresql://… and memory:")


def _key(where: str | dict[str, Any], key: str | os.PathLike[str] | None) -> str | dict[str, str]:
    if isinstance(key, str) and len(key) == 64 and all(digit in "0123456789abcdefABCDEF" for digit in key):
        return {"text": key}
    if key is not None:
        return {"file": os.fspath(key)}
    if isinstance(where, dict):
        if "sqlite" in where:
            return {"file": f"{Path(where['sqlite'])}.key"}
        raise ValueError("say with `key` what seals secrets: the path of a key file, or 64 hexadecimal digits; or give a `cipher`")
    return "generate"
