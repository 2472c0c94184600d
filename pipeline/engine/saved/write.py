"""Writes attacked images, what was attacked, and its originals as PNG, and the manifest that names them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from metric_robustness.metrics.base import Images
from metric_robustness.pipeline.cells.cell import Cell, image_file
from metric_robustness.pipeline.cells.distortion import NONE, Distortion
from metric_robustness.pipeline.data.dataset import Dataset
from metric_robustness.pipeline.data.images import Batch, write_png
from metric_robustness.pipeline.engine.attack.passes import Pass, Trial
from metric_robustness.pipeline.engine.attack.settings import attack_settings, budget_settings
from metric_robustness.pipeline.engine.saved.manifest import SavedImage, saved_there, write_manifest
from metric_robustness.pipeline.errors import BenchError
from metric_robustness.pipeline.files import digest, file_digest


@dataclass(frozen=True)
class ImageWriter:
    """Writes the images of a cell below an output folder."""

    cell: Cell
    out: Path
    written: dict[str, str] = field(default_factory=dict)  # file below `out` -> its sha256

    def take(self) -> dict[str, str]:
        """Returns what was written since the last call, each file with its sha256."""
        taken = dict(self.written)
        self.written.clear()
        return taken

    def holds(self, files: Mapping[str, str]) -> bool:
        """Tells whether files below the output folder are there, with these sha256."""
        return all((file := self.out / name).is_file() and file_digest(file) == sum_ for name, sum_ in files.items())

    def clear(self, dataset: Dataset, distortion: Distortion, batch: Batch) -> None:
        """Writes what is attacked, and the originals that it is compared with."""
        folder, originals = _clear_folders(self.cell, self.out, dataset.distorted, distortion)
        for index, photo in enumerate(batch.photos):
            self._write(batch.images[index], folder / image_file(photo.name))
            if originals and batch.references is not None:
                self._write(batch.references[index], originals / image_file(photo.name))

    def attacked(self, images: Images, names: list[str], current: Pass, trial: Trial) -> None:
        """Writes attacked images."""
        folder = self.cell.images(self.out) / current.folder(trial)
        for name, image in zip(names, images, strict=True):
            self._write(image, folder / image_file(name))

    def _write(self, image: Images, file: Path) -> None:
        self.written[str(file.relative_to(self.out))] = digest(write_png(image, file))


def save_manifest(cell: Cell, out: Path, datasets: list[Dataset], rows: Iterable[Mapping[str, str]]) -> None:
    """Writes the manifest of a finished cell's images.

    Args:
        cell: The cell.
        out: The output folder.
        datasets: The data sets.
        rows: The cell's rows; of several about one image, one per defence, the first counts.
    """
    if cell.metric.kind == "video":
        return  # its rows are about clips
    hashed = cache(file_digest)
    found: dict[str, SavedImage] = {}
    for image in _images(cell, out, {dataset.name: dataset for dataset in datasets}, rows):
        folder = cell.images(out)
        sums = {
            f"{name}_sha256": hashed((folder / path).resolve())
            for name, path in (("clear", image["clear"]), ("reference", image["reference"]))
            if path
        }
        found.setdefault(image["file"], SavedImage(sha256=hashed(folder / image["file"]), **image, **sums))
    write_manifest(cell.images(out), found.values())


def require_names(datasets: list[Dataset], out: Path) -> None:
    """Raises BenchError if an image of two data sets would be saved under one name, here or by an earlier run."""
    seen = {image.image: image.dataset for image in saved_there(out / "images")}
    for dataset in datasets:
        for photo in dataset.photos:
            if (other := seen.setdefault(photo.name, dataset.name)) != dataset.name:
                raise BenchError(
                    f"--save-images needs names that are taken once; {photo.name} is in {other} and {dataset.name}: "
                    "run one data set after the other, each with an --out of its own"
                )


def _images(
    cell: Cell, out: Path, datasets: Mapping[str, Dataset], rows: Iterable[Mapping[str, str]]
) -> Iterator[dict[str, str]]:
    folder, settings = cell.images(out), attack_settings(cell.attack, cell.settings)
    budgets = () if cell.settings.changes else cell.budgets  # with other settings no search goes on within them
    changed = settings["variants"] | budget_settings(cell.attack, cell.settings, budgets)
    attacked, _, defence = cell.metric.name.partition("+")
    for row in rows:
        amplitude = float(row["amplitude"] or "nan")
        setting = f"{row['train_dataset']}-{amplitude:g}" if row["amplitude"] else ""
        file = folder / (row["variant"] or "default") / setting / image_file(row["image"])
        if not file.is_file():
            continue  # the mean of a clip
        distorted = datasets[row["dataset"]].distorted
        clear, originals = _clear_folders(cell, out, distorted, _distortion(cell, row["variant"]))
        fields = settings["settings"] | changed.get(row["variant"].partition("+")[0], {})
        yield {
            "file": file.relative_to(folder).as_posix(),
            "clear": _relative(clear / image_file(row["image"]), folder),
            "reference": _relative(originals / image_file(row["image"]), folder) if originals else "",
            "metric": attacked,
            "defence": defence,
            "attack": cell.attack.name,
            "family": cell.attack.fields["family"],
            "access": cell.attack.fields["access"],
            "settings": json.dumps(fields, sort_keys=True),
            "clear_score": row["clear"],
            "attacked_score": row["attacked"],
            "key": cell.key,
            **{name: row[name] for name in ("dataset", "image", "variant", "train_dataset", "amplitude", "mos")},
            **{name: row[name] for name in ("psnr", "ssim", "linf")},
            "clip": row["clip"] if row["clip"] != row["image"] else "",
            "rung": row.get("rung", ""),
        }


def _distortion(cell: Cell, variant: str) -> Distortion:
    """Returns how the images of a variant were distorted before they were attacked."""
    if not cell.metric.full_reference:
        return NONE
    known = {f"jpeg={distortion.setting}": distortion for distortion in cell.settings.distortions}
    named = [known[part] for part in variant.split("+") if part in known]
    return named[0] if named else cell.settings.distortions[0]


def _clear_folders(cell: Cell, out: Path, distorted: bool, distortion: Distortion) -> tuple[Path, Path | None]:
    """Returns the folder of what is attacked, and that of its originals if these are other images."""
    if not cell.metric.full_reference:
        return cell.clear_images(out), None
    if distorted:
        return cell.clear_images(out), out / "images" / "_clear" / "reference"
    return cell.clear_images(out, distortion), None if distortion == NONE else cell.clear_images(out)


def _relative(file: Path, folder: Path) -> str:
    return Path(os.path.relpath(file, folder)).as_posix()
