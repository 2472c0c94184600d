"""What the tests of weights share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import yaml
from file_server import FileServer
from safetensors.numpy import save
from scratch import Tree
from torch_files import checkpoint
from weights_site import HUB, METRIC, ON_HUB, PINNED, PLAIN, Site, sha256


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    named = checkpoint(3)
    file = f"net-{sha256(named)[:8]}.pth"
    files = {
        "plain.pth": checkpoint(1),
        "known.pth": checkpoint(2),
        file: named,
        HUB: save({"w": np.arange(3000, dtype=np.float32)}),
    }
    tree = Tree.copy_to(tmp_path / "tree")
    declared = {"plain": (PLAIN,), "known": (PINNED, PLAIN), "named": (f"hub/checkpoints/{file}",), "on_hub": (ON_HUB,)}
    for name, weights in declared.items():
        tree.write(f"metrics/{name}.py", METRIC.format(title=name.title().replace("_", ""), weights=weights))
    with FileServer(files) as server:
        text = (tree.root / "pipeline" / "weights" / "manifest.yml").read_text()
        manifest = yaml.safe_load(text.replace("https://download.pytorch.org/models", server.address))
        manifest["files"] |= {
            PLAIN: {"url": f"{server.address}/plain.pth", "licence": "MIT"},
            PINNED: {
                "url": f"{server.address}/known.pth",
                "sha256": sha256(files["known.pth"]),
                "size": len(files["known.pth"]),
            },
        }
        tree.write("pipeline/weights/manifest.yml", yaml.safe_dump(manifest))
        yield Site(tree, tmp_path / "home", server, f"hub/checkpoints/{file}")
