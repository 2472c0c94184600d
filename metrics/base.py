"""What a metric is: a function from a batch of images to one score per image."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, Literal, TypeAlias

import torch
from torch import Tensor, nn

Images: TypeAlias = Tensor  # (N, 3, H, W), float32, RGB in [0, 1]
Clips: TypeAlias = Tensor  # (N, T, 3, H, W), same values
Scores: TypeAlias = Tensor  # (N,), float32, one per image or clip


class Metric(nn.Module, ABC):
    """A quality metric; subclass `NoReference`, `FullReference` or `VideoMetric` instead.

    The attributes below are literals: the catalogue reads them from the source, without importing.
    """

    higher_is_better: ClassVar[bool]
    score_range: ClassVar[tuple[float, float]]  # of ordinary images: the scale until results/ranges.csv measured one
    full_reference: ClassVar[bool] = False  # True: it compares with the undistorted original
    differentiable: ClassVar[bool] = True  # False: no white-box attack is run on it
    batch_dependent: ClassVar[bool] = False  # True: images are scored one by one
    random: ClassVar[bool] = False  # True: two scores of one image differ
    smallest: ClassVar[int] = 7  # least height and width in pixels; smaller images are left out, by name
    cost: ClassVar[Literal["light", "heavy"]] = "light"  # heavy: over 1 s for one gradient at 299x299 on 2 cores
    gpu_memory: ClassVar[int] = 8  # GB one job needs; decides which GPU kind may run it
    weights: ClassVar[tuple[str, ...]] = ()  # files it loads, see `pipeline.catalogue.entry.weights_path`
    trained_on: ClassVar[str] = ""  # the data sets, "nothing" of a formula; empty: not stated
    licence: ClassVar[str] = ""  # of the code, and of the weights where known; empty: not stated
    verified: ClassVar[str] = ""  # what its scores were compared with; empty: `list` shows unverified

    def forward(self, images: Images, references: Images | None = None) -> Scores:
        """Checks the images, then scores each of them.

        Args:
            images: The batch, (N, 3, H, W) float32 in [0, 1]; (N, T, 3, H, W) for a video metric.
            references: The undistorted originals, of the same shape; only a full-reference metric needs them.

        Returns:
            (N,) float32 scores in the metric's own unit.

        Raises:
            ValueError: If images or references are not float32 RGB in [0, 1], or references are missing or of other
                sizes or lengths.
        """
        require_images(images, "images", 5 if isinstance(self, VideoMetric) else 4)
        if references is not None:
            require_images(references, "references", images.ndim)
            if references.shape != images.shape:
                raise ValueError(
                    f"references must have the images' shape, {tuple(images.shape)}; got {tuple(references.shape)}: "
                    "give each image, or clip, its own original"
                )
        return self.unchecked(images, references)

    def unchecked(self, images: Images, references: Images | None = None) -> Scores:
        """Scores without looking at the values: for the loops of an attack, where a look would wait for the GPU.

        Raises:
            ValueError: If the author's `score` does not return one score per image.
        """
        scores = self._scores(images, references)
        if scores.shape != (len(images),):
            raise ValueError(
                f"{type(self).__name__}.score must return one score per image, shape ({len(images)},); "
                f"got shape {tuple(scores.shape)}: reduce over channels and pixels, never over the batch"
            )
        return scores.float()

    @abstractmethod
    def _scores(self, images: Images, references: Images | None) -> Scores: ...


class NoReference(Metric):
    """A metric of the image alone."""

    @abstractmethod
    def score(self, images: Images) -> Scores:
        """Returns the (N,) scores of (N, 3, H, W) images."""

    def _scores(self, images: Images, references: Images | None) -> Scores:
        return self.score(images)


class FullReference(Metric):
    """A metric of the image against the undistorted original."""

    full_reference = True

    @abstractmethod
    def score(self, images: Images, references: Images) -> Scores:
        """Returns the (N,) scores of (N, 3, H, W) distorted images against their originals."""

    def _scores(self, images: Images, references: Images | None) -> Scores:
        if references is None:
            raise ValueError(f"{type(self).__name__} is full-reference: pass references as well as images")
        return self.score(images, references)


class VideoMetric(Metric):
    """A metric of a clip: features of each frame, pooled over time. It declares `full_reference` where it is one.

    That the features of a frame depend on no other frame is what lets a clip of any length be scored, and attacked some
    frames at a time, in bounded memory: the features of all other frames are kept.
    """

    reference_context: ClassVar[int] = 0  # how many earlier originals the features of a frame look back at

    @abstractmethod
    def features(self, frames: Images, references: Images | None = None) -> Tensor:
        """Returns the (T, F) features of (T, 3, H, W) frames that follow each other.

        Args:
            frames: The frames; each has features of its own.
            references: Their originals, for a full-reference metric, preceded by those of up to `reference_context`
                earlier frames: by fewer at the beginning of the clip.
        """

    @abstractmethod
    def pool(self, features: Tensor) -> Scores:
        """Returns the (N,) scores of the (N, T, F) features of whole clips."""

    def score(self, clips: Clips, references: Clips | None = None) -> Scores:
        """Returns the (N,) scores of (N, T, 3, H, W) clips, which are held in memory whole."""
        originals = [None] * len(clips) if references is None else references
        return self.pool(torch.stack([self.features(*pair) for pair in zip(clips, originals, strict=True)]))

    def _scores(self, images: Clips, references: Clips | None) -> Scores:
        if not self.full_reference:
            return self.score(images)
        if references is None:
            raise ValueError(f"{type(self).__name__} is full-reference: pass references as well as clips")
        return self.score(images, references)


def require_images(images: Images, name: str, dimensions: int = 4) -> None:
    """Raises ValueError unless `images` is a float32 RGB batch in [0, 1]."""
    if images.dtype != torch.float32 or images.ndim != dimensions or images.shape[-3] != 3:
        shape = "(N, 3, H, W)" if dimensions == 4 else "(N, T, 3, H, W)"
        raise ValueError(f"{name} must be float32 of shape {shape}; got {images.dtype} of shape {tuple(images.shape)}")
    low, high = images.detach().aminmax()
    if not (low >= 0 and high <= 1):  # also false for NaN
        raise ValueError(f"{name} must lie in [0, 1]; got [{low:.4g}, {high:.4g}]: divide 8-bit images by 255")
