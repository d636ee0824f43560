"""One engine on one event loop: promises out, calls in."""

from __future__ import annotations

import asyncio
import contextvars
import itertools
import json
import os
import weakref
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from . import _json, _native, _stores
from .cipher import Cipher, Place, Sealed
from .context import Context, SyncContext
from .errors import (
    BugError,
    InvalidInputError,
    Partial,
    StackwrightError,
    UnsupportedError,
    error_from_json,
    error_to_json,
)
from ._types import Mismatch
from .resources import FunctionType, NeverReady, ResourceType, never
from .store import Store

if TYPE_CHECKING:
    from .run import Run

_SETTLED, _CALL, _STORE = 0, 1, 3

_RAISED = "raised"
"""The fact of a failure that names the exception which it came from."""
_REMEMBERED = 256
"""How many exceptions of stores and ciphers are kept until the engine speaks of them; most it never does."""



class Operation:
    """A plan that is being made, or a run: whose context variables calls see, and what they raised."""

    def __init__(self, name: str) -> None:
        self.name: str = name
        self.context: contextvars.Context = contextvars.copy_context()
        self.raised: dict[str, BaseException] = {}
        """The last exception of each address."""
        self.watcher: asyncio.Task[None] | None = None


class Bridge:
    """Belongs to the event loop that it was made on."""

    def __init__(
        self,
        types: Sequence[ResourceType],
        functions: Sequence[FunctionType],
        thread_count: int,
        store: Store | None = None,
        cipher: Cipher | None = None,
    ) -> None:
        self.loop: asyncio.AbstractEventLoop = asyncio.get_running_loop()
        self.process: int = os.getpid()
        self.is_closed: bool = False
        self.types: dict[tuple[str, str], ResourceType] = {(kind_of(item), item.name): item for item in types}
        self._numbers = itertools.count(1)
        self._promises: dict[int, asyncio.Future[Any]] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._operations: dict[str, Operation] = {}
        self.runs: dict[str, Run] = {}
        """Those that are under way."""
        self.watchers: set[asyncio.Task[None]] = set()
        self._threads = ThreadPoolExecutor(thread_count, thread_name_prefix="stackwright-verb")
        self.stores: dict[int, Store] = {} if store is None else {0: store}
        self.opener: Opener | None = None
        """Makes stores, for tests of them."""
        self._store_threads: ThreadPoolExecutor | None = None
        self.raised: Raised = Raised()
        compute = _compute({f"{f.descriptor['provider']}::{f.descriptor['name']}": f for f in functions})
        seal, unseal = (None, None) if cipher is None else _sealing(cipher, self.raised)
        self.native: _native.Engine = _native.Engine(compute, seal, unseal)
        # The loop keeps what it calls alive; an engine that nobody holds should go all the same.
        me = weakref.ref(self)

        def take() -> None:
            bridge = me()
            if bridge is not None:
                bridge._take()

        self._fileno = self.native.fileno()
        self.loop.add_reader(self._fileno, take)

    def close(self) -> None:
        """Ends everything. What still runs is as if the process had died."""
        if self.is_closed or os.getpid() != self.process:
            return
        self.is_closed = True
        if not self.loop.is_closed():
            self.loop.remove_reader(self._fileno)
        self.native.close()
        self._threads.shutdown(wait=False, cancel_futures=True)
        if self._store_threads is not None:
            self._store_threads.shutdown(wait=False, cancel_futures=True)
        for promise in self._promises.values():
            promise.cancel()
        self._promises.clear()

    def check(self) -> None:
        """Refuses what cannot work, with what to do instead."""
        if os.getpid() != self.process:
            raise UnsupportedError(
                "this engine was opened before a fork, and its threads are not in this process; open an engine in each "
                "worker (gunicorn: the `post_fork` hook; multiprocessing: the initializer, or the start method `spawn`)",
                code="host.forked",
            )
        if self.is_closed:
            raise UnsupportedError("this engine is closed; open another", code="host.closed")

    def _check_loop(self) -> None:
        self.check()
        try:
            running = asyncio.get_running_loop()
        except RuntimeError:
            running = None
        if running is not self.loop:
            raise UnsupportedError(
                "this engine belongs to another event loop; open one for each loop, or use `stackwright.sync.Engine`, "
                "which works from any thread",
                code="host.wrong_loop",
            )

    # --- out ---

    def promise(self) -> tuple[int, asyncio.Future[Any]]:
        """Returns a number, and the future that is settled under it."""
        number = next(self._numbers)
        promise: asyncio.Future[Any] = self.loop.create_future()
        self._promises[number] = promise
        return number, promise

    async def open(self, query: Mapping[str, object]) -> None:
        number, promise = self.promise()
        self.native.open(number, _json.dumps(query))
        await promise

    def ask(self, name: str, **arguments: object) -> asyncio.Future[Any]:
        """Asks something that takes its time."""
        self._check_loop()
        number, promise = self.promise()
        self.native.ask(number, _json.dumps({name: arguments}))
        return promise

    def tell(self, name: str, **arguments: object) -> Any:
        """Asks something that is answered at once."""
        self.check()
        return self.unwrap(self.native.tell(_json.dumps({name: arguments})))

    def forget(self, name: str, **arguments: object) -> None:
        """Tells, unless there is nobody to be told."""
        if not self.is_closed and os.getpid() == self.process:
            self.native.tell(_json.dumps({name: arguments}))

    def unwrap(self, text: str) -> Any:
        envelope = _json.loads(text)
        if "error" in envelope:
            error = error_from_json(envelope["error"])
            cause = self.raised.take(error.context.pop(_RAISED, ""))
            raise error from cause
        return envelope["ok"]

    def operation(self, watcher: Callable[[str], Coroutine[Any, Any, None]] | None) -> Operation:
        """Announces an operation; a watcher gets all of its events."""
        self._check_loop()
        operation = Operation(f"{next(self._numbers)}")
        self.tell("start", operation=operation.name, watched=watcher is not None)
        self._operations[operation.name] = operation
        if watcher is not None:
            operation.watcher = self.loop.create_task(watcher(operation.name))
            self.watchers.add(operation.watcher)
            operation.watcher.add_done_callback(self.watchers.discard)
        return operation

    def release(self, operation: Operation) -> None:
        """Forgets an operation, once its watcher has seen all."""
        if operation.watcher is not None and not operation.watcher.done():
            if not self.loop.is_closed():
                operation.watcher.add_done_callback(lambda _: self.release(operation))
            return
        self._operations.pop(operation.name, None)
        self.forget("release", operation=operation.name)

    # --- in ---

    def _take(self) -> None:
        for letter in self.native.take():
            try:
                self._open_letter(*letter)
            except Exception as error:
                # The other letters are not its fault.
                message = "a letter from the stackwright engine could not be delivered"
                self.loop.call_exception_handler({"message": message, "exception": error})

    def _open_letter(self, kind: int, number: int, text: str | None, live: _native.CallContext | None) -> None:
        if kind == _CALL and text is not None and live is not None:
            try:
                self._begin(number, text, live)
            except Exception as error:
                self.native.raised(number, type(error).__name__)
                raise
        elif kind == _SETTLED and text is not None:
            promise = self._promises.pop(number, None)
            if promise is not None and not promise.done():
                try:
                    promise.set_result(self.unwrap(text))
                except StackwrightError as error:
                    promise.set_exception(error)
        elif kind == _STORE and text is not None:
            self._begin_store(number, _json.loads(text))
        elif (task := self._tasks.get(number)) is not None:
            task.cancel()

    def _begin_store(self, number: int, request: Any) -> None:
        """Asks a store. Tests have several, and make them as they go."""
        ((method, arguments),) = request["call"].items()
        which = request["store"]
        if method in ("open", "reopen"):
            self._keep(number, self._open_store(number, which, arguments.get("from"), arguments.get("closes")))
            return
        call = StoreCall(self, number, self.stores[which], method, arguments)
        if _stores.is_async(call.store, method):
            self._keep(number, call.run_async())
        elif not self.is_closed:
            if self._store_threads is None:
                # One thread, since what is sent in order has to arrive in order; and none of the verbs', which may wait for it.
                self._store_threads = ThreadPoolExecutor(1, thread_name_prefix="stackwright-store")
            self._store_threads.submit(call.run)

    async def _open_store(self, number: int, which: int, other: int | None, closes: bool | None) -> None:
        try:
            if self.opener is None:
                raise UnsupportedError("stores are opened by tests only", code="host.failed")
            store = await self.opener(None if other is None else self.stores[other], bool(closes))
            if store is not None:
                self.stores[which] = store
            answer = None if other is None else store is not None
            self.native.reply(number, _json.dumps({"ok": answer}))
        except Exception as error:
            self.native.reply(number, self.raised.envelope(error))

    def _keep(self, number: int, work: Coroutine[Any, Any, None]) -> None:
        # The loop itself does not keep a task alive.
        task = self._tasks[number] = self.loop.create_task(work)
        task.add_done_callback(lambda _: self._tasks.pop(number, None))

    def _begin(self, number: int, text: str, live: _native.CallContext) -> None:
        request = _json.loads(text)
        facts = request["context"]
        ((verb, arguments),) = request["call"].items()
        kind = "data_source" if verb == "read_data" else "resource"
        item = self.types[(kind, facts["type_name"])]
        operation = self._operations.get(facts["operation"] or "")
        context = contextvars.copy_context() if operation is None else operation.context.copy()
        call = Call(self, number, live, facts, verb, arguments, item, operation)
        if not item.is_async(verb):
            # Refused only after `close`, when nobody waits any more.
            if not self.is_closed:
                self._threads.submit(context.run, call.run)
            return
        if verb not in item.verbs:
            context.run(call.run)
            return
        context.run(self._keep, number, call.run_async())


