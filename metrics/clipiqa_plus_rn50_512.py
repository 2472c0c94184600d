"""CLIP-IQA+ (512 pixels): similarity to learned prompts, with CLIP's ResNet-50 and its position embedding.

Wang, Chan, Loy: Exploring CLIP for assessing the look and feel of images, AAAI 2023.
https://arxiv.org/abs/2207.12396
"""

from metric_robustness.metrics.clip_adapter import LearnedPrompts


class ClipiqaPlusRn50512(LearnedPrompts):
    model = "clipiqa+_rn50_512"
    higher_is_better = True
    score_range = (0.0, 1.0)
    smallest = 32
    trained_on = "KonIQ-10k"
    licence = "PolyForm Noncommercial 1.0.0; CLIP-IQA: S-Lab 1.0"
    weights = (
        "hub/clip/RN50.pt",
        "hub/pyiqa/CLIPIQA+_RN50_512-89f5d940.pth",
    )
