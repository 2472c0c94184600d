"""A-FINE, naturalness term: how unlike a natural photograph an image is.

Chen, Wu, Ma, Zhang: Toward generalized image quality assessment: relaxing the perfect reference quality assumption,
CVPR 2025. https://arxiv.org/abs/2503.11221
"""

from metric_robustness.metrics.afine_adapter import Afine
from metric_robustness.metrics.base import Images, NoReference, Scores


class AfineNr(Afine, NoReference):
    model = "afine_nr"
    score_range = (-2.0, 2.0)

    def score(self, images: Images) -> Scores:
        return self.naturalness(self.see(images))[:, 0]
