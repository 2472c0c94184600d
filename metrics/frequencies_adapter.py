"""Log-Gabor filters: band-passes over the frequencies of an image, zero in the corner, without the band's mean.

Field: Relations between the statistics of natural images and the response properties of cortical cells, Journal of the
Optical Society of America A 4(12), 1987. They have the bits of pyiqa's, whose package takes every job two seconds to
import.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

CUTOFF, ORDER = 0.45, 15  # of the Butterworth low-pass that leaves out the corners of the spectrum


def frequencies(height: int, width: int) -> tuple[Tensor, Tensor]:
    """Returns the frequencies down and across, (H, W) each, in cycles per pixel, zero in the middle.

    Along an odd side they end at 1/2 on both ends, as in pyiqa.
    """
    sides = ((torch.arange(side) - side // 2) / (side - side % 2) for side in (height, width))
    down, across = torch.meshgrid(*sides, indexing="ij")
    return down, across


def log_gabor(radius: Tensor, centre: float, bandwidth: float) -> Tensor:
    """Returns a filter without direction, (H, W).

    Args:
        radius: The frequencies, (H, W); where it is 0, in the corner, the filter is 0, too.
        centre: The frequency that it lets pass whole, in cycles per pixel.
        bandwidth: The standard deviation of the logarithm of those that it lets pass.
    """
    octaves = torch.log(torch.where(radius == 0, 1.0, radius) / centre)
    passed = torch.exp(-(octaves**2) / (2 * bandwidth**2))
    return torch.where(radius == 0, 0.0, passed)


def oriented(height: int, width: int, scales: int, orientations: int) -> Tensor:
    """Returns the filters of phase congruency, (orientations, scales, H, W): waves of 6 pixels, 12, 24 and so on.

    Kovesi: Image features from phase congruency, Videre 1(3), 1999.
    """
    down, across = frequencies(height, width)
    radius, angle = torch.sqrt(down**2 + across**2), torch.fft.ifftshift(torch.atan2(-across, down))
    low = torch.fft.ifftshift(1 / (1 + (radius / CUTOFF) ** (2 * ORDER)))
    radius = torch.fft.ifftshift(radius)
    bands = torch.stack([log_gabor(radius, 1 / (6 * 2**scale), math.log(0.55)) * low for scale in range(scales)])
    sine, cosine, spread = torch.sin(angle), torch.cos(angle), math.pi / (1.2 * orientations)
    directions = []
    for number in range(orientations):
        turn = number * math.pi / orientations
        apart = torch.atan2(
            sine * math.cos(turn) - cosine * math.sin(turn), cosine * math.cos(turn) + sine * math.sin(turn)
        )
        directions.append(torch.exp(-(apart**2) / (2 * spread**2)))
    return torch.stack(directions).unsqueeze(1) * bands
