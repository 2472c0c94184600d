"""TOPIQ (full reference): attention from semantics down to differences, trained on PIPAL.

Chen et al.: TOPIQ: a top-down approach from semantics to distortions for image quality assessment,
IEEE Transactions on Image Processing 33, 2024. https://arxiv.org/abs/2308.03060
"""

from metric_robustness.metrics.pyiqa_adapter import PyiqaFullReference


class TopiqFrPipal(PyiqaFullReference):
    model = "topiq_fr-pipal"
    higher_is_better = True
    score_range = (0.0, 1.0)
    trained_on = "PIPAL"
    weights = (
        "huggingface/timm/resnet50.a1_in1k/model.safetensors",
        "hub/pyiqa/cfanet_fr_pipal_res50-69bbe5ba.pth",
    )
