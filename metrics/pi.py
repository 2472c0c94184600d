"""PI: the mean of NIQE and of what NRQM lacks of 10.

Blau, Mechrez, Timofte, Michaeli, Zelnik-Manor: The 2018 PIRM challenge on perceptual image super-resolution,
ECCV Workshops 2018. https://arxiv.org/abs/1809.07517

NRQM compares with thresholds and has no gradient, so only half of the metric would have one.
"""

from metric_robustness.metrics.pyiqa_adapter import PyiqaNoReference


class Pi(PyiqaNoReference):
    model = "pi"
    higher_is_better = False
    score_range = (2.0, 12.0)
    differentiable = False
    smallest = 128
    cost = "heavy"
    trained_on = "super-resolved images (Ma)"
    verified = "pyiqa's comparison with the authors' scores"
    weights = (
        "hub/pyiqa/NRQM_model.mat",
        "hub/pyiqa/niqe_modelparameters.mat",
    )
