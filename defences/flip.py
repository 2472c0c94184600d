"""Flip: the image turned upside down and mirrored.

An adversarial pattern fits one place and orientation; the flip shows it to the network in another. SSIM and PSNR are
computed after flipping back, which is exact.
"""

from dataclasses import dataclass

from defences.base import Aligned, Defence, Images, Noise


@dataclass(frozen=True)
class Flip(Defence):
    keeps_geometry = False
    verified = "arithmetic on pixel indices"

    def purify(self, images: Images, noise: Noise) -> Images:
        return images.flip((2, 3))

    def align(self, purified: Images, clear: Images, noise: Noise) -> Aligned:
        return Aligned(purified.flip((2, 3)), clear)
