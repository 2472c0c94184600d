"""How far the attacked image is from the clear one: PSNR, SSIM, MSE and l-infinity, batched.

SSIM has a uniform 7x7 window and is the mean over channels and inner pixels, what scikit-image's
`structural_similarity(channel_axis=2)` gives for 8-bit images: sample covariance, K1 = 0.01, K2 = 0.03 (Wang et al.
2004, equation 13). With s = x + y and d = x - y, whose means are m and variances v, it is
(m_s^2 - m_d^2 + 2 C1) (v_s - v_d + 2 C2) / ((m_s^2 + m_d^2 + 2 C1) (v_s + v_d + 2 C2)), and a window's sums are
integers: the variances, differences of nearly equal numbers, are exact.
"""

from __future__ import annotations

import torch
from torch import Tensor

from metric_robustness.metrics.base import Images, Scores
from metric_robustness.pipeline.engine.measures import compiled
from metric_robustness.pipeline.engine.measures.compiled import C1, C2, PIXELS, WINDOW


def measures(attacked: Images, clear: Images) -> dict[str, Scores]:
    """Returns the (N,) distances of (N, 3, H, W) images in [0, 1].

    For SSIM both are rounded to the 256 levels of an image file, on which attacked images lie already.

    Returns:
        `psnr` in dB (inf for equal images), `ssim`, `mse` and `linf` on [0, 1].
    """
    if attacked.device.type == "cpu":
        ssim, mse, linf = compiled.sums(attacked, clear).unbind(1)
        return _named(ssim.mean(dim=1), mse.mean(dim=1), linf.amax(dim=1).float())
    return measures_on_tensors(attacked, clear)


def measures_on_tensors(attacked: Images, clear: Images) -> dict[str, Scores]:
    """Returns the same as `measures`, by operators that an accelerator has."""
    change = attacked - clear
    mse = change.double().square_().mean(dim=(1, 2, 3))
    similarity = _similarity(_levels(attacked), _levels(clear)).mean(dim=(1, 2, 3))
    return _named(similarity, mse, change.abs_().amax(dim=(1, 2, 3)))


def _named(ssim: Scores, mse: Scores, linf: Scores) -> dict[str, Scores]:
    return {"psnr": -10 * mse.log10(), "ssim": ssim, "mse": mse, "linf": linf}


def _levels(images: Images) -> Tensor:
    return images.mul(255).add_(0.5).int()


def _similarity(x: Tensor, y: Tensor) -> Tensor:
    """Returns the similarity of every window. No integer exceeds 2 * 49^2 * 510^2, which is less than 2^31."""
    both = torch.stack([x + y, x - y])
    sums = _window_sums(both)
    variances = _window_sums(both.mul_(both)).mul_(PIXELS)  # 49 * 48 v, when the squared sums are taken off
    means = sums.mul_(sums)  # 49^2 m^2
    variances.sub_(means)
    (means_total, means_change), (variances_total, variances_change) = means, variances
    top: Tensor = (means_total - means_change).double().add_(2 * C1)
    top.mul_((variances_total - variances_change).double().add_(2 * C2))
    bottom = means_total.add_(means_change).double().add_(2 * C1)
    bottom.mul_(variances_total.add_(variances_change).double().add_(2 * C2))
    return top.div_(bottom)


def _window_sums(maps: Tensor) -> Tensor:
    """Returns the sum of every 7x7 window that lies inside, in 8 additions instead of 48."""
    for side in (-2, -1):
        rest = maps.shape[side] - WINDOW + 1
        pairs = maps.narrow(side, 0, rest + 5) + maps.narrow(side, 1, rest + 5)
        fours = pairs.narrow(side, 0, rest + 3) + pairs.narrow(side, 2, rest + 3)
        maps = fours.narrow(side, 0, rest).add_(pairs.narrow(side, 4, rest)).add_(maps.narrow(side, 6, rest))
    return maps
