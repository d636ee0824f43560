"""`stackwright` without `await`: the same names, blocking.

.. code-block:: python

    with stackwright.sync.Engine("sqlite:///state.db", resources=[Bucket]) as engine:
        run = engine.stack("acme/shop").plan("shop/").apply()
        for event in run:
            print(event)

An engine has an event loop of its own on a thread of its own, where verbs that are `async def` run. It may be used from any
thread. Ctrl-C while something is awaited asks it to stop, waits until what runs is recorded, and raises `KeyboardInterrupt`; a
second one does not wait for what runs.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextvars
import os
import threading
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from . import engine as _engine
from . import run as _run
from .cipher import Cipher
from .engine import EventSink, Mode, RunInfo, State, TemplateLike
from .errors import Diagnostic, UnsupportedError
from .events import Event
from .plan import BasePlan
from .plan import Plan as _Plan
from .store import Store

if TYPE_CHECKING:
    from types import TracebackType

    from .plan import OnFailure

__all__ = ["Engine", "Plan", "Run", "Stack"]

T = TypeVar("T")


class _Loop:
    """An event loop on a thread of its own."""

    def __init__(self) -> None:
        self.process = os.getpid()
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._main, name="stackwright-loop", daemon=True)
        self._thread.start()

    def _main(self) -> None:
        asyncio.set_event_loop(self.loop)
        try:
            self.loop.run_forever()
        finally:
            self.loop.close()

    def stop(self) -> None:
        if os.getpid() == self.process and self._thread.is_alive():
            self.loop.call_soon_threadsafe(self.loop.stop)
            self._thread.join()

    def call(self, make: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Runs a coroutine to its end, under the caller's context variables."""
        if threading.current_thread() is self._thread:
            raise UnsupportedError(
                "this blocks, and it was called on the event loop that it waits for; use it from a plain function",
                code="host.wrong_loop",
            )
        context = contextvars.copy_context()
        done: concurrent.futures.Future[T] = concurrent.futures.Future()
        tasks: list[asyncio.Task[T]] = []

        def finish(task: asyncio.Task[T]) -> None:
            if task.cancelled():
                done.cancel()
                done.set_running_or_notify_cancel()
            elif (error := task.exception()) is not None:
                done.set_exception(error)
            else:
                done.set_result(task.result())

        def begin() -> None:
            task = context.run(self.loop.create_task, make())
            tasks.append(task)
            task.add_done_callback(finish)

        def cancel() -> None:
            for task in tasks:
                # After its first turn: a task that never ran could not drain anything.
                self.loop.call_soon(task.cancel)

        self.loop.call_soon_threadsafe(begin)
        interrupt: KeyboardInterrupt | None = None
        while True:
            try:
                result = done.result()
            except KeyboardInterrupt as error:
                interrupt = error
                self.loop.call_soon_threadsafe(cancel)
            except concurrent.futures.CancelledError:
                if interrupt is not None:
                    raise interrupt from None
                raise
            else:
                if interrupt is not None:
                    raise interrupt
                return result


class Engine:
    """Plans and applies templates with the types that it is given; see `stackwright.Engine` for the parameters."""

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
        self._inner = _engine.Engine(
            store,
            resources=resources,
            data_sources=data_sources,
            functions=functions,
            key=key,
            cipher=cipher,
            store_timeout=store_timeout,
            tags=tags,
            lease_ttl=lease_ttl,
            holder=holder,
            edition=edition,
            files_within=files_within,
            on_event=on_event,
            threads=threads,
        )
        self._loop_or_none: _Loop | None = None

    def open(self) -> Engine:
        """Opens the store. `with engine` does, too."""
        if self._loop_or_none is None:
            loop = _Loop()
            try:
                loop.call(self._inner.open)
            except BaseException:
                loop.stop()
                raise
            self._loop_or_none = loop
        return self

    def close(self) -> None:
        """Cancels the runs that are under way, waits until they are recorded, and ends the engine's threads."""
        loop = self._loop_or_none
        if loop is not None and os.getpid() == loop.process and not loop.loop.is_closed():
            try:
                loop.call(self._inner.close)
            finally:
                loop.stop()

    def __enter__(self) -> Engine:
        return self.open()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _call(self, make: Callable[[], Coroutine[Any, Any, T]]) -> T:
        # Refuses what is not open, closed, or on the wrong side of a fork: there, nobody would ever answer.
        self._inner._bridge.check()
        assert self._loop_or_none is not None
        return self._loop_or_none.call(make)

    def stack(self, name: str) -> Stack:
        """Returns the stack of a name, `tenant/name`, whether it exists yet or not; without a tenant, of `default`."""
        return Stack(self, self._inner.stack(name))

    def stacks(self, tenant: str | None = None) -> list[Stack]:
        """Returns the stacks that were ever applied, of one tenant or of all, by name."""
        return [Stack(self, stack) for stack in self._call(lambda: self._inner.stacks(tenant))]

    def __repr__(self) -> str:
        return repr(self._inner)


