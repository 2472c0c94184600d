"""How long the bootstrap takes: every score of METRICS x ATTACKS cells of IMAGES images, 2,000 resamples each.

Beside it, what plain resampling of the rows takes, on a few resamples of one cell and multiplied up: the rows are
drawn by index and scored like any others.
"""

from __future__ import annotations

import argparse
import json
import resource
import time

import numpy as np

from metric_robustness.pipeline.scoring.scores.robustness import Values, robustness
from metric_robustness.pipeline.scoring.scores.statistics import RESAMPLES, bootstrap, intervals

PLAIN = 20  # resamples of the plain way that are timed


def made_up(images: int, seed: int) -> tuple[Values, Values]:
    """Returns clear and attacked scores on the scale, (images,) each."""
    random = np.random.default_rng(seed)
    before = random.random(images)
    return before, before + random.normal(0.1, 0.2, images)


def main() -> None:
    """Prints seconds and memory."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--metrics", type=int, default=100)
    parser.add_argument("--attacks", type=int, default=30)
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    cells = options.metrics * options.attacks
    clips = tuple(f"image{i:05}.png" for i in range(options.images))

    wall, cpu = time.perf_counter(), time.process_time()
    for seed in range(cells):
        intervals(bootstrap(*made_up(options.images, seed), clips))
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu

    start, random = time.process_time(), np.random.default_rng(0)
    before, after = made_up(options.images, 0)
    for _ in range(PLAIN):
        drawn = random.integers(0, options.images, options.images)
        robustness(before[drawn], after[drawn])
    plain = (time.process_time() - start) / PLAIN * RESAMPLES * cells

    found = {
        "cells": cells,
        "images": options.images,
        "resamples": RESAMPLES,
        "wall_seconds": round(wall, 1),
        "cpu_seconds": round(cpu, 1),
        "plain_cpu_seconds": round(plain),
        "times_faster": round(plain / cpu),
        "peak_memory_gb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2),
    }
    if options.json:
        print(json.dumps(found))
        return
    for name, value in found.items():
        print(f"{name.replace('_', ' '):20}{value:>12,}")


if __name__ == "__main__":
    main()
