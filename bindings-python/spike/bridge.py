"""What a Python package on top of the bridge has to do; just enough of it to prove the contracts."""

import asyncio
import inspect
import json
import traceback

import stackwright_spike as native

OPTIONAL = ("validate", "plan", "import", "ready", "recover", "upgrade")


class StackwrightError(Exception):
    """An error with all that the engine's errors say; a resource type raises it, a host catches it."""

    def __init__(self, kind, message, *, code="host.failed", retry="no", effect="none", **rest):
        super().__init__(message)
        self.kind, self.code, self.retry, self.effect = kind, code, retry, effect
        self.rest = rest

    def data(self):
        error = {"kind": self.kind, "code": self.code, "message": str(self), "retry": self.retry}
        return {**error, "effect": self.effect, **self.rest}


class Partial(Exception):
    """Raised by a verb that stopped half-way: what is there now, and why it is not more."""

    def __init__(self, thing, error):
        super().__init__(str(error))
        self.thing, self.error = thing, error


def unwrap(answer):
    """Returns what an envelope holds, or raises it."""
    envelope = json.loads(answer)
    if "error" in envelope:
        error = envelope["error"]
        raise StackwrightError(error.pop("kind"), error.pop("message"), **error)
    return envelope["ok"]


class Context:
    """What surrounds a call: the facts as attributes, and what is live as methods."""

    def __init__(self, live, facts):
        self._live = live
        self.key = facts["idempotency_key"]
        self.address = facts["address"]
        self.attempt = facts["attempt"]

    async def checkpoint(self, id, **partial):
        unwrap(await self._live.checkpoint(id, json.dumps({"value": partial})))

    def checkpoint_blocking(self, id, **partial):
        unwrap(self._live.checkpoint_blocking(id, json.dumps({"value": partial})))

    def progress(self, message):
        self._live.progress(message)

    @property
    def is_cancelled(self):
        return self._live.is_cancelled

    async def cancelled(self):
        return await self._live.cancelled()


def reply(verb, result):
    """Returns the reply for what a method returned."""
    if verb == "validate":
        return "valid"
    if verb == "plan":
        return {"planned": result}
    if verb == "upgrade":
        return {"upgraded": result}
    if verb in ("create", "update"):
        return {"outcome": {"object": {"complete": result}}}
    if verb == "delete":
        return {"outcome": {"object": "gone"}}
    return {{"read": "object", "import": "object", "ready": "readiness", "recover": "recovery"}[verb]: result}


def dispatcher(types):
    """Returns the function that performs calls; the bridge calls it on the event loop."""
    tasks = set()

    async def perform(live, text):
        request = json.loads(text)
        facts = request["context"]
        ((verb, arguments),) = request["call"].items()
        method = getattr(types[facts["type_name"]], verb)
        ctx = Context(live, facts)
        try:
            if inspect.iscoroutinefunction(method):
                result = await method(ctx, **arguments)
            else:
                # A plain function may block, so it gets a thread of its own.
                result = await asyncio.to_thread(method, ctx, **arguments)
            return json.dumps(reply(verb, result))
        except Partial as half:
            outcome = {"object": {"partial": half.thing}, "problems": [half.error.data()]}
            return json.dumps({"outcome": outcome})
        except StackwrightError as error:
            return json.dumps({"error": error.data()})

    def dispatch(live, text, answer):
        task = asyncio.get_running_loop().create_task(perform(live, text))
        # The loop itself does not keep a task alive.
        tasks.add(task)

        def done(task):
            tasks.discard(task)
            error = asyncio.CancelledError() if task.cancelled() else task.exception()
            if error is None:
                answer.reply(task.result())
            else:
                # The engine learns the class only; what it says stays on this side.
                traceback.print_exception(error)
                answer.raised(type(error).__name__)

        task.add_done_callback(done)

    return dispatch


class Run:
    """A run that is under way."""

    def __init__(self, native_run):
        self._run = native_run
        self.id = unwrap(native_run.answer)
        self.report = None

    def cancel(self):
        self._run.cancel()

    async def finish(self):
        """Waits for the end. Cancelling the awaiting task asks the run to drain, twice to hurry; it waits all the same."""
        end = asyncio.ensure_future(self._run.finish())
        cancelled = None
        while not end.done():
            try:
                await asyncio.shield(end)
            except asyncio.CancelledError as error:
                if cancelled is None:
                    self._run.cancel()
                else:
                    self._run.cancel_now()
                cancelled = error
        self.report = unwrap(end.result())
        if cancelled is not None:
            raise cancelled
        return self.report


class Plan:
    def __init__(self, native_plan):
        self._plan = native_plan
        self.data = unwrap(native_plan.answer)

    async def apply(self, **options):
        return Run(await self._plan.apply(json.dumps(options)))


class Engine:
    """An engine over a folder, with resource types that are objects of this program."""

    @classmethod
    async def open(cls, folder, types, lease_ttl_ms):
        described = {
            name: {
                "schema": resource.schema,
                "traits": resource.traits,
                "verbs": [verb for verb in OPTIONAL if hasattr(resource, verb)],
            }
            for name, resource in types.items()
        }
        query = json.dumps({"types": described, "lease_ttl_ms": lease_ttl_ms})
        engine = cls()
        engine._engine = await native.open(str(folder), query, dispatcher(types))
        unwrap(engine._engine.answer)
        return engine

    async def plan(self, files, mode="normal"):
        return Plan(await self._engine.plan(json.dumps({"files": files, "mode": mode})))

    async def resume(self, run, **options):
        return Run(await self._engine.resume(run, json.dumps(options)))

    async def unfinished_run(self):
        return unwrap(await self._engine.unfinished_run())

    async def state(self):
        return unwrap(await self._engine.state())
