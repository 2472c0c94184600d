"""Random rotation: by up to 5 degrees either way, drawn for each image; bilinear, black where nothing is known.

Xie, Wang, Zhang, Ren, Yuille. Mitigating adversarial effects through randomization. ICLR, 2018.
https://arxiv.org/abs/1711.01991
SSIM and PSNR are computed after rotating back, over the largest central rectangle of the image's proportions that stays
inside the image at every allowed angle. It is therefore the same for all images of one size.
"""

import math
from dataclasses import dataclass

from kornia.geometry import rotate

from metric_robustness.defences.base import Aligned, Defence, DefenceNoise, Images


@dataclass(frozen=True)
class Rotate(Defence):
    random = True
    keeps_geometry = False
    presets = {"d10": {"degrees": 10.0}, "d15": {"degrees": 15.0}}
    licence = "the project's; kornia: Apache-2.0"
    verified = "scipy's affine transform"

    degrees: float = 5.0  # the largest angle

    def purify(self, images: Images, noise: DefenceNoise) -> Images:
        return rotate(images, self._angles(images, noise)).clamp(0, 1)

    def align(self, purified: Images, clear: Images, noise: DefenceNoise) -> Aligned:
        back = rotate(purified, -self._angles(clear, noise)).clamp(0, 1)
        height, width = clear.shape[2:]
        cosine, sine = (f(math.radians(self.degrees)) for f in (math.cos, math.sin))
        share = min(height / (height * cosine + width * sine), width / (height * sine + width * cosine))
        top, left = (math.ceil((side - 1) * (1 - share) / 2) for side in (height, width))
        inner = (..., slice(top, height - top), slice(left, width - left))
        return Aligned(back[inner], clear[inner])

    def _angles(self, images: Images, noise: DefenceNoise) -> Images:
        """Returns an angle per image, (N,) in degrees."""
        return self.degrees * noise.uniform(images[:, 0, 0, 0])
