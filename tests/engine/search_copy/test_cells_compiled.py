"""A cell's searches run on compiled passes where the user says so or where it pays, and go on as they began."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from metric_robustness.pipeline.catalogue import lookup
from metric_robustness.pipeline.cells.cell import Cell
from metric_robustness.pipeline.cells.settings import Settings
from metric_robustness.pipeline.data.dataset import Dataset, open_dataset
from metric_robustness.pipeline.engine.cell import CellResult, CellRun
from metric_robustness.pipeline.engine.device import Compute
from metric_robustness.pipeline.engine.metric import compiling
from metric_robustness.pipeline.engine.metric.runner import MetricRunner


class KilledError(Exception):
    """Ends a run after a unit."""


@pytest.fixture(scope="module")
def dataset(photos: Path) -> Dataset:
    whole = open_dataset(str(photos))
    return whole.part(["astronaut.png", "coffee.png", "ihc.png"])  # of one size


def cell_run(dataset: Dataset, out: Path, compiled: bool | None, heard: list[str], units: int = 9) -> CellRun:
    entry = lookup.find("metrics", "small_cnn")
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
    assert header["compiled"] == [[dataset.name, 1, 32, 40]]
    monkeypatch.setattr(compiling, "SECONDS", 1e9)  # now it would not pay
    result = cell_run(dataset, tmp_path, None, heard).run([dataset])
    (told,) = result.searched.values()
    assert told.endswith("; compiled for 1x3x32x40")
    assert len(result.rows) == 3
