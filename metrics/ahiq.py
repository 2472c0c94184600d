"""AHIQ: a transformer and a convolutional network that see the pair, fused by deformable convolution.

Lao et al.: Attentions help CNNs see better: attention-based hybrid image quality assessment network, CVPR Workshops
2022. https://arxiv.org/abs/2204.10485
"""

from metric_robustness.metrics.pyiqa_adapter import PyiqaFullReference


class Ahiq(PyiqaFullReference):
    model = "ahiq"
    higher_is_better = True
    score_range = (0.0, 1.0)
    cost = "heavy"
    gpu_memory = 24
    trained_on = "PIPAL"
    weights = (
        "huggingface/timm/resnet50.a1_in1k/model.safetensors",
        "huggingface/timm/vit_base_patch8_224.augreg2_in21k_ft_in1k/model.safetensors",
        "hub/pyiqa/AHIQ_vit_p8_epoch33-da3ea303.pth",
    )
