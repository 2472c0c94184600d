from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest
from gitlab_server import GitLabServer

from metric_robustness.pipeline.errors import BenchError, TransientError
from metric_robustness.pipeline.gitlab import server as connection
from metric_robustness.pipeline.gitlab.server import NotAllowedError, connect, connect_anonymously, plain_server_errors
from metric_robustness.pipeline.store.gitlab_packages import PackageStore
from metric_robustness.pipeline.store.store import Place

PLACE = Place("cells", "0123456789abcdef", "rows.csv")


@pytest.fixture
def gitlab(as_job: Callable[..., None]) -> Iterator[GitLabServer]:
    with GitLabServer() as server:
        as_job(server, CI_JOB_TOKEN=server.JOB, GITLAB_TOKEN=server.API)
        yield server


def test_a_job_token_reads_and_writes_packages_and_nothing_else(gitlab: GitLabServer) -> None:
    project = connect("CI_JOB_TOKEN")
    project.generic_packages.upload("name", "1", "file", data=b"old")
    project.generic_packages.upload("name", "1", "file", data=b"new")
    assert project.generic_packages.download("name", "1", "file") == b"new"
    with pytest.raises(BenchError, match="CI_JOB_TOKEN must be the token of a running job"):
        project.commits.create({"branch": "main", "commit_message": "no", "actions": [{}]})
    assert gitlab.tokens() == {"job"}
    assert gitlab.commits == []


def test_connecting_asks_nothing_of_the_server(gitlab: GitLabServer) -> None:
    connect("GITLAB_TOKEN")
    assert gitlab.requests == []


def test_packages_are_listed_over_all_pages(gitlab: GitLabServer) -> None:
    project = connect("GITLAB_TOKEN")
    for number in range(45):
        project.generic_packages.upload("name", str(number), "file", data=b"x")
    assert len(project.packages.list(get_all=True)) == 45
    assert len([request for request in gitlab.requests if request.path.endswith("/packages")]) == 3


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_a_failing_server_is_asked_again(gitlab: GitLabServer, status: int) -> None:
    store = PackageStore(connect("CI_JOB_TOKEN"))
    gitlab.fail(2, status)
    store.write(PLACE, b"rows")
    gitlab.fail(2, status)
    assert store.read(PLACE) == b"rows"
    assert [request.status for request in gitlab.requests] == [status, status, 201, status, status, 200]


def test_too_many_requests_wait_as_long_as_the_server_says(gitlab: GitLabServer) -> None:
    store = PackageStore(connect("CI_JOB_TOKEN"))
    gitlab.fail(1, 429, headers={"Retry-After": "1"})
    began = time.monotonic()
    store.write(PLACE, b"rows")
    assert 1 <= time.monotonic() - began < 30


def test_an_endless_wait_is_cut_short(gitlab: GitLabServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "LONGEST_PAUSE", 0.1)
    store = PackageStore(connect("CI_JOB_TOKEN"))
    gitlab.fail(1, 429, headers={"Retry-After": "86400"})
    began = time.monotonic()
    store.write(PLACE, b"rows")
    assert time.monotonic() - began < 30


def test_a_commit_is_sent_once_where_nobody_knows_whether_it_arrived(gitlab: GitLabServer) -> None:
    gitlab.fail(1, 502, method="POST")
    with pytest.raises(TransientError, match=r"must answer; it does not \(502"):
        connect("GITLAB_TOKEN").commits.create({"branch": "main", "commit_message": "m", "actions": [{}]})
    assert len(gitlab.requests) == 1


def test_a_server_that_stays_away_is_told_as_transient_after_the_tries(gitlab: GitLabServer) -> None:
    gitlab.fail(100, 502)
    with pytest.raises(TransientError, match="must answer; after 5 tries it does not") as caught:
        PackageStore(connect("CI_JOB_TOKEN")).read(PLACE)
    assert caught.value.exit_code == 75
    assert len(gitlab.requests) == 5


def test_dropped_connections_are_opened_again(gitlab: GitLabServer) -> None:
    gitlab.hang_up(2)
    assert PackageStore(connect("CI_JOB_TOKEN")).read(PLACE) is None
    assert [request.status for request in gitlab.requests] == [0, 0, 404]
    gitlab.hang_up(100)
    with pytest.raises(TransientError, match="must answer"):
        PackageStore(connect("CI_JOB_TOKEN")).read(PLACE)


def test_an_answer_that_breaks_off_is_asked_for_again(gitlab: GitLabServer) -> None:
    store = PackageStore(connect("CI_JOB_TOKEN"))
    store.write(PLACE, b"rows" * 100)
    gitlab.truncate(2)
    assert store.read(PLACE) == b"rows" * 100
    gitlab.truncate(100)
    with pytest.raises(TransientError, match="break off"):
        store.read(PLACE)


def test_nobody_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "PAUSE", 0.01)
    with pytest.raises(TransientError, match=r"http://127\.0\.0\.1:9 must answer"):
        connect_anonymously(url="http://127.0.0.1:9", project="1").repository_tree()


