"""A video metric at work on clips, window by window.

A clip of any length is scored and attacked in the memory of one window of frames, since a video metric's features of a
frame depend on no other frame.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from metric_robustness.metrics.base import Images, VideoMetric
from metric_robustness.pipeline.catalogue.entry import Entry
from metric_robustness.pipeline.cells.cell import clear_key
from metric_robustness.pipeline.cells.distortion import Distortion
from metric_robustness.pipeline.data.dataset import Dataset
from metric_robustness.pipeline.data.images import Batch, ahead, load_batch, to_tensor
from metric_robustness.pipeline.data.videos.codecs import Codec, as_pixels, encode
from metric_robustness.pipeline.data.videos.video import Reel, examine
from metric_robustness.pipeline.engine.batching import attempt
from metric_robustness.pipeline.engine.clips.windows import Showing, Window, windows
from metric_robustness.pipeline.engine.device import ON_CPU, Compute
from metric_robustness.pipeline.engine.metric.few_images import spread
from metric_robustness.pipeline.engine.metric.runner import MetricRunner
from metric_robustness.pipeline.engine.progress import OnProgress, Share, silent
from metric_robustness.pipeline.files import WRITING, digest, read_sealed, write_sealed
from metric_robustness.pipeline.store.sync import Sync

FEWEST = 2  # frames of a clip in which one follows another


class ClipRunner(MetricRunner):
    """A video metric at work on clips. It ignores photographs, which it cannot rate."""

    def scored(self, dataset: Dataset) -> list[str]:
        """Returns the names of the clips, in file order."""
        return list(dataset.clips)

    def missing_scores(
        self, dataset: Dataset, distortion: Distortion, done: Mapping[str, Any], on_progress: OnProgress
    ) -> Iterator[dict[str, float | str]]:
        """Yields the score of each clip that has none, or why there is none; keeps its features for the attacks."""
        for clip, photos in dataset.clips.items():
            if clip not in done:
                share = Share(on_progress, len(photos))
                yield {clip: attempt(partial(self._clear_score, dataset, clip, distortion, share))}
                share.end()

    def clear_features(
        self, dataset: Dataset, clip: str, distortion: Distortion, on_progress: OnProgress = silent
    ) -> Tensor:
        """Returns the (T, F) features of a clear clip, from the output folder if it has them."""
        key = clear_key(self.entry, dataset.digest, distortion)
        folder = self.scratch(f"features-{self.about(dataset, distortion)}")
        path, about = folder / f"{digest(clip.encode())[:16]}-{key}.array", f"features {key} {clip}"
        known = read_array(path, about)
        if known is not None:
            return torch.from_numpy(known).to(self.device)
        features = self.features(Showing(dataset, dataset.clips[clip], distortion, on_progress=on_progress))
        write_array(path, features.numpy(force=True), about)
        return features

    def features(self, showing: Showing) -> Tensor:
        """Returns the (T, F) features of a clip, read window by window, decoded ahead.

        Raises:
            ValueError: If a frame cannot be read, or a feature is not finite.
        """
        found = []
        with torch.no_grad():
            for window, batch in self.read(showing):
                scored = showing.frames(window, batch).to(self.device)
                references = None if batch.references is None else batch.references.to(self.device)
                found.append(self.video.features(scored, references))
                showing.on_progress(len(window.photos))
        features = torch.cat(found)
        if features.shape[0] != len(showing.photos) or not features.isfinite().all():
            raise ValueError(f"its features must be finite, one row per frame; got shape {tuple(features.shape)}")
        return features

    def score(self, showing: Showing) -> float:
        """Returns the score of a clip, re-encoded first if a codec is set.

        Raises:
            ValueError: As `features`; or if the codec gives back another number of frames.
        """
        if not self.codec:
            return self.pool(self.features(showing))
        if self.codec.quality is not None:

            def stored(window: Window, batch: Batch) -> Images:
                return self.recoded(showing.frames(window, batch))

            return self.pool(self.features(showing._replace(frames=stored)))
        with TemporaryDirectory(prefix=".recoded.", suffix=WRITING, dir=self.out / ".work") as folder:
            return self.pool(self.features(self._encoded(showing, self.codec, Path(folder) / "recoded.mkv")))

    def pool(self, features: Tensor) -> float:
        """Returns the score of a clip by its (T, F) features.

        Raises:
            ValueError: If it is not finite.
        """
        with torch.no_grad():
            score = self.video.pool(features[None]).float().item()
        if not math.isfinite(score):
            raise ValueError(f"its score is {score}")
        return score

    def read(self, showing: Showing, skip: int = 0) -> Iterator[tuple[Window, Batch]]:
        """Yields the windows of a clip from number `skip` on, with their frames; references include those before.

        Raises:
            ValueError: If a frame cannot be read.
        """
        photos, (height, width) = showing.photos, (showing.photos[0].height, showing.photos[0].width)
        needed = self.entry.fields["smallest"]
        if min(height, width) < needed:
            raise ValueError(f"{width}x{height} is smaller than the {needed} pixels that {self.entry.name} needs")
        paired, context = self.entry.full_reference, self.entry.fields.get("reference_context", 0)

        def load(window: Window) -> Batch:
            frames = [*window.before, *window.photos]
            batch = load_batch(frames, showing.dataset.crop, showing.distortion, paired=paired)
            if batch.excluded:
                name, reason = next(iter(batch.excluded.items()))
                raise ValueError(f"{name} {reason}")
            return Batch(window.photos, batch.images[len(window.before) :], batch.references, {})

        yield from ahead(windows(photos, showing.size or self.rule(height, width), context)[skip:], load)

    def few(self, dataset: Dataset, distortion: Distortion) -> Iterator[tuple[Images, Images | None]]:
        """Yields a few clips as the metric takes them, with their originals: of each two frames in the middle.

        Where memory holds a single frame, it is one: to take them costs no more than to attack a window.
        """
        for photos in spread(list(dataset.clips.values())):
            count = min(FEWEST, len(photos), self.rule(photos[0].height, photos[0].width))
            start = (len(photos) - count) // 2
            frames = photos[start : start + count]
            batch = load_batch(frames, dataset.crop, distortion, paired=self.entry.full_reference)
            if not batch.excluded:
                images, references = self.on_device(batch)
                yield images[None], None if references is None else references[None]

    @property
    def video(self) -> VideoMetric:
        """Returns the metric, typed as a video metric."""
        metric = self.metric
        if not isinstance(metric, VideoMetric):
            raise TypeError(f"{self.entry.name} must be a VideoMetric; got {type(metric).__name__}")
        return metric

    def _clear_score(self, dataset: Dataset, clip: str, distortion: Distortion, on_progress: OnProgress) -> float:
        if not self.codec:
            return self.pool(self.clear_features(dataset, clip, distortion, on_progress))
        return self.score(Showing(dataset, dataset.clips[clip], distortion, on_progress=on_progress))

    def _encoded(self, showing: Showing, codec: Codec, path: Path) -> Showing:
        """Writes a clip as a video; returns it as the video gives it back."""
        height, width = showing.photos[0].height, showing.photos[0].width
        frames = (image for read in self.read(showing) for image in as_pixels(showing.frames(*read)))
        encode(path, codec, height, width, frames)
        if (count := examine(path).frames) != len(showing.photos):
            raise ValueError(f"{self.codec_text} gives back {count} of {len(showing.photos)} frames")
        reel = Reel(path)

        def recoded(window: Window, _: Batch) -> Images:
            return to_tensor([reel.read(number) for number in range(window.start, window.stop)])

        return showing._replace(frames=recoded)


def open_runner(
    entry: Entry,
    out: Path,
    compute: Compute = ON_CPU,
    *,
    sync: Sync | None = None,
    codec: str = "",
) -> MetricRunner:
    """Returns a metric at work on images, or on clips if it rates clips."""
    kind = ClipRunner if entry.kind == "video" else MetricRunner
    return kind(entry, out, compute, sync=sync, codec=codec)


def write_array(path: Path, values: NDArray[Any], about: str) -> None:
    """Writes a sealed array; `about` says which."""
    buffer = io.BytesIO()
    np.save(buffer, values)
    write_sealed(path, buffer.getvalue(), about)


def read_array(path: Path, about: str) -> NDArray[Any] | None:
    """Returns a sealed array; None if it is not there, another one, or damaged."""
    content = read_sealed(path, about)
    return None if content is None else np.load(io.BytesIO(content), allow_pickle=False)
