"""What the tests of plans share."""

from __future__ import annotations

from pathlib import Path

import pytest

from metric_robustness.pipeline.store.store import FolderStore


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "store")
