"""Live progress of a run: in a notebook as HTML, in a terminal with `rich` where it is installed, else a line per step."""

from __future__ import annotations

import html
import importlib
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .events import Event, RunFinished, RunStarted, StepFinished, StepProgress, StepRetrying, StepStarted

if TYPE_CHECKING:
    from .run import Run

__all__ = ["Tally", "display"]

Show = Callable[[Event], None]


@dataclass
class Tally:
    """Where a run stands, as far as its events tell."""

    total: int = 0
    """Steps in all."""
    done: int = 0
    """Steps that ended well."""
    failed: int = 0
    """Steps that failed, were skipped, or are uncertain."""
    running: dict[str, str] = field(default_factory=dict[str, str])
    """What runs: address → what is said of it."""
    status: str = "running"
    """How the run stands."""
    problems: list[str] = field(default_factory=list[str])
    """What went wrong."""

    def take(self, event: Event) -> None:
        """Takes an event into account."""
        if isinstance(event, RunStarted):
            self.total = event.step_count
        elif isinstance(event, StepStarted):
            self.running[event.address] = event.action
        elif isinstance(event, StepProgress):
            self.running[event.address] = event.message
        elif isinstance(event, StepRetrying):
            self.running[event.address] = f"again in {event.delay_ms / 1000:g} s: {event.message}"
        elif isinstance(event, StepFinished):
            self.running.pop(event.address, None)
            if event.outcome == "done":
                self.done += 1
            else:
                self.failed += 1
            if event.message:
                self.problems.append(f"{event.address}: {event.message}")
        elif isinstance(event, RunFinished):
            self.status = event.status

    @property
    def part(self) -> float:
        """How much is over, from 0 to 1."""
        over = self.done + self.failed
        return 1.0 if self.status != "running" else min(1.0, over / self.total) if self.total else 0.0

    def _repr_html_(self) -> str:
        color = {"running": "#0969da", "succeeded": "#1a7f37"}.get(self.status, "#cf222e")
        running = "".join(
            f"<li><code>{html.escape(address)}</code> {html.escape(what)}</li>" for address, what in list(self.running.items())[:12]
        )
        problems = "".join(f'<li style="color:#cf222e">{html.escape(problem)}</li>' for problem in self.problems[:12])
        return (
            f'<div style="font:13px/1.5 system-ui,sans-serif"><div style="height:6px;background:#8883;border-radius:3px">'
            f'<div style="height:6px;width:{self.part * 100:.0f}%;background:{color};border-radius:3px"></div></div>'
            f"{self.done} of {self.total} done{f', {self.failed} not' if self.failed else ''}, {html.escape(self.status)}"
            f'<ul style="margin:4px 0;padding-left:1.4em">{problems}{running}</ul></div>'
        )


@contextmanager
def display(run: Run) -> Generator[Show]:
    """Shows what happens for as long as the block lasts; the block passes events on."""
    ipython = _notebook()
    if ipython is not None:
        with _in_notebook(ipython) as show:
            yield show
        return
    rich = None
    if sys.stderr.isatty():
        try:
            rich = importlib.import_module("rich.progress")
        except ImportError:
            pass
    with _with_rich(rich, run) if rich is not None else _lines() as show:
        yield show


def _notebook() -> Any:
    """Returns IPython's way to display, in a notebook."""
    shell = sys.modules.get("IPython")
    instance = None if shell is None else shell.get_ipython()
    if instance is None or type(instance).__name__ != "ZMQInteractiveShell":
        return None
    return importlib.import_module("IPython.display")


# How often a page is drawn anew, in seconds.
_PACE = 0.1


@contextmanager
def _in_notebook(ipython: Any) -> Generator[Show]:
    tally = Tally()
    handle = ipython.display(tally, display_id=True)
    drawn = 0.0

    def show(event: Event) -> None:
        nonlocal drawn
        tally.take(event)
        now = time.monotonic()
        if now - drawn > _PACE:
            drawn = now
            handle.update(tally)

    try:
        yield show
    finally:
        handle.update(tally)


@contextmanager
def _with_rich(rich: Any, run: Run) -> Generator[Show]:
    tally = Tally()
    console = importlib.import_module("rich.console").Console(stderr=True)
    columns = (
        rich.SpinnerColumn(),
        rich.TextColumn("{task.description}"),
        rich.BarColumn(),
        rich.MofNCompleteColumn(),
        rich.TimeElapsedColumn(),
    )
    with rich.Progress(*columns, console=console) as progress:
        whole = progress.add_task(run.stack_name, total=None)
        parts: dict[str, Any] = {}

        def show(event: Event) -> None:
            tally.take(event)
            progress.update(whole, total=tally.total or None, completed=tally.done + tally.failed)
            for address in [address for address in parts if address not in tally.running]:
                progress.remove_task(parts.pop(address))
            for address, what in list(tally.running.items())[:12]:
                text = f"  {address} {what}"
                if address in parts:
                    progress.update(parts[address], description=text)
                else:
                    parts[address] = progress.add_task(text, total=None)
            if isinstance(event, StepFinished) and event.message:
                progress.print(f"{event.address}: {event.message}", markup=False, style="red")

        yield show


@contextmanager
def _lines() -> Generator[Show]:
    tally = Tally()

    def show(event: Event) -> None:
        tally.take(event)
        if isinstance(event, StepFinished):
            count = f"[{tally.done + tally.failed}/{tally.total}]"
            why = f": {event.message}" if event.message else ""
            print(f"{count} {event.address} {event.action} {event.outcome}{why}", file=sys.stderr)
        elif isinstance(event, RunFinished):
            print(f"{event.status}: {event.done} done, {event.failed} failed, {event.skipped} skipped", file=sys.stderr)

    yield show
