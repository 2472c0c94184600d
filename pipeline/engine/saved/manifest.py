"""The manifest of saved attacked images: which file is whose attack on what, its hash, and how it was scored.

A folder with a `manifest.csv` is an adversarial data set that anybody can make: `file`, `sha256`, `clear`,
`clear_sha256` and `attack` are all that must be there.
"""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any

from metric_robustness.pipeline.data.listing import CONTROL
from metric_robustness.pipeline.data.stills.formats import suffixes
from metric_robustness.pipeline.data.written import MANIFEST, NEEDED
from metric_robustness.pipeline.errors import BenchError, DataError
from metric_robustness.pipeline.files import digest, file_digest, write_atomically

ATTACK = re.compile(r"[a-z][a-z0-9_]*")
METRIC = re.compile(r"([a-z][a-z0-9_]*(\+[a-z][a-z0-9_-]*)*)?")


@dataclass(frozen=True)
class SavedImage:
    """One attacked image; paths are relative to the manifest's folder, with "/"."""

    file: str
    sha256: str
    clear: str  # what was attacked
    clear_sha256: str
    attack: str
    reference: str = ""  # the original of what was attacked, where that is another image
    reference_sha256: str = ""
    dataset: str = ""
    image: str = ""  # its name in the data set
    clip: str = ""  # that it is a frame of
    mos: str = ""  # what people think of the clear image
    rung: str = ""  # of a ladder's image, whose photograph `clip` then names
    metric: str = ""  # that was attacked
    defence: str = ""  # that the attack went through, DEFENCE or DEFENCE-PRESET
    variant: str = ""  # what differs from the attack's defaults
    train_dataset: str = ""  # of a universal pattern
    amplitude: str = ""
    family: str = ""  # of the attack
    access: str = ""  # white or black
    settings: str = ""  # the attack's fields as JSON
    clear_score: str = ""  # by the metric and through the defence that were attacked
    attacked_score: str = ""
    psnr: str = ""
    ssim: str = ""
    linf: str = ""
    key: str = ""  # of the cell
    seal: str = ""  # a hash of the other fields; nothing in a row that a person wrote

    @property
    def source(self) -> str:
        """Returns what was attacked, METRIC or METRIC+DEFENCE; nothing if the manifest does not name it."""
        return "+".join(filter(None, (self.metric, self.defence)))

    @property
    def attack_name(self) -> str:
        """Returns the attack as its cell is called, ATTACK@SOURCE where the source is known."""
        return f"{self.attack}@{self.source}" if self.source else self.attack

    @property
    def place(self) -> tuple[str, ...]:
        """Returns the fields that no two different images may share."""
        return (*self.setting, self.dataset, self.image)

    @property
    def setting(self) -> tuple[str, ...]:
        """Returns which attack on which metric made it, and how."""
        return (self.attack, self.source, self.variant, self.train_dataset, self.amplitude)

    @property
    def fields(self) -> Mapping[str, Any]:
        """Returns the attack's settings; none if the manifest lacks them, or has no JSON."""
        try:
            told = json.loads(self.settings or "{}")
        except ValueError:
            return {}
        return told if isinstance(told, dict) else {}


def _seal(told: Mapping[str, str]) -> str:
    """Returns the hash of a row's fields; an empty one counts as none."""
    fields = {name: text.strip() for name, text in told.items() if text.strip() and name != "seal"}
    return digest(json.dumps(fields, sort_keys=True).encode())[:32]


PATHS = {"file", "clear", "reference", "dataset", "image", "clip"}  # of these a blank at an end is a part
COLUMNS = tuple(field.name for field in fields(SavedImage))


def write_manifest(folder: Path, images: Iterable[SavedImage]) -> None:
    """Writes the manifest of a folder, which makes its images count; nothing where there are none."""
    lines = [told | {"seal": _seal(told)} for told in map(asdict, images)]
    if lines:
        text = io.StringIO()
        writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(lines)
        write_atomically(folder / MANIFEST, text.getvalue())


def read_manifests(folder: Path) -> dict[Path, list[SavedImage]]:
    """Returns the images of all manifests of a folder and those below it, by the manifests' folders.

    Raises:
        BenchError: If there is none, or one lacks a column or holds an impossible value.
        DataError: If a file is missing, is not the one of the manifest, or stands in no manifest; the message names it.
    """
    if not folder.is_dir():
        raise BenchError(f"--from-images must be a folder that run --save-images wrote; {folder} is none")
    found = {path.parent: list(_read(path)) for path in sorted(folder.rglob(MANIFEST))}
    if not any(found.values()):
        raise BenchError(
            f"{folder} must hold a {MANIFEST} with images; got none: name what run --save-images wrote, or write one "
            f"with the columns {', '.join(NEEDED)}"
        )
    for own, images in found.items():
        _require_same(own, images)
        _require_listed(own, images, set(found))
    return found


