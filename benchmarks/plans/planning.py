"""How long planning takes: python -m benchmarks.plans.planning [--metrics 400] [--attacks 50] [--stored 0] [--json].

A scratch checkout of 100 metrics and 20 attacks, three quarters of its 2,000 cells in a folder store, is planned as CI
does: in a new process, in which torch cannot be imported.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
REPEATS = 3
METRIC = '''"""Metric {number}: mean brightness."""

from metric_robustness.metrics.base import Images, NoReference, Scores


class Metric{number}(NoReference):
    higher_is_better = True
    score_range = (0.0, 1.0)

    def score(self, images: Images) -> Scores:
        return images.mean(dim=(1, 2, 3)) * {number}
'''
PLAN = """
import sys
sys.modules["torch"] = None
from metric_robustness.pipeline.__main__ import main
main()
"""
FILL = """
import os
import sys
from metric_robustness.pipeline import config
from metric_robustness.pipeline.catalogue import lookup
from metric_robustness.pipeline.cells.cell import Cell
from metric_robustness.pipeline.cells.settings import settings_of
from metric_robustness.pipeline.store import cells as stored
from metric_robustness.pipeline.ci.inventory import take_inventory
from metric_robustness.pipeline.store.store import FolderStore
from metric_robustness.pipeline.files import digest
from metric_robustness.pipeline.cells.stamp import AttackFacts, Stamp, metric_facts
from pathlib import Path

os.fsync = lambda file: None  # nothing of this has to outlive a power cut, and the disk would take minutes
stored_share = float(sys.argv[1])
preset = config.load().preset("smoke")
digests = take_inventory(preset).digests
rows = "image,clear,attacked\\n" * 100
for index, (metric, attack) in enumerate((m, a) for m in lookup.entries("metrics").values()
                                         for a in lookup.entries("attacks").values()):
    if int((index + 1) * stored_share) == int(index * stored_share):
        continue
    cell = Cell(metric, attack, digests, settings_of(preset))
    facts = AttackFacts(name=attack.name, title="", family="sign", access="white", fingerprint=attack.fingerprint,
                        settings={})
    stamp = Stamp(status="done", metric=metric_facts(metric), attack=facts, datasets=[], settings={}, preset="smoke",
                  key=cell.key, sha256=digest(rows.encode()))
    stored.write_cell(FolderStore(Path("store")), cell, stamp, rows)
"""


def main() -> None:
    """Prints the seconds of the fastest of a few runs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--metrics", type=int, default=100)
    parser.add_argument("--attacks", type=int, default=20)
    parser.add_argument("--stored", type=float, default=0.75, help="the share of the cells that the store has")
    parser.add_argument("--json", action="store_true", help="print rows for programs")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        _make(root, given.metrics, given.attacks)
        subprocess.run([sys.executable, "-c", FILL, str(given.stored)], cwd=root, check=True)
        runs = [_plan(root) for _ in range(REPEATS)]
        plan = json.loads((root / "plan" / "plan.json").read_text())
        row = {
            "cells": len(plan["cells"]),
            "stored": sum(cell["action"] == "done" for cell in plan["cells"]),
            "jobs": len(plan["jobs"]),
            "seconds": round(min(seconds for seconds, _, _ in runs), 2),
            "processor_seconds": round(min(busy for _, busy, _ in runs), 2),
            "largest_child_bytes": max(file.stat().st_size for file in (root / "plan").glob("child-*.yml")),
        }
    if given.json:
        print(json.dumps([row]))
    else:
        print(*runs[-1][2].splitlines()[-2:], sep="\n")
        print(_told(row))


def _told(row: dict[str, Any]) -> str:
    """Returns a row for people."""
    return (
        f"{row['cells']} cells, {row['stored']} of them in the store, planned in {row['seconds']} s "
        f"({row['processor_seconds']} s of processor time); largest child {row['largest_child_bytes']:,} bytes"
    )


def _plan(root: Path) -> tuple[float, float, str]:
    """Plans in a new process; returns the seconds, those of processor time, and what was printed."""
    start, before = time.perf_counter(), os.times()
    command = [sys.executable, "-c", PLAN, "plan", "--preset", "smoke", "--store", "store", "--out", "plan"]
    printed = subprocess.run(command, cwd=root, check=True, capture_output=True, text=True).stdout
    after = os.times()
    busy = after.children_user + after.children_system - before.children_user - before.children_system
    return time.perf_counter() - start, busy, printed


def _make(root: Path, metrics: int, attacks: int) -> None:
    """Writes a checkout of many metrics and attacks below a folder."""
    shutil.copytree(ROOT / "pipeline", root / "pipeline", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "metric_robustness", root / "metric_robustness", symlinks=True)
    for name in ("metrics", "attacks", "defences"):
        (root / name).mkdir()
        for file in ("__init__.py", "base.py"):
            shutil.copy(ROOT / name / file, root / name)
    for number in range(metrics):
        (root / "metrics" / f"metric_{number}.py").write_text(METRIC.format(number=number), encoding="utf-8")
    attack = (ROOT / "attacks" / "fgsm.py").read_text(encoding="utf-8")
    for number in range(attacks):
        (root / "attacks" / f"attack_{number}.py").write_text(f"{attack}\nNUMBER = {number}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
