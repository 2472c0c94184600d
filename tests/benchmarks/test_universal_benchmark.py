"""The measurement of universal attacks runs for every attack. These tests time nothing."""

from __future__ import annotations

import json

from typer.testing import CliRunner

from benchmarks.universal import ATTACKS, app


def test_json_rows_have_the_promised_columns() -> None:
    shown = CliRunner().invoke(app, ["--quick", "--json"])
    assert shown.exit_code == 0, shown.output
    rows = json.loads(shown.stdout)
    assert [row["attack"] for row in rows] == list(ATTACKS)
    assert all(row["fit"] > 0 and row["evaluation"] > 0 for row in rows)
