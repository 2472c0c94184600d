"""A universal pattern that cannot have had an effect is flagged, and no other."""

from __future__ import annotations

import pytest

from metric_robustness.pipeline.scoring.board.consistency import records
from metric_robustness.pipeline.scoring.read.cells import find_cells, read_cell
from metric_robustness.pipeline.scoring.scores.ranges import Ranges


def flags_by_amplitude(folder) -> dict[float, list[str]]:
    found = records(map(read_cell, find_cells([folder.path])), Ranges({}))
    return {
        record.on.amplitude: [flag.text for flag in record.flags if flag.code == "fit_without_effect"]
        for record in found
    }


@pytest.mark.parametrize("attack", ["uap", "ifgsm"])
def test_only_a_pattern_that_rounding_removes_is_flagged(run_folder, make_row, attack):
    rows = [
        make_row(name, 0.5, 0.6, train_dataset="coco", amplitude=amplitude, linf=levels / 255)
        for name in ("a.png", "b.png")
        for amplitude, levels in ((0.2, 0), (0.4, 1))
    ]
    run_folder.cell("blur", attack, rows=rows)
    expected = ["at amplitude 0.2 its pattern changes no pixel's level"] if attack == "uap" else []
    assert flags_by_amplitude(run_folder) == {0.2: expected, 0.4: []}


@pytest.mark.parametrize(("steps", "flagged"), [(99, True), (100, False)])
def test_a_fit_of_few_steps_is_flagged(run_folder, make_row, steps, flagged):
    rows = [make_row(name, 0.5, 0.6, train_dataset="coco", amplitude=0.4) for name in ("a.png", "b.png")]
    run_folder.cell("blur", "uap", rows=rows, settings={"least_steps": steps})
    assert bool(flags_by_amplitude(run_folder)[0.4]) is flagged
