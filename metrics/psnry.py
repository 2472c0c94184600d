"""PSNR of the luma alone, in dB.

80 dB for an image whose luma equals its reference's: 1e-8 is added to the mean squared error, as in pyiqa.
"""

from metric_robustness.metrics.base import FullReference, Images, Scores
from metric_robustness.metrics.pixels_adapter import decibels, luma


class Psnry(FullReference):
    higher_is_better = True
    score_range = (0.0, 60.0)
    trained_on = "nothing"
    licence = "PolyForm Noncommercial 1.0.0"
    verified = "its formula, on 5 images"

    def score(self, images: Images, references: Images) -> Scores:
        return decibels(luma(images - references).square().mean((1, 2, 3)))
