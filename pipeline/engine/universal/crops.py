"""Training crops: one of every image, cut out at random, decoded ahead, and held in memory as far as there is room."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from math import ceil
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image

from metric_robustness.metrics.base import Images
from metric_robustness.pipeline.cells.distortion import Distortion
from metric_robustness.pipeline.data.dataset import Dataset, Photo
from metric_robustness.pipeline.data.images import ahead, decode, distorted_by, to_tensor
from metric_robustness.pipeline.data.videos.video import Pixels
from metric_robustness.pipeline.engine.metric.objective import seed

MEMORY = 2**31  # bytes of crops that stay in memory; further ones are decoded again in every epoch
THREADS = 4


class CropBatch(NamedTuple):
    """Crops of one step."""

    names: list[str]
    images: Images  # (N, 3, side, side)
    references: Images | None  # the undistorted crops, for a full-reference metric


@dataclass
class Crops:
    """The crops of a training set: each image's is the same in every epoch, in every run and for every metric.

    Attributes:
        dataset: The training set.
        side: Of the crops, in pixels. A smaller image is enlarged until its shorter side is that long.
        distortion: Of the crops.
        paired: Whether a full-reference metric needs the undistorted crops, too.
        excluded: Images that could not be decoded, with the reason.
        enlarged: Names of the images that were smaller than a crop.
        in_memory: Crops that need not be decoded again, by the image's name.
    """

    dataset: Dataset
    side: int
    distortion: Distortion
    paired: bool
    excluded: dict[str, str] = field(default_factory=dict)
    enlarged: set[str] = field(default_factory=set)
    in_memory: dict[str, Pixels] = field(default_factory=dict)

    def steps(self, size: int, epochs: int) -> list[list[Photo]]:
        """Returns the images of every step: each once an epoch, in an order of the epoch's own."""
        photos = self.dataset.photos
        found = []
        for epoch in range(epochs):
            generator = torch.Generator().manual_seed(seed(f"order\n{self.dataset.digest}\n{epoch}"))
            order = torch.randperm(len(photos), generator=generator).tolist()
            found += [[photos[index] for index in order[start : start + size]] for start in range(0, len(order), size)]
        return found

    def batches(self, steps: list[list[Photo]]) -> Iterator[CropBatch]:
        """Yields the crops of each step, decoded in threads ahead of it; of a step without a usable image, none."""
        with ThreadPoolExecutor(THREADS) as pool:
            for _, batch in ahead(steps, lambda photos: self._load(photos, pool), depth=4):
                yield batch

    def _load(self, photos: list[Photo], pool: ThreadPoolExecutor) -> CropBatch:
        missing = [photo for photo in photos if photo.name not in self.in_memory and photo.name not in self.excluded]
        found = {photo.name: self.in_memory[photo.name] for photo in photos if photo.name in self.in_memory}
        room = MEMORY - len(self.in_memory) * 3 * self.side**2
        for photo, crop in zip(missing, pool.map(self._cut, missing), strict=True):
            if isinstance(crop, str):
                self.excluded[photo.name] = crop
                continue
            found[photo.name] = crop
            room -= crop.nbytes
            if room >= 0:
                self.in_memory[photo.name] = crop
        names = [photo.name for photo in photos if photo.name in found]
        clear = [found[name] for name in names]
        if not names:
            return CropBatch([], torch.empty(0, 3, self.side, self.side), None)
        distorted = [distorted_by(self.distortion, pixels) for pixels in clear]
        return CropBatch(names, to_tensor(distorted), to_tensor(clear) if self.paired else None)

    def _cut(self, photo: Photo) -> Pixels | str:
        """Returns an image's crop, or why it has none."""
        try:
            pixels = decode(photo.path, self.dataset.crop)
        except (OSError, SyntaxError, ValueError) as error:
            return f"cannot be decoded: {str(error).partition(chr(10))[0]}"
        height, width = pixels.shape[:2]
        if min(height, width) < self.side:
            self.enlarged.add(photo.name)
            scale = self.side / min(height, width)
            height, width = ceil(height * scale - 1e-6), ceil(width * scale - 1e-6)
            pixels = np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.BICUBIC))
        generator = torch.Generator().manual_seed(seed(f"crop\n{photo.name}"))
        top = int(torch.randint(height - self.side + 1, (), generator=generator))
        left = int(torch.randint(width - self.side + 1, (), generator=generator))
        crop: Pixels = pixels[top : top + self.side, left : left + self.side].copy()  # not a view of the whole image
        return crop
