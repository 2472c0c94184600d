"""A checkout whose metrics declare weights of a server, whose answers the tests choose."""

from __future__ import annotations

import hashlib
import subprocess
from dataclasses import dataclass
from pathlib import Path

from file_server import FileServer
from scratch import Tree

METRIC = '''
"""{title}: a metric with weights.

Nobody. Nothing.
"""

from metric_robustness.metrics.base import Images, NoReference, Scores


class {title}(NoReference):
    higher_is_better = True
    score_range = (0.0, 1.0)
    weights = {weights}

    def score(self, images: Images) -> Scores:
        return images.mean(dim=(1, 2, 3))
'''
PLAIN, PINNED, NAMED, HUB = (
    "hub/pyiqa/plain.pth",
    "hub/pyiqa/known.pth",
    "hub/checkpoints/net-{}.pth",
    "model.safetensors",
)
ON_HUB = f"huggingface/timm/net/{HUB}"


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@dataclass
class Site:
    """A checkout, the caches of a user and a server."""

    tree: Tree
    home: Path
    server: FileServer
    named: str  # the file whose name begins its sha256

    def call(self, *arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
        """Runs `python -m pipeline weights ARGUMENTS` with a network."""
        return self.tree.call("weights", *arguments, **(self.environment | environment))

    @property
    def environment(self) -> dict[str, str]:
        return {
            "HF_HUB_OFFLINE": "0",
            "HF_ENDPOINT": self.server.hub,
            "TORCH_HOME": str(self.home / "torch"),
            "HF_HOME": str(self.home / "huggingface"),
            "HOME": str(self.home),
            "METRIC_ROBUSTNESS_MIRROR": "",
        }

    def path(self, name: str) -> Path:
        """Returns where a file of torch hub's folder lies."""
        return self.home / "torch" / name

    @property
    def pins(self) -> str:
        file = self.home / "torch" / "metric_robustness" / "SHA256SUMS"
        return file.read_text() if file.is_file() else ""

    def offline(self, tmp_path: Path) -> Path:
        """Returns a folder with every served file under its declared name."""
        folder = tmp_path / "mirror"
        for name in (PLAIN, PINNED, self.named):
            file = folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(self.server.files[name.rpartition("/")[2]])
        return folder


def body(site: Site, name: str) -> bytes:
    """Returns what the server has of a file."""
    return site.server.files[name.rpartition("/")[2]]


def errors(text: str) -> list[str]:
    """Returns the lines that tell of errors."""
    return [line for line in text.splitlines() if line.startswith("error: ")]


def leftovers(site: Site) -> list[str]:
    """Returns what unfinished downloads left."""
    return [path.name for path in site.home.rglob("*.part*")]
