"""Stores that are written in Python: where state, journals and plans live.

.. code-block:: python

    class MyStore(stackwright.store.Store):
        async def load_stack(self, stack): ...

    async with Engine(MyStore(), key="stackwright.key", resources=[Bucket]) as engine: ...

Methods are `async def`, which begin on the event loop in the order in which they are called, or plain functions, which run one
after the other on a thread of their own and may block. What is called in order has to be done in order. Bodies are bytes that
only the engine reads: sensitive values in them are sealed. Moments are milliseconds since the Unix epoch. What a store refuses
it raises as one of the errors below; `stackwright.testing.conform_store` tries everything that the engine relies on.
`MemoryStore` shows what that is, and is there to be built upon.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple, TypeVar

from .errors import ConflictError, UnavailableError, UnsupportedError

__all__ = [
    "Commit",
    "Delete",
    "EntryRecord",
    "Lease",
    "LedgerKey",
    "LedgerRecord",
    "MemoryStore",
    "Put",
    "RowRecord",
    "RunRecord",
    "SegmentRecord",
    "StackKey",
    "StackRecord",
    "StackWrite",
    "Store",
    "conflict",
    "corrupt",
    "lease_held",
    "lease_lost",
    "stale",
    "too_new",
    "unavailable",
]

K = TypeVar("K")
T = TypeVar("T")
Status = Literal["running", "succeeded", "failed", "cancelled", "stuck", "abandoned"]


class StackKey(NamedTuple):
    """Names a stack."""

    tenant: str
    """Whose it is."""
    name: str
    """What it is called there."""


class LedgerKey(NamedTuple):
    """Names a ledger."""

    tenant: str
    """Whose it is."""
    kind: str
    """What its records are about."""
    name: str
    """What it is called there."""


@dataclass(frozen=True)
class StackRecord:
    """What is kept of a stack beside its rows."""

    key: StackKey
    """Which stack."""
    lineage: str
    """Which history."""
    serial: int
    """Counts the commits that changed rows or outputs, from 1."""
    body: bytes
    """The encoded outputs."""


@dataclass(frozen=True)
class StackWrite:
    """A change to a stack's record."""

    lineage: str
    """The history; written when the stack is first committed."""
    body: bytes
    """The encoded outputs."""


@dataclass(frozen=True)
class RowRecord:
    """One object."""

    object_id: str
    """Which object."""
    address: str
    """Where it stands in the template; not unique, since deposed objects share it."""
    version: int
    """The version of the row, from 1."""
    body: bytes
    """The encoded row."""


@dataclass(frozen=True)
class RunRecord:
    """A run, beside its segments and its journal."""

    id: str
    """Which run."""
    stack: StackKey
    """Of which stack."""
    status: Status
    """How it stands."""
    started_ms: int
    """When it began."""
    finished_ms: int | None
    """When it ended."""
    body: bytes
    """Facts for lists, encoded."""


@dataclass(frozen=True)
class SegmentRecord:
    """One stored part of a run's plan; never changes."""

    run: str
    """Which run."""
    number: int
    """Its number, from 0, without gaps."""
    body: bytes
    """The encoded plan."""


@dataclass(frozen=True)
class EntryRecord:
    """One fact in a run's journal; never changes."""

    run: str
    """Which run."""
    seq: int
    """Its number, from 0, without gaps."""
    body: bytes
    """The encoded fact."""


@dataclass(frozen=True)
class LedgerRecord:
    """One record of a ledger; never changes."""

    seq: int
    """Its number, from 0, without gaps."""
    body: bytes
    """The encoded record."""


@dataclass(frozen=True)
class Lease:
    """The right to write a stack until a moment."""

    stack: StackKey
    """Which stack."""
    token: int
    """Which holder; larger than any that was handed out before."""
    holder: str
    """Who holds it, for people."""
    expires_ms: int
    """Until when, by the clock that was given to `acquire`."""


@dataclass(frozen=True)
class Put:
    """Adds a row, or replaces the one with the same object id."""

    row: RowRecord
    """The row."""


