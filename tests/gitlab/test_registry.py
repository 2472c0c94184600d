"""Whether the registry has the image: a registry over HTTP that hands out tokens, fails, and refuses."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import sys
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import packages_distributions, requires
from threading import Thread
from time import monotonic
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml
from gitlab_server import GitLabServer
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from metric_robustness.pipeline.errors import BenchError, TransientError
from metric_robustness.pipeline.files import file_digest
from metric_robustness.pipeline.gitlab import registry
from metric_robustness.pipeline.gitlab.image import image_tag
from metric_robustness.pipeline.gitlab.registry import Registry, write_status
from metric_robustness.pipeline.store.images import digest_of, record
from metric_robustness.pipeline.store.open import open_store

DIGEST = f"sha256:{'5e' * 32}"
TAG = image_tag()
PASSWORD = "glcbt-secret"  # noqa: S105
OF_THE_IMAGE = {"metric-robustness", "pip", "setuptools", "wheel"}  # the checkout, and what a Python image has
# Runs a module as `python -m` does, where some packages are not installed.
WITHOUT = """
import runpy, sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in absent:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

absent = set(sys.argv[1].split(","))
sys.meta_path.insert(0, Absent())
sys.argv[:] = sys.argv[3:]
runpy.run_module(sys.argv[0], run_name="__main__")
"""


@dataclass
class Server:
    """A registry and the place that gives its tokens, with scripted faults."""

    host: str = ""
    project: str = "g/p"  # that has images
    tags: dict[str, str] = field(default_factory=dict)
    faults: list[tuple[int, dict[str, str]]] = field(default_factory=list)  # answers before the true ones
    challenge: str = ""
    token: object = "token-1"  # noqa: S105
    accepts: str = "token-1"
    calls: list[str] = field(default_factory=list)
    logins: list[str] = field(default_factory=list)

    def last_scope(self, query: str) -> bool:
        """Tells whether a token is asked for reading the project of the last request, and for nothing else."""
        asked = next(call for call in reversed(self.calls) if call.startswith("/v2/"))
        project = asked.removeprefix("/v2/").partition("/manifests/")[0]
        return parse_qs(query)["scope"] == [f"repository:{project}:pull"]


class _Handler(BaseHTTPRequestHandler):
    server: _Threads

    def log_message(self, *_: object) -> None:
        """Says nothing."""

    def do_HEAD(self) -> None:
        state = self.server.state
        state.calls.append(self.path)
        if state.faults:
            self._answer(*state.faults.pop(0))
        elif self.headers.get("Authorization") != f"Bearer {state.accepts}" and not self._known(state):
            self._answer(401, {"WWW-Authenticate": state.challenge})
        else:
            project, _, tag = self.path.removeprefix("/v2/").partition("/manifests/")
            digest = state.tags.get(tag) if project == state.project else None
            assert "oci.image.index" in self.headers["Accept"]
            self._answer(200, {"Docker-Content-Digest": digest}) if digest is not None else self._answer(404)

    def do_GET(self) -> None:
        state = self.server.state
        state.calls.append(self.path)
        address = urlsplit(self.path)
        if state.faults:
            self._answer(*state.faults.pop(0))
        elif not self._known(state):
            self._answer(403)
        elif parse_qs(address.query)["service"] != ["container_registry"] or not state.last_scope(address.query):
            self._answer(400)
        else:
            self._answer(200, body=json.dumps({"token": state.token}).encode())

    def _known(self, state: Server) -> bool:
        kind, _, login = self.headers.get("Authorization", "").partition(" ")
        if kind != "Basic":
            return False
        state.logins.append(base64.b64decode(login).decode())
        return state.logins[-1].endswith(f":{PASSWORD}")

    def _answer(self, status: int, headers: dict[str, str] | None = None, body: bytes = b"") -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


class _Threads(ThreadingHTTPServer):
    state: Server


@pytest.fixture
def server(monkeypatch, tmp_path):
    """Returns a running registry; a .netrc holds another password for it, which no call may use."""
    with _Threads(("127.0.0.1", 0), _Handler) as listening:
        state = listening.state = Server(f"127.0.0.1:{listening.server_port}")
        state.challenge = f'Bearer realm="http://{state.host}/jwt/auth",service="container_registry",scope="x"'
        Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        (tmp_path / ".netrc").write_text("machine 127.0.0.1 login other password other\n")
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.setattr(registry, "PAUSE", 0.01)
        yield state
        listening.shutdown()


@pytest.fixture
def job(server):
    """Returns the variables of a job."""
    return {
        "CI_REGISTRY": server.host,
        "CI_REGISTRY_IMAGE": f"{server.host}/g/p",
        "CI_REGISTRY_USER": "gitlab-ci-token",
        "CI_REGISTRY_PASSWORD": PASSWORD,
    }


def test_image_that_is_there_is_named_by_digest(server, job, tmp_path):
    server.tags[TAG] = DIGEST
    write_status(tmp_path / "image.env", job)
    lock = file_digest(registry.CODE / "requirements.lock")
    assert (tmp_path / "image.env").read_text() == (
        f"IMAGE={server.host}/g/p@{DIGEST}\nIMAGE_MISSING=no\nIMAGE_TAG={TAG}\nIMAGE_LOCK={lock}\n"
    )
    assert server.logins == [f"gitlab-ci-token:{PASSWORD}"]
    assert [call.partition("?")[0] for call in server.calls] == [
        f"/v2/g/p/manifests/{TAG}",
        "/jwt/auth",
        f"/v2/g/p/manifests/{TAG}",
    ]


def test_image_that_is_not_there_is_named_by_tag(server, job, tmp_path):
    server.tags["cuda-0123456789abcdef"] = DIGEST
    found = write_status(tmp_path / "image.env", job)
    assert (found["IMAGE"], found["IMAGE_MISSING"]) == (f"{server.host}/g/p:{TAG}", "yes")
    assert Registry.of_job(job).digest(TAG) is None


def test_where_digests_are_noted_another_image_of_the_tag_is_missing(server, job, tmp_path, monkeypatch):
    monkeypatch.setenv("BENCHMARK_STORE_KEY", "a" * 64)
    server.tags[TAG] = DIGEST
    store = open_store(str(tmp_path / "store"))

    def status() -> str:
        return write_status(tmp_path / "image.env", job, trusted=partial(digest_of, store))["IMAGE_MISSING"]

    assert status() == "yes"  # it was pushed, and built by no protected pipeline
    record(store, TAG, f"{server.host}/g/p@{DIGEST}")
    assert status() == "no"
    server.tags[TAG] = f"sha256:{'0f' * 32}"
    assert status() == "yes"
    with pytest.raises(BenchError, match="must be written HOST/PATH@sha256"):
        record(store, TAG, f"{server.host}/g/p:{TAG}")


FORK = {
    "CI_MERGE_REQUEST_SOURCE_PROJECT_ID": "2",
    "CI_MERGE_REQUEST_PROJECT_ID": "1",
    "CI_MERGE_REQUEST_PROJECT_PATH": "Main/P",
    "CI_COMMIT_REF_PROTECTED": "false",
}


def test_a_fork_runs_in_the_image_of_the_project_that_it_comes_from(server, job, tmp_path):
    server.project = "main/p"
    server.tags[TAG] = DIGEST
    found = write_status(tmp_path / "image.env", job | FORK)
    assert (found["IMAGE"], found["IMAGE_MISSING"]) == (f"{server.host}/main/p@{DIGEST}", "no")


@pytest.mark.parametrize("where", [FORK, {"CI_COMMIT_REF_PROTECTED": "false"}])
def test_an_image_that_is_missing_where_none_may_be_built_is_told_in_one_line(server, job, tmp_path, where):
    with pytest.raises(BenchError, match="only a protected branch may build it: a maintainer pushes"):
        write_status(tmp_path / "image.env", job | where)
    assert not (tmp_path / "image.env").exists()


def test_variant_and_base_have_their_own_tag(server, job, tmp_path):
    found = write_status(tmp_path / "image.env", job | {"IMAGE_VARIANT": "cpu", "IMAGE_BASE": "debian:13"})
    assert found["IMAGE_TAG"] == image_tag("cpu", "debian:13")


def test_job_token_serves_where_no_password_is(server, job):
    server.tags["t"] = DIGEST
    del job["CI_REGISTRY_PASSWORD"]
    assert Registry.of_job(job | {"CI_REGISTRY_USER": "x", "CI_JOB_TOKEN": PASSWORD}).digest("t") == DIGEST
    assert server.logins == [f"gitlab-ci-token:{PASSWORD}"]


def test_registry_that_takes_the_password_itself(server, job):
    server.tags["t"] = DIGEST
    server.challenge = 'Basic realm="registry"'
    assert Registry.of_job(job).digest("t") == DIGEST


@pytest.mark.parametrize("fault", [(500, {}), (502, {}), (503, {"Retry-After": "0"}), (429, {"Retry-After": "0"})])
def test_faults_that_pass_are_waited_for(server, job, fault):
    server.tags["t"] = DIGEST
    server.faults = [fault] * 3
    assert Registry.of_job(job).digest("t") == DIGEST
    assert len(server.calls) == 6


def test_retry_after_is_kept(server, job):
    server.tags["t"] = DIGEST
    server.faults = [(429, {"Retry-After": "1"})]
    begun = monotonic()
    assert Registry.of_job(job).digest("t") == DIGEST
    assert monotonic() - begun >= 1


@pytest.mark.parametrize("status", [500, 503, 429])
def test_faults_that_stay_are_transient(server, job, status):
    server.faults = [(status, {})] * 9
    with pytest.raises(TransientError, match=f"got {status}"):
        Registry.of_job(job).digest("t")
    assert len(server.calls) == 4


def test_registry_that_is_away_is_transient(job):
    away = job | {"CI_REGISTRY": "127.0.0.1:9", "CI_REGISTRY_IMAGE": "127.0.0.1:9/g/p"}
    with pytest.raises(TransientError, match=r"127\.0\.0\.1:9 must answer; got ConnectionError"):
        Registry.of_job(away).digest("t")


def test_wrong_password_is_one_clear_line(server, job):
    with pytest.raises(BenchError, match=r"must let gitlab-ci-token read .*; got 403") as caught:
        Registry.of_job(job | {"CI_REGISTRY_PASSWORD": "expired"}).digest("t")
    assert "expired" not in str(caught.value).replace("has expired", "")
    assert len(server.calls) == 2


def test_token_that_is_not_accepted_is_asked_for_once(server, job):
    server.accepts = "another"
    with pytest.raises(BenchError, match="got 401"):
        Registry.of_job(job).digest("t")
    assert len(server.calls) == 3


@pytest.mark.parametrize(
    "challenge", ["", "Negotiate", "Bearer", 'Bearer realm="ftp://x/y"', 'Bearer realm="https://elsewhere.example"']
)
def test_password_goes_to_no_strange_place(server, job, challenge):
    server.challenge = challenge
    with pytest.raises(BenchError, match="must ask for a token over http"):
        Registry.of_job(job).digest("t")
    assert server.logins == []


@pytest.mark.parametrize("token", [None, "", 7, {"a": 1}])
def test_answer_without_token_is_told(server, job, token):
    server.token = token
    with pytest.raises(BenchError, match="must answer with a token"):
        Registry.of_job(job).digest("t")


@pytest.mark.parametrize("digest", ["", "sha256:12", f"{DIGEST}\tIMAGE_MISSING=no"])
def test_digest_that_is_none_is_refused(server, job, tmp_path, digest):
    server.tags[TAG] = digest
    with pytest.raises(BenchError, match="must give a digest"):
        write_status(tmp_path / "image.env", job)
    assert not (tmp_path / "image.env").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"CI_REGISTRY": "", "CI_REGISTRY_IMAGE": ""}, "switch on the project's container registry"),
        ({"CI_REGISTRY_IMAGE": "elsewhere.example/g/p"}, "must lie in CI_REGISTRY"),
        ({"CI_REGISTRY_PASSWORD": ""}, "got neither"),
        ({"CI_REGISTRY": "h", "CI_REGISTRY_IMAGE": "h/$(id)"}, "must be written HOST/PATH:TAG"),
        ({"CI_REGISTRY": "h", "CI_REGISTRY_IMAGE": "h/a/../b"}, "must be written HOST/PATH:TAG"),
        ({"IMAGE_VARIANT": "rocm"}, "IMAGE_VARIANT must be cuda or cpu"),
        ({"IMAGE_BASE": "x; rm -rf ~"}, "must be written HOST/PATH:TAG"),
    ],
)
def test_wrong_variables_are_told(server, job, tmp_path, change, message):
    with pytest.raises(BenchError, match=message):
        write_status(tmp_path / "image.env", job | change)
    assert server.calls == []
    assert not (tmp_path / "image.env").exists()


def installed_with(names):
    """Returns the packages that pip installs for these, by their canonical names."""
    found, left = set(), [canonicalize_name(name) for name in names]
    while left:
        name = left.pop()
        if name not in found:
            found.add(name)
            needed = map(Requirement, requires(name) or ())
            left += [canonicalize_name(each.name) for each in needed if not each.marker or each.marker.evaluate()]
    return found


def test_the_job_that_asks_runs_with_the_few_packages_that_it_installs_and_without_git(server, job, tmp_path):
    described = yaml.safe_load((registry.CODE / ".gitlab-ci.yml").read_text())["image-status"]
    (install,), (script,) = described["before_script"], described["script"]
    names = re.fullmatch(r"pip install --quiet --constraint requirements.lock ((?:[\w-]+ ?)+)", install)[1].split()
    there = installed_with(names) | OF_THE_IMAGE
    absent = [
        module
        for module, packages in packages_distributions().items()
        if there.isdisjoint(map(canonicalize_name, packages))
    ]
    assert {"torch", "numpy", "pandas"} <= set(absent)
    server.tags[TAG] = DIGEST
    with GitLabServer() as gitlab:
        environment = {"PATH": str(tmp_path), "HOME": str(tmp_path), "CI_JOB_TOKEN": gitlab.JOB, **job}
        line = script.replace('"$STORE"', gitlab.api).replace("image.env", str(tmp_path / "image.env")).split()
        assert line[:2] == ["python", "-m"]
        told = subprocess.run(
            [sys.executable, "-c", WITHOUT, ",".join(absent), "--", *line[2:]],
            cwd=registry.CODE,
            env=environment | {"BENCHMARK_STORE_KEY": "k" * 32},
            capture_output=True,
            text=True,
            check=False,
        )
        assert told.returncode == 0, told.stderr
    assert f"IMAGE_TAG={TAG}\n" in (tmp_path / "image.env").read_text()
