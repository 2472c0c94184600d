"""PaQ-2-PiQ: quality of patches and pictures, trained on FLIVE.

Ying et al.: From patches to pictures (PaQ-2-PiQ): mapping the perceptual space of picture quality, CVPR 2020.
https://arxiv.org/abs/1912.10088
"""

from metric_robustness.metrics.pyiqa_adapter import PyiqaNoReference


class Paq2piq(PyiqaNoReference):
    model = "paq2piq"
    higher_is_better = True
    score_range = (58.4, 84.2)
    trained_on = "FLIVE"
    verified = "pyiqa's comparison with the authors' scores"
    weights = (
        "hub/checkpoints/resnet18-f37072fd.pth",
        "hub/pyiqa/P2P_RoIPoolModel-fit.10.bs.120-ca69882e.pth",
    )
