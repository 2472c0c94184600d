"""A small Docker Engine on a Unix socket: it answers what Docker's Python client asks, and runs no container."""

from __future__ import annotations

import io
import json
import struct
import sys
import tarfile
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingMixIn, UnixStreamServer
from threading import Event, Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

STDOUT, STDERR = 1, 2  # a stream's number in a frame of the log
NO_GPU = 'could not select device driver "nvidia" with capabilities: [[gpu]]'


@dataclass
class Container:
    """What the client asked of a container, and whether it has ended."""

    name: str
    body: dict[str, Any]
    started: bool = False
    ended: Event = field(default_factory=Event)


@dataclass
class Engine:
    """What the daemon will do, and what the client asked it to do."""

    images: set[str] = field(default_factory=set)
    build_events: list[dict[str, Any]] = field(default_factory=list)
    builds: bool = True  # a build leaves an image
    drops: bool = False  # the daemon hangs up in the middle of a build
    gpu: bool = True
    exit_code: int = 0
    hangs: bool = False  # the command runs until the container is removed
    logs: list[tuple[int, bytes]] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    build_query: dict[str, list[str]] = field(default_factory=dict)
    context: list[str] = field(default_factory=list)
    containers: dict[str, Container] = field(default_factory=dict)
    removed: list[str] = field(default_factory=list)
    made: list[Container] = field(default_factory=list)
    listened: Event = field(default_factory=Event)


class _Server(ThreadingMixIn, UnixStreamServer):
    daemon_threads = True
    engine: Engine

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Says nothing where the client hung up, as it does after Ctrl-C."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, *_: object) -> None:
        """Says nothing."""

    def do_GET(self) -> None:
        self._route()

    def do_POST(self) -> None:
        self._route()

    def do_DELETE(self) -> None:
        self._route()

    def _route(self) -> None:
        engine = self.server.engine
        address = urlsplit(self.path)
        query = parse_qs(address.query)
        parts = [part for part in address.path.split("/") if part and not part.startswith("v1.")]
        engine.requests.append(f"{self.command} /{'/'.join(parts)}")
        content = self._content()
        match [self.command, *parts]:
            case ["GET", "version"]:
                self._json(200, {"ApiVersion": "1.47", "MinAPIVersion": "1.24", "Version": "27.5.1"})
            case ["POST", "build"]:
                with tarfile.open(fileobj=io.BytesIO(content)) as sent:
                    engine.context = sorted(member.name for member in sent if member.isfile())
                engine.build_query = query
                if engine.builds:
                    engine.images.add(query["t"][0])
                self._stream(json.dumps(event).encode() + b"\r\n" for event in engine.build_events)
            case ["GET", "images", "json"]:
                wanted = json.loads(query["filters"][0])["reference"][0]
                self._json(200, [{"Id": "sha256:1", "RepoTags": [wanted]}] if wanted in engine.images else [])
            case ["GET", "images", *_, "json"]:
                self._json(200, {"Id": "sha256:1", "RepoTags": sorted(engine.images)})
            case ["POST", "containers", "create"]:
                self._create(query["name"][0], json.loads(content))
            case [_, "containers", name, *rest]:
                self._container(engine.containers.get(name), rest, query)
            case _:
                self._json(404, {"message": "page not found"})

    def _create(self, name: str, body: dict[str, Any]) -> None:
        engine = self.server.engine
        if body["Image"] not in engine.images:
            self._json(404, {"message": f"No such image: {body['Image']}"})
            return
        engine.containers[name] = Container(name, body)
        engine.made.append(engine.containers[name])
        self._json(201, {"Id": name, "Warnings": []})

    def _container(self, container: Container | None, rest: list[str], query: dict[str, list[str]]) -> None:
        engine = self.server.engine
        if container is None:
            self._json(404, {"message": "No such container"})
            return
        match [self.command, *rest]:
            case ["GET", "json"]:
                self._json(200, {"Id": container.name, "Name": container.name, "Config": {"Tty": False}})
            case ["POST", "start"]:
                if container.body["HostConfig"].get("DeviceRequests") and not engine.gpu:
                    self._json(500, {"message": NO_GPU})
                    return
                container.started = True
                if not engine.hangs:
                    container.ended.set()
                self._json(204, None)
            case ["GET", "logs"]:
                wanted = {STDOUT} if query["stdout"] == ["1"] else set()
                wanted |= {STDERR} if query["stderr"] == ["1"] else set()
                self._stream(self._log(container, wanted))
            case ["POST", "wait"]:
                container.ended.wait(20)
                self._json(200, {"StatusCode": engine.exit_code})
            case ["DELETE"]:
                if container.started and query.get("force") != ["True"] and not container.ended.is_set():
                    self._json(409, {"message": "container is running"})
                    return
                del engine.containers[container.name]
                engine.removed.append(container.name)
                container.ended.set()
                self._json(204, None)

    def _log(self, container: Container, wanted: set[int]) -> Any:
        engine = self.server.engine
        for stream, text in engine.logs:
            if stream in wanted:
                yield struct.pack(">BxxxL", stream, len(text)) + text
        if STDOUT in wanted:
            engine.listened.set()
        container.ended.wait(20)

    def _content(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        content = b""
        while size := int(self.rfile.readline(), 16):
            content += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return content

    def _json(self, status: int, answer: Any) -> None:
        body = b"" if answer is None else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if body:
            self.wfile.write(body)

    def _stream(self, chunks: Any) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for chunk in chunks:
            self.wfile.write(f"{len(chunk):x}\r\n".encode() + chunk + b"\r\n")
            self.wfile.flush()
        if self.server.engine.drops:
            self.wfile.write(b"40\r\n{")
            self.close_connection = True
            return
        self.wfile.write(b"0\r\n\r\n")


class running:  # noqa: N801  # used as a function
    """Runs an engine on a socket for the length of a `with`."""

    def __init__(self, socket: Path, engine: Engine) -> None:
        self.server = _Server(str(socket), _Handler)
        self.server.engine = engine

    def __enter__(self) -> Engine:
        Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self.server.engine

    def __exit__(self, *_: object) -> None:
        for container in self.server.engine.made:
            container.ended.set()
        self.server.shutdown()
        self.server.server_close()
