"""CW-SSIM: structural similarity of complex wavelet coefficients.

Sampat, Wang, Gupta, Bovik, Markey: Complex wavelet structural similarity: a new image similarity index,
IEEE Transactions on Image Processing 18(11), 2009. https://doi.org/10.1109/TIP.2009.2025923
"""

from metric_robustness.metrics.base import Images, Scores
from metric_robustness.metrics.pyiqa_adapter import PyiqaFullReference


class CwSsim(PyiqaFullReference):
    model = "cw_ssim"
    options = {"K": 0.001}  # pyiqa's 0 gives two flat images a score of a million; others change by 5e-8
    higher_is_better = True
    score_range = (0.0, 1.0)
    smallest = 64
    trained_on = "nothing"
    verified = "the authors' scores of 5 images"

    def score(self, images: Images, references: Images) -> Scores:
        return super().score(images, references).clamp(max=1.0)
