"""Clips are searched on a copy of the video metric where that agrees with it, and scored on the metric itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from metric_robustness.metrics.base import Images, VideoMetric
from metric_robustness.pipeline.catalogue import lookup
from metric_robustness.pipeline.catalogue.entry import Entry
from metric_robustness.pipeline.cells.cell import Cell
from metric_robustness.pipeline.cells.distortion import NONE, Distortion
from metric_robustness.pipeline.cells.settings import Settings
from metric_robustness.pipeline.data.dataset import Dataset, open_dataset
from metric_robustness.pipeline.engine.cell import CellResult, CellRun
from metric_robustness.pipeline.engine.clips.runner import ClipRunner
from metric_robustness.pipeline.engine.device import Compute
from metric_robustness.pipeline.engine.metric.search import search_of, uncompilable

FRAMES, WINDOW = 7, 3
FIELDS = {"batch_dependent": False, "differentiable": True, "random": False, "smallest": 7, "higher_is_better": True}


class Steady(VideoMetric):
    """Convolved frames, remembered from the first to the last; counts what it is asked for."""

    higher_is_better = True
    score_range = (0.4, 0.44)
    gradients = scores = 0

    def __init__(self) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.first, self.norm = nn.Conv2d(3, 8, 3, stride=2), nn.BatchNorm2d(8)
            self.memory, self.rate = nn.GRU(8, 4, batch_first=True), nn.Linear(4, 1)
            self.norm.running_mean.normal_()
            self.norm.running_var.uniform_(0.1, 1)
            nn.init.normal_(self.norm.weight)
            nn.init.normal_(self.rate.weight, std=3)
        self.eval().requires_grad_(requires_grad=False)

    def maps(self, frames: Images) -> Tensor:
        return self.norm(self.first(frames)).tanh()

    def features(self, frames: Images, references: Images | None = None) -> Tensor:
        if torch.is_grad_enabled():
            self.gradients += 1
        else:
            self.scores += 1
        return self.maps(frames).mean(dim=(2, 3))

    def pool(self, features: Tensor) -> Tensor:
        return self.rate(self.memory(features)[0].mean(dim=1)).sigmoid()[:, 0]


class Compared(Steady):
    """Looks at each original, and at the two before it."""

    full_reference = True
    reference_context = 2

    def features(self, frames: Images, references: Images | None = None) -> Tensor:
        assert references is not None
        count = len(frames)
        before = len(references) - count
        assert 0 <= before <= self.reference_context
        seen = [references[max(before + i - 2, 0) : before + i + 1].mean() for i in range(count)]
        return super().features(frames) - 0.1 * torch.stack(seen)[:, None]


class Scaled(Steady):
    """Reads a weight beside the layer that holds it, which a copy no longer has."""

    def maps(self, frames: Images) -> Tensor:
        return super().maps(frames) * self.first.weight.abs().mean()


class Whole(Steady):
    """Rates no clip of two frames, as the comparison takes them."""

    def pool(self, features: Tensor) -> Tensor:
        if features.shape[1] == 2:
            raise ValueError("no score of so few frames")
        return super().pool(features)


class Plain(Steady):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.Identity()
        self.first = nn.Conv2d(3, 8, 1).requires_grad_(requires_grad=False)


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory, photos: Path) -> Dataset:
    """Returns two clips in which a camera pans over photographs."""
    folder = tmp_path_factory.mktemp("films")
    for name in ("astronaut", "coffee"):
        with Image.open(photos / f"{name}.png") as image:
            scene = np.asarray(image.convert("RGB").resize((64, 40)))
        with av.open(str(folder / f"{name}.mkv"), "w") as container:
            stream = container.add_stream("ffv1", rate=25)
            stream.width, stream.height, stream.pix_fmt = 40, 40, "yuv444p"
            for number in range(FRAMES):
                part = np.ascontiguousarray(scene[:, 2 * number : 2 * number + 40])
                container.mux(stream.encode(av.VideoFrame.from_ndarray(part, "rgb24")))
            container.mux(stream.encode(None))
    return open_dataset(str(folder))


def entry_of(metric: VideoMetric, **facts: bool) -> Entry:
    fields = FIELDS | {"full_reference": metric.full_reference, "reference_context": metric.reference_context}
    return Entry("steady", "metrics", kind="video", fields=fields | facts, fingerprint="0" * 16)


def runner_of(metric: VideoMetric, out: Path, **facts: bool) -> ClipRunner:
    return ClipRunner(entry_of(metric, **facts), out, Compute(batch=WINDOW), network=lambda: metric)


def attacked(runner: ClipRunner, films: Dataset, attack: str) -> CellResult:
    distortions = (Distortion(50),) if runner.entry.full_reference else (NONE,)
    fewer = {"queries": "100"} if attack == "square" else {}
    settings = Settings(variants=False, distortions=distortions, overrides=fewer)
    cell = Cell(runner.entry, lookup.find("attacks", attack), {films.name: films.digest}, settings)
    return CellRun(runner, cell, lambda _what, _work: None).run([films])


def gains(result: CellResult) -> list[float]:
    """Returns the gain of each clip in parts of the range."""
    low, high = Steady.score_range
    return [(float(row["attacked"]) - float(row["clear"])) / (high - low) for row in result.rows]


@pytest.mark.parametrize("kind", [Steady, Compared])
def test_attack_on_a_clip_asks_the_copy_for_gradients_and_the_metric_for_scores(
    kind: Callable[[], Steady], films: Dataset, tmp_path: Path
) -> None:
    metric = kind()
    runner = runner_of(metric, tmp_path)
    twin = search_of(runner, films, Distortion(50) if metric.full_reference else NONE).metric
    assert isinstance(twin, Steady)
    assert twin is not metric
    metric.gradients, metric.scores, twin.gradients, twin.scores = 0, 0, 0, 0
    result = attacked(runner, films, "ifgsm")
    assert result.searched == {films.name: "a copy with 1 batch norm folded and 1 gradient made in blocks"}
    windows = 2 * -(-FRAMES // WINDOW)
    assert (metric.gradients, metric.scores) == (0, 2 * windows)  # of the clear clips, and of the attacked ones
    assert (twin.gradients, twin.scores) == (10 * windows, 0)
    assert len(result.rows) == 2


class Wide(Steady):
    """Has a convolution that no batch norm follows, and whose weights its copy could share."""

    def __init__(self) -> None:
        super().__init__()
        self.mixed = nn.Conv2d(8, 8, 3).requires_grad_(requires_grad=False)

    def maps(self, frames: Images) -> Tensor:
        return self.mixed(super().maps(frames))


def test_only_the_copy_of_a_metric_of_clips_is_laid_out(films: Dataset, tmp_path: Path) -> None:
    metric = Wide()
    twin = search_of(runner_of(metric, tmp_path), films, NONE).metric
    assert twin is not metric
    for network, last in ((twin, True), (metric, False)):
        layers = [module for module in network.modules() if isinstance(module, nn.Conv2d)]
        assert len(layers) == 2
        assert all(each.weight.is_contiguous(memory_format=torch.channels_last) == last for each in layers)


@pytest.mark.parametrize("attack", ["ifgsm", "adam", "square"])
def test_gains_on_clips_are_the_same_on_the_copy(attack: str, films: Dataset, tmp_path: Path) -> None:
    metric = Steady()
    found = []
    for name, facts in (("copy", {}), ("itself", {"batch_dependent": True})):  # such a metric is searched on itself
        runner = runner_of(metric, tmp_path / name, **facts)
        runner.rule = runner_of(metric, tmp_path).rule
        result = attacked(runner, films, attack)
        found.append(gains(result))
        assert ("folded" in result.searched[films.name]) == (name == "copy")
    assert max(found[1]) > 0.005
    assert found[0] == pytest.approx(found[1], abs=0.005)


@pytest.mark.parametrize(
    ("kind", "facts", "reason"),
    [
        (Scaled, {}, "the metric itself: on a copy a score differs by"),
        (Whole, {}, "the metric itself: ValueError: no score of so few frames"),
        (Plain, {}, "the metric itself: nothing in it could be made much faster"),
        (Steady, {"random": True}, "the metric itself: its scores are random"),
        (Steady, {"differentiable": False}, "the metric itself: it has no gradient"),
    ],
)
def test_clips_are_searched_on_the_metric_where_a_copy_differs_or_is_none(
    kind: Callable[[], Steady], facts: dict[str, bool], reason: str, films: Dataset, tmp_path: Path
) -> None:
    metric = kind()
    found = search_of(runner_of(metric, tmp_path, **facts), films, NONE)
    assert found.metric is metric
    assert found.told.startswith(reason)


def test_comparison_takes_no_more_frames_than_a_window(films: Dataset, tmp_path: Path) -> None:
    runner = ClipRunner(entry_of(Compared()), tmp_path, Compute(batch=1))
    pictures = list(runner.few(films, Distortion(50)))
    assert [tuple(images.shape) for images, _ in pictures] == [(1, 1, 3, 40, 40)] * 2
    for images, references in pictures:
        assert references is not None
        assert images.shape == references.shape
        assert not torch.equal(images, references)
    assert uncompilable(runner) == "it rates clips"
