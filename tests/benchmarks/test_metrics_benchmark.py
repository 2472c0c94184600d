"""The measurement of formula metrics runs, its peers give the same values, a missing one is named. It times nothing."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

import benchmarks.yardsticks.peers
from benchmarks.metrics import METRICS, PASSES, app
from metric_robustness.pipeline.catalogue import lookup


def test_json_rows_have_the_promised_columns() -> None:
    shown = CliRunner().invoke(app, ["--quick", "--json"])
    assert shown.exit_code == 0, shown.output
    rows = json.loads(shown.stdout)
    assert [(row["metric"], row["pass"]) for row in rows] == [
        (name, way) for name in ("psnr", "ssimc") for way in PASSES
    ]
    for row in rows:
        assert row["ratio"] > 0
        assert row["milliseconds"].keys() == {"ours", *row["differences"]}
        assert row["differences"]["pyiqa"] < 1e-5


def test_a_peer_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(benchmarks.yardsticks.peers.PACKAGES, "no_such_package", ("psnr",))
    monkeypatch.setitem(benchmarks.yardsticks.peers.OPENERS, "no_such_package", lambda _: __import__("no_such_package"))
    shown = CliRunner().invoke(app, ["--quick", "--only", "psnr"])
    assert shown.exit_code == 0, shown.output
    assert "no_such_package" in shown.stdout


def test_every_metric_of_the_table_is_an_entry() -> None:
    assert set(METRICS) <= lookup.entries("metrics").keys()
