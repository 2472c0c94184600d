"""The measured ratios beside the committed ones, so that a loss of speed is seen by whoever runs `make bench`.

`python -m benchmarks.ratios` runs the measurements in turn, prints their tables, and names each ratio that is more than
a tenth worse than in `benchmarks/ratios.csv`. Seconds are not compared: they tell of the machine, ratios of the code.
`--write` writes the file anew.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from importlib import import_module
from io import StringIO
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias

from metric_robustness.pipeline.files import write_atomically
from metric_robustness.pipeline.terminal import err, out

Better: TypeAlias = Literal["higher", "lower"]

MEASUREMENTS = ("engine", "copies", "universal", "defences", "suites", "ranks", "metrics", "scaling", "aggregation")
COMMITTED = Path(__file__).with_suffix(".csv")
WORSE = 1.1
NAMES = ("metric", "dtype", "attack", "what", "size", "pass", "images")  # what tells the rows of a measurement apart
COLUMNS = ["measurement", "row", "ratio", "value"]


class Ratio(NamedTuple):
    """A measured ratio."""

    measurement: str
    row: str
    name: str
    value: float
    better: Better

    @property
    def key(self) -> tuple[str, str, str]:
        """Returns what it is called in the committed file."""
        return self.measurement, self.row, self.name

    def worse_than(self, committed: float) -> float:
        """Returns how many times worse than a committed ratio it is; below 1 it is better."""
        return committed / self.value if self.better == "higher" else self.value / committed


def ratios_of(measurement: str, rows: list[dict[str, object]]) -> Iterator[Ratio]:
    """Yields the ratios in the rows of a measurement, which says in `RATIOS` which columns they are."""
    ratios: Mapping[str, Better] = import_module(f"benchmarks.{measurement}").RATIOS
    for row in rows:
        name = " ".join(str(row[each]) for each in NAMES if each in row)
        for column, better in ratios.items():
            if column in row:
                yield Ratio(measurement, name, column, float(str(row[column])), better)


def losses(found: list[Ratio], committed: Mapping[tuple[str, str, str], float]) -> list[str]:
    """Returns a line for each ratio that is worse than the committed one by more than a tenth."""
    return [
        f"{ratio.measurement}, {ratio.row}: {ratio.name} is {ratio.value:g}, and {committed[ratio.key]:g} is committed"
        for ratio in found
        if ratio.key in committed and ratio.worse_than(committed[ratio.key]) > WORSE
    ]


def read_committed() -> dict[tuple[str, str, str], float]:
    """Returns the committed ratios."""
    if not COMMITTED.exists():
        return {}
    with COMMITTED.open(encoding="utf-8", newline="") as file:
        lines = csv.DictReader(file)
        return {(line["measurement"], line["row"], line["ratio"]): float(line["value"]) for line in lines}


def write_committed(ratios: list[Ratio]) -> None:
    """Writes ratios over those of the same names; others stay."""
    every = read_committed() | {ratio.key: ratio.value for ratio in ratios}
    order = {name: place for place, name in enumerate(MEASUREMENTS)}
    with StringIO() as text:
        lines = csv.writer(text, lineterminator="\n")
        lines.writerow(COLUMNS)
        lines.writerows((*key, value) for key, value in sorted(every.items(), key=lambda it: (order[it[0][0]], it[0])))
        write_atomically(COMMITTED, text.getvalue())


def main() -> None:
    """Prints the tables, then what became slower."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=MEASUREMENTS, help="run this measurement alone")
    parser.add_argument("--write", action="store_true", help="write what was measured to benchmarks/ratios.csv")
    parser.add_argument("--quick", action="store_true", help="only show that it runs; its ratios mean nothing")
    parser.add_argument("--clock", choices=("wall", "cpu"), default="wall", help="cpu: where others compute, too")
    options = parser.parse_args()
    found: list[Ratio] = []
    for measurement in [options.only] if options.only else MEASUREMENTS:
        command = [sys.executable, "-m", f"benchmarks.{measurement}", "--json", "--clock", options.clock]
        command += ["--quick"] if options.quick else []
        rows = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
        out.print(import_module(f"benchmarks.{measurement}").table(rows))
        found += ratios_of(measurement, rows)
    if options.write:
        write_committed(found)
        return
    lost = losses(found, read_committed())
    for line in lost:
        out.print(f"[bold]slower:[/] {line}", highlight=False)
    err.print(f"{len(lost)} of {len(found)} ratios are more than a tenth worse than in {COMMITTED.name}")


if __name__ == "__main__":
    main()
