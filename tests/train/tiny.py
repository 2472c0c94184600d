"""A training of seconds."""

from __future__ import annotations

from pathlib import Path

import skimage

from metric_robustness.pipeline.train.recipes import Recipe

DATA = Path(skimage.__file__).parent / "data"
SOURCES = [str(DATA / name) for name in ("astronaut.png", "chelsea.png", "coffee.png")]
TINY = Recipe("small_cnn", crop=64, samples=12, validation=4, epochs=3, batch=4)