@pytest.mark.parametrize("variable", ["EXPIRED", "UNKNOWN"])
def test_a_token_that_no_longer_holds_is_one_line_with_the_variable_and_what_to_do(
    gitlab: GitLabServer, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    token = getattr(gitlab, variable, "glpat-never-heard-of")
    monkeypatch.setenv("BENCHMARK_PUBLISH_TOKEN", token)
    with pytest.raises(BenchError, match="BENCHMARK_PUBLISH_TOKEN must hold a valid token") as caught:
        connect("BENCHMARK_PUBLISH_TOKEN").branches.get("main")
    assert caught.value.exit_code == 2
    assert "create a new one" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert token not in str(caught.value)
    assert len(gitlab.requests) == 1


def test_a_token_that_may_only_read_is_named(gitlab: GitLabServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITLAB_TOKEN", gitlab.READ)
    project = connect("GITLAB_TOKEN")
    assert project.branches.get("main").name == "main"
    with pytest.raises(NotAllowedError, match="GITLAB_TOKEN must have the right") as caught:
        project.variables.create({"key": "A", "value": "b"})
    assert gitlab.READ not in str(caught.value)


def test_a_private_project_wants_a_token(gitlab: GitLabServer) -> None:
    with pytest.raises(BenchError, match="404 Project Not Found"), plain_server_errors("the branch"):
        connect_anonymously().branches.get("main")
    gitlab.state.public = True
    assert connect_anonymously().branches.get("main").name == "main"
    assert gitlab.tokens() == {"none"}


@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        ("GITLAB_TOKEN", "", "GITLAB_TOKEN must hold a token"),
        ("GITLAB_TOKEN", "glpat-a\nX-Evil: b", "GITLAB_TOKEN must be a token of one line"),
        ("CI_SERVER_URL", "", "the GitLab server must be an address"),
        ("CI_SERVER_URL", "ftp://host", "the GitLab server must be an address"),
        ("CI_SERVER_URL", "https://user:secret@host", "the GitLab server must be an address"),
        ("CI_PROJECT_ID", "", "the GitLab project must be a number or a path"),
        ("CI_PROJECT_ID", "../admin", "the GitLab project must be a number or a path"),
        ("CI_SERVER_TLS_CA_FILE", "missing.pem", "CI_SERVER_TLS_CA_FILE must be a file"),
        ("CI_PROJECT_ID", "a b", "the GitLab project must be a number or a path"),
    ],
)
def test_what_is_missing_or_wrong_is_told_before_a_request(
    gitlab: GitLabServer, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, told: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(BenchError, match=told) as caught:
        connect("GITLAB_TOKEN")
    assert "glpat" not in str(caught.value)
    assert gitlab.requests == []


def test_a_token_with_a_line_end_after_it_is_that_token(gitlab: GitLabServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITLAB_TOKEN", f"{gitlab.API}\n")
    assert connect("GITLAB_TOKEN").branches.get("main").name == "main"


@pytest.mark.parametrize(("variable", "header"), [("GITLAB_TOKEN", "PRIVATE-TOKEN"), ("CI_JOB_TOKEN", "JOB-TOKEN")])
def test_a_redirect_to_another_host_takes_no_token_along(
    gitlab: GitLabServer, monkeypatch: pytest.MonkeyPatch, variable: str, header: str
) -> None:
    seen: list[tuple[str, str | None]] = []

    class Redirecting(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append((self.path, self.headers.get(header)))
            there = self.path.startswith("/store")
            self.send_response(200 if there else 302)
            if not there:
                self.send_header("Location", f"http://localhost:{self.server.server_port}/store")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ExitStack() as stack:
        other = stack.enter_context(HTTPServer(("127.0.0.1", 0), Redirecting))
        Thread(target=other.serve_forever, daemon=True).start()
        stack.callback(other.shutdown)
        monkeypatch.setenv("CI_SERVER_URL", f"http://127.0.0.1:{other.server_port}")
        connect(variable).manager.gitlab.http_request("get", "/file")
    assert [(path, token is not None) for path, token in seen] == [("/api/v4/file", True), ("/store", False)]


def test_an_address_that_sends_writing_requests_elsewhere_is_told_as_one(gitlab: GitLabServer) -> None:
    gitlab.fail(1, 301, method="PUT", headers={"Location": f"{gitlab.url}/api/v4/projects/42"})
    with pytest.raises(BenchError, match=f"^{gitlab.url} must be the server's own address; .*: correct --url"):
        connect("GITLAB_TOKEN").generic_packages.upload("p", "1", "file", data=b"x")


def test_a_netrc_is_not_read(gitlab: GitLabServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password secret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    gitlab.state.public = True
    connect_anonymously().branches.get("main")
    assert [request.headers.get("authorization") for request in gitlab.requests] == [None]


def test_the_server_serves_other_processes(gitlab: GitLabServer) -> None:
    code = """
from metric_robustness.pipeline.gitlab.server import connect

print(connect("CI_JOB_TOKEN").packages.list(get_all=True))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    assert gitlab.tokens() == {"job"}
