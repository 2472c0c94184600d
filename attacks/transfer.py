"""Transfer: MI-FGSM on images of random sizes, whose changes other metrics shall fall for, too.

Xie, Zhang, Zhou, Bai, Wang, Ren, Yuille. Improving transferability of adversarial examples with input diversity. CVPR,
2019. https://arxiv.org/abs/1803.06978
Each step takes its gradient at the image as it is, or shrunk to a random size and put at a random place on black, so
that the change does not depend on how the attacked metric samples its input. The command `transfer` attacks each metric
once and has all others score the images. Shrinking takes the nearest pixel, as in the published code; so each pixel of
the shrunk image is one of the image's, and its gradient goes there.
"""

from dataclasses import dataclass

import torch

from metric_robustness.attacks.base import Attack, Budget, Images, Noise, Objective
from metric_robustness.attacks.best_adapter import Best
from metric_robustness.attacks.diversity_adapter import Placement, placed, pulled, shrunk


@dataclass(frozen=True)
class Transfer(Attack):
    access = "white"
    family = "sign"
    formula = (
        "g ← decay·g + d / mean |d|, d = ∇J(D(y)); y ← clip(y + step·sign g), from y = x, g = 0; D shrinks the image "
        "and puts it on black, in `share` of the steps; x where y, rounded, has no higher J"
    )
    differs = (
        "not on the page. The paper enlarges images of 299 pixels to as many as 330; here they are shrunk by as much, "
        "so that they keep their size, which some metrics need. The last line is ours: it leaves an image alone."
    )

    step: float = 1 / 255
    steps: int = 20
    decay: float = 1.0
    share: float = 0.7  # of the steps that see the image in another size
    least_side: float = 0.9  # of a shrunk image, in parts of the image's

    def perturb(self, images: Images, objective: Objective, noise: Noise) -> Images:
        adversarial, momentum = images, torch.zeros_like(images)
        drawn = noise.uniform(torch.empty(len(images), 4, self.steps)).add(1).div(2).tolist()
        for step in range(self.steps):
            placements = [self.placement([draw[step] for draw in own], images) for own in drawn]
            gradient = pulled(objective.gradient(placed(adversarial, placements)), placements)
            size = gradient.abs().mean((1, 2, 3), keepdim=True).clamp_min(torch.finfo().tiny)
            momentum = self.decay * momentum + gradient / size
            adversarial = self.project(adversarial + self.step * momentum.sign(), images)
        best = Best(self, images, objective)
        best.offer(adversarial)
        return best.images

    def placement(self, draw: list[float], images: Images) -> Placement | None:
        """Returns how four numbers in [0, 1] change an image's size and place; None if it stays as it is."""
        chance, size, down, across = draw
        if chance >= self.share:
            return None
        return shrunk(images, self.least_side + (1 - self.least_side) * size, (down, across))

    def budget(self) -> Budget:
        return Budget(queries=self.steps + 2, gradients=self.steps)
