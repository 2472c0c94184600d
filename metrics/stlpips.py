"""ST-LPIPS (AlexNet): LPIPS made tolerant to shifts by blurred pooling and other padding.

Ghildyal, Liu: Shift-tolerant perceptual similarity metric, ECCV 2022. https://arxiv.org/abs/2207.13686
"""

from metric_robustness.metrics.pyiqa_adapter import PyiqaFullReference


class Stlpips(PyiqaFullReference):
    model = "stlpips"
    higher_is_better = False
    score_range = (0.0, 1.0)
    smallest = 24
    trained_on = "BAPPS"
    weights = ("hub/pyiqa/alex_shift_tolerant.pth",)
