"""A-FINE: fidelity and naturalness, weighted by how natural the reference is.

Chen, Wu, Ma, Zhang: Toward generalized image quality assessment: relaxing the perfect reference quality assumption,
CVPR 2025. https://arxiv.org/abs/2503.11221
"""

from metric_robustness.metrics.afine_adapter import Afine
from metric_robustness.metrics.base import FullReference, Images, Scores


class AfineAll(Afine, FullReference):
    model = "afine_all"
    score_range = (-10.0, 2.0)  # pyiqa states no lower bound

    def score(self, images: Images, references: Images) -> Scores:
        return self.both(images, references)[:, 0]
