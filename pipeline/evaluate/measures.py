"""How far the attacked image is from the clear one: PSNR, SSIM, MSE and l-infinity, batched."""

from __future__ import annotations

import torch
from torch import Tensor

from metrics.base import Images, Scores

WINDOW = 7
PIXELS = WINDOW**2
# K1 = 0.01 and K2 = 0.03 of Wang et al., for 255 levels, in the units of a squared sum and of a sample variance.
C1 = (0.01 * 255 * PIXELS) ** 2
C2 = (0.03 * 255) ** 2 * PIXELS * (PIXELS - 1)


def measures(attacked: Images, clear: Images) -> dict[str, Scores]:
    """Returns the (N,) distances of (N, 3, H, W) images in [0, 1] that lie on the 256 levels of an image file.

    Returns:
        `psnr` in dB (inf for equal images), `ssim`, `mse` and `linf` on [0, 1].
    """
    # Image by image: the maps of one fit the processor's cache, those of a batch do not and take eight times as long.
    each = [_measures(*pair) for pair in zip(torch.split(attacked, 1), torch.split(clear, 1), strict=True)]
    return {name: torch.cat([found[name] for found in each]) for name in ("psnr", "ssim", "mse", "linf")}


def _measures(attacked: Images, clear: Images) -> dict[str, Scores]:
    change = attacked.double().sub_(clear)
    mse = change.square().mean(dim=(1, 2, 3))
    return {
        "psnr": -10 * mse.log10(),
        "ssim": ssim(attacked, clear),
        "mse": mse,
        "linf": change.abs().amax(dim=(1, 2, 3)),
    }


def ssim(first: Images, second: Images) -> Scores:
    """Returns the structural similarity with a uniform 7x7 window, mean over channels and inner pixels.

    What scikit-image's `structural_similarity(channel_axis=2)` gives for 8-bit images: sample covariance, K1 = 0.01,
    K2 = 0.03 (Wang et al. 2004, equation 13). With s = x + y and d = x - y, whose means are m and variances v, it is
    (m_s^2 - m_d^2 + 2 C1) (v_s - v_d + 2 C2) / ((m_s^2 + m_d^2 + 2 C1) (v_s + v_d + 2 C2)), and a window's sums are
    integers: the variances, differences of nearly equal numbers, are exact.

    Args:
        first: (N, 3, H, W) images in [0, 1], rounded here to the 256 levels they are expected to lie on.
        second: The same.
    """
    x, y = (images.mul(255).round_().int() for images in (first, second))
    both = torch.stack([x + y, x - y])
    sums, squares = _window_sums(torch.cat([both, both * both])).chunk(2)
    squared_sums = sums * sums  # 49^2 m^2
    variances = squares.mul_(PIXELS).sub_(squared_sums)  # 49 * 48 v; at most 49^2 * 510^2, less than 2^31
    means_total, means_change = squared_sums.double()
    variances_total, variances_change = variances.double()
    means_total += 2 * C1
    variances_total += 2 * C2
    top: Tensor = (means_total - means_change).mul_(variances_total - variances_change)
    bottom = means_total.add_(means_change).mul_(variances_total.add_(variances_change))
    return top.div_(bottom).mean(dim=(1, 2, 3))


def _window_sums(maps: Tensor) -> Tensor:
    """Returns the sum of every 7x7 window that lies inside, in 8 additions instead of 48."""
    for side in (-2, -1):
        rest = maps.shape[side] - WINDOW + 1
        pairs = maps.narrow(side, 0, rest + 5) + maps.narrow(side, 1, rest + 5)
        fours = pairs.narrow(side, 0, rest + 3) + pairs.narrow(side, 2, rest + 3)
        maps = fours.narrow(side, 0, rest).add_(pairs.narrow(side, 4, rest)).add_(maps.narrow(side, 6, rest))
    return maps
