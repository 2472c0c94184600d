"""What the tests of training share."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny import SOURCES, TINY

from metric_robustness.pipeline.train.photographs import Photographs, gather


@pytest.fixture(scope="session")
def few() -> Photographs:
    """Returns three photographs, one of them held out."""
    return gather(SOURCES, TINY.crop)


@pytest.fixture(scope="session")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns a folder where the first test that needs samples makes them."""
    return tmp_path_factory.mktemp("train")
