"""TOPIQ (no reference): attention from semantics down to distortions, trained on SPAQ.

Chen et al.: TOPIQ: a top-down approach from semantics to distortions for image quality assessment,
IEEE Transactions on Image Processing 33, 2024. https://arxiv.org/abs/2308.03060
"""

from metric_robustness.metrics.pyiqa_adapter import PyiqaNoReference


class TopiqNrSpaq(PyiqaNoReference):
    model = "topiq_nr-spaq"
    higher_is_better = True
    score_range = (0.0, 1.0)
    trained_on = "SPAQ"
    weights = (
        "huggingface/timm/resnet50.a1_in1k/model.safetensors",
        "hub/pyiqa/cfanet_nr_spaq_res50-a7f799ac.pth",
    )
