"""Measured ranges: how they differ from declared ones, and how ranges.csv is written and read."""

from __future__ import annotations

import csv

import pytest

from metric_robustness.pipeline.scoring.scores.ranges import (
    MeasuredOn,
    as_csv,
    difference,
    line_of,
    read_lines,
    read_ranges,
)

SOURCE = MeasuredOn(1000, "nips2017", "0123456789abcdef", "2026-11-21")


@pytest.mark.parametrize(
    ("found", "declared", "told"),
    [
        ((1.5, 27.0), (1.41, 28.7), ""),
        ((26.0, 84.0), (0.259, 0.845), "another unit: the declared range times 100"),
        ((0.27, 0.84), (26.7, 83.6), "another unit: the declared range times 0.01"),
        ((-1.0, 0.5), (10.0, 20.0), "has nothing in common with the declared one: another model or unit"),
        ((0.0, 1.5), (0.0, 1.0), "reaches 50% of the declared range above it"),
        (
            (-0.3, 1.2),
            (0.0, 1.0),
            "reaches 30% of the declared range below it; reaches 20% of the declared range above it",
        ),
        ((0.4, 0.6), (0.0, 1.0), "has 20% of the declared width: these images differ less"),
    ],
)
def test_a_difference_from_the_declared_range_is_told_in_words(found, declared, told):
    assert difference(found, declared) == told


def test_lines_are_written_sorted_and_read_again_as_ranges(tmp_path):
    lines = [line_of("niqe", (1.5, 27.0), (1.41, 28.7), SOURCE), line_of("musiq", (30.0, 70.0), (22.8, 78.0), SOURCE)]
    file = tmp_path / "ranges.csv"
    file.write_text(as_csv(lines))
    assert [row["metric"] for row in csv.DictReader(file.open())] == ["musiq", "niqe"]
    assert read_ranges(file) == {"musiq": (30.0, 70.0), "niqe": (1.5, 27.0)}
    assert read_lines(file) == {line.metric: line for line in lines}


def test_a_file_of_fewer_columns_is_still_read(tmp_path):
    file = tmp_path / "ranges.csv"
    file.write_text("metric,low,high\nniqe,1,2\n")
    assert read_lines(file)["niqe"].dataset == ""
    assert read_lines(tmp_path / "none.csv") == {}
