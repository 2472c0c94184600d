"""How soon the pages are painted and what they weigh: python -m benchmarks.page [--metrics 300 --attacks 60].

A site is made from made-up cells, of which some failed, were spared or are flagged, and opened in Chromium from files,
each time in a new profile. It prints, of the ranking and of the heaviest page of every other kind, the first contentful
paint and the end of the scripts that run at once, both since the navigation began, and the bytes of the page with all
that it loads by itself: scripts, styles, libraries. It also prints when the ranking's search and filters work, how long
the browser takes to show every attack's column, and the seconds that the cells, the tables and the pages took.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import Browser, Page, sync_playwright

from metric_robustness.pipeline.cells.row import Row, budget_variant, to_csv
from metric_robustness.pipeline.cells.stamp import AttackFacts, DatasetFacts, MetricFacts, Stamp
from metric_robustness.pipeline.errors import BenchError
from metric_robustness.pipeline.files import digest
from metric_robustness.pipeline.scoring.tables.write import write_tables
from metric_robustness.pipeline.site.build import write_site

REPEATS = 5
WHOLE = 10  # the whole budget, in 255ths
SPARED = "30 steps along the gradient raised the score by 0.21, 60 queries by 0.01"
FAMILIES = ("sign", "optimised", "universal", "query", "colour", "geometric")
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
READY = "() => !document.getElementById('controls').hidden && performance.now()"
PAINT = "() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime"
LOADED = "() => performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd || null"
COLUMNS = "() => document.querySelectorAll('section.board:not([hidden]) thead th:not([hidden])').length"
MORE = f"before => ({COLUMNS})() > before"


def main() -> None:
    """Prints medians and extremes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--metrics", type=int, default=300)
    parser.add_argument("--attacks", type=int, default=60)
    parser.add_argument("--images", type=int, default=8)
    parser.add_argument("--budgets", default="1,2,4,8", help=f"in 255ths, beside {WHOLE}; none: only that one")
    parser.add_argument("--keep", type=Path, help="a new folder that the site is written to, and stays in")
    parser.add_argument("--json", action="store_true", help="print rows for programs")
    options = parser.parse_args()
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        raise BenchError(f"a browser must be installed, {' or '.join(BROWSERS)}; got none: run make test as root")
    budgets = [int(budget) for budget in options.budgets.split(",") if budget not in {"", "none"}]
    with tempfile.TemporaryDirectory() as folder:
        run, site = Path(folder) / "run", options.keep or Path(folder) / "site"
        seconds = {"cells": time.perf_counter()}
        _write_cells(run, options.metrics, options.attacks, options.images, budgets)
        seconds["tables"] = time.perf_counter()
        board = write_tables([run], site)
        seconds["pages"] = time.perf_counter()
        write_site(board, run, site)
        seconds[""] = time.perf_counter()
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
            pages = [_opened(browser, site, file) for file in _kinds(site)]
            every = _middle([_every_attack(browser, site) for _ in range(REPEATS)])
            browser.close()
    starts = list(seconds.values())
    about = {
        "cells": options.metrics * options.attacks,
        "budgets": [*budgets, WHOLE],
        "rows": options.metrics * options.attacks * options.images * (1 + len(budgets)),
        "ms_to_show_every_attack": every,
        "seconds": {name: round(b - a, 1) for name, a, b in zip(seconds, starts[:-1], starts[1:], strict=False)},
    }
    if options.json:
        print(json.dumps([about, *pages]))
        return
    print("\n".join(f"{name.replace('_', ' ')}: {value}" for name, value in about.items()))
    print(f"{'page':26}{'first paint, ms':>20}{'ready, ms':>22}{'bytes':>12}{'of HTML':>12}")
    for page in pages:
        print(f"{page['page']:26}{page['paint']:>20}{page['ready']:>22}{page['bytes']:>12,}{page['html']:>12,}")


def _kinds(site: Path) -> Iterable[Path]:
    """Yields the pages at the root, the ranking first, and the heaviest of every folder."""
    yield site / "index.html"
    yield from sorted(file for file in site.glob("*.html") if file.name != "index.html")
    for folder in ("metrics", "attacks"):
        yield max(sorted((site / folder).glob("*.html")), key=_weight)


def _weight(file: Path) -> int:
    """Returns the bytes of a page with all scripts and styles that it names."""
    text = file.read_text(encoding="utf-8")
    named = re.findall(r'<(?:script|link)\b[^>]*?(?:src|href)="([^":]+)"', text)
    weight: int = file.stat().st_size + sum((file.parent / name).stat().st_size for name in named)
    return weight


def _opened(browser: Browser, site: Path, file: Path) -> dict[str, Any]:
    """Returns what opening a page took; of the ranking it is ready when the filters work."""
    ready = READY if file.name == "index.html" else LOADED
    paints, readies, loaded = [], [], 0
    for _ in range(REPEATS):
        tab = _tab(browser)
        asked = _requests(tab)
        tab.goto(file.as_uri())
        readies.append(float(tab.wait_for_function(ready, polling=5).json_value()))
        paints.append(float(tab.wait_for_function(PAINT, polling=5).json_value()))
        tab.context.close()
        loaded = sum(Path(url.removeprefix("file://")).stat().st_size for url in asked if url.startswith("file:"))
    name = file.relative_to(site).as_posix()
    return {
        "page": name,
        "paint": _middle(paints),
        "ready": _middle(readies),
        "bytes": loaded,
        "html": file.stat().st_size,
    }


