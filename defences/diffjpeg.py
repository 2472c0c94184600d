"""Differentiable JPEG: its steps as smooth formulas, so that an attack sees through them; quality 50.

Shin, Song. JPEG-resistant adversarial images. NIPS Workshop on Machine Learning and Computer Security, 2017.
Reich, Debnath, Patel, Chakradhar. Differentiable JPEG: the devil is in the details. WACV, 2024.
https://arxiv.org/abs/2309.06978
"""

from dataclasses import dataclass

from kornia.enhance import jpeg_codec_differentiable

from metric_robustness.defences.base import Defence, DefenceNoise, Images


@dataclass(frozen=True)
class DiffJpeg(Defence):
    presets = {"q10": {"quality": 10}, "q30": {"quality": 30}, "q70": {"quality": 70}, "q90": {"quality": 90}}
    licence = "the project's; kornia: Apache-2.0"
    verified = "Pillow's JPEG, from which it differs by less than 35 dB of PSNR"

    quality: int = 50  # 1 to 100

    def purify(self, images: Images, noise: DefenceNoise) -> Images:
        quality = images.new_full((1,), self.quality)
        return jpeg_codec_differentiable(images, quality).clamp(0, 1)
