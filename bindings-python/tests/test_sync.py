"""The blocking twin: the same things without `await`, threads, Ctrl-C, forks, other event loops."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from conftest import Bucket, Cloud, buckets

import stackwright
import stackwright.sync
from stackwright.sync import Engine


def engine_of(cloud: Cloud, **options: Any) -> Engine:
    return Engine(resources=[Bucket(cloud)], **options)


def test_a_stack_lives_without_await(cloud: Cloud) -> None:
    with engine_of(cloud) as engine:
        stack = engine.stack("acme/shop")
        assert stack.validate(buckets("a")) == []
        plan = stack.plan(buckets("a"))
        assert plan and plan.counts.add == 1 and "acme_bucket.a" in str(plan)
        sealed = plan.to_bytes()
        run = stack.open_plan(sealed).apply()
        events = [event.type for event in run]
        assert events[0] == "run_started" and events[-1] == "run_finished"
        assert run.is_done and run.result().succeeded and run.report is run.wait()
        assert stack.state()["acme_bucket.a"].ready
        assert [found.name for found in engine.stacks()] == ["acme/shop"]
        with stack.apply(buckets("a", "b")) as run:
            pass
        assert run.report is not None and run.report.succeeded
        with pytest.raises(KeyError):
            with stack.destroy():
                raise KeyError
        stack.destroy().result()
        stack.forget()
        assert stack.outputs() == {} and stack.runs() == [] and stack.unfinished_run() is None
    with pytest.raises(stackwright.StackwrightError, match="closed"):
        stack.state()


def test_both_twins_have_the_same_names() -> None:
    for name in ("Engine", "Stack", "Plan", "Run"):
        twins = [getattr(module, name) for module in (stackwright, stackwright.sync)]
        public = [{key for key in dir(twin) if not key.startswith("_")} for twin in twins]
        assert public[0] == public[1], name
        for key in public[0]:
            methods = [getattr(twin, key) for twin in twins]
            if inspect.isfunction(methods[0]):
                parameters = [list(inspect.signature(method).parameters) for method in methods]
                assert parameters[0] == parameters[1], f"{name}.{key}"
    assert list(inspect.signature(stackwright.Engine).parameters) == list(inspect.signature(Engine).parameters)


def test_many_threads_use_one_engine(cloud: Cloud) -> None:
    tenant = contextvars.ContextVar("tenant", default="nobody")
    seen: dict[str, str] = {}
    cloud.hook = lambda verb, name: seen.setdefault(name, tenant.get())
    with engine_of(cloud) as engine, ThreadPoolExecutor(8) as threads:

        def work(name: str) -> bool:
            tenant.set(name)
            return engine.stack(f"{name}/x").apply(buckets(name)).result().succeeded

        names = [f"t{idx}" for idx in range(24)]
        futures = [threads.submit(contextvars.copy_context().run, work, name) for name in names]
        assert all(future.result() for future in futures)
    assert {name: seen[name] for name in names} == {name: name for name in names}


def is_waiting(thread: int | None) -> bool:
    """Whether a thread stands in the wait of `Run.result`."""
    frame, names = sys._current_frames().get(thread or 0), []
    while frame is not None:
        names.append((Path(frame.f_code.co_filename).name, frame.f_code.co_name))
        frame = frame.f_back
    return names[:1] == [("threading.py", "wait")] and ("sync.py", "call") in names and ("sync.py", "result") in names


def test_ctrl_c_drains_and_raises(cloud: Cloud, request: pytest.FixtureRequest) -> None:
    # Who was started in the background may have been told to ignore it.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    request.addfinalizer(lambda: signal.signal(signal.SIGINT, before))
    reached, opened = threading.Event(), threading.Event()
    main = threading.main_thread().ident

    class Blocking(Bucket):
        def create(self, ctx: stackwright.SyncContext, want: Any) -> Any:
            reached.set()
            assert opened.wait(30)
            return asyncio.run(super().create(ctx, want))  # type: ignore[arg-type]

    def interrupt() -> None:
        assert reached.wait(30)
        while not is_waiting(main):
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    def sink(event: stackwright.Event) -> None:
        if event.type == "cancel_requested":
            opened.set()

    with Engine(resources=[Blocking(cloud)], on_event=sink) as engine:
        run = engine.stack("x").plan(buckets("a", "b")).apply(parallelism=1)
        thread = threading.Thread(target=interrupt)
        thread.start()
        with pytest.raises(KeyboardInterrupt):
            run.result()
        thread.join()
        assert run.report is not None and run.report.status == "cancelled"
        assert len(cloud.objects) == 1 == len(engine.stack("x").state().rows)
        assert engine.stack("x").unfinished_run() is None


def test_it_refuses_to_wait_on_the_loop_that_it_waits_for(cloud: Cloud) -> None:
    codes: list[str] = []
    with engine_of(cloud) as engine:

        def ask(verb: str, name: str) -> None:
            try:
                engine.stack("x").state()
            except stackwright.StackwrightError as error:
                codes.append(error.code)

        cloud.hook = ask
        engine.stack("x").apply(buckets("a")).result()
    assert codes == ["host.wrong_loop"] * 2


FORK = """
import os, sys, warnings
warnings.simplefilter("ignore")  # Python 3.12 warns of forks with threads
sys.path.insert(0, {tests!r})
from conftest import Bucket, Cloud, buckets
import stackwright, stackwright.sync

