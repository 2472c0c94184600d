"""The row: one image, one attack, one metric. The truth that everything else is computed from.

Standard library only, because planning and scoring read rows where there is no torch.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass, fields

CLIP_MEAN = "clip_mean"  # the variant of rows that stand for the mean over a clip's frames


@dataclass(frozen=True)
class Row:
    """One line of a cell's CSV; the columns stand in this order.

    Seconds are not here but in the stamp: a resumed cell must end in the same bytes as an uninterrupted one.
    """

    dataset: str
    image: str
    clip: str  # groups the frames of one video; equal to `image` for a photograph, and for a clip scored as a whole
    clear: float  # score before the attack, in the metric's own unit
    attacked: float  # score after the attack and rounding to 8 bits
    psnr: float  # of the attacked image against the clear one, in dB; inf when nothing changed
    ssim: float  # 7x7 uniform window, RGB
    mse: float  # on [0, 1]
    linf: float  # largest change of a channel value, on [0, 1]
    variant: str = ""  # what differs from the attack's defaults
    train_dataset: str = ""  # of a universal pattern
    amplitude: float | None = None  # of a universal pattern
    defence: str = ""
    clear_defended: float | None = None
    attacked_defended: float | None = None
    psnr_defended: float | None = None  # of the purified attacked image against the clear one, aligned with it
    ssim_defended: float | None = None
    queries: int = 0
    gradients: int = 0
    mos: float | None = None  # what people think of the image before the attack, where that is known; higher is better
    l2: float | None = None  # norm of the change, of pixels in [0, 1]; what a certified radius is to be compared with
    radius: float | None = None  # l2 norm of the changes that the interval is certified for, behind a smoothing defence
    certified_low: float | None = None  # the interval: no image within the radius of the attacked one scores below
    certified_high: float | None = None  # nor above

    def cells(self) -> dict[str, str]:
        """Returns the row as text: numbers with 6 significant digits, nothing for None."""
        return {column: _text(getattr(self, column)) for column in COLUMNS}


COLUMNS = tuple(field.name for field in fields(Row))


def _text(value: str | float | None) -> str:
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def to_csv(rows: Iterable[dict[str, str]]) -> str:
    """Returns rows of text as CSV: UTF-8, LF, one header line."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
