"""The package's types are complete, true to the native module, and useful to whoever writes a type."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

USE = '''
import asyncio
from dataclasses import dataclass
from typing import Annotated

import stackwright
import stackwright.sync
from stackwright import Context, Engine, Event, ForceNew, Plan, Report, Run, Stack


@stackwright.resource("acme_bucket")
class Bucket:
    @dataclass
    class Inputs:
        name: Annotated[str, ForceNew]

    @dataclass
    class Outputs:
        id: str

    async def create(self, ctx: Context, want: Inputs) -> Outputs:
        await ctx.checkpoint(want.name)
        return self.Outputs(want.name)

    async def read(self, id: str) -> Outputs | None: ...
    async def delete(self, id: str) -> None: ...


bucket: Bucket = Bucket()


async def main() -> Report:
    async with Engine(resources=[bucket]) as engine:
        stack: Stack = engine.stack("a/b")
        plan: Plan = await stack.plan("folder", {"x": 1})
        run: Run = await plan.apply(on_failure="continue")
        async for event in run:
            kind: Event = event
        return await run


with stackwright.sync.Engine(resources=[bucket]) as engine:
    for event in engine.stack("a/b").apply("folder"):
        print(event.seq + 1)
    reveal_type(engine.stack("a/b").plan("x"))
asyncio.run(main())
'''


def run(*command: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    # Where it verifies types, pyright looks for packages with the first Python on PATH, whatever its arguments say.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    return subprocess.run(
        [sys.executable, "-m", *command],
        cwd=cwd,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.fixture(scope="module")
def pyright(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Pyright brings its program from npm: without a network, or a Node, it cannot be had."""
    if run("pyright", "--version", cwd=tmp_path_factory.mktemp("pyright")).returncode != 0 and os.environ.get("CI") != "true":
        pytest.skip("pyright does not start here; it needs npm, and Node 18 or newer")


@pytest.mark.usefixtures("pyright")
def test_every_public_type_is_known(tmp_path: Path) -> None:
    result = run("pyright", "--verifytypes", "stackwright", "--ignoreexternal", cwd=tmp_path)
    assert "Type completeness score: 100%" in result.stdout, result.stdout + result.stderr


@pytest.mark.usefixtures("pyright")
def test_a_program_that_uses_it_is_checked(tmp_path: Path) -> None:
    (tmp_path / "use.py").write_text(USE, encoding="utf-8")
    (tmp_path / "wrong.py").write_text(USE.replace('on_failure="continue"', 'on_failure="explode"'), encoding="utf-8")
    (tmp_path / "pyrightconfig.json").write_text('{"typeCheckingMode": "strict", "reportUnusedVariable": false}', encoding="utf-8")
    result = run("pyright", "--pythonpath", sys.executable, "use.py", cwd=tmp_path)
    assert result.returncode == 0, result.stdout
    assert 'is "Plan"' in result.stdout
    result = run("pyright", "--pythonpath", sys.executable, "wrong.py", cwd=tmp_path)
    assert result.returncode == 1 and "explode" in result.stdout and "1 error" in result.stdout


def test_the_stub_is_true(tmp_path: Path) -> None:
    result = run("mypy.stubtest", "stackwright._native", cwd=tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr
