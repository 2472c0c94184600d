"""The row: one image, one attack, one metric. Every other number is computed from rows.

Each column is declared once, in `Row`. The writer takes its name and place from there, the reader its type and whether
it must be there, and a clip's mean how it is pooled over frames.

Standard library only, because planning and scoring read rows where there is no torch.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated, Literal, NamedTuple, get_args, get_type_hints

BUDGET_VARIANT = re.compile(r"eps=(\d+)/255")  # of rows of a search within another eps than the attack's own
CLIP_MEAN = "clip_mean"  # the variant of rows that stand for the mean over a clip's frames


def budget_variant(budget: int) -> str:
    """Returns the variant of rows of a search within so many 255ths, as `--set eps=4/255` names it, too."""
    return f"eps={budget}/255"


class Column(NamedTuple):
    """What the code knows of a column besides its name.

    Attributes:
        over_frames: How the frames of a clip give the clip's value. `same`: they all have it. `mean`: their mean, or
            nothing if they have no value, as without a defence. `largest`. `none`: a clip has no such value.
        unit: What its numbers are counted in.
        required: Whether every file of rows must have it, published ones too.
        recent: Whether files of earlier versions lack it.
        rare: Whether a file lacks it unless one of its rows has a value, since few cells have any.
        is_text: Whether it holds text, not numbers; taken from the field's type.
    """

    over_frames: Literal["same", "mean", "largest", "none"] = "same"
    unit: str = ""
    required: bool = False
    recent: bool = False
    rare: bool = False
    is_text: bool = False


KEY = Column(required=True)
SETTING = Column()
SCORE = Column("mean", "the metric's unit")
PSNR = Column("mean", "dB")
SSIM = Column("mean", "1 for equal images")
COUNT = Column("largest", "passes")
BOUND = Column("none", "the metric's unit", recent=True)
FLICKER = Column("mean", "255ths", rare=True)
RUNG = Column("none", "higher for a better encoding", rare=True)
L2_NORM = Column("none", "l2 norm of pixels in [0, 1]", recent=True)


@dataclass(frozen=True)
class Row:
    """One line of a cell's CSV; the columns stand in this order.

    Seconds are not here but in the stamp: a resumed cell must end in the same bytes as an uninterrupted one.
    """

    dataset: Annotated[str, KEY]
    image: Annotated[str, KEY]
    clip: Annotated[str, SETTING]  # of frames their video, of encodings their photograph; else equal to `image`
    clear: Annotated[float, SCORE._replace(required=True)]  # before the attack
    attacked: Annotated[float, SCORE._replace(required=True)]  # after the attack and rounding to 8 bits
    psnr: Annotated[float, PSNR]  # of the attacked image against the clear one; inf when nothing changed
    ssim: Annotated[float, SSIM]  # 7x7 uniform window, RGB
    mse: Annotated[float, Column("mean", "square of pixels in [0, 1]")]
    linf: Annotated[float, Column("largest", "pixels in [0, 1]")]  # largest change of a channel value
    variant: Annotated[str, SETTING] = ""  # what differs from the attack's defaults
    train_dataset: Annotated[str, SETTING] = ""  # of a universal pattern
    amplitude: Annotated[float | None, SETTING] = None  # of a universal pattern
    defence: Annotated[str, SETTING] = ""
    clear_defended: Annotated[float | None, SCORE] = None
    attacked_defended: Annotated[float | None, SCORE] = None
    psnr_defended: Annotated[float | None, PSNR] = None  # of the purified attacked image against the clear one, aligned
    ssim_defended: Annotated[float | None, SSIM] = None
    queries: Annotated[int, COUNT] = 0
    gradients: Annotated[int, COUNT] = 0
    mos: Annotated[float | None, Column("none", "of the data set", recent=True)] = None  # of people, of the clear image
    l2: Annotated[float | None, L2_NORM] = None  # of the change; what a certified radius is to be compared with
    radius: Annotated[float | None, L2_NORM] = None  # that a smoothing defence certifies its interval for
    certified_low: Annotated[float | None, BOUND] = None  # no image within the radius scores below this
    certified_high: Annotated[float | None, BOUND] = None  # nor above this
    flicker: Annotated[float | None, FLICKER] = None  # mean of |change - that of the frame before|; of clips only
    rung: Annotated[float | None, RUNG] = None  # of a ladder's image among the encodings of its photograph

    def cells(self) -> dict[str, str]:
        """Returns the row as text: numbers with 6 significant digits, nothing for None."""
        return {column: _text(getattr(self, column)) for column in COLUMNS}


def _declared() -> Iterable[tuple[str, Column]]:
    for name, hint in get_type_hints(Row, include_extras=True).items():
        kind, column = get_args(hint)
        yield name, column._replace(is_text=kind is str)


DECLARED: Mapping[str, Column] = MappingProxyType(dict(_declared()))
COLUMNS = tuple(DECLARED)
RARE = tuple(name for name, column in DECLARED.items() if column.rare)


def _text(value: str | float | None) -> str:
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def to_csv(rows: Iterable[dict[str, str]]) -> str:
    """Returns rows of text as CSV: UTF-8, LF, one header line."""
    rows = list(rows)
    empty = {name for name in RARE if not any(row.get(name) for row in rows)}
    columns = [name for name in COLUMNS if name not in empty]
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n", extrasaction="ignore")
    quoting = csv.DictWriter(text, columns, lineterminator="\n", extrasaction="ignore", quoting=csv.QUOTE_ALL)
    writer.writeheader()
    for row in rows:  # the csv module quotes no carriage return where lines end with LF, and readers take it for an end
        (quoting if any("\r" in value for value in row.values()) else writer).writerow(row)
    return text.getvalue()
