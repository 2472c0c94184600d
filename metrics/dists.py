"""DISTS: similarity of structure and texture of deep features.

Ding, Ma, Wang, Simoncelli: Image quality assessment: unifying structure and texture similarity,
IEEE Transactions on Pattern Analysis and Machine Intelligence 44(5), 2022. https://arxiv.org/abs/2004.07728
"""

from metric_robustness.metrics.pyiqa_adapter import PyiqaFullReference


class Dists(PyiqaFullReference):
    model = "dists"
    higher_is_better = False
    score_range = (0.0, 0.7)
    smallest = 16
    trained_on = "KADID-10k, textures"
    licence = "PolyForm Noncommercial 1.0.0; DISTS: MIT"
    verified = "pyiqa's comparison with the authors' scores"
    weights = (
        "hub/checkpoints/vgg16-397923af.pth",
        "hub/pyiqa/DISTS_weights-f5e65c96.pth",
    )
