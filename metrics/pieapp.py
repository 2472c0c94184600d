"""PieAPP: perceptual error of patches, learned from which of two images people prefer.

Prashnani, Cai, Mostofi, Sen: PieAPP: perceptual image-error assessment through pairwise preference, CVPR 2018.
https://arxiv.org/abs/1806.02067
"""

from metric_robustness.metrics.pyiqa_adapter import PyiqaFullReference


class Pieapp(PyiqaFullReference):
    model = "pieapp"
    higher_is_better = False
    score_range = (0.0, 4.92)
    smallest = 64
    cost = "heavy"
    trained_on = "PieAPP"
    weights = ("hub/pyiqa/PieAPPv0.1-0937b014.pth",)
