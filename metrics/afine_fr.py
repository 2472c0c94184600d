"""A-FINE, fidelity term: how unlike its reference an image is.

Chen, Wu, Ma, Zhang: Toward generalized image quality assessment: relaxing the perfect reference quality assumption,
CVPR 2025. https://arxiv.org/abs/2503.11221
"""

from metric_robustness.metrics.afine_adapter import Afine
from metric_robustness.metrics.base import FullReference, Images, Scores


class AfineFr(Afine, FullReference):
    model = "afine_fr"
    score_range = (-2.0, 2.0)

    def score(self, images: Images, references: Images) -> Scores:
        return self.fidelity(self.see(images), self.see(references))[:, 0]
