"""The Dockerfile: its rules, what it installs, and what an image promises."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

from scratch import ROOT


def test_dockerfile_passes_hadolint():
    hadolint = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([hadolint, ROOT / "docker" / "Dockerfile"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_ignored_rules_are_explained():
    lines = (ROOT / "docker" / "Dockerfile").read_text().splitlines()
    ignored = [number for number, line in enumerate(lines) if "hadolint ignore" in line]
    assert all(lines[number - 1].startswith("# ") for number in ignored)
    assert len(ignored) == 1


def test_dockerfile_installs_the_dependencies_and_no_tool_of_developers():
    text = (ROOT / "docker" / "Dockerfile").read_text()
    program = re.search(r"^RUN python3 -c '(.+)' \\$", text, re.MULTILINE)
    told = subprocess.run([sys.executable, "-c", program[1]], cwd=ROOT, capture_output=True, text=True, check=True)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert told.stdout.splitlines() == project["dependencies"]


def test_dockerfile_keeps_its_promises():
    text = (ROOT / "docker" / "Dockerfile").read_text()
    last = text.rpartition("\nFROM ")[2]
    for line in (
        "USER 1000:1000",
        "ENTRYPOINT []",
        'VOLUME ["/data", "/weights"]',
        "ENV METRIC_ROBUSTNESS_IMAGE=${IMAGE_TAG}",
    ):
        assert line in last.splitlines()
    for setting in ("METRIC_ROBUSTNESS_DATA=/data", "TORCH_HOME=/weights/torch", "HF_HOME=/weights/huggingface"):
        assert f"    {setting} \\" in last.splitlines()
    assert "--mount" not in re.sub(r"^#.*$", "", text, flags=re.MULTILINE)  # Docker's SDK cannot build that
