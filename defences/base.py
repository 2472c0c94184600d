"""What a defence is: a change of the image before the metric sees it, meant to undo an attack."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Protocol, TypeAlias

from torch import Tensor

Images: TypeAlias = Tensor  # (N, 3, H, W), float32, RGB in [0, 1]


class Noise(Protocol):
    """Randomness that depends on the defence and the image alone, not on batch, order or device."""

    def uniform(self, like: Images) -> Images:
        """Returns samples from [-1, 1), of the shape of `like`."""

    def normal(self, like: Images) -> Images:
        """Returns samples from N(0, 1), of the shape of `like`."""


@dataclass(frozen=True)
class Defence(ABC):
    """A purification with its settings; every field has a default, the one the benchmark runs."""

    differentiable: ClassVar[bool] = True  # False: an adaptive attack goes straight through it
    random: ClassVar[bool] = False  # True: an adaptive attack averages over draws
    keeps_geometry: ClassVar[bool] = True  # False: pixels move, so SSIM and PSNR need them aligned first
    weights: ClassVar[tuple[str, ...]] = ()  # files it loads, see `pipeline.catalog.weights_path`

    @abstractmethod
    def purify(self, images: Images, noise: Noise) -> Images:
        """Returns the purified images, in [0, 1]."""
