"""Once a fault of the engine is mended, the cells that it may have touched are run again, and no others."""

from __future__ import annotations

import pytest

from metric_robustness.pipeline.catalogue import lookup
from metric_robustness.pipeline.cells import cell as cells
from metric_robustness.pipeline.cells.cell import Cell
from metric_robustness.pipeline.cells.settings import Settings
from metric_robustness.pipeline.cells.stamp import Stamp, stamp_of

TOUCHED = {
    ("small_cnn+crop", "nes"),
    ("small_cnn+median_smoothing", "fgsm"),
    ("small_cnn", "square"),
    ("niqe", "noise"),
    ("ssim", "amifgsm"),
}
UNTOUCHED = {
    ("small_cnn", "fgsm"),
    ("small_cnn+flip", "nes"),
    ("small_cnn+flip", "square"),
    ("entropy", "square"),
    ("small_cnn", "amifgsm"),
    ("small_cnn", "zhang_ssim"),
    ("ssim", "zhang_ssim"),
    ("ssim", "noise"),
    ("niqe+flip", "noise"),
}


@pytest.mark.parametrize(("metric", "attack"), sorted(TOUCHED | UNTOUCHED))
def test_a_mend_changes_the_keys_of_the_cells_that_its_fault_touched_and_says_why(metric, attack, monkeypatch):
    cell = Cell(lookup.find("metrics", metric), lookup.find("attacks", attack), {}, Settings())
    monkeypatch.setattr(cells, "mended", lambda involved: [])
    before = Cell(cell.metric, cell.attack, {}, Settings()).key
    monkeypatch.undo()
    assert (cell.key != before) == ((metric, attack) in TOUCHED)
    why = cell.why_stale(stamped(cell, before))
    assert why.startswith("a fault was mended: " if cell.key != before else "its rows are damaged")


def test_cells_after_other_settings_are_not_told_to_be_mended():
    metric, attack = lookup.find("metrics", "niqe"), lookup.find("attacks", "noise")
    other = Cell(metric, attack, {"photos": "1"}, Settings())
    assert Cell(metric, attack, {}, Settings()).why_stale(stamped(other, other.key)) == "data or settings changed"


def stamped(cell: Cell, key: str) -> Stamp:
    """Returns the stamp of a cell that was done when it had this key."""
    made = stamp_of(cell, "done", "", datasets=[], train=[], preset="", run={"attack_settings": {"settings": {}}})
    return made.model_copy(update={"key": key})
