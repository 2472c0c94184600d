"""MUSIQ: transformer over patches at several scales, trained on AVA.

Ke, Wang, Wang, Milanfar, Yang: MUSIQ: multi-scale image quality transformer, ICCV 2021.
https://arxiv.org/abs/2108.05997
"""

from metric_robustness.metrics.pyiqa_adapter import PyiqaNoReference


class MusiqAva(PyiqaNoReference):
    model = "musiq-ava"
    higher_is_better = True
    score_range = (1.0, 10.0)
    trained_on = "AVA"
    licence = "PolyForm Noncommercial 1.0.0; MUSIQ: Apache-2.0"
    verified = "pyiqa's comparison with the authors' scores"
    weights = ("hub/pyiqa/musiq_ava_ckpt-e8d3f067.pth",)
