"""The build in CI: docker/build.sh, as a job runs it."""

from __future__ import annotations

import base64
import json
import os
import stat
import subprocess
from pathlib import Path

import pytest
from scratch import ROOT

INDEX = "https://packages.example.org/cpu"


@pytest.fixture
def job(tmp_path):
    """Returns a function that runs docker/build.sh as a job does, with a buildctl-daemonless.sh that notes its call."""
    tools, work = tmp_path / "tools", tmp_path / "work"
    tools.mkdir()
    work.mkdir()
    (tools / "buildctl-daemonless.sh").write_text(
        """#!/bin/sh
for word in "$@"; do printf '%s\\0' "$word" >> "$NOTES/words"; done
cp -p "$DOCKER_CONFIG/config.json" "$NOTES/config.json"
printf '%s' "$DOCKER_CONFIG" > "$NOTES/folder"
while [ "$1" != --metadata-file ]; do shift; done
printf '%s' "$METADATA" > "$2"
exit "$CODE"
"""
    )
    (tools / "buildctl-daemonless.sh").chmod(0o755)

    def start(**variables):
        environment = {
            "PATH": f"{tools}:{os.environ['PATH']}",
            "NOTES": str(tmp_path),
            "CODE": "0",
            "METADATA": f'{{\n  "containerimage.config.digest": "sha256:{"1" * 64}",\n'
            f'  "containerimage.digest": "sha256:{"2" * 64}"\n}}',
            "IMAGE": "registry.example.org/g/p:cuda-1",
            "IMAGE_MISSING": "yes",
            "IMAGE_TAG": "cuda-1",
            "IMAGE_LOCK": "ab",
            "CI_REGISTRY": "registry.example.org",
            "CI_REGISTRY_IMAGE": "registry.example.org/g/p",
            "CI_REGISTRY_USER": "gitlab-ci-token",
            "CI_REGISTRY_PASSWORD": "pass word$(id)" * 9,  # long enough for base64 to break its line
            "CI_COMMIT_SHA": "c0ffee",
        } | variables
        return subprocess.run(
            ["/bin/sh", ROOT / "docker" / "build.sh"],
            cwd=work,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    return start


def test_job_builds_what_is_missing(job, tmp_path):
    done = job(IMAGE_BASE="debian:13", IMAGE_INDEX=INDEX, IMAGE_VARIANT="cpu")
    assert done.returncode == 0, done.stderr
    words = (tmp_path / "words").read_text().split("\0")[:-1]
    assert words[:4] == ["build", "--progress", "plain", "--frontend"]
    options = {words[i + 1] for i, word in enumerate(words) if word == "--opt"}
    assert options == {
        "build-arg:VARIANT=cpu",
        "build-arg:IMAGE_TAG=cuda-1",
        "build-arg:LOCK_SHA256=ab",
        "build-arg:COMMIT=c0ffee",
        "build-arg:BASE_IMAGE=debian:13",
        f"build-arg:PIP_EXTRA_INDEX_URL={INDEX}",
    }
    assert words[words.index("--output") + 1] == "type=image,name=registry.example.org/g/p:cuda-1,push=true"
    assert (tmp_path / "work" / "image.env").read_text() == f"IMAGE=registry.example.org/g/p@sha256:{'2' * 64}\n"


def test_job_gives_the_password_to_buildkit_alone(job, tmp_path):
    done = job()
    config = tmp_path / "config.json"
    assert stat.S_IMODE(config.stat().st_mode) == 0o600
    login = json.loads(config.read_text())["auths"]["registry.example.org"]["auth"]
    assert base64.b64decode(login).decode() == "gitlab-ci-token:" + "pass word$(id)" * 9
    assert login not in done.stdout + done.stderr + (tmp_path / "words").read_text()
    assert not Path((tmp_path / "folder").read_text()).exists()


def test_job_does_nothing_for_an_image_that_is_there(job, tmp_path):
    image = f"registry.example.org/g/p@sha256:{'3' * 64}"
    done = job(IMAGE=image, IMAGE_MISSING="no")
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "words").exists()
    assert (tmp_path / "work" / "image.env").read_text() == f"IMAGE={image}\n"


@pytest.mark.parametrize(
    ("change", "code"),
    [({"CODE": "1"}, 1), ({"METADATA": "{}"}, 75), ({"IMAGE_MISSING": "maybe"}, 2), ({"CI_REGISTRY_USER": ""}, None)],
)
def test_job_that_fails_names_no_image(job, tmp_path, change, code):
    done = job(**change)
    assert done.returncode == code if code else done.returncode != 0
    assert not (tmp_path / "work" / "image.env").exists()
