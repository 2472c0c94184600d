"""ARNIQA: a linear rating of features that know distortions, regressed on KADID-10k.

Agnolucci, Galteri, Bertini, Del Bimbo: ARNIQA: learning distortion manifold for image quality assessment, WACV 2024.
https://arxiv.org/abs/2310.14918
"""

from metric_robustness.metrics.pyiqa_adapter import PyiqaNoReference


class ArniqaKadid(PyiqaNoReference):
    model = "arniqa-kadid"
    higher_is_better = True
    score_range = (0.0, 1.0)
    trained_on = "KADID-10k (regressor)"
    licence = "PolyForm Noncommercial 1.0.0; ARNIQA: Apache-2.0"
    weights = (
        "hub/checkpoints/resnet50-0676ba61.pth",
        "hub/checkpoints/ARNIQA.pth",
        "hub/pyiqa/regressor_kadid10k.pth",
    )
