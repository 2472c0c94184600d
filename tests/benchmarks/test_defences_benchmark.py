"""The measurement of defences runs, both scoring and attacking through them. These tests time nothing."""

from __future__ import annotations

import json

from typer.testing import CliRunner

from benchmarks.defences import CHEAP, app


def test_json_rows_have_the_promised_columns() -> None:
    shown = CliRunner().invoke(app, ["--quick", "--json"])
    assert shown.exit_code == 0, shown.output
    rows = json.loads(shown.stdout)
    wanted = ["scoring through 4", "adding 4 to a cell", *(f"attack through {name}" for name in CHEAP)]
    assert [row["what"] for row in rows] == wanted
    assert all(row["ratio"] > 0 for row in rows)
