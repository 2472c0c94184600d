"""Clips, some frames at a time: their features, and how an attack sees them.

A clip of any length is scored and attacked in the memory of one window of frames, since a video metric's features of a
frame depend on no other frame.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple, TypeVar

import numpy as np
import torch
from torch import Tensor

from metrics.base import Images, Scores, VideoMetric
from pipeline.catalogue.entry import Entry
from pipeline.cells.cell import clear_key
from pipeline.config import Quality
from pipeline.data.codecs import as_pixels, encode
from pipeline.data.dataset import Dataset, Photo
from pipeline.data.images import Batch, ahead, load_batch, to_tensor
from pipeline.data.video import Reel, examine
from pipeline.engine.batching import one_line, out_of_memory
from pipeline.engine.checkpoint import Checkpoint
from pipeline.engine.metric.runner import Clear, MetricRunner, Report
from pipeline.errors import BenchError, TransientError
from pipeline.files import digest, exclusive, write_atomically
from pipeline.store.store import Place
from pipeline.store.sync import Sync

Result = TypeVar("Result")
Frames = Callable[["Window", Batch], Images]  # what is scored in a window, of the frames that were read there
Told = Callable[[int], None]  # hears how many more frames are done


def silent(frames: int) -> None:
    """Hears of progress and says nothing."""


def read_as_they_are(_: Window, batch: Batch) -> Images:
    """Returns the frames of a window as they were read."""
    return batch.images


class Window(NamedTuple):
    """Some frames of a clip that follow each other."""

    start: int
    photos: list[Photo]
    before: list[Photo]  # whose originals the features look back at

    @property
    def stop(self) -> int:
        """Returns the place behind the last frame."""
        return self.start + len(self.photos)


class Showing(NamedTuple):
    """A clip as it is scored: which frames are read, and what is made of them."""

    dataset: Dataset
    photos: Sequence[Photo]  # the frames
    jpeg: Quality | None  # as of `load_batch`
    frames: Frames = read_as_they_are  # what is scored in a window
    size: int | None = None  # of the windows; None for the runner's own rule
    told: Told = silent  # hears how many more frames have their features


def windows(photos: Sequence[Photo], size: int, context: int) -> list[Window]:
    """Returns a clip in windows of at most `size` frames, each with up to `context` frames before it."""
    return [
        Window(start, list(photos[start : start + size]), list(photos[max(start - context, 0) : start]))
        for start in range(0, len(photos), size)
    ]


class WindowScore:
    """A clip's score as a function of the frames of one window, those of the others being as they were.

    To the objective it is a metric of images: every frame gets the clip's score. Its gradient is that of the clip's
    score, not of the sum over the frames, whatever the size of the window.
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


class Share:
    """Tells of the work on one clip while it goes on: never of more than there is, and at the end of what is left."""

    def __init__(self, tell: Callable[[int], None], work: int) -> None:
        self.tell, self.left = tell, work

    def __call__(self, work: int) -> None:
        """Is told that so much more is done."""
        if work := min(work, self.left):
            self.left -= work
            self.tell(work)

    def end(self) -> None:
        """Tells of the rest, which nothing else told: done by an earlier run, or given up."""
        self(self.left)


