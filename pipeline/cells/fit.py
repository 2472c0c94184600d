"""The fit of a universal pattern: its key, its files, and why a run fits it again or not. No torch, as in cell.py."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from metric_robustness.pipeline.catalogue.entry import Entry
from metric_robustness.pipeline.cells.cell import Cell, is_universal
from metric_robustness.pipeline.cells.distortion import NONE, Distortion
from metric_robustness.pipeline.cells.sealed_model import SealedModel
from metric_robustness.pipeline.cells.settings import Settings
from metric_robustness.pipeline.cells.stamp import PROTOCOL, DatasetFacts
from metric_robustness.pipeline.errors import BenchError
from metric_robustness.pipeline.files import (
    digest,
    file_name,
)

NEVER = "never fitted"


class FitStamp(SealedModel):
    """Stands beside every pattern: what it was made from, and how the fit went."""

    metric: str
    metric_fingerprint: str
    attack: str
    attack_fingerprint: str
    variant: str
    settings: dict[str, Any]  # the attack's fields as fitted
    train: DatasetFacts
    enlarged: list[str]  # images that were smaller than a crop
    loss: list[float]  # 1 - objective, mean over each batch
    searched: str = ""  # on which copy of the metric, or why on none
    seconds: float
    machine: dict[str, str]
    commit: str
    finished: str  # when, in UTC
    key: str
    sha256: str  # of the pattern's file


@dataclass(frozen=True)
class Fit:
    """One pattern: of a metric, a variant of a universal attack, and a training set."""

    metric: Entry
    attack: Entry
    variant: str  # empty for the default
    train: str  # the training set's name
    digest: str  # and its digest
    settings: Settings

    @property
    def label(self) -> str:
        """Returns the attack with what differs from its defaults, and the training set."""
        return "-".join(filter(None, (self.attack.name + self.settings.suffix, self.variant, self.train)))

    @property
    def distortion(self) -> Distortion:
        """Returns the distortion of the training images: the first of those that the pattern is used on."""
        return self.settings.distortions[0] if self.metric.full_reference else NONE

    @cached_property
    def key(self) -> str:
        """Returns the hash of everything the pattern depends on."""
        before = self.distortion.setting if self.metric.full_reference else None
        settings = self.settings.facts | {"variants": self.variant, "jpeg": before}
        parts = [PROTOCOL, self.metric.fingerprint, self.attack.fingerprint, self.digest, settings]
        return digest(json.dumps(["fit", *parts], sort_keys=True).encode())[:32]

    def file(self, out: Path) -> Path:
        """Returns where the pattern stands in an output folder; stamp and preview stand beside it."""
        plain = re.sub(r"[^A-Za-z0-9_.+=-]", "_", self.label)
        name = plain if plain == self.label else f"{plain}-{digest(self.label.encode())[:8]}"  # two sets may look alike
        return out / "fits" / self.metric.name / f"{file_name(name)}.safetensors"

    def staleness(self, out: Path) -> str:
        """Returns why the pattern in a folder cannot be used, or nothing when it can."""
        file = self.file(out)
        stamp = FitStamp.read(file.with_suffix(".json"))
        if stamp is None:
            return "its stamp is damaged or gone" if file.exists() else NEVER
        reasons = {
            "fitted for other weights or code of the metric": stamp.metric_fingerprint != self.metric.fingerprint,
            "fitted by another version of the attack": stamp.attack_fingerprint != self.attack.fingerprint,
            "fitted on other images": stamp.train.digest != self.digest,
            "fitted with other settings": stamp.key != self.key,
            "damaged or gone": self.read(out) is None,
        }
        return next((reason for reason, holds in reasons.items() if holds), "")

    def read(self, out: Path) -> bytes | None:
        """Returns the content of the pattern's file; None unless it is the one that was stamped."""
        stamp = FitStamp.read(self.file(out).with_suffix(".json"))
        try:
            content = self.file(out).read_bytes()
        except OSError:
            return None
        return content if stamp and digest(content) == stamp.sha256 else None


def fits_of(cell: Cell) -> list[Fit]:
    """Returns the fits that a cell needs, per variant and training set; none unless its attack is universal."""
    if not is_universal(cell.attack):
        return []
    settings = replace(cell.settings, budgets=(), defences=(), codec="")  # none of these takes part in a fit
    variants = [name for name in cell.attack.fields.get("variants", {}) if settings.takes(name)]
    return [
        Fit(cell.metric, cell.attack, variant, name, content, settings)
        for name, content in cell.train.items()
        for variant in ["", *variants]
    ]


def require_patterns_kept(fits: Iterable[Fit], out: Path) -> None:
    """Refuses fits that would replace a pattern of another training set of the same name.

    Raises:
        BenchError: If there is such a pattern in the folder.
    """
    for fit in fits:
        stamp = FitStamp.read(fit.file(out).with_suffix(".json"))
        if stamp and stamp.train.digest != fit.digest:
            raise BenchError(
                f"{out} holds {fit.label} of other images that are called {fit.train}, too ({stamp.train.images} "
                "files): choose another --out, or add --replace"
            )


def excluded_from_fits(cell: Cell, out: Path) -> dict[str, dict[str, str]]:
    """Returns which images of each training set took no part in a cell's fits, each with the reason."""
    found: dict[str, dict[str, str]] = {}
    for fit in fits_of(cell):
        if stamp := FitStamp.read(fit.file(out).with_suffix(".json")):
            found.setdefault(fit.train, {}).update(stamp.train.excluded)
    return found
