"""Random directions with few unknowns: equal within blocks of pixels (Ilyas et al., ICLR 2019)."""

from __future__ import annotations

from math import ceil

from metric_robustness.attacks.base import Images, Noise


def block_noise(images: Images, side: int, noise: Noise) -> Images:
    """Returns normal values in the images' shape, (N, 3, H, W), equal within each of about side x side blocks."""
    height, width = images.shape[2:]
    block = ceil(height / side), ceil(width / side)
    values = noise.normal(images.new_empty(len(images), 3, ceil(height / block[0]), ceil(width / block[1])))
    wide = values.repeat_interleave(block[0], dim=2).repeat_interleave(block[1], dim=3)
    return wide[..., :height, :width]
