"""How each network is trained: everything that its weights depend on, besides the photographs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from metric_robustness.pipeline.catalogue.lookup import find
from metric_robustness.pipeline.errors import BenchError, suggestion

# TID2013 cut its reference images from these Kodak photographs. Never trained or validated on, so that its opinions
# remain an honest test.
TID2013_SOURCES = {f"kodim{number:02d}.png" for number in (1, 3, 4, 6, 8, 19)}


@dataclass(frozen=True)
class Recipe:
    """One training; the same recipe and photographs give the same weights on one machine."""

    network: str  # the metric's or defence's name in the catalogue
    task: Literal["rate", "denoise", "diffuse", "restore", "harden"] = "rate"  # what it is trained to do, see `tasks`
    seed: int = 0
    crop: int = 128  # side of the training images in pixels
    samples: int = 2600  # crops to train on
    validation: int = 400  # crops of the photographs held out
    window: int = 64  # side of the part of them that one step sees
    epochs: int = 24
    closing: int = 6  # epochs at the end whose steps see the whole
    batch: int = 16
    rate: float = 3e-3  # of learning, at its highest
    warm_up: float = 0.05  # share of the steps in which the rate rises
    last_rate: float = 0.0  # share of the highest rate that is left at the end
    decay: float = 1e-3  # of weights
    average: float = 0.0  # share of the average of all weights that a step leaves; 0: the last weights are kept
    best: str = ""  # the figure whose best epoch is kept; empty: the last epoch
    settings: Mapping[str, str] = field(default_factory=dict)  # of a robust training, where not its defaults

    def __post_init__(self) -> None:
        """Raises BenchError unless there is something to train on and to validate with."""
        for name, least in {"crop": 64, "samples": 2, "validation": 2, "epochs": 1, "batch": 2}.items():
            if getattr(self, name) < least:
                raise BenchError(f"{name} must be at least {least}; got {getattr(self, name)}: choose a larger one")


# The rate stays even; the average of the weights does what a falling one would.
RATING = Recipe(
    "small_cnn",
    crop=256,
    samples=3200,
    window=128,
    epochs=10,
    closing=0,
    last_rate=1,
    decay=1e-2,
    average=0.995,
)
RECIPES = {
    recipe.network: recipe
    for recipe in (
        RATING,
        replace(RATING, network="small_vit", rate=1e-3),
        Recipe(
            "dncnn_small", "denoise", crop=64, samples=3200, validation=40, window=40, epochs=24, closing=0, rate=2e-3
        ),
        Recipe(
            "diffpure_small",
            "diffuse",
            crop=64,
            samples=1600,
            validation=40,
            window=48,
            epochs=6,
            closing=0,
            rate=1e-3,
        ),
        # Of the paper: Adam at 1e-3, batches of 4, the epoch of the best validation SSIM.
        Recipe(
            "fcn",
            "restore",
            samples=400,
            validation=40,
            window=128,
            epochs=20,
            closing=0,
            batch=4,
            rate=1e-3,
            warm_up=0,
            last_rate=1,
            decay=0,
            best="ssim",
        ),
    )
}


# Of every METRIC+TRAINING: a short training that begins with the metric's own weights.
HARDENING = Recipe("", "harden", samples=800, epochs=2, closing=0, batch=8, rate=1e-3)


def find_recipe(name: str) -> Recipe:
    """Returns the recipe of a network, or of METRIC+TRAINING.

    Raises:
        BenchError: If there is none.
    """
    if "+" in name and (entry := find("metrics", name)).trained:
        least = entry.fields["smallest"]
        return replace(HARDENING, network=name, crop=max(HARDENING.crop, least), window=max(HARDENING.window, least))
    if name not in RECIPES:
        raise BenchError(f"no recipe trains {name!r}: {suggestion(name, dict(RECIPES))}")
    return RECIPES[name]
