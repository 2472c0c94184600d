"""What a defence is: a change of the image before the metric sees it, or another training of the metric."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NamedTuple, Protocol, TypeAlias, final

import torch
from torch import Tensor

Images: TypeAlias = Tensor  # (N, 3, H, W), float32, RGB in [0, 1]
Qualities: TypeAlias = Tensor  # (N,), 0 to 100, 100 being the best, whatever the metric's own unit


class Noise(Protocol):
    """Randomness that depends on the defence and the image alone, not on batch, order or device."""

    def uniform(self, like: Images) -> Images:
        """Returns samples from [-1, 1), of the shape of `like`."""

    def normal(self, like: Images) -> Images:
        """Returns samples from N(0, 1), of the shape of `like`."""


class Aligned(NamedTuple):
    """Two batches of one size that show the same, pixel on pixel, so that SSIM and PSNR mean something."""

    purified: Images
    clear: Images


@dataclass(frozen=True)
class Defence(ABC):
    """A purification with its settings; every field has a default, the one the benchmark runs.

    The class attributes are literals: the catalogue reads them from the source, without importing.
    """

    differentiable: ClassVar[bool] = True  # False: an adaptive attack goes straight through it
    random: ClassVar[bool] = False  # True: an adaptive attack averages over draws
    keeps_geometry: ClassVar[bool] = True  # False: pixels move or the size changes, see `align`
    cost: ClassVar[Literal["light", "heavy"]] = "light"  # heavy: over 1 s for one gradient at 299x299 on 2 cores
    gpu_memory: ClassVar[int] = 0  # GB that one job needs beside what the metric needs
    weights: ClassVar[tuple[str, ...]] = ()  # files it loads, see `pipeline.catalogue.entry.weights_path`
    small: ClassVar[bool] = False  # True: a small network of ours, in place of a published one
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {}  # other settings that run beside the default
    licence: ClassVar[str] = "the project's"  # of the code, and of the weights where it has some
    verified: ClassVar[str] = ""  # what its images were compared with; empty: unverified

    @final
    def __call__(self, images: Images, noise: Noise) -> Images:
        """Purifies the batch and guarantees the result; gradients pass where the defence is differentiable.

        Args:
            images: (N, 3, H, W) in [0, 1]; left untouched.
            noise: The only source of randomness.

        Returns:
            The purified images, (N, 3, H, W) in [0, 1]; H and W may differ where `keeps_geometry` is False.

        Raises:
            ValueError: If `purify` returns another shape, values that are not finite, or values outside [0, 1].
        """
        purified = self.purify(images, noise)
        name, shape = type(self).__name__, tuple(purified.shape)
        same = shape[:2] if not self.keeps_geometry and len(shape) == 4 else shape
        if same != images.shape[: len(same)] or purified.numel() == 0:
            raise ValueError(
                f"{name}.purify must return images of shape {tuple(images.shape)}; got {shape}: "
                "keep the size, or declare keeps_geometry = False"
            )
        low, high = (bound.item() for bound in purified.detach().aminmax())  # NaN and infinity come through both
        if not (low >= 0 and high <= 1):
            raise ValueError(f"{name}.purify must return values in [0, 1]; got {low:.4g} to {high:.4g}: clamp them")
        return purified

    @abstractmethod
    def purify(self, images: Images, noise: Noise) -> Images:
        """Returns the purified images, in [0, 1]."""

    def align(self, purified: Images, clear: Images, noise: Noise) -> Aligned:
        """Returns purified and clear images as far as both show the same; a defence that moves pixels overrides it.

        Args:
            purified: What this defence made of the clear images or of attacked ones.
            clear: The clear images, of the size before purification.
            noise: As it was at the beginning of the purification: the draws of `purify` are drawn again.
        """
        return Aligned(purified, clear)


@dataclass(frozen=True)
class Smoothing(Defence):
    """A defence behind which the score is the median over many noisy copies, with an interval that it certifies.

    `purify` returns one of the copies: an attack that knows the defence averages over some of them.
    """

    random = True

    sigma: float = 0.12  # of the Gaussian noise
    samples: int = 1000  # copies, of whose scores the median is taken
    radius: float = 0.12  # l2 norm of the changes that the interval is certified for, of pixels in [0, 1]
    error: float = 0.001  # the probability that a bound of the interval is wrong, of each of the two


@dataclass(frozen=True)
class RobustTraining(Defence):
    """A defence that trains the metric against attacks, and leaves what it sees as it is.

    METRIC+NAME is a metric where `python -m pipeline train METRIC+NAME` made its weights.
    """

    @final
    def purify(self, images: Images, noise: Noise) -> Images:
        """Returns the images."""
        return images

    @abstractmethod
    def loss(
        self,
        rate: Callable[[Images], Qualities],
        images: Images,
        labels: Qualities,
        error: Callable[[Qualities, Qualities], Tensor],
        generator: torch.Generator,
    ) -> Tensor:
        """Returns what training lowers, (), with a gradient to the metric's weights.

        Args:
            rate: The metric in training.
            images: The batch.
            labels: The qualities that it is to learn.
            error: How far qualities are from those wanted, ().
            generator: The only source of randomness.
        """
