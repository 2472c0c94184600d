"""The forms that answers have: JSON, pages of lists, files."""

from __future__ import annotations

import hashlib
import json
import re
from urllib.parse import quote

from gitlab_project import ApiError
from gitlab_routes import Answer, Call


def encoded(value: object) -> bytes:
    return json.dumps(value).encode()


def ok(value: object, status: int = 200, headers: dict[str, str] | None = None) -> Answer:
    return Answer(status, encoded(value), headers or {})


def paged(call: Call, items: list[dict[str, object]]) -> Answer:
    """Returns one page, with the headers by which clients find the next."""
    size, page = min(int(call.query.get("per_page", 20)), 100), int(call.query.get("page", 1))
    pages = max(1, -(-len(items) // size))
    headers = {
        "X-Page": str(page),
        "X-Per-Page": str(size),
        "X-Total": str(len(items)),
        "X-Total-Pages": str(pages),
        "X-Next-Page": str(page + 1) if page < pages else "",
    }
    if page < pages:
        more = "&".join(
            f"{quote(name)}={quote(value, safe='')}"
            for name, value in {**call.query, "page": str(page + 1), "per_page": str(size)}.items()
        )
        headers["Link"] = f'<{call.server.url}{call.path}?{more}>; rel="next"'
    return ok(items[(page - 1) * size : page * size], headers=headers)


def download(call: Call, content: bytes) -> Answer:
    """Returns a file, or the rest of it where the client asks for that and the server supports it."""
    headers = {"Content-Type": "application/octet-stream"}
    if not call.server.ranges:
        return Answer(200, content, headers)
    tag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
    headers |= {"ETag": tag, "Accept-Ranges": "bytes"}
    asked = re.fullmatch(r"bytes=(\d+)-", call.headers.get("Range", ""))
    if not asked or call.headers.get("If-Range", tag) != tag:
        return Answer(200, content, headers)
    start = int(asked[1])
    if start >= len(content):
        return Answer(416, b"", headers | {"Content-Range": f"bytes */{len(content)}"})
    headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
    return Answer(206, content[start:], headers)


def find(held: dict[object, dict[str, object]], key: object) -> dict[str, object]:
    if key not in held:
        raise ApiError(404, "404 Not Found")
    return held[key]
