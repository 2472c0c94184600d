"""NLPD: distance of normalised Laplacian pyramids.

Laparra, Balle, Berardino, Simoncelli: Perceptual image quality assessment using a normalized Laplacian pyramid,
Electronic Imaging 2016. https://doi.org/10.2352/ISSN.2470-1173.2016.16.HVEI-103
"""

from metric_robustness.metrics.base import Images, Scores
from metric_robustness.metrics.filters_adapter import FixedFilters
from metric_robustness.metrics.pyiqa_adapter import PyiqaFullReference


class Nlpd(PyiqaFullReference):
    model = "nlpd"
    higher_is_better = False
    score_range = (0.0, 1.0)
    smallest = 32
    trained_on = "nothing"
    verified = "the authors' scores of 5 images"

    def score(self, images: Images, references: Images) -> Scores:
        with FixedFilters():
            return super().score(images, references)
