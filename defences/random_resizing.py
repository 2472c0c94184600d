"""Random resizing: the mean score of several copies, each enlarged by up to 10.7 % and placed at random on a canvas.

Xie, Wang, Zhang, Ren, Yuille. Mitigating adversarial effects through randomization. ICLR, 2018.
https://arxiv.org/abs/1711.01991
The paper enlarges images of 299 pixels to at most 330, on a canvas of 331, once for each prediction; robust metrics are
compared with the mean over several. Around the copy its border repeats: metrics would take black for a distortion. SSIM
and PSNR are computed after making the first copy as small again.
"""

from dataclasses import dataclass

import torch
from torch.nn.functional import interpolate, pad

from metric_robustness.defences.base import Aligned, DefenceNoise, Ensemble, Images
from metric_robustness.defences.places_adapter import among, shares, sides_of


@dataclass(frozen=True)
class RandomResizing(Ensemble):
    keeps_geometry = False
    verified = "arithmetic on pixel indices; PyTorch's bilinear resampling"

    share: float = 331 / 299  # of each side, that the canvas has

    def purify(self, images: Images, noise: DefenceNoise) -> Images:
        (height, width), copies = sides_of(images, self.share).tolist(), []
        for image, (high, wide, top, left) in zip(images, self._places(images, noise), strict=True):
            enlarged = interpolate(image[None], size=(high, wide), mode="bilinear")
            copies.append(pad(enlarged, (left, width - wide - left, top, height - high - top), mode="replicate"))
        return torch.cat(copies).clamp(0, 1)

    def align(self, purified: Images, clear: Images, noise: DefenceNoise) -> Aligned:
        parts = [
            interpolate(image[None, :, top : top + high, left : left + wide], clear.shape[2:], mode="bilinear")
            for image, (high, wide, top, left) in zip(purified, self._places(clear, noise), strict=True)
        ]
        return Aligned(torch.cat(parts).clamp(0, 1), clear)

    def _places(self, images: Images, noise: DefenceNoise) -> list[list[int]]:
        """Returns each copy's height and width, and its corner's row and column on the canvas, in pixels."""
        sides, canvas = torch.tensor(images.shape[2:]), sides_of(images, self.share)
        larger = sides + among(shares(images, noise)[:, :1], canvas - sides)
        places: list[list[int]] = torch.cat([larger, among(shares(images, noise), canvas - larger)], dim=1).tolist()
        return places
