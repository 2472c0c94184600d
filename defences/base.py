"""Base classes of defences: a change of the image before the metric sees it, or another training of the metric."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NamedTuple, Protocol, TypeAlias, final

import torch
from torch import Tensor

Images: TypeAlias = Tensor  # (N, 3, H, W), float32, RGB in [0, 1]
Qualities: TypeAlias = Tensor  # (N,), from 0 to 100 for the best, whatever unit the metric has


class DefenceNoise(Protocol):
    """Random numbers that depend on the defence and the image alone, not on batch, order or device."""

    def uniform(self, like: Images) -> Images:
        """Returns uniform samples from [-1, 1) in the shape of `like`, (N, ...): each image has its own."""

    def normal(self, like: Images) -> Images:
        """Returns samples from N(0, 1) in the shape of `like`, (N, ...): each image has its own."""


class Aligned(NamedTuple):
    """Two batches of one size that agree pixel by pixel in what they show, as SSIM and PSNR require."""

    purified: Images
    clear: Images


@dataclass(frozen=True)
class Defence(ABC):
    """A purification with its settings, which are the fields; the benchmark runs the defaults.

    Class attributes must be literals, because the catalogue reads them from the source without importing it.
    """

    differentiable: ClassVar[bool] = True  # False: an adaptive attack takes its gradient as the identity
    random: ClassVar[bool] = False  # True: an adaptive attack averages over draws
    keeps_geometry: ClassVar[bool] = True  # False: it moves pixels or changes the size; see `align`
    cost: ClassVar[Literal["light", "heavy"]] = "light"  # heavy: over 1 s for one gradient at 299x299 on 2 cores
    gpu_memory: ClassVar[int] = 0  # GB that a job needs in addition to what the metric needs
    weights: ClassVar[tuple[str, ...]] = ()  # files that it loads; see `pipeline.catalogue.entry.weights_path`
    small: ClassVar[bool] = False  # True: a small network of the project stands in for a published one
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {}  # name: settings that run as well as the defaults
    licence: ClassVar[str] = "the project's"  # of the code and of the weights
    verified: ClassVar[str] = ""  # what its images were compared with; empty: nothing

    @final
    def __call__(self, images: Images, noise: DefenceNoise) -> Images:
        """Purifies a batch and checks the result; gradients pass if the defence is differentiable.

        Args:
            images: (N, 3, H, W) in [0, 1]; stay unchanged.
            noise: The only source of random numbers.

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
        low, high = (bound.item() for bound in purified.detach().aminmax())  # NaN and infinity show in both bounds
        if not (low >= 0 and high <= 1):
            raise ValueError(f"{name}.purify must return values in [0, 1]; got {low:.4g} to {high:.4g}: clamp them")
        return purified

    @abstractmethod
    def purify(self, images: Images, noise: DefenceNoise) -> Images:
        """Returns the purified images, (N, 3, H, W) in [0, 1].

        Args:
            images: (N, 3, H, W) in [0, 1], not to be written into.
            noise: The only source of random numbers.
        """

    def align(self, purified: Images, clear: Images, noise: DefenceNoise) -> Aligned:
        """Returns the parts of purified and clear images that show the same; defences that move pixels override it.

        Args:
            purified: This defence's output for the clear images or for attacked ones, (N, 3, h, w).
            clear: The clear images before purification, (N, 3, H, W).
            noise: In the state that it had before `purify`, so that it repeats the same draws.
        """
        return Aligned(purified, clear)


@dataclass(frozen=True)
class Smoothing(Defence):
    """A defence that scores many noisy copies of an image and returns their median, with a certified interval.

    `purify` returns one of the copies. An attack that knows the defence averages over several.
    """

    random = True

    sigma: float = 0.12  # of the Gaussian noise, for pixels in [0, 1]
    samples: int = 1000  # copies whose scores the median is taken of
    radius: float = 0.12  # largest l2 norm of a change that the interval certifies, for pixels in [0, 1]
    error: float = 0.001  # probability that a bound of the interval is wrong, for each bound

    def purify(self, images: Images, noise: DefenceNoise) -> Images:
        """Returns what the metric sees of one noisy copy of each image."""
        return self.seen((images + self.sigma * noise.normal(images)).clamp(0, 1))

    def seen(self, copies: Images) -> Images:
        """Returns what the metric sees of noisy copies, (N, 3, H, W) in [0, 1]; any function of them is certified."""
        return copies


@dataclass(frozen=True)
class Ensemble(Defence):
    """A defence that scores several copies of an image, each changed at random, and returns the mean of their scores.

    `purify` returns one of the copies. An attack that knows the defence averages over several.
    """

    random = True

    samples: int = 8  # copies whose scores the mean is taken of


@dataclass(frozen=True)
class RobustTraining(Defence):
    """A defence that trains the metric against attacks and does not change the images.

    The metric METRIC+NAME exists once `python -m pipeline train METRIC+NAME` has written its weights.
    """

    @final
    def purify(self, images: Images, noise: DefenceNoise) -> Images:
        """Returns the images unchanged."""
        return images

    def fitted(self, rate: Callable[[Images], Qualities], images: Images) -> RobustTraining:
        """Returns the training with what it measures of a metric before the first step; by default nothing.

        Args:
            rate: The metric, not yet trained, as `loss` gets it.
            images: Some that it will be trained on, (N, 3, H, W) in [0, 1].
        """
        return self

    @abstractmethod
    def loss(
        self,
        rate: Callable[[Images], Qualities],
        images: Images,
        labels: Qualities,
        error: Callable[[Qualities, Qualities], Tensor],
        generator: torch.Generator,
    ) -> Tensor:
        """Returns what training minimises, a single number with a gradient to the metric's weights.

        Args:
            rate: The metric in training: (N, 3, H, W) images in [0, 1] to (N,) qualities.
            images: The batch, (N, 3, H, W) in [0, 1].
            labels: The (N,) qualities that the metric shall learn.
            error: Returns how far (N,) qualities are from the wanted ones, a single number.
            generator: The only source of random numbers.
        """
