"""A Gaussian window over rows and columns at once, in float32, with the bits of MATLAB's and pyiqa's `fspecial`."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


def gaussian_window(height: int, width: int, sigma: float) -> Tensor:
    """Returns (1, 1, height, width) weights of sum 1, up to rounding."""
    across, down = np.meshgrid(*(np.arange(side) - (side - 1) / 2 for side in (width, height)))
    weights = np.exp(-(across**2 + down**2) / (2 * sigma**2))
    weights[weights < np.finfo(np.float64).eps * weights.max()] = 0
    return torch.from_numpy(weights / weights.sum()).float()[None, None]
