"""Flicker: measured alike in windows of any size; files of images do not have it."""

from __future__ import annotations

import pytest
import torch
from run_folder import row

from metric_robustness.pipeline.cells.row import COLUMNS, RARE, to_csv
from metric_robustness.pipeline.engine.clips.flicker import Flicker


@pytest.mark.parametrize("size", [1, 2, 5])
def test_flicker_is_the_mean_step_of_the_change_however_the_frames_come(size):
    clear = torch.randint(20, 200, (5, 3, 8, 9)) / 255
    change = torch.randint(-10, 11, (5, 3, 8, 9))
    flicker, still = Flicker(), Flicker()
    for start in range(0, 5, size):
        part = slice(start, start + size)
        flicker.follow((clear + change / 255)[part], clear[part])
        still.follow((clear + 7 / 255)[part], clear[part])
    assert flicker.mean == pytest.approx(change.diff(dim=0).abs().double().mean().item(), rel=1e-12)
    assert still.mean == 0


def test_a_file_has_a_rare_column_only_where_a_row_has_a_value():
    plain = row("a.png", 0.4, 0.5)
    header = to_csv([plain.cells()]).partition("\n")[0]
    assert header.split(",") == [name for name in COLUMNS if name not in RARE]
    flickering = row("clip", 0.4, 0.5, flicker=1.5)
    assert to_csv([plain.cells(), flickering.cells()]).startswith(f"{header},flicker\n")
