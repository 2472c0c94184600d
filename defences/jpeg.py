"""JPEG: a real round trip through libjpeg at quality 50, with 4:2:0 subsampled colours.

Dziugaite, Ghahramani, Roy. A study of the effect of JPG compression on adversarial images. 2016.
https://arxiv.org/abs/1608.00853
It has no gradient, so an adaptive attack takes it as the identity.
"""

import io
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image

from metric_robustness.defences.base import Defence, DefenceNoise, Images


@dataclass(frozen=True)
class Jpeg(Defence):
    differentiable = False
    presets = {"q10": {"quality": 10}, "q30": {"quality": 30}, "q70": {"quality": 70}, "q90": {"quality": 90}}
    verified = "Pillow's JPEG, bit by bit"

    quality: int = 50  # 1 to 100

    def purify(self, images: Images, noise: DefenceNoise) -> Images:
        pixels = (images.detach() * 255).round().byte().permute(0, 2, 3, 1).cpu().numpy()
        decoded = []
        for image in pixels:
            buffer = io.BytesIO()
            Image.fromarray(image).save(buffer, "JPEG", quality=self.quality, subsampling="4:2:0")
            decoded.append(np.asarray(Image.open(buffer)))
        return torch.from_numpy(np.stack(decoded)).permute(0, 3, 1, 2).contiguous().to(images) / 255
