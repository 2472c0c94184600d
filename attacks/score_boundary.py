"""Score boundary: shrinks a change while the score stays beyond a boundary, grows it to the next; asks for scores only.

Yang, Liu, Li, Jiang. Exploring vulnerabilities of no-reference image quality assessment models: a query-based
black-box method. 2024. https://arxiv.org/abs/2401.05217
Attacks on classifiers walk along the boundary between two classes. A score has no classes, so the paper sets boundaries
one behind the other. Along each, a change turns towards random directions wherever it gets smaller and keeps the score
(as in SurFree: Maho, Furon, Le Merrer, CVPR 2021); then it grows as far as that raises the score, to the next boundary.
Directions are strong where the image has fine detail, since there an eye sees a change least.
"""

from dataclasses import dataclass
from math import ceil

import torch

from metric_robustness.attacks.base import Attack, Budget, Images, Noise, Objective, Scores
from metric_robustness.attacks.best_adapter import TOGETHER, Best
from metric_robustness.attacks.blocks_adapter import block_noise
from metric_robustness.attacks.enhancement_adapter import blurred
from metric_robustness.attacks.score_boundary_adapter import grown, turned, unit

FIRST = (1.0, 0.3, -1.0, -0.3)  # lengths at which a first direction is tried
GROWTH = (3.0, 1.7, 1.2)
LEAST_DETAIL = 0.3 / 255  # so that a smooth image has directions, too


@dataclass(frozen=True)
class ScoreBoundary(Attack):
    access = "black"
    family = "query"
    formula = (
        "d ← d·cos²a + |d|·v·cos a·sin a, v random across d, where J(x + d) ≥ b; after `turns` of these d ← clip(k·d) "
        "and b ← J(x + d) for the k that raises it most; the best rounded x + d"
    )
    differs = (
        "not on the page. The paper lets changes go as far as eyes do not notice them; here eps is the limit. First "
        "directions are random here."
    )

    boundaries: int = 10
    turns: int = 48  # directions tried along each boundary, both ways
    starts: int = 8  # first directions, of which the best is taken
    angle: float = 0.5  # of the first turns, in radians; larger after a turn that succeeds, smaller after others
    side: int = 64  # blocks along each side of the image; a direction is equal within them but for the detail

    def perturb(self, images: Images, objective: Objective, noise: Noise) -> Images:
        def score(change: Images) -> Scores:
            return objective(self.project(images + change, images))

        def scaled(change: Images, factors: tuple[float, ...]) -> list[Images]:
            return [(factor * change).clamp(-self.eps, self.eps) for factor in factors]

        best = Best(self, images, objective)
        visible = ((images - blurred(images, 1.0)).abs() + LEAST_DETAIL).sqrt()
        change, boundary = torch.zeros_like(images), best.values
        for _ in range(self.starts):
            first = self.eps * unit(block_noise(images, self.side, noise) * visible)
            change, boundary = grown(score, scaled(first, FIRST), change, boundary)
        best.consider(self.project(images + change, images), boundary)
        angle = images.new_full((len(images), 1, 1, 1), self.angle)
        for _ in range(self.boundaries):
            for _ in range(self.turns):
                direction = block_noise(images, self.side, noise) * visible
                change, angle = turned(score, boundary, change, direction, angle)
            change, boundary = grown(score, scaled(change, GROWTH), change, boundary)
            best.consider(self.project(images + change, images), boundary)
        best.settle()
        return best.images

    def budget(self) -> Budget:
        tried = self.starts * len(FIRST) + self.boundaries * (2 * self.turns + len(GROWTH))
        return Budget(queries=1 + tried + ceil((1 + self.boundaries) / TOGETHER), gradients=0)
