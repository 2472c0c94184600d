"""The cell: one metric, one attack, the data sets and settings. Its key, its files, and why a run does it or not.

No torch here: planning decides about cells without running a contributor's code.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Literal, NamedTuple

from metric_robustness.pipeline.catalogue import lookup
from metric_robustness.pipeline.catalogue.entry import Entry
from metric_robustness.pipeline.cells.distortion import NONE, Distortion
from metric_robustness.pipeline.cells.mends import Involved, mended
from metric_robustness.pipeline.cells.proof import proof_of
from metric_robustness.pipeline.cells.settings import Settings
from metric_robustness.pipeline.cells.stamp import PROTOCOL, Stamp
from metric_robustness.pipeline.errors import BenchError
from metric_robustness.pipeline.files import digest, file_name

FEWEST_IN_ORDER = 8  # images: the order of fewer says little
PROBE = 2  # raise it when a measurement of the probe changes
NO_CLIPS = "it rates clips, and the data sets hold none"


class Decision(NamedTuple):
    """What happens to a cell, and why."""

    action: Literal["run", "done", "skipped", "failed"]
    reason: str


@dataclass(frozen=True)
class Cell:
    """One pair of metric and attack on some data sets."""

    metric: Entry
    attack: Entry
    datasets: Mapping[str, str]  # name -> digest
    settings: Settings
    train: Mapping[str, str] = field(default_factory=dict)  # name -> digest; only a universal attack uses it

    @property
    def label(self) -> str:
        """Returns the attack's name and what differs from the benchmark's settings."""
        return self.attack.name + self.settings.suffix

    @property
    def budgets(self) -> tuple[int, ...]:
        """Returns the smaller budgets, in 255ths, within which the attack goes on."""
        return self.settings.budgets if self.attack.fields.get("narrower") else ()

    @property
    def distortion(self) -> Distortion:
        """Returns the distortion of the images on which the metric is measured: the first that it meets."""
        return self.settings.distortions[0] if self.metric.full_reference else NONE

    @cached_property
    def key(self) -> str:
        """Returns the hash of everything the rows depend on."""
        return self._key_after(self.mends)

    @property
    def mends(self) -> list[str]:
        """Returns the mended faults that may have touched the rows."""
        return mended(Involved(self.metric, self.attack, self.needed()))

    def _key_after(self, mends: list[str]) -> str:
        needs = {entry.name: entry.fingerprint for entry in self.needed()}
        settings = self.settings.facts
        if not self.budgets:
            del settings["budgets"]
        if not self.metric.full_reference:
            del settings["jpeg"]
        if not self.settings.codec:
            del settings["codec"]
        if defences := settings.pop("defences"):
            settings["defences"] = {
                name: entry.fingerprint for name, entry in zip(defences, self.defended(), strict=True)
            }
        needs |= {name: lookup.find("attacks", name).fingerprint for name in self.attack.fields.get("scout", {})}
        parts = [PROTOCOL, self.metric.fingerprint, self.attack.fingerprint, needs, dict(self.datasets), settings]
        if is_universal(self.attack):
            parts.append(dict(self.train))
        if mends:
            parts.append(mends)
        return digest(json.dumps(parts, sort_keys=True).encode())[:32]

    def needed(self) -> list[Entry]:
        """Returns the metrics whose scores of the clear image the attack needs; a missing one has a `problem`."""
        return [_found(name, partial(lookup.find, "metrics", name)) for name in self.attack.fields.get("needs", ())]

    def defended(self) -> list[Entry]:
        """Returns the metric defended by each of the settings' defences; a missing one has a `problem`."""
        metric = self.metric
        return [
            _found(f"{metric.name}+{name}", partial(lookup.behind, metric, name)) for name in self.settings.defences
        ]

    @property
    def gpu_memory(self) -> int:
        """Returns the GB of GPU memory that the cell needs, as declared."""
        return max(int(entry.fields.get("gpu_memory", 8)) for entry in (self.metric, *self.defended()))

    def csv(self, out: Path) -> Path:
        """Returns where the rows stand in an output folder; the stamp stands beside them as .json."""
        return out / self.metric.name / f"{self.label}.csv"

    def images(self, out: Path) -> Path:
        """Returns where `--save-images` writes the attacked images."""
        return out / "images" / images_folder(self.metric.name, self.label)

    def clear_images(self, out: Path, distortion: Distortion = NONE) -> Path:
        """Returns where `--save-images` writes clear images; no attack's name begins with an underscore."""
        return out / "images" / "_clear" / distortion.folder

    def decide(self, out: Path) -> Decision:
        """Tells whether a run has to do the cell in this folder, and why."""
        if impossible := self.impossible():
            return impossible
        csv = self.csv(out)
        stamp, reason = proof_of(csv)
        if stamp is None:
            return Decision("run", reason if csv.exists() or csv.with_suffix(".json").exists() else "never run")
        if reason or stamp.key != self.key:
            return Decision("run", self.why_stale(stamp))
        return Decision("done", "up to date")

    def impossible(self) -> Decision | None:
        """Returns why no machine can run the cell, or nothing."""
        entries = [(self.metric, ""), (self.attack, ""), *((entry, "") for entry in self.defended())]
        entries += [(entry, f"the attack needs {entry.name}: ") for entry in self.needed()]
        for entry, why in entries:
            if entry.problem:
                return Decision("failed", why + entry.problem)
        made = self.attack.fields.get("saved", False)  # the attack is over: nothing asks this metric for a gradient
        if self.attack.fields["access"] == "white" and not (made or self.metric.fields["differentiable"]):
            return Decision("skipped", "white-box attack on a metric without gradient")
        if self.settings.codec and not self.settings.codec.startswith("jpeg:") and self.metric.kind != "video":
            return Decision("skipped", "a video codec re-encodes clips, and it rates images: use --jpeg")
        if self.metric.kind == "video" and (self.metric.defence or self.settings.defences):
            return Decision("skipped", "defences stand before metrics of images")
        if is_universal(self.attack) and self.metric.kind == "video":
            return Decision("skipped", "universal patterns are fitted on metrics of images")
        return None

    def why_stale(self, stamp: Stamp) -> str:
        """Returns why a run has to do the cell, although it has this stamp."""
        reasons = {
            f"{stamp.status} last time": stamp.status != "done",
            "its rows are damaged or gone": stamp.key == self.key,
            "metric changed": stamp.metric.fingerprint != self.metric.fingerprint,
            "attack changed": stamp.attack.fingerprint != self.attack.fingerprint,
            f"a fault was mended: {'; '.join(self.mends)}": stamp.key == self._key_after([]),
        }
        return next((reason for reason, holds in reasons.items() if holds), "data or settings changed")


