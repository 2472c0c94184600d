"""The photographs of a training: which are trained on, which are held out, which are left out; attacked ones."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from pipeline.errors import DataError
from pipeline.evaluate.datasets import Photo, open_dataset
from pipeline.evaluate.images import decode
from pipeline.evaluate.video import Pixels
from pipeline.files import digest
from pipeline.train.recipes import TID2013_SOURCES

HELD_OUT = 0.2  # share of the photographs


@dataclass(frozen=True)
class Photographs:
    """Decoded photographs by file name."""

    training: dict[str, Pixels]
    validation: dict[str, Pixels]  # nothing of them is trained on
    digest: str  # of names and pixels
    left_out: dict[str, str] = field(default_factory=dict)  # file name -> reason
    attacked: dict[str, list[Pixels]] = field(default_factory=dict)  # file name -> what attacks made of it
    attacks: list[str] = field(default_factory=list)  # the folders that these came from


def gather(sources: list[str], crop: int) -> Photographs:
    """Reads photographs and holds a fifth of them out, those whose names have the smallest hashes.

    Args:
        sources: Folders, single files or data sets of benchmark.yml; a data set's own crop is not applied.
        crop: The side of the training images; smaller photographs are left out.

    Raises:
        BenchError: If a source does not exist.
        DataError: If fewer than two photographs remain.
    """
    found: dict[str, Pixels] = {}
    left_out: dict[str, str] = {}
    for source in sources:
        dataset = open_dataset(source)
        left_out |= dataset.excluded
        for photo in dataset.photos:
            reason = _unfit(photo, found)
            pixels = None if reason else _decoded(photo, left_out)
            if pixels is not None and min(pixels.shape[:2]) < crop:
                reason = f"{pixels.shape[1]}x{pixels.shape[0]} is smaller than {crop}x{crop} pixels"
            if reason:
                left_out[photo.path.name] = reason
            elif pixels is not None:
                found[photo.path.name] = pixels
    if len(found) < 2:
        why = next((f" ({name}: {reason})" for name, reason in left_out.items()), "")
        raise DataError(
            f"training must have at least 2 photographs, one of them held out; got {len(found)}{why}: name more folders"
        )
    ranked = sorted(found, key=lambda name: digest(name.encode()))
    held = set(ranked[: max(round(HELD_OUT * len(found)), 1)])
    return Photographs(
        training={name: pixels for name, pixels in found.items() if name not in held},
        validation={name: pixels for name, pixels in found.items() if name in held},
        digest=digest("\n".join(f"{name} {digest(found[name].tobytes())}" for name in sorted(found)).encode())[:16],
        left_out=left_out,
    )


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
            continue  # of a photograph that is left out
        pixels = decode(path)
        if pixels.shape != clear[name].shape:
            raise DataError(f"{path} must be of the size of {name}: attack the whole photograph, without a crop")
        if np.array_equal(pixels, clear[name]):
            continue  # the clear one, which `run` keeps beside them
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


def _unfit(photo: Photo, found: dict[str, Pixels]) -> str:
    """Returns why a photograph is not to be used, as far as its name tells."""
    if photo.frame is not None:
        return "a frame of a video, not a photograph"
    if photo.path.name in TID2013_SOURCES:
        return "TID2013 tests on it"
    return "another photograph has its name" if photo.path.name in found else ""


def _decoded(photo: Photo, left_out: dict[str, str]) -> Pixels | None:
    try:
        return decode(photo.path)
    except (OSError, SyntaxError, ValueError) as error:
        left_out[photo.path.name] = f"cannot be decoded: {str(error).partition(chr(10))[0]}"
        return None
