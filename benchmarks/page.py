"""How soon the ranking is painted: python -m benchmarks.page [--json].

A site of 100 metrics under 30 attacks, 64 images each, from made-up cells, is opened in Chromium from files, each time
in a new profile. It prints the first contentful paint and when search and filters work, both since the navigation
began; the size of the ranking and of the heaviest page with all scripts, styles and libraries; and the
time to make them.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
from playwright.sync_api import Browser, sync_playwright

from metric_robustness.pipeline.cells.row import Row, to_csv
from metric_robustness.pipeline.cells.stamp import AttackFacts, DatasetFacts, MetricFacts, Stamp
from metric_robustness.pipeline.errors import BenchError
from metric_robustness.pipeline.files import digest
from metric_robustness.pipeline.scoring.tables.write import write_tables
from metric_robustness.pipeline.site.build import write_site

METRICS, ATTACKS, IMAGES, REPEATS = 100, 30, 64, 7
FAMILIES = ("sign", "optimised", "universal", "query", "colour", "geometric")
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
READY = "() => !document.getElementById('controls').hidden && performance.now()"
PAINT = "() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime"


def main() -> None:
    """Prints medians and extremes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print rows for programs")
    as_json = parser.parse_args().json
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        raise BenchError(f"a browser must be installed, {' or '.join(BROWSERS)}; got none: run make test as root")
    with tempfile.TemporaryDirectory() as folder:
        run, site = Path(folder) / "run", Path(folder) / "site"
        _write_cells(run)
        start = time.process_time()
        board = write_tables([run], site)
        tables = time.process_time() - start
        write_site(board, run, site)
        pages = time.process_time() - start - tables
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
            opened = [_open(browser, site / "index.html") for _ in range(REPEATS)]
            browser.close()
        shared = sum(file.stat().st_size for file in (site / "assets").iterdir())
        heaviest = max(site.rglob("*.html"), key=lambda file: file.stat().st_size)
        row = {
            "cells": METRICS * ATTACKS,
            "first_paint_ms": _middle([paint for paint, _ in opened]),
            "ready_ms": _middle([ready for _, ready in opened]),
            "ranking_bytes": (site / "index.html").stat().st_size + shared,
            "heaviest": heaviest.relative_to(site).as_posix(),
            "heaviest_bytes": heaviest.stat().st_size + shared,
            "tables_cpu_seconds": round(tables, 1),
            "pages_cpu_seconds": round(pages, 1),
        }
    if as_json:
        print(json.dumps([row]))
    else:
        print("\n".join(f"{name}: {value}" for name, value in row.items()))


def _open(browser: Browser, page: Path) -> tuple[float, float]:
    """Returns the milliseconds until the first paint, and until the filters work."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    tab = context.new_page()
    tab.goto(page.as_uri())
    ready = float(tab.wait_for_function(READY, polling=5).json_value())
    paint = float(tab.wait_for_function(PAINT, polling=5).json_value())
    context.close()
    return paint, ready


def _middle(values: list[float]) -> str:
    return f"{statistics.median(values):.0f} ({min(values):.0f} to {max(values):.0f})"


def _write_cells(folder: Path) -> None:
    """Writes a run folder: metrics that differ in how far attacks move them, each on the same images."""
    rng = np.random.default_rng(0)
    clear = rng.uniform(0.2, 0.7, IMAGES)
    for metric in range(METRICS):
        weakness = rng.uniform(0.01, 0.4)
        for attack in range(ATTACKS):
            _write_cell(folder, f"metric_{metric:03}", attack, clear, rng.normal(weakness, weakness / 2, IMAGES))


def _write_cell(folder: Path, metric: str, attack: int, clear: np.ndarray, gains: np.ndarray) -> None:
    name = f"attack_{attack:02}" if attack else "noise"
    rows = [
        Row("made_up", f"{i:04}.png", f"{i:04}.png", before, before + gain, 30 + 10 * gain, 0.9, 0.001, 0.039)
        for i, (before, gain) in enumerate(zip(clear.tolist(), gains.tolist(), strict=True))
    ]
    csv = to_csv(row.cells() for row in rows)
    stamp = Stamp(
        status="done",
        metric=MetricFacts(
            name=metric,
            title=f"{metric}: made up, with a title about as long as those of real metrics are",
            kind=("NR", "FR")[int(metric[-3:]) % 2],
            higher_is_better=True,
            score_range=(0, 1),
            fingerprint="",
        ),
        attack=AttackFacts(
            name=name,
            title=f"{name}: made up",
            family=FAMILIES[attack % len(FAMILIES)] if attack else "control",
            access="white",
            fingerprint="",
            settings={"eps": 10 / 255, "goal": "better"},
        ),
        datasets=[DatasetFacts(name="made_up", digest="", images=IMAGES)],
        settings={},
        preset="nightly",
        key=f"{metric} {name}",
        rows=len(rows),
        sha256=digest(csv.encode()),
        seconds={"": 1.0},
    )
    (folder / metric).mkdir(parents=True, exist_ok=True)
    (folder / metric / f"{name}.csv").write_text(csv, encoding="utf-8")
    (folder / metric / f"{name}.json").write_text(stamp.to_json(), encoding="utf-8")


if __name__ == "__main__":
    main()
