"""A cell's searches run on compiled passes where the user says so or where it pays, and go on as they began."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from local_entry import local_entry
from PIL import Image
from torch import Tensor

from metric_robustness.metrics.base import NoReference
from metric_robustness.pipeline.catalogue import lookup
from metric_robustness.pipeline.cells.cell import Cell
from metric_robustness.pipeline.cells.distortion import NONE
from metric_robustness.pipeline.cells.settings import Settings
from metric_robustness.pipeline.data.dataset import Dataset, open_dataset
from metric_robustness.pipeline.engine.cell import CellResult, CellRun
from metric_robustness.pipeline.engine.device import Compute
from metric_robustness.pipeline.engine.metric import compiling
from metric_robustness.pipeline.engine.metric.runner import MetricRunner
from metric_robustness.pipeline.engine.metric.search import search_of

pytestmark = pytest.mark.usefixtures("compiler")


class KilledError(Exception):
    """Ends a run after a unit."""


@pytest.fixture(scope="module")
def dataset(photos: Path) -> Dataset:
    whole = open_dataset(str(photos))
    return whole.part(["astronaut.png", "coffee.png", "ihc.png"])  # of one size


def cell_run(
    dataset: Dataset, out: Path, compiled: bool | None, heard: list[str], *, units: int = 9, metric: str = "small_cnn"
) -> CellRun:
    entry = lookup.find("metrics", metric)
    cell = Cell(entry, lookup.find("attacks", "ifgsm"), {dataset.name: dataset.digest}, Settings(variants=False))
    left = iter(range(units - 1))

    def on_unit() -> None:
        if next(left, None) is None:
            raise KilledError

    runner = MetricRunner(entry, out, Compute(batch=1, compiled=compiled))
    return CellRun(runner, cell, lambda what, work: heard.append(what), on_unit=on_unit)


def shifts(result: CellResult) -> list[float]:
    return [float(row["attacked"]) - float(row["clear"]) for row in result.rows]


def test_user_has_passes_compiled_and_the_rows_stay(dataset: Dataset, tmp_path: Path) -> None:
    heard: list[str] = []
    plain = cell_run(dataset, tmp_path / "plain", False, heard).run([dataset])
    assert "compiling" not in heard
    result = cell_run(dataset, tmp_path / "compiled", True, heard).run([dataset])
    assert heard.count("compiling") == 1
    (told,) = result.searched.values()
    assert told.endswith("; compiled for 1x3x32x40")
    assert shifts(result) == pytest.approx(shifts(plain), abs=5e-3)
    assert max(map(abs, shifts(plain))) > 0.05


def test_what_takes_long_is_compiled_and_a_killed_run_goes_on_so(
    dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compiling, "SECONDS", 1e-9)  # as if the images were so many that it pays
    monkeypatch.setattr(compiling, "FASTER", math.inf)  # on so few pixels nobody knows
    heard: list[str] = []
    with pytest.raises(KilledError):
        cell_run(dataset, tmp_path, None, heard, units=2).run([dataset])
    assert heard.count("compiling") == 1
    (checkpoint,) = (tmp_path / ".work" / "small_cnn").glob("ifgsm*.jsonl")
    header = json.loads(checkpoint.read_text().partition("\n")[0].partition(" ")[2])
    assert header["compiling"] == [[dataset.name, 1, 32, 40, True, ""]]
    monkeypatch.setattr(compiling, "SECONDS", 1e9)  # now it would not pay
    result = cell_run(dataset, tmp_path, None, heard).run([dataset])
    (told,) = result.searched.values()
    assert told.endswith("; compiled for 1x3x32x40")
    assert len(result.rows) == 3


def test_what_was_refused_stays_refused_in_the_run_that_goes_on(
    dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compiling, "SECONDS", 1e-9)
    monkeypatch.setattr(compiling, "FASTER", 0)  # whatever it takes is too slow
    with pytest.raises(KilledError):
        cell_run(dataset, tmp_path, None, [], units=2).run([dataset])
    monkeypatch.setattr(compiling, "FASTER", math.inf)  # now it would be taken
    result = cell_run(dataset, tmp_path, None, []).run([dataset])
    (told,) = result.searched.values()
    assert "; not compiled for 1x3x32x40: that takes " in told
    assert "; compiled" not in told


def test_user_who_wants_nothing_compiled_is_obeyed_where_a_run_goes_on_that_had(
    dataset: Dataset, tmp_path: Path
) -> None:
    with pytest.raises(KilledError):
        cell_run(dataset, tmp_path, True, [], units=2).run([dataset])
    heard: list[str] = []
    result = cell_run(dataset, tmp_path, False, heard).run([dataset])
    assert "compiling" not in heard
    assert "compiled" not in str(result.searched)


def test_metric_behind_a_defence_is_compiled_for_the_size_that_it_is_shown(dataset: Dataset, tmp_path: Path) -> None:
    result = cell_run(dataset, tmp_path, True, [], metric="small_cnn+crop").run([dataset])
    (told,) = result.searched.values()
    assert told.endswith("; compiled for 1x3x27x34")


def test_batch_with_an_image_that_has_no_score_says_nothing_of_the_others(tmp_path: Path) -> None:
    class Picky(NoReference):
        higher_is_better = True
        score_range = (0.0, 1.0)

        def score(self, images: Tensor) -> Tensor:
            mean = images.square().mean(dim=(1, 2, 3))
            return torch.where(mean < 0.9, mean, torch.nan)

    colours = {"a": "white", "b": (100, 50, 100), "c": (80, 40, 80), "d": (60, 30, 60)}
    for name, colour in colours.items():
        Image.new("RGB", (24, 20), colour).save(tmp_path / f"{name}.png")
    dataset = open_dataset(str(tmp_path))
    entry = local_entry(Picky)
    cell = Cell(entry, lookup.find("attacks", "ifgsm"), {dataset.name: dataset.digest}, Settings(variants=False))
    runner = MetricRunner(entry, tmp_path / "out", Compute(batch=2, compiled=True))
    result = CellRun(runner, cell, lambda _what, _work: None).run([dataset])
    assert result.searched[dataset.name].endswith("; compiled for 2x3x20x24")
    assert list(result.excluded[dataset.name]) == ["a.png"]


@pytest.mark.parametrize(
    ("fact", "reason"), [("random", "its scores are random"), ("batch_dependent", "its scores depend on the batch")]
)
def test_user_learns_why_nothing_was_compiled(fact: str, reason: str, dataset: Dataset, tmp_path: Path) -> None:
    entry = lookup.find("metrics", "small_cnn")
    entry = replace(entry, fields=entry.fields | {fact: True})
    found = search_of(MetricRunner(entry, tmp_path, Compute(compiled=True)), dataset, NONE)
    assert found.told == f"the metric itself: {reason}; not compiled: {reason}"
