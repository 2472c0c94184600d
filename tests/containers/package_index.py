"""The index that the image's packages come from: what pip downloads on this machine, served to the containers."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib

from corner import Corner, RefusedError
from daemon import GATEWAY
from scratch import ROOT

PORT = 8000
INDEX = f"http://{GATEWAY}:{PORT}/"
PYTHON = "3.11"  # of Debian 12, the base
# What `list` needs, and what `doctor` and cells of a small metric do not; with all of it an image would have 8 GB.
FEW = ["numpy", "psutil", "pydantic", "pyyaml", "requests", "rich", "typer"]
LEFT_OUT = {"diffusers", "docker", "huggingface_hub", "icecream", "kornia", "matplotlib", "pyiqa"}
LEFT_OUT |= {"python-gitlab", "torchvision"}
ADDED = ["opencv-python"]  # which pyiqa requires, and for whose sake the Dockerfile installs libraries
WHEELS = ("--only-binary=:all:", f"--python-version={PYTHON}")
PIP = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check")


def enough_for_cells() -> list[str]:
    """Returns the project's dependencies without those that are left out."""
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
    return [*(line for line in wanted if re.split("[^A-Za-z0-9_-]", line)[0] not in LEFT_OUT), *ADDED]


def lock_with_cpu_torch() -> str:
    """Returns requirements.lock with the version of torch of which pip finds a CPU build.

    That is the locked one where an index has it, else what the machine's own folders of wheels hold.

    Raises:
        RefusedError: If there is none.
    """
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    locked = next(line for line in lock.splitlines() if line.startswith("torch=="))
    for words in ([locked], ["torch", "--no-index"]):
        report = ["--dry-run", "--ignore-installed", "--no-deps", "--report=-", "--target=none"]
        found = subprocess.run([*PIP, "install", *report, *WHEELS, *words], capture_output=True, text=True, check=False)
        version = json.loads(found.stdout)["install"][0]["metadata"]["version"] if found.returncode == 0 else ""
        if version.endswith("+cpu"):
            return lock.replace(locked, f"torch=={version.removesuffix('+cpu')}")
    raise RefusedError("pip finds no CPU build of torch: name an index that has one in PIP_EXTRA_INDEX_URL")


def serve_packages(made: Corner, lock: str) -> None:
    """Downloads the wheels, and serves them as a package index in the corner at INDEX."""
    wheels = made.disk / "wheels"
    made.must("mkdir", wheels)
    (made.folder / "requirements.lock").write_text(lock, encoding="utf-8")
    words = ["--dest", wheels, "--constraint", made.folder / "requirements.lock", *enough_for_cells()]
    made.must(*PIP, "download", *WHEELS, *words)
    for file in made.must("ls", wheels).split():
        folder = wheels / re.sub("[-_.]+", "-", file.partition("-")[0]).lower()
        made.must("mkdir", "--parents", folder)
        made.must("mv", wheels / file, folder)
    made.start(sys.executable, "-m", "http.server", PORT, "--directory", wheels)
