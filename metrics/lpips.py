"""LPIPS (AlexNet): distance of weighted deep features.

Zhang, Isola, Efros, Shechtman, Wang: The unreasonable effectiveness of deep features as a perceptual metric, CVPR 2018.
https://arxiv.org/abs/1801.03924
"""

from metric_robustness.metrics.pyiqa_adapter import PyiqaFullReference


class Lpips(PyiqaFullReference):
    model = "lpips"
    higher_is_better = False
    score_range = (0.0, 1.59)
    smallest = 33
    trained_on = "BAPPS"
    licence = "PolyForm Noncommercial 1.0.0; LPIPS: BSD-2-Clause"
    verified = "pyiqa's comparison with the authors' scores"
    weights = (
        "hub/checkpoints/alexnet-owt-7be5be79.pth",
        "hub/pyiqa/LPIPS_v0.1_alex-df73285e.pth",
    )
