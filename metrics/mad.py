"""MAD: most apparent distortion, detection blended with appearance.

Larson, Chandler: Most apparent distortion: full-reference image quality assessment and the role of strategy,
Journal of Electronic Imaging 19(1), 2010. https://doi.org/10.1117/1.3267105
"""

import math

import torch
from torch import Tensor
from torch.nn.functional import max_pool2d

from metric_robustness.metrics.base import FullReference, Images, Scores
from metric_robustness.metrics.gradient_adapter import finite_gradient
from metric_robustness.metrics.mad_adapter import (
    ORIENTATIONS,
    SCALES,
    band_blocks,
    dealt,
    root_mean_square,
    sensitivity,
)
from metric_robustness.metrics.window_moments_adapter import blocks, statistics

LIGHTNESS, EXPONENT = 0.02874, 2.2 / 3  # from levels in 0...255 to what the eye sees
DARKEST, FAINTEST = 0.5, -5.0  # mean lightness, and logarithm of a contrast, below which nothing masks
WEIGHTS = (0.5 / 13.25, 0.75 / 13.25, 1 / 13.25, 5 / 13.25)  # of orientations, as in pyiqa; in the paper, of scales
STEEPNESS, BEND = math.exp(-2.55 / 3.35), 1 / (math.log(10) * 3.35)  # of the blend
LEAST = 1e-12


class Mad(FullReference):
    """Computes what pyiqa does, in float64: each colour channel is an image of its own."""

    higher_is_better = False
    score_range = (0.0, 250.0)
    smallest = 64
    cost = "heavy"  # nearly a second for a gradient: the demo, which takes all light ones, would take minutes more
    trained_on = "nothing"
    licence = "PolyForm Noncommercial 1.0.0"
    verified = "the authors' score of 1 image"

    def score(self, images: Images, references: Images) -> Scores:
        x, y = (255 * finite_gradient(each).double() for each in (images, references))
        seen, changed = detection(x, y), appearance(x, y)
        share = 1 / (1 + STEEPNESS * seen**BEND)
        return (changed ** (1 - share) * seen**share).mean(1)


def detection(x: Tensor, y: Tensor) -> Tensor:
    """Returns how visible those differences are that reference y does not mask, (N, 3)."""
    size = (x.shape[2], x.shape[3])
    filter_ = sensitivity(*size).to(x)
    spectra = (torch.fft.rfft2(LIGHTNESS * (each.abs() + LEAST) ** EXPONENT) * filter_ for each in (x, y))
    seen, masking = (torch.fft.irfft2(spectrum, s=size) for spectrum in spectra)
    mean, spread, *_ = dealt(statistics(blocks(masking)))
    masked = -max_pool2d(-spread, 2, stride=1, padding=1)[..., :-1, :-1] / 2
    contrast, error = (
        ((each + LEAST) / (mean + LEAST)).abs().log() for each in (masked, dealt(statistics(blocks(seen - masking)))[1])
    )
    visible = (error - contrast.clamp(min=FAINTEST)).clamp(min=0).masked_fill(mean < DARKEST, 0)
    return 200 * root_mean_square(visible * statistics(blocks((x - y).square()))[0])


def appearance(x: Tensor, y: Tensor) -> Tensor:
    """Returns how far local statistics of log-Gabor bands are apart, (N, 3)."""
    spectra = [torch.fft.fft2(each) for each in (x, y)]
    total = torch.zeros(())
    for orientation in range(ORIENTATIONS):
        bands = [
            torch.stack([band_blocks(spectrum, orientation, scale) for scale in range(SCALES)]) for spectrum in spectra
        ]
        (_, *ours), (_, *theirs) = (statistics(band) for band in bands)
        spread, skewness, tails = ((one - other).abs().sum(0) for one, other in zip(ours, theirs, strict=True))
        total = total + WEIGHTS[orientation] * (spread + 2 * skewness + tails)
    return root_mean_square(*dealt((total,)))
