"""A GitLab whose package registry is a result store."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from gitlab_server import GitLabServer


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[GitLabServer]:
    """Returns a GitLab whose job this test plays, with short pauses before further tries."""
    monkeypatch.setattr("metric_robustness.pipeline.gitlab.server.PAUSE", 0.01)
    with GitLabServer() as gitlab:
        monkeypatch.setenv("CI_JOB_TOKEN", gitlab.JOB)
        yield gitlab
