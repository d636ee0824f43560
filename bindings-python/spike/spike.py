"""One step of the proof: `spike.py COMMAND FOLDER`. tests/bindings.sh calls it and looks at the folder afterwards."""

import asyncio
import pathlib
import sys
import time

from bridge import Engine, StackwrightError
from bucket import Bucket

TEMPLATES = pathlib.Path(__file__).parents[2] / "tests" / "bindings"
LEASE_TTL_MS = 1500


def template(name, **replace):
    text = (TEMPLATES / name).read_text()
    for old, new in replace.items():
        text = text.replace(old, new)
    return {"main.tf": text}


def expect(what, found, wanted):
    if found != wanted:
        raise SystemExit(f"{what}: found {found!r}, wanted {wanted!r}")


async def carry_out(engine, files, mode="normal", **options):
    plan = await engine.plan(files, mode)
    return await (await plan.apply(parallelism=3, who="spike", **options)).finish()


async def apply(engine, bucket):
    plan = await engine.plan(template("main.tf"))
    expect("changes", sorted({action for _, action in plan.data["changes"]}), ["create"])
    expect("a value that the plan hook knows", "https://buckets.example/mirror" in plan.data["text"], True)
    report = await (await plan.apply(parallelism=3)).finish()
    expect("status", report["status"], "succeeded")
    expect("output", report["outputs"]["mirror"]["value"], "https://buckets.example/mirror")


async def resume(engine, bucket):
    run = await engine.unfinished_run()
    expect("an unfinished run", run is None, False)
    deadline = time.monotonic() + 30
    while True:
        try:
            resumed = await engine.resume(run, parallelism=3)
            break
        except StackwrightError as error:
            # The dead process's lease has to run out.
            if error.code != "lease.held" or time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.05)
    report = await resumed.finish()
    expect("problems", report["problems"], [])
    expect("status", report["status"], "succeeded")


async def verify(engine, bucket):
    rows = await engine.state()
    expect("rows", len(rows), 6)
    expect("statuses", {(row["status"], row["ready"]) for row in rows}, {("current", True)})
    buckets = bucket.cloud.buckets()
    expect("ids", sorted(row["id"] for row in rows), sorted(bucket["id"] for bucket in buckets))
    expect("keys", sorted(row["object_id"] for row in rows), sorted(bucket["key"] for bucket in buckets))
    expect("unfinished run", await engine.unfinished_run(), None)
    plan = await engine.plan(template("main.tf"))
    expect("a second plan", (plan.data["is_empty"], plan.data["changes"]), (True, []))


async def upgrade(engine, bucket):
    plan = await engine.plan(template("main.tf"))
    expect("changes", plan.data["changes"], [])
    expect("rows upgraded", bucket.upgraded, 6)
    report = await (await plan.apply()).finish()
    expect("status", report["status"], "succeeded")
    plan = await engine.plan(template("main.tf"))
    expect("nothing is left to do", (plan.data["changes"], bucket.upgraded), ([], 6))


async def update(engine, bucket):
    files = template("main.tf", **{"count.index + 1": "count.index + 10"})
    plan = await engine.plan(files)
    expect("changes", [action for _, action in plan.data["changes"]], ["update"] * 4)
    report = await (await plan.apply(parallelism=3)).finish()
    expect("status", report["status"], "succeeded")
    sizes = sorted(found["size"] for found in bucket.cloud.buckets())
    expect("sizes", sizes, [1, 1, 10, 11, 12, 13])


async def destroy(engine, bucket):
    report = await carry_out(engine, template("main.tf"), "destroy")
    expect("status", report["status"], "succeeded")
    expect("rows", await engine.state(), [])
    expect("buckets", bucket.cloud.buckets(), [])


async def refuses(engine, text, code, problem):
    try:
        await engine.plan({"main.tf": text})
    except StackwrightError as error:
        expect("an error of the engine's", (error.kind, error.code), ("invalid_input", code))
        codes = [found["code"] for found in error.rest["diagnostics"]]
        expect(f"{problem} among {codes}", any(found.startswith(problem) for found in codes), True)
    else:
        raise SystemExit(f"a template was accepted: {text}")


async def faults(engine, bucket):
    report = await carry_out(engine, template("faults.tf"), on_failure="continue")
    expect("status", report["status"], "failed")
    errors = {p["address"]: (p["error"]["kind"], p["error"]["code"], p["error"]["effect"]) for p in report["problems"]}
    expected = {
        "acme_bucket.refused": ("denied", "acme.quota", "none"),
        "acme_bucket.torn": ("unavailable", "acme.torn", "none"),
    }
    expect("problems", errors, expected)
    rows = {row["address"]: row["status"] for row in await engine.state()}
    expect("rows", rows, {"acme_bucket.raised": "current", "acme_bucket.torn": "tainted"})
    expect("buckets", sorted(found["name"] for found in bucket.cloud.buckets()), ["raised", "torn"])
    report = await carry_out(engine, template("faults.tf"))
    expect("status", report["status"], "succeeded")
    rows = [(row["address"].split(".")[1], row["status"]) for row in await engine.state()]
    expect("rows", rows, [(name, "current") for name in ("raised", "refused", "torn")])
    expect("buckets", sorted(found["name"] for found in bucket.cloud.buckets()), ["raised", "refused", "torn"])
    await refuses(engine, 'resource "acme_bukkit" "a" {', "template.invalid", "syntax.")
    await refuses(engine, 'resource "acme_bucket" "a" {\n name = "Loud"\n}', "plan.failed", "acme.name")
    # What is wrong only comes out once it is known: before anything is made.
    report = await carry_out(engine, {**template("faults.tf"), "late.tf": template("late.tf")["main.tf"]})
    problems = [(p["address"], p["error"]["code"], p["error"]["effect"]) for p in report["problems"]]
    expect("problems", problems, [("acme_bucket.late", "acme.name", "none")])
    expect("buckets", sorted(found["name"] for found in bucket.cloud.buckets()), ["early", "raised", "refused", "torn"])


async def cancel(engine, bucket):
    plan = await engine.plan(template("main.tf"))
    run = await plan.apply(parallelism=3)
    waiter = asyncio.create_task(run.finish())
    await bucket.waiting.wait()
    # Once: nothing new starts, and what runs is waited for.
    waiter.cancel()
    await asyncio.sleep(0)
    expect("done after one cancel", waiter.done(), False)
    # Twice: what runs is told to end.
    waiter.cancel()
    try:
        await waiter
        raise SystemExit("a cancelled task went on")
    except asyncio.CancelledError:
        pass
    # What was made was not awaited until it works: the run is settled by going on with it, and stays cancelled.
    expect("status", run.report["status"] in ("cancelled", "running"), True)
    if run.report["status"] == "running":
        report = await (await engine.resume(await engine.unfinished_run())).finish()
        expect("status once settled", report["status"], "cancelled")
    rows, buckets = await engine.state(), bucket.cloud.buckets()
    expect("ids", sorted(row["id"] for row in rows), sorted(found["id"] for found in buckets))
    expect("fewer than all", len(rows) < 6, True)
    report = await carry_out(engine, template("main.tf"))
    expect("status", report["status"], "succeeded")


STEPS = (apply, resume, verify, upgrade, update, destroy, faults, cancel)
COMMANDS = {command.__name__: command for command in STEPS}


async def main(command, folder):
    bucket = Bucket(folder)
    engine = await Engine.open(folder, {"acme_bucket": bucket}, LEASE_TTL_MS)
    await COMMANDS[command](engine, bucket)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
