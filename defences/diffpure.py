"""DiffPure: a few steps of noise are added, and taken away by an unconditional diffusion model of ImageNet.

Nie, Guo, Huang, Xiao, Vahdat, Anandkumar. Diffusion models for adversarial purification. ICML, 2022.
https://arxiv.org/abs/2205.07460
"""

from dataclasses import dataclass

from metric_robustness.defences.guided_diffusion_adapter import GuidedDiffusion


@dataclass(frozen=True)
class DiffPure(GuidedDiffusion):
    presets = {"t10": {"t": 10}, "t20": {"t": 20}, "t30": {"t": 30}, "t50": {"t": 50}}
