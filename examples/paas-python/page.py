"""The resource type `paas_page`: a page of the page server."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Annotated, Any

import stackwright
from stackwright import Existing, ForceNew, SyncContext


@stackwright.resource("paas_page", call_timeout=30)
class Page:
    """A page that everybody can look at."""

    @dataclass
    class Inputs:
        path: Annotated[str, ForceNew, "Where it is found, without the first slash."]
        html: Annotated[str, "What it shows."]

    @dataclass
    class Outputs(Inputs):
        id: str = ""
        url: str = ""

    def __init__(self, server: str) -> None:
        self.server = server

    def create(self, ctx: SyncContext, want: Inputs) -> Outputs:
        page = {"path": want.path, "html": want.html}
        made = self.ask("POST", "/api/pages", page, key=ctx.idempotency_key)
        return self.outputs(made)

    def read(self, id: str) -> tuple[Inputs, Outputs] | None:
        found = self.ask("GET", f"/api/pages/{id}")
        return None if found is None else self.both(found)

    def update(self, ctx: SyncContext, id: str, want: Inputs) -> Outputs:
        changed = self.ask("PUT", f"/api/pages/{id}", {"html": want.html})
        if changed is None:
            raise stackwright.NotFoundError(f"page {id} is gone", code="paas.gone")
        return self.outputs(changed)

    def delete(self, id: str) -> None:
        self.ask("DELETE", f"/api/pages/{id}")

    def recover(self, ctx: SyncContext, was: Existing[Inputs, Outputs] | None) -> Outputs | None:
        found = self.ask("GET", f"/api/pages/{was.id}" if was else f"/api/pages?key={ctx.idempotency_key}")
        return None if found is None else self.outputs(found)

    def import_(self, id: str) -> tuple[Inputs, Outputs] | None:
        return self.read(id)

    def outputs(self, page: dict[str, Any]) -> Outputs:
        return self.Outputs(page["path"], page["html"], page["id"], f"{self.server}/{page['path']}")

    def both(self, page: dict[str, Any]) -> tuple[Inputs, Outputs]:
        return self.Inputs(page["path"], page["html"]), self.outputs(page)

    def ask(self, method: str, path: str, body: object = None, key: str = "") -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.server + path, data, {"Idempotency-Key": key}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return None
            problem = json.load(error)["problem"]
            raise stackwright.AlreadyExistsError(problem, code="paas.taken") from error
        except urllib.error.URLError as error:
            # It may have heard us: nobody knows, until it answers again.
            effect: Any = "none" if method == "GET" or isinstance(error.reason, ConnectionRefusedError) else "unknown"
            raise stackwright.UnavailableError(
                "the page server does not answer", code="paas.down", retry=True, effect=effect
            ) from error
