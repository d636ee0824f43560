"""The whole of it: the page server, the service, a customer; and a service that is killed in the middle of a run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
SECONDS = 60


def start(*command: str, says: str, **environment: str) -> tuple[subprocess.Popen[str], str]:
    """Starts a server on a port of its choice; returns it and its address, which it prints."""
    process = subprocess.Popen(
        [sys.executable, *command],
        cwd=HERE,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    seen: list[str] = []
    for line in process.stdout:
        seen.append(line)
        if says in line:
            return process, next(word for word in line.split() if word.startswith("http://"))
    raise AssertionError("".join(seen))


def ask(method: str, url: str, body: object = None) -> tuple[int, Any]:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=SECONDS) as answer:
            text, status = answer.read().decode(), answer.status
    except urllib.error.HTTPError as error:
        text, status = error.read().decode(), error.code
    try:
        return status, json.loads(text)
    except json.JSONDecodeError:
        return status, text


def follow(url: str, last: int = -1) -> list[tuple[str, Any]]:
    """Reads server-sent events until the stream ends."""
    request = urllib.request.Request(url, headers={"Last-Event-ID": str(last)})
    found: list[tuple[str, Any]] = []
    kind = ""
    with urllib.request.urlopen(request, timeout=SECONDS) as stream:
        for line in stream:
            name, _, value = line.decode().strip().partition(": ")
            if name == "event":
                kind = value
            elif name == "data":
                found.append((kind, json.loads(value)))
    return found


class World:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.processes: list[subprocess.Popen[str]] = []
        self.pages = self.keep(start("pages.py", "0", str(folder / "pages"), says="pages on", PAGES_SECONDS="0.3"))
        self.app, self.process = "", self.processes[0]
        self.serve()

    def keep(self, started: tuple[subprocess.Popen[str], str]) -> str:
        self.processes.append(started[0])
        return started[1]

    def serve(self) -> None:
        environment = {"PAGES": self.pages, "STATE": str(self.folder / "state.db"), "LEASE": "1.5"}
        self.app = self.keep(start("-m", "uvicorn", "app:app", "--port", "0", says="Uvicorn running on", **environment))
        self.process = self.processes[-1]

    def stop(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()
            assert process.stdout is not None
            process.stdout.close()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    world.stop()


SHOP = {
    "variable": {"title": {"default": "Shop"}},
    "resource": {
        "paas_page": {
            "home": {"path": "shop/home", "html": "<h1>${var.title}</h1>"},
            "about": {"path": "shop/about", "html": '<a href="${paas_page.home.url}">${var.title}</a>'},
        }
    },
    "output": {"home": {"value": "${paas_page.home.url}"}},
}


def test_a_customer_gets_a_shop(world: World) -> None:
    shop = f"{world.app}/stacks/acme/shop"
    wanted = {"template": SHOP, "variables": {"title": "Grand opening"}}
    status, plan = ask("POST", f"{shop}/plan", wanted)
    assert status == 200 and plan["changes"] == {"paas_page.about": "create", "paas_page.home": "create"}

    status, begun = ask("POST", shop, wanted)
    assert status == 202
    events = follow(world.app + begun["events"])
    kinds = [kind for kind, _ in events]
    assert kinds[0] == "run_started" and kinds[-2:] == ["run_finished", "end"]
    done = [data["address"] for kind, data in events if kind == "step_finished"]
    assert done == ["paas_page.home", "paas_page.about"], "the page that is referred to comes first"
    assert events[-1][1] == {"status": "succeeded", "outputs": {"home": f"{world.pages}/shop/home"}, "problems": []}
    # A reader that comes later, or again, misses nothing.
    assert follow(world.app + begun["events"]) == events
    assert follow(world.app + begun["events"], last=1) == events[2:]

    assert ask("GET", f"{world.pages}/shop/home") == (200, "<h1>Grand opening</h1>")
    status, found = ask("GET", shop)
    assert [run["status"] for run in found["runs"]] == ["succeeded"]
    assert all(item["ready"] for item in found["objects"].values()) and len(found["objects"]) == 2

    # Somebody changed a page by hand: the next plan knows.
    (page,) = [page for page in ask("GET", f"{world.pages}/api/pages")[1] if page["path"] == "shop/home"]
    ask("PUT", f"{world.pages}/api/pages/{page['id']}", {"html": "defaced"})
    assert ask("POST", f"{shop}/plan", wanted)[1]["changes"] == {"paas_page.home": "update"}
    follow(world.app + ask("POST", shop, wanted)[1]["events"])
    assert ask("GET", f"{world.pages}/shop/home") == (200, "<h1>Grand opening</h1>")

    status, problem = ask("POST", shop, {"template": {"resource": {"paas_pgae": {"x": {}}}}})
    assert status == 422 and problem["code"] == "template.invalid" and "paas_page" in json.dumps(problem["problems"])
    taken = {"template": {"resource": {"paas_page": {"mine": {"path": "shop/home", "html": "!"}}}}}
    end = follow(world.app + ask("POST", f"{world.app}/stacks/rival/shop", taken)[1]["events"])[-1][1]
    assert end["status"] == "failed" and end["problems"][0]["code"] == "paas.taken"

    follow(world.app + ask("DELETE", shop)[1]["events"])
    assert ask("GET", f"{world.pages}/api/pages") == (200, [])


def test_a_killed_service_goes_on_where_it_was(world: World) -> None:
    pages = {f"p{idx}": {"path": f"p{idx}", "html": "x"} for idx in range(40)}
    # One after the other, so that there is a middle.
    for idx in range(1, 40):
        pages[f"p{idx}"]["html"] = f"${{paas_page.p{idx - 1}.url}}"
    status, begun = ask("POST", f"{world.app}/stacks/acme/chain", {"template": {"resource": {"paas_page": pages}}})
    assert status == 202
    deadline = time.monotonic() + SECONDS
    while len(made := ask("GET", f"{world.pages}/api/pages")[1]) < 5:
        assert time.monotonic() < deadline
    world.process.kill()
    world.process.wait()
    assert len(made) < 40

    world.serve()
    while True:
        found = ask("GET", f"{world.app}/stacks/acme/chain")[1]
        if found["runs"][0]["status"] != "running":
            break
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert [run["status"] for run in found["runs"]] == ["succeeded"] and found["runs"][0]["run"] == begun["run"]
    assert len(found["objects"]) == 40
    published = ask("GET", f"{world.pages}/api/pages")[1]
    assert sorted(page["path"] for page in published) == sorted(pages) and len({page["key"] for page in published}) == 40
    assert sorted(item["id"] for item in found["objects"].values()) == sorted(page["id"] for page in published)
