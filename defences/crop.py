"""Random crop: the metric sees 256 of 299 rows and columns, from a place drawn for each image.

Guo, Rana, Cisse, van der Maaten. Countering adversarial images using input transformations. ICLR, 2018.
https://arxiv.org/abs/1711.00117
Images of another size keep the same share of both sides. SSIM and PSNR compare the crop with the same part of the clear
image.
"""

from dataclasses import dataclass

import torch

from metric_robustness.defences.base import Aligned, Defence, DefenceNoise, Images
from metric_robustness.defences.places_adapter import among, shares, sides_of


@dataclass(frozen=True)
class Crop(Defence):
    random = True
    keeps_geometry = False
    verified = "arithmetic on pixel indices"

    share: float = 256 / 299  # of each side

    def purify(self, images: Images, noise: DefenceNoise) -> Images:
        size = sides_of(images, self.share)
        corners = among(shares(images, noise), torch.tensor(images.shape[2:]) - size)
        return torch.stack(
            [
                image[:, top : top + size[0], left : left + size[1]]
                for image, (top, left) in zip(images, corners.tolist(), strict=True)
            ]
        )

    def align(self, purified: Images, clear: Images, noise: DefenceNoise) -> Aligned:
        return Aligned(purified, self.purify(clear, noise))