def unlisted(folder: Path, manifests: Mapping[Path, Iterable[SavedImage]]) -> int:
    """Returns how many images lie below a folder where no manifest is that could name them, nor one elsewhere does."""
    named = set[Path]().union(*(_named(own, images) for own, images in manifests.items()))
    alone = (path for path in _shown(folder) if not any(parent in manifests for parent in path.parents))
    return sum(path.resolve() not in named for path in alone)


def is_whole(folder: Path) -> bool:
    """Tells whether a folder has a manifest, and its images are those of it."""
    try:
        images = list(_read(folder / MANIFEST))
        _require_same(folder, images)
        _require_listed(folder, images, {folder})
    except BenchError:
        return False
    return bool(images)


def saved_there(folder: Path) -> Iterator[SavedImage]:
    """Yields what the manifests of a folder name, without a look at the images; skips manifests that are damaged."""
    for path in sorted(folder.rglob(MANIFEST)):
        with suppress(BenchError):
            yield from _read(path)


def _read(path: Path) -> Iterator[SavedImage]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            header, *lines = list(csv.reader(file, strict=True)) or [[]]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BenchError(f"{path} cannot be read as CSV: {error}: restore it") from error
    if missing := [name for name in NEEDED if name not in header]:
        raise BenchError(f"{path} must have the columns {', '.join(NEEDED)}; it lacks {', '.join(missing)}: add them")
    for number, line in enumerate(lines, start=2):
        if len(line) != len(header):
            raise BenchError(f"{path}, row {number}: must have {len(header)} cells; got {len(line)}: correct it")
        told = {
            name: text if name in PATHS else text.strip()
            for name, text in zip(header, line, strict=True)
            if name in COLUMNS
        }
        if (seal := told.get("seal")) and seal != _seal(told):
            raise DataError(
                f"{path}, row {number}: is not what was written: restore it, or empty its seal to vouch for it"
            )
        told["image"] = told.get("image") or PurePosixPath(told["file"]).name.removesuffix(".png")
        told["dataset"] = told.get("dataset") or path.parent.resolve().name
        yield _checked(SavedImage(**told), f"{path}, row {number}")


def _checked(image: SavedImage, where: str) -> SavedImage:
    """Returns an image whose names and numbers can be used; raises BenchError where they cannot."""
    for name in ("file", "clear", "reference"):
        if Path(getattr(image, name)).is_absolute() or (name != "reference" and not getattr(image, name)):
            raise BenchError(f"{where}: {name} must be a path relative to the manifest; got {getattr(image, name)!r}")
    for name in COLUMNS:
        if re.search(f"[{CONTROL}]", getattr(image, name)):
            raise BenchError(f"{where}: {name} must be without control characters; got {getattr(image, name)!r}")
    parts = PurePosixPath(image.image).parts
    for name, good in (
        ("attack", ATTACK.fullmatch(image.attack)),
        ("metric", METRIC.fullmatch(image.source)),
        ("image", image.image == "/".join(parts) and ".." not in parts and not image.image.startswith("/")),
        ("amplitude", _number(image.amplitude)),
        ("mos", _number(image.mos)),
        ("rung", _number(image.rung) and (image.clip or not image.rung)),
    ):
        if not good:
            raise BenchError(f"{where}: {name} cannot be {getattr(image, name)!r}: correct it")
    return image


def _number(text: str) -> bool:
    try:
        return not text or math.isfinite(float(text))
    except ValueError:
        return False


def _require_same(folder: Path, images: Iterable[SavedImage]) -> None:
    """Raises unless every file is the one of the manifest."""
    hashed = cache(file_digest)
    for image in images:
        listed = [(image.file, image.sha256), (image.clear, image.clear_sha256)]
        for name, sha256 in [*listed, *([(image.reference, image.reference_sha256)] if image.reference else [])]:
            file = (folder / name).resolve()
            if not file.is_file():
                raise DataError(f"{folder / name} is in {MANIFEST} and is not there: restore it, or take out its row")
            if hashed(file) != sha256.lower():
                told = f"its sha256 is {hashed(file)}, not {sha256 or 'given'}"
                raise DataError(f"{folder / name} is not the file of {MANIFEST}: {told}: restore it, or save it again")


def _require_listed(folder: Path, images: Iterable[SavedImage], others: set[Path]) -> None:
    """Raises if an image lies in the folder that its manifest does not name."""
    named = _named(folder, images)
    for path in _shown(folder):
        nearest = next(parent for parent in path.parents if parent in others)
        if nearest == folder and path.resolve() not in named:
            raise DataError(f"{path} is not in {MANIFEST}: take it away, or add its row")


def _named(folder: Path, images: Iterable[SavedImage]) -> set[Path]:
    """Returns the files that a manifest of the folder names."""
    return {(folder / name).resolve() for image in images for name in (image.file, image.clear, image.reference)}


def _shown(folder: Path) -> list[Path]:
    """Returns the image files below a folder, and no folder that is named after one; hidden files are being written."""
    return [
        path
        for path in sorted(folder.rglob("*"))
        if path.suffix.lower() in suffixes() and not path.name.startswith(".") and not path.is_dir()
    ]
