"""The measurement of suites runs all their attacks. This test times nothing."""

from __future__ import annotations

import json

from typer.testing import CliRunner

from benchmarks.suites import app, suite


def test_json_rows_have_the_promised_columns() -> None:
    assert {attack.name for attack in suite("strong")} == {"adam", "apgd"}
    shown = CliRunner().invoke(app, ["--quick", "--json"])
    assert shown.exit_code == 0, shown.output
    (row,) = json.loads(shown.stdout)
    assert min(row[f"{name}_seconds_per_image"] for name in ("base", "strong", "bare")) > 0
    assert min(row["over_base"], row["over_bare"]) > 0
