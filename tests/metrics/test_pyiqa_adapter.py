"""What the adapter guarantees: a clear error for bad weights, no output, and finite gradients where pyiqa has none."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import pyiqa.utils.download_util
import pytest
import torch

from metric_robustness.metrics.base import Metric
from metric_robustness.metrics.brisque import Brisque
from metric_robustness.metrics.gmsd import Gmsd
from metric_robustness.metrics.niqe_official import NiqeOfficial
from metric_robustness.metrics.nlpd import Nlpd
from metric_robustness.metrics.psnr import Psnr

FILES = {Brisque: "brisque_svm_weights.pth", NiqeOfficial: "niqe_modelparameters.mat"}


class _Trap:
    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, ("trapped",)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(pyiqa.utils.download_util, "DEFAULT_CACHE_DIR", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("metric", FILES)
@pytest.mark.parametrize("share", [0.0, 0.5])
def test_names_a_damaged_file(metric: type[Metric], share: float, shared_data: Path, cache: Path) -> None:
    whole = (shared_data / "weights" / "torch_home" / "hub" / "pyiqa" / FILES[metric]).read_bytes()
    (cache / FILES[metric]).write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(ValueError, match=FILES[metric]) as error:
        metric()
    assert "\n" not in str(error.value)


def test_runs_no_code_from_a_weights_file(cache: Path) -> None:
    (cache / FILES[Brisque]).write_bytes(pickle.dumps(_Trap()))
    with pytest.raises(ValueError, match="weights fetch"):
        Brisque()
    assert not (cache / "trapped").exists()


@pytest.mark.usefixtures("shared_data")
def test_is_silent_and_leaves_the_random_state(capfd: pytest.CaptureFixture[str]) -> None:
    state = torch.get_rng_state()
    Brisque()
    assert capfd.readouterr() == ("", "")
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("metric", [Gmsd, Nlpd, Psnr])
def test_gradient_is_finite_where_image_and_reference_are_one(metric: type[Metric]) -> None:
    references = torch.rand(2, 3, 40, 44, generator=torch.Generator().manual_seed(1))
    images = references.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(metric()(images, references).sum(), images)
    assert gradient.isfinite().all()


@pytest.mark.usefixtures("shared_data")
@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("metric", [Brisque, NiqeOfficial])
def test_flat_images_have_a_score(metric: type[Metric], value: float) -> None:
    images = torch.full((2, 3, 100, 104), value).requires_grad_()
    scores = metric()(images)
    assert scores.isfinite().all()
    assert torch.autograd.grad(scores.sum(), images)[0].isfinite().all()
