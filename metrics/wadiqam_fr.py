"""WaDIQaM (full reference): weighted mean of the qualities of patches, trained on KADID-10k.

Bosse, Maniry, Müller, Wiegand, Samek: Deep neural networks for no-reference and full-reference image quality
assessment, IEEE Transactions on Image Processing 27(1), 2018. https://arxiv.org/abs/1612.01697
"""

from metric_robustness.metrics.pyiqa_adapter import PyiqaFullReference


class WadiqamFr(PyiqaFullReference):
    model = "wadiqam_fr"
    higher_is_better = True
    score_range = (-1.0, 0.1)
    smallest = 33
    trained_on = "KADID-10k"
    weights = ("hub/pyiqa/WaDIQaM-kadid-f7541ea5.pth",)
