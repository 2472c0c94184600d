"""What all tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from scratch import Tree

ROOT = Path(__file__).resolve().parent.parent
SHARED = Path(os.environ.get("METRIC_ROBUSTNESS_SHARED", ROOT.parent / "shared")) / "data"

# pyiqa fixes its weights folder at import, so this must stand before any test imports it.
if SHARED.is_dir():
    os.environ.setdefault("TORCH_HOME", str(SHARED / "weights" / "torch_home"))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Returns the folder of published rows, weights and photographs, which are never part of the project."""
    if not SHARED.is_dir():
        message = f"no {SHARED}: set METRIC_ROBUSTNESS_SHARED to the folder that holds data/"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    return SHARED


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """Returns a copy of the checkout that the test may change, without the metrics."""
    return Tree.copy_to(tmp_path / "tree")
