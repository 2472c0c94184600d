"""Base classes of metrics: a metric maps a batch of images, or clips, to one score for each."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, Literal, TypeAlias

import torch
from torch import Tensor, nn

Images: TypeAlias = Tensor  # (N, 3, H, W), float32, RGB in [0, 1]
Clips: TypeAlias = Tensor  # (N, T, 3, H, W), the same values
Scores: TypeAlias = Tensor  # (N,), float32, one per image or clip

JUDGE = 20_190_610  # seeds the draws that a random metric's scores are judged by
JUDGEMENTS = 8  # calls that a random metric's score is the mean of


class Metric(nn.Module, ABC):
    """A quality metric; subclass `NoReference`, `FullReference` or `VideoMetric` instead.

    The attributes below must be literals, because the catalogue reads them from the source without importing it.
    """

    higher_is_better: ClassVar[bool]
    score_range: ClassVar[tuple[float, float]]  # of ordinary images, lowest and highest; ranges.csv replaces it
    full_reference: ClassVar[bool] = False  # True: it compares an image with its undistorted original
    differentiable: ClassVar[bool] = True  # False: white-box attacks skip it
    batch_dependent: ClassVar[bool] = False  # True: a score depends on the batch, so images are scored one by one
    random: ClassVar[bool] = False  # True: `score` draws from torch's generators; see `forward`
    smallest: ClassVar[int] = 7  # least height and width in pixels; smaller images are excluded, by name
    cost: ClassVar[Literal["light", "heavy"]] = "light"  # heavy: over 1 s for one gradient at 299x299 on 2 cores
    gpu_memory: ClassVar[int] = 8  # GB that a job needs; decides which kinds of GPU may run it
    weights: ClassVar[tuple[str, ...]] = ()  # files that it loads; see `pipeline.catalogue.entry.weights_path`
    trained_on: ClassVar[str] = ""  # data sets; "nothing" for a formula; empty: not stated
    licence: ClassVar[str] = ""  # of the code, and of the weights if known; empty: not stated
    verified: ClassVar[str] = ""  # what its scores were compared with; empty: nothing, and `list` says unverified

    def forward(self, images: Images, references: Images | None = None) -> Scores:
        """Checks the images, then scores each.

        Args:
            images: The batch, (N, 3, H, W) float32 in [0, 1]; (N, T, 3, H, W) for a video metric.
            references: Their undistorted originals, of the same shape; only a full-reference metric needs them.

        Returns:
            (N,) float32 scores in the metric's own unit.

        Raises:
            ValueError: If images or references are not float32 RGB in [0, 1], if references are missing, or if their
                shape differs.
        """
        require_images(images, "images", 5 if isinstance(self, VideoMetric) else 4)
        if references is not None:
            require_images(references, "references", images.ndim)
            if references.shape != images.shape:
                raise ValueError(
                    f"references must have the images' shape, {tuple(images.shape)}; got {tuple(references.shape)}: "
                    "give each image, or clip, its own original"
                )
        return self.judged(images, references) if self.random else self.unchecked(images, references)

    def judged(self, images: Images, references: Images | None = None) -> Scores:
        """Returns a random metric's scores: means over several calls of `score`, whose draws are always the same.

        So an image has one score, and no search has seen the draws that judge what it found.
        """
        with torch.random.fork_rng([images.device] if images.is_cuda else []):
            torch.manual_seed(JUDGE)
            return torch.stack([self.unchecked(images, references) for _ in range(JUDGEMENTS)]).mean(dim=0)

    def unchecked(self, images: Images, references: Images | None = None) -> Scores:
        """Scores images without checking their values; takes and returns what `forward` does.

        Attacks call it in their loops, where a check would make the CPU wait for the GPU. A random metric draws anew
        at each call.

        Raises:
            ValueError: If `score` does not return one score per image, or references are missing.
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
        """Returns the (N,) scores of (N, 3, H, W) images in [0, 1]."""

    def _scores(self, images: Images, references: Images | None) -> Scores:
        return self.score(images)


class FullReference(Metric):
    """A metric of the image against the undistorted original."""

    full_reference = True

    @abstractmethod
    def score(self, images: Images, references: Images) -> Scores:
        """Returns the (N,) scores of (N, 3, H, W) distorted images against their originals, both in [0, 1]."""

    def _scores(self, images: Images, references: Images | None) -> Scores:
        if references is None:
            raise ValueError(f"{type(self).__name__} must get references; got none: pass the originals of the images")
        return self.score(images, references)


class VideoMetric(Metric):
    """A metric of a clip: features of each frame, pooled over time; a full-reference one sets `full_reference`.

    The features of a frame must not depend on other frames. The engine can therefore score a clip of any length, and
    attack some frames at a time, in bounded memory: of the other frames it keeps only the features.
    """

    reference_context: ClassVar[int] = 0  # how many earlier originals the features of a frame use

    @abstractmethod
    def features(self, frames: Images, references: Images | None = None) -> Tensor:
        """Returns the (T, F) features of T consecutive frames.

        Args:
            frames: (T, 3, H, W) in [0, 1].
            references: For a full-reference metric, their originals, preceded by those of the `reference_context`
                frames before; at the beginning of a clip by fewer. (T to T + reference_context, 3, H, W).
        """

    @abstractmethod
    def pool(self, features: Tensor) -> Scores:
        """Returns the (N,) scores of the (N, T, F) features of whole clips."""

    def score(self, clips: Clips, references: Clips | None = None) -> Scores:
        """Returns the (N,) scores of (N, T, 3, H, W) clips; needs memory for whole clips."""
        originals = [None] * len(clips) if references is None else references
        return self.pool(torch.stack([self.features(*pair) for pair in zip(clips, originals, strict=True)]))

    def _scores(self, images: Clips, references: Clips | None) -> Scores:
        if not self.full_reference:
            return self.score(images)
        if references is None:
            raise ValueError(f"{type(self).__name__} must get references; got none: pass the originals of the clips")
        return self.score(images, references)


def require_images(images: Images, name: str, dimensions: int = 4) -> None:
    """Checks that images are a float32 RGB batch in [0, 1].

    Args:
        images: (N, 3, H, W), or (N, T, 3, H, W).
        name: What the error calls them.
        dimensions: How many dimensions they must have: 4 or 5.

    Raises:
        ValueError: If they are not.
    """
    if images.dtype != torch.float32 or images.ndim != dimensions or images.shape[-3] != 3:
        shape = "(N, 3, H, W)" if dimensions == 4 else "(N, T, 3, H, W)"
        raise ValueError(f"{name} must be float32 of shape {shape}; got {images.dtype} of shape {tuple(images.shape)}")
    low, high = images.detach().aminmax()
    if not (low >= 0 and high <= 1):  # NaN fails as well
        raise ValueError(f"{name} must lie in [0, 1]; got [{low:.4g}, {high:.4g}]: divide 8-bit images by 255")
