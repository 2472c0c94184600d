"""Published networks with their authors' weights, as a user has them who imported what cannot be downloaded."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from metric_robustness.metrics.base import Metric
from metric_robustness.pipeline.catalogue import lookup

IMPORTED = {  # entry: file below weights/
    "elpips": "elpips_squeeze_full_maxpool.npz",
    "eonss": "eonss.pth",
    "cnniqa_live": "cnniqa_live.pth",
    "vmaf": "vmaf_torch_default_svm.npz",
    "vmaf_video": "vmaf_torch_default_svm.npz",
    "vmaf_neg_video": "vmaf_torch_default_svm.npz",
}


@pytest.fixture(scope="module", autouse=True)
def torch_home(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Returns a cache of weights like that of a user who imported the files that cannot be downloaded."""
    home, kept = tmp_path_factory.mktemp("torch_home"), shared_data / "weights"
    (home / "hub" / "checkpoints").mkdir(parents=True)
    (home / "hub" / "pyiqa").symlink_to(kept / "torch_home" / "hub" / "pyiqa")
    for file in (kept / "torch_home" / "hub" / "checkpoints").iterdir():
        (home / "hub" / "checkpoints" / file.name).symlink_to(file)
    for name, file in IMPORTED.items():
        weight = lookup.find("metrics", name).fields["weights"][0]
        if not (home / weight).exists():  # several entries share one
            (home / weight).symlink_to(kept / file)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TORCH_HOME", str(home))
        yield home


def load(name: str) -> Metric:
    metric: Metric = lookup.find("metrics", name).load()()
    return metric.eval().requires_grad_(False)
