"""A-FINE, scaled: fidelity and naturalness, weighted by how natural the reference is, from 0 to 100.

Chen, Wu, Ma, Zhang: Toward generalized image quality assessment: relaxing the perfect reference quality assumption,
CVPR 2025. https://arxiv.org/abs/2503.11221
"""

import torch

from metric_robustness.metrics.afine_adapter import Afine
from metric_robustness.metrics.base import FullReference, Images, Scores

MIDDLE, WIDTH = -1.9710, 2.3734  # of the authors' logistic scale


class AfineAllScale(Afine, FullReference):
    model = "afine_all_scale"
    score_range = (0.0, 100.0)

    def score(self, images: Images, references: Images) -> Scores:
        return 100 * torch.sigmoid((self.both(images, references)[:, 0] - MIDDLE) / WIDTH)
