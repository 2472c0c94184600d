"""The contract of a metric."""

from __future__ import annotations

import io
from collections.abc import Iterator

import numpy as np
import torch
from PIL import Image, ImageFilter

from metric_robustness.metrics.base import Images, Metric, Scores, VideoMetric
from metric_robustness.pipeline.catalogue.entry import Entry
from metric_robustness.pipeline.contract.base import Check, checked, photographs, require
from metric_robustness.pipeline.data.images import to_tensor
from metric_robustness.pipeline.data.video import Pixels
from metric_robustness.pipeline.engine.metric.build import build_metric

TOLERANCE = 1e-4  # of the score range: what a batch may change
FRAMES, STEP = 4, 2  # frames of a clip, and the pixels that it moves from one frame to the next
LEVELS = {"blur": (1, 2, 4), "noise": (8, 20, 45), "JPEG": (40, 15, 5)}  # sigma in pixels, sigma of 255, quality


class MetricCheck:
    """The checks of one metric, on photographs. Each returns what it saw, and raises where a promise is broken."""

    def __init__(self, entry: Entry, device: torch.device) -> None:
        self.entry, self.device = entry, device
        self.metric: Metric = build_metric(entry, device)
        low, high = self.metric.score_range
        self.span = high - low
        self.size = max(self.metric.smallest, 128)
        self.images = self.material(self.size, self.size)
        self.distorted = (self.images * 0.9 + 0.05).clamp(0, 1)  # not equal to the references

    def material(self, height: int, width: int) -> Images:
        """Returns photographs of a size, (3, 3, height, width)."""
        return photographs(height, width).to(self.device)

    def score(self, images: Images, references: Images | None = None) -> Scores:
        """Returns the scores, one image at a time where the metric asks for that."""
        if not self.metric.full_reference:
            references = None
        if not self.metric.batch_dependent or len(images) == 1:
            scores: Scores = self.metric(images, references)
            return scores
        alone = [slice(index, index + 1) for index in range(len(images))]
        return torch.cat([self.score(images[i], None if references is None else references[i]) for i in alone])

    def finite(self) -> str:
        """Checks that every image has one finite score."""
        scores = self.score(self.distorted, self.images)
        require(bool(scores.isfinite().all()), f"got {scores.tolist()}: return finite scores")
        return ", ".join(f"{score:.4g}" for score in scores.tolist())

    def independent(self) -> str:
        """Checks that an image has the same score alone, in a batch and in another order."""
        if self.metric.random:
            return "declared random = True"
        together = self.score(self.distorted, self.images)
        turned = self.score(self.distorted.flip(0), self.images.flip(0)).flip(0)
        alone = torch.cat([self.score(self.distorted[i : i + 1], self.images[i : i + 1]) for i in range(len(together))])
        off = max((together - alone).abs().max().item(), (together - turned).abs().max().item()) / self.span
        require(
            off <= TOLERANCE,
            f"scores differ by {off:.2g} of the range: take no statistics over the batch, or batch_dependent = True",
        )
        return f"differs by {off:.1g} of the range"

    def deterministic(self) -> str:
        """Checks that a second call returns the same bits."""
        if self.metric.random:
            return "declared random = True"
        first, second = (self.score(self.distorted, self.images) for _ in range(2))
        require(
            torch.equal(first, second),
            f"scores differ by {(first - second).abs().max().item():.2g}: draw nothing at random, or random = True",
        )
        return "equal bits"

    def gradient(self) -> str:
        """Checks that a finite gradient that is not zero reaches the images."""
        if not self.metric.differentiable:
            return "declared differentiable = False"
        images = self.distorted.clone().requires_grad_()
        scores = self.score(images, self.images)
        require(scores.requires_grad, "none: something detaches it; keep to tensors, or differentiable = False")
        (slope,) = torch.autograd.grad(scores.sum(), images)
        require(bool(slope.isfinite().all()), "not finite: guard square roots, logarithms and divisions against zero")
        sizes = slope.abs().flatten(1).amax(dim=1)
        require(bool((sizes > 0).all()), "zero everywhere: rounding or clipping stops it, or differentiable = False")
        return f"largest {sizes.max().item() / self.span:.2g} of the range"

    def climbs(self) -> str:
        """Checks that a small step along the gradient raises the score: a wrong gradient would not."""
        if not self.metric.differentiable:
            return "declared differentiable = False"
        images = self.distorted.clone().requires_grad_()
        scores = self.score(images, self.images)
        (slope,) = torch.autograd.grad(scores.sum(), images)
        gains = []
        for step in (1 / 255, 1 / 1020):
            with torch.no_grad():
                stepped = self.score((self.distorted + step * slope.sign()).clamp(0, 1), self.images)
            gains.append((stepped - scores.detach()).mean().item() / self.span)
        require(max(gains) > 0, f"the score moves by {max(gains):.2g} of the range: part of the gradient is missing")
        return f"raises it by {max(gains):.2g} of the range"

    def flat(self) -> str:
        """Checks that score and gradient of a flat grey image are finite: such images occur."""
        images = torch.full_like(self.images[:1], 128 / 255).requires_grad_(self.metric.differentiable)
        scores = self.score(images, self.images[:1])
        require(bool(scores.isfinite().all()), f"the score is {scores.item()}: guard against zero variance")
        if self.metric.differentiable:
            (slope,) = torch.autograd.grad(scores.sum(), images, allow_unused=True)
            require(
                slope is not None and bool(slope.isfinite().all()), "the gradient is not finite: guard against zero"
            )
        return f"score {scores.item():.4g}"

    def sizes(self) -> str:
        """Checks that odd sizes are scored, and the smallest that the metric declares."""
        least = self.metric.smallest
        for height, width in ((least, least), (least + 1, least + 33), (self.size | 1, self.size + 18)):
            images = self.material(height, width)
            scores = self.score((images * 0.9 + 0.05).clamp(0, 1), images)
            require(
                bool(scores.isfinite().all()), f"not finite at {height}x{width}: set `smallest` to the side it needs"
            )
        return f"from {least}x{least}"

    def refuses(self) -> str:
        """Checks that values in [0, 255] raise an error, since they would give a wrong score unnoticed."""
        try:
            self.metric(self.images * 255, self.images)
        except ValueError as error:
            return str(error)
        require(False, "it accepts them: do not override `forward`, write `score`")
        return ""

    def ladder(self) -> str:
        """Checks that ever stronger blur, noise and JPEG move the score the declared way."""
        sign = 1 if self.metric.higher_is_better else -1
        falls = {}
        for kind, levels in LEVELS.items():
            with torch.no_grad():
                scores = [self.score(distorted(self.images, kind, level), self.images) for level in levels]
            falls[kind] = sign * (scores[0] - scores[-1]).mean().item() / self.span
        shown = ", ".join(f"{kind} {fall:+.2f}" for kind, fall in falls.items())
        require(
            sum(fall > 0 for fall in falls.values()) * 2 > len(falls),
            f"quality falls by {shown} of the range: turn higher_is_better round",
        )
        return f"quality falls by {shown} of the range"


