"""Shared base of the defences that shrink an image and enlarge it again, each with its own interpolation.

Both steps use the same interpolation, with antialiasing unless it is nearest-neighbour. The result has exactly the old
size.
"""

from dataclasses import dataclass
from typing import ClassVar

from torch.nn.functional import interpolate

from metric_robustness.defences.base import Defence, DefenceNoise, Images


@dataclass(frozen=True)
class Upscale(Defence):
    """Scales both sides down and back up; a subclass names the interpolation."""

    mode: ClassVar[str]  # a mode of `torch.nn.functional.interpolate`

    scale: float = 0.5  # of each side, which keeps at least one pixel

    def purify(self, images: Images, noise: DefenceNoise) -> Images:
        antialias = self.mode != "nearest-exact"
        small = [max(round(side * self.scale), 1) for side in images.shape[2:]]
        reduced = interpolate(images, size=small, mode=self.mode, antialias=antialias)
        return interpolate(reduced, size=images.shape[2:], mode=self.mode, antialias=antialias).clamp(0, 1)
