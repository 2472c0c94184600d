"""How long tables take: CELLS cells of ROWS made-up rows each, from CSV to all tables; again; with one cell changed.

Each part runs in a process of its own, so that its memory is its own too, with that of the processes that it starts.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from rich.table import Table

from benchmarks.ratios import Better
from benchmarks.speed import Row, titled_table
from metric_robustness.pipeline.cells.row import COLUMNS
from metric_robustness.pipeline.cells.stamp import AttackFacts, DatasetFacts, MetricFacts, Stamp
from metric_robustness.pipeline.files import digest
from metric_robustness.pipeline.terminal import out

RATIOS: dict[str, Better] = {"over_first": "lower"}
ATTACKS = 20
FAMILIES = ("sign", "optimised", "universal", "query", "control")
DEFENCE = "blur"
TABLES = ("scores.csv", "leaderboard.md", "leaderboard.csv", "leaderboard.json", "defences.csv", "defences.md")


def main() -> None:
    """Prints seconds and memory, and the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=int, default=300)
    parser.add_argument("--rows", type=int, default=3000)
    parser.add_argument("--defences", type=int, default=0, help="how many of the metrics have a defence, too")
    parser.add_argument("--json", action="store_true", help="print rows for programs")
    parser.add_argument("--quick", action="store_true", help="only show that it runs: few cells")
    parser.add_argument("--clock", choices=("wall", "cpu"), default="wall", help="of the ratio")
    options = parser.parse_args()
    size = MadeUp(20 if options.quick else options.cells, options.rows, options.defences)
    rows = measure(size, f"{options.clock}_seconds")
    if options.json:
        print(json.dumps(rows, indent=2))
    else:
        out.print(table(rows))


@dataclass(frozen=True)
class MadeUp:
    """How large the made-up folder is."""

    cells: int
    rows: int  # of each cell
    defences: int  # metrics that have one, whose cells come three times: bare, assessed and attacked behind it

    @property
    def facts(self) -> dict[str, int]:
        """Returns how many cells and rows there are."""
        cells = self.cells + 2 * min(self.cells, self.defences * ATTACKS)
        return {"cells": cells, "rows": cells * self.rows}

    def write(self, folder: Path, cell: int, seed: int) -> None:
        """Writes a cell, and those of its metric with a defence."""
        metric, attack = f"metric{cell // ATTACKS:03}", f"attack{cell % ATTACKS:02}"
        rows = _rows(cell, self.rows, seed)
        _write(folder, rows, _stamp(metric, attack, cell, f"{seed}-{cell}"))
        if cell // ATTACKS < self.defences:
            scores = {"clear_defended": rows["clear"], "attacked_defended": rows[["clear", "attacked"]].mean(axis=1)}
            measures = {"psnr_defended": 35.0, "ssim_defended": 0.9}
            assessed = rows.assign(defence=DEFENCE, **scores, **measures)
            defences = {"defences": {DEFENCE: "d"}}
            _write(folder, assessed, _stamp(metric, attack, cell, f"{seed}-{cell}", defences), "+defended")
            known = _stamp(f"{metric}+{DEFENCE}", attack, cell, f"{seed}-{cell}")
            _write(folder, rows.assign(**measures), known)


def measure(size: MadeUp, clock: str) -> list[Row]:
    """Returns a row per way to make the tables, each over the first by a column of seconds."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for cell in range(size.cells):
            size.write(folder, cell, 0)
        found = {"first": _in_a_process(folder)}
        before = _tables(folder)
        found["again"] = _in_a_process(folder)
        if before != _tables(folder):
            raise ValueError("tables of unchanged cells must be the same bytes; they differ")
        size.write(folder, 0, 1)
        found["one changed"] = _in_a_process(folder)
    rows_made: list[Row] = [{"what": what, **size.facts, **spent} for what, spent in found.items()]
    for row in rows_made[1:]:
        row["over_first"] = round(row[clock] / rows_made[0][clock], 4)
    return rows_made


def _tables(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in TABLES if (folder / name).is_file()}


def table(rows: list[Row]) -> Table:
    """Returns the rows for people."""
    view = titled_table(f"Tables of {rows[0]['rows']:,} rows", ("",), ("wall s", "processor s", "GB", "over first"))
    for row in rows:
        spent = [f"{row[name]:.2f}" for name in ("wall_seconds", "cpu_seconds", "peak_memory_gb")]
        view.add_row(row["what"], *spent, f"{row['over_first']:.3f}" if "over_first" in row else "")
    return view


def _in_a_process(folder: Path) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.tables_of", str(folder)]
    printed = subprocess.run(command, capture_output=True, check=True, text=True).stdout
    measured: dict[str, float] = json.loads(printed)
    return measured


def _rows(cell: int, rows: int, seed: int) -> pd.DataFrame:
    """Returns made-up rows, as the engine writes them."""
    random = np.random.default_rng([seed, cell])
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
    return pd.DataFrame(values | {"clip": values["image"]}).reindex(columns=list(COLUMNS))


def _stamp(metric: str, attack: str, cell: int, key: str, settings: dict[str, Any] | None = None) -> Stamp:
    """Returns the stamp of a made-up cell, without what it says of the rows."""
    facts = MetricFacts(
        name=metric, title=metric, kind="NR", higher_is_better=True, score_range=(0, 1), fingerprint="m"
    )
    family = FAMILIES[cell % ATTACKS % len(FAMILIES)] if cell % ATTACKS else "control"
    access: Literal["white", "black"] = "black" if family in {"query", "control"} else "white"
    return Stamp(
        status="done",
        metric=facts,
        attack=AttackFacts(
            name=attack, title=attack, family=family, access=access, fingerprint="a", settings={"eps": 10 / 255}
        ),
        datasets=[],
        settings=settings or {},
        preset="full",
        key=key,
    )


def _write(folder: Path, rows: pd.DataFrame, stamp: Stamp, more: str = "") -> None:
    """Writes a made-up cell: the rows, and the stamp.

    Args:
        folder: The run folder.
        rows: The rows.
        stamp: What the stamp says of other things.
        more: What the file's name has after the attack's.
    """
    csv = rows.to_csv(index=False, float_format="%.6g", lineterminator="\n")  # as the engine writes rows, but faster
    datasets = [DatasetFacts(name="set", digest="d", images=len(rows))]
    whole = stamp.model_copy(update={"datasets": datasets, "rows": len(rows), "sha256": digest(csv.encode())})
    path = folder / stamp.metric.name / f"{stamp.attack.name}{more}.csv"
    path.parent.mkdir(exist_ok=True)
    path.write_text(csv, encoding="utf-8")
    path.with_suffix(".json").write_text(whole.to_json(), encoding="utf-8")


if __name__ == "__main__":
    main()
