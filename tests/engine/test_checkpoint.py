"""The checkpoint of unfinished work: a run reuses what is whole, and repeats the rest."""

from __future__ import annotations

import json

import pytest

from metric_robustness.pipeline.engine.checkpoint import Checkpoint
from metric_robustness.pipeline.errors import BenchError

UNITS = {"a": {"rows": [1]}, "b": "x" * 50, "ä": None}


@pytest.fixture
def path(tmp_path):
    checkpoint = Checkpoint(tmp_path / "work" / "cell.jsonl", "key", {"most": 4})
    for unit, record in UNITS.items():
        checkpoint.record(unit, record)
    return checkpoint.path


def test_a_second_run_knows_what_the_first_one_did(path):
    checkpoint = Checkpoint(path, "key", {"most": 99})
    assert checkpoint.done == UNITS
    assert checkpoint.header["most"] == 4


def test_work_under_another_key_is_begun_anew(path):
    checkpoint = Checkpoint(path, "other", {"most": 8})
    assert (checkpoint.done, checkpoint.header["most"]) == ({}, 8)
    assert Checkpoint(path, "key").done == {}


def test_a_journal_cut_anywhere_keeps_its_whole_lines_and_goes_on(path):
    whole = path.read_bytes()
    ends = [index for index, byte in enumerate(whole) if byte == ord("\n")]
    for cut in range(len(whole) + 1):
        path.write_bytes(whole[:cut])
        checkpoint = Checkpoint(path, "key", {"most": 4})
        lines = sum(end < cut for end in ends)
        assert list(checkpoint.done) == list(UNITS)[: max(lines - 1, 0)]
        checkpoint.record("new", cut)
        assert list(Checkpoint(path, "key").done) == [*list(UNITS)[: max(lines - 1, 0)], "new"]


@pytest.mark.parametrize("damage", [b"garbage", b"\xff\xfe\x00", b"[1, 2]", b'"text"', b'{"unit": "b"}', b"", b"null"])
def test_a_damaged_line_ends_the_journal(path, damage):
    lines = path.read_bytes().split(b"\n")
    path.write_bytes(b"\n".join([*lines[:2], damage, *lines[3:]]))
    assert list(Checkpoint(path, "key").done) == ["a"]
    path.write_bytes(b"\n".join([damage, *lines[1:]]))
    assert Checkpoint(path, "key").done == {}


def test_a_header_that_is_not_this_program_s_is_begun_anew(path):
    path.write_text(json.dumps({"unit": "a", "record": 1}) + "\n")
    assert Checkpoint(path, "key").done == {}
    path.write_text(json.dumps({"key": "key"}) + "\n")
    assert Checkpoint(path, "key", {"most": 4}).header["most"] == 4


def test_a_folder_in_the_place_of_the_journal_is_told_in_one_line(tmp_path):
    (tmp_path / "cell.jsonl").mkdir()
    with pytest.raises(BenchError, match="must be writable"):
        Checkpoint(tmp_path / "cell.jsonl", "key")