@dataclass(frozen=True)
class Delete:
    """Removes a row; removing what is not there succeeds."""

    object_id: str
    """Which object."""


@dataclass(frozen=True)
class Commit:
    """Facts that become durable together, or not at all."""

    run: RunRecord | None = None
    """Adds or replaces the run's record."""
    segments: Sequence[SegmentRecord] = ()
    """Added. One that is there already with the same body is left alone."""
    entries: Sequence[EntryRecord] = ()
    """Appended to the journal. One that is there already with the same body is left alone."""
    rows: Sequence[Put | Delete] = ()
    """Changes rows, in order."""
    stack: StackWrite | None = None
    """Creates or changes the stack's record."""


# --- what a store refuses ---


def lease_held(stack: StackKey, holder: str, expires_ms: int) -> ConflictError:
    """Returns `lease.held`: somebody else may write the stack until then."""
    expires = (datetime(1970, 1, 1) + timedelta(milliseconds=expires_ms)).isoformat(timespec="milliseconds") + "Z"
    message = f"`{stack.tenant}/{stack.name}` is being worked on by {holder} until {expires}"
    return ConflictError(message, code="lease.held", context={"holder": holder, "expires": expires})


def lease_lost(stack: StackKey) -> ConflictError:
    """Returns `lease.lost`: the token is not the newest, or was given back."""
    return ConflictError(f"the lease on `{stack.tenant}/{stack.name}` was lost or given back", code="lease.lost")


def conflict(message: str) -> ConflictError:
    """Returns `store.conflict`: what is to be written contradicts what is there."""
    return ConflictError(message, code="store.conflict")


def stale() -> ConflictError:
    """Returns `store.stale`: a newer version of the row is stored."""
    return ConflictError("a newer version of the row is stored", code="store.stale")


def corrupt(message: str) -> UnsupportedError:
    """Returns `store.corrupt`: what is stored cannot be what was written."""
    return UnsupportedError(message, code="store.corrupt")


def too_new(message: str) -> UnsupportedError:
    """Returns `store.version`: a newer program wrote it."""
    return UnsupportedError(message, code="store.version")


def unavailable(message: str, *, passes: bool = True) -> UnavailableError:
    """Returns `store.unavailable`: the store does not answer.

    :param passes: whether a repeat may help.
    """
    return UnavailableError(message, code="store.unavailable", retry=passes)


