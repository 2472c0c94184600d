"""Zhang-DISTS: Adam steps that stay close to the clear image by DISTS.

Zhang, Li, Min, Zhai, Guo, Yang, Ma. Perceptual attacks of no-reference image quality models with human-in-the-loop.
NeurIPS, 2022. https://arxiv.org/abs/2210.00933
"""

from dataclasses import dataclass

from metric_robustness.attacks.perceptual_adapter import Perceptual


@dataclass(frozen=True)
class ZhangDISTS(Perceptual):
    needs = ("dists",)
    formula = "y ← clip(y + lr·adam(∇(J(y) + weight·C(y)))), C(y) = -DISTS(x, y) / range of the metric, from y = x"
    differs = (
        "not on the page. One weight for all images and metrics, where the paper looks for a change that people just "
        "do not see; eps is added to make it comparable."
    )
