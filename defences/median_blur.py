"""Median blur: each value becomes the median of the 3x3 around it, per channel; the border is reflected.

Xu, Evans, Qi. Feature squeezing: detecting adversarial examples in deep neural networks. NDSS, 2018.
https://arxiv.org/abs/1704.01155
"""

from dataclasses import dataclass

from kornia.filters import median_blur

from metric_robustness.defences.base import Defence, DefenceNoise, Images


@dataclass(frozen=True)
class MedianBlur(Defence):
    presets = {"k5": {"kernel": 5}, "k7": {"kernel": 7}, "k9": {"kernel": 9}, "k11": {"kernel": 11}}
    licence = "the project's; kornia: Apache-2.0"
    verified = "scipy's median filter"

    kernel: int = 3  # side in pixels, odd

    def purify(self, images: Images, noise: DefenceNoise) -> Images:
        return median_blur(images, self.kernel)
