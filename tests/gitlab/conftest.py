"""A job of a GitLab; a checkout whose image is built, and the Docker Engine that builds it."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest
from docker_engine import Engine, running
from scratch import ROOT

from metric_robustness.pipeline.gitlab import server as connection

TOKENS = ("BENCHMARK_NOTE_TOKEN", "BENCHMARK_PUBLISH_TOKEN", "CI_JOB_TOKEN", "GITLAB_TOKEN")


@pytest.fixture
def as_job(monkeypatch):
    """Returns the function that makes the test a job of a server, with these tokens and no others."""

    def begin(server, **tokens):
        for name in TOKENS:
            monkeypatch.delenv(name, raising=False)
        for name, value in (server.environment | tokens).items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(connection, "PAUSE", 0.01)

    return begin


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """Returns a folder with what the image is made from, and with what must not get into it."""
    root = tmp_path / "checkout"
    (root / "docker").mkdir(parents=True)
    for name in ("docker/Dockerfile", "pyproject.toml", "requirements.lock", ".dockerignore"):
        shutil.copy(ROOT / name, root / name)
    (root / "data").mkdir()
    (root / "data" / "photo.png").write_bytes(b"not for the image")
    (root / "docker" / "secret.txt").write_text("neither")
    monkeypatch.chdir(root)
    return root


@pytest.fixture
def engine(tmp_path, monkeypatch):
    """Returns a Docker Engine that the SDK finds."""
    with tempfile.TemporaryDirectory() as folder:  # a socket's path may have 108 characters, tmp_path has more
        socket = Path(folder) / "docker.sock"
        monkeypatch.setenv("DOCKER_HOST", f"unix://{socket}")
        monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
        with running(socket, Engine()) as started:
            yield started
