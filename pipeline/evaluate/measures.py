"""How far the attacked image is from the clear one: PSNR, SSIM, MSE and l-infinity, batched."""

from __future__ import annotations

import torch
from torch import Tensor

from metrics.base import Images, Scores

WINDOW = 7
UNBIASED = WINDOW**2 / (WINDOW**2 - 1)


def measures(attacked: Images, clear: Images) -> dict[str, Scores]:
    """Returns the (N,) distances of (N, 3, H, W) images in [0, 1].

    Returns:
        `psnr` in dB (inf for equal images), `ssim`, `mse` and `linf` on [0, 1].
    """
    # Image by image: the maps of one fit the processor's cache, those of a batch do not and take eight times as long.
    each = [_measures(*pair) for pair in zip(torch.split(attacked, 1), torch.split(clear, 1), strict=True)]
    return {name: torch.cat([found[name] for found in each]) for name in ("psnr", "ssim", "mse", "linf")}


def _measures(attacked: Images, clear: Images) -> dict[str, Scores]:
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
    c1, c2 = 0.01**2, 0.03**2
    # The variances appear only as a sum, so four means are enough.
    mean_x, mean_y, squares, products = _window_means(torch.cat([x, y, x * x + y * y, x * y], dim=1)).chunk(4, dim=1)
    product_of_means, squared_means = mean_x * mean_y, mean_x * mean_x + mean_y * mean_y
    covariance = UNBIASED * (products - product_of_means)
    variances = UNBIASED * (squares - squared_means)
    top = (2 * product_of_means + c1) * (2 * covariance + c2)
    return (top / ((squared_means + c1) * (variances + c2))).mean(dim=(1, 2, 3))


def _window_means(maps: Tensor) -> Tensor:
    """Returns the mean of every 7x7 window that lies inside, in 8 additions instead of 48."""
    for side in (2, 3):
        rest = maps.shape[side] - WINDOW + 1
        pairs = maps.narrow(side, 0, rest + 5) + maps.narrow(side, 1, rest + 5)
        fours = pairs.narrow(side, 0, rest + 3) + pairs.narrow(side, 2, rest + 3)
        maps = fours.narrow(side, 0, rest) + pairs.narrow(side, 4, rest) + maps.narrow(side, 6, rest)
    return maps / WINDOW**2