class Store(ABC):
    """Where state lives. Every method may be `async def` or plain.

    All may raise `unavailable`, `corrupt` and `too_new`.
    """

    @abstractmethod
    def load_stack(self, stack: StackKey) -> StackRecord | None | Awaitable[StackRecord | None]:
        """Returns a stack's record; `None` where nothing was ever committed."""

    @abstractmethod
    def list_stacks(self, tenant: str | None) -> Sequence[StackRecord] | Awaitable[Sequence[StackRecord]]:
        """Returns the stacks of a tenant, or of all, ordered by key."""

    @abstractmethod
    def load_rows(self, stack: StackKey) -> Sequence[RowRecord] | Awaitable[Sequence[RowRecord]]:
        """Returns all rows of a stack, ordered by object id."""

    @abstractmethod
    def acquire(self, stack: StackKey, holder: str, now_ms: int, ttl_ms: int) -> Lease | Awaitable[Lease]:
        """Takes the lease of a stack for `ttl_ms` from `now_ms`; its token is larger than any handed out before.

        :raises ConflictError: `lease_held` while another lease has not expired.
        """

    @abstractmethod
    def renew(self, lease: Lease, now_ms: int, ttl_ms: int) -> Lease | Awaitable[Lease]:
        """Extends a lease.

        :raises ConflictError: `lease_lost` when somebody else took it or it was released.
        """

    @abstractmethod
    def release(self, lease: Lease) -> None | Awaitable[None]:
        """Gives a lease back; giving back what is not held succeeds."""

    @abstractmethod
    def break_lease(self, stack: StackKey) -> None | Awaitable[None]:
        """Takes the lease away from whoever holds it."""

    @abstractmethod
    def lease_of(self, stack: StackKey) -> Lease | None | Awaitable[Lease | None]:
        """Returns the stack's lease, expired or not."""

    @abstractmethod
    def commit(self, lease: Lease, commit: Commit) -> None | Awaitable[None]:
        """Makes all of it durable, or nothing. Returns only when it is durable; the same again changes nothing.

        :raises ConflictError: `lease_lost` when the token is not the newest; `stale` for a row older than the stored one;
            `conflict` when a segment, an entry or a row of the same version is there with another body, when a number
            leaves a gap, when a run is another stack's, when rows come before the stack's record, or when the lineage differs.
        """

    @abstractmethod
    def load_run(self, run: str) -> RunRecord | None | Awaitable[RunRecord | None]:
        """Returns a run's record."""

    @abstractmethod
    def list_runs(self, stack: StackKey, limit: int) -> Sequence[RunRecord] | Awaitable[Sequence[RunRecord]]:
        """Returns the runs of a stack, newest first, at most `limit`."""

    @abstractmethod
    def load_segments(self, run: str) -> Sequence[SegmentRecord] | Awaitable[Sequence[SegmentRecord]]:
        """Returns a run's segments in order."""

    @abstractmethod
    def load_journal(self, run: str) -> Sequence[EntryRecord] | Awaitable[Sequence[EntryRecord]]:
        """Returns a run's journal in order."""

    @abstractmethod
    def append(self, ledger: LedgerKey, records: Sequence[LedgerRecord]) -> None | Awaitable[None]:
        """Appends all of them, or nothing. No lease guards a ledger: of several that append one number, one succeeds.

        :raises ConflictError: `conflict` when a record is there with another body, or a number leaves a gap.
        """

    @abstractmethod
    def load_ledger(self, ledger: LedgerKey, start: int) -> Sequence[LedgerRecord] | Awaitable[Sequence[LedgerRecord]]:
        """Returns the records of a ledger from number `start` on, in order."""

    @abstractmethod
    def list_ledgers(self, tenant: str | None, kind: str) -> Sequence[LedgerKey] | Awaitable[Sequence[LedgerKey]]:
        """Returns the ledgers about `kind` of a tenant, or of all, ordered by tenant and name."""

    @abstractmethod
    def forget_stack(self, lease: Lease) -> None | Awaitable[None]:
        """Removes a stack's record, rows, runs and journals; ledgers stay, and so does the newest token.

        :raises ConflictError: `lease_lost`; `conflict` while rows are left.
        """


@dataclass
class _Run:
    record: RunRecord
    segments: list[SegmentRecord] = field(default_factory=list[SegmentRecord])
    journal: list[EntryRecord] = field(default_factory=list[EntryRecord])


def _appended(stored: Sequence[T], new: Sequence[T], number_of: Callable[[T], int]) -> list[T]:
    """Returns what is new of numbered records that never change."""
    tail: list[T] = []
    for record in new:
        number, end = number_of(record), len(stored) + len(tail)
        if number > end:
            raise conflict("a number leaves a gap before it")
        if number == end:
            tail.append(record)
        elif (stored[number] if number < len(stored) else tail[number - len(stored)]) != record:
            raise conflict("a record is stored already, and differs")
    return tail


