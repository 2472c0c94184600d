"""TReS: transformer over ResNet-50's features, taught relative ranks and consistency, trained on FLIVE.

Golestaneh, Dadsetan, Kitani: No-reference image quality assessment via transformers, relative ranking, and
self-consistency, WACV 2022. https://arxiv.org/abs/2108.06858
"""

from metric_robustness.metrics.pyiqa_adapter import PyiqaNoReference


class TresFlive(PyiqaNoReference):
    model = "tres-flive"
    higher_is_better = True
    score_range = (0.0, 100.0)
    cost = "heavy"
    gpu_memory = 16
    trained_on = "FLIVE"
    licence = "PolyForm Noncommercial 1.0.0; TReS: academic, non-commercial"
    weights = (
        "hub/checkpoints/resnet50-0676ba61.pth",
        "hub/pyiqa/tres_flive-09b0de5b.pth",
    )