class ClipRunner(MetricRunner):
    """A video metric at work on clips. Photographs, which it does not rate, are passed over."""

    def clear(self, dataset: Dataset, jpeg: Quality | None, report: Report | None = None) -> Clear:
        """Returns the scores of the clear clips, in file order; their features are kept for the attacks."""
        path = self.work(f"clear-{self._about(dataset, jpeg)}{self.stored}.jsonl")
        key = clear_key(self.entry, dataset.digest, jpeg, self.codec_text)
        with exclusive(path.with_suffix(".lock")):
            self.sync.bring(Place("clear", key, "scores"), path)
            checkpoint = Checkpoint(path, key)
            todo = {clip: photos for clip, photos in dataset.clips.items() if clip not in checkpoint.done}
            for clip, photos in todo.items():
                share = Share(partial(report, "clear") if report else silent, len(photos))
                checkpoint.record(clip, attempt(partial(self._clear_score, dataset, clip, jpeg, share)))
                share.end()
            if todo:
                self.sync.put(Place("clear", key, "scores"), path)
        known = {clip: checkpoint.done[clip] for clip in dataset.clips}
        return Clear(
            torch.tensor([math.nan if isinstance(value, str) else value for value in known.values()]),
            {clip: value for clip, value in known.items() if isinstance(value, str)},
        )

    def clear_features(self, dataset: Dataset, clip: str, jpeg: Quality | None, told: Told = silent) -> Tensor:
        """Returns the (T, F) features of a clear clip, from the output folder where they lie there."""
        path = self.work(f"features-{self._about(dataset, jpeg)}") / f"{digest(clip.encode())[:16]}.npy"
        key = clear_key(self.entry, dataset.digest, jpeg)
        path = path.with_stem(f"{path.stem}-{key}")
        if path.is_file():
            return torch.from_numpy(np.load(path)).to(self.device)
        features = self.features(Showing(dataset, dataset.clips[clip], jpeg, told=told))
        write_array(path, features.numpy(force=True))
        return features

    def features(self, showing: Showing) -> Tensor:
        """Returns the (T, F) features of a clip, read window by window, decoded ahead.

        Raises:
            ValueError: If a frame cannot be read, or a feature is not finite.
        """
        dataset, photos, jpeg, frames, size, told = showing
        found = []
        with torch.no_grad():
            for window, batch in self.read(dataset, photos, jpeg, size or self.rule(photos[0].height, photos[0].width)):
                scored = frames(window, batch).to(self.device)
                references = None if batch.references is None else batch.references.to(self.device)
                found.append(self.video.features(scored, references))
                told(len(window.photos))
        features = torch.cat(found)
        if features.shape[0] != len(photos) or not features.isfinite().all():
            raise ValueError(f"its features must be finite, one row per frame; got shape {tuple(features.shape)}")
        return features

    def score(self, showing: Showing) -> float:
        """Returns the score of a clip, re-encoded first if it is to be.

        Raises:
            ValueError: As `features`; or if the codec gives back another number of frames.
        """
        if not self.codec:
            return self.pool(self.features(showing))
        dataset, photos, jpeg, frames, size, _ = showing
        if self.codec.quality is not None:

            def stored(window: Window, batch: Batch) -> Images:
                return self.recoded(frames(window, batch))

            return self.pool(self.features(showing._replace(frames=stored)))
        height, width = photos[0].height, photos[0].width
        with TemporaryDirectory(dir=self.out / ".work") as folder:
            path = Path(folder) / "recoded.mkv"
            reading = self.read(dataset, photos, jpeg, size or self.rule(height, width))
            encode(path, self.codec, height, width, (image for read in reading for image in as_pixels(frames(*read))))
            if (count := examine(path).frames) != len(photos):
                raise ValueError(f"{self.codec_text} gives back {count} of {len(photos)} frames")
            reel = Reel(path)

            def recoded(window: Window, _: Batch) -> Images:
                return to_tensor([reel.read(number) for number in range(window.start, window.stop)])

            return self.pool(self.features(showing._replace(frames=recoded)))

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

    def read(
        self, dataset: Dataset, photos: Sequence[Photo], jpeg: Quality | None, size: int, skip: int = 0
    ) -> Iterator[tuple[Window, Batch]]:
        """Yields the windows of a clip from number `skip` on with what was read: references with those before.

        Raises:
            ValueError: If a frame cannot be read.
        """
        least, needed = min(photos[0].height, photos[0].width), self.entry.fields["smallest"]
        if least < needed:
            size_told = f"{photos[0].width}x{photos[0].height}"
            raise ValueError(f"{size_told} is smaller than the {needed} pixels that {self.entry.name} needs")
        context = self.entry.fields.get("reference_context", 0)

        def load(window: Window) -> Batch:
            batch = load_batch([*window.before, *window.photos], dataset.crop, jpeg)
            if batch.excluded:
                name, reason = next(iter(batch.excluded.items()))
                raise ValueError(f"{name} {reason}")
            return Batch(window.photos, batch.images[len(window.before) :], batch.references, {})

        yield from ahead(windows(photos, size, context)[skip:], load)

    @property
    def video(self) -> VideoMetric:
        """Returns the metric as what it is."""
        metric = self.metric
        if not isinstance(metric, VideoMetric):
            raise TypeError(f"{self.entry.name} must be a VideoMetric; got {type(metric).__name__}")
        return metric

    def _clear_score(self, dataset: Dataset, clip: str, jpeg: Quality | None, told: Told) -> float:
        if not self.codec:
            return self.pool(self.clear_features(dataset, clip, jpeg, told))
        return self.score(Showing(dataset, dataset.clips[clip], jpeg, told=told))

    def _about(self, dataset: Dataset, jpeg: Quality | None) -> str:
        return f"{digest(dataset.name.encode())[:8]}-{'original' if jpeg is None else f'jpeg{jpeg}'}"


def open_runner(
    entry: Entry,
    out: Path,
    device: torch.device,
    batch: int | None = None,
    *,
    sync: Sync | None = None,
    codec: str = "",
) -> MetricRunner:
    """Returns a metric at work on images, or on clips if it rates clips."""
    return (ClipRunner if entry.kind == "video" else MetricRunner)(entry, out, device, batch, sync=sync, codec=codec)


def attempt(work: Callable[[], Result]) -> Result | str:
    """Returns what work comes to, or why it failed, in one line: a broken clip costs only itself.

    Raises:
        BenchError: If the metric cannot be built, which another clip would not change.
        TransientError: If the GPU is lost.
    """
    try:
        return work()
    except BenchError:
        raise
    except Exception as error:  # whatever a contributor's code raises costs only the clip
        reason = one_line(error)
        if "CUDA error" in reason:
            raise TransientError(f"the GPU is lost: {reason}") from error
        return "out of memory: run with a smaller --batch" if out_of_memory(error) else reason


def write_array(path: Path, values: np.ndarray[tuple[int, ...], np.dtype[np.generic]]) -> None:
    """Writes an array as .npy, atomically."""
    buffer = io.BytesIO()
    np.save(buffer, values)
    write_atomically(path, buffer.getvalue())
