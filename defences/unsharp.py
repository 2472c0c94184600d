"""Unsharp masking: what a Gaussian blur takes away is added once more, then clipped.

Gonzalez, Woods. Digital image processing, 4th edition, 2018, section 3.6.
Sharpening disturbs a network's filters less than blur does, so clear images keep more of their score.
"""

from dataclasses import dataclass

from metric_robustness.defences.base import Defence, DefenceNoise, Images
from metric_robustness.defences.filter_adapter import blurred


@dataclass(frozen=True)
class Unsharp(Defence):
    licence = "the project's; kornia: Apache-2.0"
    verified = "scipy's convolution with a Gaussian kernel"

    kernel: int = 3  # side in pixels, odd
    sigma: float = 1.0
    amount: float = 1.0

    def purify(self, images: Images, noise: DefenceNoise) -> Images:
        lost = images - blurred(images, self.kernel, self.sigma)
        return images.add(lost, alpha=self.amount).clamp(0, 1)
