"""Visual saliency from simple priors (SDSP): band-pass response, warm colours and nearness to the centre.

Zhang, Gu, Li: SDSP: a novel saliency detection method by combining simple priors, ICIP 2013.
https://doi.org/10.1109/ICIP.2013.6738036
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, interpolate

from metric_robustness.metrics.base import Images
from metric_robustness.metrics.frequencies_adapter import frequencies, log_gabor

SIDE = 256  # of the image that saliency is found in, in pixels
CENTRE_FREQUENCY, BANDWIDTH = 0.021, 1.34  # of the log-Gabor filter
HIGHEST = 0.5  # frequency that the filter lets pass, in cycles per pixel
NEARNESS, WARMTH = 145.0, 0.001  # widths of the priors
XYZ = ((0.4124564, 0.3575761, 0.1804375), (0.2126729, 0.7151522, 0.0721750), (0.0193339, 0.1191920, 0.9503041))
WHITE = (0.9642119944211994, 1, 0.8251882845188288)  # D50
LAB = ((0, 116, 0), (500, -500, 0), (0, 200, -200))
FLAT = 5e-3  # a range of colours below this is rounding; a step of 8 bits makes over 0.05
EPS = torch.finfo(torch.double).eps


class Saliency(nn.Module):
    """Maps (N, 3, H, W) images in [0, 1] to their (N, 1, H, W) saliency in [0, 1]."""

    band: Tensor  # (256, 129): the log-Gabor filter, which is even
    nearness: Tensor  # (256, 256)

    def __init__(self) -> None:
        super().__init__()
        places = torch.stack(frequencies(SIDE, SIDE))
        radius = places.square().sum(0).sqrt()
        radius = torch.fft.ifftshift(radius * (radius <= HIGHEST))
        band = log_gabor(radius, CENTRE_FREQUENCY, BANDWIDTH)[:, : SIDE // 2 + 1]
        places = places * SIDE + 1
        self.register_buffer("band", band.contiguous(), persistent=False)
        self.register_buffer("nearness", (-places.square().sum(0) / NEARNESS**2).exp(), persistent=False)

    def forward(self, images: Images) -> Tensor:
        colours = lab(interpolate(images, (SIDE, SIDE), mode="bilinear", align_corners=False))
        response = torch.fft.irfft2(torch.fft.rfft2(colours) * self.band)
        contrast = (response.square().sum(1, keepdim=True) + EPS).sqrt()
        warmth = 1 - (-stretched(colours[:, 1:], FLAT).square().sum(1, keepdim=True) / WARMTH**2).exp()
        salient = contrast * self.nearness * warmth
        return stretched(interpolate(salient, images.shape[2:], mode="bilinear", align_corners=True))


def stretched(maps: Tensor, least: float = 0.0) -> Tensor:
    """Returns maps whose lowest value is 0 and whose highest is 1; 0 where the range is at most `least`."""
    low, high = maps.amin((2, 3), keepdim=True), maps.amax((2, 3), keepdim=True)
    return (maps - low) / (high - low + EPS) * (high - low > least)


def lab(images: Images) -> Tensor:
    """Returns the CIE Lab colours of (N, 3, H, W) images in [0, 1], with a white of D50 as in pyiqa."""
    linear = torch.where(images > 0.04045, ((images + 0.055) / 1.055) ** 2.4, images / 12.92)
    matrix = images.new_tensor(XYZ) / images.new_tensor(WHITE).unsqueeze(1)
    relative = conv2d(linear, matrix.reshape(3, 3, 1, 1))
    bright = relative > 0.008856
    cubic = torch.where(bright, relative, 1.0) ** (1 / 3)  # a dark one would have a large gradient that is not used
    scaled = torch.where(bright, cubic, (903.3 * relative + 16) / 116)
    return conv2d(scaled, images.new_tensor(LAB).reshape(3, 3, 1, 1), images.new_tensor((-16, 0, 0)))
