"""The machine of networks whose weights are downloaded: what it has, and how large a network it can hold."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from metric_robustness.defences import network_adapter
from metric_robustness.pipeline.weights import provision as fetched


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Returns the empty folder of weights of a machine without a network."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    fetched.offline.cache_clear()
    network_adapter.built.cache_clear()
    (tmp_path / "hub" / "checkpoints").mkdir(parents=True)
    yield tmp_path / "hub" / "checkpoints"
    network_adapter.built.cache_clear()
    fetched.offline.cache_clear()


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes the network of 2.2 GB an eighth as wide; names, blocks and arithmetic stay the same."""
    from metric_robustness.defences.networks import guided_diffusion

    monkeypatch.setattr(guided_diffusion.unet, "__defaults__", (32,))