def kind_of(item: ResourceType) -> str:
    return item.kind


Opener = Callable[["Store | None", bool], Coroutine[Any, Any, "Store | None"]]
"""Makes an empty store; or opens what another keeps once more, where there is such a thing, the other closed before or not."""


class Raised:
    """What stores and ciphers raised, until the engine speaks of it."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._kept: dict[str, BaseException] = {}

    def envelope(self, error: BaseException) -> str:
        """Returns what the engine gets for an exception, and keeps that."""
        named = error if isinstance(error, StackwrightError) else _unnamed(error)
        number = f"{next(self._numbers)}"
        self._kept[number] = error
        if len(self._kept) > _REMEMBERED:
            # Threads may do so at the same time.
            self._kept.pop(next(iter(self._kept), ""), None)
        failure = error_to_json(named)
        failure["context"] = [*failure["context"], (_RAISED, number)]
        return _json.dumps({"error": failure})

    def take(self, number: str) -> BaseException | None:
        return self._kept.pop(number, None)


def _sealing(cipher: Cipher, raised: Raised) -> tuple[Callable[..., Any], Callable[..., Any]]:
    Spot = tuple[str, str, str, str, str, str]

    def place_of(spot: Spot, authenticated: bytes) -> Place:
        tenant, name, *rest = spot
        return Place(f"{tenant}/{name}", *rest, authenticated)

    def wrong(what: str, wanted: str, found: object) -> BugError:
        message = f"`{what}` of the cipher returned another shape: expected {wanted}, found {type(found).__name__}"
        return BugError(message, code="host.reply")

    def seal(spot: Spot, authenticated: bytes, plain: bytes) -> tuple[str, bytes] | str:
        try:
            sealed: object = cipher.seal(place_of(spot, authenticated), plain)
            if not isinstance(sealed, Sealed) or not isinstance(sealed.key, str) or not isinstance(sealed.bytes, bytes):
                raise wrong("seal", "Sealed", sealed)
            return sealed.key, sealed.bytes
        except Exception as error:
            return raised.envelope(error)

    def unseal(spot: Spot, authenticated: bytes, key: str, sealed: bytes) -> bytes | str:
        try:
            plain: object = cipher.open(place_of(spot, authenticated), Sealed(key, sealed))
            if not isinstance(plain, bytes):
                raise wrong("open", "bytes", plain)
            return plain
        except Exception as error:
            return raised.envelope(error)

    return seal, unseal


class StoreCall:
    """One call of a method of a store."""

    __slots__ = ("_arguments", "_bridge", "_method", "_number", "store")

    def __init__(self, bridge: Bridge, number: int, store: Store, method: str, arguments: Any) -> None:
        self._bridge, self._number, self.store = bridge, number, store
        self._method, self._arguments = method, arguments

    def run(self) -> None:
        """Performs it on this thread."""
        try:
            result = getattr(self.store, self._method)(**_stores.arguments(self._arguments))
            self._reply(result)
        except BaseException as error:
            self._failed(error)
            if not isinstance(error, Exception):
                raise

    async def run_async(self) -> None:
        """Performs it on the event loop."""
        try:
            result = await getattr(self.store, self._method)(**_stores.arguments(self._arguments))
            self._reply(result)
        except BaseException as error:
            self._failed(error)
            if not isinstance(error, (Exception, asyncio.CancelledError)):
                raise

    def _reply(self, result: object) -> None:
        self._bridge.native.reply(self._number, _json.dumps({"ok": _stores.answer(self._method, result)}))

    def _failed(self, error: BaseException) -> None:
        if isinstance(error, Mismatch):
            message = f"`{self._method}` of the store returned another shape: {error}"
            error = BugError(message, code="host.reply")
        self._bridge.native.reply(self._number, self._bridge.raised.envelope(error))


class Call:
    """One call of a verb."""

    __slots__ = ("_arguments", "_bridge", "_facts", "_item", "_live", "_number", "_operation", "_verb")

    def __init__(
        self,
        bridge: Bridge,
        number: int,
        live: _native.CallContext,
        facts: Mapping[str, Any],
        verb: str,
        arguments: Any,
        item: ResourceType,
        operation: Operation | None,
    ) -> None:
        self._bridge, self._number, self._live, self._facts = bridge, number, live, facts
        self._verb, self._arguments, self._item, self._operation = verb, arguments, item, operation

    def run(self) -> None:
        """Performs it on this thread."""
        try:
            ctx = SyncContext(self._live, self._facts, self._bridge)
            keywords = self._item.keywords(self._verb, self._arguments, ctx)
            result = None if keywords is None else self._item.verbs[self._verb].function(**keywords)
            self._reply(self._item.reply(self._verb, self._arguments, result))
        except BaseException as error:
            self._failed(error)
            if not isinstance(error, Exception):
                raise

    async def run_async(self) -> None:
        """Performs it on the event loop."""
        try:
            ctx = Context(self._live, self._facts, self._bridge)
            keywords = self._item.keywords(self._verb, self._arguments, ctx)
            result = None if keywords is None else await self._item.verbs[self._verb].function(**keywords)
            self._reply(self._item.reply(self._verb, self._arguments, result))
        except BaseException as error:
            self._failed(error)
            if not isinstance(error, (Exception, asyncio.CancelledError)):
                raise

    def _reply(self, reply: Any) -> None:
        try:
            text = json.dumps(reply, ensure_ascii=False)
        except TypeError:
            # A `Decimal` in an attribute of any type.
            text = _json.dumps(reply)
        self._bridge.native.reply(self._number, text)

    def _failed(self, error: BaseException) -> None:
        if isinstance(error, Mismatch):
            error = self._misshapen(error)
        cause = error.__cause__ if isinstance(error, Partial) and error.__cause__ is not None else error
        if self._operation is not None:
            self._operation.raised[self._facts["address"]] = cause
        try:
            if isinstance(error, NeverReady) and self._verb == "ready":
                return self._reply(never(error))
            if isinstance(error, Partial) and self._verb in ("create", "update"):
                problem = cause if isinstance(cause, StackwrightError) else _unnamed(cause)
                return self._reply(self._item.partial(self._arguments, error.outputs, problem))
            if isinstance(error, StackwrightError):
                return self._reply({"error": error_to_json(error)})
        except Exception as worse:
            self._bridge.native.raised(self._number, type(worse).__name__)
            return None
        return self._bridge.native.raised(self._number, type(error).__name__)

    def _misshapen(self, error: Mismatch) -> StackwrightError:
        changes = self._verb in ("create", "update", "delete")
        message = f"`{self._verb}` of `{self._item.name}` returned another shape: {error}"
        return BugError(message, code="host.reply", effect="unknown" if changes else "none")


def _unnamed(error: BaseException) -> StackwrightError:
    return BugError(f"the host's code raised `{type(error).__name__}`", code="host.failed", effect="unknown")


def _compute(functions: Mapping[str, FunctionType]) -> Callable[[str, str], str]:
    def compute(name: str, arguments: str) -> str:
        try:
            value = functions[name].compute(_json.loads(arguments))
            return _json.dumps({"ok": value})
        except StackwrightError as error:
            return _json.dumps({"error": error_to_json(error)})
        except Mismatch as error:
            problem = BugError(f"the result of `{name}` has another shape: {error}", code="host.reply")
            return _json.dumps({"error": error_to_json(problem)})
        except ValueError as error:
            refused = InvalidInputError(str(error), code="eval.function")
            return _json.dumps({"error": error_to_json(refused)})
        except Exception as error:
            return _json.dumps({"error": error_to_json(_unnamed(error))})

    return compute
