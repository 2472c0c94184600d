"""Defences that are one line each, so that a test knows what the engine must make of them."""

from __future__ import annotations

from dataclasses import dataclass

from metric_robustness.defences.base import Aligned, Defence


@dataclass(frozen=True)
class Shaken(Defence):
    """Draws normal noise of 0.1."""

    random = True

    def purify(self, images, noise):
        return (images + 0.1 * noise.normal(images)).clamp(0, 1)


@dataclass(frozen=True)
class Mirrored(Defence):
    """Turns left and right round."""

    keeps_geometry = False

    def purify(self, images, noise):
        return images.flip(3)

    def align(self, purified, clear, noise):
        return Aligned(purified.flip(3), clear)
