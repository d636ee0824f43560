"""One step of the proof: `step.py COMMAND FOLDER`. tests/bindings.sh calls it and looks at the folder afterwards."""

from __future__ import annotations

import asyncio
import os
import pathlib
import sys
import time
from typing import Any

from bucket import Bucket

import stackwright
from stackwright import Engine, Report, Stack, Template

TEMPLATES = pathlib.Path(os.environ["BUCKET_TEMPLATES"])


def template(*names: str, **replace: str) -> Template:
    files: dict[str, str] = {}
    for name in names:
        text = (TEMPLATES / name).read_text()
        for old, new in replace.items():
            text = text.replace(old, new)
        files[name] = text
    return Template.from_files(files)


def expect(what: str, found: Any, wanted: Any) -> None:
    if found != wanted:
        raise SystemExit(f"{what}: found {found!r}, wanted {wanted!r}")


async def carry_out(stack: Stack, wanted: Template, **options: Any) -> Report:
    return await (await stack.apply(wanted, parallelism=3, who="killed", **options)).wait()


async def apply(stack: Stack, bucket: Bucket) -> None:
    plan = await stack.plan(template("main.tf"))
    expect("changes", {change.action for change in plan.changes}, {"create"})
    expect("a value that the plan hook knows", "https://buckets.example/mirror" in str(plan), True)
    report = await (await plan.apply(parallelism=3)).wait()
    expect("status", report.status, "succeeded")
    expect("output", report.outputs["mirror"], "https://buckets.example/mirror")


async def resume(stack: Stack, bucket: Bucket) -> None:
    unfinished = await stack.unfinished_run()
    if unfinished is None:
        raise SystemExit("there is no unfinished run")
    deadline = time.monotonic() + 30
    while True:
        try:
            run = await stack.resume(unfinished, parallelism=3)
            break
        except stackwright.ConflictError as error:
            # The dead process's lease has to run out.
            if error.code != "lease.held" or time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.05)
    report = await run.wait()
    expect("problems", report.problems, [])
    expect("status", report.status, "succeeded")


async def verify(stack: Stack, bucket: Bucket) -> None:
    rows = (await stack.state()).rows
    expect("rows", len(rows), 6)
    expect("statuses", {(row.status, row.ready) for row in rows}, {("current", True)})
    buckets = bucket.cloud.buckets()
    expect("ids", sorted(row.id or "" for row in rows), sorted(bucket["id"] for bucket in buckets))
    expect("keys", sorted(row.object_id for row in rows), sorted(bucket["key"] for bucket in buckets))
    expect("unfinished run", await stack.unfinished_run(), None)
    plan = await stack.plan(template("main.tf"))
    expect("a second plan", (plan.is_empty, plan.changes), (True, []))


async def upgrade(stack: Stack, bucket: Bucket) -> None:
    plan = await stack.plan(template("main.tf"))
    expect("changes", plan.changes, [])
    expect("rows upgraded", bucket.upgraded, 6)
    report = await (await plan.apply()).wait()
    expect("status", report.status, "succeeded")
    plan = await stack.plan(template("main.tf"))
    expect("nothing is left to do", (plan.changes, bucket.upgraded), ([], 6))


async def update(stack: Stack, bucket: Bucket) -> None:
    plan = await stack.plan(template("main.tf", **{"count.index + 1": "count.index + 10"}))
    expect("changes", [change.action for change in plan.changes], ["update"] * 4)
    report = await (await plan.apply(parallelism=3)).wait()
    expect("status", report.status, "succeeded")
    sizes = sorted(found["size"] for found in bucket.cloud.buckets())
    expect("sizes", sizes, [1, 1, 10, 11, 12, 13])


async def destroy(stack: Stack, bucket: Bucket) -> None:
    report = await carry_out(stack, template("main.tf"), mode="destroy")
    expect("status", report.status, "succeeded")
    expect("rows", (await stack.state()).rows, [])
    expect("buckets", bucket.cloud.buckets(), [])


