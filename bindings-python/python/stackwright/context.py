"""What surrounds a call of a verb."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from . import _json

if TYPE_CHECKING:
    from ._bridge import Bridge
    from ._native import CallContext

__all__ = ["Context", "SyncContext"]


class BaseContext:
    """The facts of one call."""

    idempotency_key: str
    """The same for every attempt to make the same object, across crashes too; empty for calls that make nothing."""
    address: str
    """The address of the instance, such as `acme_bucket.main[0]`."""
    type_name: str
    """The registered name of the type."""
    stack: str
    """The stack, as `tenant/name`."""
    tenant: str
    """The tenant."""
    attempt: int
    """Which attempt it is, from 1."""
    deadline: datetime | None
    """When the call has to end; it is cancelled then."""
    tags: Mapping[str, str]
    """What the host wants on every object."""
    provider_config: Any
    """The configuration of the provider that owns the type, as plain Python."""

    def __init__(self, live: CallContext, facts: Mapping[str, Any], bridge: Bridge) -> None:
        self._live, self._bridge = live, bridge
        self.idempotency_key = facts["idempotency_key"]
        self.address = facts["address"]
        self.type_name = facts["type_name"]
        self.stack = facts["stack"]
        self.tenant = facts["tenant"]
        self.attempt = facts["attempt"]
        deadline = facts["deadline_ms"]
        self.deadline = None if deadline is None else datetime.fromtimestamp(deadline / 1000, timezone.utc)
        self.tags = MappingProxyType(facts["tags"])
        config = facts["provider_config"]
        self.provider_config = None if config is None else config["value"]

    @property
    def is_cancelled(self) -> bool:
        """Whether the caller wants the call to end soon: complete, undo, or leave half done and say so."""
        return self._live.is_cancelled

    def progress(self, message: str) -> None:
        """Tells observers how far the call is. No secrets."""
        self._live.progress(message)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.address} attempt {self.attempt}>"


def _partial(attributes: Mapping[str, object]) -> str | None:
    return _json.dumps({"value": attributes}) if attributes else None


class Context(BaseContext):
    """What a verb that is `async def` gets as `ctx`."""

    async def checkpoint(self, id: str, **attributes: object) -> None:
        """Makes the remote id durable as soon as it is known, before the object is finished.

        When this returns, the fact survives a crash: `recover` gets the id then, or `read` is asked for it.

        :raises ConflictError: `lease.lost`, somebody else took the stack over: stop at once.
        """
        number, promise = self._bridge.promise()
        self._live.checkpoint(number, id, _partial(attributes))
        await promise

    async def cancelled(self) -> bool:
        """Waits until the caller wants the call to end soon (`True`), or until the call ended (`False`)."""
        number, promise = self._bridge.promise()
        self._live.cancelled(number)
        return bool(await promise)


class SyncContext(BaseContext):
    """What a verb that is a plain function gets as `ctx`; it runs on a thread of its own and may block."""

    def checkpoint(self, id: str, **attributes: object) -> None:
        """As `Context.checkpoint`; blocks until the fact is durable."""
        self._bridge.unwrap(self._live.checkpoint_blocking(id, _partial(attributes)))
