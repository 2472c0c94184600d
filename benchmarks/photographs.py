"""The photographs that are attacked: crops of those that scikit-image carries, so that nothing is downloaded."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import skimage
from PIL import Image

SOURCES = ("astronaut.png", "coffee.png", "motorcycle_left.png", "rocket.jpg")


def write_crops(folder: Path, count: int, side: int) -> None:
    """Writes square PNG crops of photographs.

    Args:
        folder: Where to, made if need be.
        count: How many, up to 16.
        side: Their height and width in pixels, up to 400.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for down, right, source in list(product((0, 1), (0, 1), SOURCES))[:count]:
        with Image.open(Path(skimage.__file__).parent / "data" / source) as image:
            left, top = right * (image.width - side), down * (image.height - side)
            crop = image.convert("RGB").crop((left, top, left + side, top + side))
        crop.save(folder / f"{Path(source).stem}_{down}{right}.png")
