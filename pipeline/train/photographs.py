"""The photographs of a training: those to train on, those held out, those excluded; attacked and rated ones."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from metric_robustness.pipeline.data.dataset import Photo, open_dataset
from metric_robustness.pipeline.data.images import decode
from metric_robustness.pipeline.data.videos.video import Pixels
from metric_robustness.pipeline.errors import DataError
from metric_robustness.pipeline.files import digest
from metric_robustness.pipeline.train.recipes import TID2013_SOURCES

HELD_OUT = 0.2  # share of the photographs


@dataclass(frozen=True)
class Photographs:
    """Decoded photographs by file name."""

    training: dict[str, Pixels]
    validation: dict[str, Pixels]  # nothing of them is trained on
    digest: str  # of names and pixels
    excluded: dict[str, str] = field(default_factory=dict)  # file name -> reason
    attacked: dict[str, list[Pixels]] = field(default_factory=dict)  # file name -> its attacked versions
    attacks: list[str] = field(default_factory=list)  # the folders that these came from
    opinions: dict[str, float] = field(default_factory=dict)  # name -> mean opinion score, of images that people rated


def gather(sources: list[str], crop: int) -> Photographs:
    """Reads photographs and holds a fifth of them out, those whose names have the smallest hashes.

    Images that people rated are held out together with all others of the same original.

    Args:
        sources: Folders, single files, data sets of benchmark.yml or rated images, as iqa:CSV; a data set's own crop is
            not applied.
        crop: The side of the training images; smaller photographs are excluded.

    Raises:
        BenchError: If a source does not exist.
        DataError: If fewer than two photographs remain, or people rated only some of them.
    """
    found, excluded = _read(sources, crop)
    ranked = sorted({image.origin for image in found.values()}, key=lambda origin: digest(origin.encode()))
    if len(ranked) < 2:
        why = next((f" ({name}: {reason})" for name, reason in excluded.items()), "")
        raise DataError(
            f"training must have at least 2 photographs, one of them held out; got {len(ranked)}{why}: "
            "name more folders"
        )
    opinions = {name: image.opinion for name, image in found.items() if image.opinion is not None}
    if len(opinions) not in {0, len(found)}:
        name = next(name for name in found if name not in opinions)
        raise DataError(f"training must have opinions of all images, or of none; {name} has none: name one kind alone")
    held = set(ranked[: max(round(HELD_OUT * len(ranked)), 1)])
    return Photographs(
        training={name: image.pixels for name, image in found.items() if image.origin not in held},
        validation={name: image.pixels for name, image in found.items() if image.origin in held},
        digest=digest("\n".join(image.facts(name) for name, image in sorted(found.items())).encode())[:16],
        excluded=excluded,
        opinions=opinions,
    )


class _Image(NamedTuple):
    """One image, decoded."""

    pixels: Pixels
    origin: str  # the name of its original; of a photograph its own
    opinion: float | None

    def facts(self, name: str) -> str:
        """Returns the line about the image that the digest of all images covers."""
        return f"{name} {digest(self.pixels.tobytes())}" + ("" if self.opinion is None else f" {self.opinion!r}")


def _read(sources: list[str], crop: int) -> tuple[dict[str, _Image], dict[str, str]]:
    """Returns the images by name, and the excluded ones with their reasons."""
    found: dict[str, _Image] = {}
    excluded: dict[str, str] = {}
    for source in sources:
        dataset = open_dataset(source)
        excluded |= dataset.passed_over
        for photo in dataset.photos:
            name = photo.name if dataset.opinions else photo.path.name
            try:
                pixels = _fit(photo, crop)
                if name in found:
                    raise ValueError("another photograph has its name")
            except ValueError as error:
                excluded[name] = str(error).partition("\n")[0]
            else:
                origin = photo.reference.name if photo.reference else name
                found[name] = _Image(pixels, origin, dataset.opinions.get(photo.name))
    return found, excluded


def _fit(photo: Photo, crop: int) -> Pixels:
    """Returns the pixels of a photograph that may be used.

    Raises:
        ValueError: If it may not be used; the message says why.
    """
    if photo.frame is not None:
        raise ValueError("a frame of a video, not a photograph")
    if photo.path.name in TID2013_SOURCES:
        raise ValueError("TID2013 tests on it")
    try:
        pixels = decode(photo.path)
    except (OSError, SyntaxError, ValueError) as error:
        raise ValueError(f"cannot be decoded: {error}") from error
    if min(pixels.shape[:2]) < crop:
        raise ValueError(f"{pixels.shape[1]}x{pixels.shape[0]} is smaller than {crop}x{crop} pixels")
    return pixels


def with_attacked(photographs: Photographs, folders: list[Path]) -> Photographs:
    """Returns the photographs with the attacked ones that folders hold, as `run --save-images` writes them.

    Args:
        photographs: The clear ones.
        folders: Every PNG below them belongs to the photograph of its name, whatever stands after the first dot.

    Raises:
        DataError: If a photograph has no attacked version, or one of another size.
    """
    names = {name.partition(".")[0]: name for name in (*photographs.training, *photographs.validation)}
    clear, digests = photographs.training | photographs.validation, [photographs.digest]
    found: dict[str, list[Pixels]] = {}
    attacks: set[str] = set()
    for root, path in sorted((folder, path) for folder in folders for path in folder.rglob("*.png")):
        if not (name := names.get(path.name.partition(".")[0])):
            continue  # its photograph is excluded
        pixels = decode(path)
        if pixels.shape != clear[name].shape:
            raise DataError(
                f"{path} must have the size of {name}; it has another: attack the whole photograph, without a crop"
            )
        if np.array_equal(pixels, clear[name]):
            continue  # the clear photograph, which `run` saves beside the attacked ones
        found.setdefault(name, []).append(pixels)
        attacks.add(path.parent.relative_to(root).as_posix())
        digests.append(f"{name} {digest(pixels.tobytes())}")
    if absent := sorted(clear.keys() - found.keys()):
        raise DataError(
            f"every photograph must have an attacked version; {', '.join(absent)} has none: attack these photographs "
            "with run --save-images, and name the folder with --attacked"
        )
    return replace(
        photographs, attacked=found, attacks=sorted(attacks), digest=digest("\n".join(digests).encode())[:16]
    )
