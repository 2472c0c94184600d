"""The gallery of a metric's page: images before and after an attack, where `run --save-images` kept them."""

from __future__ import annotations

import io
from collections.abc import Hashable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from pipeline.files import digest
from pipeline.scoring.cells import Cell

Row: TypeAlias = dict[Hashable, Any]  # of a table of rows, by column
Pixels: TypeAlias = NDArray[np.uint8]  # (H, W, 3)

SHOWN = 3  # images of an attack: the one that was raised most, the middle one and the one that was raised least
SIDE = 384  # of an image's middle that is shown, in pixels: scaled down, a change of some levels could not be seen
AMPLIFIED = 10


@dataclass(frozen=True)
class Exhibit:
    """One image under one attack; the paths are relative to the site's root."""

    image: str
    clear_score: float  # in the metric's own unit
    attacked_score: float
    width: int
    height: int
    attacked: str
    clear: str = ""  # empty where the clear image was not kept
    difference: str = ""
    cropped: bool = False


class Gallery:
    """Takes images from a run folder and gives every one that is shown a file of the site, once."""

    def __init__(self, source: Path) -> None:
        self.folder = source / "images"
        self.files: dict[str, bytes] = {}  # path in the site -> PNG

    def of(self, cell: Cell, rows: pd.DataFrame) -> list[Exhibit]:
        """Returns what is shown of a cell: nothing where its images were not kept.

        Args:
            cell: The cell.
            rows: Its rows on one data set under default settings, with a column `gain`.
        """
        folder = self.folder / cell.path.stem / cell.metric / "default"
        if cell.stamp is None or not folder.is_dir():
            return []
        quality = next(iter(cell.stamp.settings.get("jpeg", ())), None) if cell.stamp.metric.kind == "FR" else None
        before = f"jpeg={quality}" if isinstance(quality, int) else "original"
        kept = [row for row in rows.sort_values("gain", ascending=False).to_dict("records") if _file(folder, row)]
        chosen = sorted({round(i * (len(kept) - 1) / (SHOWN - 1)) for i in range(SHOWN)}) if kept else []
        exhibits = (self._exhibit(kept[i], folder, self.folder / "_clear" / before) for i in chosen)
        return [exhibit for exhibit in exhibits if exhibit]

    def _exhibit(self, row: Row, attacked_folder: Path, clear_folder: Path) -> Exhibit | None:
        attacked = _read(_file(attacked_folder, row))
        if attacked is None:
            return None
        clear = _read(_file(clear_folder, row))
        if clear is not None and clear.shape != attacked.shape:
            clear = None
        shown = _middle(attacked)
        paths = {"attacked": self._keep(shown)}
        if clear is not None:
            before = _middle(clear)
            change = AMPLIFIED * (shown.astype(np.int16) - before) + 128
            paths |= {"clear": self._keep(before), "difference": self._keep(change.clip(0, 255).astype(np.uint8))}
        height, width = shown.shape[:2]
        cropped = shown.shape != attacked.shape
        return Exhibit(row["image"], row["clear"], row["attacked"], width, height, **paths, cropped=cropped)

    def _keep(self, pixels: Pixels) -> str:
        """Returns the path of an image in the site; equal images share a file."""
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "PNG", optimize=True)
        content = buffer.getvalue()
        path = f"gallery/{digest(content)[:16]}.png"
        self.files[path] = content
        return path


def _file(folder: Path, row: Row) -> Path | None:
    """Returns the saved image of a row, if there is one; a name that leads out of the folder has none."""
    path = folder / f"{row['image']}.png"
    inside = path.resolve().is_relative_to(folder.resolve())
    return path if inside and path.is_file() else None


def _read(path: Path | None) -> Pixels | None:
    """Returns the pixels of an image; None if there is none, or it is damaged."""
    if path is None:
        return None
    try:
        with Image.open(path) as image:
            return np.asarray(image.convert("RGB"))
    except (OSError, UnidentifiedImageError, ValueError):
        return None


def _middle(pixels: Pixels) -> Pixels:
    height, width = pixels.shape[:2]
    top, left = max(height - SIDE, 0) // 2, max(width - SIDE, 0) // 2
    return pixels[top : top + SIDE, left : left + SIDE]
