"""A threaded HTTP server that speaks the part of GitLab's REST API (version 4) that the pipeline uses.

    with GitLabServer() as server:
        subprocess.run([...], env=os.environ | server.environment | {"CI_JOB_TOKEN": server.JOB})
        server.commits, server.files("main"), server.notes, server.packages, server.requests

The server checks tokens as GitLab does: a job token may read and write packages and read artifacts, and nothing else; a
token that an endpoint does not accept counts as none. Anybody may read a public project without a token.
"""

from __future__ import annotations

import base64
import json
import re
import threading
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qsl, urlsplit

from gitlab_endpoints import respond
from gitlab_git import serve_git
from gitlab_project import BOT, Commit, Note, PackageFile, ProjectState, Repository
from gitlab_routes import Answer, Call


class Request(NamedTuple):
    """A request as the server got it; `token` is job, private, read, expired, unknown or none."""

    method: str
    path: str  # without the query, percent-encoded as it was sent
    query: dict[str, str]
    token: str
    status: int
    headers: dict[str, str]
    writes: bool  # whether it could have changed something


@dataclass
class Fault:
    """What goes wrong with the next requests of a kind."""

    method: str
    path: str
    times: int
    status: int = 0  # 0: the server cuts the connection before the answer's first byte
    message: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    keep: int | None = None  # bytes of the answer's body before the server cuts the connection
    until: threading.Event | None = None  # sends the rest of the body, after `keep` bytes, once this is set
    late: bool = False  # the request takes effect, and only its answer is replaced


class GitLabServer:
    """A GitLab with one project.

    Args:
        files: The repository's files on its branch.
        branch: Its default branch.
        public: Whether it can be read without a token.
        ranges: Whether downloads understand the header Range and have an ETag.
        repository: A bare repository to be served for `git clone` and `git push` with the job token.
    """

    JOB, API, READ, EXPIRED = "job-0123456789", "glpat-api-0123456789", "glpat-read-0123456789", "glpat-old-0123456789"
    KINDS = {JOB: "job", API: "private", READ: "read", EXPIRED: "expired"}

    def __init__(
        self,
        *,
        files: dict[str, bytes] | None = None,
        branch: str = "main",
        public: bool = False,
        ranges: bool = True,
        project_id: int = 42,
        project_path: str = "group/robustness",
        repository: Path | None = None,
    ) -> None:
        self.project_id, self.project_path = project_id, project_path
        self.ranges, self.repository = ranges, repository
        self.git = Repository(files or {"README.md": b"# Metric robustness\n"}, branch)
        self.state = ProjectState(public)
        self.requests: list[Request] = []
        self.faults: list[Fault] = []
        self.lock = threading.RLock()
        self.behind: list[tuple[str, dict[str, bytes | None]]] = []
        server = self

        class Handler(_Handler):
            gitlab = server

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.http.server_port}"

    def __enter__(self) -> GitLabServer:
        threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.http.shutdown()
        self.http.server_close()

    # What tests look at

    @property
    def environment(self) -> dict[str, str]:
        """Returns the variables that GitLab sets in a job, except the tokens."""
        return {
            "CI_SERVER_URL": self.url,
            "CI_API_V4_URL": f"{self.url}/api/v4",
            "CI_PROJECT_ID": str(self.project_id),
            "CI_PROJECT_PATH": self.project_path,
            "CI_PROJECT_URL": f"{self.url}/{self.project_path}",
            "NO_PROXY": "127.0.0.1",
        }

    @property
    def api(self) -> str:
        """Returns the project's address in the API, as `--store` takes it."""
        return f"{self.url}/api/v4/projects/{self.project_id}"

    @property
    def commits(self) -> list[Commit]:
        """Returns the commits made through the API, oldest first."""
        return [commit for commit in self.git.commits.values() if commit.actions]

    def files(self, branch: str = "main") -> dict[str, bytes]:
        """Returns the files of a branch."""
        return dict(self.git.commits[self.git.heads[branch]].files)

    @property
    def notes(self) -> list[Note]:
        """Returns the notes, oldest first."""
        return self.state.notes

    @property
    def packages(self) -> dict[tuple[str, str, str], list[PackageFile]]:
        """Returns the uploads by (package, version, file), oldest first."""
        return self.state.packages

    def writes(self) -> list[Request]:
        """Returns the requests that could have changed something."""
        return [request for request in self.requests if request.writes]

    def tokens(self) -> set[str]:
        """Returns the kinds of token that were used."""
        return {request.token for request in self.requests}

    # What tests prepare

    def put_artifacts(self, files: dict[str, bytes], ref: str = "main", job: str = "aggregate") -> None:
        """Gives the latest successful job of a ref these artifacts."""
        self.state.artifacts[ref, job] = dict(files)

    def add_note(self, body: str, merge_request: int = 1, author: int = BOT) -> Note:
        """Adds a note as if somebody had written it."""
        note = Note(len(self.notes) + 1, merge_request, author, body)
        self.notes.append(note)
        return note

    def commit(self, files: dict[str, bytes | None], branch: str = "main") -> None:
        """Commits as somebody else would; None deletes a file."""
        self.git.add(branch, files, "Someone else")

    def commit_before_next(self, files: dict[str, bytes | None], branch: str = "main") -> None:
        """Lets somebody else be faster: commits right before the server takes the next commit. Calls queue up."""
        self.behind.append((branch, files))

    def fail(
        self,
        times: int,
        status: int,
        *,
        method: str = ".*",
        path: str = ".*",
        message: str = "",
        headers: dict[str, str] | None = None,
    ) -> None:
        """Answers the next requests that match with an error. `path` is a regular expression, found anywhere."""
        self.faults.append(Fault(method, path, times, status, message or f"{status} scripted", headers or {}))

    def lose_answer(self, times: int = 1, status: int = 502, *, method: str = ".*", path: str = ".*") -> None:
        """Carries out the next requests that match, and answers them with an error all the same."""
        self.faults.append(Fault(method, path, times, status, f"{status} scripted", late=True))

    def hang_up(self, times: int = 1, *, method: str = ".*", path: str = ".*") -> None:
        """Cuts the connection of the next requests that match, before they have an effect or an answer."""
        self.faults.append(Fault(method, path, times))

    def truncate(self, times: int = 1, *, keep: int = 10, path: str = ".*") -> None:
        """Cuts the answer's body after `keep` bytes in the next downloads that match."""
        self.faults.append(Fault("GET", path, times, keep=keep))

    def hold(self, *, keep: int = 10, path: str = ".*") -> threading.Event:
        """Has the next download that matches stop after `keep` bytes, and go on once the event is set."""
        event = threading.Event()
        self.faults.append(Fault("GET", path, 1, keep=keep, until=event))
        return event

    def conflict(self, times: int = 2, status: int = 400) -> None:
        """Refuses the next commits as if somebody else had been faster."""
        message = "A file with this name already exists" if status == 400 else "409 Conflict"
        self.fail(times, status, method="POST", path="/repository/commits$", message=message)

    def take_fault(self, method: str, path: str) -> Fault | None:
        """Returns what goes wrong with this request, if anything."""
        with self.lock:
            for fault in self.faults:
                if fault.times and re.fullmatch(fault.method, method) and re.search(fault.path, path):
                    fault.times -= 1
                    return fault
        return None


