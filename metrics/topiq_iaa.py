"""TOPIQ for aesthetics (Swin): attention from semantics down to distortions, trained on AVA.

Chen et al.: TOPIQ: a top-down approach from semantics to distortions for image quality assessment,
IEEE Transactions on Image Processing 33, 2024. https://arxiv.org/abs/2308.03060
"""

from metric_robustness.metrics.pyiqa_adapter import PyiqaNoReference


class TopiqIaa(PyiqaNoReference):
    model = "topiq_iaa"
    higher_is_better = True
    score_range = (1.0, 10.0)
    cost = "heavy"
    gpu_memory = 16
    trained_on = "AVA"
    weights = (
        "hub/checkpoints/swin_base_patch4_window12_384_22kto1k.pth",
        "hub/pyiqa/cfanet_iaa_ava_swin-393b41b4.pth",
    )
