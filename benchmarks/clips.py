"""Peak memory of an attack on a long clip: python -m benchmarks.clips [--frames 250] [--attack fgsm] [--json].

It makes a clip of 1920x1080 (a camera pans over a photograph, x264) and attacks it through the engine, once with a few
frames and once with many, each in a new process. The difference is the memory that more frames cost; attacked frames
wait on the disk, 3 bytes a pixel. The metric is the mean contrast of the frames or, with --backbone, the mean output of
a ResNet-50 with random weights, which determines the memory of VSFA.

`python -m benchmarks.clips --copy` measures instead what one gradient of a window costs before that ResNet-50, on the
metric and on the copy that searches run on, alternating: 8 frames of 480x270, processor time.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any, cast

import av
import numpy as np
import torch
import torchvision
from torch import Tensor, nn

from benchmarks.random_weights import random_weights
from benchmarks.speed import median, timed
from metric_robustness.metrics.base import Images, Scores, VideoMetric
from metric_robustness.pipeline.catalogue import lookup
from metric_robustness.pipeline.catalogue.entry import Entry
from metric_robustness.pipeline.cells.cell import Cell
from metric_robustness.pipeline.cells.distortion import NONE
from metric_robustness.pipeline.cells.settings import Settings
from metric_robustness.pipeline.contract.attack import Contrast
from metric_robustness.pipeline.data.dataset import open_dataset
from metric_robustness.pipeline.data.images import decode
from metric_robustness.pipeline.engine.cell import CellRun
from metric_robustness.pipeline.engine.clips.runner import ClipRunner
from metric_robustness.pipeline.engine.clips.windows import Showing, WindowScore
from metric_robustness.pipeline.engine.device import make_deterministic
from metric_robustness.pipeline.engine.metric.objective import MetricObjective
from metric_robustness.pipeline.engine.metric.search import search_of

HEIGHT, WIDTH = 1080, 1920
FEW = 5  # frames of the short clip
WINDOW, SMALL, TURNS = 8, (270, 480), 6  # of --copy: frames, their height and width, and how often


class Contrasts(VideoMetric):
    """The mean contrast of the frames."""

    higher_is_better = True
    score_range = (0.0, 0.2)

    def __init__(self) -> None:
        super().__init__()
        self.contrast = Contrast()

    def features(self, frames: Images, references: Images | None = None) -> Tensor:
        """Returns the (T, 1) contrasts of the frames."""
        scores: Tensor = self.contrast(frames)[:, None]
        return scores

    def pool(self, features: Tensor) -> Scores:
        """Returns the (N,) means of the features of clips."""
        return features.mean(dim=(1, 2))


class Backbone(Contrasts):
    """The mean of the last maps of a ResNet-50 with random weights."""

    def __init__(self) -> None:
        super().__init__()
        network = random_weights(lambda: torchvision.models.resnet50(weights=None))
        self.layers = nn.Sequential(*list(network.children())[:-2])

    def features(self, frames: Images, references: Images | None = None) -> Tensor:
        """Returns the (T, 2048) means of the frames' last maps."""
        means: Tensor = self.layers(frames).mean(dim=(2, 3))
        return means


def film(path: Path, frames: int, height: int = HEIGHT, width: int = WIDTH) -> None:
    """Writes an MP4 in which a camera pans over a photograph, a pixel per frame."""
    photo = decode(open_dataset("sample").photos[0].path)
    scene = np.tile(photo, (-(-height // photo.shape[0]), -(-(width + frames) // photo.shape[1]), 1))[:height]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"crf": "18", "preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for number in range(frames):
            shown = np.ascontiguousarray(scene[:, number : number + width])
            container.mux(stream.encode(av.VideoFrame.from_ndarray(shown, "rgb24")))
        container.mux(stream.encode(None))


def runner_of(kind: type[Contrasts], out: Path) -> ClipRunner:
    """Returns a metric at work."""
    fields = {"smallest": 7, "batch_dependent": False, "differentiable": True, "random": False}
    entry = Entry("light", "metrics", kind="video", fields=fields, fingerprint="benchmark")
    metric = kind().eval().requires_grad_(requires_grad=False)
    return ClipRunner(entry, out, network=lambda: metric)


def attack(clip: Path, name: str, kind: type[Contrasts], out: Path) -> dict[str, Any]:
    """Attacks a clip in this process and returns its time, memory and scores."""
    runner, dataset = runner_of(kind, out), open_dataset(str(clip))
    cell = Cell(runner.entry, lookup.find("attacks", name), {dataset.name: dataset.digest}, Settings(variants=False))
    before, passes = time.process_time(), Counter[str]()
    (row,) = CellRun(runner, cell, lambda what, work: passes.update({what: work})).run([dataset]).rows
    return {
        "frames": len(dataset.photos),
        "window": runner.rule(HEIGHT, WIDTH),
        "cpu_seconds": round(time.process_time() - before, 1),
        "peak_memory_gb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, 2),
        "clear": float(row["clear"]),
        "attacked": float(row["attacked"]),
    }


def copy_gradients(folder: Path) -> dict[str, Any]:
    """Returns the milliseconds per frame of one gradient of a window, on the metric and on what searches run on."""
    clip = folder / "window.mp4"
    film(clip, WINDOW, *SMALL)
    runner, dataset = runner_of(Backbone, folder), open_dataset(str(clip))
    showing = Showing(dataset, dataset.photos, NONE, size=WINDOW)
    (window, batch), features = next(runner.read(showing)), runner.features(showing)
    searched = search_of(runner, dataset, NONE)
    ways = {"metric": runner.video, "copy": cast(VideoMetric, searched.metric)}
    spent: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(TURNS):
        for way, metric in ways.items():
            objective = MetricObjective(WindowScore(metric, features, window))
            spent[way].append(timed(time.process_time, objective.gradient, batch.images)[1])
    found = {way: median([1000 * seconds / WINDOW for seconds in each]) for way, each in spent.items()}
    return {"milliseconds": found, "ratio": round(found["copy"] / found["metric"], 3), "searched": searched.told}


def main() -> None:
    """Runs the benchmark or, with --clip, one of its attacks in this process."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=250)
    parser.add_argument("--attack", default="fgsm")
    parser.add_argument("--backbone", action="store_true")
    parser.add_argument("--copy", action="store_true")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--clip", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if options.copy:
            make_deterministic()
            print(json.dumps(copy_gradients(Path(folder)) | {"threads": torch.get_num_threads()}))
            return
        if options.clip:
            kind = Backbone if options.backbone else Contrasts
            print(json.dumps(attack(options.clip, options.attack, kind, Path(folder))))
            return
        found = []
        for frames in (FEW, options.frames):
            clip = Path(folder) / f"{frames}.mp4"
            film(clip, frames)
            command = [sys.executable, "-m", "benchmarks.clips", "--clip", str(clip), "--attack", options.attack]
            command += ["--backbone"] if options.backbone else []
            finished = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            found.append(json.loads(finished.stdout))
    if options.json:
        print(json.dumps(found, indent=1))
        return
    for result in found:
        print(
            f"{result['frames']:4} frames of {WIDTH}x{HEIGHT} under {options.attack}, {result['window']} at once: "
            f"{result['peak_memory_gb']:.2f} GB at most, {result['cpu_seconds']:.0f} s of CPU, "
            f"score {result['clear']:.4f} -> {result['attacked']:.4f}"
        )


if __name__ == "__main__":
    main()
