"""The windows of a clip: some frames that follow each other, and the clip's score as a function of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from metric_robustness.metrics.base import Images, Scores, VideoMetric
from metric_robustness.pipeline.cells.distortion import Distortion
from metric_robustness.pipeline.data.dataset import Dataset, Photo
from metric_robustness.pipeline.data.images import Batch
from metric_robustness.pipeline.engine.progress import OnProgress, silent


class Window(NamedTuple):
    """Some frames of a clip that follow each other."""

    start: int
    photos: list[Photo]
    before: list[Photo]  # whose originals the features look back at

    @property
    def stop(self) -> int:
        """Returns the index after the last frame."""
        return self.start + len(self.photos)


Frames = Callable[[Window, Batch], Images]  # turns the frames read in a window into those to score


def read_as_they_are(_: Window, batch: Batch) -> Images:
    """Returns the frames of a window as they were read."""
    return batch.images


class Showing(NamedTuple):
    """A clip as the metric scores it: which frames to read, and how to change them first."""

    dataset: Dataset
    photos: Sequence[Photo]  # the frames
    distortion: Distortion
    frames: Frames = read_as_they_are  # turns the frames read into those to score
    size: int | None = None  # of the windows; None for the runner's own rule
    on_progress: OnProgress = silent  # is called with how many more frames have their features


def windows(photos: Sequence[Photo], size: int, context: int) -> list[Window]:
    """Returns a clip in windows of at most `size` frames, each with up to `context` frames before it."""
    return [
        Window(start, list(photos[start : start + size]), list(photos[max(start - context, 0) : start]))
        for start in range(0, len(photos), size)
    ]


class WindowScore:
    """A clip's score as a function of the frames of one window, the frames of all others staying as they are.

    To the objective it is a metric of images: every frame gets the clip's score. Its gradient is that of the clip's
    score, not of the sum over the frames, whatever the size of the window.

    Args:
        metric: The metric, or the copy of it that searches run on.
        features: The clear clip's, (T, F), by the metric itself: a copy that agrees with it has the same in all digits
            that matter, so that both may stand beside each other.
        window: The frames.
    """

    def __init__(self, metric: VideoMetric, features: Tensor, window: Window) -> None:
        self.metric = metric
        self.higher_is_better, self.score_range = metric.higher_is_better, metric.score_range
        self.before, self.after = features[: window.start], features[window.stop :]

    def unchecked(self, images: Images, references: Images | None = None) -> Scores:
        """Returns the clip's score for each of the (N, 3, H, W) frames."""
        found = self.metric.features(images, references).to(self.before.dtype)
        score = self.metric.pool(torch.cat([self.before, found, self.after])[None]).float()
        shown = score.detach().expand(len(images))
        return shown + (score - score.detach()).expand(len(images)) / len(images)
