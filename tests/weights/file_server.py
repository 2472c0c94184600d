"""A threaded HTTP server of files, with scripted faults; its other name speaks as the Hugging Face hub does.

    with FileServer({"a.pth": b"..."}) as server:
        server.faults["a.pth"] = [Fault(cut=1000), Fault(status=429, headers={"Retry-After": "1"})]
        ... server.address, server.requests

A path /OWNER/REPOSITORY/resolve/main/FILE is answered as the hub does: a redirect to the bytes, with the sha256, size
and commit in the redirect's own headers.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

COMMIT = "c0ffee" + "0" * 34
HUB = re.compile(r"/[^/]+/[^/]+/resolve/main/(.+)")


class Request(NamedTuple):
    """A request as the server got it."""

    method: str
    name: str
    headers: dict[str, str]


@dataclass
class Fault:
    """What goes wrong with one request for a file."""

    status: int = 0  # answered instead of the file
    headers: dict[str, str] = field(default_factory=dict)
    cut: int | None = None  # bytes of the body before the connection is closed
    body: bytes | None = None  # other bytes than the file's


class FileServer:
    """Serves files by name."""

    def __init__(
        self, files: dict[str, bytes], *, ranges: bool = True, tags: bool = True, pace: float = 0, piece: int = 1 << 16
    ) -> None:
        self.files = dict(files)
        self.ranges, self.tags = ranges, tags
        self.pace, self.piece = pace, piece  # seconds between two pieces, and their bytes
        self.faults: dict[str, list[Fault]] = {}
        self.requests: list[Request] = []
        self.sums: dict[str, str] = {}  # what the hub announces instead of a file's own
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

    @property
    def hub(self) -> str:
        """Returns the same server's address under which it is the hub."""
        return f"http://localhost:{self.server.server_port}"

    def asked(self, method: str = "GET") -> list[str]:
        """Returns the names that were asked for, in order."""
        return [request.name for request in self.requests if request.method == method]

    def __enter__(self) -> FileServer:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


def _handler(server: FileServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def do_HEAD(self) -> None:
            self.answer()

        def do_GET(self) -> None:
            self.answer()

        def answer(self) -> None:
            from urllib.parse import unquote

            path = unquote(self.path)
            if path.startswith("/api/models/"):
                listed = [{"type": "file", "path": name} for name in server.files if not name.startswith("api/")]
                server.files[path.lstrip("/")] = json.dumps([{"type": "directory", "path": "a"}, *listed]).encode()
            on_hub = HUB.fullmatch(path)
            name = on_hub[1] if on_hub else path.removeprefix("/cdn").lstrip("/")
            if not path.startswith("/cdn/"):
                server.requests.append(Request(self.command, name, dict(self.headers)))
            if on_hub and name in server.files:
                body = server.files[name]
                self.send_response(302)
                self.send_header("Location", f"{server.address}/cdn/{name}")
                self.send_header("X-Linked-Etag", f'"{server.sums.get(name) or hashlib.sha256(body).hexdigest()}"')
                self.send_header("X-Linked-Size", str(len(body)))
                self.send_header("X-Repo-Commit", COMMIT)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            faults = server.faults.get(name, [])
            fault = faults.pop(0) if faults else Fault()
            if fault.status or name not in server.files:
                self.send_response(fault.status or 404)
                for key, value in fault.headers.items():
                    self.send_header(key, value)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self.send(server.files[name] if fault.body is None else fault.body, fault.cut)

        def send(self, body: bytes, cut: int | None) -> None:
            tag = f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'
            wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
            start = int(wanted[1]) if wanted and server.ranges else 0
            if self.headers.get("If-Range", tag) != tag:
                start = 0
            if start >= len(body) > 0:
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(body)}")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self.send_response(206 if start else 200)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
            if server.tags:
                self.send_header("ETag", tag)
            rest = body[start:]
            self.send_header("Content-Length", str(len(rest)))
            self.end_headers()
            if self.command == "HEAD":
                return
            if cut is not None:
                rest, self.close_connection = rest[:cut], True
            try:
                for begin in range(0, len(rest), server.piece):
                    self.wfile.write(rest[begin : begin + server.piece])
                    if server.pace:
                        time.sleep(server.pace)
            except OSError:
                self.close_connection = True  # the client has gone

    return Handler
