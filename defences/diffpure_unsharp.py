"""DiffPure, then unsharp masking, which brings back some of the sharpness that the diffusion took.

Gushchin, Chistyakova, Minashkin, Antsiferova, Vatolin. Adversarial purification for no-reference image-quality metrics:
applicability study and new methods. 2024. https://arxiv.org/abs/2404.06957
"""

from dataclasses import dataclass

from metric_robustness.defences.base import DefenceNoise, Images
from metric_robustness.defences.guided_diffusion_adapter import GuidedDiffusion
from metric_robustness.defences.unsharp import Unsharp


@dataclass(frozen=True)
class DiffPureUnsharp(GuidedDiffusion):
    presets = {"t10": {"t": 10}, "t20": {"t": 20}, "t30": {"t": 30}, "t50": {"t": 50}}

    def purify(self, images: Images, noise: DefenceNoise) -> Images:
        return Unsharp().purify(super().purify(images, noise), noise)
