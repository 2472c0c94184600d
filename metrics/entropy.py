"""Entropy of the histogram of the luma, in bits.

It computes what MATLAB's function of that name does. Counting pixels in bins has no gradient.
"""

from metric_robustness.metrics.pyiqa_adapter import PyiqaNoReference


class Entropy(PyiqaNoReference):
    model = "entropy"
    higher_is_better = True
    score_range = (0.0, 8.0)
    differentiable = False
    trained_on = "nothing"
    verified = "MATLAB's scores of 5 images"
