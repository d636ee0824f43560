"""What happens while the engine works: one class for each kind of event.

.. code-block:: python

    async for event in run:
        match event:
            case StepFinished(address=address, outcome="done"):
                print("made", address)
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, Literal

__all__ = [
    "CancelRequested",
    "EphemeralFinished",
    "EphemeralStarted",
    "Event",
    "OrderCancelled",
    "OrderDelivered",
    "OrderPaid",
    "OrderPlaced",
    "OrderRefunded",
    "Outcome",
    "PlannedChange",
    "Problem",
    "RefreshFinished",
    "RefreshStarted",
    "RollbackStarted",
    "RunFinished",
    "RunStarted",
    "StepApplied",
    "StepFinished",
    "StepProgress",
    "StepRetrying",
    "StepStarted",
]

Outcome = Literal["done", "failed", "skipped", "uncertain"]


@dataclass(frozen=True)
class Event:
    """Something that happened. Holds no value of a resource, and so no secret."""

    seq: int
    """Counts from 0 in each operation; gaps are progress that was left out for a slow observer."""
    at: datetime
    """When it happened."""
    type: str
    """The name of its kind, such as `step_finished`."""

    def to_dict(self) -> dict[str, Any]:
        """Returns it as JSON's kinds of things, for a stream of server-sent events or a log."""
        data = dataclasses.asdict(self)
        data["at"] = self.at.isoformat().replace("+00:00", "Z")
        return data


@dataclass(frozen=True)
class RefreshStarted(Event):
    """An instance's real object is being read."""

    address: str
    """Its address."""


@dataclass(frozen=True)
class RefreshFinished(Event):
    """The read ended."""

    address: str
    """Its address."""
    drifted: bool
    """Whether the object differs from what state says."""


@dataclass(frozen=True)
class EphemeralStarted(Event):
    """An ephemeral resource is being opened, renewed or closed."""

    address: str
    """Its address."""
    action: str
    """`open`, `renew` or `close`."""


@dataclass(frozen=True)
class EphemeralFinished(Event):
    """That ended."""

    address: str
    """Its address."""
    action: str
    """`open`, `renew` or `close`."""
    code: str | None
    """The error's code, where there is one."""
    message: str | None
    """The error's message, where there is one."""
    elapsed_ms: int
    """How long it took."""


@dataclass(frozen=True)
class PlannedChange(Event):
    """An instance was planned."""

    address: str
    """Its address."""
    action: str
    """What is to be done."""


@dataclass(frozen=True)
class RunStarted(Event):
    """A run began, or was resumed."""

    run: str
    """The run's id."""
    step_count: int
    """How many steps are left to do."""
    resumed: bool
    """Whether an earlier process began it."""


@dataclass(frozen=True)
class StepStarted(Event):
    """A step's intent is durable, and its call is about to be made."""

    step: int
    """The step's number."""
    address: str
    """The address of its instance."""
    action: str
    """What it does."""
    attempt: int
    """Which attempt it is, from 1."""


@dataclass(frozen=True)
class StepProgress(Event):
    """A resource type said how far it is."""

    step: int
    """The step's number."""
    address: str
    """The address of its instance."""
    message: str
    """What it said."""


@dataclass(frozen=True)
class StepApplied(Event):
    """The object exists (or is changed, or gone); the engine now waits until it really works."""

    step: int
    """The step's number."""
    address: str
    """The address of its instance."""


@dataclass(frozen=True)
class StepRetrying(Event):
    """A call failed and will be made again."""

    step: int
    """The step's number."""
    address: str
    """The address of its instance."""
    code: str
    """The error's code."""
    message: str
    """The error's message."""
    delay_ms: int
    """How long the engine waits first."""


@dataclass(frozen=True)
class StepFinished(Event):
    """A step ended."""

    step: int
    """The step's number."""
    address: str
    """The address of its instance."""
    action: str
    """What it did."""
    outcome: Outcome
    """How it ended."""
    code: str | None
    """The error's code, where there is one."""
    message: str | None
    """The error's message, where there is one."""
    elapsed_ms: int
    """How long it took."""


@dataclass(frozen=True)
class OrderPlaced(Event):
    """What was accepted was ordered, and is not paid yet."""

    order: str
    """The key of the order."""
    id: str
    """What the seller calls it."""
    line_count: int
    """How many lines it has."""
    due: list[str]
    """What is to be paid now, with its currency, once for each currency."""


@dataclass(frozen=True)
class OrderPaid(Event):
    """An order was paid."""

    order: str
    """The key of the order."""


@dataclass(frozen=True)
class OrderCancelled(Event):
    """An order that was not paid was taken back."""

    order: str
    """The key of the order."""


@dataclass(frozen=True)
class OrderDelivered(Event):
    """What a line of an order pays for may be made."""

    address: str
    """The address of its instance."""
    line: str
    """What the seller calls the line."""


@dataclass(frozen=True)
class OrderRefunded(Event):
    """A line of an order was paid back."""

    address: str
    """The address of its instance."""
    line: str
    """What the seller calls the line."""
    amount: list[str]
    """How much, with its currency, once for each currency."""


@dataclass(frozen=True)
class RollbackStarted(Event):
    """The run failed and undoes what it did. Steps that are told of from here on are those of the rollback."""

    run: str
    """The run's id."""
    step_count: int
    """How many changes are to be undone."""


@dataclass(frozen=True)
class CancelRequested(Event):
    """Somebody asked the run to stop; running steps are finished, none is started."""

    running: int
    """How many steps are still running."""


@dataclass(frozen=True)
class Problem(Event):
    """A problem that does not belong to one step."""

    code: str
    """Its code."""
    message: str
    """What is wrong."""


@dataclass(frozen=True)
class RunFinished(Event):
    """The run ended."""

    run: str
    """The run's id."""
    status: str
    """`succeeded`, `failed`, `cancelled` or `stuck`."""
    done: int
    """Steps that ended well."""
    failed: int
    """Steps that failed or are uncertain."""
    skipped: int
    """Steps that did not start."""


_CLASSES: dict[str, type[Event]] = {
    "refresh_started": RefreshStarted,
    "refresh_finished": RefreshFinished,
    "ephemeral_started": EphemeralStarted,
    "ephemeral_finished": EphemeralFinished,
    "planned": PlannedChange,
    "run_started": RunStarted,
    "step_started": StepStarted,
    "step_progress": StepProgress,
    "step_applied": StepApplied,
    "step_retrying": StepRetrying,
    "step_finished": StepFinished,
    "order_placed": OrderPlaced,
    "order_paid": OrderPaid,
    "order_cancelled": OrderCancelled,
    "order_delivered": OrderDelivered,
    "order_refunded": OrderRefunded,
    "cancel_requested": CancelRequested,
    "rollback_started": RollbackStarted,
    "run_finished": RunFinished,
}


def event_from_json(recorded: Mapping[str, Any]) -> Event:
    """Returns the event that the engine recorded; one of a kind that is newer than this package is a bare `Event`."""
    event = dict(recorded["event"])
    at = datetime.fromtimestamp(recorded["at"] / 1000, timezone.utc)
    kind = event.pop("type")
    if kind == "problem":
        diagnostic = event["diagnostic"]
        return Problem(recorded["seq"], at, kind, diagnostic["code"], diagnostic["message"])
    cls = _CLASSES.get(kind)
    if cls is None:
        return Event(recorded["seq"], at, kind)
    return cls(recorded["seq"], at, kind, **event)