class _Handler(BaseHTTPRequestHandler):
    gitlab: GitLabServer
    protocol_version = "HTTP/1.1"
    timeout = 60
    wbufsize = 1 << 16  # head and body in one packet
    disable_nagle_algorithm = True

    def log_message(self, *_: object) -> None:
        """Prints nothing."""

    def handle_one_request(self) -> None:
        """Answers every method alike; the base class looks for `do_GET` and its like."""
        self.raw_requestline = self.rfile.readline(65537)
        if not self.raw_requestline:
            self.close_connection = True
        elif self.parse_request():
            self._handle()
            self.wfile.flush()

    def _handle(self) -> None:
        parts = urlsplit(self.path)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        token = _token(self.headers)
        call = Call(self.gitlab, self.command, parts.path, query, self._body(), self.headers, token, {})
        fault = self.gitlab.take_fault(self.command, parts.path)
        if fault and fault.keep is None:
            if fault.late:
                with self.gitlab.lock:
                    respond(call)
            answer = Answer(fault.status, json.dumps({"message": fault.message}).encode(), dict(fault.headers))
        elif parts.path.startswith(f"/{self.gitlab.project_path}.git/"):
            answer = serve_git(call)
        else:
            with self.gitlab.lock:
                answer = respond(call)
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.gitlab.requests.append(
            Request(self.command, parts.path, query, token, answer.status, headers, call.writes)
        )
        if answer.status == 0:
            self.close_connection = True
        else:
            keep = len(answer.body) if fault is None or fault.keep is None else fault.keep
            self._send(answer, keep, fault.until if fault else None)

    def _send(self, answer: Answer, keep: int, until: threading.Event | None) -> None:
        """Sends an answer, of whose body only the first `keep` bytes get through, or the rest once the event is set."""
        self.send_response(answer.status)
        for name, value in {"Content-Type": "application/json", **answer.headers}.items():
            self.send_header(name, value)
        if answer.status != 204:
            self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if self.command != "HEAD" and answer.status != 204:
            self.wfile.write(answer.body[:keep])
            if until:
                self.wfile.flush()
                until.wait(self.timeout)
                self.wfile.write(answer.body[keep:])
            self.close_connection |= keep < len(answer.body)

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body


def _token(headers: Message) -> str:
    """Returns the kind of token of a request."""
    given = headers.get("JOB-TOKEN") or headers.get("PRIVATE-TOKEN")
    basic = headers.get("Authorization", "")
    if not given and basic.startswith("Bearer "):
        given = basic.removeprefix("Bearer ")
    elif not given and basic.startswith("Basic "):
        given = base64.b64decode(basic[6:]).decode().partition(":")[2]
    if not given:
        return "none"
    kind = GitLabServer.KINDS.get(given, "unknown")
    in_its_header = (kind == "job") == bool(headers.get("JOB-TOKEN") or basic.startswith("Basic "))
    return kind if in_its_header or kind == "expired" else "unknown"
