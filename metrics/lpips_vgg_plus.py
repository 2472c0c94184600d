"""LPIPS+ (VGG): LPIPS whose differences are weighted by what the reference's deeper features respond to.

Zhang, Isola, Efros, Shechtman, Wang: The unreasonable effectiveness of deep features as a perceptual metric, CVPR 2018.
https://arxiv.org/abs/1801.03924

The weighting is pyiqa's.
"""

from metric_robustness.metrics.pyiqa_adapter import PyiqaFullReference


class LpipsVggPlus(PyiqaFullReference):
    model = "lpips-vgg+"
    higher_is_better = False
    score_range = (0.0, 1.0)
    smallest = 16
    cost = "heavy"
    trained_on = "BAPPS"
    licence = "PolyForm Noncommercial 1.0.0; LPIPS: BSD-2-Clause"
    weights = (
        "hub/checkpoints/vgg16-397923af.pth",
        "hub/pyiqa/LPIPS_v0.1_vgg-a78928a0.pth",
    )
