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

from metric_robustness.attacks.base import Attack, Budget, Images, Noise, Objective
from metric_robustness.attacks.best_adapter import Best
from metric_robustness.attacks.enhancement_adapter import blurred, equalized


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
