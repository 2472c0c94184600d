"""TOPIQ for aesthetics: attention from semantics down to distortions, trained on AVA.

Chen et al.: TOPIQ: a top-down approach from semantics to distortions for image quality assessment,
IEEE Transactions on Image Processing 33, 2024. https://arxiv.org/abs/2308.03060
"""

from metric_robustness.metrics.pyiqa_adapter import PyiqaNoReference


class TopiqIaaRes50(PyiqaNoReference):
    model = "topiq_iaa_res50"
    higher_is_better = True
    score_range = (1.0, 10.0)
    trained_on = "AVA"
    weights = (
        "huggingface/timm/resnet50.a1_in1k/model.safetensors",
        "hub/pyiqa/cfanet_iaa_ava_res50-3cd62bb3.pth",
    )
