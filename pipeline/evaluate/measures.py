"""How far the attacked image is from the clear one: PSNR, SSIM, MSE and l-infinity, batched."""

from __future__ import annotations

import torch
from torch.nn import functional

from metrics.base import Images, Scores


def measures(attacked: Images, clear: Images) -> dict[str, Scores]:
    """Returns the (N,) distances of (N, 3, H, W) images in [0, 1].

    Returns:
        `psnr` in dB (inf for equal images), `ssim`, `mse` and `linf` on [0, 1].
    """
    change = attacked.double() - clear.double()
    mse = change.square().mean(dim=(1, 2, 3))
    return {
        "psnr": -10 * mse.log10(),
        "ssim": ssim(attacked, clear),
        "mse": mse,
        "linf": change.abs().amax(dim=(1, 2, 3)),
    }


def ssim(first: Images, second: Images) -> Scores:
    """Returns the structural similarity with a uniform 7x7 window, mean over channels and inner pixels.

    What scikit-image's `structural_similarity(channel_axis=2, data_range=1)` gives: sample covariance, K1 = 0.01,
    K2 = 0.03 (Wang et al. 2004, equation 13). In double precision, since it subtracts nearly equal numbers.
    """
    x, y = first.double(), second.double()
    window, c1, c2 = 7, 0.01**2, 0.03**2
    stacked = torch.cat([x, y, x * x, y * y, x * y], dim=1)
    mean_x, mean_y, xx, yy, xy = functional.avg_pool2d(stacked, window, stride=1).chunk(5, dim=1)
    unbiased = window**2 / (window**2 - 1)
    variance_x, variance_y = unbiased * (xx - mean_x * mean_x), unbiased * (yy - mean_y * mean_y)
    covariance = unbiased * (xy - mean_x * mean_y)
    top = (2 * mean_x * mean_y + c1) * (2 * covariance + c2)
    bottom = (mean_x**2 + mean_y**2 + c1) * (variance_x + variance_y + c2)
    return (top / bottom).mean(dim=(1, 2, 3))
