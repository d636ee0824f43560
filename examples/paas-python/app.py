"""The service: templates in, progress out. `uvicorn app:app`."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import FastAPI, Header, HTTPException, Request
from fastapi.responses import JSONResponse, StreamingResponse
from page import Page
from pydantic import BaseModel

import stackwright
from stackwright import Engine, Event, Run, Stack, StackwrightError, Template

STATUS = {
    "invalid_input": 422,
    "not_found": 404,
    "already_exists": 409,
    "conflict": 409,
    "denied": 403,
    "unavailable": 503,
    "rate_limited": 429,
}


class Feed:
    """The events of a run, for any number of readers, from the beginning."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.events: list[Event] = []
        self.ended = False
        self.news = asyncio.Condition()
        self.task = asyncio.create_task(self.collect())

    async def collect(self) -> None:
        async for event in self.run:
            await self.tell(event)
        await self.tell(None)

    async def tell(self, event: Event | None) -> None:
        async with self.news:
            if event is None:
                self.ended = True
            else:
                self.events.append(event)
            self.news.notify_all()

    async def stream(self, seen: int) -> AsyncIterator[str]:
        while True:
            async with self.news:
                await self.news.wait_for(lambda: self.ended or len(self.events) > seen)
                fresh, ended = self.events[seen:], self.ended
            for event in fresh:
                yield f"id: {seen}\nevent: {event.type}\ndata: {json.dumps(event.to_dict())}\n\n"
                seen += 1
            if ended and seen == len(self.events):
                yield f"event: end\ndata: {json.dumps(self.result())}\n\n"
                return

    def result(self) -> dict[str, Any]:
        report = self.run.report
        assert report is not None
        problems = [
            {"address": problem.address, "code": problem.error.code, "message": problem.error.message}
            for problem in report.problems
        ]
        outputs = {name: value for name, value in report.outputs.items() if value is not stackwright.HIDDEN}
        return {"status": report.status, "outputs": outputs, "problems": problems}


class Wanted(BaseModel):
    template: dict[str, Any]
    variables: dict[str, Any] = {}


FEEDS: dict[str, Feed] = {}


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    page = Page(os.environ.get("PAGES", "http://127.0.0.1:8001"))
    store = os.environ.get("STATE", "state.db")
    async with Engine(store, resources=[page], lease_ttl=float(os.environ.get("LEASE", "30"))) as engine:
        app.state.engine = engine
        # What the last process was at when it died goes on, once its lease has run out.
        resuming = [asyncio.create_task(resume(stack)) for stack in await engine.stacks()]
        yield
        for task in resuming:
            task.cancel()


async def resume(stack: Stack) -> None:
    while (unfinished := await stack.unfinished_run()) is not None:
        try:
            watch(await stack.resume(unfinished, who="the service, restarted"))
            return
        except stackwright.ConflictError as error:
            if error.code != "lease.held":
                raise
            await asyncio.sleep(0.2)


app = FastAPI(title="A small PaaS", lifespan=lifespan)


@app.exception_handler(StackwrightError)
async def refuse(request: Request, error: StackwrightError) -> JSONResponse:
    problems = [{"code": problem.code, "message": problem.message, "help": problem.help} for problem in error.diagnostics]
    return JSONResponse(
        {"code": error.code, "message": error.message, "problems": problems}, STATUS.get(error.kind, 500)
    )


def stack_of(tenant: str, name: str) -> Stack:
    return app.state.engine.stack(f"{tenant}/{name}")


def watch(run: Run) -> dict[str, str]:
    FEEDS[run.id] = Feed(run)
    return {"run": run.id, "events": f"/runs/{run.id}/events"}


@app.post("/stacks/{tenant}/{name}/plan")
async def plan(tenant: str, name: str, wanted: Wanted) -> dict[str, Any]:
    plan = await stack_of(tenant, name).plan(Template.from_dict(wanted.template), wanted.variables)
    return {"text": str(plan), "changes": {change.address: change.action for change in plan.changes}}


@app.post("/stacks/{tenant}/{name}", status_code=202)
async def apply(tenant: str, name: str, wanted: Wanted) -> dict[str, str]:
    run = await stack_of(tenant, name).apply(Template.from_dict(wanted.template), wanted.variables, who=tenant)
    return watch(run)


@app.delete("/stacks/{tenant}/{name}", status_code=202)
async def destroy(tenant: str, name: str) -> dict[str, str]:
    return watch(await stack_of(tenant, name).destroy(who=tenant))


@app.get("/stacks/{tenant}/{name}")
async def show(tenant: str, name: str) -> dict[str, Any]:
    stack = stack_of(tenant, name)
    state, runs = await stack.state(), await stack.runs()
    return {
        "objects": {row.address: {"id": row.id, "status": row.status, "ready": row.ready} for row in state.rows},
        "runs": [{"run": run.id, "status": run.status, "started": run.started.isoformat()} for run in runs],
    }


@app.get("/runs/{run}/events")
async def events(run: str, last_event_id: Annotated[int, Header()] = -1) -> StreamingResponse:
    feed = FEEDS.get(run)
    if feed is None:
        raise HTTPException(404, "this process knows no such run")
    return StreamingResponse(feed.stream(last_event_id + 1), media_type="text/event-stream")


@app.post("/runs/{run}/cancel", status_code=202)
async def cancel(run: str) -> None:
    if run not in FEEDS:
        raise HTTPException(404, "this process knows no such run")
    FEEDS[run].run.cancel()
