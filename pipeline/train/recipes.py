"""How each network is trained: everything that its weights depend on, beside the photographs."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.catalog import suggestion
from pipeline.errors import BenchError

# TID2013 cut its reference images from these Kodak photographs. Never trained or validated on, so that its opinions
# remain an honest test.
TID2013_SOURCES = {f"kodim{number:02d}.png" for number in (1, 3, 4, 6, 8, 19)}


@dataclass(frozen=True)
class Recipe:
    """One training; the same recipe and photographs give the same weights on one machine."""

    network: str  # the metric's name in the catalogue
    seed: int = 0
    crop: int = 128  # side of the training images in pixels
    samples: int = 2600  # distorted crops to train on
    validation: int = 400  # distorted crops of the photographs held out
    window: int = 64  # side of the part of them that one step sees
    epochs: int = 24
    closing: int = 6  # epochs at the end whose steps see the whole
    batch: int = 16
    rate: float = 3e-3  # of learning, at its highest
    decay: float = 1e-3  # of weights

    def __post_init__(self) -> None:
        """Raises BenchError unless there is something to train on and to validate with."""
        for name, least in {"crop": 64, "samples": 2, "validation": 2, "epochs": 1, "batch": 2}.items():
            if getattr(self, name) < least:
                raise BenchError(f"{name} must be at least {least}; got {getattr(self, name)}: choose a larger one")


RECIPES = {
    recipe.network: recipe for recipe in (Recipe("small_cnn"), Recipe("small_vit", closing=0, rate=1e-3, decay=1e-2))
}


def find_recipe(name: str) -> Recipe:
    """Returns the recipe of a network.

    Raises:
        BenchError: If there is none.
    """
    if name not in RECIPES:
        raise BenchError(f"no recipe trains {name!r}: {suggestion(name, dict(RECIPES))}")
    return RECIPES[name]
