"""LPIPS+ (AlexNet): LPIPS whose differences are weighted by what the reference's deeper features respond to.

Zhang, Isola, Efros, Shechtman, Wang: The unreasonable effectiveness of deep features as a perceptual metric, CVPR 2018.
https://arxiv.org/abs/1801.03924

The weighting is pyiqa's.
"""

from metric_robustness.metrics.pyiqa_adapter import PyiqaFullReference


class LpipsPlus(PyiqaFullReference):
    model = "lpips+"
    higher_is_better = False
    score_range = (0.0, 1.0)
    smallest = 32
    trained_on = "BAPPS"
    licence = "PolyForm Noncommercial 1.0.0; LPIPS: BSD-2-Clause"
    weights = (
        "hub/checkpoints/alexnet-owt-7be5be79.pth",
        "hub/pyiqa/LPIPS_v0.1_alex-df73285e.pth",
    )
