"""LPIPS (SqueezeNet): distance of weighted deep features, with the smallest backbone.

Zhang, Isola, Efros, Shechtman, Wang: The unreasonable effectiveness of deep features as a perceptual metric, CVPR 2018.
https://arxiv.org/abs/1801.03924
"""

from metric_robustness.metrics.pyiqa_adapter import PyiqaFullReference


class LpipsSqueeze(PyiqaFullReference):
    model = "lpips"
    options = {"net": "squeeze"}
    higher_is_better = False
    score_range = (0.0, 1.0)
    smallest = 17
    trained_on = "BAPPS"
    licence = "PolyForm Noncommercial 1.0.0; LPIPS: BSD-2-Clause"
    verified = "torchmetrics' documented score"
    weights = (
        "hub/pyiqa/LPIPS_v0.1_squeeze-4a5350f2.pth",
        "hub/checkpoints/squeezenet1_1-b8a52dc0.pth",
    )
