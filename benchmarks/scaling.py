"""How the cost of a run grows: with images, pixels, budgets and metrics, and how it falls with jobs.

`python -m benchmarks.scaling` runs `python -m pipeline run` at growing sizes. What a run of one small image takes, its
start, is taken off, so that doubled work shows as a ratio of 2. The metrics of a run cost differently, so theirs are
compared with the sum of one run each; two jobs are compared with one by the clock on the wall, whatever `--clock` says.
Each metric has one thread.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from rich.table import Table

from benchmarks.photographs import open_crops
from benchmarks.ratios import Better
from benchmarks.speed import Row, spread, titled_table
from metric_robustness.pipeline.terminal import err, out

RATIOS: dict[str, Better] = {"ratio": "lower"}
REPETITIONS = 2
SOME = ("niqe", "vif", "fsim", "gmsd")  # none needs a download


class Run(NamedTuple):
    """What a run is asked to do.

    Attributes:
        images: How many crops of photographs.
        side: Their height and width.
        metrics: The metrics, one after the other.
        attack: The attack.
        budgets: Smaller limits of its change.
        jobs: How many metrics are run at once.
    """

    images: int
    side: int
    metrics: tuple[str, ...] = ("vif",)  # whose cost goes with pixels
    attack: str = "ifgsm"
    budgets: str = ""
    jobs: int = 1

    @property
    def start(self) -> Run:
        """Returns the smallest run that starts as much: one small image under the cheapest attack."""
        return self._replace(images=1, side=192, attack="fgsm", budgets="")

    @property
    def options(self) -> list[str]:
        """Returns the options of the command, but for images and output."""
        budgets = ["--budgets", self.budgets] if self.budgets else []
        named = ["--metrics", ",".join(self.metrics), "--attacks", self.attack, "--jobs", str(self.jobs)]
        return [*named, *budgets, "--preset", "smoke", "--limit", str(self.images)]


class Step(NamedTuple):
    """A run beside others that do a known part of its work.

    Attributes:
        what: What grows.
        size: How large it is.
        run: The run.
        beside: The runs that it is compared with, as a sum.
        wanted: The ratio if cost grew in proportion.
        wall: Whether only the clock on the wall can tell.
    """

    what: str
    size: str
    run: Run
    beside: tuple[Run, ...]
    wanted: str
    wall: bool = False


def steps(least: int = 4, side: int = 400) -> list[Step]:
    """Returns all that is measured, each step beside the one before it.

    Args:
        least: The fewest images.
        side: Of the largest images.
    """
    images = [Run(least * times, side) for times in (1, 2, 4)]
    pixels = [Run(4 * least, round(side / times**0.5)) for times in (4, 2, 1)]
    search = [Run(1, side // 2, attack="adam", budgets=each) for each in ("8", "4,8", "2,4,8")]
    alone = [Run(least, side, (metric,)) for metric in SOME]
    jobs = [Run(least, side, SOME, jobs=each) for each in (1, 2)]
    return [
        *(Step("images", f"{new.images} after {old.images}", new, (old,), "2") for old, new in pairwise(images)),
        *(Step("pixels", f"{new.side}^2 after {old.side}^2", new, (old,), "2") for old, new in pairwise(pixels)),
        *(Step("budgets", f"{n} after {n - 1}", new, (old,), "-") for n, (old, new) in enumerate(pairwise(search), 3)),
        Step("metrics", f"{len(SOME)} in one run after one each", Run(least, side, SOME), tuple(alone), "1"),
        Step("jobs", "2 after 1", jobs[1], (jobs[0],), "0.5", wall=True),
    ]


class Seconds(NamedTuple):
    """What a run takes."""

    wall: float
    cpu: float  # of all its processes


class Stopwatch:
    """Runs commands, each once, and knows what they took.

    Args:
        folder: An empty one.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.known = folder, dict[Run, Seconds]()

    def seconds(self, run: Run) -> Seconds:
        """Returns what a run takes."""
        if run not in self.known:
            self.known[run] = self._run(run, self.folder / f"run{len(self.known)}")
        return self.known[run]

    def _run(self, run: Run, folder: Path) -> Seconds:
        open_crops(folder, run.images, run.side)
        command = [sys.executable, "-m", "metric_robustness.pipeline", "run", *run.options]
        command += ["--dataset", str(folder / "photographs"), "--out", str(folder / "out")]
        wall, cpu = time.perf_counter(), sum(os.times()[2:4])
        subprocess.run(command, check=True, capture_output=True, env=os.environ | {"OMP_NUM_THREADS": "1"})
        return Seconds(time.perf_counter() - wall, sum(os.times()[2:4]) - cpu)


def measure(wanted: Sequence[Step], repetitions: int, *, on_wall: bool) -> list[Row]:
    """Returns a row per step: the ratio of the fastest runs, and the range of the ratios of each repetition."""
    found = []
    for number in range(repetitions):
        with tempfile.TemporaryDirectory() as folder:
            watch = Stopwatch(Path(folder))
            for step in wanted:
                err.print(f"[dim]{number + 1} of {repetitions}, {step.what}: {step.size}")
                for run in (step.run, *step.beside):
                    watch.seconds(run)
                    watch.seconds(run.start)
            found.append(watch.known)
    return [
        {
            "what": step.what,
            "size": step.size,
            "ratio": round(_ratio(step, found, on_wall=on_wall), 3),
            "ratio_spread": spread([_ratio(step, [each], on_wall=on_wall) for each in found]),
            "in_proportion": step.wanted,
        }
        for step in wanted
    ]


def _ratio(step: Step, found: Sequence[Mapping[Run, Seconds]], *, on_wall: bool) -> float:
    """Returns the seconds of a step over those of what it is compared with, of the fastest runs, without any start."""
    clock = "wall" if on_wall or step.wall else "cpu"

    def fastest(run: Run) -> float:
        return min(float(getattr(each[run], clock)) for each in found)

    def work(run: Run) -> float:
        return fastest(run) - fastest(run.start)

    return work(step.run) / sum(map(work, step.beside))


def table(rows: list[Row]) -> Table:
    """Returns the rows for people."""
    view = titled_table("How the cost of a run grows", ("what", "size"), ("ratio", "range", "in proportion"))
    for row in rows:
        low, high = row["ratio_spread"]
        view.add_row(row["what"], row["size"], f"{row['ratio']:.2f}", f"{low:.2f} to {high:.2f}", row["in_proportion"])
    return view


def main() -> None:
    """Prints the table, or its rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print rows for programs")
    parser.add_argument("--quick", action="store_true", help="only show that it runs: few images, once")
    parser.add_argument("--only", default="", help="measure only how cost grows with this")
    parser.add_argument("--clock", choices=("wall", "cpu"), default="wall", help="cpu: where others compute, too")
    options = parser.parse_args()
    every = steps(1) if options.quick else steps()
    chosen = [step for step in every if options.only in {"", step.what}]
    rows = measure(chosen, 1 if options.quick else REPETITIONS, on_wall=options.clock == "wall")
    if options.json:
        print(json.dumps(rows, indent=2))
    else:
        out.print(table(rows))


if __name__ == "__main__":
    main()
