"""How a notebook shows a report or a comparison: text, the security curve, and an image before and after."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

import matplotlib as mpl
import pandas as pd
import torch
from PIL import Image
from torch import Tensor

from metric_robustness.pipeline.errors import BenchError
from metric_robustness.pipeline.library.example import Example
from metric_robustness.pipeline.scoring.board.flags import EXPLANATIONS, Flag
from metric_robustness.pipeline.scoring.plots import curve
from metric_robustness.pipeline.scoring.plots.style import STYLE, UNDATED
from metric_robustness.pipeline.scoring.plots.widths import WIDTHS

SIDE = 192  # pixels of the square in an image's middle that is shown; scaling down would hide small changes
AMPLIFIED = 10  # times that a difference is enlarged
GREY = 128 / 255  # where an image did not change


def report_html(metric: str, folder: Path, lines: Sequence[str], flags: Iterable[Flag], example: Example | None) -> str:
    """Returns a report as HTML without scripts.

    Args:
        metric: The metric's name.
        folder: The run folder, whose tables are drawn.
        lines: The report as text; the first one stands above.
        flags: Explained below.
        example: One image before and after.
    """
    first, *rest = lines
    parts = [f"<p><b>{escape(first)}</b></p>", _curve([metric], folder), _images(example)]
    parts += [f"<div>{escape(line)}</div>" for line in rest]
    about = {flag.code: EXPLANATIONS[flag.code] for flag in flags}
    parts += [f"<p><i>{escape(each.title)}</i>: {escape(each.text)}</p>" for each in about.values()]
    return f'<div style="max-width: 50em">{"".join(parts)}</div>'


def comparison_html(table: pd.DataFrame, folder: Path, notes: Iterable[str]) -> str:
    """Returns a comparison as HTML.

    Args:
        table: A line per metric.
        folder: The run folder, whose tables are drawn.
        notes: What could not be done and why.
    """
    text = table.to_html(index=False, float_format=lambda value: f"{value:.3f}", border=0, na_rep="n/a")
    return text + _curve([], folder) + "".join(f"<div>{escape(note)}</div>" for note in notes)


def _curve(names: Sequence[str], folder: Path) -> str:
    """Returns the security curves; nothing where no smaller budget was tried."""
    packed = io.BytesIO()
    with mpl.rc_context(STYLE):
        try:
            figure = curve.draw(names, folder, WIDTHS["page"])
        except BenchError:
            return ""
        figure.savefig(packed, format="png", metadata=UNDATED[".png"], dpi=90)
    return f"<p>{_picture(packed.getvalue(), 'security curve')}</p>"


def _images(example: Example | None) -> str:
    if example is None:
        return ""
    clear, attacked = _middle(example.clear), _middle(example.attacked)
    shown = {
        f"clear: {example.scores[0]:.4g}": clear,
        f"{example.attack}: {example.scores[1]:.4g}": attacked,
        f"difference, {AMPLIFIED} times": AMPLIFIED * (attacked - clear) + GREY,
    }
    cells = "".join(
        f'<td style="text-align: center">{_picture(_png(image), name)}<br>{escape(name)}</td>'
        for name, image in shown.items()
    )
    about = f"{escape(example.image)}, moved by the median"
    return f"<table><caption>{about}</caption><tr>{cells}</tr></table>"


def _middle(image: Tensor) -> Tensor:
    height, width = image.shape[-2:]
    top, left = max(height - SIDE, 0) // 2, max(width - SIDE, 0) // 2
    return image[:, top : top + SIDE, left : left + SIDE]


def _png(image: Tensor) -> bytes:
    pixels = image.clamp(0, 1).mul(255).round().to(torch.uint8).permute(1, 2, 0).numpy()
    packed = io.BytesIO()
    Image.fromarray(pixels).save(packed, "PNG", optimize=True)
    return packed.getvalue()


def _picture(content: bytes, name: str) -> str:
    return f'<img alt="{escape(name)}" src="data:image/png;base64,{base64.b64encode(content).decode()}">'
