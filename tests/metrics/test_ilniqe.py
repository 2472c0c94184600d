"""IL-NIQE: pyiqa's score and gradient in a fraction of its time.

`test_official_values.py` compares its values with the authors', `test_real_networks.py` attacks it.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from pyiqa.archs.func_util import estimate_aggd_param
from pyiqa.archs.niqe_arch import ilniqe
from scipy.stats import weibull_min
from torch import Tensor, nn

import metric_robustness.metrics.ilniqe
from metric_robustness.metrics.ilniqe import FLAT, Ilniqe
from metric_robustness.metrics.ilniqe_adapter import SIDE, ScaleFeatures
from metric_robustness.metrics.patch_fits_adapter import asymmetric, listed, split, weibull
from metric_robustness.pipeline.contract.base import photographs

PATCHES = 2  # along a side, a ninth of the metric's pixels, because pyiqa is slow


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch, shared_data: object) -> Ilniqe:
    """Returns the metric without resizing, which it leaves to pyiqa."""
    metric = Ilniqe()
    metric.scales = nn.ModuleList([ScaleFeatures(scale, PATCHES * SIDE) for scale in (1, 2)])
    monkeypatch.setattr(metric_robustness.metrics.ilniqe, "prepare", levels)
    return metric.eval().requires_grad_(False)


def levels(images: Tensor) -> Tensor:
    return images.double() * 255


def photos(count: int) -> Tensor:
    return photographs(PATCHES * SIDE, PATCHES * SIDE)[:count].clone()


def scored(metric: Ilniqe, images: Tensor) -> tuple[Tensor, Tensor]:
    given = images.clone().requires_grad_()
    scores = metric(given)
    return scores.detach(), torch.autograd.grad(scores.sum(), given)[0]


# In white areas derivatives are 0 except for rounding, and pyiqa fits distributions to the signs of that rounding.
@pytest.mark.parametrize(("brightest", "tolerance"), [(1.0, 2e-5), (0.6, 1e-4)])
def test_score_and_gradient_are_pyiqas(brightest: float, tolerance: float, small: Ilniqe) -> None:
    images = (photos(2) / brightest).clamp(0, 1)
    names = ("mu_pris_param", "cov_pris_param", "principleVectors", "meanOfSampleData")
    parameters = [getattr(small.net, name)[None] for name in names]
    scores, slopes = scored(small, images)
    for image, score, slope in zip(images.split(1), scores, slopes, strict=True):  # pyiqa's fit depends on the batch
        given = image.clone().requires_grad_()
        theirs = ilniqe(levels(given), *parameters, resize=False)
        (expected,) = torch.autograd.grad(theirs.sum(), given)
        assert score.item() == pytest.approx(theirs.item(), rel=tolerance)
        assert torch.cosine_similarity(slope.flatten(), expected.flatten(), dim=0) > 0.9999
        assert slope.norm().item() == pytest.approx(expected.norm().item(), rel=1e-2)


def test_a_patch_without_statistics_leaves_the_others_their_gradient(small: Ilniqe) -> None:
    images = photos(2)
    images[0, :, :SIDE, :SIDE] = 0
    scores, slopes = scored(small, images)
    assert scores.isfinite().all()
    assert slopes.isfinite().all()
    assert (slopes.abs().amax(dim=(1, 2, 3)) > 0).all()
    torch.testing.assert_close(scores[1:], small(images[1:]), rtol=1e-6, atol=0)


@pytest.mark.parametrize("colour", [(0, 0, 0), (1, 1, 1), (128 / 255, 128 / 255, 128 / 255), (0.2, 0.9, 0.4)])
def test_a_flat_image_is_rated_worst_and_leaves_the_batch_alone(
    colour: tuple[float, float, float], small: Ilniqe
) -> None:
    images = photos(2)
    images[0] = torch.tensor(colour)[:, None, None]
    scores, slopes = scored(small, images)
    assert scores[0].item() == pytest.approx(FLAT)
    assert slopes[0].abs().max() == 0
    assert slopes[1].abs().max() > 0
    torch.testing.assert_close(scores[1:], small(images[1:]), rtol=1e-6, atol=0)


def drawn(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.double, generator=torch.Generator().manual_seed(seed))


def test_weibull_is_scipys() -> None:
    maps = drawn(0, 1, 2, 40, 60).abs() ** 1.5 + 0.01
    fitted = listed(weibull(split(maps.log(), 20)))
    assert fitted.shape == (1, 6, 4)
    first, last = maps[0, 0, :20, :20], maps[0, 1, 20:, 40:]
    for values, found in ((first, fitted[0, 0, :2]), (last, fitted[0, 5, 2:])):
        shape, _, scale = weibull_min.fit(values.flatten().numpy(), floc=0)
        np.testing.assert_allclose(found, (scale, shape), rtol=2e-4)  # scipy stops earlier


def test_weibull_of_mostly_faint_values_is_found() -> None:
    # Newton's method on the likelihood itself goes below 0 here.
    logs = torch.full((1, 1, 20, 20), -2.0, dtype=torch.double)
    logs[..., 12:, :] = 7 + 0.3 * drawn(1, 1, 1, 8, 20)
    scale, shape = weibull(split(logs, 20)).flatten()
    weights = torch.softmax(shape * logs.flatten(), dim=0)
    assert scale > 0
    assert (weights @ logs.flatten() - logs.mean() - 1 / shape).abs() < 1e-5


def test_asymmetric_is_pyiqas() -> None:
    maps = drawn(2, 1, 1, 40, 60) + 0.3
    fitted = asymmetric(split(maps, 20)).reshape(-1, 2)
    blocks = maps.reshape(2, 20, 3, 20).transpose(1, 2).reshape(6, 1, 20, 20)
    shape, left, right = estimate_aggd_param(blocks)
    np.testing.assert_allclose(fitted, torch.stack([shape, (left + right) / 2], dim=1), rtol=1e-9)


def test_gradients_of_the_fits_are_right() -> None:
    maps = drawn(3, 1, 1, 8, 8).requires_grad_()
    assert torch.autograd.gradcheck(lambda given: weibull(split(given, 4)), maps, atol=1e-4)
    assert torch.autograd.gradcheck(lambda given: asymmetric(split(given, 4))[..., 1], maps, atol=1e-4)


def test_a_flat_patch_has_no_fit_and_no_gradient() -> None:
    maps = drawn(4, 1, 1, 8, 8)
    maps[..., :4, :4] = 0
    for fit in (weibull, asymmetric):
        given = maps.clone().requires_grad_()
        fitted = fit(split(given, 4))
        assert fitted[0, 0].isnan().any(dim=2).tolist() == [[True, False], [False, False]]
        (slopes,) = torch.autograd.grad(fitted.nan_to_num().sum(), given)
        assert slopes.isfinite().all()
        assert (slopes[..., :4, :4] == 0).all()
