"""Flicker: measured alike in windows of any size; files of images do not have it."""

from __future__ import annotations

import pytest
import torch
from csv_lines import lines
from rich.table import Table
from run_folder import row

from metric_robustness.pipeline.cells.row import COLUMNS, RARE, to_csv
from metric_robustness.pipeline.engine.clips.flicker import Flicker
from metric_robustness.pipeline.scoring.tables.board_file import read_board
from metric_robustness.pipeline.scoring.tables.show import chosen, rendered
from metric_robustness.pipeline.scoring.tables.write import write_tables
from metric_robustness.pipeline.site.build import write_site


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


def test_tables_and_pages_have_it_beside_the_attack_of_a_clip_and_nowhere_else(run_folder, tmp_path):
    clips = {"one": 1.5, "two": 2.0}
    found = [row(name, 0.4, 0.5, flicker=flicker, psnr=31.0) for name, flicker in clips.items()]
    run_folder.cell("moving", "ifgsm", rows=found, kind="video")
    run_folder.cell("moving", "madc", rows=[row(name, 0.4, 0.5) for name in clips], kind="video")
    run_folder.cell("still", "ifgsm")
    write_site(write_tables([run_folder.path], tmp_path), run_folder.path, tmp_path)
    told = {(line["metric"], line["attack"]): line["flicker"] for line in lines(tmp_path / "scores.csv")}
    assert told == {("moving", "ifgsm"): "1.75", ("moving", "madc"): "", ("still", "ifgsm"): ""}
    board = read_board(tmp_path)
    tables = {
        name: next(part for part in rendered(chosen(board, [name])[0]) if isinstance(part, Table))
        for name in ("moving", "still")
    }
    assert [column.header for column in tables["still"].columns][-1] == "worst on"
    assert list(tables["moving"].columns[-1].cells) == ["", "1.75"]  # madc, ifgsm
    pages = {name: (tmp_path / "metrics" / f"{name}.html").read_text(encoding="utf-8") for name in tables}
    assert "<td>1.75</td>" in pages["moving"]
    assert "licker" not in pages["still"]
