"""Enhance: gamma, CLAHE or unsharp masking, as people do in practice; it asks for scores only.

Siniukov, Antsiferova, Kulikov, Vatolin. Hacking VMAF and VMAF NEG: vulnerability to different preprocessing methods.
AICCC, 2021. https://arxiv.org/abs/2107.04510
No adversary is needed to fool a metric: an encoder's or a contestant's preprocessing does. The paper tunes the
settings of such tools for VMAF. Here the search is a grid over two settings of each tool, the tool's own and how much
of it is applied, so that every image is asked the same questions. The tools change all pixels, so the
attack sets no bound on the change of one, and the leaderboard ranks it apart.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from kornia.enhance import equalize_clahe
from kornia.filters import get_gaussian_kernel1d
from torch.nn.functional import pad

from metric_robustness.attacks.base import Attack, Budget, Images, Noise, Objective
from metric_robustness.attacks.best_adapter import Best

TILES = 8  # of CLAHE along each side, as OpenCV's example has it
LEAST_TILE = 4  # pixels of a tile's side, below which a smaller number of tiles is taken


@dataclass(frozen=True)
class Enhance(Attack):
    access = "black"
    family = "colour"
    formula = (
        "y = clip(x + amount·(T(x; s) - x)), T gamma x^s, CLAHE of clip limit s, or 2·x - blur(x; s), which is "
        "unsharp masking with sigma s; the best rounded y of all tools, settings s and amounts"
    )
    differs = (
        "not on the page. The paper tunes such tools for videos and VMAF; here each image gets its own of a fixed "
        "grid. No eps, as for advcf, so it is ranked apart."
    )

    eps: float = 1.0
    gammas: tuple[float, ...] = (0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 1.05, 1.1, 1.2, 1.4, 1.6)
    clip_limits: tuple[float, ...] = (1.0, 1.25, 1.5, 1.75, 2.0, 2.25, 2.5, 2.75, 3.0, 3.5, 4.0)
    sigmas: tuple[float, ...] = (0.4, 0.5, 0.6, 0.7, 0.8, 1.0, 1.2, 1.5, 2.0, 2.5, 3.0)  # pixels
    amounts: tuple[float, ...] = (0.05, 0.1, 0.2, 0.3, 0.45, 0.6, 0.8, 1.0, 1.5)

    def perturb(self, images: Images, objective: Objective, noise: Noise) -> Images:
        best = Best(self, images, objective)
        for enhanced in self.tools(images):
            for amount in self.amounts:
                best.offer(self.project(images + amount * (enhanced - images), images))
        return best.images

    def tools(self, images: Images) -> Iterator[Images]:
        """Yields the images after each tool with each of its settings, fully applied."""
        for gamma in self.gammas:
            yield images**gamma
        for limit in self.clip_limits:
            yield equalized(images, limit)
        for sigma in self.sigmas:
            yield 2 * images - blurred(images, sigma)

    def budget(self) -> Budget:
        settings = len(self.gammas) + len(self.clip_limits) + len(self.sigmas)
        return Budget(queries=1 + settings * len(self.amounts), gradients=0)


def equalized(images: Images, limit: float) -> Images:
    """Returns the images with the histograms of their tiles equalised, no level counted over `limit` times its share.

    Args:
        images: (N, 3, H, W) in [0, 1]; each channel has its own histograms.
        limit: 1 hardly changes an image; the larger it is, the flatter become the histograms.
    """
    tiles = [max(1, min(TILES, side // LEAST_TILE)) for side in images.shape[2:]]
    found: Images = equalize_clahe(images, limit, (tiles[0], tiles[1]))
    return found


def blurred(images: Images, sigma: float) -> Images:
    """Returns the images blurred by a Gaussian, cut at 3 sigma; the border repeats.

    It sums shifted images, so that an image's result does not depend on its batch.
    """
    reach = max(1, round(3 * sigma))
    weights: list[float] = get_gaussian_kernel1d(2 * reach + 1, sigma)[0].tolist()
    for axis, sides in ((2, [0, 0, reach, reach]), (3, [reach, reach, 0, 0])):
        size, padded = images.shape[axis], pad(images, sides, mode="replicate")
        images = torch.zeros_like(images)
        for at, weight in enumerate(weights):
            images.add_(padded.narrow(axis, at, size), alpha=weight)
    return images
