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
ROWS = 128  # of a strip whose maps fit a processor's cache


def measures(attacked: Images, clear: Images) -> dict[str, Scores]:
    """Returns the (N,) distances of (N, 3, H, W) images in [0, 1] that lie on the 256 levels of an image file.

    Returns:
        `psnr` in dB (inf for equal images), `ssim`, `mse` and `linf` on [0, 1].
    """
    each = [_measures(*pair) for pair in zip(_parts(attacked), _parts(clear), strict=True)]
    return {name: torch.cat([found[name] for found in each]) for name in ("psnr", "ssim", "mse", "linf")}


def _measures(attacked: Images, clear: Images) -> dict[str, Scores]:
    change = attacked - clear
    mse = change.double().square_().mean(dim=(1, 2, 3))
    return {
        "psnr": -10 * mse.log10(),
        "ssim": _ssim(_levels(attacked), _levels(clear)),
        "mse": mse,
        "linf": change.abs_().amax(dim=(1, 2, 3)),
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
    pairs = zip(_parts(first), _parts(second), strict=True)
    return torch.cat([_ssim(_levels(x), _levels(y)) for x, y in pairs])


def _parts(images: Images) -> tuple[Images, ...]:
    """Returns what is measured at once: a GPU's batch whole; image by image what a processor's cache must hold."""
    return torch.split(images, 1) if images.device.type == "cpu" else (images,)


def _levels(images: Images) -> Tensor:
    return images.mul(255).round_().int()


def _ssim(x: Tensor, y: Tensor) -> Scores:
    """Returns the similarity of (N, 3, H, W) levels."""
    inner = x.shape[2] - WINDOW + 1
    rows = ROWS if x.device.type == "cpu" else inner
    total = torch.zeros(len(x), dtype=torch.float64, device=x.device)
    for top in range(0, inner, rows):
        height = min(rows, inner - top) + WINDOW - 1
        maps = _similarity(x.narrow(2, top, height), y.narrow(2, top, height))
        total += maps.sum(dim=(1, 2, 3), dtype=torch.float64)
    return total / (x.shape[1] * inner * (x.shape[3] - WINDOW + 1))


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
