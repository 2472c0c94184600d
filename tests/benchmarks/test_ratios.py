"""Measured ratios are compared with committed ones; growing runs are measured. These tests time nothing."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

from benchmarks import ratios
from benchmarks.ratios import MEASUREMENTS, Ratio, losses, ratios_of, read_committed, write_committed
from benchmarks.scaling import measure, steps


@pytest.mark.parametrize(
    ("better", "value", "lost"),
    [
        ("lower", 1.09, False),
        ("lower", 1.12, True),
        ("lower", 0.5, False),
        ("higher", 0.95, False),
        ("higher", 0.9, True),
    ],
)
def test_ratio_that_is_worse_by_more_than_a_tenth_is_named(better: ratios.Better, value: float, lost: bool) -> None:
    found = Ratio("engine", "niqe float32", "over_limit", value, better)
    named = losses([found], {found.key: 1.0})
    assert named == (["engine, niqe float32: over_limit is " + f"{value:g}, and 1 is committed"] if lost else [])


def test_ratio_that_nobody_committed_is_no_loss() -> None:
    assert losses([Ratio("engine", "new", "over_limit", 9, "lower")], {}) == []


def test_committed_ratios_are_read_as_written_and_others_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ratios, "COMMITTED", tmp_path / "ratios.csv")
    first, second = Ratio("scaling", "jobs", "ratio", 0.52, "lower"), Ratio("engine", "niqe", "over_limit", 1, "higher")
    write_committed([first])
    write_committed([second, first._replace(value=0.55)])
    assert read_committed() == {second.key: 1, first.key: 0.55}
    assert list(read_committed()) == [second.key, first.key]  # in the order in which they are measured


def test_committed_file_names_nothing_but_what_is_measured() -> None:
    known = read_committed()
    assert {"engine", "copies", "scaling"} <= {measurement for measurement, *_ in known} <= set(MEASUREMENTS)
    assert all(name in import_module(f"benchmarks.{measurement}").RATIOS for measurement, _, name in known)


def test_growing_runs_are_measured() -> None:
    rows = measure(steps(1)[:1], 1, on_wall=False)
    assert [ratio.row for ratio in ratios_of("scaling", rows)] == ["images 2 after 1"]
    assert rows[0]["in_proportion"] == "2"
