"""QualiCLIP+: QualiCLIP with prompts learned from opinions, trained on LIVE Challenge.

Agnolucci, Galteri, Bertini: Quality-aware image-text alignment for real-world image quality assessment, 2024.
https://arxiv.org/abs/2403.11176
"""

from metric_robustness.metrics.clip_adapter import LearnedPrompts


class QualiclipPlusClive(LearnedPrompts):
    model = "qualiclip+-clive"
    higher_is_better = True
    score_range = (0.0, 1.0)
    smallest = 32
    trained_on = "LIVE Challenge"
    licence = "PolyForm Noncommercial 1.0.0; QualiCLIP: CC BY-NC 4.0"
    weights = (
        "hub/clip/RN50.pt",
        "hub/pyiqa/QualiCLIP.pth",
        "hub/pyiqa/QualiCLIP+_clive.pth",
    )
