"""An image metric's score of a clip: the mean over its frames."""

from __future__ import annotations

from collections.abc import Iterable
from statistics import fmean

from pipeline.cells.row import CLIP_MEAN

MEANT = ("clear", "attacked", "psnr", "ssim", "mse")
DEFENDED = ("clear_defended", "attacked_defended", "psnr_defended", "ssim_defended")  # where there is a defence
OF_IMAGES = ("mos", "l2", "radius", "certified_low", "certified_high")  # of which a clip has no mean
LARGEST = ("linf", "queries", "gradients")


def clip_means(rows: Iterable[dict[str, str]]) -> list[dict[str, str]]:
    """Returns a row per clip, which stands for its frames' mean under a variant of its own.

    A variant, so that nothing is counted twice: frames and clips are never pooled, nor is either taken for the other.

    Args:
        rows: Those of one pass, a universal attack's settings one after another; a photograph's are passed over.
    """
    clips: dict[tuple[str, ...], list[dict[str, str]]] = {}
    for row in rows:
        if row["clip"] != row["image"]:
            clips.setdefault((row["train_dataset"], row["amplitude"], row["defence"], row["clip"]), []).append(row)
    found = []
    for frames in clips.values():
        names = [*MEANT, *(name for name in DEFENDED if frames[0][name])]
        columns = {name: f"{fmean(float(row[name]) for row in frames):.6g}" for name in names}
        columns |= {name: max((row[name] for row in frames), key=float) for name in LARGEST}
        columns |= dict.fromkeys(OF_IMAGES, "")
        variant = "+".join(filter(None, [frames[0]["variant"], CLIP_MEAN]))
        found.append({**frames[0], "image": frames[0]["clip"], "variant": variant, **columns})
    return found
