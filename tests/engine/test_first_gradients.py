"""The gradient at the clear images is computed once for all attacks on a metric, and is the same as if it were not."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from metric_robustness.metrics.base import NoReference
from metric_robustness.pipeline.catalogue import lookup
from metric_robustness.pipeline.cells.cell import Cell
from metric_robustness.pipeline.cells.settings import Settings
from metric_robustness.pipeline.data.dataset import open_dataset
from metric_robustness.pipeline.engine.cell import CellRun
from metric_robustness.pipeline.engine.metric import first_gradients
from metric_robustness.pipeline.engine.metric.first_gradients import FirstGradients
from metric_robustness.pipeline.engine.metric.objective import MetricObjective
from metric_robustness.pipeline.engine.metric.runner import MetricRunner

IMAGES = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))


class Counting(NoReference):
    higher_is_better = True
    score_range = (0.0, 1.0)

    def __init__(self) -> None:
        super().__init__()
        self.gradients = 0

    def score(self, images: Tensor) -> Tensor:
        self.gradients += torch.is_grad_enabled()
        return images.square().mean(dim=(1, 2, 3))


def objective(metric: NoReference, kept: FirstGradients, batch: str = "batch") -> MetricObjective:
    made = MetricObjective(metric)
    made.first = kept.at(batch, IMAGES)
    return made


def test_second_attack_gets_what_the_first_found_and_may_write_into_it() -> None:
    metric, kept = Counting(), FirstGradients()
    values, gradient = objective(metric, kept).value_and_gradient(IMAGES)
    before = gradient.clone()
    gradient.zero_()
    second = objective(metric, kept)
    again = second.value_and_gradient(IMAGES)
    assert torch.equal(again[0], values)
    assert torch.equal(again[1], before)
    again[1].zero_()
    assert torch.equal(objective(metric, kept).gradient(IMAGES), before)
    assert metric.gradients == 1
    assert (second.queries, second.gradients) == (1, 1)  # what the attack asked for, as if it were alone


def test_other_images_and_other_batches_are_computed() -> None:
    metric, kept = Counting(), FirstGradients()
    asked = objective(metric, kept)
    asked.gradient(IMAGES)
    asked.gradient(IMAGES / 2)
    objective(metric, kept, "another").gradient(IMAGES)
    assert metric.gradients == 3
    elsewhere = objective(metric, kept).gradient(IMAGES / 2)
    assert torch.equal(elsewhere, MetricObjective(metric).gradient(IMAGES / 2))


def test_what_finds_no_room_is_computed_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(first_gradients, "ROOM", IMAGES.numel() * 4)
    metric, kept = Counting(), FirstGradients()
    for batch in ("first", "second", "first", "second"):
        objective(metric, kept, batch).gradient(IMAGES)
    assert metric.gradients == 3


def test_cells_of_one_metric_share_it_and_give_the_rows_that_they_give_alone(photos: Path, tmp_path: Path) -> None:
    dataset, entry = open_dataset(str(photos)), lookup.find("metrics", "small_cnn")

    def rows(runner: MetricRunner, attack: str) -> list[dict[str, str]]:
        cell = Cell(entry, lookup.find("attacks", attack), {dataset.name: dataset.digest}, Settings(variants=False))
        return CellRun(runner, cell, lambda _what, _work: None).run([dataset]).rows

    shared = MetricRunner(entry, tmp_path / "shared")
    together = {attack: rows(shared, attack) for attack in ("fgsm", "ifgsm", "adam")}
    assert len(shared.first_gradients.known) > 0
    for attack, found in together.items():
        assert found == rows(MetricRunner(entry, tmp_path / attack), attack)
