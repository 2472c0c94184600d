"""SSIM of the three colour channels, averaged.

Wang, Bovik, Sheikh, Simoncelli: Image quality assessment: from error visibility to structural similarity,
IEEE Transactions on Image Processing 13(4), 2004. https://doi.org/10.1109/TIP.2003.819861
"""

from metric_robustness.metrics.base import FullReference, Images, Scores
from metric_robustness.metrics.pixels_adapter import rounded
from metric_robustness.metrics.ssim import similarity


class Ssimc(FullReference):
    higher_is_better = True
    score_range = (0.0, 1.0)
    smallest = 11
    trained_on = "nothing"
    licence = "PolyForm Noncommercial 1.0.0"
    verified = "scikit-image's, on 5 images"

    def score(self, images: Images, references: Images) -> Scores:
        return similarity(rounded(images), rounded(references))[0]