def images_folder(metric: str, attack: str) -> Path:
    """Returns DEFENCE/PRESET/ATTACK/METRIC of a cell's attacked images; none/default for a bare metric."""
    bare, _, guard = metric.rpartition("+")
    defence, _, preset = guard.partition("-")
    return Path(defence, preset or "default", attack, bare) if bare else Path("none", "default", attack, metric)


def image_file(image: str) -> str:
    """Returns where `--save-images` writes an image, below the folder of its setting; a frame keeps its number."""
    name, mark, number = image.rpartition("#")
    if not number.isdecimal():
        name, mark, number = image, "", ""
    return f"{'/'.join(map(file_name, name.split('/')))}{mark}{number}.png"


def is_universal(attack: Entry) -> bool:
    """Tells whether an attack must be fitted on a training set before it can run."""
    return attack.fields.get("family") == "universal"


def is_targeted(attack: Entry) -> bool:
    """Tells whether what an attack does to an image depends on the clear scores of the whole set."""
    return attack.fields.get("family") == "rank"


def _found(name: str, find: Callable[[], Entry]) -> Entry:
    try:
        return find()
    except BenchError as error:
        return Entry(name, "metrics", problem=str(error))


def clear_key(metric: Entry, dataset: str, distortion: Distortion, codec: str = "") -> str:
    """Returns the hash of everything that a metric's scores of the clear images depend on.

    Args:
        metric: The metric.
        dataset: The data set's digest.
        distortion: Of the images. A metric without references scores distorted ones, too, where an attack on a
            full-reference metric asks it: `amifgsm` asks NIQE.
        codec: What they are stored with before they are scored.
    """
    parts = [PROTOCOL, metric.fingerprint, dataset, distortion.setting, *([codec] if codec else [])]
    return digest(json.dumps(parts).encode())[:32]


def probe_key(metric: Entry, dataset: str, distortion: Distortion) -> str:
    """Returns the hash of everything that the probe of a metric on a data set depends on; see `clear_key`."""
    return digest(f"{clear_key(metric, dataset, distortion)} probe {PROBE}".encode())[:32]
