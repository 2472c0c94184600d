"""A pass of clips: attacks each window by window, records every finished window, then scores the clip as a whole."""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import zip_longest
from pathlib import Path
from statistics import fmean
from typing import NamedTuple, cast

import torch
from typing_extensions import TypedDict  # pydantic checks no other before Python 3.12

from metric_robustness.metrics.base import Images, VideoMetric
from metric_robustness.pipeline.cells.row import Row
from metric_robustness.pipeline.data.dataset import Dataset, Photo
from metric_robustness.pipeline.data.images import Batch
from metric_robustness.pipeline.engine.attack.batch import attack_batch, objective_of
from metric_robustness.pipeline.engine.attack.pass_run import Workplace
from metric_robustness.pipeline.engine.attack.passes import Pass, Trial
from metric_robustness.pipeline.engine.attack.record import UnitRecord, empty_record
from metric_robustness.pipeline.engine.attack.targets import Targets, targets_of
from metric_robustness.pipeline.engine.batching import attempt
from metric_robustness.pipeline.engine.clips.flicker import Flicker
from metric_robustness.pipeline.engine.clips.runner import ClipRunner, read_array, write_array
from metric_robustness.pipeline.engine.clips.windows import Showing, Window, WindowScore
from metric_robustness.pipeline.engine.metric.surrogates import Surrogates, surrogates_of
from metric_robustness.pipeline.engine.progress import OnProgress, Share
from metric_robustness.pipeline.errors import TransientError
from metric_robustness.pipeline.files import digest

MEASURED = ("psnr", "ssim", "mse", "linf")


class WindowRecord(TypedDict):
    """What a checkpoint holds of an attacked window."""

    measures: dict[str, list[float]]  # by name, one value per frame
    flaws: list[str]
    queries: int
    gradients: int
    seconds: float


class Task(NamedTuple):
    """One attack on one clip."""

    unit: str  # as the checkpoint names it
    clip: str
    photos: list[Photo]
    trial: Trial
    folder: Path  # in which the attacked frames wait
    size: int  # of a window
    before: Task | None  # the trial whose attacked frames this one begins with
    last: bool  # whether no other trial begins with those of this one

    def name(self, start: int) -> str:
        """Returns the checkpoint's name of the window that begins at a frame."""
        return f"{self.unit}/{start}"

    def file(self, start: int) -> Path:
        """Returns where the attacked frames of that window wait."""
        return self.folder / f"{start:06}.array"


