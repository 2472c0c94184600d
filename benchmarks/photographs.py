"""The photographs to measure on: crops of those that scikit-image contains, so that nothing is downloaded."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import skimage
from PIL import Image

from metric_robustness.pipeline.data.dataset import Dataset, open_dataset

SOURCES = ("astronaut.png", "coffee.png", "motorcycle_left.png", "rocket.jpg")


def open_crops(folder: Path, count: int, side: int) -> Dataset:
    """Writes square PNG crops of photographs and opens them as a data set.

    Args:
        folder: Where to write them, in a sub-folder `photographs`.
        count: How many, up to 16.
        side: Their height and width in pixels, up to 400.
    """
    target = folder / "photographs"
    target.mkdir(parents=True)
    for down, right, source in list(product((0, 1), (0, 1), SOURCES))[:count]:
        with Image.open(Path(skimage.__file__).parent / "data" / source) as image:
            left, top = right * (image.width - side), down * (image.height - side)
            crop = image.convert("RGB").crop((left, top, left + side, top + side))
        crop.save(target / f"{Path(source).stem}_{down}{right}.png")
    return open_dataset(str(target))
