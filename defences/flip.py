"""Flip: the image turned upside down and mirrored.

An adversarial pattern fits one place and orientation; the flip shows it to the network in another. SSIM and PSNR are
computed after flipping back, which is exact.
"""

from dataclasses import dataclass

from metric_robustness.defences.base import Aligned, Defence, DefenceNoise, Images


@dataclass(frozen=True)
class Flip(Defence):
    keeps_geometry = False
    verified = "arithmetic on pixel indices"

    def purify(self, images: Images, noise: DefenceNoise) -> Images:
        return images.flip((2, 3))

    def align(self, purified: Images, clear: Images, noise: DefenceNoise) -> Aligned:
        return Aligned(purified.flip((2, 3)), clear)
