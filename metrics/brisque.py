"""BRISQUE: natural scene statistics of the luma, rated by a support vector machine.

Mittal, Moorthy, Bovik: No-reference image quality assessment in the spatial domain,
IEEE Transactions on Image Processing 21(12), 2012. https://doi.org/10.1109/TIP.2012.2214050
"""

from typing import ClassVar

from metric_robustness.metrics.base import Images, Scores
from metric_robustness.metrics.pyiqa_adapter import PyiqaNoReference


class Brisque(PyiqaNoReference):
    model = "brisque"
    higher_is_better = False
    score_range = (-10.6, 95.6)
    smallest = 16
    trained_on = "LIVE"
    verified = "the authors' scores of 5 images"
    weights = ("hub/pyiqa/brisque_svm_weights.pth",)

    farthest: ClassVar[float] = 153.591  # output of the machine for features unlike any it was trained on

    def score(self, images: Images) -> Scores:
        # pyiqa rejects a batch of black images only, which one black image may be. A dark grey gets the same score.
        black = images.amax(dim=(1, 2, 3), keepdim=True) < 0.5 / 255
        # In float32, rounding in sums decides between neighbouring shape parameters and depends on the batch.
        scores = super().score((images + 0.01 * black).double())
        return scores.nan_to_num(nan=self.farthest)  # a flat image has no statistics
