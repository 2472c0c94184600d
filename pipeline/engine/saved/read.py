"""Saved attacked images as an attack: other metrics and defended ones score them, and no attack runs again."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from metric_robustness.attacks.base import Attack, Budget, Images, Noise, Objective
from metric_robustness.pipeline.catalogue.entry import Entry
from metric_robustness.pipeline.cells.distortion import NONE
from metric_robustness.pipeline.data.dataset import Dataset, Photo, photo_at
from metric_robustness.pipeline.data.ladder import Rung
from metric_robustness.pipeline.data.written import MANIFEST
from metric_robustness.pipeline.engine.attack.passes import Pass, Trial
from metric_robustness.pipeline.engine.saved.manifest import SavedImage, read_manifests, unlisted
from metric_robustness.pipeline.files import digest

CONTROL = "control"
FAMILY = "saved"  # of all but controls: their own may be unknown, or mean that something must be fitted first


@dataclass(frozen=True)
class Saved(Attack):
    """Stands for the attack that made the images; it has the fields that scoring needs."""

    access = "white"

    eps: float = 1.0

    def perturb(self, images: Images, objective: Objective, noise: Noise) -> Images:
        """Raises TypeError: the images are already made."""
        raise TypeError("saved images are read, not made")

    def budget(self) -> Budget:
        """Returns an empty budget: the attack spent its own when it made the images."""
        return Budget(queries=0, gradients=0)


@dataclass(frozen=True)
class SavedEntry(Entry):
    """The images of one attack on one metric, as an attack of the catalogue."""

    images: tuple[tuple[Path, SavedImage], ...] = ()  # each with its manifest's folder
    excluded: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # data set -> image -> reason

    def load(self) -> Any:
        """Returns what makes the attack."""
        default = next((image.fields for _, image in self.images if not image.variant), {})
        return lambda: Saved(eps=_eps(default), goal="worse" if default.get("goal") == "worse" else "better")

    def passes(self) -> Iterator[tuple[Dataset, Pass]]:
        """Yields a pass per data set and setting, over its saved images."""
        groups: dict[tuple[str, ...], list[tuple[Path, SavedImage]]] = {}
        for folder, image in self.images:
            groups.setdefault((image.dataset, *image.setting), []).append((folder, image))
        attack: Attack = self.load()()
        for group in groups.values():
            _, first = group[0]
            amplitude = float(first.amplitude) if first.amplitude else None
            files = {image.image: folder / image.file for folder, image in group}
            trial = Trial(self.name, attack, first.train_dataset, amplitude, files)
            yield dataset_of(group), Pass(first.variant, NONE, (trial,))


def read_saved(folder: Path) -> tuple[list[SavedEntry], list[Dataset]]:
    """Returns the attacks whose images a folder holds, and the clear images of their data sets.

    Two images that stand for the same and differ are both excluded: nobody can tell which one is meant.

    Raises:
        BenchError: If it holds none.
        DataError: If a file is missing, foreign, damaged or changed.
    """
    found: dict[tuple[str, ...], tuple[Path, SavedImage]] = {}
    excluded: dict[str, dict[str, dict[str, str]]] = {}  # attack -> data set -> image -> reason
    manifests = read_manifests(folder)
    for own, images in manifests.items():
        for image in images:
            there, other = found.setdefault(image.place, (own, image))
            if (other.sha256, other.clear_sha256) != (image.sha256, image.clear_sha256):
                reason = f"{own / image.file} and {there / other.file} are the same attack on it, and differ"
                excluded.setdefault(image.attack_name, {}).setdefault(image.dataset, {})[image.image] = reason
    attacks: dict[str, list[tuple[Path, SavedImage]]] = {}
    clear: dict[str, dict[str, tuple[Path, SavedImage]]] = {}
    for own, image in found.values():
        attacks.setdefault(image.attack_name, []).append((own, image))
        clear.setdefault(image.dataset, {}).setdefault(image.image, (own, image))
    datasets = [dataset_of(list(images.values())) for _, images in sorted(clear.items())]
    if datasets and (left := unlisted(folder, manifests)):
        datasets[0].remarks[f"in no {MANIFEST}, and not scored"] = left
    return [_entry(name, images, excluded.get(name, {})) for name, images in sorted(attacks.items())], datasets


def dataset_of(group: list[tuple[Path, SavedImage]]) -> Dataset:
    """Returns the clear images of saved ones, in the order of their names."""
    ordered = sorted(group, key=lambda item: item[1].image)
    photos = [_photo(folder, image) for folder, image in ordered]
    told = [
        [image.image, image.clip, image.clear_sha256, image.reference_sha256, image.mos, *filter(None, [image.rung])]
        for _, image in ordered
    ]
    return Dataset(
        ordered[0][1].dataset,
        photos,
        digest(json.dumps(["saved", told]).encode())[:16],
        len(photos),
        asked_clips=len({photo.clip for photo in photos} - {""}),
        opinions={image.image: float(image.mos) for _, image in ordered if image.mos},
    )


def _photo(folder: Path, image: SavedImage) -> Photo:
    """Returns the clear image of a saved one; an encoding of a ladder is no frame of the photograph that it is of."""
    reference = folder / image.reference if image.reference else None
    if image.rung:
        rung = Rung(image.clip, float(image.rung))
        return replace(photo_at(image.image, folder / image.clear, reference=reference), rung=rung)
    return photo_at(image.image, folder / image.clear, image.clip, reference)


def _entry(name: str, images: list[tuple[Path, SavedImage]], excluded: Mapping[str, Mapping[str, str]]) -> SavedEntry:
    _, first = images[0]
    told = sorted(json.dumps(_fields(image), sort_keys=True) for _, image in images)
    told += [json.dumps([dataset, name]) for dataset, names in sorted(excluded.items()) for name in sorted(names)]
    family = CONTROL if first.family == CONTROL else FAMILY
    fields = {"access": first.access or "white", "family": family, "saved": True}
    return SavedEntry(
        name,
        "attacks",
        title=f"{first.attack} on {first.source or 'a metric that is not told'}, images saved before",
        kind="attack",
        fields=fields,
        fingerprint=digest("\n".join(told).encode())[:16],
        images=tuple((own, image) for own, image in images if image.image not in excluded.get(image.dataset, {})),
        excluded=excluded,
    )


def _fields(image: SavedImage) -> dict[str, str]:
    """Returns what the manifest says; without an empty rung, so that older manifests keep their fingerprints."""
    return {name: text for name, text in asdict(image).items() if text or name != "rung"}


def _eps(fields: Mapping[str, Any]) -> float:
    """Returns the bound of the attack; 1, no limit, if the manifest has none."""
    eps = fields.get("eps")
    return float(eps) if isinstance(eps, int | float) and 0 <= eps <= 1 else 1.0