def _requests(tab: Page) -> list[str]:
    """Returns the addresses that a page asks for, a list that grows."""
    asked: list[str] = []
    tab.on("request", lambda request: asked.append(request.url))
    return asked


def _every_attack(browser: Browser, site: Path) -> float:
    """Returns the milliseconds from the choice of all attacks to the frame that shows their columns."""
    tab = _tab(browser)
    tab.goto((site / "index.html").as_uri())
    tab.wait_for_function(READY)
    before = tab.evaluate(COLUMNS)
    start = tab.evaluate(
        """() => {
          const family = document.querySelector("[name=family]"), start = performance.now();
          family.value = "*";
          family.dispatchEvent(new Event("input", { bubbles: true }));
          return start;
        }"""
    )
    tab.wait_for_function(MORE, arg=before, polling=5)
    end = tab.evaluate("new Promise(done => requestAnimationFrame(() => setTimeout(() => done(performance.now()))))")
    tab.context.close()
    return float(end) - float(start)


def _tab(browser: Browser) -> Page:
    return browser.new_context(viewport={"width": 1280, "height": 900}).new_page()


def _middle(values: list[float]) -> str:
    return f"{statistics.median(values):.0f} ({min(values):.0f} to {max(values):.0f})"


def _write_cells(folder: Path, metrics: int, attacks: int, images: int, budgets: list[int]) -> None:
    """Writes a run folder: metrics that differ in how far attacks move them, each on the same images."""
    rng = np.random.default_rng(0)
    clear = rng.uniform(0.2, 0.7, images)
    for metric in range(metrics):
        weakness = rng.uniform(0.01, 0.4)
        for attack in range(attacks):
            gains = rng.normal(weakness, weakness / 2, images)
            _write_cell(folder, metric, attack, _rows(clear, gains, [WHOLE, *sorted(budgets, reverse=True)]))


def _rows(clear: np.ndarray, gains: np.ndarray, budgets: list[int]) -> list[Row]:
    """Returns the rows of a search within every budget."""
    images = [(f"{i:04}.png", *pair) for i, pair in enumerate(zip(clear.tolist(), gains.tolist(), strict=True))]
    return [
        Row(
            dataset="made_up",
            image=image,
            clip=image,
            clear=before,
            attacked=before + gain * budget / WHOLE,
            psnr=50 - 2 * budget + 10 * gain,
            ssim=0.9,
            mse=0.001,
            linf=budget / 255,
            variant="" if budget == WHOLE else budget_variant(budget),
            queries=10,
            gradients=10,
        )
        for budget in budgets
        for image, before, gain in images
    ]


def _write_cell(folder: Path, metric: int, attack: int, rows: list[Row]) -> None:
    """Writes one cell: some failed, some searches were spared, and every fifth metric has attacks without gradients."""
    name, against = f"metric_{metric:03}", f"attack_{attack:02}" if attack else "noise"
    family = FAMILIES[attack % len(FAMILIES)] if attack else "control"
    spared = family == "query" and attack % 5 == 3 and metric % 2 == 0
    failed = attack > 0 and (7 * metric + attack) % 50 == 0 and metric % 3 == 0
    asked = len({row.image for row in rows})
    if spared or failed:
        rows = []
    csv = "" if failed else to_csv(row.cells() for row in rows)
    stamp = Stamp(
        status="failed" if failed else "done",
        reason="CUDA out of memory: 8 images of 512x512 need more than 24 GB" if failed else "",
        metric=MetricFacts(
            name=name,
            title=f"{name}: made up, with a title about as long as those of real metrics are",
            kind=("NR", "FR")[metric % 2],
            higher_is_better=True,
            score_range=(0, 1),
            fingerprint="",
        ),
        attack=AttackFacts(
            name=against,
            title=f"{against}: made up",
            family=family,
            access="black" if family in {"query", "control"} else "white",
            fingerprint="",
            settings={"eps": WHOLE / 255, "goal": "worse" if attack % 20 == 1 else "better"},
        ),
        datasets=[DatasetFacts(name="made_up", digest="", images=asked)],
        settings={},
        preset="nightly",
        key=f"{name} {against}",
        rows=len(rows),
        sha256="" if failed else digest(csv.encode()),
        seconds={"": 1.0},
        spared={"made_up": "30 steps along the gradient raised the score by 0.21, 60 queries by 0.01"}
        if spared
        else {},
        flaws={"": {"zero gradient": asked}} if family == "sign" and metric % 5 == 0 else {},
    )
    path = folder / name / f"{against}.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    if not failed:
        path.write_text(csv, encoding="utf-8")
    path.with_suffix(".json").write_text(stamp.to_json(), encoding="utf-8")


if __name__ == "__main__":
    main()