@dataclass(frozen=True)
class ClipPass:
    """A pass of a cell at work on the clips of a data set.

    The attack sees one window of a clip at a time, with the frames of all others clear: so an attacked frame depends
    neither on the order of windows nor on where a killed run continued. Attacked frames wait on the disk, 3 bytes a
    pixel, until the clip is scored.

    Attributes:
        at: What it shares with the other passes of its cell.
        dataset: The clips.
        current: The pass.
    """

    at: Workplace
    dataset: Dataset
    current: Pass

    def units(self) -> dict[str, list[Photo]]:
        """Returns the frames of each clip, once per trial."""
        return {unit: task.photos for unit, task in self._tasks.items()}

    def work_of(self, unit: str, photos: list[Photo]) -> int:
        """Returns how many passes over a frame a clip takes in one trial."""
        return len(photos) * self._tasks[unit].trial.work

    def records(self, todo: Mapping[str, list[Photo]]) -> Iterator[tuple[str, UnitRecord]]:
        """Attacks the clips; one that fails costs only itself."""
        for unit in todo:
            task = self._tasks[unit]
            share = Share(partial(self.at.on_work, self.at.cell.attack.name), self.work_of(unit, task.photos))
            if reason := self._reason(task):
                done: UnitRecord | str = reason
            else:
                done = attempt(partial(self._attack, task, share))
            yield unit, empty_record({task.clip: done}) if isinstance(done, str) else done
            for finished in (task.before, task if task.last else None):  # not earlier: the checkpoint now has the row
                if finished:
                    shutil.rmtree(finished.folder, ignore_errors=True)
            with suppress(OSError):
                task.folder.parent.rmdir()
            share.end()

    @cached_property
    def _tasks(self) -> dict[str, Task]:
        found: dict[str, Task] = {}
        for clip, photos in self.dataset.clips.items():
            task: Task | None = None
            for trial, following in zip_longest(self.current.trials, self.current.trials[1:]):
                unit = "/".join([self.dataset.name, self.current.variant_of(trial), clip, trial.setting])
                folder = self.at.checkpoint.path.with_suffix("") / digest(unit.encode())[:16]
                size = self.at.rule(photos[0].height, photos[0].width)
                last = not (following and following.budget)
                task = Task(unit, clip, photos, trial, folder, size, task if trial.budget else None, last)
                found[unit] = task
        return found

    @cached_property
    def _runner(self) -> ClipRunner:
        return cast(ClipRunner, self.at.runner)

    @cached_property
    def _clear(self) -> dict[str, float | str]:
        """Returns the score of each clear clip, or why it has none."""
        found = self.at.clear(self.dataset, self.current.distortion)
        return dict(zip(self.dataset.clips, found.scores.tolist(), strict=True)) | found.excluded

    @cached_property
    def _surrogates(self) -> Surrogates:
        return surrogates_of(self._runner, self.at.cell.needed(), self.dataset, self.current.distortion)

    @cached_property
    def _targets(self) -> Targets:
        scores = [math.nan if isinstance(clear, str) else clear for clear in map(self._clear.get, self.dataset.clips)]
        return targets_of(self.current.trials[0].attack, list(self.dataset.clips), torch.tensor(scores))

    def _reason(self, task: Task) -> str:
        """Returns why a clip cannot be attacked, or nothing."""
        clear = self._clear[task.clip]
        reasons = [clear if isinstance(clear, str) else self._targets.excluded.get(task.clip, "")]
        reasons += [self._surrogates.excluded.get(photo.name, "") for photo in task.photos]
        return next(filter(None, reasons), "")

    def _attack(self, task: Task, on_progress: OnProgress) -> UnitRecord:
        """Attacks the remaining windows of a clip, then scores it."""
        finished = self._windows(task, on_progress)
        start = time.perf_counter()
        flicker = Flicker()

        def attacked(window: Window, batch: Batch) -> Images:
            frames = self._frames(task, window.start)
            flicker.follow(frames, batch.images)
            return frames

        showing = self._showing(task)._replace(frames=attacked, on_progress=on_progress)
        score = self._runner.score(showing)  # follows the flicker, too
        measured = {name: [value for part in finished for value in part["measures"][name]] for name in MEASURED}
        row = Row(
            dataset=self.dataset.name,
            image=task.clip,
            clip=task.clip,
            clear=cast(float, self._clear[task.clip]),
            attacked=score,
            psnr=fmean(measured["psnr"]),
            ssim=fmean(measured["ssim"]),
            mse=fmean(measured["mse"]),
            linf=max(measured["linf"]),
            variant=self.current.variant_of(task.trial),
            train_dataset=task.trial.train_dataset,
            amplitude=task.trial.amplitude,
            queries=finished[-1]["queries"],
            gradients=finished[-1]["gradients"],
            flicker=flicker.mean,
        )
        record = empty_record()
        record["rows"] = [row.cells()]
        if not task.trial.budget:
            record["flaws"] = dict.fromkeys({flaw for part in finished for flaw in part["flaws"]}, 1)  # one clip has it
        record["seconds"] = sum(part["seconds"] for part in finished) + time.perf_counter() - start
        return record

    def _about(self, task: Task, start: int) -> str:
        """Returns what the sealed frames of a window are about."""
        return f"{self.at.checkpoint.header['key']} {task.name(start)}"

    def _frames(self, task: Task, start: int) -> Images:
        """Returns the attacked frames of a window, (N, 3, H, W) in [0, 1].

        Raises:
            TransientError: If they are gone, though they were written.
        """
        frames = read_array(task.file(start), self._about(task, start))
        if frames is None:
            raise TransientError(f"{task.file(start)} was written and is gone: look at the disk, run again")
        return torch.from_numpy(frames).float().div_(255)

    def _showing(self, task: Task) -> Showing:
        return Showing(self.dataset, task.photos, self.current.distortion, size=task.size)

    def _windows(self, task: Task, on_progress: OnProgress) -> list[WindowRecord]:
        """Attacks the windows that are not done; returns the records of all."""
        checkpoint, starts = self.at.checkpoint, range(0, len(task.photos), task.size)
        todo = [
            start
            for start in starts
            if task.name(start) not in checkpoint.done or read_array(task.file(start), self._about(task, start)) is None
        ]
        if todo and task.before:  # whose frames may lie on another machine
            self._windows(task.before, on_progress)
        if todo:
            features = self._runner.clear_features(self.dataset, task.clip, self.current.distortion)
            for window, batch in self._runner.read(self._showing(task), todo[0] // task.size):
                if window.start in todo:
                    score = WindowScore(self._scored_by(task.trial), features, window)
                    checkpoint.record(task.name(window.start), self._window(task, window, batch, score))
                    self.at.keep()
                    on_progress(len(window.photos) * (task.trial.work - 1))  # all but the score of the whole clip
        return [checkpoint.done[task.name(start)] for start in starts]

    def _scored_by(self, trial: Trial) -> VideoMetric:
        """Returns what scores a window under attack."""
        return cast(VideoMetric, self.at.search(self.dataset.name).metric) if trial.searches else self._runner.video

    def _window(self, task: Task, window: Window, batch: Batch, score: WindowScore) -> WindowRecord:
        """Attacks one window, writes its frames, and returns its record."""
        start = time.perf_counter()
        images, references = self._runner.on_device(batch)
        names = [photo.name for photo in batch.photos]
        dtype = getattr(torch, self.at.cell.settings.dtype)
        trial = task.trial.after(self._frames(task.before, window.start).to(images)) if task.before else task.trial
        objective = objective_of(score, images, references, trial, self._surrogates.of(batch.photos), dtype=dtype)
        targets = self._targets.of([task.clip] * len(names), images)
        if targets is not None:  # a window goes its part of the clip's way: all others stay as they are
            clear = cast(float, self._clear[task.clip])
            targets = clear + (targets - clear) * len(names) / len(task.photos)
        attacked = attack_batch(images, names, objective, trial, targets)
        if self.at.saver:
            self.at.saver.attacked(attacked.images, names, self.current, task.trial)
        frames = (attacked.images * 255).round().to(torch.uint8).numpy(force=True)
        write_array(task.file(window.start), frames, self._about(task, window.start))
        return {
            "measures": {column: attacked.measures[column].tolist() for column in MEASURED},
            "flaws": sorted({flaw for flaws in attacked.flaws for flaw in flaws}),
            "queries": attacked.queries,
            "gradients": attacked.gradients,
            "seconds": time.perf_counter() - start,
        }
