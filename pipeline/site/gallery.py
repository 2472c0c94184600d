"""The gallery: images before and after an attack, where `run --save-images` saved them, and universal patterns."""

from __future__ import annotations

import io
from collections.abc import Hashable
from dataclasses import dataclass, replace
from glob import escape
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from metric_robustness.pipeline.cells.cell import image_file, images_folder
from metric_robustness.pipeline.cells.fit import FitStamp
from metric_robustness.pipeline.files import digest
from metric_robustness.pipeline.scoring.read.cells import StoredCell

TableRow: TypeAlias = dict[Hashable, Any]  # one row of a table, by column
Pixels: TypeAlias = NDArray[np.uint8]  # (H, W, 3)

SHOWN = 3  # images of an attack: those with the largest, the middle and the smallest gain
SIDE = 384  # pixels of the square in an image's middle that a page shows; scaling down would hide small changes
AMPLIFIED = 10  # times that a difference is enlarged
GREY = 127.5  # what a pattern's preview is where the pattern is 0


@dataclass(frozen=True)
class Exhibit:
    """One image under one attack, as a page shows it; the paths are relative to the site's root."""

    image: str
    clear_score: float  # in the metric's own unit
    attacked_score: float
    linf: float  # the largest change of a channel value, in [0, 1]
    size: tuple[int, int]  # width and height, in pixels
    attacked: str
    clear: str = ""  # empty where the clear image was not saved
    difference: str = ""
    cropped: bool = False
    setting: str = ""  # of a universal pattern: what it was fitted on, and its amplitude

    @property
    def width(self) -> int:
        """Returns how wide the pictures are, in pixels."""
        return self.size[0]

    @property
    def height(self) -> int:
        """Returns how high they are, in pixels."""
        return self.size[1]


@dataclass(frozen=True)
class Preview:
    """A universal pattern, as a picture; its path is relative to the site's root."""

    metric: str
    picture: str
    side: int  # pixels
    train: str  # the data set that it was fitted on
    images: int  # of that data set
    loss: tuple[float, float]  # 1 - the objective, of the fit's first and last batch


class Gallery:
    """Reads images from a run folder and makes a file of the site from each that a page shows."""

    def __init__(self, source: Path) -> None:
        self.source = source
        self.folder = source / "images"
        self.saved = self.folder.is_dir()
        self.files: dict[str, bytes] = {}  # path in the site -> PNG

    def of(self, cell: StoredCell, rows: pd.DataFrame) -> list[Exhibit]:
        """Returns the exhibits of a cell; none if the run did not save its images.

        Args:
            cell: The cell.
            rows: Its rows on one data set under default settings, with a column `gain`.
        """
        if not self.saved:
            return []
        rows, place, setting = _of_one_pattern(rows)
        root = (self.folder / images_folder(cell.metric, cell.path.stem) / "default").resolve()
        folder = root / place
        inside = root.resolve().is_relative_to(self.folder.resolve()) and folder.resolve().is_relative_to(
            root.resolve()
        )
        if cell.stamp is None or not folder.is_dir() or not inside:
            return []
        quality = next(iter(cell.stamp.settings.get("jpeg", ())), None) if cell.stamp.metric.kind == "FR" else None
        before = f"jpeg={quality}" if isinstance(quality, int) else "original"
        shown = [row for row in rows.sort_values("gain", ascending=False).to_dict("records") if _saved(folder, row)]
        chosen = sorted({round(i * (len(shown) - 1) / (SHOWN - 1)) for i in range(SHOWN)}) if shown else []
        exhibits = (self._exhibit(shown[i], folder, self.folder / "_clear" / before) for i in chosen)
        return [replace(exhibit, setting=setting) for exhibit in exhibits if exhibit]

    def patterns(self, cell: StoredCell) -> list[Preview]:
        """Returns the patterns of a universal attack under default settings, one per training set with a saved fit.

        Skips fits of another version of the metric or the attack, since the cell's rows do not come from them.
        """
        found = []
        for path in sorted((self.source / "fits" / cell.metric).glob("*.json")):
            fit, pixels = FitStamp.read(path), _read(path.with_suffix(".png"))
            if fit is None or pixels is None or cell.stamp is None or fit.variant:
                continue
            metric, attack = cell.stamp.metric, cell.stamp.attack
            versions = (fit.metric, fit.metric_fingerprint, fit.attack, fit.attack_fingerprint)
            if fit.loss and versions == (metric.name, metric.fingerprint, attack.name, attack.fingerprint):
                picture, ends = self._keep(_stretched(pixels)), (fit.loss[0], fit.loss[-1])
                found.append(Preview(cell.metric, picture, pixels.shape[0], fit.train.name, fit.train.images, ends))
        return found

    def _exhibit(self, row: TableRow, attacked_folder: Path, clear_folder: Path) -> Exhibit | None:
        file = _saved(attacked_folder, row)
        attacked = _read(file)
        if file is None or attacked is None:
            return None
        clear = _read(clear_folder / file.relative_to(attacked_folder))
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
        return Exhibit(
            row["image"], row["clear"], row["attacked"], row["linf"], (width, height), cropped=cropped, **paths
        )

    def _keep(self, pixels: Pixels) -> str:
        """Returns the path of an image in the site; equal images share a file."""
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "PNG", optimize=True)
        content = buffer.getvalue()
        path = f"gallery/{digest(content)[:16]}.png"
        self.files[path] = content
        return path


def _of_one_pattern(rows: pd.DataFrame) -> tuple[pd.DataFrame, str, str]:
    """Returns the rows under one pattern at its largest amplitude, the folder of their images, and its description.

    Of patterns from several training sets it is the first by name. An attack without patterns gives all rows and
    two empty texts.
    """
    if rows.empty or rows["amplitude"].isna().all():
        return rows, "", ""
    train, amplitude = rows["train_dataset"].min(), rows["amplitude"].max()
    chosen = rows[(rows["train_dataset"] == train) & (rows["amplitude"] == amplitude)]
    return chosen, f"{train}-{amplitude:g}", f"fitted on {train}, amplitude {amplitude:g}"


def _saved(folder: Path, row: TableRow) -> Path | None:
    """Returns the path of a row's saved image, or of a clip's middle frame; None if there is none inside the folder.

    The engine saves a frame as VIDEO#0012.png, or in a folder named after the clip.
    """
    path = folder / image_file(str(row["image"]))
    if not path.resolve().is_relative_to(folder.resolve()):
        return None
    if path.is_file():
        return path
    frames = sorted([*path.parent.glob(f"{escape(path.stem)}#*.png"), *path.with_suffix("").glob("*.png")])
    return frames[len(frames) // 2] if frames else None


def _read(path: Path | None) -> Pixels | None:
    """Returns the pixels of an image; None if there is none, or it is damaged."""
    if path is None:
        return None
    try:
        with Image.open(path) as image:
            return np.asarray(image.convert("RGB"))
    except (OSError, UnidentifiedImageError, ValueError):
        return None


def _stretched(preview: Pixels) -> Pixels:
    """Returns a pattern's preview with its contrast raised until the largest change is black or white; 0 stays grey."""
    change = preview.astype(np.float64) - GREY
    most = np.abs(change).max()
    return (GREY + change * (GREY / most if most else 1)).round().clip(0, 255).astype(np.uint8)


def _middle(pixels: Pixels) -> Pixels:
    height, width = pixels.shape[:2]
    top, left = max(height - SIDE, 0) // 2, max(width - SIDE, 0) // 2
    return pixels[top : top + SIDE, left : left + SIDE]
