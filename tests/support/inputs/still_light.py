"""Colours as light: what pixels of another colour space are in sRGB, by the published formulas."""

from __future__ import annotations

import numpy as np
from still_case import RGB


def light(levels: np.ndarray) -> np.ndarray:
    """Returns 8-bit sRGB as light, 0 to 1, as IEC 61966-2-1 has it."""
    value = levels / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def levels(shone: np.ndarray) -> np.ndarray:
    """Returns light as 8-bit sRGB."""
    shone = shone.clip(0, 1)
    value = np.where(shone <= 0.0031308, shone * 12.92, 1.055 * shone ** (1 / 2.4) - 0.055)
    return np.round(value * 255).astype(np.uint8)


# From a space's light to sRGB's: the published matrices of CSS Color 4.
FROM_P3 = np.array([[1.2249402, -0.2249402, 0], [-0.0420569, 1.0420569, 0], [-0.0196376, -0.0786361, 1.0982735]])
FROM_ADOBE = np.array([[1.3983557, -0.3983557, 0], [0, 1, 0], [0, -0.0429290, 1.0429290]])
AS_P3 = levels(light(RGB) @ FROM_P3.T)
AS_ADOBE = levels((RGB / 255) ** (563 / 256) @ FROM_ADOBE.T)
AS_LINEAR = levels(RGB / 255)
