"""PIQE: share and strength of visibly distorted blocks.

Venkatanath, Praneeth, Chandrasekhar, Channappayya, Medasani: Blind image quality evaluation using perception based
features, National Conference on Communications 2015. https://doi.org/10.1109/NCC.2015.7084843

Thresholds decide which blocks count, so there is no gradient.
"""

from metric_robustness.metrics.base import Images, Scores
from metric_robustness.metrics.pyiqa_adapter import PyiqaNoReference


class Piqe(PyiqaNoReference):
    model = "piqe"
    higher_is_better = False
    score_range = (0.0, 100.0)
    differentiable = False
    smallest = 16
    trained_on = "nothing"
    verified = "the authors' scores of 5 images"

    def score(self, images: Images) -> Scores:
        return super().score(images).nan_to_num(nan=100.0)  # NaN is a black image; other flat images have 100