engine = stackwright.sync.Engine(resources=[Bucket(Cloud())], store={store!r}).open()
stack = engine.stack("x")
plan = stack.plan(buckets("a"))
stack.apply(buckets("a")).result()
child = os.fork()
if child == 0:
    status = 1
    try:
        for use in (stack.state, plan.apply, lambda: str(plan), lambda: stack.plan(buckets("b"))):
            try:
                use()
            except stackwright.UnsupportedError as error:
                assert error.code == "host.forked" and "post_fork" in str(error), error
            else:
                raise SystemExit("it was used after a fork")
        engine.close()
        del plan, engine, stack
        # Another engine works here.
        with stackwright.sync.Engine(resources=[Bucket(Cloud())], store={store!r}) as engine:
            assert len(engine.stack("x").state().rows) == 1
        status = 0
    finally:
        sys.stdout.flush()
        os._exit(status)
_, status = os.waitpid(child, 0)
assert status == 0, status
# The parent goes on as if nothing had been.
stack.apply(buckets("a", "b")).result()
engine.close()
print("both lived")
"""


def test_a_fork_is_named_and_survived(tmp_path: Path) -> None:
    program = FORK.format(tests=str(Path(__file__).parent), store=str(tmp_path / "state.db"))
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert result.stdout == "both lived\n", result.stdout + result.stderr


def test_an_interpreter_ends_in_the_middle_of_a_run(tmp_path: Path) -> None:
    program = textwrap.dedent(f"""
        import sys
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        from conftest import Bucket, Cloud, buckets
        import stackwright.sync
        cloud = Cloud()
        engine = stackwright.sync.Engine(resources=[Bucket(cloud)], store={str(tmp_path / "state.db")!r}).open()
        engine.stack("x").apply(buckets(*(f"b{{idx}}" for idx in range(200))))
        print("ends")
    """)
    for _ in range(10):
        result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
        assert (result.returncode, result.stdout, result.stderr) == (0, "ends\n", "")
        for path in tmp_path.iterdir():
            path.unlink()


def test_it_works_under_uvloop(cloud: Cloud) -> None:
    uvloop = pytest.importorskip("uvloop")

    async def main() -> None:
        assert type(asyncio.get_running_loop()).__module__.startswith("uvloop")
        async with stackwright.Engine(resources=[Bucket(cloud)]) as engine:
            run = await engine.stack("x").apply(buckets("a"))
            assert [event.type async for event in run][-1] == "run_finished"
            task = asyncio.create_task((await engine.stack("x").destroy()).result())
            assert (await task).succeeded

    loop = uvloop.new_event_loop()
    try:
        loop.run_until_complete(main())
    finally:
        loop.close()
    assert not cloud.objects


def test_loop_after_loop(cloud: Cloud) -> None:
    async def main(name: str) -> None:
        async with stackwright.Engine(resources=[Bucket(cloud)]) as engine:
            await (await engine.stack("x").apply(buckets(name)))

    for name in "abc":
        asyncio.run(main(name))
    assert cloud.names() == ["a", "b", "c"]
