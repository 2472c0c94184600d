"""Records that are kept: unchanged cells are not read again, changed ones are, and nobody sees a difference."""

import os
import shutil

import numpy as np
import pytest

from pipeline.scoring.kept import read_records
from pipeline.scoring.tables import write_tables

FILES = ("scores.csv", "leaderboard.md", "leaderboard.csv", "leaderboard.json")


@pytest.fixture
def filled(run_folder, make_row):
    run_folder.cell("blur", "ifgsm", [0.1, 0.3, 0.2])
    patterns = [make_row("a.png", 0.1, 0.2, train_dataset="COCO", amplitude=each) for each in (0.2, 0.8)]
    run_folder.cell("blur", "uap", rows=patterns)
    run_folder.cell("sharp", "ifgsm", rows=[make_row("a.png", 0.0, 1.2), make_row("b.png", 0.5, float("nan"))])
    run_folder.without_rows("sharp", "madc", "failed", "out of memory")
    return run_folder


def tables(folder, out=None):
    write_tables([folder.path], out or folder.path)
    return {name: ((out or folder.path) / name).read_bytes() for name in FILES}


def shelf(folder):
    return folder.path / ".work" / "blur" / "scored.npz"


def test_what_is_kept_gives_the_same_bytes_as_what_is_read(filled, tmp_path):
    first = tables(filled)
    again = tables(filled)
    shutil.rmtree(filled.path / ".work")
    assert first == again == tables(filled)


def test_an_unchanged_cell_is_not_read_again(filled):
    first = tables(filled)
    csv = filled.path / "blur" / "ifgsm.csv"
    before = csv.stat()
    csv.write_bytes(b"x" * before.st_size)  # what nobody reads may be anything
    os.utime(csv, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert tables(filled) == first


def test_a_changed_cell_is_read_and_the_others_are_not(filled):
    tables(filled)
    untouched = filled.path / "blur" / "uap.csv"
    before = untouched.stat()
    untouched.write_bytes(b"x" * before.st_size)
    os.utime(untouched, ns=(before.st_atime_ns, before.st_mtime_ns))
    filled.cell("blur", "ifgsm", [0.5, 0.5, 0.5])
    found = {
        (record.metric, record.attack): record.outcome.scores["absolute_gain"]
        for record in read_records([filled.path], {})
        if record.outcome
    }
    assert found["blur", "ifgsm"] == pytest.approx(0.5)
    assert found["blur", "uap"] == pytest.approx(0.1)


def test_another_range_of_the_metric_scores_its_cells_anew(filled):
    tables(filled)
    again = read_records([filled.path], {"blur": (0.0, 2.0)})
    assert {record.attack: record.scale.high for record in again if record.metric == "blur"} == {"ifgsm": 2, "uap": 2}


@pytest.mark.parametrize("damage", [b"", b"nonsense", None])
def test_a_damaged_shelf_is_made_anew(filled, damage):
    first = tables(filled)
    whole = shelf(filled).read_bytes()
    shelf(filled).write_bytes(whole[: len(whole) // 2] if damage is None else damage)
    assert tables(filled) == first
    assert shelf(filled).read_bytes() == whole


def test_a_shelf_holds_nothing_that_could_run_code(filled):
    tables(filled)
    with np.load(shelf(filled), allow_pickle=False) as file:
        assert {array.dtype.kind for array in (file[name] for name in file.files)} == {"u", "f"}