class Stack:
    """One deployment of a template; see `stackwright.Stack`."""

    def __init__(self, engine: Engine, inner: _engine.Stack) -> None:
        self._engine, self._inner = engine, inner
        self.name: str = inner.name

    def validate(self, template: TemplateLike) -> list[Diagnostic]:
        """Returns everything that is wrong with a template, warnings too. Nothing is called, nothing is read."""
        return self._engine._call(lambda: self._inner.validate(template))

    def plan(
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
        """Works out what is to be done; see `stackwright.Stack.plan`."""
        return Plan._of(
            self._engine,
            self._engine._call(
                lambda: self._inner.plan(
                    template,
                    variables,
                    mode=mode,
                    targets=targets,
                    replace=replace,
                    refresh=refresh,
                    imports=imports,
                    parallelism=parallelism,
                )
            ),
        )

    def apply(
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
        run = self._inner.apply
        options: dict[str, Any] = {"mode": mode, "parallelism": parallelism, "on_failure": on_failure, "who": who, "why": why}
        return Run(self._engine, self._engine._call(lambda: run(template, variables, **options)))

    def destroy(
        self,
        template: TemplateLike | None = None,
        variables: Mapping[str, object] | None = None,
        *,
        parallelism: int | None = None,
        on_failure: OnFailure | None = None,
        who: str = "",
        why: str = "",
    ) -> Run:
        """Begins to delete everything that the stack owns; see `stackwright.Stack.destroy`."""
        run = self._inner.destroy
        options: dict[str, Any] = {"parallelism": parallelism, "on_failure": on_failure, "who": who, "why": why}
        return Run(self._engine, self._engine._call(lambda: run(template, variables, **options)))

    def open_plan(self, sealed: bytes) -> Plan:
        """Returns the plan that `Plan.to_bytes` wrote for this stack."""
        return Plan._of(self._engine, self._engine._call(lambda: self._inner.open_plan(sealed)))

    def resume(
        self,
        run: str | RunInfo,
        *,
        parallelism: int | None = None,
        on_failure: OnFailure | None = None,
        who: str = "",
        why: str = "",
        variables: Mapping[str, object] | None = None,
    ) -> Run:
        """Goes on with a run whose process died, or that paused; see `stackwright.Stack.resume`."""
        resumed = self._engine._call(
            lambda: self._inner.resume(
                run, parallelism=parallelism, on_failure=on_failure, who=who, why=why, variables=variables
            )
        )
        return Run(self._engine, resumed)

    def state(self) -> State:
        """Returns what exists."""
        return self._engine._call(self._inner.state)

    def outputs(self, *, reveal: bool = False) -> dict[str, Any]:
        """Returns the root outputs as the last apply left them; `HIDDEN` where they are sensitive and not revealed."""
        return self._engine._call(lambda: self._inner.outputs(reveal=reveal))

    def runs(self, limit: int = 20) -> list[RunInfo]:
        """Returns the runs, newest first."""
        return self._engine._call(lambda: self._inner.runs(limit))

    def unfinished_run(self) -> RunInfo | None:
        """Returns the run that was begun and not ended: its process died, or works on it right now."""
        return self._engine._call(self._inner.unfinished_run)

    def abandon(self, run: str | RunInfo) -> None:
        """Gives a run up: it will not be resumed."""
        self._engine._call(lambda: self._inner.abandon(run))

    def settle(self, address: str, *, exists: bool) -> None:
        """Says what became of an object that nobody could tell about: gone, or to be replaced by the next plan."""
        self._engine._call(lambda: self._inner.settle(address, exists=exists))

    def move(self, source: str, target: str) -> None:
        """Gives an object another address. The object is not touched."""
        self._engine._call(lambda: self._inner.move(source, target))

    def forget_objects(self, target: str) -> list[str]:
        """Stops managing what an address covers; the objects stay. Returns the addresses."""
        return self._engine._call(lambda: self._inner.forget_objects(target))

    def forget(self) -> None:
        """Removes what is remembered of a stack without objects."""
        self._engine._call(self._inner.forget)

    def break_lease(self) -> None:
        """Takes the right to write the stack away from a process that is dead, before it runs out by itself."""
        self._engine._call(self._inner.break_lease)

    def __repr__(self) -> str:
        return repr(self._inner)


class Plan(BasePlan):
    """What is to be done and why; see `stackwright.Plan`."""

    _twin: Engine
    _inner: _Plan

    @classmethod
    def _of(cls, engine: Engine, inner: _Plan) -> Plan:
        plan = cls.__new__(cls)
        # The inner plan stays alive with this one: when it goes, the engine forgets it.
        plan.__dict__.update(inner.__dict__)
        plan._twin, plan._inner = engine, inner
        return plan

    def apply(
        self,
        *,
        parallelism: int | None = None,
        on_failure: OnFailure | None = None,
        who: str = "",
        why: str = "",
        variables: Mapping[str, object] | None = None,
    ) -> Run:
        """Carries the plan out. Returns once the run has begun; see `stackwright.Plan.apply`."""
        begun = self._twin._call(
            lambda: self._inner.apply(parallelism=parallelism, on_failure=on_failure, who=who, why=why, variables=variables)
        )
        return Run(self._twin, begun)


class Run:
    """A plan that is being carried out, on threads of the engine's own; see `stackwright.Run`.

    `run.result()` waits for the end; `for event in run` follows it. `with run` cancels and drains it where the block raises.
    """

    def __init__(self, engine: Engine, inner: _run.Run) -> None:
        self._engine, self._inner = engine, inner
        self.id: str = inner.id
        self.stack_name: str = inner.stack_name

    @property
    def report(self) -> _run.Report | None:
        """How it ended, once it did."""
        return self._inner.report

    @property
    def is_done(self) -> bool:
        """Whether it ended."""
        return self._inner.is_done

    def cancel(self) -> None:
        """Asks the run to start nothing new, and to finish what runs."""
        self._inner.cancel()

    def cancel_now(self) -> None:
        """Asks the run not to wait for what runs either."""
        self._inner.cancel_now()

    def wait(self) -> _run.Report:
        """Waits for the end and returns the report, however it ended."""
        return self._engine._call(self._inner.wait)

    def result(self) -> _run.Report:
        """Waits for the end.

        :raises RunFailedError: where the run did not succeed.
        """
        return self._engine._call(self._inner.result)

    def show(self) -> _run.Report:
        """Shows live progress while the run goes on; see `stackwright.Run.show`."""
        return self._engine._call(self._inner.show)

    def __iter__(self) -> Iterator[Event]:
        return self

    def __next__(self) -> Event:
        async def following() -> Event | None:
            # A `StopAsyncIteration` would not get through a task.
            return await anext(self._inner, None)

        event = self._engine._call(following)
        if event is None:
            raise StopIteration
        return event

    def __enter__(self) -> Run:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._engine._call(lambda: self._inner.__aexit__(kind, error, trace))

    def __repr__(self) -> str:
        return repr(self._inner)
