"""The measurement of the engine runs, and its three ways to attack give the same scores. These tests time nothing."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmarks.engine import QUICK, EngineWorkload, app, measure
from benchmarks.speed import metric_entry

# Published weights do not lie in the repository; where they are missing, the benchmark leaves their networks out, too.
HERE = [workload for workload in QUICK if not metric_entry(workload.metric).missing_weights()]


@pytest.mark.parametrize("workload", HERE, ids=lambda workload: workload.metric)
def test_plain_loop_engine_and_limit_agree_on_the_attacked_scores(workload: EngineWorkload, tmp_path: Path) -> None:
    results = measure(workload, tmp_path, time.perf_counter)
    assert [result.way for result in results] == list(workload.ways)
    for result in results:
        # Rounding changes the sign of the smallest gradients; bfloat16 changes a few more.
        expected = pytest.approx(result.plain.scores, rel=0.02 if result.way.dtype == "float32" else 0.05)
        assert result.engine.scores == expected
        assert result.limit.scores == expected
        assert len(result.engine.scores) == workload.images


def test_json_rows_have_the_promised_columns() -> None:
    shown = CliRunner().invoke(app, ["--quick", "--json", "--only", "mobilenet_v3_small"])
    assert shown.exit_code == 0, shown.output
    rows = json.loads(shown.stdout)
    assert [row["dtype"] for row in rows] == ["float32", "bfloat16"]
    assert all({"metric", "dtype", "images_per_second", "over_plain", "over_limit"} <= row.keys() for row in rows)
