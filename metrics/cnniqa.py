"""CNNIQA: one convolution, pooled to its extremes, trained on KonIQ-10k.

Kang, Ye, Li, Doermann: Convolutional neural networks for no-reference image quality assessment, CVPR 2014.
https://doi.org/10.1109/CVPR.2014.224
"""

from metric_robustness.metrics.pyiqa_adapter import PyiqaNoReference


class Cnniqa(PyiqaNoReference):
    model = "cnniqa"
    higher_is_better = True
    score_range = (0.0, 1.0)
    trained_on = "KonIQ-10k"
    weights = ("hub/pyiqa/CNNIQA_koniq10k-e6f14c91.pth",)
