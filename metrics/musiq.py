"""MUSIQ: transformer over patches at several scales, trained on KonIQ-10k.

Ke, Wang, Wang, Milanfar, Yang: MUSIQ: multi-scale image quality transformer, ICCV 2021.
https://arxiv.org/abs/2108.05997
"""

from metric_robustness.metrics.pyiqa_adapter import PyiqaNoReference


class Musiq(PyiqaNoReference):
    model = "musiq"
    higher_is_better = True
    score_range = (22.8, 78.0)
    trained_on = "KonIQ-10k"
    licence = "PolyForm Noncommercial 1.0.0; MUSIQ: Apache-2.0"
    verified = "pyiqa's comparison with the authors' scores"
    weights = ("hub/pyiqa/musiq_koniq_ckpt-e95806b9.pth",)
