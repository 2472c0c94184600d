"""How long tables take: CELLS cells of ROWS made-up rows each, from CSV to all tables; again; with one cell changed.

Each part runs in a process of its own, so that its memory is its own too, with that of the processes that it starts.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from rich.table import Table

from benchmarks.ratios import Better
from benchmarks.speed import Row, titled_table
from metric_robustness.pipeline.cells.row import COLUMNS
from metric_robustness.pipeline.cells.stamp import AttackFacts, DatasetFacts, MetricFacts, Stamp
from metric_robustness.pipeline.files import digest
from metric_robustness.pipeline.scoring.tables.write import write_tables
from metric_robustness.pipeline.terminal import out

RATIOS: dict[str, Better] = {"over_first": "lower"}
ATTACKS = 20
FAMILIES = ("sign", "optimised", "universal", "query", "control")
TABLES = ("scores.csv", "leaderboard.md", "leaderboard.csv", "leaderboard.json")


def main() -> None:
    """Prints seconds and memory, and the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=int, default=300)
    parser.add_argument("--rows", type=int, default=3000)
    parser.add_argument("--tables-of", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--json", action="store_true", help="print rows for programs")
    parser.add_argument("--quick", action="store_true", help="only show that it runs: few cells")
    parser.add_argument("--clock", choices=("wall", "cpu"), default="wall", help="of the ratio")
    options = parser.parse_args()
    if options.tables_of:
        print(json.dumps(_measured(options.tables_of)))
        return
    rows = measure(20 if options.quick else options.cells, options.rows, f"{options.clock}_seconds")
    if options.json:
        print(json.dumps(rows, indent=2))
    else:
        out.print(table(rows))


def measure(cells: int, rows: int, clock: str) -> list[Row]:
    """Returns a row per way to make the tables, each over the first by a column of seconds."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for cell in range(cells):
            _write(folder, cell, rows, 0)
        found = {"first": _in_a_process(folder)}
        before = [(folder / file).read_bytes() for file in TABLES]
        found["again"] = _in_a_process(folder)
        if before != [(folder / file).read_bytes() for file in TABLES]:
            raise ValueError("tables of unchanged cells must be the same bytes; they differ")
        _write(folder, 0, rows, 1)
        found["one changed"] = _in_a_process(folder)
    size = {"cells": cells, "rows": cells * rows}
    rows_made: list[Row] = [{"what": what, **size, **spent} for what, spent in found.items()]
    for row in rows_made[1:]:
        row["over_first"] = round(row[clock] / rows_made[0][clock], 4)
    return rows_made


def table(rows: list[Row]) -> Table:
    """Returns the rows for people."""
    view = titled_table(f"Tables of {rows[0]['rows']:,} rows", ("",), ("wall s", "processor s", "GB", "over first"))
    for row in rows:
        spent = [f"{row[name]:.2f}" for name in ("wall_seconds", "cpu_seconds", "peak_memory_gb")]
        view.add_row(row["what"], *spent, f"{row['over_first']:.3f}" if "over_first" in row else "")
    return view


def _in_a_process(folder: Path) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.aggregation", "--tables-of", str(folder)]
    printed = subprocess.run(command, capture_output=True, check=True, text=True).stdout
    measured: dict[str, float] = json.loads(printed)
    return measured


def _measured(folder: Path) -> dict[str, float]:
    wall, cpu = time.perf_counter(), sum(os.times()[:4])
    write_tables([folder], folder)
    usage = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    one, workers = (each.ru_maxrss / 2**20 for each in usage)
    most = one + workers * len(os.sched_getaffinity(0))  # as if all of them were at their largest at once
    return {
        "wall_seconds": round(time.perf_counter() - wall, 2),
        "cpu_seconds": round(sum(os.times()[:4]) - cpu, 2),
        "peak_memory_gb": round(most, 2),
    }


def _write(folder: Path, cell: int, rows: int, seed: int) -> None:
    """Writes a made-up cell: rows as the engine writes them, and the stamp."""
    random = np.random.default_rng([seed, cell])
    metric, attack = f"metric{cell // ATTACKS:03}", f"attack{cell % ATTACKS:02}"
    clear = np.random.default_rng(cell // ATTACKS).random(rows)
    attacked, shift = clear + random.normal(0.1, 0.1, rows), random.random(rows)
    values = {
        "dataset": "set",
        "image": [f"image{i:05}.png" for i in range(rows)],
        "clear": clear,
        "attacked": attacked,
        "psnr": 30 + shift,
        "ssim": 0.9 * shift,
        "mse": shift / 1000,
        "linf": 10 / 255,
        "queries": 10,
        "gradients": 10,
    }
    table = pd.DataFrame(values | {"clip": values["image"]}).reindex(columns=list(COLUMNS))
    csv = table.to_csv(index=False, float_format="%.6g", lineterminator="\n")  # as the engine writes rows, but faster
    facts = MetricFacts(
        name=metric, title=metric, kind="NR", higher_is_better=True, score_range=(0, 1), fingerprint="m"
    )
    family = FAMILIES[cell % ATTACKS % len(FAMILIES)] if cell % ATTACKS else "control"
    access: Literal["white", "black"] = "black" if family in {"query", "control"} else "white"
    stamp = Stamp(
        status="done",
        metric=facts,
        attack=AttackFacts(
            name=attack, title=attack, family=family, access=access, fingerprint="a", settings={"eps": 10 / 255}
        ),
        datasets=[DatasetFacts(name="set", digest="d", images=rows)],
        settings={},
        preset="full",
        key=f"{seed}-{cell}",
        rows=rows,
        sha256=digest(csv.encode()),
    )
    path = folder / metric / f"{attack}.csv"
    path.parent.mkdir(exist_ok=True)
    path.write_text(csv, encoding="utf-8")
    path.with_suffix(".json").write_text(stamp.to_json(), encoding="utf-8")


if __name__ == "__main__":
    main()
