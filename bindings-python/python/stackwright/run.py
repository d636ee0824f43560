"""A run: a plan that is being carried out, and how it ended."""

from __future__ import annotations

import asyncio
import weakref
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from .errors import RunFailedError, StackwrightError, error_from_json
from .events import Event, event_from_json
from .plan import Output, shown

if TYPE_CHECKING:
    from types import TracebackType

    from ._bridge import Bridge, Operation
    from .engine import Engine

__all__ = ["Report", "Run", "StepProblem"]

Status = Literal["running", "succeeded", "failed", "cancelled", "stuck", "abandoned"]

_BATCH = 256


@dataclass(frozen=True)
class StepProblem:
    """What went wrong at one instance."""

    address: str
    """The address of the instance, or the name of the output."""
    error: StackwrightError
    """What went wrong; its `__cause__` is what a type of yours raised, unchanged."""


@dataclass(frozen=True)
class Report:
    """How a run ended."""

    run: str
    """The run's id."""
    status: Status
    """How it stands. `running` where calls were still under way when somebody hurried it: resume it."""
    problems: list[StepProblem]
    """What went wrong, in the order in which it happened."""
    outputs: dict[str, Any]
    """The root outputs; `HIDDEN` where they are sensitive. Empty unless the run succeeded."""
    done: int
    """Steps that ended well."""
    failed: int
    """Steps that failed or are uncertain."""
    skipped: int
    """Steps that did not start."""

    @property
    def succeeded(self) -> bool:
        """Whether all steps ended well."""
        return self.status == "succeeded"


R = TypeVar("R", bound="Run")


async def begin(
    make: Callable[[Bridge, Operation, str, str], R], engine: Engine, stack: str, how: str, arguments: Mapping[str, object]
) -> R:
    """Begins a run. It begins even where the awaiting task is cancelled meanwhile; it is drained then."""
    bridge = engine._bridge
    operation = bridge.operation(engine._watcher)
    asked = bridge.ask(how, operation=operation.name, **arguments)
    try:
        run_id = await asyncio.shield(asked)
    except asyncio.CancelledError:
        bridge.tell("cancel", operation=operation.name)
        await asyncio.wait([asked])
        if asked.exception() is None:
            run = make(bridge, operation, stack, asked.result())
            run.cancel()
            await run._end_quietly()
        raise
    except BaseException:
        bridge.release(operation)
        raise
    return make(bridge, operation, stack, run_id)


