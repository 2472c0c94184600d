"""MUSIQ: transformer over patches at several scales, trained on SPAQ.

Ke, Wang, Wang, Milanfar, Yang: MUSIQ: multi-scale image quality transformer, ICCV 2021.
https://arxiv.org/abs/2108.05997
"""

from metric_robustness.metrics.pyiqa_adapter import PyiqaNoReference


class MusiqSpaq(PyiqaNoReference):
    model = "musiq-spaq"
    higher_is_better = True
    score_range = (0.0, 100.0)
    trained_on = "SPAQ"
    licence = "PolyForm Noncommercial 1.0.0; MUSIQ: Apache-2.0"
    verified = "pyiqa's comparison with the authors' scores"
    weights = ("hub/pyiqa/musiq_spaq_ckpt-358bb6af.pth",)