class MemoryStore(Store):
    """A whole store in dictionaries: for tests, and to be built upon.

    A store that keeps what it holds elsewhere overrides `changed`, which is called at the end of everything that changes
    something, before the engine is told so; what it raises is raised, and nothing was changed.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._undo: list[Callable[[], object]] = []
        self._stacks: dict[StackKey, StackRecord] = {}
        self._rows: dict[StackKey, dict[str, RowRecord]] = {}
        self._runs: dict[str, _Run] = {}
        self._leases: dict[StackKey, Lease] = {}
        self._ledgers: dict[LedgerKey, list[LedgerRecord]] = {}
        self._last_token: int = 0

    def contents(self) -> dict[str, Any]:
        """Returns all that it holds, for `restore`: dictionaries and the records of this module. O(size)."""
        return {
            "stacks": dict(self._stacks),
            "rows": {key: dict(rows) for key, rows in self._rows.items()},
            "runs": {id: (run.record, list(run.segments), list(run.journal)) for id, run in self._runs.items()},
            "leases": dict(self._leases),
            "ledgers": {key: list(records) for key, records in self._ledgers.items()},
            "last_token": self._last_token,
        }

    def restore(self, contents: dict[str, Any]) -> None:
        """Takes what `contents` returned, which nobody changes any more."""
        self._stacks, self._rows = contents["stacks"], contents["rows"]
        self._runs = {id: _Run(*run) for id, run in contents["runs"].items()}
        self._leases, self._ledgers = contents["leases"], contents["ledgers"]
        self._last_token = contents["last_token"]

    def changed(self) -> None:
        """Is called when something was changed, by one thread at a time."""

    def _change(self, change: Callable[[], T]) -> T:
        """Does all of a change, or nothing of it."""
        with self._lock:
            self._undo.clear()
            try:
                result = change()
                self.changed()
            except BaseException:
                for undo in reversed(self._undo):
                    undo()
                raise
            return result

    def _put(self, where: dict[K, T], key: K, value: T) -> None:
        if key in where:
            old = where[key]
            self._undo.append(lambda: where.__setitem__(key, old))
        else:
            self._undo.append(lambda: where.pop(key))
        where[key] = value

    def _pop(self, where: dict[K, T], key: K) -> bool:
        if key not in where:
            return False
        old = where.pop(key)
        self._undo.append(lambda: where.__setitem__(key, old))
        return True

    def _extend(self, where: list[T], tail: list[T]) -> None:
        end = len(where)
        self._undo.append(lambda: where.__delitem__(slice(end, None)))
        where.extend(tail)

    def _check(self, lease: Lease) -> None:
        held = self._leases.get(lease.stack)
        if held is None or held.token != lease.token:
            raise lease_lost(lease.stack)

    def load_stack(self, stack: StackKey) -> StackRecord | None:
        with self._lock:
            return self._stacks.get(stack)

    def list_stacks(self, tenant: str | None) -> list[StackRecord]:
        with self._lock:
            return [record for key, record in sorted(self._stacks.items()) if tenant in (None, key.tenant)]

    def load_rows(self, stack: StackKey) -> list[RowRecord]:
        with self._lock:
            return [row for _, row in sorted(self._rows.get(stack, {}).items())]

    def acquire(self, stack: StackKey, holder: str, now_ms: int, ttl_ms: int) -> Lease:
        def change() -> Lease:
            held = self._leases.get(stack)
            if held is not None and held.expires_ms > now_ms:
                raise lease_held(stack, held.holder, held.expires_ms)
            # A token that nobody got is never given again: that does no harm.
            self._last_token += 1
            lease = Lease(stack, self._last_token, holder, now_ms + ttl_ms)
            self._put(self._leases, stack, lease)
            return lease

        return self._change(change)

    def renew(self, lease: Lease, now_ms: int, ttl_ms: int) -> Lease:
        def change() -> Lease:
            self._check(lease)
            renewed = replace(lease, expires_ms=now_ms + ttl_ms)
            self._put(self._leases, lease.stack, renewed)
            return renewed

        return self._change(change)

    def release(self, lease: Lease) -> None:
        def change() -> None:
            held = self._leases.get(lease.stack)
            if held is not None and held.token == lease.token:
                self._pop(self._leases, lease.stack)

        self._change(change)

    def break_lease(self, stack: StackKey) -> None:
        self._change(lambda: self._pop(self._leases, stack))

    def lease_of(self, stack: StackKey) -> Lease | None:
        with self._lock:
            return self._leases.get(stack)

    def commit(self, lease: Lease, commit: Commit) -> None:
        def change() -> None:
            self._check(lease)
            self._commit_run(lease.stack, commit)
            self._commit_rows(lease.stack, commit)

        self._change(change)

    def _commit_run(self, key: StackKey, commit: Commit) -> None:
        if commit.run is not None:
            known = self._runs.get(commit.run.id)
            if commit.run.stack != key or known is not None and known.record.stack != key:
                raise conflict("a run belongs to another stack")
            run = _Run(commit.run) if known is None else _Run(commit.run, known.segments, known.journal)
            self._put(self._runs, commit.run.id, run)

        def run_of(id: str) -> _Run:
            run = self._runs.get(id)
            if run is None or run.record.stack != key:
                raise conflict("a commit writes to a run that this stack does not have")
            return run

        for segment in commit.segments:
            run = run_of(segment.run)
            self._extend(run.segments, _appended(run.segments, [segment], lambda record: record.number))
        for entry in commit.entries:
            run = run_of(entry.run)
            self._extend(run.journal, _appended(run.journal, [entry], lambda record: record.seq))

    def _commit_rows(self, key: StackKey, commit: Commit) -> None:
        record, rows, has_changed = self._stacks.get(key), self._rows.setdefault(key, {}), False
        if commit.stack is not None:
            if record is not None and record.lineage != commit.stack.lineage:
                raise conflict("the stack was forgotten and made anew by somebody else: its history is another one")
            if record is None or record.body != commit.stack.body:
                record = StackRecord(key, commit.stack.lineage, 0 if record is None else record.serial, commit.stack.body)
                has_changed = True
        if record is None:
            if commit.rows:
                raise conflict("rows were committed before the stack's own record")
            return
        for write in commit.rows:
            if isinstance(write, Delete):
                has_changed |= self._pop(rows, write.object_id)
                continue
            there = rows.get(write.row.object_id)
            if there is not None and write.row.version < there.version:
                raise stale()
            if there is not None and write.row.version == there.version and write.row != there:
                raise conflict("a row is stored already in this version, and differs")
            if there != write.row:
                self._put(rows, write.row.object_id, write.row)
                has_changed = True
        self._put(self._stacks, key, replace(record, serial=record.serial + has_changed))

    def load_run(self, run: str) -> RunRecord | None:
        with self._lock:
            found = self._runs.get(run)
            return None if found is None else found.record

    def list_runs(self, stack: StackKey, limit: int) -> list[RunRecord]:
        with self._lock:
            runs = [run.record for run in self._runs.values() if run.record.stack == stack]
            return runs[::-1][:limit]

    def load_segments(self, run: str) -> list[SegmentRecord]:
        with self._lock:
            return list(self._runs[run].segments) if run in self._runs else []

    def load_journal(self, run: str) -> list[EntryRecord]:
        with self._lock:
            return list(self._runs[run].journal) if run in self._runs else []

    def append(self, ledger: LedgerKey, records: Sequence[LedgerRecord]) -> None:
        def change() -> None:
            tail = _appended(self._ledgers.get(ledger, []), records, lambda record: record.seq)
            if tail:
                if ledger not in self._ledgers:
                    self._put(self._ledgers, ledger, [])
                self._extend(self._ledgers[ledger], tail)

        self._change(change)

    def load_ledger(self, ledger: LedgerKey, start: int) -> list[LedgerRecord]:
        with self._lock:
            return self._ledgers.get(ledger, [])[start:]

    def list_ledgers(self, tenant: str | None, kind: str) -> list[LedgerKey]:
        with self._lock:
            return sorted(key for key in self._ledgers if key.kind == kind and tenant in (None, key.tenant))

    def forget_stack(self, lease: Lease) -> None:
        def change() -> None:
            self._check(lease)
            if self._rows.get(lease.stack):
                raise conflict("the stack still has rows; destroy it or remove them first")
            self._pop(self._stacks, lease.stack)
            before = self._runs
            self._undo.append(lambda: setattr(self, "_runs", before))
            self._runs = {id: run for id, run in before.items() if run.record.stack != lease.stack}

        self._change(change)
