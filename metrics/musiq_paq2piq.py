"""MUSIQ: transformer over patches at several scales, trained on FLIVE.

Ke, Wang, Wang, Milanfar, Yang: MUSIQ: multi-scale image quality transformer, ICCV 2021.
https://arxiv.org/abs/2108.05997
"""

from metric_robustness.metrics.pyiqa_adapter import PyiqaNoReference


class MusiqPaq2piq(PyiqaNoReference):
    model = "musiq-paq2piq"
    higher_is_better = True
    score_range = (0.0, 100.0)
    trained_on = "FLIVE"
    licence = "PolyForm Noncommercial 1.0.0; MUSIQ: Apache-2.0"
    verified = "pyiqa's comparison with the authors' scores"
    weights = ("hub/pyiqa/musiq_paq2piq_ckpt-364c0c84.pth",)
