"""VSFA: quality of in-the-wild videos by content-aware features and a memory of bad moments.

Li, Jiang, Jiang: Quality assessment of in-the-wild videos, ACM Multimedia 2019. https://arxiv.org/abs/1908.00375
"""

from metric_robustness.metrics.vsfa_adapter import RecurrentVideoMetric


class Vsfa(RecurrentVideoMetric):
    higher_is_better = True
    score_range = (0.356, 0.710)
    cost = "heavy"
    gpu_memory = 16
    smallest = 32
    trained_on = "KoNViD-1k"
    licence = "MIT (code and head); BSD-3-Clause (torchvision's backbone)"
    weights = ("hub/checkpoints/resnet50-0676ba61.pth", "hub/checkpoints/VSFA-07ce3eab.pt")
    parts = {"ann.fc0": "reduction", "rnn": "memory", "q": "rating"}
