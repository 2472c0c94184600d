"""What a pass costs on a kind of device, as `calibrate --speeds` measured it: a line of results/speeds.csv."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple, Self

from metric_robustness.pipeline import config
from metric_robustness.pipeline.catalogue.entry import Entry
from metric_robustness.pipeline.errors import DataError
from metric_robustness.pipeline.files import digest

TEXTS = ("folder", "name", "device")
NUMBERS = ("start", "forward", "gradient", "trial", "gpu_memory")


class PassSpeed(NamedTuple):
    """Seconds of one image, with all that the engine does beside the entry's own code; 0 where there is nothing."""

    folder: str  # metrics or attacks
    name: str
    device: str  # cpu, or the GPU's name
    pixels: int  # of the images that were measured
    start: float  # until a metric has its first score: weights read, kernels chosen
    forward: float  # one query
    gradient: float  # one query with its gradient
    # Of a metric: what an attacked image costs besides the attack: decoding, rounding, PSNR, SSIM, its score. Of an
    # attack: its own arithmetic on an image; of a universal one, on a crop in one step of its fit.
    trial: float
    gpu_memory: float  # the most GiB that it took
    measured: str  # when, UTC

    def at(self, pixels: int, factor: float = 1) -> Self:
        """Returns the speed on images of another size: a pass is taken to cost as much for every pixel.

        Args:
            pixels: Of the images; 0 where this is not known.
            factor: How many times as long each pass takes.
        """
        scale = factor * (pixels / self.pixels if pixels and self.pixels else 1)
        return self._replace(
            forward=scale * self.forward, gradient=scale * self.gradient, trial=scale * self.trial, pixels=pixels
        )


Speeds = dict[tuple[str, str, str], PassSpeed]  # (folder, name, device) -> speed


def read_speeds(path: Path) -> Speeds:
    """Returns the lines of a file; none where there is no file.

    Raises:
        DataError: If a line cannot be read.
    """
    return by_place(parse_speeds(path.read_text(encoding="utf-8"), str(path))) if path.exists() else {}


def parse_speeds(text: str, source: str) -> list[PassSpeed]:
    """Returns the lines of a text, which comes from somewhere.

    Raises:
        DataError: If a line cannot be read.
    """
    rows = csv.DictReader(io.StringIO(text))
    return [_speed_of(row, f"line {line} of {source}") for line, row in enumerate(rows, start=2)]


def by_place(speeds: Iterable[PassSpeed]) -> Speeds:
    """Returns speeds by what they are about; of several the last."""
    return {(speed.folder, speed.name, speed.device): speed for speed in speeds}


def speed_key(entry: Entry, kind: str) -> str:
    """Returns the hash of all that a speed in the result store is about: an entry and a kind of device."""
    return digest(json.dumps(["speed", entry.folder, entry.name, entry.fingerprint, kind]).encode())[:32]


def kind_of(device: str) -> str:
    """Returns the tag of the runners that have this device; cpu, or the device's name, where none has."""
    runners = config.load().runners.items()
    return next((tag for tag, runner in runners if (runner.title or tag) in device), device)


def amount(text: str) -> float:
    """Returns how many seconds or GiB a text says.

    Raises:
        ValueError: If it is no number, or one that nothing can take: a plan with it would have no end.
    """
    value = float(text)
    if not 0 <= value < math.inf:
        raise ValueError(text)
    return value


def _speed_of(row: dict[str, str], where: str) -> PassSpeed:
    try:
        folder, name, device = (row[name] for name in TEXTS)
        start, forward, gradient, trial, memory = (amount(row[name]) for name in NUMBERS)
        pixels = int(row["pixels"])
        return PassSpeed(folder, name, device, pixels, start, forward, gradient, trial, memory, row["measured"])
    except (KeyError, TypeError, ValueError) as error:
        columns = ", ".join(PassSpeed._fields)
        raise DataError(f"{where} must hold the columns {columns}; it does not: restore it with git") from error


def speeds_to_csv(speeds: Iterable[PassSpeed]) -> str:
    """Returns the lines as CSV, sorted."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(PassSpeed._fields)
    for speed in sorted(speeds):
        writer.writerow([f"{value:.4g}" if isinstance(value, float) else value for value in speed])
    return text.getvalue()
