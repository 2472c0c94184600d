"""MANIQA: vision transformer with attention over channels and patches, trained on KADID-10k.

Yang et al.: MANIQA: multi-dimension attention network for no-reference image quality assessment, CVPR Workshops 2022.
https://arxiv.org/abs/2204.08958
"""

from metric_robustness.metrics.pyiqa_adapter import PyiqaNoReference


class ManiqaKadid(PyiqaNoReference):
    model = "maniqa-kadid"
    higher_is_better = True
    score_range = (0.0, 1.0)
    cost = "heavy"
    gpu_memory = 24
    trained_on = "KADID-10k"
    licence = "PolyForm Noncommercial 1.0.0; MANIQA: Apache-2.0"
    weights = (
        "huggingface/timm/vit_base_patch8_224.augreg2_in21k_ft_in1k/model.safetensors",
        "hub/pyiqa/ckpt_kadid10k.pt",
    )
