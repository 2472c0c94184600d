"""PSNR: peak signal-to-noise ratio, in dB over all three channels.

As in pyiqa, 1e-8 is added to the mean squared error, so an image equal to its reference has 80 dB.
"""

from metric_robustness.metrics.base import FullReference, Images, Scores
from metric_robustness.metrics.pixels_adapter import decibels, mean_square


class Psnr(FullReference):
    higher_is_better = True
    score_range = (10.0, 50.0)
    smallest = 1
    trained_on = "nothing"
    licence = "PolyForm Noncommercial 1.0.0"
    verified = "the authors' scores of 5 images"

    def score(self, images: Images, references: Images) -> Scores:
        return decibels(mean_square(images, references))
