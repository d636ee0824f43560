"""Stores that are written in Python keep the contract of stores, and an engine works with them."""

from __future__ import annotations

import asyncio
import inspect
import pickle
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import Bucket, Cloud, buckets, engine_of

import stackwright
import stackwright.sync
from stackwright import BugError, ConflictError, Engine, StackwrightError, UnavailableError
from stackwright.store import Commit, EntryRecord, Lease, LedgerRecord, MemoryStore, RowRecord, StackKey, Store
from stackwright.testing import Finding, conform_store

METHODS = sorted(name for name, member in vars(Store).items() if getattr(member, "__isabstractmethod__", False))


class FileStore(MemoryStore):
    """Everything in a file, written anew with each change."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        if path.exists():
            self.restore(pickle.loads(path.read_bytes()))

    def changed(self) -> None:
        new = self.path.with_suffix(".new")
        new.write_bytes(pickle.dumps(self.contents()))
        new.replace(self.path)


def on_the_loop(store: MemoryStore) -> Store:
    """The same store with methods that are `async def`."""

    def method(name: str) -> Callable[..., Any]:
        async def perform(self: object, **arguments: Any) -> Any:
            await asyncio.sleep(0)
            return getattr(store, name)(**arguments)

        return perform

    return type("AsyncStore", (Store,), {name: method(name) for name in METHODS})()


def broken(**methods: Any) -> MemoryStore:
    return type("Broken", (MemoryStore,), methods)()


async def applied(store: Store, cloud: Cloud, **options: Any) -> None:
    async with engine_of(cloud, store=store, key="ab" * 32, **options) as engine:
        await (await (await engine.stack("a/b").plan(buckets("assets", "logs"))).apply())


def passed(findings: list[Finding]) -> set[str]:
    assert all(each.verdict == "passed" for each in findings)
    return {each.case for each in findings}


async def test_a_store_on_threads_conforms() -> None:
    cases = passed(await conform_store(MemoryStore, share=lambda store: store))
    assert {"lease/race", "commit/all-or-nothing", "commit/repeat"} <= cases and any(case.startswith("ledger/") for case in cases)


async def test_a_store_on_the_loop_conforms() -> None:
    passed(await conform_store(lambda: on_the_loop(MemoryStore())))


async def test_a_store_that_outlives_its_process_conforms(tmp_path: Path) -> None:
    count = iter(range(10_000))

    async def make() -> FileStore:
        return FileStore(tmp_path / f"{next(count)}")

    # A case of volume writes thousands of times: what it wrote is compared once.
    class Lazy(FileStore):
        def changed(self) -> None:
            pass

        def close(self) -> Lazy:
            FileStore.changed(self)
            return Lazy(self.path)

    def reopen(store: Store) -> Store:
        assert isinstance(store, Lazy)
        return store.close()

    passed(await conform_store(lambda: Lazy(tmp_path / f"{next(count)}"), reopen=reopen))


def forgets_tokens(self: MemoryStore, lease: Lease, commit: Commit) -> None:
    held = self.lease_of(lease.stack)
    MemoryStore.commit(self, lease if held is None else held, commit)


def loses_entries(self: MemoryStore, run: str) -> list[EntryRecord]:
    return MemoryStore.load_journal(self, run)[:-1]


def loses_bytes(self: MemoryStore, stack: StackKey) -> list[RowRecord]:
    return [RowRecord(row.object_id, row.address, row.version, row.body[:-1]) for row in MemoryStore.load_rows(self, stack)]


def appends_anything(self: MemoryStore, ledger: Any, records: list[LedgerRecord]) -> None:
    MemoryStore.append(self, ledger, records[:1])


@pytest.mark.parametrize(
    ("method", "wrong", "case"),
    [
        ("commit", forgets_tokens, "lease/fences-commits"),
        ("load_journal", loses_entries, "commit/round-trip"),
        ("load_rows", loses_bytes, "commit/round-trip"),
        ("append", appends_anything, "ledger/"),
    ],
)
async def test_a_store_that_is_wrong_is_found_out(method: str, wrong: Callable[..., Any], case: str) -> None:
    with pytest.raises(AssertionError) as found:
        await conform_store(lambda: broken(**{method: wrong}))
    assert any(line.strip().startswith(case) for line in str(found.value).splitlines()), found.value


async def test_state_outlives_the_engine(tmp_path: Path, cloud: Cloud) -> None:
    await applied(FileStore(tmp_path / "state"), cloud)
    assert cloud.names() == ["assets", "logs"]
    # Sensitive values are sealed before a store gets them.
    assert b"hunter2" not in (tmp_path / "state").read_bytes()
    async with engine_of(cloud, store=FileStore(tmp_path / "state"), key="ab" * 32) as engine:
        stack = engine.stack("a/b")
        assert (await stack.plan(buckets("assets", "logs"))).is_empty
        assert [run.status for run in await stack.runs()] == ["succeeded"]
        assert [each.name for each in await engine.stacks()] == ["a/b"]
        await (await (await stack.plan({}, mode="destroy")).apply())
        await stack.forget()
        assert await engine.stacks() == []
    assert cloud.objects == {}


def test_it_works_without_await(cloud: Cloud) -> None:
    store = on_the_loop(MemoryStore())
    with stackwright.sync.Engine(store, key="ab" * 32, resources=[Bucket(cloud)]) as engine:
        engine.stack("a/b").plan(buckets("assets")).apply().result()
        assert [row.address for row in engine.stack("a/b").state().rows] == ["acme_bucket.assets"]


async def test_what_a_store_raises_comes_back() -> None:
    mine = KeyError("disk 7")

    def fails(self: object, **_: object) -> None:
        raise mine

    async with Engine(broken(load_stack=fails), key="ab" * 32) as engine:
        with pytest.raises(BugError, match="KeyError") as found:
            await engine.stack("a/b").state()
    assert (found.value.code, found.value.__cause__) == ("host.failed", mine)
    assert "disk 7" not in str(found.value)


async def test_what_a_store_refuses_keeps_its_name(cloud: Cloud) -> None:
    store = MemoryStore()
    store.acquire(StackKey("a", "b"), "somebody else", 4_000_000_000_000, 60_000)
    with pytest.raises(ConflictError, match="somebody else") as found:
        await applied(store, cloud)
    assert found.value.code == "lease.held"
    assert isinstance(found.value.__cause__, ConflictError)
    assert cloud.objects == {}


@pytest.mark.parametrize(
    ("method", "answer", "says"),
    [
        ("load_stack", "no record", "expected StackRecord, found str"),
        ("load_rows", None, "expected a list of RowRecord, found NoneType"),
        ("acquire", None, "expected Lease, found NoneType"),
        ("acquire", Lease(StackKey("a", "b"), "1", "me", 0), "token: expected int, found str"),  # type: ignore[arg-type]
        ("commit", True, "expected None, found bool"),
    ],
)
@pytest.mark.parametrize("is_async", [False, True])
async def test_other_shapes_are_refused(cloud: Cloud, method: str, answer: object, says: str, is_async: bool) -> None:
    def plain(self: object, **_: object) -> object:
        return answer

    async def coroutine(self: object, **_: object) -> object:
        return answer

    with pytest.raises(StackwrightError) as found:
        await applied(broken(**{method: coroutine if is_async else plain}), cloud)
    assert found.value.code == "host.reply" and says in str(found.value), found.value
    assert cloud.objects == {}


async def test_a_store_that_hangs_is_given_up() -> None:
    told = asyncio.Event()

    async def hangs(self: object, stack: StackKey) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            told.set()

    async with Engine(broken(load_stack=hangs), key="ab" * 32, store_timeout=0.05) as engine:
        with pytest.raises(UnavailableError, match="did not answer `load_stack`") as found:
            await engine.stack("a/b").state()
        assert found.value.code == "store.unavailable"
        await told.wait()


async def test_verbs_on_threads_may_wait_for_a_store_on_threads(cloud: Cloud) -> None:
    """Each verb waits in a checkpoint, and all of the threads of verbs are taken."""
    both = threading.Barrier(2)

    class Blocking(Bucket):
        def create(self, ctx: stackwright.SyncContext, want: Any) -> Any:  # type: ignore[override]
            both.wait(30)
            ctx.checkpoint(f"b-{want.name}")
            return asyncio.run(Bucket.create(self, ctx, want))  # type: ignore[arg-type]

    async with Engine(MemoryStore(), key="ab" * 32, resources=[Blocking(cloud)], threads=2) as engine:
        await (await (await engine.stack("a/b").plan(buckets("assets", "logs"))).apply())
    assert cloud.names() == ["assets", "logs"]


def test_what_is_no_store_is_refused() -> None:
    with pytest.raises(TypeError, match="object is no store: it has no `load_stack`, `list_stacks`"):
        Engine(object(), key="ab" * 32)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="say with `key` what seals secrets"):
        Engine(MemoryStore())
    assert len(METHODS) == 17 and not any(inspect.iscoroutinefunction(getattr(MemoryStore, name)) for name in METHODS)
