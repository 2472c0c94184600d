"""An image metric's score of a clip: the mean over its frames."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from statistics import fmean

from metric_robustness.pipeline.cells.row import CLIP_MEAN, DECLARED


def _mean(values: Sequence[str]) -> str:
    known = [float(value) for value in values if value]  # a first frame has no flicker
    return f"{fmean(known):.6g}" if known else ""


POOLED: Mapping[str, Callable[[Sequence[str]], str]] = {  # by `Column.over_frames`
    "same": lambda values: values[0],
    "mean": _mean,
    "largest": lambda values: max(values, key=float),
    "none": lambda values: "",
}


def clip_means(rows: Iterable[dict[str, str]]) -> list[dict[str, str]]:
    """Returns a row per clip, which stands for its frames' mean under a variant of its own.

    The variant keeps frames and clips apart: they are never pooled, and nothing is counted twice.

    Args:
        rows: The rows of one pass; those of photographs and their encodings, which are no frames, are ignored.
    """
    clips: dict[tuple[str, ...], list[dict[str, str]]] = {}
    for row in rows:
        if row["clip"] != row["image"] and not row.get("rung"):
            setting = (row["variant"], row["train_dataset"], row["amplitude"], row["defence"], row["clip"])
            clips.setdefault(setting, []).append(row)
    return [_clip_mean(frames) for frames in clips.values()]


def _clip_mean(frames: Sequence[dict[str, str]]) -> dict[str, str]:
    pooled = {
        name: POOLED[column.over_frames]([row.get(name, "") for row in frames]) for name, column in DECLARED.items()
    }
    variant = "+".join(filter(None, [pooled["variant"], CLIP_MEAN]))
    return {**pooled, "image": pooled["clip"], "variant": variant}