class ClipCheck(MetricCheck):
    """The checks of one video metric, on photographs that move."""

    metric: VideoMetric

    def material(self, height: int, width: int) -> Images:
        """Returns clips in which a camera pans over photographs, (3, FRAMES, 3, height, width)."""
        wide = photographs(height, width + STEP * (FRAMES - 1)).to(self.device)
        return torch.stack([wide[..., STEP * i : STEP * i + width] for i in range(FRAMES)], dim=1)

    def frames_independent(self) -> str:
        """Checks that the features of a frame do not depend on its neighbours, since clips are scored in parts."""
        clip, references = self.distorted[0], self.images[0] if self.metric.full_reference else None
        with torch.no_grad():
            together = self.metric.features(clip, references)
            parts = []
            for i in range(FRAMES):
                seen = slice(max(i - self.metric.reference_context, 0), i + 1)
                parts.append(self.metric.features(clip[i : i + 1], None if references is None else references[seen]))
            scores = self.metric.pool(torch.stack([together, torch.cat(parts)]))
        off = (scores[0] - scores[1]).abs().item() / self.span
        require(
            off <= TOLERANCE,
            f"scored frame by frame, a clip differs by {off:.2g} of the range: take what other frames give in `pool`, "
            "or declare reference_context",
        )
        return f"differs by {off:.1g} of the range"


def distorted(images: Images, kind: str, level: int) -> Images:
    """Returns images, or the frames of clips, each distorted by itself."""
    clear = [
        np.asarray((image * 255).round().byte().permute(1, 2, 0).cpu())
        for image in images.reshape(-1, *images.shape[-3:])
    ]
    return to_tensor([distort(pixels, kind, level) for pixels in clear]).reshape(images.shape).to(images.device)


def distort(pixels: Pixels, kind: str, level: int) -> Pixels:
    """Returns an image, (H, W, 3) of 8 bits, blurred, with noise or compressed as JPEG.

    Args:
        pixels: The image.
        kind: blur, noise, or JPEG.
        level: The standard deviation of the blur in pixels, that of the noise in 1/255, or the JPEG quality.
    """
    image = Image.fromarray(pixels)
    if kind == "blur":
        return np.asarray(image.filter(ImageFilter.GaussianBlur(level)))
    if kind == "noise":
        noise = np.random.default_rng(0).normal(0, level, pixels.shape)
        return (pixels + noise).round().clip(0, 255).astype(np.uint8)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=level)
    return np.asarray(Image.open(buffer))


def check_metric(entry: Entry, device: torch.device) -> Iterator[Check]:
    """Yields what a metric must do and what the check saw.

    Raises:
        BenchError: If the metric cannot be built.
    """
    look = ClipCheck(entry, device) if entry.kind == "video" else MetricCheck(entry, device)
    yield from checked("return one finite score per image", look.finite)
    yield from checked("give the same score alone, in a batch and in another order", look.independent)
    yield from checked("be deterministic", look.deterministic)
    yield from checked("pass a finite, non-zero gradient to the images", look.gradient)
    yield from checked("rise along its gradient", look.climbs)
    yield from checked("stay finite on a flat image", look.flat)
    yield from checked("accept odd sizes from its smallest on", look.sizes)
    if isinstance(look, ClipCheck):
        yield from checked("give a frame the same features whatever its neighbours", look.frames_independent)
    yield from checked("refuse images outside [0, 1]", look.refuses)
    yield from checked("move the declared way with blur, noise and JPEG", look.ladder)
