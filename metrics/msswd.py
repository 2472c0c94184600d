"""MS-SWD: sliced Wasserstein distance of learned colour features.

He et al.: Multiscale sliced Wasserstein distances as perceptual color difference measures, ECCV 2024.
https://arxiv.org/abs/2407.10181
"""

from metric_robustness.metrics.pyiqa_adapter import PyiqaFullReference


class Msswd(PyiqaFullReference):
    model = "msswd"
    higher_is_better = False
    score_range = (0.0, 10.0)
    trained_on = "SPCD"
    weights = ("hub/pyiqa/msswd_weights.pth",)
