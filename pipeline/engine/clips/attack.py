"""Attacks clips: window by window, each finished one written down, then scored as a whole."""

from __future__ import annotations

import shutil
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import torch

from metrics.base import Images, Metric, Scores
from pipeline.cells.row import Row
from pipeline.data.dataset import Dataset, Photo
from pipeline.data.images import Batch, quantize, write_png
from pipeline.engine.attack.passes import Pass, Trial
from pipeline.engine.checkpoint import Checkpoint
from pipeline.engine.clips.runner import ClipRunner, Showing, Told, Window, WindowScore, attempt, write_array
from pipeline.engine.measures.distances import measures
from pipeline.engine.metric.objective import ImageNoise, MetricObjective
from pipeline.files import digest

MEASURED = ("psnr", "ssim", "mse", "linf")


@dataclass(frozen=True)
class _Task:
    """One attack on one clip."""

    unit: str  # as the checkpoint names it
    photos: list[Photo]
    sides: Mapping[str, Scores]
    trial: Trial
    folder: Path  # in which the attacked frames wait
    told: Told  # hears how many more passes over a frame are done

    def name(self, start: int) -> str:
        """Returns the journal's name of the window that begins at a frame."""
        return f"{self.unit}/{start}"

    def file(self, start: int) -> Path:
        """Returns where the attacked frames of that window wait."""
        return self.folder / f"{start:06}.npy"


@dataclass(frozen=True)
class ClipAttacker:
    """A pass of a cell at work on the clips of a data set.

    The windows of a clip are attacked one for one, each while the frames of all others are clear: what a frame becomes
    depends neither on their order nor on where a killed run went on. Attacked frames wait on the disk, 3 bytes a pixel,
    until the clip is scored.

    Attributes:
        runner: The metric.
        attack: The attack's name, with which its noise is seeded.
        dataset: The data set.
        current: The pass.
        dtype: Of the attack's search; scores are always float32.
        saved: The folder that the attacked frames are written to as PNG, or None.
        checkpoint: Where finished windows and clips are recorded.
        size: Returns how many frames of a height and width make a window.
        kept: Is told that the checkpoint has grown.
        beside: Full-reference metrics that the attack needs.
    """

    runner: ClipRunner
    attack: str
    dataset: Dataset
    current: Pass
    dtype: torch.dtype
    saved: Path | None
    checkpoint: Checkpoint
    size: Callable[[int, int], int]
    kept: Callable[[], object]
    beside: Mapping[str, Metric]

    def __call__(self, clip: str, clear: float, sides: Mapping[str, Scores], told: Told) -> dict[str, Any]:
        """Attacks a clip; returns its record: rows, flaws, why it is left out, seconds.

        Args:
            clip: Its name.
            clear: Its score.
            sides: Its frames' scores by the metrics that the attack needs.
            told: Is told how many more passes over a frame are done.
        """
        record: dict[str, Any] = {"rows": [], "flaws": Counter(), "excluded": {}, "seconds": 0.0}
        for trial in self.current.trials:
            unit = "/".join([self.dataset.name, self.current.variant, clip, trial.setting])
            if unit not in self.checkpoint.done:
                task = _Task(unit, self.dataset.clips[clip], sides, trial, self._frames_of(unit), told)
                done = attempt(partial(self._attack, task, clear))
                if isinstance(done, str):
                    return {"rows": [], "flaws": {}, "excluded": {clip: done}, "seconds": record["seconds"]}
                self.checkpoint.record(unit, done)
                shutil.rmtree(task.folder)
                with suppress(OSError):  # not empty: of a clip that failed
                    task.folder.parent.rmdir()
            done = self.checkpoint.done[unit]
            record["rows"].append(done["row"])
            record["flaws"].update(done["flaws"])
            record["seconds"] += done["seconds"]
        return record

    def _frames_of(self, unit: str) -> Path:
        """Returns the folder in which the attacked frames wait."""
        return self.checkpoint.path.with_suffix("") / digest(unit.encode())[:16]

    def _attack(self, task: _Task, clear: float) -> dict[str, Any]:
        """Attacks what is left of a clip, then scores it."""
        size = self.size(task.photos[0].height, task.photos[0].width)
        finished = self._windows(task, size)
        start = time.perf_counter()

        def attacked(window: Window, _: Batch) -> Images:
            return torch.from_numpy(np.load(task.file(window.start))).float().div_(255)

        showing = Showing(self.dataset, task.photos, self.current.jpeg, attacked, size, task.told)
        measured = {name: [value for part in finished for value in part["measures"][name]] for name in MEASURED}
        row = Row(
            dataset=self.dataset.name,
            image=task.photos[0].clip,
            clip=task.photos[0].clip,
            clear=clear,
            attacked=self.runner.score(showing),
            psnr=fmean(measured["psnr"]),
            ssim=fmean(measured["ssim"]),
            mse=fmean(measured["mse"]),
            linf=max(measured["linf"]),
            variant=self.current.variant,
            train_dataset=task.trial.train_dataset,
            amplitude=task.trial.amplitude,
            queries=finished[-1]["queries"],
            gradients=finished[-1]["gradients"],
        )
        flaws = Counter({flaw for part in finished for flaw in part["flaws"]})  # of the clip, each once
        seconds = sum(part["seconds"] for part in finished) + time.perf_counter() - start
        return {"row": row.cells(), "flaws": flaws, "seconds": seconds}

    def _windows(self, task: _Task, size: int) -> list[dict[str, Any]]:
        """Attacks the windows that are not done; returns the records of all."""
        done, starts = self.checkpoint.done, range(0, len(task.photos), size)
        todo = [start for start in starts if task.name(start) not in done or not task.file(start).is_file()]
        if todo:
            features = self.runner.clear_features(self.dataset, task.photos[0].clip, self.current.jpeg)
            reading = self.runner.read(self.dataset, task.photos, self.current.jpeg, size, todo[0] // size)
            for window, batch in reading:
                if window.start in todo:
                    score = WindowScore(self.runner.video, features, window)
                    self.checkpoint.record(task.name(window.start), self._window(task, window, batch, score))
                    self.kept()
                    task.told(len(window.photos) * (task.trial.work - 1))  # all but the score of the whole clip
        return [done[task.name(start)] for start in starts]

    def _window(self, task: _Task, window: Window, batch: Batch, score: WindowScore) -> dict[str, Any]:
        """Attacks one window, writes its frames, and returns its record."""
        start = time.perf_counter()
        attack = task.trial.attack
        images, references = self.runner.on_device(batch)
        names = [photo.name for photo in batch.photos]
        sides = {metric: scores[window.start : window.stop] for metric, scores in task.sides.items()}
        companions = {name: MetricObjective(metric, images) for name, metric in self.beside.items()}
        objective = MetricObjective(
            score,
            references,
            access=attack.access,
            dtype=self.dtype,
            clear_scores=sides,
            companions=companions,
        )
        attacked = quantize(attack(images, objective, ImageNoise(self.attack, names)), images, attack.eps)
        if self.saved:
            folder = self.saved / (self.current.variant or "default") / task.trial.setting
            for name, image in zip(names, attacked, strict=True):
                write_png(image, folder / f"{name}.png")
        write_array(task.file(window.start), (attacked * 255).round().to(torch.uint8).numpy(force=True))
        return {
            "measures": {column: values.tolist() for column, values in measures(attacked, images).items()},
            "flaws": sorted({flaw for index in range(len(names)) for flaw in objective.flaws(index)}),
            "queries": objective.queries,
            "gradients": objective.gradients,
            "seconds": time.perf_counter() - start,
        }
