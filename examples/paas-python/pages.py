"""The product: a web server for pages, and an API to publish them. `python pages.py PORT FOLDER`.

A page is a file; nothing is lost when the server is killed. `PUT /api/pages` with an `Idempotency-Key` that was used before
returns the page that was made then.
"""

from __future__ import annotations

import json
import os
import sys
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock
from typing import Any

LOCK = Lock()
# How long publishing takes, so that there is something to watch.
SECONDS = float(os.environ.get("PAGES_SECONDS", "0.2"))


class Store:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def all(self) -> list[dict[str, Any]]:
        return [json.loads(path.read_text()) for path in sorted(self.folder.glob("*.json"))]

    def find(self, **wanted: str) -> dict[str, Any] | None:
        return next((page for page in self.all() if wanted.items() <= page.items()), None)

    def write(self, page: dict[str, Any]) -> None:
        draft = self.folder / f"{page['id']}.draft"
        draft.write_text(json.dumps(page))
        draft.replace(self.folder / f"{page['id']}.json")

    def remove(self, id: str) -> None:
        (self.folder / f"{id}.json").unlink(missing_ok=True)


class Handler(BaseHTTPRequestHandler):
    store: Store

    def answer(self, status: int, body: object = None, kind: str = "application/json") -> None:
        content = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def body(self) -> dict[str, Any]:
        return json.loads(self.rfile.read(int(self.headers["Content-Length"])))

    def do_POST(self) -> None:
        page, key = self.body(), self.headers["Idempotency-Key"]
        with LOCK:
            made = self.store.find(key=key)
            if made is None and self.store.find(path=page["path"]):
                return self.answer(409, {"problem": f"there is a page at /{page['path']} already"})
            if made is None:
                made = {"id": uuid.uuid4().hex[:12], "key": key, **page}
                self.store.write(made)
        time.sleep(SECONDS)
        self.answer(201, made)

    def do_PUT(self) -> None:
        id, change = self.path.rpartition("/")[2], self.body()
        with LOCK:
            page = self.store.find(id=id)
            if page is not None:
                page.update(change)
                self.store.write(page)
        self.answer(404 if page is None else 200, page)

    def do_DELETE(self) -> None:
        self.store.remove(self.path.rpartition("/")[2])
        self.answer(200)

    def do_GET(self) -> None:
        if self.path.startswith("/api/pages?key="):
            page = self.store.find(key=self.path.rpartition("=")[2])
            return self.answer(404 if page is None else 200, page)
        if self.path.startswith("/api/pages/"):
            page = self.store.find(id=self.path.rpartition("/")[2])
            return self.answer(404 if page is None else 200, page)
        if self.path == "/api/pages":
            return self.answer(200, self.store.all())
        page = self.store.find(path=self.path.lstrip("/"))
        self.answer(404, "nothing is here") if page is None else self.answer(200, page["html"], "text/html; charset=utf-8")

    def log_message(self, format: str, *args: object) -> None:
        pass


def main(port: str, folder: str) -> None:
    Handler.store = Store(Path(folder))
    server = ThreadingHTTPServer(("127.0.0.1", int(port)), Handler)
    print(f"pages on http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
