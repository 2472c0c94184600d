"""The repository: its tree, files, branches and commits."""

from __future__ import annotations

import base64
import hashlib
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from gitlab_answers import ok, paged
from gitlab_project import ApiError, Commit, blob_id
from gitlab_routes import Answer, Call, Routes

ROUTES = Routes()


def _commit_of(call: Call, missing: str) -> Commit:
    ref = call.query.get("ref") or str(call.server.state.settings["default_branch"])
    commit = call.server.git.resolve(ref)
    if commit is None:
        raise ApiError(404, missing)
    return commit


@ROUTES.add("GET", "/repository/tree")
def tree(call: Call) -> Answer:
    commit = _commit_of(call, "404 Tree Not Found")
    folder = call.query.get("path", "").strip("/")
    prefix = f"{folder}/" if folder else ""
    recursive = call.query.get("recursive", "").lower() in {"true", "1"}
    entries: dict[str, dict[str, object]] = {}
    for path, content in sorted(commit.files.items()):
        if not path.startswith(prefix):
            continue
        names = path[len(prefix) :].split("/")
        for depth in range(1, len(names) + 1 if recursive else 2):
            here, leaf = prefix + "/".join(names[:depth]), depth == len(names)
            entries[here] = {
                "id": blob_id(content if leaf else here.encode()),
                "name": names[depth - 1],
                "type": "blob" if leaf else "tree",
                "path": here,
                "mode": "100644" if leaf else "040000",
            }
    if folder and not entries:
        raise ApiError(404, "404 invalid revision or path Not Found")
    return paged(call, list(entries.values()))


@ROUTES.add("GET", "/repository/files/:file")
def get_file(call: Call) -> Answer:
    commit = _commit_of(call, "404 Commit Not Found")
    path = call.found["file"]
    if path not in commit.files:
        raise ApiError(404, "404 File Not Found")
    content, last = commit.files[path], call.server.git.last_commit(commit, path)
    sha256, blob = hashlib.sha256(content).hexdigest(), blob_id(content)
    facts = {
        "file_name": Path(path).name,
        "file_path": path,
        "size": len(content),
        "encoding": "base64",
        "content": base64.b64encode(content).decode(),
        "content_sha256": sha256,
        "ref": call.query.get("ref", ""),
        "blob_id": blob,
        "commit_id": commit.id,
        "last_commit_id": last,
    }
    told = {"X-Gitlab-Content-Sha256": sha256, "X-Gitlab-Last-Commit-Id": last, "X-Gitlab-Blob-Id": blob}
    return ok(facts, headers=told)


@ROUTES.add("GET", "/repository/files/:file/raw")
def get_raw_file(call: Call) -> Answer:
    commit = _commit_of(call, "404 Commit Not Found")
    if call.found["file"] not in commit.files:
        raise ApiError(404, "404 File Not Found")
    return Answer(200, commit.files[call.found["file"]], {"Content-Type": "text/plain"})


def _branch(server: Any, name: str) -> dict[str, object]:
    commit = server.git.commits[server.git.heads[name]]
    return {
        "name": name,
        "commit": {"id": commit.id, "short_id": commit.id[:8], "message": commit.message},
        "protected": any(fnmatchcase(name, rule) for rule in server.state.protected),
        "default": name == server.state.settings["default_branch"],
        "can_push": True,
    }


@ROUTES.add("GET", "/repository/branches")
def list_branches(call: Call) -> Answer:
    return paged(call, [_branch(call.server, name) for name in sorted(call.server.git.heads)])


@ROUTES.add("GET", "/repository/branches/:branch")
def get_branch(call: Call) -> Answer:
    if call.found["branch"] not in call.server.git.heads:
        raise ApiError(404, "404 Branch Not Found")
    return ok(_branch(call.server, call.found["branch"]))


def _content(action: dict[str, str]) -> bytes:
    if "content" not in action:
        raise ApiError(400, {"error": "actions[0][content] is missing"})
    if action.get("encoding") == "base64":
        return base64.b64decode(action["content"])
    return action["content"].encode()


@ROUTES.add("POST", "/repository/commits")
def post_commit(call: Call) -> Answer:
    server, data = call.server, call.data
    for name in ("branch", "commit_message", "actions"):
        if not data.get(name):
            raise ApiError(400, {"error": f"{name} is missing"})
    branch = str(data["branch"])
    if server.behind:
        other, files = server.behind.pop(0)
        server.git.add(other, files, "Someone else")
    start = data.get("start_sha") or data.get("start_branch")
    if data.get("start_sha") and data.get("start_branch"):
        raise ApiError(400, {"error": "start_branch, start_sha are mutually exclusive"})
    if start and branch in server.git.heads and not data.get("force"):
        raise ApiError(
            400, f"A branch called '{branch}' already exists. Switch to that branch in order to make changes"
        )
    if start:
        commit = server.git.resolve(str(start))
        if commit is None:
            raise ApiError(400, f"Cannot find start_sha '{start}'")
        changed = server.git.apply(commit.id, data["actions"], _content)
        server.git.heads[branch] = commit.id
    elif branch not in server.git.heads:
        raise ApiError(400, "You can only create or edit files when you are on a branch")
    else:
        changed = server.git.apply(branch, data["actions"], _content)
    author = str(data.get("author_name", "publisher"))
    commit = server.git.add(branch, changed, str(data["commit_message"]), actions=data["actions"], author=author)
    title = commit.message.partition("\n")[0]
    told = {"id": commit.id, "short_id": commit.id[:8], "title": title, "message": commit.message}
    return ok({**told, "parent_ids": [commit.parent], "author_name": author}, 201)
