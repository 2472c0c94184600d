"""VMAF v0.6.1 of single images: detail losses and information fidelity, rated by a support vector machine, no motion.

Li, Aaron, Katsavounidis, Moorthy, Manohara: Toward a practical perceptual video quality metric, Netflix 2016.
https://netflixtechblog.com/toward-a-practical-perceptual-video-quality-metric-653f208b9652

Computed in floating point from the luma of BT.601. Without motion, an image equal to its reference has 97.4, not 100.
"""

import torch

from metric_robustness.metrics.base import FullReference, Images, Scores
from metric_robustness.metrics.gradient_adapter import finite_gradient
from metric_robustness.metrics.vmaf_adapter import SupportVectorMachine, luma, rated_features


class Vmaf(FullReference):
    higher_is_better = True
    score_range = (0.0, 100.0)
    smallest = 64
    trained_on = "NFLX"
    licence = "BSD-2-Clause-Patent (model)"
    verified = "the authors' score of a clip, with motion added"
    weights = ("hub/checkpoints/vmaf_v0.6.1-507428d3.npz",)

    def __init__(self) -> None:
        super().__init__()
        self.machine = SupportVectorMachine(self.weights)

    def score(self, images: Images, references: Images) -> Scores:
        distorted, original = (luma(finite_gradient(side), "BT.601") for side in (images, references))
        still = torch.zeros(len(images), dtype=torch.double, device=images.device)
        scores: Scores = self.machine(rated_features(distorted, original, still))
        return scores
