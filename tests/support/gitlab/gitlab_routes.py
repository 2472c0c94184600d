"""A request on its way to its endpoint, and the tables by which it gets there."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from email.message import Message
from typing import Any, NamedTuple


class Answer(NamedTuple):
    """What the server sends back."""

    status: int
    body: bytes
    headers: dict[str, str]


@dataclass
class Call:
    """A request on its way to its endpoint."""

    server: Any  # the GitLabServer
    method: str
    path: str  # percent-encoded
    query: dict[str, str]
    body: bytes
    headers: Message
    who: str  # the kind of its token: job, private, read, expired, unknown or none
    found: dict[str, str]  # parts of the path, decoded

    @property
    def data(self) -> dict[str, Any]:
        """Returns the parameters, from the query and the body."""
        return {**self.query, **(json.loads(self.body) if self.body else {})}

    @property
    def writes(self) -> bool:
        """Tells whether the request may change something."""
        asks = self.path == "/api/graphql" and b"mutation" not in self.body
        return self.method not in {"GET", "HEAD"} and not asks


Endpoint = Callable[[Call], Answer]


class Route(NamedTuple):
    """Which requests an endpoint answers."""

    method: str
    pattern: re.Pattern[str]  # of the path below the project
    endpoint: Endpoint
    job: bool  # whether it accepts job tokens
    private: bool  # whether it wants a token even where the project is public


class Routes(list[Route]):
    """Some of the endpoints below the project."""

    def add(
        self, method: str, path: str, *, job: bool = False, private: bool = False
    ) -> Callable[[Endpoint], Endpoint]:
        """Adds an endpoint; in its path, `:name` is a part that it is told, and `:path` may be many parts."""
        pattern = re.compile(re.sub(r":(\w+)", r"(?P<\1>[^/]+)", path.replace(":path", "(?P<path>.+)")))

        def register(endpoint: Endpoint) -> Endpoint:
            self.append(Route(method, pattern, endpoint, job, private))
            return endpoint

        return register