async def refuses(stack: Stack, text: str, code: str, problem: str) -> None:
    try:
        await stack.plan(Template.from_text(text))
    except stackwright.InvalidInputError as error:
        expect("an error of the engine's", error.code, code)
        codes = [found.code for found in error.diagnostics]
        expect(f"{problem} among {codes}", any(found.startswith(problem) for found in codes), True)
    else:
        raise SystemExit(f"a template was accepted: {text}")


async def faults(stack: Stack, bucket: Bucket) -> None:
    report = await carry_out(stack, template("faults.tf"), on_failure="continue")
    expect("status", report.status, "failed")
    errors = {problem.address: (problem.error.kind, problem.error.code) for problem in report.problems}
    expected = {
        "acme_bucket.refused": ("denied", "acme.quota"),
        "acme_bucket.torn": ("unavailable", "acme.torn"),
    }
    expect("problems", errors, expected)
    rows = {row.address: row.status for row in (await stack.state()).rows}
    expect("rows", rows, {"acme_bucket.raised": "current", "acme_bucket.torn": "tainted"})
    expect("buckets", sorted(found["name"] for found in bucket.cloud.buckets()), ["raised", "torn"])
    report = await carry_out(stack, template("faults.tf"))
    expect("status", report.status, "succeeded")
    current = [(row.address.split(".")[1], row.status) for row in (await stack.state()).rows]
    expect("rows", current, [(name, "current") for name in ("raised", "refused", "torn")])
    expect("buckets", sorted(found["name"] for found in bucket.cloud.buckets()), ["raised", "refused", "torn"])
    await refuses(stack, 'resource "acme_bukkit" "a" {', "template.invalid", "syntax.")
    await refuses(stack, 'resource "acme_bucket" "a" {\n name = "Loud"\n}', "plan.failed", "acme.name")
    # What is wrong only comes out once it is known: before anything is made.
    report = await carry_out(stack, template("faults.tf", "late.tf"))
    problems = [(problem.address, problem.error.code, problem.error.effect) for problem in report.problems]
    expect("problems", problems, [("acme_bucket.late", "acme.name", "none")])
    expect("buckets", sorted(found["name"] for found in bucket.cloud.buckets()), ["early", "raised", "refused", "torn"])


async def cancel(stack: Stack, bucket: Bucket) -> None:
    run = await (await stack.plan(template("main.tf"))).apply(parallelism=3)
    waiter = asyncio.create_task(run.wait())
    await bucket.waiting.wait()
    # Once: nothing new starts, and what runs is waited for.
    waiter.cancel()
    await asyncio.sleep(0)
    expect("done after one cancel", waiter.done(), False)
    # Twice: what runs is told to end.
    waiter.cancel()
    try:
        await waiter
    except asyncio.CancelledError:
        pass
    else:
        raise SystemExit("a cancelled task went on")
    # What was made was not awaited until it works: the run is settled by going on with it, and stays cancelled.
    assert run.report is not None
    expect("status", run.report.status in ("cancelled", "running"), True)
    if run.report.status == "running":
        report = await (await stack.resume(run.id)).wait()
        expect("status once settled", report.status, "cancelled")
    rows, buckets = (await stack.state()).rows, bucket.cloud.buckets()
    expect("ids", sorted(row.id or "" for row in rows), sorted(found["id"] for found in buckets))
    expect("fewer than all", len(rows) < 6, True)
    report = await carry_out(stack, template("main.tf"))
    expect("status", report.status, "succeeded")


STEPS = (apply, resume, verify, upgrade, update, destroy, faults, cancel)
COMMANDS = {command.__name__: command for command in STEPS}


async def main(command: str, folder: str) -> None:
    bucket = Bucket(folder)
    async with Engine(pathlib.Path(folder) / "state.db", resources=[bucket], lease_ttl=1.5) as engine:
        await COMMANDS[command](engine.stack("test/main"), bucket)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
