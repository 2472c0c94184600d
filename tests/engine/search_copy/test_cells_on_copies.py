"""Cells search on the copy, are scored on the metric, and say so; where the two differ they search on the metric."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from test_search_copy import HandWritten, Plain, Scaled
from torch import Tensor

from metric_robustness.pipeline.catalogue import lookup
from metric_robustness.pipeline.cells.cell import Cell
from metric_robustness.pipeline.cells.few_images import scouted
from metric_robustness.pipeline.cells.settings import Settings
from metric_robustness.pipeline.data.dataset import open_dataset
from metric_robustness.pipeline.engine.cell import CellRun
from metric_robustness.pipeline.engine.metric.runner import MetricRunner
from metric_robustness.pipeline.engine.metric.search import search_of
from metric_robustness.pipeline.engine.scout import not_needed


class Counting(HandWritten):
    """Counts what is asked of it with a gradient, and without one."""

    gradients = scores = 0

    def score(self, images: Tensor) -> Tensor:
        if torch.is_grad_enabled():
            self.gradients += 1
        else:
            self.scores += 1
        return super().score(images)


def test_attack_asks_the_copy_for_gradients_and_the_metric_for_scores(photos: Path, tmp_path: Path) -> None:
    metric, dataset = Counting(), open_dataset(str(photos))
    entry = lookup.find("metrics", "small_cnn")  # whose facts are this metric's, too
    runner = MetricRunner(entry, tmp_path, network=lambda: metric)
    twin = search_of(runner, dataset, Cell(entry, entry, {}, Settings()).distortion).metric
    assert isinstance(twin, Counting)
    metric.gradients, twin.gradients, twin.scores = 0, 0, 0
    cell = Cell(entry, lookup.find("attacks", "ifgsm"), {dataset.name: dataset.digest}, Settings(variants=False))
    result = CellRun(runner, cell, lambda _what, _work: None).run([dataset])
    assert result.searched == {dataset.name: "a copy with 3 batch norms folded and 2 gradients made in blocks"}
    assert (metric.gradients, twin.scores) == (0, 0)
    assert twin.gradients >= 10
    assert metric.scores > 0
    assert len(result.rows) == len(dataset.photos)


def test_scouts_search_on_the_copy_and_are_scored_on_the_metric(photos: Path, tmp_path: Path) -> None:
    metric, dataset = Counting(), open_dataset(str(photos))
    entry, square = lookup.find("metrics", "small_cnn"), lookup.find("attacks", "square")
    runner = MetricRunner(entry, tmp_path, network=lambda: metric)
    cell = Cell(entry, square, {dataset.name: dataset.digest}, Settings(variants=False))
    twin = search_of(runner, dataset, cell.distortion).metric
    assert isinstance(twin, Counting)
    metric.gradients, metric.scores, twin.gradients, twin.scores = 0, 0, 0, 0
    not_needed(runner, cell, dataset)
    images, scouts = scouted(len(dataset.photos)), square.fields["scout"]
    assert (metric.gradients, metric.scores) == (0, 2 * images * len(scouts))
    assert twin.gradients == images * scouts["adam"]["steps"]
    assert twin.scores >= images * scouts["square"]["queries"]


class Collecting(HandWritten):
    """Collects features in a hook, which a copy has, too, but which goes on to write into this metric."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[Tensor] = []
        self.second.register_forward_hook(lambda _layer, _given, made: self.found.append(made))

    def score(self, images: Tensor) -> Tensor:
        super().score(images)
        return self.found.pop(0).mean(dim=(1, 2, 3)).sigmoid()


def test_a_copy_leaves_nothing_behind_in_the_metric(photos: Path, tmp_path: Path) -> None:
    metric, dataset = Collecting(), open_dataset(str(photos))
    entry = lookup.find("metrics", "small_cnn")
    runner = MetricRunner(entry, tmp_path, network=lambda: metric)
    found = search_of(runner, dataset, Cell(entry, entry, {}, Settings()).distortion)
    assert found.told == "the metric itself: on a copy IndexError: pop from empty list"
    assert metric.found == []


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (Scaled, "the metric itself: on a copy a score differs by"),
        (Plain, "the metric itself: nothing in it could be made much faster"),
    ],
)
def test_metric_is_searched_on_itself_where_a_copy_differs_or_is_none(
    kind: type[HandWritten], reason: str, photos: Path, tmp_path: Path
) -> None:
    metric, dataset = kind(), open_dataset(str(photos))
    entry = lookup.find("metrics", "small_cnn")
    runner = MetricRunner(entry, tmp_path, network=lambda: metric)
    found = search_of(runner, dataset, Cell(entry, entry, {}, Settings()).distortion)
    assert found.metric is metric
    assert found.told.startswith(reason)
