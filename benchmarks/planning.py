"""How long planning takes: python -m benchmarks.planning [--json].

A scratch checkout of 100 metrics and 20 attacks, most of its 2,000 cells in a folder store, is planned as CI does: in
a new process, in which torch cannot be imported.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
METRICS, ATTACKS, REPEATS = 100, 20, 3
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

preset = config.load().preset("smoke")
digests = take_inventory(preset).digests
rows = "image,clear,attacked\\n" * 100
for index, (metric, attack) in enumerate((m, a) for m in lookup.entries("metrics").values()
                                         for a in lookup.entries("attacks").values()):
    if index % 4 == 0:
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
    parser.add_argument("--json", action="store_true", help="print rows for programs")
    as_json = parser.parse_args().json
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        _make(root)
        subprocess.run([sys.executable, "-c", FILL], cwd=root, check=True)
        seconds, printed = [], ""
        for _ in range(REPEATS):
            start = time.perf_counter()
            command = [sys.executable, "-c", PLAN, "plan", "--preset", "smoke", "--store", "store", "--out", "plan"]
            printed = subprocess.run(command, cwd=root, check=True, capture_output=True, text=True).stdout
            seconds.append(time.perf_counter() - start)
        files = list((root / "plan").glob("child-*.yml"))
        row = {
            "cells": METRICS * ATTACKS,
            "jobs": len(json.loads((root / "plan" / "plan.json").read_text())["jobs"]),
            "seconds": round(min(seconds), 2),
            "largest_child_bytes": max(file.stat().st_size for file in files),
        }
    if as_json:
        print(json.dumps([row]))
    else:
        print(*printed.splitlines()[-2:], sep="\n")
        print(f"{row['cells']} cells planned in {row['seconds']} s; largest child {row['largest_child_bytes']:,} bytes")


def _make(root: Path) -> None:
    """Writes a checkout of many metrics and attacks below a folder."""
    shutil.copytree(ROOT / "pipeline", root / "pipeline", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "metric_robustness", root / "metric_robustness", symlinks=True)
    for name in ("metrics", "attacks", "defences"):
        (root / name).mkdir()
        for file in ("__init__.py", "base.py"):
            shutil.copy(ROOT / name / file, root / name)
    for number in range(METRICS):
        (root / "metrics" / f"metric_{number}.py").write_text(METRIC.format(number=number), encoding="utf-8")
    attack = (ROOT / "attacks" / "fgsm.py").read_text(encoding="utf-8")
    for number in range(ATTACKS):
        (root / "attacks" / f"attack_{number}.py").write_text(f"{attack}\nNUMBER = {number}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
