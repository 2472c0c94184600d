"""A checkout whose image is small enough for a test, and the daemon that its command line speaks to."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import daemon
from corner import Corner
from debian_base import BASE
from package_index import INDEX
from scratch import BRIGHTNESS, ROOT, Tree

from metric_robustness.pipeline.gitlab.image import image_tag

SLOW = BRIGHTNESS.replace("Brightness", "Slow").replace(
    "        return", '        __import__("time").sleep(600)\n        return'
)


@dataclass(frozen=True)
class ImageCheckout:
    """Where it is."""

    tree: Tree
    corner: Corner
    host: str

    @property
    def tag(self) -> str:
        """Returns the tag of its image."""
        return image_tag("cpu", BASE, self.tree.root)

    @property
    def environment(self) -> dict[str, str]:
        """Returns what leads Docker's clients to the daemon, past the logins of whoever runs the tests."""
        return {"DOCKER_HOST": self.host, "DOCKER_CONFIG": str(self.corner.folder)}

    def image(self, *words: object) -> subprocess.CompletedProcess[str]:
        """Runs `python -m pipeline image WORDS`."""
        return self.tree.call("image", *words, **self.environment)

    def build(self) -> subprocess.CompletedProcess[str]:
        """Builds the image by Docker's SDK, as docker/README.md tells for an image without CUDA."""
        words = ["image", "build", "--cpu", "--base", BASE, "--index", INDEX]
        child = self.tree.start(*words, **self.environment)  # `call` allows no traceback, not even of a step
        stdout, stderr = child.communicate()
        return subprocess.CompletedProcess(words, child.returncode, stdout, stderr)

    def docker(self, *words: object) -> str:
        """Runs Docker's own client; returns what it says."""
        return self.corner.must(daemon.DOCKER, *words, **self.environment).strip()

    def containers(self) -> list[str]:
        """Returns the containers that there are, running or not."""
        return self.docker("ps", "--all", "--quiet").split()

    def job(self, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Runs a command where the registry is, in the checkout, with GitLab's variables of a job."""
        registry = variables.get("CI_REGISTRY", daemon.REGISTRY)
        job = {
            "PATH": f"{Path(__file__).parent}:{Path(sys.executable).parent}:{os.environ['PATH']}",
            "DOCKER": daemon.DOCKER,
            "CI_REGISTRY": registry,
            "CI_REGISTRY_IMAGE": f"{registry}/group/project",
            "CI_REGISTRY_USER": daemon.USER,
            "CI_REGISTRY_PASSWORD": daemon.PASSWORD,
            "IMAGE_VARIANT": "cpu",
            "IMAGE_BASE": BASE,
            "IMAGE_INDEX": INDEX,
        }
        return self.corner.call(*words, cwd=self.tree.root, **self.environment | job | variables)

    def ask_registry(self, **variables: str) -> subprocess.CompletedProcess[str]:
        """Runs the job image-status, which writes status.env."""
        return self.job("python", "-m", "pipeline", "image", "status", "--env", "status.env", **variables)

    def build_in_job(self, **variables: str) -> subprocess.CompletedProcess[str]:
        """Runs the job image-build as it is run where the registry has no image; it writes image.env."""
        (self.tree.root / "image.env").unlink(missing_ok=True)
        missing = {"IMAGE": "x", "IMAGE_MISSING": "yes", "IMAGE_TAG": self.tag, "IMAGE_LOCK": "0" * 64}
        return self.job("sh", "docker/build.sh", **missing | variables)

    def edit_dockerfile(self, old: str, new: str) -> None:
        """Replaces what needs a package that the image lacks; everything else is built as it stands."""
        file = self.tree.root / "docker" / "Dockerfile"
        text, times = re.subn(old, new, file.read_text(), flags=re.DOTALL)
        assert times == 1
        file.write_text(text)

    def written(self, name: str) -> dict[str, str]:
        """Returns the variables of a dotenv file that a job wrote."""
        return dict(line.split("=", 1) for line in (self.tree.root / name).read_text().splitlines())


def write_checkout(root: Path, lock: str, packages: list[str]) -> Tree:
    """Writes a checkout of git whose image has few packages, and two metrics: one quick, one that sleeps."""
    tree = Tree.copy_to(root)
    shutil.copytree(ROOT / "docker", root / "docker")
    shutil.copy(ROOT / ".dockerignore", root)
    tree.write("requirements.lock", lock)
    tree.write("pyproject.toml", f"[project]\ndependencies = {packages}\n")
    tree.write("metrics/brightness.py", BRIGHTNESS)
    tree.write("metrics/slow.py", SLOW)
    git = ["git", "-C", str(root), "-c", "user.name=tests", "-c", "user.email=tests@example.org"]
    for words in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "--message", "tests"]):
        subprocess.run([*git, *words], check=True)
    return tree
