"""CLIP-IQA+ (512 pixels): similarity to learned prompts, with CLIP's ViT-L/14 and its position embedding.

Wang, Chan, Loy: Exploring CLIP for assessing the look and feel of images, AAAI 2023.
https://arxiv.org/abs/2207.12396
"""

from metric_robustness.metrics.clip_adapter import LearnedPrompts


class ClipiqaPlusVitl14512(LearnedPrompts):
    model = "clipiqa+_vitL14_512"
    higher_is_better = True
    score_range = (0.0, 1.0)
    smallest = 16
    cost = "heavy"
    gpu_memory = 16
    trained_on = "KonIQ-10k"
    licence = "PolyForm Noncommercial 1.0.0; CLIP-IQA: S-Lab 1.0"
    weights = (
        "hub/clip/ViT-L-14.pt",
        "hub/pyiqa/CLIPIQA+_ViTL14_512-e66488f2.pth",
    )
