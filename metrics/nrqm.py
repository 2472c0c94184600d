"""NRQM: local frequencies, global statistics and singular values, rated by regression forests.

Ma, Yang, Yang, Yang: Learning a no-reference quality metric for single-image super-resolution,
Computer Vision and Image Understanding 158, 2017. https://arxiv.org/abs/1612.05890

The forests compare with thresholds, so there is no gradient.
"""

from metric_robustness.metrics.pyiqa_adapter import PyiqaNoReference


class Nrqm(PyiqaNoReference):
    model = "nrqm"
    higher_is_better = True
    score_range = (0.0, 10.0)
    differentiable = False
    smallest = 64
    cost = "heavy"
    trained_on = "super-resolved images (Ma)"
    verified = "pyiqa's comparison with the authors' scores"
    weights = ("hub/pyiqa/NRQM_model.mat",)
