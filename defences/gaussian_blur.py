"""Gaussian blur: a 3x3 kernel, whose sigma follows from its size as in OpenCV: 0.3((k - 1)/2 - 1) + 0.8.

https://docs.opencv.org/4.x/d4/d86/group__imgproc__filter.html (getGaussianKernel)
The border is reflected.
"""

from dataclasses import dataclass

from metric_robustness.defences.base import Defence, DefenceNoise, Images
from metric_robustness.defences.filter_adapter import blurred


@dataclass(frozen=True)
class GaussianBlur(Defence):
    presets = {"k5": {"kernel": 5}, "k7": {"kernel": 7}, "k9": {"kernel": 9}, "k11": {"kernel": 11}}
    licence = "the project's; kornia: Apache-2.0"
    verified = "scipy's convolution with the formula's kernel"

    kernel: int = 3  # side in pixels, odd

    def purify(self, images: Images, noise: DefenceNoise) -> Images:
        sigma = 0.3 * ((self.kernel - 1) / 2 - 1) + 0.8
        return blurred(images, self.kernel, sigma).clamp(0, 1)
