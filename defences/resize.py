"""Resize: the metric sees a smaller image, from which fine patterns are averaged out.

Guo, Rana, Cisse, van der Maaten. Countering adversarial images using input transformations. ICLR, 2018.
https://arxiv.org/abs/1711.00117
Bilinear with antialiasing. SSIM and PSNR are computed after enlarging the image to its old size.
"""

from dataclasses import dataclass

from torch.nn.functional import interpolate

from metric_robustness.defences.base import Aligned, Defence, DefenceNoise, Images


@dataclass(frozen=True)
class Resize(Defence):
    keeps_geometry = False
    presets = {"p10": {"scale": 0.1}, "p25": {"scale": 0.25}, "p75": {"scale": 0.75}, "p90": {"scale": 0.9}}
    verified = "Pillow's bilinear resampling"

    scale: float = 0.5  # of each side, which keeps at least one pixel

    def purify(self, images: Images, noise: DefenceNoise) -> Images:
        size = [max(round(side * self.scale), 1) for side in images.shape[2:]]
        return interpolate(images, size=size, mode="bilinear", antialias=True).clamp(0, 1)

    def align(self, purified: Images, clear: Images, noise: DefenceNoise) -> Aligned:
        enlarged = interpolate(purified, size=clear.shape[2:], mode="bilinear", antialias=True)
        return Aligned(enlarged.clamp(0, 1), clear)
