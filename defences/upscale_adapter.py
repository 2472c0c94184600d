"""Shared base of the defences that make an image small and large again, each with its own interpolation.

The image is made small with the same interpolation and antialiasing (nearest neighbours have none), and enlarged to
exactly the size it had.
"""

from dataclasses import dataclass
from typing import ClassVar

from torch.nn.functional import interpolate

from defences.base import Defence, Images, Noise


@dataclass(frozen=True)
class Upscale(Defence):
    """Scales both sides down and back; subclasses name the interpolation."""

    mode: ClassVar[str]  # as `torch.nn.functional.interpolate` calls it

    scale: float = 0.5

    def purify(self, images: Images, noise: Noise) -> Images:
        antialias = self.mode != "nearest-exact"
        small = [max(round(side * self.scale), 1) for side in images.shape[2:]]
        reduced = interpolate(images, size=small, mode=self.mode, antialias=antialias)
        return interpolate(reduced, size=images.shape[2:], mode=self.mode, antialias=antialias).clamp(0, 1)
