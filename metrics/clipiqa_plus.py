"""CLIP-IQA+: similarity to learned prompts for good and bad, with CLIP's ResNet-50.

Wang, Chan, Loy: Exploring CLIP for assessing the look and feel of images, AAAI 2023.
https://arxiv.org/abs/2207.12396
"""

from metric_robustness.metrics.clip_adapter import LearnedPrompts


class ClipiqaPlus(LearnedPrompts):
    model = "clipiqa+"
    higher_is_better = True
    score_range = (0.021, 0.983)
    smallest = 32
    trained_on = "KonIQ-10k"
    licence = "PolyForm Noncommercial 1.0.0; CLIP-IQA: S-Lab 1.0"
    weights = (
        "hub/clip/RN50.pt",
        "hub/pyiqa/CLIP-IQA+_learned_prompts-603f3273.pth",
    )
