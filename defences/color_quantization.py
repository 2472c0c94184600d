"""Colour quantization: 16 levels per channel.

Xu, Evans, Qi. Feature squeezing: detecting adversarial examples in deep neural networks. NDSS, 2018.
https://arxiv.org/abs/1704.01155
Rounding has no gradient, so an adaptive attack takes it as the identity.
"""

from dataclasses import dataclass

from metric_robustness.defences.base import Defence, DefenceNoise, Images


@dataclass(frozen=True)
class ColorQuantization(Defence):
    differentiable = False
    presets = {"n2": {"levels": 2}, "n5": {"levels": 5}, "n20": {"levels": 20}, "n25": {"levels": 25}}
    verified = "the formula, on every 8-bit value"

    levels: int = 16

    def purify(self, images: Images, noise: DefenceNoise) -> Images:
        return (images * (self.levels - 1)).round() / (self.levels - 1)
