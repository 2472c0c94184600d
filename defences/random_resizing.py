"""Random resizing: the mean score of several copies, each enlarged by up to 10.7 % and placed at random on a canvas.

Xie, Wang, Zhang, Ren, Yuille. Mitigating adversarial effects through randomization. ICLR, 2018.
https://arxiv.org/abs/1711.01991
The paper enlarges images of 299 pixels to at most 330, on a canvas of 331, once for each prediction; robust metrics are
compared with the mean over several. Around the copy its border repeats: metrics would take black for a distortion. SSIM
and PSNR are computed after making the first copy as small again.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import interpolate, pad

from metric_robustness.defences.base import Aligned, DefenceNoise, Ensemble, Images


@dataclass(frozen=True)
class RandomResizing(Ensemble):
    keeps_geometry = False
    verified = "arithmetic on pixel indices; PyTorch's bilinear resampling"

    share: float = 331 / 299  # of each side, that the canvas has

    def purify(self, images: Images, noise: DefenceNoise) -> Images:
        height, width = images.shape[2:]
        canvas = self._canvas(height, width)
        copies = []
        for image, (high, wide, top, left) in zip(images, self._places(images, noise), strict=True):
            enlarged = interpolate(image[None], size=(high, wide), mode="bilinear")
            around = (left, canvas[1] - wide - left, top, canvas[0] - high - top)
            copies.append(pad(enlarged, around, mode="replicate"))
        return torch.cat(copies).clamp(0, 1)

    def align(self, purified: Images, clear: Images, noise: DefenceNoise) -> Aligned:
        size = clear.shape[2:]
        parts = [
            interpolate(
                image[None, :, top : top + high, left : left + wide], size=size, mode="bilinear", antialias=True
            )
            for image, (high, wide, top, left) in zip(purified, self._places(clear, noise), strict=True)
        ]
        return Aligned(torch.cat(parts).clamp(0, 1), clear)

    def _canvas(self, height: int, width: int) -> tuple[int, int]:
        return round(height * self.share), round(width * self.share)

    def _places(self, images: Images, noise: DefenceNoise) -> list[list[int]]:
        """Returns each copy's height and width, and the row and column of its corner on the canvas, in pixels."""
        sides = torch.tensor(images.shape[2:])
        room = torch.tensor(self._canvas(*images.shape[2:])) - sides
        size, place = ((_share(images, noise) + 1) / 2 for _ in range(2))  # (N, 2) in [0, 1)
        larger = sides + (size[:, :1] * (room + 1)).long().minimum(room)
        corners = (place * (room - larger + sides + 1)).long().minimum(room - larger + sides)
        places: list[list[int]] = torch.cat([larger, corners], dim=1).tolist()
        return places


def _share(images: Images, noise: DefenceNoise) -> Tensor:
    """Returns two numbers per image from [-1, 1), (N, 2), on the CPU."""
    return noise.uniform(images[:, :2, :1, 0]).cpu().squeeze(2)
