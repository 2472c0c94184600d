"""MANIQA: vision transformer with attention over channels and patches, trained on PIPAL.

Yang et al.: MANIQA: multi-dimension attention network for no-reference image quality assessment, CVPR Workshops 2022.
https://arxiv.org/abs/2204.08958
"""

from metric_robustness.metrics.pyiqa_adapter import PyiqaNoReference


class ManiqaPipal(PyiqaNoReference):
    model = "maniqa-pipal"
    higher_is_better = True
    score_range = (0.0, 1.0)
    cost = "heavy"
    gpu_memory = 24
    trained_on = "PIPAL"
    licence = "PolyForm Noncommercial 1.0.0; MANIQA: Apache-2.0"
    weights = (
        "huggingface/timm/vit_base_patch8_224.augreg2_in21k_ft_in1k/model.safetensors",
        "hub/pyiqa/MANIQA_PIPAL-ae6d356b.pth",
    )
