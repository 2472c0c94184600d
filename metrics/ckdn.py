"""CKDN: features that a reference, even a degraded one, taught to a network, compared at 288 pixels.

Zheng, Yang, Fu, Zha, Luo: Learning conditional knowledge distillation for degraded-reference image quality assessment,
ICCV 2021. https://arxiv.org/abs/2108.07948
"""

from metric_robustness.metrics.pyiqa_adapter import PyiqaFullReference


class Ckdn(PyiqaFullReference):
    model = "ckdn"
    higher_is_better = True
    score_range = (0.0, 1.0)
    trained_on = "PIPAL"
    verified = "pyiqa's comparison with the authors' scores"
    weights = (
        "hub/checkpoints/resnet50-19c8e357.pth",
        "hub/pyiqa/CKDN_model_best-38b27dc6.pth",
    )
