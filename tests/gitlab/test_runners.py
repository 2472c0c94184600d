"""The configuration of the machines that run jobs."""

from __future__ import annotations

import json
import tomllib

import pytest
from scratch import ROOT

from metric_robustness.pipeline import config
from metric_robustness.pipeline.gitlab.runner import runner_configuration


@pytest.mark.parametrize("kind", sorted(config.load().runners))
def test_gpu_runners_have_one_card_each(kind):
    found = tomllib.loads(runner_configuration(kind, config.load().runners[kind]))
    runners = found["runners"]
    assert found["concurrent"] == len(runners) == config.load().runners[kind].per_machine
    assert [runner["limit"] for runner in runners] == [1] * len(runners)
    assert [runner["docker"]["gpus"] for runner in runners] == [f"device={index}" for index in range(len(runners))]
    for runner in runners:
        assert runner["name"].startswith(f"{kind}-")
        volumes = runner["docker"]["volumes"]
        assert [
            volume for volume in volumes if volume.endswith(":/data:ro") or volume.endswith(":/weights:ro")
        ] == volumes[:2]
        assert all(
            image.startswith("registry.example.org/GROUP/PROJECT") for image in runner["docker"]["allowed_images"]
        )


def test_no_runner_gives_away_the_machine():
    texts = [file.read_text() for file in sorted((ROOT / "docker" / "runner").glob("*.toml"))]
    texts += [runner_configuration(kind, runner) for kind, runner in config.load().runners.items()]
    assert len(texts) == 3
    for text in texts:
        for runner in tomllib.loads(text)["runners"]:
            assert runner["docker"]["privileged"] is False
            assert "docker.sock" not in json.dumps(runner)
            unconfined = "seccomp:unconfined" in runner["docker"]["security_opt"]
            assert unconfined == (runner["name"] == "image-builder")
