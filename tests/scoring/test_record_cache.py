"""The record cache: unchanged cells are not read again, changed ones are, and nobody sees a difference."""

import io
import json
import os
import shutil

import numpy as np
import pytest
from run_folder import restamp

from metric_robustness.pipeline.errors import TransientError
from metric_robustness.pipeline.files import file_digest
from metric_robustness.pipeline.scoring.board.consistency import together
from metric_robustness.pipeline.scoring.board.leaderboard import build
from metric_robustness.pipeline.scoring.board.record_cache import read_records
from metric_robustness.pipeline.scoring.processes import Processes
from metric_robustness.pipeline.scoring.tables.csv_json import leaderboard_json, scores_csv
from metric_robustness.pipeline.scoring.tables.write import write_tables

CACHED = ("scored.records", "scored.numbers", "standing_of-*", "doubts_of-*")
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


def cache_file(folder, name="scored.records"):
    [found] = (folder.path / ".work" / "blur").glob(name)
    return found


def test_the_cache_gives_the_same_bytes_as_what_is_read(filled, tmp_path):
    first = tables(filled)
    again = tables(filled)
    shutil.rmtree(filled.path / ".work")
    assert first == again == tables(filled)


def test_an_unchanged_cell_is_not_read_again(filled):
    first = tables(filled)
    csv = filled.path / "blur" / "ifgsm.csv"
    before = csv.stat()
    csv.write_bytes(b"x" * before.st_size)  # a second reading would fail
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
        (record.metric, record.attack): record.effect.scores["absolute_gain"]
        for record in read_records([filled.path], {})
        if record.effect
    }
    assert found["blur", "ifgsm"] == pytest.approx(0.5)
    assert found["blur", "uap"] == pytest.approx(0.1)


def test_another_range_of_the_metric_scores_its_cells_anew(filled):
    tables(filled)
    again = read_records([filled.path], {"blur": (0.0, 2.0)})
    assert {record.attack: record.scored.scale.high for record in again if record.metric == "blur"} == {
        "ifgsm": 2,
        "uap": 2,
    }


def test_after_one_cell_changed_the_tables_are_those_of_a_fresh_aggregation(filled):
    tables(filled)
    filled.cell("blur", "ifgsm", [0.5, 0.5, 0.1])
    found = tables(filled)
    shutil.rmtree(filled.path / ".work")
    assert found == tables(filled)


def test_where_nothing_changed_nothing_of_the_cache_is_written_again(filled):
    tables(filled)
    before = {path: path.stat().st_mtime_ns for path in (filled.path / ".work").rglob("*")}
    tables(filled)
    assert {path: path.stat().st_mtime_ns for path in (filled.path / ".work").rglob("*")} == before


@pytest.mark.parametrize("name", CACHED)
@pytest.mark.parametrize("damage", [b"", b"nonsense", None])
def test_a_damaged_cache_file_is_made_anew(filled, name, damage):
    first = tables(filled)
    file = cache_file(filled, name)
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2] if damage is None else damage)
    assert tables(filled) == first
    assert file.read_bytes() == whole


@pytest.mark.parametrize("name", CACHED)
def test_a_cache_file_with_one_changed_byte_is_told_and_not_believed(filled, name, capsys):
    first = tables(filled)
    file = cache_file(filled, name)
    whole = file.read_bytes()
    file.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert tables(filled) == first
    assert f"{file} is damaged: what it held is done again" in capsys.readouterr().err


def test_where_the_cache_cannot_be_written_the_tables_are_the_same(filled):
    first = tables(filled)
    shutil.rmtree(filled.path / ".work")
    (filled.path / ".work").write_text("no folder")
    assert tables(filled) == first


def test_the_file_of_another_metric_is_not_believed(filled):
    first = tables(filled)
    for name in CACHED[:2]:
        own = cache_file(filled, name)
        own.write_bytes((filled.path / ".work" / "sharp" / own.name).read_bytes())
    assert tables(filled) == first


def test_numbers_that_another_process_replaced_are_not_mistaken_for_those_of_the_records(filled):
    tables(filled)
    records = [record for record in read_records([filled.path], {}) if record.metric == "blur"]
    filled.cell("blur", "ifgsm", [0.5, 0.5, 0.5])
    tables(filled)
    with pytest.raises(TransientError, match=r"scored\.numbers was changed while tables were made from it: run again"):
        build(records)


def test_the_cache_holds_nothing_that_could_run_code(filled):
    tables(filled)
    contents = {name: cache_file(filled, name).read_bytes().partition(b"\n")[2] for name in CACHED}
    with np.load(io.BytesIO(contents.pop("scored.numbers")), allow_pickle=False) as file:
        assert {array.dtype.kind for array in (file[name] for name in file.files)} == {"u", "f"}
    assert all(json.loads(content) for content in contents.values())


@pytest.mark.whole
def test_several_processes_write_what_one_does(filled):
    with Processes(processors=2, worth=0) as processes:
        found = together(read_records([filled.path], {}, processes))
        board = build(found, processes)
        assert processes.pool is not None
    shutil.rmtree(filled.path / ".work")
    alone = together(read_records([filled.path], {}))
    assert leaderboard_json(board) == leaderboard_json(build(alone))
    assert scores_csv(found) == scores_csv(alone)


def test_neither_the_order_of_rows_nor_of_folders_matters(filled, tmp_path, make_row):
    other = type(filled)(tmp_path / "other")
    other.cell("third", "ifgsm", [0.4, 0.2, 0.1])
    first = tmp_path / "first"
    write_tables([filled.path, other.path], first)
    csv = other.path / "third" / "ifgsm.csv"
    header, *lines = csv.read_text(encoding="utf-8").splitlines(keepends=True)
    csv.write_text("".join([header, *reversed(lines)]), encoding="utf-8")
    restamp(csv, lambda told: told.update(sha256=file_digest(csv)))
    second = tmp_path / "second"
    write_tables([other.path, filled.path], second)
    for name in FILES:
        assert (first / name).read_bytes() == (second / name).read_bytes(), name
    assert b"0.233333" in (second / "scores.csv").read_bytes()
