"""Square attack: random squares, kept where they raise the score; it asks for scores only.

Andriushchenko, Croce, Flammarion, Hein. Square attack: a query-efficient black-box adversarial attack via random
search. ECCV, 2020. https://arxiv.org/abs/1912.00049
A square of each channel becomes the clear one plus or minus eps; the squares shrink from 5 % of the image as in the
published code. Differences: the search begins at the clear image, since stripes lower most metrics' scores, and images
may have any size. It finds what gradients hide, at the price of many queries.
"""

import math
from dataclasses import dataclass

import torch

from metric_robustness.attacks.base import Budget, Images, Noise, Objective, Search
from metric_robustness.attacks.best_adapter import Best

SHARE = 0.05  # of the image's area that the first squares cover
HALVED = (0.001, 0.005, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8)  # parts of the search after which the area is halved


@dataclass(frozen=True)
class Square(Search):
    access = "black"
    family = "query"
    suite = "strong"
    variants = {"worse": {"goal": "worse"}}
    scout = {"square": {"queries": 60}, "adam": {"steps": 30}}
    narrower = {"queries": 100}
    formula = "x ← x with a random square set to clear ± eps in each channel, where J rises; the squares shrink"
    differs = "not in the base benchmark; the paper begins with stripes, and needs square images"

    queries: int = 1000

    def perturb(self, images: Images, objective: Objective, noise: Noise) -> Images:
        height, width = images.shape[2:]
        rows = torch.arange(height, device=images.device).view(1, 1, -1, 1)
        columns = torch.arange(width, device=images.device).view(1, 1, 1, -1)
        drawn = noise.uniform(images.new_empty(len(images), 5, 1, self.queries))
        place, signs = (drawn[:, :2] + 1) / 2, drawn[:, 2:].sign()
        best = Best(self, images, objective)
        best.offer(self.begin(images))
        for query in range(self.queries):
            side, now = self.side(query, height, width), slice(query, query + 1)
            top = (place[:, :1, :, now] * (height - side + 1)).floor()
            left = (place[:, 1:, :, now] * (width - side + 1)).floor()
            inside = (rows >= top) & (rows < top + side) & (columns >= left) & (columns < left + side)
            painted = self.project(images + self.eps * signs[..., now], images)
            best.offer(painted.where(inside, best.images))
        return best.images

    def side(self, query: int, height: int, width: int) -> int:
        """Returns the side of the squares at a query, in pixels."""
        halvings = sum(query >= part * self.queries for part in HALVED)
        return max(1, min(round(math.sqrt(SHARE * height * width / 2**halvings)), height, width))

    def budget(self) -> Budget:
        return Budget(queries=2 + self.queries, gradients=0)
