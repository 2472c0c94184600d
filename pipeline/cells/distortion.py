"""What is done to an image before it is attacked: nothing, or JPEG of a quality."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from metric_robustness.pipeline.config import Quality


@dataclass(frozen=True)
class Distortion:
    """A full-reference metric compares a distorted image with its original; any other scores images as they are.

    Attributes:
        quality: Of the JPEG, 1 to 100; None distorts nothing.
    """

    quality: int | None = None

    @classmethod
    def of(cls, setting: Quality) -> Self:
        """Returns the distortion that a preset or a stamp names: a quality, or "none"."""
        return cls(None if setting == "none" else int(setting))

    @property
    def setting(self) -> Quality:
        """Returns what presets and stamps call it: a quality, or "none"."""
        return "none" if self.quality is None else self.quality

    @property
    def folder(self) -> str:
        """Returns the name of the files and folders of images that were distorted like this."""
        return "original" if self.quality is None else f"jpeg={self.quality}"

    def __str__(self) -> str:
        return "none" if self.quality is None else f"jpeg {self.quality}"


NONE = Distortion()
