"""CLIP-IQA: similarity to five pairs of written prompts for good and bad, with CLIP's ResNet-50.

Wang, Chan, Loy: Exploring CLIP for assessing the look and feel of images, AAAI 2023.
https://arxiv.org/abs/2207.12396
"""

from metric_robustness.metrics.pyiqa_adapter import PyiqaNoReference


class Clipiqa(PyiqaNoReference):
    model = "clipiqa"
    higher_is_better = True
    score_range = (0.0, 1.0)
    smallest = 32
    trained_on = "image-text pairs (CLIP)"
    licence = "PolyForm Noncommercial 1.0.0; CLIP-IQA: S-Lab 1.0"
    weights = ("hub/clip/RN50.pt",)
