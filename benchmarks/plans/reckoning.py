"""What whole matrices cost, by what `plan` knows: python -m benchmarks.plans.reckoning [--json].

No image is needed: the data sets have as many images as benchmark.yml says. The store is empty, so everything is run.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from metric_robustness.pipeline import config
from metric_robustness.pipeline.ci.estimates import CONTAINER, JOB, KNOWN, Estimates, Experience
from metric_robustness.pipeline.ci.inventory import Held, Inventory
from metric_robustness.pipeline.ci.plan import Capacity, Plan, make_plan, scope_of
from metric_robustness.pipeline.config import AttackSelection, Preset
from metric_robustness.pipeline.store.store import FolderStore

PIXELS = {"nips2017": 299 * 299, "derf_blue_sky": 1920 * 1080, "vimeo90k_test": 448 * 256}
CLIPS = {"derf_blue_sky": 1, "vimeo90k_test": 667}


def plan_of(preset: Preset) -> Plan:
    """Returns the plan of a whole preset on GPUs, without a limit of hours or jobs."""
    known = config.load()
    inventory = Inventory(
        datasets={name: _held(name, _images(name, preset.limit), PIXELS[name]) for name in preset.datasets},
        train={name: _held(name, _images(name, preset.train_limit), 0) for name in preset.train},
    )
    devices = [runner.title for runner in known.runners.values()]
    with tempfile.TemporaryDirectory() as folder:
        scope = scope_of("reckoning", preset.model_copy(update={"gpu_hours": None}))
        estimates = Estimates(Experience.read(), inventory, devices)
        return make_plan(scope, inventory, FolderStore(Path(folder)), estimates, Capacity(known.runners, 10**9))


def _held(name: str, images: int, pixels: int) -> Held:
    return Held(digest="0" * 16, images=images, pixels=pixels, clips=min(images, CLIPS.get(name, 0)))


def _images(name: str, limit: int | None) -> int:
    takes = config.load().datasets[name].takes or 0
    return min(takes, limit or takes)


def reckon(plan: Plan) -> dict[str, Any]:
    """Returns the numbers of a plan: cells, jobs, images, passes, and hours by what they are spent on."""
    estimates = plan.estimates
    fits = [fit for planned in plan.to_run for fit in planned.fits]
    starts = [
        CONTAINER + JOB + estimates.metric(metric).speed.start
        for metric in [planned.cell.metric for planned in plan.to_run]
        + [fit.metric for fit in fits]
        + plan.calibrations
    ]
    images = plan.inventory.images
    work = [estimates.spendings.of(planned.cell) for planned in plan.to_run]
    per_metric = Counter({metric.name: estimates.calibration(metric).seconds for metric in plan.calibrations})
    for planned in plan.to_run:
        own = planned.seconds + sum(estimates.fit(fit).seconds for fit in planned.fits)
        per_metric[planned.cell.metric.name] += own  # type: ignore[assignment]  # a Counter of seconds
    ranked = per_metric.most_common()
    known = sum(count for basis, count in plan.bases.items() if basis in KNOWN)
    return {
        "images": images,
        "cells": len(plan.to_run),
        "not run": len(plan.cells) - len(plan.to_run),
        "jobs": len(starts),
        "million queries": round(images * sum(each.queries for each in work) / 1e6, 1),
        "of them with a gradient": round(images * sum(each.gradients for each in work) / 1e6, 1),
        "hours": round(plan.hours),
        "of them starting jobs": round(sum(starts) / 3600),
        "of them fits": round(sum(estimates.fit(fit).seconds for fit in fits) / 3600),
        "cells and fits that were measured": known,
        "that are guessed": plan.bases.total() - known,
        "hours after one changed metric": [
            f"{name} {seconds / 3600:.1f}" for name, seconds in (ranked[0], ranked[len(ranked) // 2], ranked[-1])
        ],
        "of the median metric": round(statistics.median(per_metric.values()) / 3600, 1),
    }


def main() -> None:
    """Prints a column for each matrix."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print rows for programs")
    as_json = parser.parse_args().json
    presets = config.load().presets
    base = {"attacks": AttackSelection(suite=("base",)), "variants": False, "budgets": ()}
    matrices = {
        "base benchmark": presets["full"].model_copy(update=base),
        "full": presets["full"],
        "nightly": presets["nightly"],
    }
    found = {name: plan_of(preset) for name, preset in matrices.items()}
    rows = {name: reckon(plan) for name, plan in found.items()}
    if as_json:
        print(json.dumps([{"matrix": name, **row} for name, row in rows.items()]))
        return
    print(f"{'':<36}" + "".join(f"{name:>18}" for name in rows))
    for line in next(iter(rows.values())):
        cells = [row[line] for row in rows.values()]
        if isinstance(cells[0], list):
            for place, which in enumerate(("the dearest", "in the middle", "the cheapest")):
                print(f"{line}, {which}: " + "; ".join(cell[place] for cell in cells))
        else:
            print(f"{line:<36}" + "".join(f"{cell:>18,}" for cell in cells))


if __name__ == "__main__":
    main()
