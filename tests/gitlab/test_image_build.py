"""What Docker's own client sends for building the job image."""

from __future__ import annotations

import json
import re
import shutil
import subprocess

import pytest
from scratch import ROOT

from metric_robustness.pipeline.errors import BenchError, DataError, TransientError
from metric_robustness.pipeline.gitlab import image
from metric_robustness.pipeline.gitlab.image import build, image_tag

INDEX = "https://packages.example.org/cpu"


def test_build_sends_three_files_and_the_arguments(engine, checkout, capfd):
    engine.build_events = [
        {"stream": "Step 1/2 : FROM python\n"},
        {"status": "Downloading", "progressDetail": {"current": 1, "total": 9}, "id": "abc"},
        {"status": "Pull complete", "progressDetail": {}},
        {"stream": "Successfully built 0123456789ab\n"},
    ]
    image = build(base="debian:13", root=checkout)
    assert image == f"metric-robustness:{image_tag(base='debian:13', root=checkout)}"
    assert set(engine.context) - {".dockerignore"} == {"docker/Dockerfile", "pyproject.toml", "requirements.lock"}
    assert engine.build_query["t"] == [image]
    assert engine.build_query["dockerfile"] == ["docker/Dockerfile"]
    arguments = json.loads(engine.build_query["buildargs"][0])
    assert arguments["BASE_IMAGE"] == "debian:13"
    assert arguments["VARIANT"] == "cuda"
    assert f"metric-robustness:{arguments['IMAGE_TAG']}" == image
    assert re.fullmatch("[0-9a-f]{64}", arguments["LOCK_SHA256"])
    shown = capfd.readouterr().err
    assert "Step 1/2 : FROM python" in shown
    assert "Pull complete" in shown
    assert "Downloading" not in shown


def test_every_build_argument_is_the_dockerfiles(checkout):
    declared = set(re.findall(r"^ARG (\w+)", (ROOT / "docker" / "Dockerfile").read_text(), re.MULTILINE))
    sent = set(image.build_arguments("cpu", "debian:13", INDEX, checkout))
    assert sent | {"PIP_INDEX_URL"} == declared


def test_commit_is_the_checkouts():
    head = subprocess.run(
        [shutil.which("git"), "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert image.build_arguments()["COMMIT"] == head.stdout.strip()


@pytest.mark.parametrize(
    ("event", "told"),
    [
        (
            {
                "errorDetail": {"code": 1, "message": "The command '/bin/sh -c pip"},
                "error": "The command '/bin/sh -c pip",
            },
            "it ended with 1, see above",
        ),
        ({"errorDetail": {"message": "no\nspace"}, "error": "no\nspace"}, "no space"),
    ],
)
def test_failed_step_is_named(engine, checkout, capfd, event, told):
    engine.builds = False
    engine.build_events = [
        {"stream": "Step 8/20 : RUN pip install\n"},
        {"stream": "\x1b[91mTraceback:\n  in <module>\n\x1b[0m"},  # as Docker paints a step's stderr
        event,
    ]
    with pytest.raises(DataError, match=rf"Step 8/20 : RUN pip install\): {told}$"):
        build(root=checkout)
    assert capfd.readouterr().err.splitlines()[-2:] == ["Traceback:", "  in <module>"]


def test_build_that_ends_early_is_no_success(engine, checkout):
    engine.builds = False
    engine.build_events = [{"stream": "Step 8/20 : RUN pip install\n"}]
    with pytest.raises(TransientError, match="Step 8/20"):
        build(root=checkout)


def test_build_that_loses_docker_is_transient(engine, checkout):
    engine.drops = True
    engine.build_events = [{"stream": "Step 8/20 : RUN pip install\n"}]
    with pytest.raises(TransientError):
        build(root=checkout)


@pytest.mark.parametrize("index", ["", "ftp://packages.example.org", "https://me:secret@packages.example.org/", "x"])
def test_cpu_image_needs_a_clean_index(engine, checkout, index):
    with pytest.raises(BenchError, match="index") as caught:
        build("cpu", index=index, root=checkout)
    assert "secret" not in str(caught.value)
    assert engine.requests == []
