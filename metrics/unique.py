"""UNIQUE: bilinear pooling of ResNet-34, taught by pairs from six data sets and their uncertainty.

Zhang, Ma, Zhai, Yang: Uncertainty-aware blind image quality assessment in the laboratory and wild,
IEEE Transactions on Image Processing 30, 2021. https://arxiv.org/abs/2005.13983
"""

from metric_robustness.metrics.pyiqa_adapter import PyiqaNoReference


class Unique(PyiqaNoReference):
    model = "unique"
    higher_is_better = True
    score_range = (-2.66, 2.2)
    trained_on = "LIVE, CSIQ, KADID-10k, BID, LIVE Challenge, KonIQ-10k"
    weights = (
        "hub/checkpoints/resnet34-b627a593.pth",
        "hub/pyiqa/UNIQUE.pt",
    )
