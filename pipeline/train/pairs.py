"""Attacks photographs, so that a network may learn to restore them."""

from __future__ import annotations

from pathlib import Path

from pipeline.cells import Settings
from pipeline.errors import DataError
from pipeline.evaluate import local
from pipeline.evaluate.job import Request
from pipeline.files import digest
from pipeline.terminal import RunProgress


def attack_photographs(sources: list[str], attacks: list[str], metrics: list[str], work: Path) -> Path:
    """Runs attacks on metrics, as `run --save-images` does, and returns the folder of the attacked photographs.

    Args:
        sources: Folders, files or data sets of photographs.
        attacks: Names of attacks, run with their default settings.
        metrics: Names of the metrics that are attacked.
        work: Where the run is kept, so that the same call does nothing again.

    Raises:
        BenchError: If a name or a source is unknown.
        DataError: If an attack failed.
    """
    out = work / f"attacked-{digest(repr((sources, attacks, metrics)).encode())[:12]}"
    request = Request(metrics, attacks, sources, out, settings=Settings(variants=False), save_images=True)
    with RunProgress(1) as progress:
        summary = local.run(request, progress)
    if summary.reasons:
        (metric, attack), reason = next(iter(summary.reasons.items()))
        raise DataError(f"photographs must be attacked by {attack} on {metric} to learn from; {reason}")
    return out / "images"
