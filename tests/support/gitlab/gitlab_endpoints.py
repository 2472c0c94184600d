"""The endpoints of GitLab's REST API that the pipeline uses, each with GitLab's own answers and errors."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, unquote

from gitlab_project import ApiError, Commit, Note, blob_id

BOT = 7  # the user behind the private tokens
LONGEST_NOTE = 1_000_000
MASKABLE = re.compile(r"[A-Za-z0-9+/=@:.~_-]{8,}")


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
ROUTES: list[tuple[str, re.Pattern[str], bool, Endpoint]] = []


def route(method: str, path: str, *, job: bool = False) -> Callable[[Endpoint], Endpoint]:
    """Registers an endpoint below the project; with `job`, it accepts job tokens."""
    pattern = re.compile(re.sub(r":(\w+)", r"(?P<\1>[^/]+)", path.replace(":path", "(?P<path>.+)")))

    def register(endpoint: Endpoint) -> Endpoint:
        ROUTES.append((method, pattern, job, endpoint))
        return endpoint

    return register


def respond(call: Call) -> Answer:
    """Returns the answer to a request."""
    try:
        _check_token(call)
        if call.path == "/api/v4/user":
            return _user(call)
        if call.path == "/api/graphql":
            return _graphql(call)
        rest = _below_project(call)
        method = "GET" if call.method == "HEAD" else call.method
        for wanted, pattern, job, endpoint in ROUTES:
            if wanted == method and (found := pattern.fullmatch(rest)):
                _check_rights(call, job, endpoint)
                call.found = {name: unquote(value) for name, value in found.groupdict().items()}
                return endpoint(call)
        raise ApiError(404, "404 Not Found")
    except ApiError as error:
        told = error.message if isinstance(error.message, dict) and "error" in error.message else None
        return Answer(error.status, _json(told or {"message": error.message}), {})


def _check_token(call: Call) -> None:
    if call.who == "expired":
        raise ApiError(401, {"error": "invalid_token", "error_description": "Token is expired."})
    if call.who == "unknown":
        raise ApiError(401, "401 Unauthorized")


def _user(call: Call) -> Answer:
    if call.who not in {"private", "read"}:
        raise ApiError(401, "401 Unauthorized")
    return _ok({"id": BOT, "username": "project_42_bot", "name": "publisher"})


def _graphql(call: Call) -> Answer:
    """Answers the two questions about the cleanup policy of packages; GraphQL reports errors with the status 200."""
    state, query = call.server.state, str(call.data["query"])
    if call.who not in {"private", "read"} or call.data["variables"] != {"path": call.server.project_path}:
        return _ok({"data": {"project": None}})
    if "updatePackagesCleanupPolicy" not in query:
        return _ok(
            {"data": {"project": {"packagesCleanupPolicy": {"keepNDuplicatedPackageFiles": state.package_files}}}}
        )
    if call.who == "read":
        return _ok(
            {"data": {"updatePackagesCleanupPolicy": None}, "errors": [{"message": "The resource is not there"}]}
        )
    state.package_files = re.findall(r"keepNDuplicatedPackageFiles: (\w+)", query)[0]
    return _ok({"data": {"updatePackagesCleanupPolicy": {"errors": []}}})


def _below_project(call: Call) -> str:
    """Returns the path below the project."""
    server = call.server
    if web := re.fullmatch(rf"/{server.project_path}/-(/jobs/artifacts/.+)", call.path):  # the permalink of browsers
        call.who = "none"  # browsers send a session, no token
        return web[1]
    match = re.fullmatch(r"/api/v4/projects/([^/]+)(/.*)?", call.path)
    if not match:
        raise ApiError(404, "404 Not Found")
    if unquote(match[1]) not in {str(server.project_id), server.project_path}:
        raise ApiError(404, "404 Project Not Found")
    return match[2] or ""


def _check_rights(call: Call, job: bool, endpoint: Endpoint) -> None:
    anonymous = call.who == "none" or (call.who == "job" and not job)
    if anonymous and call.writes:
        raise ApiError(401, "401 Unauthorized")
    if anonymous and not call.server.state.public:
        raise ApiError(404, "404 Project Not Found")
    if anonymous and endpoint in PRIVATE:
        raise ApiError(401, "401 Unauthorized")
    if call.who == "read" and call.writes:
        raise ApiError(403, {"error": "insufficient_scope", "error_description": "needs api", "scope": "api"})


def _json(value: object) -> bytes:
    return json.dumps(value).encode()


def _ok(value: object, status: int = 200, headers: dict[str, str] | None = None) -> Answer:
    return Answer(status, _json(value), headers or {})


def _paged(call: Call, items: list[dict[str, object]]) -> Answer:
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
    return _ok(items[(page - 1) * size : page * size], headers=headers)


def _download(call: Call, content: bytes) -> Answer:
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


# Packages


@route("PUT", "/packages/generic/:name/:version/:file", job=True)
def put_package(call: Call) -> Answer:
    name, version, file = call.found["name"], call.found["version"], call.found["file"]
    valid = re.fullmatch(r"[A-Za-z0-9._-]+", name) and re.fullmatch(r"[A-Za-z0-9._+~@-]+", file)
    if not valid or not re.fullmatch(r"[A-Za-z0-9._+-]{1,255}", version):
        raise ApiError(400, {"error": "package_version is invalid"})
    call.server.state.add_upload(name, version, file, call.body)
    return _ok({"message": "201 Created"}, 201)


@route("GET", "/packages/generic/:name/:version/:file", job=True)
def get_package(call: Call) -> Answer:
    held = call.server.packages.get((call.found["name"], call.found["version"], call.found["file"]))
    if not held:
        raise ApiError(404, "404 Not Found")
    return _download(call, held[-1].content)


@route("GET", "/packages", job=True)
def list_packages(call: Call) -> Answer:
    wanted = call.query.get("package_name", "")  # GitLab's search is fuzzy
    found = [
        {"id": number, "name": name, "version": version, "package_type": "generic", "status": "default"}
        for (name, version), number in call.server.state.package_ids.items()
        if wanted in name
    ]
    return _paged(call, found)


def _package(call: Call) -> tuple[str, str]:
    """Returns the name and version of the package with the asked number."""
    for package, number in call.server.state.package_ids.items():
        if str(number) == call.found["package"]:
            return package
    raise ApiError(404, "404 Not Found")


@route("GET", "/packages/:package/package_files", job=True)
def list_package_files(call: Call) -> Answer:
    package = _package(call)
    files = [
        {
            "id": upload.id,
            "package_id": int(call.found["package"]),
            "file_name": key[2],
            "size": len(upload.content),
            "created_at": upload.created,
        }
        for key, uploads in call.server.packages.items()
        for upload in uploads
        if key[:2] == package
    ]
    return _paged(call, files)


@route("DELETE", "/packages/:package", job=True)
def delete_package(call: Call) -> Answer:
    package = _package(call)
    for key in [key for key in call.server.packages if key[:2] == package]:
        del call.server.packages[key]
    del call.server.state.package_ids[package]
    return Answer(204, b"", {})


@route("DELETE", "/packages/:package/package_files/:number", job=True)
def delete_package_file(call: Call) -> Answer:
    package = _package(call)
    for key, uploads in call.server.packages.items():
        kept = [upload for upload in uploads if str(upload.id) != call.found["number"]]
        if key[:2] == package and len(kept) < len(uploads):
            uploads[:] = kept
            return Answer(204, b"", {})
    raise ApiError(404, "404 Not Found")


# Repository


def _commit_of(call: Call, missing: str) -> Commit:
    ref = call.query.get("ref") or str(call.server.state.settings["default_branch"])
    commit = call.server.git.resolve(ref)
    if commit is None:
        raise ApiError(404, missing)
    return commit


@route("GET", "/repository/tree")
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
    return _paged(call, list(entries.values()))


@route("GET", "/repository/files/:file")
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
    return _ok(facts, headers=told)


@route("GET", "/repository/files/:file/raw")
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
        "protected": name in server.state.protected,
        "default": name == server.state.settings["default_branch"],
        "can_push": True,
    }


@route("GET", "/repository/branches")
def list_branches(call: Call) -> Answer:
    return _paged(call, [_branch(call.server, name) for name in sorted(call.server.git.heads)])


@route("GET", "/repository/branches/:branch")
def get_branch(call: Call) -> Answer:
    if call.found["branch"] not in call.server.git.heads:
        raise ApiError(404, "404 Branch Not Found")
    return _ok(_branch(call.server, call.found["branch"]))


def _content(action: dict[str, str]) -> bytes:
    if "content" not in action:
        raise ApiError(400, {"error": "actions[0][content] is missing"})
    if action.get("encoding") == "base64":
        return base64.b64decode(action["content"])
    return action["content"].encode()


@route("POST", "/repository/commits")
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
    return _ok({**told, "parent_ids": [commit.parent], "author_name": author}, 201)


# Merge requests


def _note(note: Note) -> dict[str, object]:
    author = {"id": note.author, "username": f"user{note.author}"}
    return {"id": note.id, "body": note.body, "author": author, "system": False, "noteable_iid": note.merge_request}


def _note_body(call: Call) -> str:
    body = str(call.data.get("body", ""))
    if not body.strip():
        raise ApiError(400, {"error": "body is missing"})
    if len(body) > LONGEST_NOTE:
        raise ApiError(400, {"note": ["is too long (maximum is 1000000 characters)"]})
    return body


@route("GET", "/merge_requests/:iid/notes")
def list_notes(call: Call) -> Answer:
    notes = [_note(note) for note in call.server.notes if note.merge_request == int(call.found["iid"])]
    return _paged(call, notes if call.query.get("sort") == "asc" else notes[::-1])


@route("POST", "/merge_requests/:iid/notes")
def post_note(call: Call) -> Answer:
    note = call.server.add_note(_note_body(call), int(call.found["iid"]))
    return _ok(_note(note), 201)


@route("PUT", "/merge_requests/:iid/notes/:note")
def put_note(call: Call) -> Answer:
    for note in call.server.notes:
        if (note.id, note.merge_request) == (int(call.found["note"]), int(call.found["iid"])):
            if note.author != BOT:
                raise ApiError(403, "403 Forbidden")
            note.body = _note_body(call)
            note.edits += 1
            return _ok(_note(note))
    raise ApiError(404, "404 Note Not Found")


# Artifacts


def _artifacts(call: Call) -> dict[str, bytes]:
    held = call.server.state.artifacts.get((call.found["ref"], call.query.get("job", "")))
    if held is None:
        raise ApiError(404, "404 Not Found")
    return held


@route("GET", "/jobs/artifacts/:ref/raw/:path", job=True)
def raw_artifact(call: Call) -> Answer:
    held = _artifacts(call)
    if call.found["path"] not in held:
        raise ApiError(404, "404 Not Found")
    return _download(call, held[call.found["path"]])


@route("GET", "/jobs/artifacts/:ref/download", job=True)
def artifact_archive(call: Call) -> Answer:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for path, content in sorted(_artifacts(call).items()):
            archive.writestr(zipfile.ZipInfo(path), content)
    return _download(call, packed.getvalue())


# Settings


@route("GET", "")
def get_project(call: Call) -> Answer:
    server = call.server
    return _ok(
        {
            "id": server.project_id,
            "path_with_namespace": server.project_path,
            "web_url": f"{server.url}/{server.project_path}",
            "http_url_to_repo": f"{server.url}/{server.project_path}.git",
            **server.state.settings,
        }
    )


@route("PUT", "")
def put_project(call: Call) -> Answer:
    known = {name: value for name, value in call.data.items() if name in call.server.state.settings}
    if not known:
        raise ApiError(400, {"error": "name, default_branch, ... are missing, at least one parameter must be provided"})
    call.server.state.settings.update(known)
    return get_project(call)


def _check_variable(data: dict[str, object]) -> None:
    if data.get("masked") and not data.get("hidden") and not MASKABLE.fullmatch(str(data.get("value", ""))):
        raise ApiError(400, {"value": ["is invalid"]})


@route("GET", "/variables")
def list_variables(call: Call) -> Answer:
    return _paged(call, call.server.state.variables)


@route("POST", "/variables")
def post_variable(call: Call) -> Answer:
    data = {"protected": False, "masked": False, "raw": False, "environment_scope": "*", **call.data}
    if _same(call, data["key"], data["environment_scope"]):
        raise ApiError(400, {"key": [f"({data['key']}) has already been taken"]})
    _check_variable(data)
    call.server.state.variables.append(data)
    return _ok(data, 201)


def _same(call: Call, key: object, scope: object) -> list[dict[str, object]]:
    """Returns the variables of a key, and of a scope where one is given."""
    return [
        each
        for each in call.server.state.variables
        if each["key"] == key and scope in (None, each["environment_scope"])
    ]


def _variable(call: Call) -> dict[str, object]:
    """Returns the variable that the address and the filter mean; several are refused, as GitLab does."""
    found = _same(call, call.found["key"], call.query.get("filter[environment_scope]"))
    if len(found) > 1:
        raise ApiError(
            409, "There are multiple variables with provided parameters. Please use 'filter[environment_scope]'"
        )
    if not found:
        raise ApiError(404, "404 Variable Not Found")
    return found[0]


@route("GET", "/variables/:key")
def get_variable(call: Call) -> Answer:
    return _ok(_variable(call))


@route("PUT", "/variables/:key")
def put_variable(call: Call) -> Answer:
    held = _variable(call)
    new = {name: value for name, value in call.data.items() if not name.startswith("filter")}
    _check_variable({**held, **new})
    if [each for each in _same(call, held["key"], new.get("environment_scope", "")) if each is not held]:
        raise ApiError(400, {"key": [f"({held['key']}) has already been taken"]})
    held.update(new)
    return _ok(held)


@route("DELETE", "/variables/:key")
def delete_variable(call: Call) -> Answer:
    held = _variable(call)
    call.server.state.variables[:] = [each for each in call.server.state.variables if each is not held]
    return Answer(204, b"", {})


def _held(held: dict[object, dict[str, object]], key: object) -> dict[str, object]:
    if key not in held:
        raise ApiError(404, "404 Not Found")
    return held[key]


def _schedule(call: Call) -> dict[str, object]:
    return _held(call.server.state.schedules, int(call.found["schedule"]))


@route("GET", "/pipeline_schedules")
def list_schedules(call: Call) -> Answer:
    told = [
        {name: value for name, value in schedule.items() if name != "variables"}
        for schedule in call.server.state.schedules.values()
    ]
    return _paged(call, told)


@route("POST", "/pipeline_schedules")
def post_schedule(call: Call) -> Answer:
    for name in ("description", "ref", "cron"):
        if not call.data.get(name):
            raise ApiError(400, {"error": f"{name} is missing"})
    number = len(call.server.state.schedules) + 1
    schedule = {"cron_timezone": "UTC", "active": True, **call.data, "id": number, "owner": {"id": BOT}}
    schedule["ref"] = f"refs/heads/{str(schedule['ref']).removeprefix('refs/heads/')}"  # GitLab 17 answers so
    call.server.state.schedules[number] = {**schedule, "variables": []}
    return _ok(call.server.state.schedules[number], 201)


@route("GET", "/pipeline_schedules/:schedule")
def get_schedule(call: Call) -> Answer:
    return _ok(_schedule(call))


@route("PUT", "/pipeline_schedules/:schedule")
def put_schedule(call: Call) -> Answer:
    _schedule(call).update(call.data)
    return _ok(_schedule(call))


def _schedule_variables(call: Call) -> dict[object, dict[str, object]]:
    return {each["key"]: each for each in _schedule(call)["variables"]}


@route("POST", "/pipeline_schedules/:schedule/variables")
def post_schedule_variable(call: Call) -> Answer:
    if call.data["key"] in _schedule_variables(call):
        raise ApiError(400, {"variables.key": ["has already been taken"]})
    _schedule(call)["variables"].append({"variable_type": "env_var", **call.data})
    return _ok(call.data, 201)


@route("PUT", "/pipeline_schedules/:schedule/variables/:key")
def put_schedule_variable(call: Call) -> Answer:
    held = _held(_schedule_variables(call), call.found["key"])
    held.update(call.data)
    return _ok(held)


@route("DELETE", "/pipeline_schedules/:schedule/variables/:key")
def delete_schedule_variable(call: Call) -> Answer:
    _schedule(call)["variables"].remove(_held(_schedule_variables(call), call.found["key"]))
    return Answer(204, b"", {})


@route("GET", "/protected_branches")
def list_protected(call: Call) -> Answer:
    return _paged(call, list(call.server.state.protected.values()))


@route("GET", "/protected_branches/:branch")
def get_protected(call: Call) -> Answer:
    return _ok(_held(call.server.state.protected, call.found["branch"]))


@route("POST", "/protected_branches")
def post_protected(call: Call) -> Answer:
    data = call.data
    if data["name"] in call.server.state.protected:
        raise ApiError(409, f"Protected branch '{data['name']}' already exists")
    call.server.state.protected[str(data["name"])] = {
        "name": data["name"],
        "push_access_levels": [{"access_level": data.get("push_access_level", 40)}],
        "merge_access_levels": [{"access_level": data.get("merge_access_level", 40)}],
        "allow_force_push": data.get("allow_force_push", False),
    }
    return _ok(call.server.state.protected[str(data["name"])], 201)


@route("GET", "/job_token_scope")
def get_scope(call: Call) -> Answer:
    return _ok({"inbound_enabled": call.server.state.job_token_scope, "outbound_enabled": False})


@route("PATCH", "/job_token_scope")
def patch_scope(call: Call) -> Answer:
    call.server.state.job_token_scope = bool(call.data["enabled"])
    return Answer(204, b"", {})


@route("GET", "/pipelines")
def list_pipelines(call: Call) -> Answer:
    return _paged(call, [])


PRIVATE = {list_variables, get_variable, list_schedules, get_schedule, list_protected, get_scope}  # never anonymous