class Run:
    """A plan that is being carried out, on tasks of the engine's own: dropping this leaves it going.

    `await run` waits for the end and returns the `Report`; a run that did not succeed raises `RunFailedError`.
    `async for event in run` follows it. `async with run` cancels and drains it where the block raises, and waits for the
    end otherwise. Cancelling a task that awaits the run asks it to stop: what runs is finished, nothing is started, and the
    task sees its `CancelledError` once all is recorded. A second cancellation does not wait for what runs either.
    """

    def __init__(self, bridge: Bridge, operation: Operation, stack: str, run_id: str) -> None:
        self._bridge, self._operation = bridge, operation
        self.stack_name: str = stack
        self.id: str = run_id
        self._report: Report | None = None
        self._end: asyncio.Future[Report] = asyncio.ensure_future(self._finish(), loop=bridge.loop)
        # Whoever does not await the end need not hear of it.
        self._end.add_done_callback(lambda end: end.cancelled() or end.exception())
        self._events: deque[Event] = deque()
        self._events_ended = False
        self._waiting: asyncio.Task[None] | None = None
        bridge.runs[operation.name] = self
        weakref.finalize(self, bridge.release, operation).atexit = False

    async def _finish(self) -> Report:
        try:
            data = await self._bridge.ask("finish", operation=self._operation.name)
        finally:
            self._bridge.runs.pop(self._operation.name, None)
        self._report = report_of(data, self._operation)
        return self._report

    @property
    def report(self) -> Report | None:
        """How it ended, once it did."""
        return self._report

    def cancel(self) -> None:
        """Asks the run to start nothing new, and to finish what runs. `await` it to see the end."""
        self._bridge.tell("cancel", operation=self._operation.name)

    def cancel_now(self) -> None:
        """Asks the run not to wait for what runs either: `ctx.is_cancelled` turns true, and calls get a few seconds.

        What became of them is found out when the run is resumed (`Stack.resume`).
        """
        self._bridge.tell("cancel", operation=self._operation.name, now=True)

    @property
    def is_done(self) -> bool:
        """Whether it ended."""
        return self._end.done()

    async def wait(self) -> Report:
        """Waits for the end and returns the report, however it ended.

        :raises StackwrightError: the run paused and can be resumed: `store.unavailable`, `lease.lost`.
        """
        cancelled: asyncio.CancelledError | None = None
        while not self._end.done():
            try:
                await asyncio.shield(self._end)
            except asyncio.CancelledError as error:
                if self._bridge.is_closed:
                    raise
                if cancelled is None:
                    self.cancel()
                else:
                    self.cancel_now()
                cancelled = error
            except StackwrightError:
                break
        if cancelled is not None:
            raise cancelled
        return self._end.result()

    async def _end_quietly(self) -> None:
        await asyncio.wait([self._end])

    async def result(self) -> Report:
        """Waits for the end. `await run` is the same.

        :raises RunFailedError: where the run did not succeed.
        """
        return checked(await self.wait())

    def __await__(self) -> Any:
        return self.result().__await__()

    def __aiter__(self) -> AsyncIterator[Event]:
        return self

    async def __anext__(self) -> Event:
        while not self._events:
            if self._events_ended:
                # The report is there as soon as the loop over the events is over.
                await self.wait()
                raise StopAsyncIteration
            if self._waiting is None:
                self._waiting = asyncio.ensure_future(self._more())
            waiting = self._waiting
            try:
                await asyncio.shield(waiting)
            except asyncio.CancelledError:
                if not waiting.cancelled():
                    self.cancel()
                    await self._end_quietly()
                raise
        return self._events.popleft()

    async def _more(self) -> None:
        try:
            batch = await self._bridge.ask("events", operation=self._operation.name, limit=_BATCH)
            self._events.extend(event_from_json(event) for event in batch["events"])
            self._events_ended = batch["ended"]
        finally:
            self._waiting = None

    async def __aenter__(self) -> Run:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self.cancel()
            await self._end_quietly()
        else:
            await self.result()

    def __repr__(self) -> str:
        return f"<Run {self.id} of {self.stack_name}: {self.report.status if self.report else 'running'}>"

    async def show(self) -> Report:
        """Shows live progress while the run goes on: in a notebook, or in a terminal with `rich` where it is installed.

        :raises RunFailedError: where the run did not succeed.
        """
        from .progress import display

        with display(self) as show:
            async for event in self:
                show(event)
        return await self.result()


def report_of(data: Mapping[str, Any], operation: Operation) -> Report:
    problems: list[StepProblem] = []
    for problem in data["problems"]:
        error = error_from_json(problem["error"])
        error.__cause__ = operation.raised.get(problem["address"])
        problems.append(StepProblem(problem["address"], error))
    return Report(
        run=data["run"],
        status=data["status"],
        problems=problems,
        outputs={name: shown(output) for name, output in data["outputs"].items()},
        done=data["done_count"],
        failed=data["failed_count"],
        skipped=data["skipped_count"],
    )


def outputs_of(data: Mapping[str, Any]) -> dict[str, Output]:
    return {name: Output(shown(output["value"]), output["sensitive"]) for name, output in data.items()}


def checked(report: Report) -> Report:
    """Returns the report of a run that succeeded.

    :raises RunFailedError: where it did not.
    """
    if report.succeeded:
        return report
    lines = [f"run {report.run} {_WORDS[report.status]}"]
    lines += [f"{problem.address}: {problem.error}" for problem in report.problems]
    error = RunFailedError("\n".join(lines), code="run.cancelled" if report.status == "cancelled" else "run.failed", report=report)
    causes = [problem.error.__cause__ for problem in report.problems if problem.error.__cause__ is not None]
    raise error from (causes[0] if causes else report.problems[0].error if report.problems else None)


_WORDS: dict[str, str] = {
    "running": "was left with calls under way; resume it",
    "failed": "failed",
    "cancelled": "was cancelled",
    "stuck": "cannot go on without a person",
    "abandoned": "was given up",
    "succeeded": "succeeded",
}
