"""What is drawn: axes, shades, profiles of a metric, and seconds as speed."""

import math

import numpy as np
import pytest

from metric_robustness.pipeline.scoring.read.cells import read_cells
from metric_robustness.pipeline.scoring.scores.robustness import ScoreScale
from metric_robustness.pipeline.site.drawing import Axis, shade
from metric_robustness.pipeline.site.profile import POINTS, profile
from metric_robustness.pipeline.site.speed import speed


def test_an_axis_holds_zero_and_tells_what_lies_beyond_it():
    assert Axis(-1, 1).at(0) == 50
    assert Axis(-1, 1).at(-7) == 0
    assert Axis(-1, 1).at(7) == 100
    assert Axis(-1, 1).beyond(7)
    assert not Axis(-1, 1).beyond(-1)
    assert Axis.over([]).low == 0 < Axis.over([]).high
    assert Axis(-0.5, 1, 0.5).ticks == [(0, "-0.5"), (33.33, "0"), (66.67, "0.5"), (100, "1")]
    assert Axis(-0.5, 1, 0.5).pitch == 33.333


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0, "up-0"),
        (-0.001, "up-0"),
        (0.01, "up-1"),
        (0.3, "up-4"),
        (9, "up-5"),
        (-0.05, "down-2"),
        (math.nan, "unknown"),
    ],
)
def test_shades(value, expected):
    assert shade(value) == expected


def test_a_profile_counts_every_image_and_shows_some(run_folder, make_row):
    rows = [make_row(f"{i:04}.png", 0.2, 0.2 + i / 1000) for i in range(500)]
    rows[7] = make_row("0007.png", 0.2, 0.2)
    run_folder.cell(rows=rows)
    (cell,) = read_cells([run_folder.path])
    table = cell.rows.assign(psnr=np.where(cell.rows["image"] == "0000.png", np.inf, 30.0))
    found = profile(table, ScoreScale(0, 2))
    assert sum(found["clear"]) == sum(found["attacked"]) == found["images"] == 500
    assert len(found["points"]) == POINTS
    assert found["points"][0] == [None, 0.9, 0.0]
    assert found["points"][-1] == [30, 0.9, 0.2495]  # 0.499 on a range of 2, to four digits
    assert found["unchanged"] == 1
    assert found["edges"][0] == 0.2


def test_speed_is_seconds_by_pass(run_folder):
    run_folder.cell("blur", "ifgsm", [0.1, 0.2], seconds={"": 42.0}, machine={"device": "a GPU"})
    run_folder.cell("blur", "noise", [0.1, 0.2], seconds={"": 42.0}, machine={"device": "a GPU"})
    run_folder.cell("none", "ifgsm", [0.1, 0.2])
    cells = read_cells([run_folder.path])
    found = speed([cell for cell in cells if cell.metric == "blur"])
    assert found == (84 / (4 * (10 + 10 + 1)), ("a GPU",))  # 4 images: 10 queries, 10 gradients, 1 attacked score
    assert speed([cell for cell in cells if cell.metric == "none"]) is None
