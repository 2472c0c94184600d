"""Settings: what rows depend on besides code and data."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from metric_robustness.pipeline.cells.distortion import Distortion
from metric_robustness.pipeline.config import Preset
from metric_robustness.pipeline.errors import BenchError

FOUND = ("pattern", "start")  # fields of an attack that hold what an earlier search found: no settings
LEVELS = 255  # the largest change of an 8-bit channel
OVERRIDE = re.compile(r"[a-z][a-z0-9_]*=[A-Za-z0-9_.,+/-]+")


@dataclass(frozen=True)
class Settings:
    """What the rows depend on besides code and data.

    Attributes:
        budgets: The smaller limits of a change, in 255ths, within which searches go on once they have their result.
        variants: Whether the attack's variants are run, too, or the names of those that are.
        distortions: Of the images that full-reference metrics score; the first one is the default.
        overrides: Settings of the attack that `--set` changes, by their names.
        dtype: Of the attack's search; scores are always float32.
        codec: What clear and attacked images, or clips, are stored with before they are scored; empty: nothing.
        defences: The images that attack the bare metric are also scored by the metric with each of these before it.
    """

    variants: bool | tuple[str, ...] = True
    budgets: tuple[int, ...] = ()
    distortions: tuple[Distortion, ...] = (Distortion(50),)
    overrides: Mapping[str, str] = field(default_factory=dict)
    dtype: Literal["float32", "bfloat16"] = "float32"
    codec: str = ""
    defences: tuple[str, ...] = ()

    def takes(self, variant: str) -> bool:
        """Returns whether a variant of an attack is run, too; with `--set` none is."""
        if self.overrides:
            return False
        return self.variants if isinstance(self.variants, bool) else variant in self.variants

    @property
    def suffix(self) -> str:
        """Returns the suffix that keeps files of other settings apart from those of the benchmark's own."""
        parts = ["defended"] if self.defences else []
        parts += [f"{name}={value.replace('/', 'over')}" for name, value in sorted(self.overrides.items())]
        if self.dtype != "float32":
            parts.append(self.dtype)
        if self.codec:
            parts.append(f"codec={self.codec.replace(':', '-').replace('/', 'over')}")
        return "".join(f"+{part}" for part in parts)

    @property
    def changes(self) -> list[str]:
        """Returns the parts of a row's variant that name settings other than the benchmark's own."""
        changed = [f"{name}={value}" for name, value in sorted(self.overrides.items())]
        if self.dtype != "float32":
            changed.append(f"dtype={self.dtype}")
        if self.codec:
            changed.append(f"codec={self.codec}")
        return changed

    @property
    def facts(self) -> dict[str, Any]:
        """Returns the settings as a stamp holds them and as keys hash them."""
        return {
            "variants": self.variants if isinstance(self.variants, bool) else list(self.variants),
            "budgets": list(self.budgets),
            "jpeg": [distortion.setting for distortion in self.distortions],
            "overrides": dict(self.overrides),
            "dtype": self.dtype,
            "codec": self.codec,
            "defences": list(self.defences),
        }


def settings_of(preset: Preset) -> Settings:
    """Returns a preset's settings, without overrides."""
    return Settings(preset.variants, preset.budgets, tuple(map(Distortion.of, preset.jpeg)), defences=preset.defences)


def parse_overrides(texts: list[str]) -> dict[str, str]:
    """Returns `--set name=value` options as a dictionary.

    Raises:
        BenchError: If one is not of that form.
    """
    for text in texts:
        if not OVERRIDE.fullmatch(text):
            raise BenchError(
                f"--set must be name=value, such as steps=20 or eps=8/255; got {text!r}: write it like that"
            )
    return dict(text.split("=", 1) for text in texts)


def parse_budgets(text: str) -> tuple[int, ...]:
    """Returns the budgets of `--budgets 1,2,4,8`, in 255ths.

    Raises:
        BenchError: If one is no whole number from 1 to 255.
    """
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() and 1 <= int(part) <= LEVELS for part in parts):
        raise BenchError(f"--budgets must be whole numbers from 1 to {LEVELS} with commas; got {text!r}: write 1,2,4,8")
    return tuple(sorted(set(map(int, parts))))
