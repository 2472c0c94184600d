"""The measurement of rank_swap runs the cell and the search. This test times nothing."""

from __future__ import annotations

import json

from typer.testing import CliRunner

from benchmarks.ranks import app


def test_json_rows_have_the_promised_columns() -> None:
    shown = CliRunner().invoke(app, ["--quick", "--json"])
    assert shown.exit_code == 0, shown.output
    (row,) = json.loads(shown.stdout)
    assert min(row[f"{name}_seconds_per_image"] for name in ("cell", "search")) > 0
    assert row["over_search"] > 0
