"""The checkpoint of unfinished work: a run reuses what is whole, and repeats the rest."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter

from metric_robustness.pipeline.engine.checkpoint import Checkpoint
from metric_robustness.pipeline.engine.metric.runner import CLEAR
from metric_robustness.pipeline.errors import BenchError
from metric_robustness.pipeline.files import SealedLines

ANY = TypeAdapter(Any)
UNITS = {"a": {"rows": [1]}, "b": "x" * 50, "ä": None}


@pytest.fixture
def path(tmp_path):
    checkpoint = Checkpoint(tmp_path / "work" / "cell.jsonl", "key", ANY, {"most": 4})
    for unit, record in UNITS.items():
        checkpoint.record(unit, record)
    return checkpoint.path


def test_a_second_run_knows_what_the_first_one_did(path):
    checkpoint = Checkpoint(path, "key", ANY, {"most": 99})
    assert checkpoint.done == UNITS
    assert checkpoint.header["most"] == 4


def test_work_under_another_key_is_begun_anew(path):
    checkpoint = Checkpoint(path, "other", ANY, {"most": 8})
    assert (checkpoint.done, checkpoint.header["most"]) == ({}, 8)
    assert Checkpoint(path, "key", ANY).done == {}


def test_a_checkpoint_cut_anywhere_keeps_its_whole_lines_and_goes_on(path):
    whole = path.read_bytes()
    ends = [index for index, byte in enumerate(whole) if byte == ord("\n")]
    for cut in range(0, len(whole) + 1, 3):
        path.write_bytes(whole[:cut])
        checkpoint = Checkpoint(path, "key", ANY, {"most": 4})
        lines = sum(end <= cut for end in ends)
        assert list(checkpoint.done) == list(UNITS)[: max(lines - 1, 0)]
        checkpoint.record("new", cut)
        assert list(Checkpoint(path, "key", ANY).done) == [*list(UNITS)[: max(lines - 1, 0)], "new"]


@pytest.mark.parametrize("damage", [b"garbage", b"\xff\xfe\x00", b"[1, 2]", b'{"unit": "b"}', b"", b"null"])
def test_a_damaged_line_costs_itself_and_a_damaged_header_all(path, damage, capsys):
    lines = path.read_bytes().split(b"\n")
    path.write_bytes(b"\n".join([*lines[:2], damage, *lines[3:]]))
    assert list(Checkpoint(path, "key", ANY).done) == ["a", "ä"]
    assert damage == b"" or "is damaged: the work of 1 of its 4 lines is done again" in capsys.readouterr().err
    path.write_bytes(b"\n".join([damage, *lines[1:]]))
    assert Checkpoint(path, "key", ANY).done == {}
    assert "is damaged: what it held is done again" in capsys.readouterr().err


def test_no_changed_byte_is_believed(path):
    whole = path.read_bytes()
    for place in range(0, len(whole), 5):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        done = Checkpoint(path, "key", ANY, {"most": 4}).done
        assert done.items() <= UNITS.items()
        assert len(done) < len(UNITS)


def test_a_line_of_another_checkpoint_is_not_believed(path, tmp_path):
    other = Checkpoint(tmp_path / "other.jsonl", "other", ANY, {"most": 4})
    other.record("b", "of the other")
    path.write_bytes(path.read_bytes() + other.path.read_bytes().split(b"\n")[1] + b"\n")
    assert Checkpoint(path, "key", ANY).done == UNITS


def test_a_line_that_is_no_record_is_done_again(tmp_path, capsys):
    file = SealedLines(tmp_path / "clear.jsonl", {"key": "key"})
    file.write([{"unit": "a", "record": 0.5}, {"unit": "b", "record": [1]}, {"surprise": 1}])
    assert Checkpoint(file.path, "key", CLEAR).done == {"a": 0.5}
    assert capsys.readouterr().err.count("is done again") == 2


def test_a_folder_in_the_place_of_the_journal_is_told_in_one_line(tmp_path):
    (tmp_path / "cell.jsonl").mkdir()
    with pytest.raises(BenchError, match="must be writable"):
        Checkpoint(tmp_path / "cell.jsonl", "key", ANY)
