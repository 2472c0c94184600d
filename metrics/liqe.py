"""LIQE: CLIP's likeness of crops to the five words for quality, trained on KonIQ-10k.

Zhang, Zhai, Wei, Yang, Ma: Blind image quality assessment via vision-language correspondence: a multitask learning
perspective, CVPR 2023. https://arxiv.org/abs/2303.14968
"""

from metric_robustness.metrics.pyiqa_adapter import PyiqaNoReference


class Liqe(PyiqaNoReference):
    model = "liqe"
    higher_is_better = True
    score_range = (1.0, 5.0)
    smallest = 224
    trained_on = "KonIQ-10k"
    licence = "PolyForm Noncommercial 1.0.0; LIQE: MIT"
    weights = (
        "hub/clip/ViT-B-32.pt",
        "hub/pyiqa/liqe_koniq.pt",
    )
